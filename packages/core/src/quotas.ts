// Quotas over bytes and time. Nothing is counted up and down: stored bytes are what the tenant's rows say now, and the
// worker-seconds of a day are a set with one member for each attempt, so that a repeat counts once and nothing can drift.
// Both are looked at before new work is let in; what runs is never stopped for them, and a result is always stored.
import type { Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import { type Job, jobFromRow } from "./job.ts";
import {
  admissionKey,
  duePosition,
  jobKey,
  listPartitions,
  uploadKey,
  usageKey,
  usageOfDay,
  usagePartition,
} from "./keys.ts";
import type { Row, Table } from "./ports.ts";

type Ports = Pick<Context, "table" | "clock" | "limits">;

const DAY_MS = 86_400_000;
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const endOfDay = (day: string): number => Date.parse(`${day}T00:00:00Z`) + DAY_MS;
const iso = (ms: number): string => new Date(ms).toISOString();

// ------------------------------------------------------------------------------------------------------------------ Bytes

const SIZE = "size:";

/** What the first chunk of an array adds to its upload's row, beside the number of elements: bytes of one element. */
export const sizeAttribute = (array: string): string => SIZE + array;

/** Bytes that the arrays of an upload will have, as their first chunks said. */
function uploadBytes(row: Row | undefined): number {
  let bytes = 0;
  for (const [name, size] of Object.entries(row?.attributes ?? {})) {
    if (!name.startsWith(SIZE)) continue;
    bytes += Number(size) * Number(row?.attributes[`total:${name.slice(SIZE.length)}`] ?? 0);
  }
  return bytes;
}

interface Stored {
  readonly bytes: number;
  /** When the tenant's next finished job is deleted, ms since 1970; undefined if none is finished. */
  readonly nextExpiry: number | undefined;
}

/** What finished jobs hold: it does not change any more. */
const finishedJobs = new WeakMap<Table, Map<string, { readonly bytes: number; readonly finishedAt: number }>>();
const REMEMBERED_JOBS = 100_000;

/** Bytes of the tenant's open uploads, and of its jobs' inputs and results. Deleted jobs count no longer. */
export async function storedBytes(ports: Ports, tenant: string): Promise<Stored> {
  const open = [...((await ports.table.get(admissionKey(tenant)))?.sets["uploads"] ?? [])];
  const uploads = await Promise.all(
    open.map(async (member) => {
      const row = await ports.table.get(uploadKey(member.split("|")[0] ?? ""));
      // A finished one is counted with its job.
      return row?.attributes["state"] === "finished" ? 0 : uploadBytes(row);
    }),
  );
  let bytes = uploads.reduce((sum, each) => sum + each, 0);
  let firstEnd = Number.POSITIVE_INFINITY;
  for (const pk of listPartitions(tenant)) {
    let cursor: string | undefined;
    do {
      const page = await ports.table.queryIndex("list", pk, { limit: 100, cursor });
      const jobs = await Promise.all(page.rows.map((row) => jobBytes(ports, row.pk.slice("job#".length))));
      for (const job of jobs) {
        bytes += job.bytes;
        firstEnd = Math.min(firstEnd, job.finishedAt ?? firstEnd);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
  return { bytes, nextExpiry: Number.isFinite(firstEnd) ? firstEnd + ports.limits.jobTtlMs : undefined };
}

async function jobBytes(
  ports: Ports,
  jobId: string,
): Promise<{ readonly bytes: number; readonly finishedAt?: number | undefined }> {
  const known = finishedJobs.get(ports.table) ?? new Map<string, { bytes: number; finishedAt: number }>();
  finishedJobs.set(ports.table, known);
  const before = known.get(jobId);
  if (before) return before;
  const row = await ports.table.get(jobKey(jobId));
  if (!row) return { bytes: 0 };
  const job = jobFromRow(row);
  const input =
    job.input.kind === "stored"
      ? job.input.arrays.reduce((sum, array) => sum + array.count * array.elementBytes, 0)
      : uploadBytes(await ports.table.get(uploadKey(job.input.uploadId)));
  const bytes = input + (job.result?.bytes ?? 0);
  const { finishedAt } = job;
  if (finishedAt === undefined) return { bytes };
  if (known.size >= REMEMBERED_JOBS) known.clear();
  known.set(jobId, { bytes, finishedAt });
  return { bytes, finishedAt };
}

/**
 * Refuses what would bring the tenant above its bytes.
 * @param wanted bytes that are to be added; 0 asks whether the limit is exceeded already
 * @throws DomainError "quota-exceeded"
 */
export async function checkBytes(ports: Ports, tenant: string, wanted: number): Promise<void> {
  const limit = ports.limits.storedBytes;
  if (limit === undefined) return;
  const { bytes, nextExpiry } = await storedBytes(ports, tenant);
  if (bytes + wanted <= limit) return;
  const more = wanted === 0 ? "" : `, and ${wanted} more are asked for`;
  const resets =
    nextExpiry === undefined
      ? "no job is finished yet whose expiry would free some"
      : `the next finished job expires at ${iso(nextExpiry)}`;
  throw new DomainError(
    "quota-exceeded",
    `Quota of stored bytes: ${bytes} of ${limit} bytes are used${more}; delete results that are no longer needed, or wait: ${resets}`,
  );
}

// ------------------------------------------------------------------------------------------------------------------- Time

/**
 * Enters the worker-seconds of a finished job into its tenant's day (UTC) of the job's end. Attempts whose worker was lost
 * are not entered: that is not the tenant's fault. May be repeated.
 */
export async function chargeWorkerTime(ports: Ports, job: Job): Promise<void> {
  const { startedAt, finishedAt } = job;
  if (ports.limits.workerSecondsPerDay === undefined || startedAt === undefined || finishedAt === undefined) return;
  if (job.losses.length >= job.attempt) return;
  const day = dayOf(finishedAt);
  const expiry = endOfDay(day) + DAY_MS;
  // Nobody asks for that day any more.
  if (ports.clock.now() >= expiry) return;
  const seconds = Math.max(0, finishedAt - startedAt) / 1000;
  const key = usageKey(job.tenant, day, job.id);
  await ports.table.write(
    key,
    {
      addToSet: { attempts: [`${job.id}|${job.attempt}|${seconds}`] },
      index: { due: duePosition(`${key.pk}#${key.sk}`, expiry) },
    },
    [],
  );
}

/** Worker-seconds of the tenant's jobs that have ended today (UTC). */
export async function workerSecondsToday(ports: Ports, tenant: string): Promise<number> {
  let seconds = 0;
  let cursor: string | undefined;
  do {
    const pk = usagePartition(tenant, dayOf(ports.clock.now()));
    const page = await ports.table.query(pk, { prefix: usageOfDay, cursor });
    for (const row of page.rows) {
      for (const member of row.sets["attempts"] ?? []) seconds += Number(member.split("|")[2]);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return seconds;
}

/** @throws DomainError "quota-exceeded" if the tenant's worker-seconds of today are used up */
export async function checkWorkerTime(ports: Ports, tenant: string): Promise<void> {
  const limit = ports.limits.workerSecondsPerDay;
  if (limit === undefined) return;
  const used = await workerSecondsToday(ports, tenant);
  if (used < limit) return;
  const reset = endOfDay(dayOf(ports.clock.now()));
  throw new DomainError(
    "quota-exceeded",
    `Quota of worker-seconds per day: ${Number(used.toFixed(1))} of ${limit} seconds are used; it resets at ${iso(reset)}`,
  );
}
