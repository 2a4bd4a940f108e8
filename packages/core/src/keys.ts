// Names of rows and blobs: the one place that knows them.
import type { IndexPosition, Key } from "./ports.ts";

/** Partitions of each sparse index, so that no index key is hot. */
export const INDEX_SHARDS = 4;

const pad = (value: number, width: number): string => String(value).padStart(width, "0");

export const jobPartition = (jobId: string): string => `job#${jobId}`;
export const jobKey = (jobId: string): Key => ({ pk: jobPartition(jobId), sk: "job" });
export const uploadPartition = (uploadId: string): string => `upload#${uploadId}`;
export const uploadKey = (uploadId: string): Key => ({ pk: uploadPartition(uploadId), sk: "upload" });
export const downloadKey = (downloadId: string): Key => ({ pk: `download#${downloadId}`, sk: "download" });
export const admissionKey = (tenant: string): Key => ({ pk: `tenant#${tenant}`, sk: "admission" });

/** Says whether identities are asked for. Written with each new token only, so it may be one row. */
export const IDENTITIES_KEY: Key = { pk: "identities", sk: "identities" };
/** @param digest SHA-256 of the token, lower-case hex */
export const tokenKey = (digest: string): Key => ({ pk: `token#${digest}`, sk: "token" });

/** A tenant's worker time of one day (UTC, YYYY-MM-DD), over sixteen rows so that none grows large. */
export const usagePartition = (tenant: string, day: string): string => `usage#${tenant}#${day}`;
export const usageOfDay = "usage#";
export const usageKey = (tenant: string, day: string, jobId: string): Key => ({
  pk: usagePartition(tenant, day),
  sk: `${usageOfDay}${jobId.at(-1)}`,
});

export const LOG_PREFIX = "log#";
export const INCUMBENT_PREFIX = "inc#";
export const CHUNK_PREFIX = "chunk#";

/** Log entries sort by byte offset; the attempt keeps a stale writer's entries apart. */
export const logSortKey = (offset: number, attempt: number): string =>
  `${LOG_PREFIX}${pad(offset, 16)}#${pad(attempt, 4)}`;
export const incumbentSortKey = (index: number, attempt: number): string =>
  `${INCUMBENT_PREFIX}${pad(index, 10)}#${pad(attempt, 4)}`;
export const chunkPrefix = (array: string): string => `${CHUNK_PREFIX}${array}#`;
export const chunkSortKey = (array: string, offset: number): string => `${chunkPrefix(array)}${pad(offset, 16)}`;

export const jobBlobs = (jobId: string): string => `jobs/${jobId}/`;
export const uploadBlobs = (uploadId: string): string => `uploads/${uploadId}/`;

/** A stable shard number of an id. */
function shardOf(id: string): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) >>> 0;
  return hash % INDEX_SHARDS;
}

export const duePartitions = (): string[] => Array.from({ length: INDEX_SHARDS }, (_, shard) => `due#${shard}`);

/** When this row wants the sweep's attention. */
export const duePosition = (id: string, at: number): IndexPosition => ({
  pk: `due#${shardOf(id)}`,
  sk: `${pad(Math.max(0, Math.ceil(at)), 14)}#${id}`,
});
/** Everything due at `now` or earlier sorts below this. */
export const dueBefore = (now: number): string => pad(Math.floor(now) + 1, 14);

export const listPartitions = (tenant: string): string[] =>
  Array.from({ length: INDEX_SHARDS }, (_, shard) => `list#${tenant}#${shard}`);
export const listPosition = (tenant: string, jobId: string, sequence: string): IndexPosition => ({
  pk: `list#${tenant}#${shardOf(jobId)}`,
  sk: `${sequence}#${jobId}`,
});

export const tokenListPartitions = (): string[] =>
  Array.from({ length: INDEX_SHARDS }, (_, shard) => `token-list#${shard}`);
export const tokenListPosition = (digest: string, tenant: string, createdAt: number): IndexPosition => ({
  pk: `token-list#${shardOf(digest)}`,
  sk: `${tenant}#${pad(createdAt, 14)}#${digest}`,
});
