// The parts of an upload: the regular cuts of its arrays that links transfer. Each is one blob under a key that says where it
// belongs; a row, made before the part's first link, holds the digest that its links were asked for with and never changes.
import type { Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import { type ChunkReceipt, readReceipts } from "./inputs.ts";
import { PART_PREFIX, partBlobs, partFromBlob, partSortKey, uploadPartition } from "./keys.ts";
import { BLOCK_BYTES, type CallOptions, type Row } from "./ports.ts";
import { sizeAttribute } from "./quotas.ts";

type Ports = Pick<Context, "table" | "blobs">;

/** One part is at most one block, so that the digest of a part is the digest of its only block. */
export const PART_BYTES = { smallest: 1024, largest: BLOCK_BYTES } as const;
export const MOST_PARTS = 65_536;

const TOTAL = "total:";

/** What the row of an upload says of an array. */
export interface DeclaredArray {
  readonly name: string;
  readonly elementBytes: number;
  readonly elements: number;
}

export interface Part {
  readonly elementOffset: number;
  readonly elements: number;
  readonly bytes: number;
}

/** The attributes that declare arrays. */
export function declarations(arrays: readonly DeclaredArray[]): Record<string, number> {
  const attributes: Record<string, number> = {};
  for (const { name, elementBytes, elements } of arrays) {
    if (elements === 0) continue;
    attributes[TOTAL + name] = elements;
    attributes[sizeAttribute(name)] = elementBytes;
  }
  return attributes;
}

/** The arrays whose size is known, declared or by their first chunk. */
export function declaredArrays(row: Row): DeclaredArray[] {
  return Object.entries(row.attributes)
    .filter(([attribute]) => attribute.startsWith(TOTAL))
    .map(([attribute, elements]) => {
      const name = attribute.slice(TOTAL.length);
      return { name, elements: Number(elements), elementBytes: Number(row.attributes[sizeAttribute(name)] ?? 1) };
    });
}

/** Bytes of one part, or undefined for an upload that takes none. */
export const partBytesOf = (row: Row): number | undefined => {
  const bytes = row.attributes["partBytes"];
  return typeof bytes === "number" ? bytes : undefined;
};

export function partsOf({ elements, elementBytes }: DeclaredArray, partBytes: number): Part[] {
  const step = Math.floor(partBytes / elementBytes);
  return Array.from({ length: Math.ceil(elements / step) }, (_, i) => {
    const count = Math.min(step, elements - i * step);
    return { elementOffset: i * step, elements: count, bytes: count * elementBytes };
  });
}

/** @returns undefined if no part of the array begins there */
export function partAt({ elements, elementBytes }: DeclaredArray, partBytes: number, offset: number): Part | undefined {
  const step = Math.floor(partBytes / elementBytes);
  if (!(offset >= 0 && offset < elements && offset % step === 0)) return undefined;
  const count = Math.min(step, elements - offset);
  return { elementOffset: offset, elements: count, bytes: count * elementBytes };
}

/** A part whose blob has another size than the part: its store does not hold links to their length. */
export interface MisfitPart {
  readonly array: string;
  readonly elementOffset: number;
  readonly bytes: number;
  readonly needed: number;
}

/** All that has arrived of an upload, by array and offset; a chunk that covers exactly an equal part stands for both. */
export interface Received {
  readonly pieces: readonly ChunkReceipt[];
  readonly misfits: readonly MisfitPart[];
}

export async function readReceived(
  context: Ports,
  uploadId: string,
  row: Row,
  options?: CallOptions,
): Promise<Received> {
  // The parts first: what has come by the one way may be overtaken by what comes by the other, and then is met twice.
  const { pieces: parts, misfits } = await arrivedParts(context, uploadId, row, options);
  const chunks = await readReceipts(context.table, uploadId, undefined, options);
  if (parts.length === 0) return { pieces: chunks, misfits };
  const place = ({ array, elementOffset, elements }: ChunkReceipt) => `${array} ${elementOffset} ${elements}`;
  const chunkAt = new Map(chunks.map((chunk) => [place(chunk), chunk]));
  const others = parts.filter((part) => {
    const chunk = chunkAt.get(place(part));
    // A chunk was seen on its way in: it stands for the same bytes, and for bytes that nobody knows.
    return chunk === undefined || !(part.blob.unverified || part.blob.digests.join() === chunk.blob.digests.join());
  });
  const order = (a: ChunkReceipt, b: ChunkReceipt) =>
    a.array === b.array ? a.elementOffset - b.elementOffset : a.array < b.array ? -1 : 1;
  return { pieces: [...chunks, ...others].sort(order), misfits };
}

async function arrivedParts(context: Ports, uploadId: string, row: Row, options?: CallOptions): Promise<Received> {
  const partBytes = partBytesOf(row);
  if (partBytes === undefined) return { pieces: [], misfits: [] };
  const found: { readonly key: string; readonly bytes: number }[] = [];
  for await (const blob of context.blobs.list(partBlobs(uploadId), options)) found.push(blob);
  if (found.length === 0) return { pieces: [], misfits: [] };
  // After the list: the row of a part is there before its first link, hence before its blob.
  const digests = await readPartDigests(context, uploadId, options);
  const arrays = new Map(declaredArrays(row).map((array) => [array.name, array]));
  const pieces: ChunkReceipt[] = [];
  const misfits: MisfitPart[] = [];
  for (const { key, bytes } of found) {
    const { array: name, offset } = partFromBlob(uploadId, key);
    const array = arrays.get(name);
    const part = array && partAt(array, partBytes, offset);
    const sha256 = digests.get(partSortKey(name, offset));
    if (!array || !part || sha256 === undefined) {
      throw new DomainError("stored-object-corrupt", `blob ${key} is no part of its upload`);
    }
    if (bytes !== part.bytes) {
      misfits.push({ array: name, elementOffset: offset, bytes, needed: part.bytes });
      continue;
    }
    const blob = {
      key,
      bytes,
      ...(sha256 === "" ? { digests: [], unverified: true as const } : { digests: [sha256] }),
    };
    const { elementBytes } = array;
    pieces.push({ array: name, elementBytes, elementOffset: offset, elements: part.elements, blob, stats: undefined });
  }
  return { pieces, misfits };
}

/** By sort key: lower-case hex, or "" for parts whose links were asked for without a digest. */
async function readPartDigests(
  { table }: Pick<Ports, "table">,
  uploadId: string,
  options?: CallOptions,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  let cursor: string | undefined;
  do {
    const page = await table.query(uploadPartition(uploadId), { prefix: PART_PREFIX, limit: 500, cursor }, options);
    for (const { sk, attributes } of page.rows) digests.set(sk, String(attributes["sha256"]));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return digests;
}

/**
 * Settles what the links of a part are asked for with, before the first of them is signed.
 * @returns what was settled: by this call, or by the first one
 */
export async function settleDigest(
  { table }: Pick<Ports, "table">,
  uploadId: string,
  array: string,
  offset: number,
  sha256: string,
  options?: CallOptions,
): Promise<string> {
  const key = { pk: uploadPartition(uploadId), sk: partSortKey(array, offset) };
  const written = await table.write(key, { set: { sha256 } }, [{ kind: "row-absent" }], options);
  return written.ok ? sha256 : String(written.row?.attributes["sha256"] ?? "");
}
