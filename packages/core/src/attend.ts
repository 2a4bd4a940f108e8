// Attending to a job: one rule that reads the job's row and does what is due. The row is its own outbox; who finds out that
// something may be due (the sweep by the due index, a function by the table's stream, an event about a worker) makes no
// difference, nor does it matter how often, in which order or at what time they come.
import type { Context } from "./context.ts";
import { DomainError, type Reason } from "./errors.ts";
import { ATTEMPT_FACTS, isFinished, type Job, type JobState, jobFromRow } from "./job.ts";
import { entriesInOrder, eventFromOutbox } from "./job-events.ts";
import { finish, freePlace } from "./jobs.ts";
import {
  dueBefore,
  dueTime,
  jobBlobs,
  jobDuePosition,
  jobIdOfKey,
  jobKey,
  jobPartition,
  queuedPosition,
  runningPartitions,
} from "./keys.ts";
import { type PlacementDecision, placeJob } from "./placement.ts";
import type { CallOptions, Change, Condition, Row, Value } from "./ports.ts";
import { chargeWorkerTime } from "./quotas.ts";
import { removeUpload } from "./uploads.ts";
import { webhookUnmoved } from "./webhook-courier.ts";

/** A queued job is dispatched again after so long, then after twice as long, and so on: asking a platform has its price. */
export const REDISPATCH_MS = 15_000;
const LONGEST_REDISPATCH_MS = 300_000;
/** What could not be told or stopped is tried again after so long. */
const RETRY_MS = 5_000;
/** A deleted job waits this long for its worker or a download to let go, then looks again. */
const HELD_MS = 1_000;

/** A dispatch that failed for one of these fails for ever. */
const HOPELESS: readonly Reason[] = ["too-large", "feature-unsupported"];

const redispatchPause = (dispatches: number): number =>
  Math.min(LONGEST_REDISPATCH_MS, REDISPATCH_MS * 2 ** Math.min(dispatches, 30));

const isDue = (context: Context, at: number | undefined): boolean => at === undefined || at <= context.clock.now();

/**
 * Does what is due for a job, as its row says: tells the outside what happened, stops the worker of a cancelled or deleted
 * job, dispatches a queued one, takes a running one from a worker whose lease is over, clears up. Harmless for a job that
 * needs nothing or is gone, and for many at once: one of them dispatches, and each event is told at least once.
 *
 * Faults of dispatching, stopping and telling go to `onFault` and are tried again when the row says so.
 */
export async function attendJob(context: Context, jobId: string): Promise<void> {
  let row = await context.table.get(jobKey(jobId));
  if (row) row = await publishDue(context, row);
  if (row && context.webhooks) row = await context.webhooks.attend(context, row);
  if (row) row = await stopDue(context, row);
  if (!row) return;
  const job = jobFromRow(row);
  if (isFinished(job.state)) await chargeWorkerTime(context, job);
  if (job.deleted) return purgeJob(context, row, job);
  if (job.state === "queued") return dispatchDue(context, row);
  if (job.state === "processing") return attendLease(context, row, job);
  const heldUntil = await releaseUnheld(context, job);
  const end = (job.finishedAt ?? job.createdAt) + context.limits.jobTtlMs;
  if (context.clock.now() >= end) return purgeJob(context, row, job);
  return later(context, row, job, Math.min(end, heldUntil));
}

/** Asks to be looked at again at a time, unless the job has moved on meanwhile or asks for it earlier anyway. */
async function later(context: Context, row: Row, job: Job, at: number): Promise<void> {
  const now = context.clock.now();
  const due = jobDuePosition(job, Math.min(at, tellTime(context, job), job.stopAt ?? at));
  const current = row.index.due;
  // Every write of a row may wake somebody who comes here: one that changes nothing is not made.
  if (current?.pk === due.pk && dueTime(current) > now && dueTime(current) <= dueTime(due)) return;
  await context.table.write(jobKey(job.id), { index: { due } }, [
    ...asSeen(job),
    webhookUnmoved(job),
    job.deleted ? { kind: "row-exists" } : { kind: "absent", name: "deleted" },
  ]);
}

const asSeen = (job: Job): readonly Condition[] => [
  { kind: "equals", name: "state", value: job.state },
  { kind: "equals", name: "attempt", value: job.attempt },
];

// ------------------------------------------------------------------------------------------------------------- the outbox

/** Tells the outside of what it was not told yet. An entry is taken out only after it was told. */
async function publishDue(context: Context, row: Row): Promise<Row | undefined> {
  const job = jobFromRow(row);
  if (job.outbox.size === 0 || !isDue(context, job.publishAt)) return row;
  const told: string[] = [];
  for (const entry of entriesInOrder(job.outbox)) {
    try {
      await context.events.publish(eventFromOutbox(job, entry));
      told.push(entry);
    } catch (error) {
      context.onFault(`publishing an event of job ${job.id}`, error);
      break;
    }
  }
  const retry: Change =
    told.length < job.outbox.size
      ? { set: { publishAt: context.clock.now() + RETRY_MS } }
      : { unset: ["publishAt"], removeFromSet: { outbox: told } };
  const moved = { removeFromSet: { outbox: told }, ...(job.webhook ? { addToSet: { webhooks: told } } : {}) };
  const change = told.length > 0 ? { ...retry, ...moved } : retry;
  const written = await context.table.write(jobKey(job.id), change, [{ kind: "row-exists" }]);
  return written.row;
}

/** When the outside is to be told next, ms since 1970; never if it was told everything. */
function tellTime(context: Context, job: Job): number {
  const soon = context.clock.now() + RETRY_MS;
  return Math.min(
    job.outbox.size > 0 ? (job.publishAt ?? soon) : Number.POSITIVE_INFINITY,
    job.webhooks.size > 0 && context.webhooks ? (job.webhook?.at ?? soon) : Number.POSITIVE_INFINITY,
  );
}

// --------------------------------------------------------------------------------------------------------------- stopping

/** Stops the worker of a job that ended without it. */
async function stopDue(context: Context, row: Row): Promise<Row | undefined> {
  const { id, stopAt } = jobFromRow(row);
  if (stopAt === undefined || !isDue(context, stopAt)) return row;
  let change: Change = { unset: ["stopAt"] };
  try {
    await context.dispatcher.stop(id, context.limits.cancelGraceMs);
  } catch (error) {
    // The worker notices by itself at its next heartbeat; one that was not started yet does not.
    context.onFault(`stopping the worker of job ${id}`, error);
    change = { set: { stopAt: context.clock.now() + RETRY_MS } };
  }
  const written = await context.table.write(jobKey(id), change, [{ kind: "row-exists" }]);
  return written.row;
}

// ------------------------------------------------------------------------------------------------------------- dispatching

/**
 * Dispatches a queued job unless that was done lately. Of many who do this at once one has the turn; if it dies on the way,
 * the turn comes round again. A job that cannot run anywhere here fails.
 */
export async function dispatchDue(context: Context, row: Row): Promise<void> {
  let job = jobFromRow(row);
  if (job.state !== "queued" || job.deleted) return;
  if (job.dispatchAt !== undefined && !isDue(context, job.dispatchAt)) {
    return later(context, row, job, job.dispatchAt);
  }
  const elsewhere = job.outlivedFunction && job.placement === "inline" ? placeElsewhere(context, job) : undefined;
  if (job.outlivedFunction && job.placement === "inline" && !elsewhere) {
    const failure = "The job takes longer than a function runs, and this deployment has no other placement";
    return failQueued(context, job, failure);
  }
  job = { ...job, ...elsewhere };
  const dispatchAt = context.clock.now() + redispatchPause(job.dispatches);
  const turn = await context.table.write(
    jobKey(job.id),
    {
      set: { dispatchAt, dispatches: job.dispatches + 1, ...(elsewhere && placementFacts(elsewhere)) },
      index: { due: queuedPosition(job, Math.min(dispatchAt, tellTime(context, job))) },
    },
    [
      ...asSeen(job),
      { kind: "absent", name: "deleted" },
      job.dispatchAt === undefined
        ? { kind: "absent", name: "dispatchAt" }
        : { kind: "equals", name: "dispatchAt", value: job.dispatchAt },
    ],
  );
  if (!turn.ok) return;
  const { id, tenant, placement, memoryBytes } = job;
  try {
    await context.dispatcher.dispatch({ jobId: id, tenant, placement, memoryBytes, attempt: job.attempt + 1 });
  } catch (error) {
    context.onFault(`dispatching job ${id}`, error);
    if (error instanceof DomainError && HOPELESS.includes(error.reason)) await failQueued(context, job, error.message);
  }
}

/** Where a job goes that outlived a function; undefined if there is nothing but functions. */
function placeElsewhere(context: Context, job: Job): PlacementDecision | undefined {
  const { kind, memoryBytes } = job;
  const needs = job.needs ?? { kind, memoryBytes, elements: 0, usesGpu: false };
  const decision = placeJob(needs, context.placement, true);
  return decision.placement === "inline" ? undefined : decision;
}

/** How a decision stands in the job's row. */
function placementFacts(decision: PlacementDecision): { readonly [key: string]: Value } {
  const { placement, reason, memoryBytes, timeoutSeconds } = decision;
  return { placement, placementReason: reason, memoryBytes, timeoutSeconds };
}

async function failQueued(context: Context, job: Job, failure: string): Promise<void> {
  const failed = await context.table.write(jobKey(job.id), finish(context, job.id, "failed", { failure }), [
    ...asSeen({ ...job, state: "queued" }),
    { kind: "absent", name: "deleted" },
  ]);
  if (failed.ok) await freePlace(context, failed.row);
}

/** A worker that was started for a job and ended before it took it. */
export interface FailedStart {
  readonly worker: string;
  /** The attempt that it was to make. */
  readonly attempt: number;
  readonly how: string;
}

/**
 * A worker that was started for the job ended before it took it: the job is dispatched again after a while, or fails when
 * that happened as often as the job may be attempted. Harmless for a job that has moved on, and when told twice.
 */
export async function loseStart(context: Context, jobId: string, start: FailedStart): Promise<void> {
  const row = await context.table.get(jobKey(jobId));
  if (!row) return;
  const job = jobFromRow(row);
  if (job.state !== "queued" || job.deleted || job.attempt + 1 !== start.attempt) return;
  if (job.failedStarts.has(start.worker)) return;
  const failures = job.failedStarts.size + 1;
  if (failures >= job.maxAttempts) {
    const times = failures === 1 ? "once" : `${failures} times`;
    return failQueued(context, job, `No worker could be started for the job (tried ${times}; last: ${start.how})`);
  }
  const dispatchAt = context.clock.now() + redispatchPause(failures - 1);
  await context.table.write(
    jobKey(jobId),
    {
      set: { dispatchAt },
      addToSet: { failedStarts: [start.worker] },
      index: { due: queuedPosition(job, Math.min(dispatchAt, tellTime(context, job))) },
    },
    [...asSeen(job), { kind: "absent", name: "deleted" }],
  );
}

// ----------------------------------------------------------------------------------------------------------------- leases

async function attendLease(context: Context, row: Row, job: Job): Promise<void> {
  const now = context.clock.now();
  const until = job.leaseUntil ?? 0;
  if (until > now) return later(context, row, job, until);
  if (await isHeld(context, job)) return later(context, row, job, now + context.limits.leaseMs);
  const how = "the worker stopped sending heartbeats";
  await loseAttempt(context, job.id, { attempt: job.attempt, leaseOver: true, how });
}

/** Is a worker to be reckoned with that holds this job? What tells is the dispatcher's to say. */
async function isHeld(context: Context, job: Job): Promise<boolean> {
  if (job.worker === undefined) return false;
  if (context.dispatcher.attemptEndsWith === "lease") return context.clock.now() < (job.leaseUntil ?? 0);
  return (await context.dispatcher.isAlive(job.worker)) === "alive";
}

/** How a worker went. `signature` is set where the way it went points at the model: the same again is no accident. */
export interface Loss {
  readonly attempt?: number | undefined;
  /** The worker that is gone. */
  readonly worker?: string | undefined;
  /** All that is known is that its lease was over. A heartbeat that comes after all counts. */
  readonly leaseOver?: boolean | undefined;
  readonly how: string;
  readonly signature?: string | undefined;
}

/**
 * A worker is gone without finishing its job: the job is queued again for its next attempt, or fails when the attempts are
 * used up or the model killed its worker twice in the same way. Harmless for a job that has moved on.
 */
export async function loseAttempt(context: Context, jobId: string, loss: Loss): Promise<void> {
  const row = await context.table.get(jobKey(jobId));
  if (!row) return;
  const job = jobFromRow(row);
  if (loss.attempt !== undefined && job.attempt !== loss.attempt) return;
  if (loss.worker !== undefined && job.worker !== loss.worker) return;
  if (isFinished(job.state)) {
    // Who names the worker knows that it is gone.
    if (loss.worker === undefined) await releaseUnheld(context, job);
    else await letGo(context, job);
  }
  if (job.state !== "processing") return;
  const mark = loss.signature === undefined ? loss.how : `${loss.how} [${loss.signature}]`;
  const losses = [...job.losses, mark];
  const sameWay = loss.signature !== undefined && job.losses.at(-1) === mark;
  const over = sameWay || losses.length >= job.maxAttempts;
  const mine: readonly Condition[] = [
    ...asSeen(job),
    { kind: "absent", name: "deleted" },
    ...(loss.leaseOver && job.leaseUntil !== undefined
      ? [{ kind: "equals", name: "leaseUntil", value: job.leaseUntil } as const]
      : []),
  ];
  if (over) {
    const times = losses.length === 1 ? "1 attempt" : `${losses.length} attempts`;
    const failure = `Worker process died unexpectedly (${times}; last: ${loss.how})`;
    const written = await context.table.write(
      jobKey(jobId),
      finish(context, jobId, "failed", { failure, losses }),
      mine,
    );
    if (written.ok) await freePlace(context, written.row);
    return;
  }
  // A function that went without a word may have reached its time limit.
  const elsewhere = job.placement === "inline" ? placeElsewhere(context, job) : undefined;
  const requeued = await context.table.write(
    jobKey(jobId),
    {
      set: { state: "queued" satisfies JobState, losses, ...(elsewhere && placementFacts(elsewhere)) },
      unset: [...ATTEMPT_FACTS],
      index: { due: queuedPosition({ ...job, ...elsewhere }, context.clock.now()) },
    },
    mine,
  );
  if (requeued.ok) await dispatchDue(context, requeued.row);
}

/**
 * A finished job whose worker is gone for good: its feeds are final.
 * @returns when to look again, ms since 1970; never if it was let go, or if the worker's end will be told
 */
async function releaseUnheld(context: Context, job: Job): Promise<number> {
  if (job.worker === undefined) return Number.POSITIVE_INFINITY;
  if (!(await isHeld(context, job))) {
    await letGo(context, job);
    return Number.POSITIVE_INFINITY;
  }
  const { attemptEndsWith } = context.dispatcher;
  return attemptEndsWith === "lease" ? (job.leaseUntil ?? 0) : Number.POSITIVE_INFINITY;
}

async function letGo(context: Context, job: Job): Promise<void> {
  if (job.worker === undefined) return;
  await context.table.write(jobKey(job.id), { unset: ["worker", "leaseUntil"] }, [
    { kind: "equals", name: "worker", value: job.worker },
    { kind: "equals", name: "attempt", value: job.attempt },
  ]);
}

/** Who holds the lease of a job; undefined if nobody does. */
export async function holderOf(
  context: Pick<Context, "table">,
  jobId: string,
  options?: CallOptions,
): Promise<string | undefined> {
  const row = await context.table.get(jobKey(jobId), options);
  return row && jobFromRow(row).worker;
}

/**
 * The running job that this worker holds, found by looking at all that run: for a worker that may have taken another job
 * than the one that it was started for, and is gone.
 * @returns undefined if it holds none
 */
export async function jobHeldBy(
  context: Pick<Context, "table" | "clock" | "limits">,
  worker: string,
): Promise<string | undefined> {
  // A running job is due when its lease ends, or sooner; finished ones only when they expire.
  const before = dueBefore(context.clock.now() + context.limits.leaseMs);
  for (const pk of runningPartitions()) {
    let cursor: string | undefined;
    do {
      const page = await context.table.queryIndex("due", pk, { before, cursor });
      for (const found of page.rows) {
        const jobId = jobIdOfKey(found);
        if (jobId !== undefined && (await holderOf(context, jobId)) === worker) return jobId;
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
  return undefined;
}

// ------------------------------------------------------------------------------------------------------------ the clearing

async function purgeJob(context: Context, row: Row, job: Job): Promise<void> {
  if (!job.deleted) {
    await context.table.write(jobKey(job.id), { set: { deleted: true }, index: { list: null } }, [
      { kind: "row-exists" },
    ]);
  }
  const stillWrites = context.clock.now() < (job.leaseUntil ?? 0) && (await isHeld(context, job));
  if (stillWrites || job.downloads.size > 0 || job.stopAt !== undefined) {
    return later(context, row, { ...job, deleted: true }, context.clock.now() + HELD_MS);
  }
  if (job.input.kind === "upload") {
    await removeUpload(context, job.input.uploadId);
  }
  await context.blobs.deletePrefix(jobBlobs(job.id));
  await context.table.deleteRange(jobPartition(job.id), "log#");
  await context.table.deleteRange(jobPartition(job.id), "inc#");
  if (job.outbox.size > 0 || (job.webhooks.size > 0 && context.webhooks)) {
    // What happened is told all the same.
    return later(context, row, { ...job, deleted: true }, Number.POSITIVE_INFINITY);
  }
  await context.table.delete(jobKey(job.id), []);
}
