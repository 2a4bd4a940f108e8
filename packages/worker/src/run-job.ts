// One job from claim to end: heartbeats and feeds while it runs, and exactly one way out.
import {
  type Attempt,
  AttemptLostError,
  claimJob,
  DomainError,
  type Job,
  type JobKind,
  type WorkerContext,
} from "@sortie/core";

/** What a kind of work must do: run the attempt's job and end it with `complete`. Throws to fail it. */
export type JobRunner = (attempt: Attempt, signal: AbortSignal) => Promise<void>;

/** Feeds are written at most this often. */
const FLUSH_MS = 100;

/** A fault whose message is fit for the job's owner; the job fails with it. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
}

export interface RunOptions {
  /** Called once the claim has succeeded. */
  readonly onClaimed?: ((job: Job) => void) | undefined;
  /** Told of faults that the job's owner must not see in full. */
  readonly onFault: (what: string, error: unknown) => void;
  /** Aborting gives the job up: cancelled jobs end, others go back to the queue. */
  readonly signal: AbortSignal;
}

/**
 * Claims the job and runs it to its end.
 * @returns false if the job was not there to be taken
 */
export async function runJob(
  context: WorkerContext,
  jobId: string,
  worker: string,
  runners: Partial<Record<JobKind, JobRunner>>,
  options: RunOptions,
): Promise<boolean> {
  const attempt = await claimJob(context, jobId, worker);
  if (!attempt) return false;
  options.onClaimed?.(attempt.job);
  const signal = AbortSignal.any([options.signal, attempt.lost]);
  const stopHeartbeat = startHeartbeat(context, attempt, options);
  try {
    const run = runners[attempt.job.kind];
    if (!run) throw new JobFailure(`this worker cannot run jobs of kind ${attempt.job.kind}`);
    await run(attempt, signal);
  } catch (error) {
    await endWithout(attempt, signal, error, options);
  } finally {
    await stopHeartbeat();
  }
  return true;
}

/** The attempt did not complete the job: give it up, or fail it with a reason. */
async function endWithout(attempt: Attempt, signal: AbortSignal, error: unknown, options: RunOptions): Promise<void> {
  try {
    if (signal.aborted || error instanceof AttemptLostError) return await attempt.release();
    const reason = reasonOf(error, attempt.job, options);
    attempt.log(`Job failed: ${reason}`);
    await attempt.fail(reason);
  } catch (fault) {
    if (fault instanceof AttemptLostError) await attempt.release();
    else throw fault;
  }
}

function reasonOf(error: unknown, job: Job, options: RunOptions): string {
  if (error instanceof JobFailure || error instanceof DomainError) return error.message;
  options.onFault(`running job ${job.id}`, error);
  return `Internal error while running the job (attempt ${job.attempt}); the server's log has the details`;
}

function startHeartbeat(context: WorkerContext, attempt: Attempt, options: RunOptions): () => Promise<void> {
  const stop = new AbortController();
  let last = context.clock.now();
  const beat = async () => {
    while (!stop.signal.aborted) {
      await context.clock.sleep(FLUSH_MS, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      const due = context.clock.now() - last >= context.limits.leaseMs / 3;
      if (!due && !attempt.hasNews) continue;
      try {
        await attempt.flush();
        last = context.clock.now();
      } catch (error) {
        if (error instanceof AttemptLostError) return;
        // The next beat tries again; if none comes through, the lease runs out and the job is attempted anew.
        options.onFault(`writing the feeds of job ${attempt.job.id}`, error);
      }
    }
  };
  const running = beat();
  return async () => {
    stop.abort();
    await running;
  };
}
