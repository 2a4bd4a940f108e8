// What the SQLite table and its thread say to each other. Everything here is plain data.
import type { Change, Condition, IndexName, IndexPosition, Key, QueryRange, Reason } from "@sortie/core";

/** "process": nothing acknowledged is lost when processes die. "power": nor when the power goes. */
export type Durability = "process" | "power";

export interface ThreadData {
  readonly file: string;
  readonly durability: Durability;
  /** How long a call waits for another process that holds the database, in milliseconds. */
  readonly busyTimeoutMs: number;
}

export type Operation =
  | { readonly op: "get"; readonly key: Key }
  | { readonly op: "write"; readonly key: Key; readonly change: Change; readonly conditions: readonly Condition[] }
  | { readonly op: "write-all"; readonly writes: readonly { readonly key: Key; readonly change: Change }[] }
  | { readonly op: "delete"; readonly key: Key; readonly conditions: readonly Condition[] }
  /** Deletes at most `limit` rows. */
  | { readonly op: "delete-range"; readonly pk: string; readonly prefix: string; readonly limit: number }
  | { readonly op: "query"; readonly index: IndexName | undefined; readonly pk: string; readonly range: QueryRange }
  /** Reads the row; if it still has the revision, `changed` is sent once it no longer has. */
  | { readonly op: "watch"; readonly id: number; readonly key: Key; readonly revision: number | undefined };

/** A row as it lies in the database: the two JSON texts are parsed by whoever needs them. */
export interface PackedRow extends Key {
  readonly revision: number;
  readonly index: Readonly<Partial<Record<IndexName, IndexPosition>>>;
  readonly attributes: string;
  readonly sets: string;
}

export type Answer =
  | { readonly op: "row"; readonly row: PackedRow | undefined }
  | { readonly op: "written"; readonly ok: boolean; readonly row: PackedRow | undefined }
  | { readonly op: "deleted"; readonly ok: boolean }
  | { readonly op: "page"; readonly rows: readonly PackedRow[]; readonly cursor: string | undefined }
  | { readonly op: "count"; readonly count: number }
  | { readonly op: "watching" }
  | { readonly op: "fault"; readonly fault: Fault };

/** An error on its way between threads. Without a reason it is the caller's mistake, a TypeError. */
export interface Fault {
  readonly reason: Reason | undefined;
  readonly message: string;
  /** What SQLite said, for the log. */
  readonly detail: string | undefined;
}

export type ToThread =
  /** Answered by one `answers` with as many entries. */
  | { readonly type: "batch"; readonly operations: readonly Operation[] }
  | { readonly type: "unwatch"; readonly id: number }
  | { readonly type: "backup"; readonly file: string }
  | { readonly type: "close" };

export type FromThread =
  | { readonly type: "opened" }
  | { readonly type: "open-failed"; readonly fault: Fault }
  | { readonly type: "answers"; readonly answers: readonly Answer[] }
  | { readonly type: "changed"; readonly ids: readonly number[]; readonly row: PackedRow | undefined }
  | { readonly type: "backed-up"; readonly file: string; readonly fault: Fault | undefined }
  | { readonly type: "closed" };
