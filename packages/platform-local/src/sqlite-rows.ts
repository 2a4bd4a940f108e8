// The rows of the table in SQLite: every operation, synchronously, for the thread that owns the connection.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Change, type Condition, endOfPrefix, type IndexName, type Key, type QueryRange } from "@sortie/core";
import { changedContent, conditionHolds, type RowContent } from "./row-rules.ts";
import { isBusy } from "./sqlite-faults.ts";
import type { Answer, Operation, PackedRow, ThreadData } from "./sqlite-protocol.ts";
import { migrate } from "./sqlite-schema.ts";

/** A page ends after about this many characters of JSON, so that no answer holds up the thread that receives it. */
const PAGE_CHARACTERS = 4_000_000;

interface StoredRow {
  readonly pk: string;
  readonly sk: string;
  readonly revision: number;
  readonly list_pk: string | null;
  readonly list_sk: string | null;
  readonly due_pk: string | null;
  readonly due_sk: string | null;
  readonly backstop: number | null;
  readonly sets: string;
  readonly attributes: string;
}

const EMPTY: Omit<StoredRow, "pk" | "sk" | "revision"> = {
  list_pk: null,
  list_sk: null,
  due_pk: null,
  due_sk: null,
  backstop: null,
  sets: "{}",
  attributes: "{}",
};

function pack(row: StoredRow): PackedRow {
  const { pk, sk, revision, sets, attributes } = row;
  const index: { list?: { pk: string; sk: string }; due?: { pk: string; sk: string } } = {};
  if (row.list_pk !== null) index.list = { pk: row.list_pk, sk: row.list_sk! };
  if (row.due_pk !== null) index.due = { pk: row.due_pk, sk: row.due_sk! };
  return { pk, sk, revision, index, sets, attributes };
}

const contentOf = (row: StoredRow | undefined): RowContent | undefined =>
  row && { attributes: JSON.parse(row.attributes), sets: JSON.parse(row.sets) };

export const isWrite = ({ op }: Operation): boolean => op !== "get" && op !== "query" && op !== "watch";

/**
 * Microseconds since 1970: a row that was deleted and made again repeats no revision, since no row is written as often as
 * once in a microsecond.
 */
const firstRevision = () => Math.floor((performance.timeOrigin + performance.now()) * 1000);

/** Where a page ended: sort key in the index or partition, then the row's own key. */
function parseCursor(cursor: string): readonly [string, string, string] {
  try {
    const parts: unknown = JSON.parse(cursor);
    if (Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === "string")) {
      return parts as unknown as [string, string, string];
    }
  } catch {
    // Not JSON: the same answer.
  }
  throw new TypeError(`${JSON.stringify(cursor)} is not a cursor of this table`);
}

/** Opens the database in WAL mode; several processes may do so at the same moment. */
function open({ file, durability, busyTimeoutMs }: ThreadData): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    const end = Date.now() + busyTimeoutMs;
    for (;;) {
      try {
        // SQLite does not wait by itself when two processes switch a new file to WAL at once.
        const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
        if (mode !== "wal") throw new Error("its file system does not allow the write-ahead log; use a local disk");
        break;
      } catch (error) {
        if (!isBusy(error) || Date.now() > end) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
    // fullfsync: on macOS a plain fsync does not reach the disk; elsewhere it means nothing.
    database.exec(
      durability === "power" ? "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1" : "PRAGMA synchronous = NORMAL",
    );
    // After a burst the write-ahead log is cut back to this.
    database.exec("PRAGMA journal_size_limit = 67108864");
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Owns the connection. Not for the event loop of a server: every method blocks. */
export class SqliteRows {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(data: ThreadData) {
    this.#database = open(data);
  }

  /**
   * Executes the operations in one transaction and returns their answers in order. A fault of one leaves the others
   * alone. Keys of rows that were written are added to `touched`.
   * @throws the error of SQLite if the transaction as a whole failed; nothing was written then
   */
  batch(operations: readonly Operation[], touched: Key[], faultOf: (error: unknown) => Answer): Answer[] {
    this.#database.exec(operations.some(isWrite) ? "BEGIN IMMEDIATE" : "BEGIN");
    try {
      const answers = operations.map((operation) => {
        try {
          return this.#execute(operation, touched);
        } catch (error) {
          // A full disk ends the whole transaction; what else goes wrong undoes one statement.
          if (!this.#database.isTransaction) throw error;
          return faultOf(error);
        }
      });
      this.#database.exec("COMMIT");
      return answers;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Changes whenever another connection has committed: https://www.sqlite.org/pragma.html#pragma_data_version */
  dataVersion(): number {
    return this.#prepare("PRAGMA data_version").get()!["data_version"] as number;
  }

  revision(key: Key): number | undefined {
    return this.#prepare("SELECT revision FROM rows WHERE pk = ? AND sk = ?").get(key.pk, key.sk)?.["revision"] as
      | number
      | undefined;
  }

  row(key: Key): PackedRow | undefined {
    const row = this.#read(key);
    return row && pack(row);
  }

  close(): void {
    this.#database.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #execute(operation: Operation, touched: Key[]): Answer {
    switch (operation.op) {
      case "get":
      case "watch":
        return { op: "row", row: this.row(operation.key) };
      case "write":
        return this.#write(operation.key, operation.change, operation.conditions, touched);
      case "write-all":
        for (const { key, change } of operation.writes) this.#write(key, change, [], touched);
        return { op: "count", count: operation.writes.length };
      case "delete":
        return this.#delete(operation.key, operation.conditions, touched);
      case "delete-range":
        return this.#deleteRange(operation.pk, operation.prefix, operation.limit, touched);
      case "query":
        return this.#query(operation.index, operation.pk, operation.range);
    }
  }

  #read(key: Key): StoredRow | undefined {
    return this.#prepare("SELECT * FROM rows WHERE pk = ? AND sk = ?").get(key.pk, key.sk) as StoredRow | undefined;
  }

  #write(key: Key, change: Change, conditions: readonly Condition[], touched: Key[]): Answer {
    const before = this.#read(key);
    const content = contentOf(before);
    if (!conditions.every((condition) => conditionHolds(condition, content))) {
      return { op: "written", ok: false, row: before && pack(before) };
    }
    const after = changedContent(change, content);
    const { list, due } = change.index ?? {};
    const row: StoredRow = {
      ...(before ?? EMPTY),
      pk: key.pk,
      sk: key.sk,
      revision: before ? before.revision + 1 : firstRevision(),
      ...(list === undefined ? {} : { list_pk: list?.pk ?? null, list_sk: list?.sk ?? null }),
      ...(due === undefined ? {} : { due_pk: due?.pk ?? null, due_sk: due?.sk ?? null }),
      ...(change.backstopExpiry === undefined ? {} : { backstop: Math.ceil(change.backstopExpiry) }),
      sets: JSON.stringify(after.sets),
      attributes: JSON.stringify(after.attributes),
    };
    if (!before) {
      this.#prepare(
        `INSERT INTO rows (pk, sk, revision, list_pk, list_sk, due_pk, due_sk, backstop, sets, attributes)
         VALUES (:pk, :sk, :revision, :list_pk, :list_sk, :due_pk, :due_sk, :backstop, :sets, :attributes)`,
      ).run({ ...row });
    } else if (change.index || change.backstopExpiry !== undefined) {
      this.#prepare(
        `UPDATE rows SET revision = :revision, list_pk = :list_pk, list_sk = :list_sk, due_pk = :due_pk,
           due_sk = :due_sk, backstop = :backstop, sets = :sets, attributes = :attributes
         WHERE pk = :pk AND sk = :sk`,
      ).run({ ...row });
    } else {
      // SQLite rewrites the entry of every index whose columns a statement names: a heartbeat names none.
      this.#prepare("UPDATE rows SET revision = ?, sets = ?, attributes = ? WHERE pk = ? AND sk = ?").run(
        row.revision,
        row.sets,
        row.attributes,
        row.pk,
        row.sk,
      );
    }
    touched.push(key);
    return { op: "written", ok: true, row: pack(row) };
  }

  #delete(key: Key, conditions: readonly Condition[], touched: Key[]): Answer {
    if (conditions.length > 0) {
      const content = contentOf(this.#read(key));
      if (!conditions.every((condition) => conditionHolds(condition, content))) return { op: "deleted", ok: false };
    }
    this.#prepare("DELETE FROM rows WHERE pk = ? AND sk = ?").run(key.pk, key.sk);
    touched.push(key);
    return { op: "deleted", ok: true };
  }

  #deleteRange(pk: string, prefix: string, limit: number, touched: Key[]): Answer {
    const end = endOfPrefix(prefix);
    const deleted = this.#prepare(
      `DELETE FROM rows WHERE rowid IN (
         SELECT rowid FROM rows WHERE pk = :pk AND sk >= :prefix ${end === undefined ? "" : "AND sk < :end"} LIMIT :limit
       ) RETURNING sk`,
    ).all({ pk, prefix, limit, ...(end === undefined ? {} : { end }) });
    for (const { sk } of deleted) touched.push({ pk, sk: sk as string });
    return { op: "count", count: deleted.length };
  }

  #query(index: IndexName | undefined, pk: string, range: QueryRange): Answer {
    const limit = Math.max(1, Math.floor(range.limit ?? 100));
    const [pkColumn, skColumn] = index ? [`${index}_pk`, `${index}_sk`] : ["pk", "sk"];
    const direction = range.descending ? "DESC" : "ASC";
    const where = [`${pkColumn} = :pk`];
    const values: Record<string, string | number> = { pk, limit: limit + 1 };
    const bound = (name: string, comparison: string, value: string | undefined) => {
      if (value === undefined) return;
      where.push(`${skColumn} ${comparison} :${name}`);
      values[name] = value;
    };
    bound("from", ">=", range.from);
    bound("before", "<", range.before);
    if (range.prefix) {
      bound("prefix", ">=", range.prefix);
      bound("prefixEnd", "<", endOfPrefix(range.prefix));
    }
    if (range.cursor !== undefined) {
      const [sk, rowPk, rowSk] = parseCursor(range.cursor);
      // Rows with the same sort key in an index are told apart by their own key.
      where.push(`(${skColumn}, pk, sk) ${range.descending ? "<" : ">"} (:cursorSort, :cursorPk, :cursorSk)`);
      Object.assign(values, { cursorSort: sk, cursorPk: rowPk, cursorSk: rowSk });
    }
    const order = index ? `${skColumn} ${direction}, pk ${direction}, sk ${direction}` : `sk ${direction}`;
    const statement = this.#prepare(`SELECT * FROM rows WHERE ${where.join(" AND ")} ORDER BY ${order} LIMIT :limit`);
    const rows: PackedRow[] = [];
    let characters = 0;
    for (const found of statement.iterate(values)) {
      const last = rows.at(-1);
      if (last && (rows.length === limit || characters > PAGE_CHARACTERS)) {
        const sk = index ? last.index[index]!.sk : last.sk;
        return { op: "page", rows, cursor: JSON.stringify([sk, last.pk, last.sk]) };
      }
      const row = pack(found as unknown as StoredRow);
      characters += row.attributes.length + row.sets.length;
      rows.push(row);
    }
    return { op: "page", rows, cursor: undefined };
  }
}
