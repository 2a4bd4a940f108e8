// Woken by the rule on "Batch Job State Change": workers that died, and why.

import { openAws } from "@sortie/platform-aws";
import { createBatchEventFunction } from "./lib/batch-event-function.ts";
import { openDeployment } from "./lib/deployment.ts";

export const handler = createBatchEventFunction(openDeployment(openAws));
