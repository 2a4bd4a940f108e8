// The sweep: everything that must happen later and that no request will do. Rows ask for it through the due index:
// undelivered events, queued jobs that nobody dispatched, leases that ran out, uploads and downloads left idle, jobs past
// their time, data of deleted jobs. Every step may be repeated; blobs go before the rows that name them.
import { clearStale } from "./admission.ts";
import type { Context } from "./context.ts";
import { endDownload } from "./downloads.ts";
import { eventFromOutbox, isFinished, type Job, type JobState, jobFromRow } from "./job.ts";
import { dispatchJob, finish, freePlace } from "./jobs.ts";
import {
  downloadKey,
  dueBefore,
  duePartitions,
  duePosition,
  jobBlobs,
  jobKey,
  jobPartition,
  uploadBlobs,
  uploadKey,
  uploadPartition,
  usageOfDay,
} from "./keys.ts";
import type { Row } from "./ports.ts";
import { chargeWorkerTime } from "./quotas.ts";
import { closeUpload, freeUploadPlace } from "./uploads.ts";

const REDISPATCH_MS = 15_000;
/** The clock may have been set back since the last run. */
const CLOCK_SKEW_MS = 3_600_000;
const EVENT_RETRY_MS = 5_000;
/** A deleted job waits this long for its worker or a download to let go, then looks again. */
const HELD_MS = 1_000;

/** Does what is due now. @returns how many rows it attended to */
export async function sweep(context: Context, signal?: AbortSignal): Promise<number> {
  let attended = 0;
  for (const pk of duePartitions()) {
    let cursor: string | undefined;
    do {
      const range = { before: dueBefore(context.clock.now()), limit: 100, cursor };
      const page = await context.table.queryIndex("due", pk, range, { signal });
      for (const row of page.rows) {
        signal?.throwIfAborted();
        try {
          await attend(context, row);
        } catch (error) {
          context.onFault(`sweeping ${row.pk}`, error);
        }
        attended++;
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
  return attended;
}

async function attend(context: Context, found: Row): Promise<void> {
  const row = await context.table.get(found);
  if (!row) return;
  if (row.sk === "job") return attendJob(context, row);
  if (row.sk === "upload") return attendUpload(context, row);
  if (row.sk === "download") return attendDownload(context, row);
  // The worker time of a day that is long over.
  if (row.sk.startsWith(usageOfDay)) await context.table.delete(found, []);
}

async function attendJob(context: Context, row: Row): Promise<void> {
  let job = jobFromRow(row);
  if (job.outbox.size > 0) job = (await publish(context, job)) ?? job;
  if (isFinished(job.state)) await chargeWorkerTime(context, job);
  if (job.deleted) return purgeJob(context, job);
  if (job.state === "queued") {
    await dispatchJob(context, job.id, job.tenant, job.placement, job.memoryBytes, job.attempt + 1);
    return later(context, job, context.clock.now() + REDISPATCH_MS);
  }
  if (job.state === "processing") return attendLease(context, job);
  if (job.worker !== undefined) await releaseLost(context, job);
  const end = (job.finishedAt ?? job.createdAt) + context.limits.jobTtlMs;
  if (context.clock.now() >= end) return purgeJob(context, job);
  return later(context, job, end);
}

/** Asks to be looked at again, unless the job has moved on meanwhile. Events that could not be told are tried sooner. */
async function later(context: Context, job: Job, at: number): Promise<void> {
  const when = job.outbox.size > 0 ? Math.min(at, context.clock.now() + EVENT_RETRY_MS) : at;
  await context.table.write(jobKey(job.id), { index: { due: duePosition(job.id, when) } }, [
    { kind: "equals", name: "state", value: job.state },
    { kind: "equals", name: "attempt", value: job.attempt },
    job.deleted ? { kind: "row-exists" } : { kind: "absent", name: "deleted" },
  ]);
}

async function publish(context: Context, job: Job): Promise<Job | undefined> {
  const done: string[] = [];
  for (const entry of [...job.outbox].sort()) {
    try {
      await context.events.publish(eventFromOutbox(job, entry));
      done.push(entry);
    } catch (error) {
      context.onFault(`publishing an event of job ${job.id}`, error);
      break;
    }
  }
  if (done.length === 0) return job;
  const written = await context.table.write(jobKey(job.id), { removeFromSet: { outbox: done } }, [
    { kind: "row-exists" },
  ]);
  return written.row && jobFromRow(written.row);
}

async function attendLease(context: Context, job: Job): Promise<void> {
  const now = context.clock.now();
  const until = job.leaseUntil ?? 0;
  if (until > now) return later(context, job, until);
  if (job.worker !== undefined && (await context.dispatcher.isAlive(job.worker)) === "alive") {
    return later(context, job, now + context.limits.leaseMs);
  }
  await loseAttempt(context, job.id, { attempt: job.attempt, how: "the worker stopped sending heartbeats" });
}

/** How a worker went. `signature` is set where the way it went points at the model: the same again is no accident. */
export interface Loss {
  readonly attempt?: number | undefined;
  readonly worker?: string | undefined;
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
  if (job.state !== "processing") return isFinished(job.state) ? releaseLost(context, job) : undefined;
  const mark = loss.signature === undefined ? loss.how : `${loss.how} [${loss.signature}]`;
  const losses = [...job.losses, mark];
  const sameWay = loss.signature !== undefined && job.losses.at(-1) === mark;
  const over = sameWay || losses.length >= job.maxAttempts;
  const mine = [
    { kind: "equals", name: "state", value: "processing" },
    { kind: "equals", name: "attempt", value: job.attempt },
    { kind: "absent", name: "deleted" },
  ] as const;
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
  const requeued = await context.table.write(
    jobKey(jobId),
    {
      set: { state: "queued" satisfies JobState, losses },
      unset: ["worker", "leaseUntil"],
      index: { due: duePosition(jobId, context.clock.now() + REDISPATCH_MS) },
    },
    mine,
  );
  if (requeued.ok) await dispatchJob(context, jobId, job.tenant, job.placement, job.memoryBytes, job.attempt + 1);
}

/** A finished job whose worker is gone for good: its feeds are final. */
async function releaseLost(context: Context, job: Job): Promise<void> {
  if (job.worker === undefined) return;
  if ((await context.dispatcher.isAlive(job.worker)) === "alive") return;
  await context.table.write(jobKey(job.id), { unset: ["worker", "leaseUntil"] }, [
    { kind: "equals", name: "worker", value: job.worker },
    { kind: "equals", name: "attempt", value: job.attempt },
  ]);
}

async function purgeJob(context: Context, job: Job): Promise<void> {
  if (!job.deleted) {
    await context.table.write(jobKey(job.id), { set: { deleted: true }, index: { list: null } }, [
      { kind: "row-exists" },
    ]);
  }
  const workerIsThere = job.worker !== undefined && (await context.dispatcher.isAlive(job.worker)) === "alive";
  const stillWrites = workerIsThere && context.clock.now() < (job.leaseUntil ?? 0);
  if (stillWrites || job.downloads.size > 0) {
    return later(context, { ...job, deleted: true }, context.clock.now() + HELD_MS);
  }
  if (job.input.kind === "upload") {
    const { uploadId } = job.input;
    await context.blobs.deletePrefix(uploadBlobs(uploadId));
    await context.table.deleteRange(uploadPartition(uploadId), "");
  }
  await context.blobs.deletePrefix(jobBlobs(job.id));
  await context.table.deleteRange(jobPartition(job.id), "log#");
  await context.table.deleteRange(jobPartition(job.id), "inc#");
  await context.table.delete(jobKey(job.id), []);
}

async function attendUpload(context: Context, row: Row): Promise<void> {
  const id = row.pk.slice("upload#".length);
  const now = context.clock.now();
  const { state, usedAt, jobId } = row.attributes;
  if (state === "finished") return;
  if (typeof jobId === "string") {
    // A crash between making the job and closing the upload, or a finish under way: the job's row decides.
    if (await context.table.get(jobKey(jobId))) return closeUpload(context, id, jobId);
    await context.table.write(uploadKey(id), { set: { state: "open" } }, [
      { kind: "equals", name: "state", value: "finishing" },
      { kind: "equals", name: "jobId", value: jobId },
    ]);
  }
  const end = Number(usedAt) + context.limits.uploadIdleMs;
  if (now < end) {
    await context.table.write(uploadKey(id), { index: { due: duePosition(`upload:${id}`, end) } }, [
      { kind: "equals", name: "state", value: "open" },
    ]);
    return;
  }
  const expired = await context.table.write(uploadKey(id), { set: { state: "expired" } }, [
    { kind: "one-of", name: "state", values: ["open", "expired"] },
    { kind: "equals", name: "usedAt", value: Number(usedAt) },
  ]);
  if (!expired.ok) return;
  await freeUploadPlace(context, expired.row);
  await context.blobs.deletePrefix(uploadBlobs(id));
  await context.table.deleteRange(uploadPartition(id), "chunk#");
  await context.table.delete(uploadKey(id), [{ kind: "equals", name: "state", value: "expired" }]);
}

async function attendDownload(context: Context, row: Row): Promise<void> {
  const id = row.pk.slice("download#".length);
  const { usedAt, tenant } = row.attributes;
  const end = Number(usedAt) + context.limits.downloadIdleMs;
  if (context.clock.now() >= end) return endDownload(context, { tenant: String(tenant) }, id);
  await context.table.write(downloadKey(id), { index: { due: duePosition(`download:${id}`, end) } }, [
    { kind: "row-exists" },
  ]);
}

/**
 * After a start: queued jobs go to the dispatcher again, in the order they were submitted; jobs in hand are adopted if
 * their worker lives and attempted again if not, which is no attempt of theirs.
 */
export async function recover(context: Context, adopt: (job: Job) => void): Promise<void> {
  const queued: Job[] = [];
  // Open jobs are due within a lease or a dispatch; finished ones, of which there may be very many, at their expiry.
  const soon = dueBefore(context.clock.now() + context.limits.leaseMs + REDISPATCH_MS + CLOCK_SKEW_MS);
  for (const pk of duePartitions()) {
    let cursor: string | undefined;
    do {
      const page = await context.table.queryIndex("due", pk, { before: soon, limit: 200, cursor });
      for (const found of page.rows) {
        if (found.sk !== "job") continue;
        const row = await context.table.get(found);
        if (!row) continue;
        const job = jobFromRow(row);
        if (job.deleted) continue;
        if (job.state === "queued") queued.push(job);
        else if (job.worker !== undefined) await takeUp(context, job, adopt, queued);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
  queued.sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
  for (const job of queued) {
    await dispatchJob(context, job.id, job.tenant, job.placement, job.memoryBytes, job.attempt + 1);
  }
}

async function takeUp(context: Context, job: Job, adopt: (job: Job) => void, queued: Job[]): Promise<void> {
  if ((await context.dispatcher.isAlive(String(job.worker))) === "alive") {
    adopt(job);
    return;
  }
  if (job.state !== "processing") return releaseLost(context, job);
  const written = await context.table.write(
    jobKey(job.id),
    { set: { state: "queued" satisfies JobState }, unset: ["worker", "leaseUntil"] },
    [
      { kind: "equals", name: "state", value: "processing" },
      { kind: "equals", name: "attempt", value: job.attempt },
    ],
  );
  if (written.ok) queued.push(jobFromRow(written.row));
}

/** Clears what crashes left in a tenant's admission row. */
export async function clearAdmission(context: Context, tenant: string): Promise<void> {
  for (const set of ["jobs", "uploads", "downloads"] as const) await clearStale(context, tenant, set);
}
