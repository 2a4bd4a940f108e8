// The life of a container worker: the job that it was started for, then whatever else of its placement waits, then the end.
import { type Attempt, claimJob, claimNext, type WorkerCapacity, type WorkerContext } from "@sortie/core";
import { type RunOptions, runAttempt } from "./run-job.ts";
import type { Runners } from "./runners.ts";

/** Pauses between two looks for a further job: soon at first, then seldom. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;

export interface ContainerTask {
  /** Unique among all workers, and what the dispatcher knows it by. */
  readonly worker: string;
  /** The job that it was started for. */
  readonly jobId: string;
  readonly placement: WorkerCapacity["placement"];
  /** What this container has. */
  readonly memoryBytes: number;
  /** How long it looks for a further job before it ends. */
  readonly lingerMs: number;
}

export interface ContainerOptions extends Pick<RunOptions, "onFault" | "onClaimed"> {
  /** Aborting gives the job in hand back to the queue, and the worker ends. */
  readonly signal: AbortSignal;
}

/**
 * Runs the job, then further ones for as long as some turn up. If the job is gone (taken, cancelled, deleted, finished) and
 * no other waits, it ends at once.
 * @returns how many jobs it ran
 * @throws if a job could not be ended: it is still this worker's
 */
export async function runContainer(
  context: WorkerContext,
  task: ContainerTask,
  runners: Runners,
  options: ContainerOptions,
): Promise<number> {
  const { signal } = options;
  let capacity: WorkerCapacity = { ...task, kinds: runners.kinds };
  let ran = 0;
  let attempt: Attempt | undefined;
  if (!signal.aborted) attempt = await claimJob(context, task.jobId, task.worker, task.placement);
  // The container was made for this job: it has what the job asked for, whatever the system says that it has.
  if (attempt) capacity = { ...capacity, memoryBytes: Math.max(task.memoryBytes, attempt.job.memoryBytes) };
  attempt ??= await look(context, task, capacity, options);
  while (attempt) {
    options.onClaimed?.(attempt.job);
    await runAttempt(context, attempt, runners.byKind, { ...options, endsOvertime: true });
    ran += 1;
    attempt = await linger(context, task, capacity, options);
  }
  return ran;
}

async function linger(
  context: WorkerContext,
  task: ContainerTask,
  capacity: WorkerCapacity,
  options: ContainerOptions,
): Promise<Attempt | undefined> {
  const end = context.clock.now() + task.lingerMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const attempt = await look(context, task, capacity, options);
    const left = end - context.clock.now();
    if (attempt || left <= 0 || options.signal.aborted) return attempt;
    // Up to a quarter shorter, so that many who finished together do not look all at once.
    await context.clock.sleep(Math.min(left, pause * (1 - Math.random() / 4)), options.signal).catch(() => undefined);
  }
}

/** One look for a further job. That it fails is no fault of a job: the next look may succeed. */
async function look(
  context: WorkerContext,
  task: ContainerTask,
  capacity: WorkerCapacity,
  { signal, onFault }: ContainerOptions,
): Promise<Attempt | undefined> {
  if (signal.aborted) return undefined;
  try {
    return await claimNext(context, task.worker, capacity, { signal });
  } catch (error) {
    if (!signal.aborted) onFault("looking for a further job", error);
    return undefined;
  }
}
