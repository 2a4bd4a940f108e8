// The ports: what the rules of this package need from the outside, in their own words. One contract suite per port
// (test/contract) runs against every adapter.

/** Everything that waits takes a signal; an aborted call rejects with the signal's reason. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

// ---------------------------------------------------------------------------------------------------------------- Table

/** What an attribute may hold. Numbers are finite: encode NaN and ±Infinity as text before they come here. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

export interface Key {
  /** Partition: a job, upload, download or tenant. Never constant over a write path. */
  readonly pk: string;
  /** Sort key within the partition; ordered by code unit. */
  readonly sk: string;
}

/** Where a row stands in one of the two sparse indexes. */
export interface IndexPosition {
  readonly pk: string;
  readonly sk: string;
}

export type IndexName = "list" | "due";

export interface Row extends Key {
  readonly attributes: Readonly<Record<string, Value>>;
  /** Sets of text, changed by addition and removal only. Empty sets are absent. */
  readonly sets: Readonly<Record<string, ReadonlySet<string>>>;
  readonly index: Readonly<Partial<Record<IndexName, IndexPosition>>>;
  /** Grows with every write of this row. Only for `waitForChange`; rules are written with conditions. */
  readonly revision: number;
}

/** One fact about the row as it is before the write. A row that does not exist has no attributes. */
export type Condition =
  | { readonly kind: "row-absent" }
  | { readonly kind: "row-exists" }
  | { readonly kind: "absent"; readonly name: string }
  | { readonly kind: "equals"; readonly name: string; readonly value: string | number | boolean }
  | { readonly kind: "one-of"; readonly name: string; readonly values: readonly (string | number)[] }
  /** The attribute is a number or text that sorts before `value`. False if absent. */
  | { readonly kind: "less-than"; readonly name: string; readonly value: string | number }
  /** The set has fewer than `size` members (an absent set has none). */
  | { readonly kind: "set-smaller-than"; readonly name: string; readonly size: number }
  | { readonly kind: "set-contains"; readonly name: string; readonly member: string }
  | { readonly kind: "set-lacks"; readonly name: string; readonly member: string };

/** What a write does to one row. Creates the row unless a condition forbids it. */
export interface Change {
  readonly set?: Readonly<Record<string, Value>> | undefined;
  readonly unset?: readonly string[] | undefined;
  /** Adds to a number (absent counts as 0). */
  readonly increment?: Readonly<Record<string, number>> | undefined;
  readonly addToSet?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly removeFromSet?: Readonly<Record<string, readonly string[]>> | undefined;
  /** null takes the row out of that index; absent leaves it where it is. */
  readonly index?: Readonly<Partial<Record<IndexName, IndexPosition | null>>> | undefined;
  /** Seconds since 1970 after which the platform itself may drop the row, days late. A backstop, not a rule. */
  readonly backstopExpiry?: number | undefined;
}

export type WriteResult =
  | { readonly ok: true; readonly row: Row }
  /** A condition did not hold; nothing was written. `row` is the row as it is (undefined if there is none). */
  | { readonly ok: false; readonly row: Row | undefined };

export interface QueryRange {
  /** Only sort keys that begin with this. */
  readonly prefix?: string | undefined;
  /** Only sort keys ≥ this. */
  readonly from?: string | undefined;
  /** Only sort keys < this. */
  readonly before?: string | undefined;
  /** Largest number of rows to return; adapters may return fewer and a cursor. Default 100. */
  readonly limit?: number | undefined;
  /** Highest sort key first. */
  readonly descending?: boolean | undefined;
  /** Where the last page ended. */
  readonly cursor?: string | undefined;
}

export interface Page {
  readonly rows: readonly Row[];
  /** Present when there may be more. */
  readonly cursor?: string | undefined;
}

/**
 * Rows by (partition, sort). Every write touches one row and is conditional on that row alone. Reads see all writes
 * that were acknowledged before them; index queries may lag on some platforms.
 */
export interface Table extends AsyncDisposable {
  get(key: Key, options?: CallOptions): Promise<Row | undefined>;
  /** One conditional write: all conditions hold for the row as it was, or nothing happens. */
  write(key: Key, change: Change, conditions: readonly Condition[], options?: CallOptions): Promise<WriteResult>;
  /** Unconditional writes of independent rows; some may be done when it fails. For feed entries and receipts. */
  writeAll(writes: readonly { readonly key: Key; readonly change: Change }[], options?: CallOptions): Promise<void>;
  delete(key: Key, conditions: readonly Condition[], options?: CallOptions): Promise<boolean>;
  /** Deletes every row of a partition whose sort key begins with `prefix`. May be repeated after a failure. */
  deleteRange(pk: string, prefix: string, options?: CallOptions): Promise<void>;
  query(pk: string, range: QueryRange, options?: CallOptions): Promise<Page>;
  queryIndex(index: IndexName, pk: string, range: QueryRange, options?: CallOptions): Promise<Page>;
  /**
   * Resolves with the row as soon as its revision differs from `revision` (undefined: the row did not exist), at once
   * if it already does, or with the unchanged row when `timeoutMs` has passed. Costs one watcher, not a poll per caller,
   * where the platform can tell of changes.
   */
  waitForChange(
    key: Key,
    revision: number | undefined,
    timeoutMs: number,
    options?: CallOptions,
  ): Promise<Row | undefined>;
}

// ---------------------------------------------------------------------------------------------------------------- Blobs

/** Largest stretch of bytes that one digest covers. */
export const BLOCK_BYTES = 4 * 1024 * 1024;

/** A stored blob and what proves its bytes; kept in a row by whoever stored it. Plain data. */
export interface BlobRef {
  readonly key: string;
  readonly bytes: number;
  /** SHA-256, lower-case hex, of each block of BLOCK_BYTES (the last may be shorter); empty for an empty blob. */
  readonly digests: readonly string[];
  /**
   * Set where nobody has seen the bytes on their way in: they came by a link without a digest, and are read as they are.
   * `digests` is empty then.
   */
  readonly unverified?: true;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** A request that anyone may make who has it, until it expires. */
export interface SignedLink {
  readonly method: "GET" | "PUT";
  /** Absolute, or without scheme and host: then those of the server that signed it. */
  readonly url: string;
  /** To be sent with the request exactly; they are part of what is signed. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signed links. Each is good for one key, one method and one length until `expiresAt` (ms since 1970). Any other use is
 * refused (403) with an answer that does not tell whether the blob exists.
 */
export interface BlobLinks {
  /** A GET of one range of the blob, answered with exactly these bytes (206), and refused once the blob is gone. */
  signGet(key: string, range: ByteRange, expiresAt: number): Promise<SignedLink>;
  /**
   * A PUT of exactly `bytes` bytes, all or nothing as any put.
   * @param sha256 lower-case hex: no other bytes are taken, and a repeat is harmless. Without it any bytes are taken, but
   *   only while the key does not exist (412 otherwise), so that what a reader has seen stays as it is.
   */
  signPut(key: string, bytes: number, expiresAt: number, sha256?: string): Promise<SignedLink>;
}

/**
 * Immutable byte objects. A put is all or nothing: until it resolves no reader sees the key. Putting the same key again
 * with the same bytes is harmless.
 */
export interface Blobs extends AsyncDisposable {
  /** Absent where the store cannot give out links. */
  readonly links?: BlobLinks | undefined;
  /** Stores the concatenation of `parts`. The parts must not change until it resolves. */
  put(key: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<BlobRef>;
  /**
   * Fills `target` with the bytes from `range.offset` on (`range.length === target.byteLength`), verified against the
   * digests of the blocks they lie in (unless `ref.unverified`).
   * @throws StoredObjectCorruptError (a DomainError) if bytes are missing or do not match.
   */
  readInto(ref: BlobRef, offset: number, target: Uint8Array, options?: CallOptions): Promise<void>;
  /** Size in bytes, or undefined if there is no such blob. */
  stat(key: string, options?: CallOptions): Promise<number | undefined>;
  list(prefix: string, options?: CallOptions): AsyncIterable<{ readonly key: string; readonly bytes: number }>;
  delete(key: string, options?: CallOptions): Promise<void>;
  /** Deletes every blob whose key begins with `prefix`. */
  deletePrefix(prefix: string, options?: CallOptions): Promise<void>;
}

// ----------------------------------------------------------------------------------------------------------- Dispatcher

export type Placement = "inline" | "cpu" | "gpu";

export interface DispatchRequest {
  readonly jobId: string;
  readonly tenant: string;
  readonly placement: Placement;
  /** What the job is thought to need. */
  readonly memoryBytes: number;
  /** The attempt that the worker is to make (1, 2, …): a hint, the claim decides. */
  readonly attempt: number;
}

/** Why a dispatched job does not run yet. `position` counts from 0: the next to start. */
export interface Waiting {
  readonly position: number;
  readonly reason: string;
}

export interface Dispatcher extends AsyncDisposable {
  /**
   * What ends an attempt whose heartbeats stopped. "lease": the end of its lease alone, because nobody can tell for sure
   * whether a worker far away still lives (the attempt's number fences it if it does). "lease-and-worker": the worker must
   * be gone as well, as on one machine, where a laptop that slept must kill nothing.
   */
  readonly attemptEndsWith: "lease" | "lease-and-worker";
  /**
   * Arranges for a worker to take the job; returns when that is arranged, not when it runs. Repeating a request for a job
   * that waits or runs is harmless. First in, first out.
   */
  dispatch(request: DispatchRequest, options?: CallOptions): Promise<void>;
  /** Asks the worker of this job to stop and, after `graceMs`, makes it. Does nothing if no worker has the job. */
  stop(jobId: string, graceMs: number, options?: CallOptions): Promise<void>;
  /** Undefined if the job is not waiting here. */
  waiting(jobId: string): Waiting | undefined;
  /** Is the worker that holds this lease still there? "unknown" where the platform cannot tell. */
  isAlive(worker: string): Promise<"alive" | "gone" | "unknown">;
}

// ------------------------------------------------------------------------------------------------------- Events, Clock, Ids

export interface JobEvent {
  /** Random; the same for every delivery of one event. */
  readonly id: string;
  readonly type: "Job Queued" | "Job Started" | "Job Completed" | "Job Failed" | "Job Cancelled";
  readonly jobId: string;
  readonly tenant: string;
  readonly at: number;
  readonly detail: { readonly [key: string]: Value };
}

export interface Events {
  /** Delivered at least once; a rejection means "try again later". */
  publish(event: JobEvent, options?: CallOptions): Promise<void>;
}

/** One signed message to the address that a job names. */
export interface WebhookMessage {
  readonly url: string;
  /** Whose secret signs it. */
  readonly tenant: string;
  /** The same for every delivery of one event. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
}

export interface WebhookSender extends AsyncDisposable {
  /** For development: clear text, and addresses that are not public. */
  readonly allowPrivate: boolean;
  /**
   * Sends the message once, to a public address only, and follows no redirect. Ends by itself within 15 s.
   * @returns the HTTP status of the answer
   * @throws Error that says in words why there is none
   */
  send(message: WebhookMessage, options?: CallOptions): Promise<number>;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Ids {
  /** A random version-4 UUID in lower case. */
  random(): string;
  /** The version-4-shaped UUID that this text determines. */
  derived(text: string): string;
}
