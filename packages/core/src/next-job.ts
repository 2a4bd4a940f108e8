// The next job of a worker that has finished one: the oldest queued job of its placement that it can run.
import { type Attempt, claimJob } from "./attempts.ts";
import type { WorkerContext } from "./context.ts";
import type { JobKind } from "./job.ts";
import { type QueuedJob, queuedFromPosition, queuedPartitions } from "./keys.ts";
import type { CallOptions, Placement } from "./ports.ts";

/** Queued jobs that are looked at in each partition. */
const LOOKED_AT = 500;
/** Others want the same jobs: after so many that were gone, the next look is better informed. */
const CLAIMS_PER_LOOK = 5;

export interface WorkerCapacity {
  readonly placement: Placement;
  /** What there is for a job and the worker itself. */
  readonly memoryBytes: number;
  readonly kinds: readonly JobKind[];
}

/**
 * Takes the job that was submitted first among the queued jobs of this placement that fit, whosever it is. Costs one index
 * query for each partition, and no row is read but those of jobs that are then claimed.
 * @returns undefined if none is waiting, or others were quicker
 */
export async function claimNext(
  context: WorkerContext,
  worker: string,
  capacity: WorkerCapacity,
  options?: CallOptions,
): Promise<Attempt | undefined> {
  for (const { id } of (await findQueued(context, capacity, options)).slice(0, CLAIMS_PER_LOOK)) {
    options?.signal?.throwIfAborted();
    const attempt = await claimJob(context, id, worker, capacity.placement);
    if (attempt) return attempt;
  }
  return undefined;
}

/** The queued jobs that fit, oldest first. Index queries may lag: a job may have moved on. */
export async function findQueued(
  context: Pick<WorkerContext, "table">,
  capacity: WorkerCapacity,
  options?: CallOptions,
): Promise<QueuedJob[]> {
  const pages = await Promise.all(
    queuedPartitions(capacity.placement).map((pk) =>
      context.table.queryIndex("due", pk, { limit: LOOKED_AT }, options),
    ),
  );
  return pages
    .flatMap(({ rows }) => rows.flatMap((row) => (row.index.due ? [queuedFromPosition(row.index.due)] : [])))
    .filter(
      ({ kind, memoryBytes }) => memoryBytes <= capacity.memoryBytes && capacity.kinds.some((one) => one === kind),
    )
    .sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
}
