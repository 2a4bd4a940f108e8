// Downloads: a client's hold on a result while it fetches the arrays in slices. A job that is deleted meanwhile keeps its
// data until its downloads have ended.
import { enter } from "./admission.ts";
import type { Caller, Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import { type Job, jobFromRow, type StoredArray } from "./job.ts";
import { requireJob } from "./jobs.ts";
import { admissionKey, downloadKey, duePosition, jobKey } from "./keys.ts";
import type { CallOptions, Row } from "./ports.ts";

export interface Download {
  readonly id: string;
  readonly arrays: readonly StoredArray[];
}

/** The idle clock is written at most this often. */
const TOUCH_MS = 5_000;

/** @throws DomainError "job-unknown", "wrong-state" (not completed), "too-many-transfers" */
export async function startDownload(
  context: Context,
  caller: Caller,
  jobId: string,
): Promise<{ id: string; job: Job }> {
  const job = await requireJob(context, caller, jobId);
  if (job.state !== "completed") {
    throw new DomainError(
      "wrong-state",
      `Result not ready: the job is ${job.state}, only a completed job has a result`,
    );
  }
  const id = context.ids.random();
  const place = await enter(context, caller.tenant, "downloads", id, context.limits.openDownloads);
  const now = context.clock.now();
  await context.table.write(
    downloadKey(id),
    {
      set: { tenant: caller.tenant, jobId, place: place.member, usedAt: now },
      index: { due: duePosition(`download:${id}`, now + context.limits.downloadIdleMs) },
    },
    [{ kind: "row-absent" }],
  );
  const held = await context.table.write(jobKey(jobId), { addToSet: { downloads: [id] } }, [
    { kind: "row-exists" },
    { kind: "absent", name: "deleted" },
  ]);
  if (!held.ok) {
    await endDownload(context, caller, id);
    throw new DomainError("job-unknown", "Job not found");
  }
  return { id, job };
}

const unknownDownload = (): DomainError =>
  new DomainError(
    "download-unknown",
    "Download not found: the id is unknown, the download was finished, or it expired",
  );

async function openRow(context: Context, caller: Caller, downloadId: string, options?: CallOptions): Promise<Row> {
  const row = await context.table.get(downloadKey(downloadId), options);
  if (!row || row.attributes["tenant"] !== caller.tenant) throw unknownDownload();
  const now = context.clock.now();
  const idle = now - Number(row.attributes["usedAt"]);
  if (idle > context.limits.downloadIdleMs) throw unknownDownload();
  if (idle > Math.min(TOUCH_MS, context.limits.downloadIdleMs / 4)) {
    await context.table.write(downloadKey(downloadId), { set: { usedAt: now } }, [{ kind: "row-exists" }]);
  }
  return row;
}

/**
 * Elements `offset` … of one array: exactly min(count, what is left) of them; all that are left if `count` ≤ 0.
 * @param unit what `offset` and `count` count; bytes are rounded down to whole elements, but to one at least
 * @throws DomainError "download-unknown", "invalid-argument" (no such array), "out-of-range", "too-large"
 */
export async function readDownload(
  context: Context,
  caller: Caller,
  downloadId: string,
  array: { readonly name: string; readonly label: string },
  offset: number,
  count: number,
  maxBytes: number,
  options?: CallOptions,
  unit: "elements" | "bytes" = "elements",
): Promise<{ readonly data: Uint8Array<ArrayBuffer>; readonly elements: number }> {
  const row = await openRow(context, caller, downloadId, options);
  // Held: the job's row outlives its deletion while this download is open.
  const jobRow = await context.table.get(jobKey(String(row.attributes["jobId"])), options);
  const stored = jobRow && jobFromRow(jobRow).result?.arrays.find((each) => each.name === array.name);
  if (!stored) {
    throw new DomainError("invalid-argument", `The result has no array ${array.label}, or it is empty`);
  }
  if (unit === "bytes") {
    const size = stored.elementBytes;
    if (offset % size !== 0) {
      throw new DomainError(
        "invalid-argument",
        `array ${array.label}: byte_offset is ${offset}; a multiple of ${size} is needed`,
      );
    }
    const elements = count <= 0 ? 0 : Math.max(1, Math.floor(count / size));
    return elementsOf(context, stored, array.label, offset / size, elements, maxBytes, options);
  }
  return elementsOf(context, stored, array.label, offset, count, maxBytes, options);
}

async function elementsOf(
  context: Context,
  stored: StoredArray,
  label: string,
  offset: number,
  count: number,
  maxBytes: number,
  options?: CallOptions,
): Promise<{ readonly data: Uint8Array<ArrayBuffer>; readonly elements: number }> {
  if (offset < 0 || offset >= stored.count) {
    throw new DomainError(
      "out-of-range",
      `array ${label}: element_offset ${offset} is outside the array's ${stored.count} elements`,
    );
  }
  const left = stored.count - offset;
  const elements = count <= 0 ? left : Math.min(count, left);
  if (elements * stored.elementBytes > maxBytes) {
    throw new DomainError(
      "too-large",
      `${elements} elements of array ${label} do not fit one message of ${maxBytes} bytes; ask for fewer`,
    );
  }
  const data = new Uint8Array(elements * stored.elementBytes);
  await context.blobs.readInto(stored.blob, stored.byteOffset + offset * stored.elementBytes, data, options);
  return { data, elements };
}

/** @throws DomainError "download-unknown" */
export async function finishDownload(context: Context, caller: Caller, downloadId: string): Promise<void> {
  await openRow(context, caller, downloadId);
  await endDownload(context, caller, downloadId);
}

/** Lets go of the result. Harmless when repeated. */
export async function endDownload(context: Context, caller: Caller, downloadId: string): Promise<void> {
  const row = await context.table.get(downloadKey(downloadId));
  if (!row) return;
  const { jobId, place } = row.attributes;
  await context.table.write(jobKey(String(jobId)), { removeFromSet: { downloads: [downloadId] } }, [
    { kind: "row-exists" },
  ]);
  await context.table.write(admissionKey(caller.tenant), { removeFromSet: { downloads: [String(place)] } }, [
    { kind: "row-exists" },
  ]);
  await context.table.delete(downloadKey(downloadId), []);
}

/** A whole result array, for an answer in one message. */
export async function readResultArray(
  context: Pick<Context, "blobs">,
  stored: StoredArray,
  options?: CallOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(stored.count * stored.elementBytes);
  await context.blobs.readInto(stored.blob, stored.byteOffset, data, options);
  return data;
}
