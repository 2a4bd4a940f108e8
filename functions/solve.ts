// Invoked by the dispatcher, and waited for by nobody: runs one small job in place.
import { openAwsWorker, readAwsSettings } from "@sortie/platform-aws";
import { openRunners, type Runners } from "@sortie/worker";
import { createLog } from "./lib/log.ts";
import { createSolveFunction } from "./lib/solve-function.ts";

let opened: Promise<Runners> | undefined;
/** Opened once; an engine that did not start is tried again by the next invocation. */
function runners(): Promise<Runners> {
  opened ??= openRunners().catch((error) => {
    opened = undefined;
    throw error;
  });
  return opened;
}
// The engine warms up while the environment starts; who waits for it hears of a failure.
runners().catch(() => {});

export const handler = createSolveFunction({
  context: openAwsWorker(readAwsSettings(process.env)),
  runners,
  log: createLog(),
});
