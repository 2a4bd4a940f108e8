// On a schedule: leases, expiry, orphans, and whatever else is due that nobody came for.
import { openAws } from "@sortie/platform-aws";
import { openDeployment } from "./lib/deployment.ts";
import { createSweepFunction } from "./lib/sweep-function.ts";

export const handler = createSweepFunction(openDeployment(openAws));
