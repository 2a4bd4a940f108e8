// Uploads: arrays that arrive in chunks, in any order, and become a job's input. Each chunk is a blob with a receipt row;
// finishing folds the receipts and rereads nothing.
import { enter, leave } from "./admission.ts";
import type { Caller, Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import { type ChunkReceipt, receiptFromRow } from "./inputs.ts";
import type { JobInput, StoredArray } from "./job.ts";
import { jobIdFor, type NewJob, submitJob } from "./jobs.ts";
import {
  admissionKey,
  CHUNK_PREFIX,
  chunkPrefix,
  chunkSortKey,
  duePosition,
  manifestBlob,
  PART_PREFIX,
  uploadBlobs,
  uploadKey,
  uploadPartition,
} from "./keys.ts";
import { type DeclaredArray, declarations, partBytesOf, type Received, readReceived } from "./parts.ts";
import type { CallOptions, Row, Value, WriteResult } from "./ports.ts";
import { checkBytes, sizeAttribute } from "./quotas.ts";

/** An open upload. */
export interface Upload {
  readonly id: string;
  readonly tenant: string;
  /** What the client said at the start; opaque here. */
  readonly header: { readonly [key: string]: Value };
  readonly chunksReceived: number;
  /** Elements that each array will have, as its first chunk said. */
  readonly totals: ReadonlyMap<string, number>;
}

export interface NewChunk {
  /** Name of the array on the wire. */
  readonly array: string;
  readonly elementBytes: number;
  readonly elementOffset: number;
  readonly totalElements: number;
  readonly data: Uint8Array;
}

/** What finishing an upload hands to the check: every array in full. */
export interface ReceivedArray {
  readonly name: string;
  readonly elementBytes: number;
  readonly elements: number;
  /** Chunks by offset, without hole or overlap. */
  readonly chunks: readonly ChunkReceipt[];
}

const TOTAL = "total:";

/** What is known of an upload from its start on, so that its arrays can come by links. */
export interface UploadPlan {
  readonly arrays: readonly DeclaredArray[];
  readonly partBytes: number;
  /** Makes a repeat of the same start return the first upload. */
  readonly idempotency?: NewJob["idempotency"];
}

/**
 * @throws DomainError "too-many-transfers", "quota-exceeded"; with a plan "too-large" naming the array, and
 *   "key-reused-with-other-body"
 */
export async function startUpload(
  context: Context,
  caller: Caller,
  header: { readonly [key: string]: Value },
  plan?: UploadPlan,
): Promise<string> {
  const { tenant } = caller;
  const { arrays = [], idempotency } = plan ?? {};
  const id = idempotency ? context.ids.derived(`upload\n${tenant}\n${idempotency.key}`) : context.ids.random();
  const earlier = idempotency && (await context.table.get(uploadKey(id)));
  if (earlier) return repeatedStart(earlier, id, idempotency);
  for (const { name, elements, elementBytes } of arrays) checkArrayBytes(context, name, elements, elementBytes);
  const bytes = arrays.reduce((sum, { elements, elementBytes }) => sum + elements * elementBytes, 0);
  const place = await enter(context, tenant, "uploads", id, context.limits.openUploads);
  const now = context.clock.now();
  const create = () =>
    context.table.write(
      uploadKey(id),
      {
        set: {
          tenant,
          state: "open",
          header,
          place: place.member,
          createdAt: now,
          usedAt: now,
          chunks: 0,
          ...(plan && { partBytes: plan.partBytes, linksUntil: 0, ...declarations(arrays) }),
          ...(idempotency && { bodyDigest: idempotency.bodyDigest }),
        },
        index: { due: duePosition(`upload:${id}`, now + context.limits.uploadIdleMs) },
      },
      [{ kind: "row-absent" }],
    );
  let written: WriteResult;
  try {
    written =
      bytes === 0 || context.limits.storedBytes === undefined
        ? await create()
        : await inTurn(`bytes of ${tenant}`, async () => {
            await checkBytes(context, tenant, bytes);
            return create();
          });
  } catch (error) {
    await leave(context, place).catch((fault) => context.onFault("giving back an upload's place", fault));
    throw error;
  }
  if (written.ok) return id;
  // Another call with this key was faster. Two in one millisecond take the same place, which is then the upload's.
  if (written.row?.attributes["place"] !== place.member) await leave(context, place);
  if (!idempotency || !written.row) throw new Error(`the upload id ${id} was given out twice`);
  return repeatedStart(written.row, id, idempotency);
}

function repeatedStart(row: Row, id: string, { key, bodyDigest }: NonNullable<NewJob["idempotency"]>): string {
  if (row.attributes["bodyDigest"] === bodyDigest && row.attributes["state"] !== "expired") return id;
  const why =
    row.attributes["state"] === "expired"
      ? "belongs to an upload that was given up or has expired"
      : "was used before for another request";
  throw new DomainError("key-reused-with-other-body", `The idempotency key "${key}" ${why}; use a new key`);
}

function checkArrayBytes(context: Context, array: string, elements: number, elementBytes: number): void {
  const limit = context.limits.arrayBytes;
  if (elements <= Math.floor(limit / elementBytes)) return;
  throw new DomainError(
    "too-large",
    `array ${array} is too large: ${elements} elements of ${elementBytes} bytes; at most ${limit} bytes are allowed`,
  );
}

export const unknownUpload = (): DomainError =>
  new DomainError("upload-unknown", "Upload not found: the id is unknown, the upload was finished, or it expired");

/** When an upload is forgotten that nobody touches: not before its last link has expired. */
export const uploadEnd = (context: Context, { attributes: { usedAt, linksUntil } }: Row): number =>
  Math.max(Number(usedAt) + context.limits.uploadIdleMs, Number(linksUntil ?? 0));

/** The row of an open upload, or of one that is being finished. @throws DomainError "upload-unknown" */
export async function openRow(context: Context, caller: Caller, uploadId: string, options?: CallOptions): Promise<Row> {
  const row = await context.table.get(uploadKey(uploadId), options);
  const state = row?.attributes["tenant"] === caller.tenant ? row.attributes["state"] : undefined;
  const open = row && (state === "open" || state === "finishing");
  if (!open || context.clock.now() > uploadEnd(context, row)) throw unknownUpload();
  return row;
}

function uploadFromRow(row: Row): Upload {
  const totals = new Map<string, number>();
  for (const [name, value] of Object.entries(row.attributes)) {
    if (name.startsWith(TOTAL)) totals.set(name.slice(TOTAL.length), Number(value));
  }
  return {
    id: row.pk.slice("upload#".length),
    tenant: String(row.attributes["tenant"]),
    header: (row.attributes["header"] ?? {}) as { readonly [key: string]: Value },
    chunksReceived: Number(row.attributes["chunks"] ?? 0),
    totals,
  };
}

/** @throws DomainError "upload-unknown" */
export async function getUpload(
  context: Context,
  caller: Caller,
  uploadId: string,
  options?: CallOptions,
): Promise<Upload> {
  return uploadFromRow(await openRow(context, caller, uploadId, options));
}

/** Restarts the idle clock; for a chunk that is refused before it comes to `putChunk`. */
export async function touchUpload(context: Context, uploadId: string): Promise<void> {
  await context.table.write(uploadKey(uploadId), { set: { usedAt: context.clock.now() } }, [
    { kind: "equals", name: "state", value: "open" },
  ]);
}

/**
 * Stores one chunk. `inspect` looks at its data once it is known to fit; what it returns is kept in the receipt.
 * A repeat with the same place and bytes is harmless and not counted; any other overlap is refused. The caller touches the
 * upload when a chunk is refused, so that refusals keep it alive as well.
 * @returns the number of chunks accepted so far, all arrays together
 * @throws DomainError "upload-unknown"; "invalid-argument" or "too-large" naming the array and what is wrong
 */
export async function putChunk(
  context: Context,
  caller: Caller,
  uploadId: string,
  chunk: NewChunk,
  inspect: (data: Uint8Array) => Value,
  options?: CallOptions,
  counted = true,
): Promise<number> {
  const row = await openRow(context, caller, uploadId, options);
  const total = await declaredTotal(context, row, chunk);
  checkPlace(chunk, total);
  if (chunk.data.byteLength === 0) return count(context, uploadId, 1);
  return inTurn(`${uploadId}/${chunk.array}`, async () => {
    const stored = await store(context, uploadId, chunk, inspect, options);
    return count(context, uploadId, stored && counted ? 1 : 0);
  });
}

/** The array's total: what its first chunk said, or what this one says if it is the first. */
async function declaredTotal(context: Context, row: Row, chunk: NewChunk): Promise<number> {
  const { array, elementOffset, totalElements, elementBytes } = chunk;
  const wrong = (text: string) => new DomainError("invalid-argument", text);
  if (elementOffset < 0) {
    throw wrong(`array ${array}: element_offset must be non-negative, found ${elementOffset}`);
  }
  if (totalElements < 0) throw wrong(`array ${array}: total_elements must be non-negative, found ${totalElements}`);
  const name = TOTAL + array;
  let known = row.attributes[name];
  if (known === undefined && totalElements > 0) {
    checkArrayBytes(context, array, totalElements, elementBytes);
    const declare = () =>
      context.table.write(
        { pk: row.pk, sk: row.sk },
        { set: { [name]: totalElements, [sizeAttribute(array)]: elementBytes, usedAt: context.clock.now() } },
        [
          { kind: "absent", name },
          { kind: "equals", name: "state", value: "open" },
        ],
      );
    const tenant = String(row.attributes["tenant"]);
    const written =
      context.limits.storedBytes === undefined
        ? await declare()
        : await inTurn(`bytes of ${tenant}`, async () => {
            // Chunks of one array come side by side: it counts once.
            const now = await context.table.get({ pk: row.pk, sk: row.sk });
            if (now?.attributes[name] === undefined) {
              await checkBytes(context, tenant, totalElements * elementBytes);
            }
            return declare();
          });
    known = written.row?.attributes[name];
    if (known === undefined) throw unknownUpload();
  }
  const total = Number(known ?? 0);
  if (totalElements > 0 && total > 0 && totalElements !== total) {
    throw wrong(
      `ValidationError: array ${array}: this chunk says total_elements is ${totalElements}, an earlier one said ${total}`,
    );
  }
  return total;
}

function checkPlace(chunk: NewChunk, total: number): void {
  const { array, elementOffset, elementBytes, data } = chunk;
  const wrong = (text: string) => new DomainError("invalid-argument", text);
  if (data.byteLength % elementBytes !== 0) {
    throw wrong(
      `array ${array}: data must be aligned to ${elementBytes}-byte elements, found ${data.byteLength} bytes`,
    );
  }
  if (elementOffset > total) {
    throw wrong(`array ${array}: element_offset ${elementOffset} exceeds the array's ${total} elements`);
  }
  const end = elementOffset + data.byteLength / elementBytes;
  if (end > total) {
    throw wrong(`array ${array}: chunk out of bounds: elements ${elementOffset} to ${end - 1} of ${total}`);
  }
}

async function count(context: Context, uploadId: string, by: number): Promise<number> {
  const written = await context.table.write(
    uploadKey(uploadId),
    { increment: { chunks: by }, set: { usedAt: context.clock.now() } },
    [{ kind: "one-of", name: "state", values: ["open", "finishing"] }],
  );
  if (!written.ok) throw unknownUpload();
  return Number(written.row.attributes["chunks"]);
}

/** @returns false for a repeat of what was there already */
async function store(
  context: Context,
  uploadId: string,
  chunk: NewChunk,
  inspect: (data: Uint8Array) => Value,
  options?: CallOptions,
): Promise<boolean> {
  const { array, elementOffset, elementBytes, data } = chunk;
  const elements = data.byteLength / elementBytes;
  const earlier = await overlapping(context, uploadId, array, elementOffset, elements, options);
  const samePlace = earlier?.elementOffset === elementOffset && earlier.elements === elements;
  if (earlier && !samePlace) throw overlap(chunk, elements, earlier);
  const blob = await context.blobs.put(
    `${uploadBlobs(uploadId)}${array}/${elementOffset}-${context.ids.random()}`,
    [data],
    options,
  );
  if (earlier) {
    await context.blobs.delete(blob.key);
    if (earlier.blob.digests.join() !== blob.digests.join()) throw overlap(chunk, elements, earlier);
    return false;
  }
  const key = { pk: uploadPartition(uploadId), sk: chunkSortKey(array, elementOffset) };
  const receipt = { elementBytes, elements, blob: blob as unknown as Value, stats: inspect(data) };
  const written = await context.table.write(key, { set: receipt }, [{ kind: "row-absent" }], options);
  if (!written.ok) {
    // Another process stored a chunk at this very place in the meantime.
    await context.blobs.delete(blob.key);
    const there = written.row && receiptFromRow(written.row);
    if (!there || there.blob.digests.join() !== blob.digests.join()) throw overlap(chunk, elements, there);
    return false;
  }
  return true;
}

function overlap(chunk: NewChunk, elements: number, earlier: ChunkReceipt | undefined): DomainError {
  const { array, elementOffset } = chunk;
  const before = earlier
    ? `elements ${earlier.elementOffset} to ${earlier.elementOffset + earlier.elements - 1} were sent before with other bytes`
    : "these elements were sent before with other bytes";
  return new DomainError(
    "invalid-argument",
    `ValidationError: array ${array}: elements ${elementOffset} to ${elementOffset + elements - 1} overlap an earlier chunk: ${before}`,
  );
}

/** Of the chunks that are there, one that shares elements with the given stretch. They never overlap each other. */
async function overlapping(
  context: Context,
  uploadId: string,
  array: string,
  offset: number,
  elements: number,
  options?: CallOptions,
): Promise<ChunkReceipt | undefined> {
  const page = await context.table.query(
    uploadPartition(uploadId),
    { prefix: chunkPrefix(array), before: chunkSortKey(array, offset + elements), descending: true, limit: 1 },
    options,
  );
  const last = page.rows[0] && receiptFromRow(page.rows[0]);
  return last && last.elementOffset + last.elements > offset ? last : undefined;
}

const turns = new Map<string, Promise<unknown>>();

/** Runs the tasks of one name one after another, in this process; across processes the receipts' conditions decide. */
async function inTurn<T>(name: string, task: () => Promise<T>): Promise<T> {
  const before = turns.get(name) ?? Promise.resolve();
  const mine = before.then(task, task);
  const settled = mine.catch(() => undefined);
  turns.set(name, settled);
  try {
    return await mine;
  } finally {
    if (turns.get(name) === settled) turns.delete(name);
  }
}

/**
 * Turns the upload into a job. A refusal of any kind leaves the upload open, to be mended and finished again.
 * `prepare` checks the arrays as a whole and says what job they make; it throws to refuse them.
 * @throws DomainError "upload-unknown" (also when it was finished before); "invalid-argument" for holes; "queue-full"
 */
export async function finishUpload(
  context: Context,
  caller: Caller,
  uploadId: string,
  prepare: (upload: Upload, arrays: readonly ReceivedArray[]) => NewJob | Promise<NewJob>,
  idempotencyKey?: string,
): Promise<string> {
  const finished =
    idempotencyKey === undefined ? undefined : await answeredBefore(context, caller, uploadId, idempotencyKey);
  if (finished !== undefined) return finished;
  const row = await openRow(context, caller, uploadId);
  const received = await readReceived(context, uploadId, row);
  const upload = uploadFromRow(row);
  await touchUpload(context, uploadId);
  const arrays = assemble(upload, received);
  const job = await prepare(upload, arrays);
  const jobId = await reserve(context, caller, row, job);
  let created: boolean;
  try {
    ({ created } = await submitJob(
      context,
      caller,
      jobId,
      job,
      () => inputOf(context, uploadId, row, arrays),
      Number(row.attributes["createdAt"]),
    ));
  } catch (error) {
    await context.table.write(uploadKey(uploadId), { set: { state: "open" } }, [
      { kind: "equals", name: "jobId", value: jobId },
      { kind: "equals", name: "state", value: "finishing" },
    ]);
    throw error;
  }
  await closeUpload(context, uploadId, jobId);
  // The job was made by another call that finished this upload at the same time.
  if (!created && !job.idempotency) throw unknownUpload();
  return jobId;
}

/** Where parts may have come by links, what is there is written down: what their links still bring is no input. */
async function inputOf(
  context: Context,
  uploadId: string,
  row: Row,
  arrays: readonly ReceivedArray[],
): Promise<JobInput> {
  if (partBytesOf(row) === undefined) return { kind: "upload", uploadId };
  const stored = arrays.flatMap(({ name, elementBytes, chunks }) =>
    chunks.map(({ elements, blob }): StoredArray => ({ name, elementBytes, count: elements, blob, byteOffset: 0 })),
  );
  const key = manifestBlob(uploadId, context.ids.random());
  const manifest = await context.blobs.put(key, [Buffer.from(JSON.stringify(stored))]);
  return { kind: "upload", uploadId, manifest };
}

/** The job that this key made of this upload, if it did. */
async function answeredBefore(
  context: Context,
  caller: Caller,
  uploadId: string,
  key: string,
): Promise<string | undefined> {
  const row = await context.table.get(uploadKey(uploadId));
  if (!row || row.attributes["tenant"] !== caller.tenant || row.attributes["state"] !== "finished") return undefined;
  const jobId = jobIdFor(context, caller, { idempotency: { key, bodyDigest: "" } });
  return row.attributes["jobId"] === jobId ? jobId : undefined;
}

/**
 * The job's id is settled in the upload's row first, and stays there when the finish is refused: however many finishes are
 * under way, refused or cut off by a crash, an upload makes one job.
 */
async function reserve(context: Context, caller: Caller, row: Row, job: NewJob): Promise<string> {
  const held = row.attributes["jobId"];
  const jobId = job.idempotency || typeof held !== "string" ? jobIdFor(context, caller, job) : held;
  const written = await context.table.write(
    { pk: row.pk, sk: row.sk },
    { set: { state: "finishing", jobId, usedAt: context.clock.now() } },
    [
      { kind: "equals", name: "state", value: "open" },
      typeof held === "string" ? { kind: "equals", name: "jobId", value: held } : { kind: "absent", name: "jobId" },
    ],
  );
  if (written.ok) return jobId;
  const state = written.row?.attributes["state"];
  // Another finish was refused since the row was read.
  if (written.row && state === "open") return reserve(context, caller, written.row, job);
  const reserved = state === "finishing" ? written.row?.attributes["jobId"] : undefined;
  if (typeof reserved !== "string") throw unknownUpload();
  return reserved;
}

/** The job is made: the upload is its input from now on. */
export async function closeUpload(context: Context, uploadId: string, jobId: string): Promise<void> {
  const closed = await context.table.write(uploadKey(uploadId), { set: { state: "finished" }, index: { due: null } }, [
    { kind: "equals", name: "jobId", value: jobId },
    { kind: "one-of", name: "state", values: ["open", "finishing"] },
  ]);
  if (closed.ok) await freeUploadPlace(context, closed.row);
}

/** Gives back the place among the tenant's open uploads. */
export async function freeUploadPlace(context: Context, row: Row): Promise<void> {
  const { tenant, place } = row.attributes;
  if (typeof tenant !== "string" || typeof place !== "string") return;
  await context.table.write(admissionKey(tenant), { removeFromSet: { uploads: [place] } }, [{ kind: "row-exists" }]);
}

/** A request that a link allows may be under way when the link expires, and ends within this time. */
export const LINK_GRACE_MS = 15 * 60_000;

/**
 * Deletes all that an upload holds, and its row; but while links could still bring something the row stays, so that the
 * sweep comes back for it. May be repeated.
 */
export async function removeUpload(context: Context, uploadId: string): Promise<void> {
  await context.blobs.deletePrefix(uploadBlobs(uploadId));
  for (const prefix of [CHUNK_PREFIX, PART_PREFIX]) await context.table.deleteRange(uploadPartition(uploadId), prefix);
  const row = await context.table.get(uploadKey(uploadId));
  const linksUntil = Number(row?.attributes["linksUntil"] ?? 0);
  const last = linksUntil === 0 ? 0 : linksUntil + LINK_GRACE_MS;
  if (context.clock.now() >= last) {
    await context.table.delete(uploadKey(uploadId), []);
    return;
  }
  await context.table.write(
    uploadKey(uploadId),
    { set: { state: "expired" }, index: { due: duePosition(`upload:${uploadId}`, last) } },
    [{ kind: "row-exists" }],
  );
}

/**
 * Folds what has arrived into arrays.
 * @throws DomainError "invalid-argument" naming the first hole or overlap of an array, and parts of a wrong size
 */
function assemble(upload: Upload, { pieces: receipts, misfits }: Received): ReceivedArray[] {
  const byArray = new Map<string, ChunkReceipt[]>();
  for (const receipt of receipts) {
    const chunks = byArray.get(receipt.array);
    if (chunks) chunks.push(receipt);
    else byArray.set(receipt.array, [receipt]);
  }
  const faults = misfits.map(
    ({ array, elementOffset, bytes, needed }) =>
      `array ${array}: the part at element ${elementOffset} has ${bytes} bytes, ${needed} are needed; send it again`,
  );
  const wrong = new Set(misfits.map(({ array }) => array));
  const arrays: ReceivedArray[] = [];
  for (const [name, total] of upload.totals) {
    if (wrong.has(name)) continue;
    const chunks = byArray.get(name) ?? [];
    let covered = 0;
    let used = 0;
    for (const chunk of chunks) {
      if (chunk.elementOffset !== covered) break;
      covered += chunk.elements;
      used += 1;
    }
    if (covered === total && used === chunks.length) {
      arrays.push({ name, elementBytes: chunks[0]?.elementBytes ?? 1, elements: total, chunks });
      continue;
    }
    const next = chunks[used];
    faults.push(
      next !== undefined && next.elementOffset < covered
        ? `array ${name}: two chunks cover element ${Math.min(covered, next.elementOffset + next.elements) - 1}`
        : `array ${name}: elements ${covered} to ${(next?.elementOffset ?? total) - 1} of ${total} were not sent`,
    );
  }
  if (faults.length > 0) throw new DomainError("invalid-argument", `ValidationError: ${faults.join("; ")}`);
  return arrays;
}
