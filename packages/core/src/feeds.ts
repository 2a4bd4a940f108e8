// Feeds: append-only sequences that belong to a job. Entries are rows under (position, attempt); the job's row holds the
// heads, and what lies beyond a head does not exist. Each attempt is the writer from where it found the head.
import { isFinished, type Job, type Segment } from "./job.ts";
import { INCUMBENT_PREFIX, incumbentSortKey, jobPartition, LOG_PREFIX, logSortKey } from "./keys.ts";
import { decodeFloat } from "./numbers.ts";
import type { BlobRef, Blobs, CallOptions, Row, Table } from "./ports.ts";

interface Ports {
  readonly table: Table;
  readonly blobs: Blobs;
}

/** Log text from a byte offset on. */
export interface LogSlice {
  /** UTF-8. */
  readonly bytes: Uint8Array;
  /** Byte offset after `bytes`. */
  readonly end: number;
}

export interface StoredIncumbent {
  readonly index: number;
  readonly objective: number;
  readonly assignment: Float64Array;
}

const attemptOf = (row: Row): number => Number(row.sk.slice(row.sk.lastIndexOf("#") + 1));
const positionOf = (row: Row): number => Number(row.sk.split("#")[1]);

/** Which attempt wrote position `at` of a feed. */
function writerOf(segments: readonly Segment[], feed: "log" | "incumbents", at: number): number | undefined {
  let writer: number | undefined;
  for (const segment of segments) if (segment[feed] <= at) writer = segment.attempt;
  return writer;
}

/** Up to about `limit` bytes of the job's log, from byte `from` on; empty at the head. */
export async function readLog(
  ports: Pick<Ports, "table">,
  job: Job,
  from: number,
  limit: number,
  options?: CallOptions,
): Promise<LogSlice> {
  const start = Math.max(0, from);
  if (start >= job.logEnd) return { bytes: new Uint8Array(0), end: start };
  const first = (await entryAtOrBefore(ports.table, job, start, options)) ?? logSortKey(0, 0);
  const parts: Uint8Array[] = [];
  let end = start;
  let cursor: string | undefined;
  do {
    const page = await ports.table.query(
      jobPartition(job.id),
      { prefix: LOG_PREFIX, from: first, before: logSortKey(job.logEnd, 0), limit: 50, cursor },
      options,
    );
    for (const row of page.rows) {
      const at = positionOf(row);
      if (attemptOf(row) !== writerOf(job.segments, "log", at)) continue;
      const bytes = Buffer.from(String(row.attributes["text"] ?? ""), "utf8");
      if (at + bytes.byteLength <= end || end - start >= limit) continue;
      parts.push(bytes.subarray(Math.max(0, end - at)));
      end = at + bytes.byteLength;
    }
    cursor = page.cursor;
  } while (cursor !== undefined && end - start < limit);
  return { bytes: Buffer.concat(parts), end };
}

/** Sort key of the entry that holds byte `at`. */
async function entryAtOrBefore(table: Table, job: Job, at: number, options?: CallOptions): Promise<string | undefined> {
  let cursor: string | undefined;
  do {
    const page = await table.query(
      jobPartition(job.id),
      { prefix: LOG_PREFIX, before: logSortKey(at + 1, 0), descending: true, limit: 4, cursor },
      options,
    );
    for (const row of page.rows) {
      if (attemptOf(row) === writerOf(job.segments, "log", positionOf(row))) return row.sk;
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return undefined;
}

/**
 * Incumbents in the order found, from index `from` on, at most `count` and at most about `byteBudget` bytes of
 * assignments (but at least one, if there is one).
 */
export async function readIncumbents(
  ports: Ports,
  job: Job,
  from: number,
  count: number,
  byteBudget: number,
  options?: CallOptions,
): Promise<StoredIncumbent[]> {
  const found: StoredIncumbent[] = [];
  if (from >= job.incumbentCount) return found;
  let bytes = 0;
  let cursor: string | undefined;
  do {
    const page = await ports.table.query(
      jobPartition(job.id),
      {
        prefix: INCUMBENT_PREFIX,
        from: incumbentSortKey(from, 0),
        before: incumbentSortKey(job.incumbentCount, 0),
        limit: 20,
        cursor,
      },
      options,
    );
    for (const row of page.rows) {
      const index = positionOf(row);
      if (attemptOf(row) !== writerOf(job.segments, "incumbents", index)) continue;
      bytes += Number(row.attributes["bytes"] ?? 0);
      if (found.length >= count || (found.length > 0 && bytes > byteBudget)) return found;
      found.push(await loadIncumbent(ports.blobs, row, options));
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

async function loadIncumbent(blobs: Blobs, row: Row, options?: CallOptions): Promise<StoredIncumbent> {
  const { inline, blob, bytes, objective } = row.attributes;
  const assignment = new Float64Array(Number(bytes ?? 0) / 8);
  const target = new Uint8Array(assignment.buffer);
  if (typeof inline === "string") target.set(Buffer.from(inline, "base64"));
  else if (blob !== undefined) await blobs.readInto(blob as unknown as BlobRef, 0, target, options);
  return { index: positionOf(row), objective: decodeFloat(objective) ?? Number.NaN, assignment };
}

/** Nothing will be added to the job's feeds any more. */
export const feedsAreFinal = (job: Job): boolean => isFinished(job.state) && job.worker === undefined;
