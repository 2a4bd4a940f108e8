// The sweep: everything that must happen later and that no request will do. Rows ask for it through the due index: jobs
// (attend.ts says what may be due for one), uploads and downloads left idle. Every step may be repeated; blobs go before
// the rows that name them.
import { clearStale } from "./admission.ts";
import { attendJob, REDISPATCH_MS } from "./attend.ts";
import type { Context } from "./context.ts";
import { endDownload } from "./downloads.ts";
import { ATTEMPT_FACTS, type Job, type JobState, jobFromRow } from "./job.ts";
import { dispatchJob } from "./jobs.ts";
import {
  downloadKey,
  dueBefore,
  duePartitions,
  duePosition,
  jobIdOfKey,
  jobKey,
  queuedPosition,
  uploadKey,
  usageOfDay,
} from "./keys.ts";
import type { Row } from "./ports.ts";
import { attendSession } from "./sessions.ts";
import { closeUpload, freeUploadPlace, removeUpload, uploadEnd } from "./uploads.ts";

/** The clock may have been set back since the last run. */
const CLOCK_SKEW_MS = 3_600_000;

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
  const jobId = jobIdOfKey(found);
  if (jobId !== undefined) return attendJob(context, jobId);
  const row = await context.table.get(found);
  if (!row) return;
  if (row.sk === "upload") return attendUpload(context, row);
  if (row.sk === "download") return attendDownload(context, row);
  if (row.sk === "session") return attendSession(context, row);
  // The worker time of a day that is long over.
  if (row.sk.startsWith(usageOfDay)) await context.table.delete(found, []);
}

async function attendUpload(context: Context, row: Row): Promise<void> {
  const id = row.pk.slice("upload#".length);
  const now = context.clock.now();
  const { state, usedAt, jobId } = row.attributes;
  if (state === "finished") return;
  if (state === "expired") {
    await freeUploadPlace(context, row);
    return removeUpload(context, id);
  }
  if (typeof jobId === "string") {
    // A crash between making the job and closing the upload, or a finish under way: the job's row decides.
    if (await context.table.get(jobKey(jobId))) return closeUpload(context, id, jobId);
    await context.table.write(uploadKey(id), { set: { state: "open" } }, [
      { kind: "equals", name: "state", value: "finishing" },
      { kind: "equals", name: "jobId", value: jobId },
    ]);
  }
  const end = uploadEnd(context, row);
  if (now < end) {
    await context.table.write(uploadKey(id), { index: { due: duePosition(`upload:${id}`, end) } }, [
      { kind: "equals", name: "state", value: "open" },
    ]);
    return;
  }
  const expired = await context.table.write(uploadKey(id), { set: { state: "expired" } }, [
    { kind: "equals", name: "state", value: "open" },
    { kind: "equals", name: "usedAt", value: Number(usedAt) },
  ]);
  if (!expired.ok) return;
  await freeUploadPlace(context, expired.row);
  await removeUpload(context, id);
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
  if (job.state !== "processing") return attendJob(context, job.id);
  const written = await context.table.write(
    jobKey(job.id),
    {
      set: { state: "queued" satisfies JobState },
      unset: [...ATTEMPT_FACTS],
      index: { due: queuedPosition(job, context.clock.now() + REDISPATCH_MS) },
    },
    [
      { kind: "equals", name: "state", value: "processing" },
      { kind: "equals", name: "attempt", value: job.attempt },
    ],
  );
  if (written.ok) queued.push(jobFromRow(written.row));
}

/** Clears what crashes left in a tenant's admission row. */
export async function clearAdmission(context: Context, tenant: string): Promise<void> {
  for (const set of ["jobs", "uploads", "downloads", "sessions"] as const) await clearStale(context, tenant, set);
}
