// The Table on SQLite. The connection lives in a thread of its own, because its calls block; this side gathers requests,
// sends them in batches (one transaction each) and keeps the waiters' time limits.
import { Worker } from "node:worker_threads";
import {
  type CallOptions,
  type Change,
  type Condition,
  checkChange,
  checkKey,
  DomainError,
  type IndexName,
  type Key,
  MAX_TIMER_MS,
  type Page,
  type QueryRange,
  type Row,
  type Table,
  type WriteResult,
} from "@sortie/core";
import { besideModule } from "./module-url.ts";
import type {
  Answer,
  Durability,
  Fault,
  FromThread,
  Operation,
  PackedRow,
  ThreadData,
  ToThread,
} from "./sqlite-protocol.ts";

/** Most operations in one transaction. */
const BATCH_OPERATIONS = 256;
/** Rows deleted by one operation of a range deletion, so that others get their turn in between. */
const DELETE_ROWS = 1000;

export interface SqliteTableOptions {
  /** The database file; made if it does not exist. Its folder must exist. */
  readonly file: string;
  /** Default "process". */
  readonly durability?: Durability | undefined;
  /** How long a call waits for another process that holds the database. Default 5000. */
  readonly busyTimeoutMs?: number | undefined;
}

interface Pending {
  readonly operation: Operation;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

function errorOf(fault: Fault): Error {
  if (fault.reason === undefined) return new TypeError(fault.message);
  return new DomainError(fault.reason, fault.message, fault.detail === undefined ? {} : { cause: fault.detail });
}

function unpack(row: PackedRow): Row {
  const { pk, sk, revision, index } = row;
  const sets: Record<string, ReadonlySet<string>> = {};
  if (row.sets !== "{}") {
    for (const [name, members] of Object.entries(JSON.parse(row.sets) as Record<string, string[]>)) {
      sets[name] = new Set(members);
    }
  }
  return { pk, sk, revision, index, attributes: JSON.parse(row.attributes), sets };
}

/**
 * Rows in one SQLite file in WAL mode, which any number of processes may share.
 *
 * Errors are DomainErrors that name the file: "disk-full", "stored-object-corrupt", "unavailable" (held by another
 * process for too long, or closed). A change that no table could store is a TypeError.
 */
export class SqliteTable implements Table {
  readonly #file: string;
  readonly #thread: Worker;
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #backups = new Map<string, PromiseWithResolvers<void>>();
  readonly #watchers = new Map<number, (row: PackedRow | undefined) => void>();
  #queue: Pending[] = [];
  #inFlight: readonly Pending[] = [];
  #flushing = false;
  #lastWatch = 0;
  /** Why no more calls are taken. */
  #over: Error | undefined;

  /** @throws DomainError if the file cannot be opened, is damaged, or was written by a newer version */
  static async open(options: SqliteTableOptions): Promise<SqliteTable> {
    const table = new SqliteTable(options);
    await table.#opened.promise;
    return table;
  }

  private constructor({ file, durability = "process", busyTimeoutMs = 5000 }: SqliteTableOptions) {
    this.#file = file;
    const workerData: ThreadData = { file, durability, busyTimeoutMs };
    this.#thread = new Worker(besideModule("sqlite-thread", import.meta.url), { workerData, name: "sortie-sqlite" });
    this.#thread.on("message", (message: FromThread) => this.#receive(message));
    this.#thread.on("error", (error) =>
      this.#end(new DomainError("unavailable", `the thread of table ${file} failed: ${error}`, { cause: error })),
    );
    this.#thread.on("exit", () => {
      this.#end(new DomainError("unavailable", `the thread of table ${file} has ended`));
      this.#ended.resolve();
    });
  }

  async get(key: Key, options?: CallOptions): Promise<Row | undefined> {
    checkKey(key);
    const answer = await this.#call({ op: "get", key: { pk: key.pk, sk: key.sk } }, options, "row");
    return answer.row && unpack(answer.row);
  }

  async write(key: Key, change: Change, conditions: readonly Condition[], options?: CallOptions): Promise<WriteResult> {
    checkKey(key);
    checkChange(change);
    const operation: Operation = { op: "write", key: { pk: key.pk, sk: key.sk }, change, conditions };
    const { ok, row } = await this.#call(operation, options, "written");
    return ok ? { ok, row: unpack(row!) } : { ok, row: row && unpack(row) };
  }

  async writeAll(
    writes: readonly { readonly key: Key; readonly change: Change }[],
    options?: CallOptions,
  ): Promise<void> {
    for (const { key, change } of writes) {
      checkKey(key);
      checkChange(change);
    }
    if (writes.length > 0) await this.#call({ op: "write-all", writes }, options, "count");
  }

  async delete(key: Key, conditions: readonly Condition[], options?: CallOptions): Promise<boolean> {
    checkKey(key);
    const operation: Operation = { op: "delete", key: { pk: key.pk, sk: key.sk }, conditions };
    return (await this.#call(operation, options, "deleted")).ok;
  }

  async deleteRange(pk: string, prefix: string, options?: CallOptions): Promise<void> {
    const operation: Operation = { op: "delete-range", pk, prefix, limit: DELETE_ROWS };
    while ((await this.#call(operation, options, "count")).count === DELETE_ROWS);
  }

  query(pk: string, range: QueryRange, options?: CallOptions): Promise<Page> {
    return this.#query(undefined, pk, range, options);
  }

  queryIndex(index: IndexName, pk: string, range: QueryRange, options?: CallOptions): Promise<Page> {
    return this.#query(index, pk, range, options);
  }

  async waitForChange(
    key: Key,
    revision: number | undefined,
    timeoutMs: number,
    options?: CallOptions,
  ): Promise<Row | undefined> {
    if (timeoutMs <= 0) return this.get(key, options);
    checkKey(key);
    this.#lastWatch += 1;
    const id = this.#lastWatch;
    const changed = Promise.withResolvers<{ readonly row: PackedRow | undefined } | "timeout">();
    // Registered before the question is asked: the change may be told in the same breath as the answer.
    this.#watchers.set(id, (row) => changed.resolve({ row }));
    let timer: NodeJS.Timeout | undefined;
    const signal = options?.signal;
    const abort = () => changed.reject(signal?.reason);
    try {
      const operation: Operation = { op: "watch", id, key: { pk: key.pk, sk: key.sk }, revision };
      const answer = await this.#call(operation, options);
      if (answer.op === "row") return answer.row && unpack(answer.row);
      this.#throwIfOver();
      timer = setTimeout(() => changed.resolve("timeout"), Math.min(timeoutMs, MAX_TIMER_MS));
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort, { once: true });
      const change = await changed.promise;
      this.#throwIfOver();
      if (change !== "timeout") return change.row && unpack(change.row);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#watchers.delete(id);
      if (!this.#over) this.#post({ type: "unwatch", id });
    }
    return this.get(key, options);
  }

  /** Copies the database as it is at one moment into a new file, while everybody goes on. */
  async backup(file: string): Promise<void> {
    this.#throwIfOver();
    const done = Promise.withResolvers<void>();
    this.#backups.set(file, done);
    this.#thread.ref();
    this.#post({ type: "backup", file });
    await done.promise;
  }

  /** Answers what was asked before, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) {
      this.#flush();
      const rest = this.#queue;
      this.#queue = [];
      if (rest.length > 0) {
        // What waits for the batch in flight goes with it: nothing asked is left without an answer.
        this.#inFlight = [...this.#inFlight, ...rest];
        this.#post({ type: "batch", operations: rest.map(({ operation }) => operation) });
      }
      this.#post({ type: "close" });
      this.#over = new DomainError("unavailable", `table ${this.#file} is closed`);
      for (const wake of [...this.#watchers.values()]) wake(undefined);
    }
    this.#thread.ref();
    await this.#ended.promise;
  }

  async #query(
    index: IndexName | undefined,
    pk: string,
    range: QueryRange,
    options: CallOptions | undefined,
  ): Promise<Page> {
    const { rows, cursor } = await this.#call({ op: "query", index, pk, range }, options, "page");
    return cursor === undefined ? { rows: rows.map(unpack) } : { rows: rows.map(unpack), cursor };
  }

  #call(operation: Operation, options: CallOptions | undefined): Promise<Answer>;
  #call<K extends Answer["op"]>(
    operation: Operation,
    options: CallOptions | undefined,
    kind: K,
  ): Promise<Extract<Answer, { op: K }>>;
  async #call(operation: Operation, options: CallOptions | undefined): Promise<Answer> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    this.#throwIfOver();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const pending: Pending = { operation, resolve, reject };
    const abort = () => {
      // Not sent yet: then it does not happen at all.
      this.#queue = this.#queue.filter((other) => other !== pending);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#queue.push(pending);
    this.#thread.ref();
    if (!this.#flushing) {
      this.#flushing = true;
      // What is asked in the same turn of the event loop goes together.
      queueMicrotask(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
    try {
      const answer = await promise;
      if (answer.op === "fault") throw errorOf(answer.fault);
      return answer;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #throwIfOver(): void {
    if (this.#over) throw this.#over;
  }

  /** One batch at a time: while it is away the next one gathers. */
  #flush(): void {
    if (this.#inFlight.length > 0 || this.#queue.length === 0) return;
    const batch = this.#queue.splice(0, BATCH_OPERATIONS);
    this.#inFlight = batch;
    try {
      this.#post({ type: "batch", operations: batch.map(({ operation }) => operation) });
    } catch (error) {
      // Something in it cannot be sent to a thread; nothing was.
      this.#inFlight = [];
      for (const { reject } of batch) reject(error);
    }
  }

  #post(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  #receive(message: FromThread): void {
    switch (message.type) {
      case "opened":
        this.#opened.resolve();
        this.#rest();
        break;
      case "open-failed":
        this.#end(errorOf(message.fault));
        break;
      case "answers": {
        const batch = this.#inFlight.slice(0, message.answers.length);
        this.#inFlight = this.#inFlight.slice(message.answers.length);
        message.answers.forEach((answer, at) => {
          batch[at]?.resolve(answer);
        });
        this.#flush();
        this.#rest();
        break;
      }
      case "changed":
        for (const id of message.ids) this.#watchers.get(id)?.(message.row);
        break;
      case "backed-up": {
        const done = this.#backups.get(message.file);
        this.#backups.delete(message.file);
        if (message.fault) done?.reject(errorOf(message.fault));
        else done?.resolve();
        this.#rest();
        break;
      }
      case "closed":
        break;
    }
  }

  /** An idle table keeps no process running. */
  #rest(): void {
    if (this.#inFlight.length === 0 && this.#backups.size === 0 && !this.#over) this.#thread.unref();
  }

  /** Nothing will be answered any more. */
  #end(error: Error): void {
    this.#over ??= error;
    this.#opened.reject(this.#over);
    // Whoever opened the table hears of it there; after that nobody has to listen.
    this.#opened.promise.catch(() => {});
    for (const { reject } of [...this.#inFlight, ...this.#queue]) reject(this.#over);
    for (const { reject } of this.#backups.values()) reject(this.#over);
    for (const wake of [...this.#watchers.values()]) wake(undefined);
    this.#inFlight = [];
    this.#queue = [];
    this.#backups.clear();
  }
}
