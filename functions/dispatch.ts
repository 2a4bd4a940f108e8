// Woken by the table's stream: starts and stops workers, and tells the outside.
import { openAws } from "@sortie/platform-aws";
import { openDeployment } from "./lib/deployment.ts";
import { createDispatchFunction } from "./lib/dispatch-function.ts";

export const handler = createDispatchFunction(openDeployment(openAws).context);
