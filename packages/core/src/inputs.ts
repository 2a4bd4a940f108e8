// A job's input arrays: where they lie and how a worker gets them, each into one preallocated buffer.
import { forEachAtOnce } from "./at-once.ts";
import type { WorkerContext } from "./context.ts";
import { DomainError } from "./errors.ts";
import type { JobInput, StoredArray } from "./job.ts";
import { CHUNK_PREFIX, uploadPartition } from "./keys.ts";
import type { BlobRef, CallOptions, Row, Table } from "./ports.ts";

/** Blob reads under way at once. */
const PARALLEL_READS = 8;

/** The receipt of one chunk. */
export interface ChunkReceipt {
  readonly array: string;
  readonly elementBytes: number;
  readonly elementOffset: number;
  readonly elements: number;
  readonly blob: BlobRef;
  /** What the chunk's checks found; opaque here. */
  readonly stats: unknown;
}

export function receiptFromRow(row: Row): ChunkReceipt {
  const [, array = "", offset = "0"] = row.sk.split("#");
  const { elementBytes, elements, blob, stats } = row.attributes;
  return {
    array,
    elementBytes: Number(elementBytes),
    elementOffset: Number(offset),
    elements: Number(elements),
    blob: blob as unknown as BlobRef,
    stats,
  };
}

/** All receipts of an upload: arrays in name order, chunks by offset. */
export async function readReceipts(
  table: Table,
  uploadId: string,
  prefix = CHUNK_PREFIX,
  options?: CallOptions,
): Promise<ChunkReceipt[]> {
  const receipts: ChunkReceipt[] = [];
  let cursor: string | undefined;
  do {
    const page = await table.query(uploadPartition(uploadId), { prefix, limit: 500, cursor }, options);
    receipts.push(...page.rows.map(receiptFromRow));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return receipts;
}

/** Reads all arrays of a job's input. Keys are array names; the bytes are little-endian elements. */
export async function loadArrays(
  context: Pick<WorkerContext, "table" | "blobs">,
  input: JobInput,
  options?: CallOptions,
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const stored = await storedArrays(context, input, options);
  const arrays = new Map<string, Uint8Array<ArrayBuffer>>();
  const sizes = new Map<string, number>();
  for (const { name, elementBytes, count } of stored) sizes.set(name, (sizes.get(name) ?? 0) + count * elementBytes);
  for (const [name, bytes] of sizes) arrays.set(name, new Uint8Array(bytes));
  const filled = new Map<string, number>();
  const reads = stored.map((piece) => {
    const start = filled.get(piece.name) ?? 0;
    const end = start + piece.count * piece.elementBytes;
    filled.set(piece.name, end);
    const target = arrays.get(piece.name) as Uint8Array<ArrayBuffer>;
    return { piece, target: target.subarray(start, end) };
  });
  await forEachAtOnce(reads, PARALLEL_READS, options?.signal, ({ piece, target }, signal) =>
    context.blobs.readInto(piece.blob, piece.byteOffset, target, { signal }),
  );
  return arrays;
}

async function storedArrays(
  { table, blobs }: Pick<WorkerContext, "table" | "blobs">,
  input: JobInput,
  options?: CallOptions,
): Promise<readonly StoredArray[]> {
  if (input.kind === "stored") return input.arrays;
  if (input.manifest === undefined) return storedChunks(table, input.uploadId, options);
  const manifest = new Uint8Array(input.manifest.bytes);
  await blobs.readInto(input.manifest, 0, manifest, options);
  return JSON.parse(Buffer.from(manifest.buffer).toString("utf8")) as StoredArray[];
}

async function storedChunks(table: Table, uploadId: string, options?: CallOptions): Promise<StoredArray[]> {
  const receipts = await readReceipts(table, uploadId, CHUNK_PREFIX, options);
  if (receipts.length === 0)
    throw new DomainError("stored-object-corrupt", `the chunks of upload ${uploadId} are gone`);
  return receipts.map(({ array, elementBytes, elements, blob }) => ({
    name: array,
    elementBytes,
    count: elements,
    blob,
    byteOffset: 0,
  }));
}
