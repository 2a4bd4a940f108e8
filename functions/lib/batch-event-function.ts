// Batch told that a job of its own has ended: if that worker held a job, the job is attempted again or fails with the
// container's reason; if it never came to take its job, another one is started after a while.
import { attendJob, type Context, holderOf, jobHeldBy, loseAttempt, loseStart } from "@sortie/core";
import { batchEnd } from "@sortie/platform-aws";
import type { BusEvent } from "./lambda.ts";
import type { Log } from "./log.ts";

export interface BatchEventFunctionOptions {
  readonly context: Context;
  readonly log: Log;
}

export type BatchEventFunction = (event: BusEvent) => Promise<void>;

/** Rejects where the table failed, so that the event is delivered again. */
export function createBatchEventFunction({ context, log }: BatchEventFunctionOptions): BatchEventFunction {
  return async (event) => {
    const end = batchEnd(event.detail);
    if (!end) return;
    const { worker, jobId, attempt, how, signature } = end;
    log.info({ jobId, attempt, worker, succeeded: end.succeeded, how }, "a worker has ended");
    const held = await jobOf(worker, jobId, end.succeeded);
    if (held !== undefined) await loseAttempt(context, held, { worker, how, signature });
    // One that found its job gone ends well.
    if (!end.succeeded) await loseStart(context, jobId, { worker, attempt, how });
    await attendJob(context, jobId);
    await context.webhooks?.idle();
  };

  /** What the worker held: the job that it was started for, or one that it took later. */
  async function jobOf(worker: string, jobId: string, succeeded: boolean): Promise<string | undefined> {
    if ((await holderOf(context, jobId)) === worker) return jobId;
    // One that ended well has left nothing behind.
    return succeeded ? undefined : jobHeldBy(context, worker);
  }
}
