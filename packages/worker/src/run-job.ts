// One job from claim to end: heartbeats and feeds while it runs, and exactly one way out.
import {
  type Attempt,
  AttemptLostError,
  claimJob,
  DomainError,
  type Job,
  type JobKind,
  type Placement,
  type WorkerContext,
} from "@sortie/core";

/** What a kind of work must do: run the attempt's job and end it with `complete`. Throws to fail it. */
export type JobRunner = (attempt: Attempt, signal: AbortSignal) => Promise<void>;

/** Why a worker gives its job up: the place where it runs ends before the job does. The next attempt runs elsewhere. */
export class OutOfTimeError extends Error {
  override readonly name = "OutOfTimeError";

  constructor() {
    super("the job takes longer than the place where it runs");
  }
}

/** Feeds are written at most this often. */
const FLUSH_MS = 100;

/** A worker program's exit code when it could not end its job: an internal fault, as sysexits(3) has it. */
export const EXIT_JOB_LOST = 70;

/** A fault whose message is fit for the job's owner; the job fails with it. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
}

export interface RunOptions {
  /** Where this worker is: a job that is to run elsewhere by now is left alone. Absent: any job is taken. */
  readonly placement?: Placement | undefined;
  /** Called once the claim has succeeded. */
  readonly onClaimed?: ((job: Job) => void) | undefined;
  /** Told of faults that the job's owner must not see in full. */
  readonly onFault: (what: string, error: unknown) => void;
  /** Aborting gives the job up: cancelled jobs end, others go back to the queue; with an OutOfTimeError, to run elsewhere. */
  readonly signal: AbortSignal;
  /**
   * The job fails when the attempt outlasts its `timeoutSeconds`. For platforms that end a worker then anyhow: giving the
   * job back would only make the next one outlast it too.
   */
  readonly endsOvertime?: boolean | undefined;
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
  const attempt = await claimJob(context, jobId, worker, options.placement);
  if (!attempt) return false;
  options.onClaimed?.(attempt.job);
  await runAttempt(context, attempt, runners, options);
  return true;
}

/** Runs a job that was claimed to its end. @throws if the job could not be ended: it is still the worker's */
export async function runAttempt(
  context: WorkerContext,
  attempt: Attempt,
  runners: Partial<Record<JobKind, JobRunner>>,
  options: RunOptions,
): Promise<void> {
  using overtime = overtimeOf(context, attempt.job, options);
  const signal = AbortSignal.any([options.signal, attempt.lost, overtime.signal]);
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
}

/** What a timer takes, 24 days: no worker lives longer. */
const LONGEST_TIMER_SECONDS = 2 ** 31 / 1000 - 1;

function overtimeOf(context: WorkerContext, { timeoutSeconds }: Job, options: RunOptions) {
  const over = new AbortController();
  const stop = new AbortController();
  if (options.endsOvertime && timeoutSeconds !== undefined && timeoutSeconds <= LONGEST_TIMER_SECONDS) {
    const failure = new JobFailure(`The job did not end within the ${timeoutSeconds} s that it was given`);
    context.clock.sleep(timeoutSeconds * 1000, stop.signal).then(
      () => over.abort(failure),
      () => undefined,
    );
  }
  return { signal: over.signal, [Symbol.dispose]: () => stop.abort() };
}

/** The attempt did not complete the job: give it up, or fail it with a reason. */
async function endWithout(attempt: Attempt, signal: AbortSignal, error: unknown, options: RunOptions): Promise<void> {
  try {
    const overtime = signal.reason instanceof JobFailure ? signal.reason : undefined;
    if (!overtime && (signal.aborted || error instanceof AttemptLostError)) {
      return await attempt.release(signal.reason instanceof OutOfTimeError ? "out-of-time" : undefined);
    }
    const reason = reasonOf(overtime ?? error, attempt.job, options);
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
