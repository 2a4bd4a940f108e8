// Names of rows and blobs: the one place that knows them.
import type { Job } from "./job.ts";
import type { IndexPosition, Key, Placement } from "./ports.ts";

/** Partitions of each sparse index, so that no index key is hot. */
export const INDEX_SHARDS = 4;

const pad = (value: number, width: number): string => String(value).padStart(width, "0");

export const jobPartition = (jobId: string): string => `job#${jobId}`;
export const jobKey = (jobId: string): Key => ({ pk: jobPartition(jobId), sk: "job" });
export const uploadPartition = (uploadId: string): string => `upload#${uploadId}`;
export const uploadKey = (uploadId: string): Key => ({ pk: uploadPartition(uploadId), sk: "upload" });
export const downloadKey = (downloadId: string): Key => ({ pk: `download#${downloadId}`, sk: "download" });
export const sessionKey = (sessionId: string): Key => ({ pk: `session#${sessionId}`, sk: "session" });
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
export const PART_PREFIX = "part#";

/** Log entries sort by byte offset; the attempt keeps a stale writer's entries apart. */
export const logSortKey = (offset: number, attempt: number): string =>
  `${LOG_PREFIX}${pad(offset, 16)}#${pad(attempt, 4)}`;
export const incumbentSortKey = (index: number, attempt: number): string =>
  `${INCUMBENT_PREFIX}${pad(index, 10)}#${pad(attempt, 4)}`;
export const chunkPrefix = (array: string): string => `${CHUNK_PREFIX}${array}#`;
export const chunkSortKey = (array: string, offset: number): string => `${chunkPrefix(array)}${pad(offset, 16)}`;

/** What the links of a part of an upload were asked for with. */
export const partSortKey = (array: string, offset: number): string => `${PART_PREFIX}${array}#${pad(offset, 16)}`;

export const jobBlobs = (jobId: string): string => `jobs/${jobId}/`;
export const uploadBlobs = (uploadId: string): string => `uploads/${uploadId}/`;
export const sessionBlobs = (sessionId: string): string => `sessions/${sessionId}/`;
/** Parts that came by links; no array has this name. */
export const partBlobs = (uploadId: string): string => `${uploadBlobs(uploadId)}parts/`;
export const partBlob = (uploadId: string, array: string, offset: number): string =>
  `${partBlobs(uploadId)}${array}/${pad(offset, 16)}`;
/** Reads what `partBlob` wrote. */
export function partFromBlob(uploadId: string, key: string): { readonly array: string; readonly offset: number } {
  const [array = "", offset = ""] = key.slice(partBlobs(uploadId).length).split("/");
  return { array, offset: Number(offset) };
}
export const manifestBlob = (uploadId: string, id: string): string => `${uploadBlobs(uploadId)}manifest/${id}`;

/** A stable shard number of an id. */
function shardOf(id: string): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) >>> 0;
  return hash % INDEX_SHARDS;
}

const shardsOf = (partition: string): string[] =>
  Array.from({ length: INDEX_SHARDS }, (_, shard) => `${partition}#${shard}`);

/** Where the queued jobs of a placement are due, and nothing else is. */
export const queuedPartitions = (placement: Placement): string[] => shardsOf(`due#${placement}`);

const PLACEMENTS: readonly Placement[] = ["inline", "cpu", "gpu"];
/** Where everything else is due, running jobs among it. */
export const runningPartitions = (): string[] => shardsOf("due");

/** Queued jobs come first: a job that goes back to the queue while all are looked at is not met a second time. */
export const duePartitions = (): string[] => [...PLACEMENTS.flatMap(queuedPartitions), ...runningPartitions()];

/** Whose row this is; undefined if it is not the row of a job. */
export const jobIdOfKey = ({ pk, sk }: Key): string | undefined =>
  sk === "job" && pk.startsWith("job#") ? pk.slice("job#".length) : undefined;

/** The time of a position in the due index, ms since 1970. */
export const dueTime = ({ sk }: IndexPosition): number => Number(sk.slice(0, sk.indexOf("#")));

/** When this row wants the sweep's attention. */
export const duePosition = (id: string, at: number): IndexPosition => ({
  pk: `due#${shardOf(id)}`,
  sk: `${pad(Math.max(0, Math.ceil(at)), 14)}#${id}`,
});

/** What a queued job's place in the due index tells, so that a worker chooses its next job without reading rows. */
export interface QueuedJob {
  readonly id: string;
  readonly sequence: string;
  readonly kind: string;
  readonly memoryBytes: number;
}

/** Where a queued job is due. */
export const queuedPosition = (job: QueuedJob & { readonly placement: Placement }, at: number): IndexPosition => ({
  pk: `due#${job.placement}#${shardOf(job.id)}`,
  sk: `${pad(Math.max(0, Math.ceil(at)), 14)}#${job.sequence}#${job.kind}#${Math.ceil(job.memoryBytes)}#${job.id}`,
});

/** Reads what `queuedPosition` wrote. */
export function queuedFromPosition({ sk }: IndexPosition): QueuedJob {
  const [, sequence = "", kind = "", memoryBytes = "0", ...id] = sk.split("#");
  return { id: id.join("#"), sequence, kind, memoryBytes: Number(memoryBytes) };
}

/** Where a job is due: apart from all others while it is queued. */
export const jobDuePosition = (
  job: Pick<Job, "id" | "state" | "deleted" | "placement" | "sequence" | "kind" | "memoryBytes">,
  at: number,
): IndexPosition => (job.state === "queued" && !job.deleted ? queuedPosition(job, at) : duePosition(job.id, at));

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
