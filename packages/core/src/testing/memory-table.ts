// A Table in memory, for tests: nothing survives the process.
import { DomainError } from "../errors.ts";
import type {
  CallOptions,
  Change,
  Condition,
  IndexName,
  IndexPosition,
  Key,
  Page,
  QueryRange,
  Row,
  Table,
  WriteResult,
} from "../ports.ts";
import { apply, checkChange, checkKey, compareText, type Draft, holds } from "./rows.ts";

interface Stored {
  readonly key: Key;
  /** JSON, so that a reader can never change the row and nothing but plain data is ever stored. */
  readonly attributes: string;
  readonly sets: Readonly<Record<string, ReadonlySet<string>>>;
  readonly index: Readonly<Partial<Record<IndexName, IndexPosition>>>;
  readonly revision: number;
}

const nameOf = (key: Key) => JSON.stringify([key.pk, key.sk]);

function draftOf(stored: Stored | undefined): Draft | undefined {
  if (!stored) return undefined;
  const sets = Object.fromEntries(Object.entries(stored.sets).map(([name, members]) => [name, new Set(members)]));
  return { attributes: JSON.parse(stored.attributes), sets };
}

function rowOf(stored: Stored | undefined): Row | undefined {
  if (!stored) return undefined;
  const { attributes, sets } = draftOf(stored)!;
  return { ...stored.key, attributes, sets, index: { ...stored.index }, revision: stored.revision };
}

/** Every call takes effect at once, in the order of the calls; its promise settles later. */
export class MemoryTable implements Table {
  readonly #rows = new Map<string, Stored>();
  readonly #watchers = new Map<string, Set<() => void>>();
  #writes = 0;
  #closed = false;

  /** How many calls of `waitForChange` are waiting. */
  get waiting(): number {
    let count = 0;
    for (const watchers of this.#watchers.values()) count += watchers.size;
    return count;
  }

  /** Every row, ordered by key: for assertions about what is left. */
  get rows(): readonly Row[] {
    return [...this.#rows.values()].sort((a, b) => compareKeys(a.key, b.key)).map((stored) => rowOf(stored)!);
  }

  async get(key: Key, options?: CallOptions): Promise<Row | undefined> {
    this.#enter(options);
    checkKey(key);
    return rowOf(this.#rows.get(nameOf(key)));
  }

  async write(key: Key, change: Change, conditions: readonly Condition[], options?: CallOptions): Promise<WriteResult> {
    this.#enter(options);
    checkKey(key);
    checkChange(change);
    const name = nameOf(key);
    const before = this.#rows.get(name);
    const draft = draftOf(before);
    if (!conditions.every((condition) => holds(condition, draft))) return { ok: false, row: rowOf(before) };
    const after = draft ?? { attributes: {}, sets: {} };
    apply(change, after);
    const index: Partial<Record<IndexName, IndexPosition>> = { ...before?.index };
    for (const [indexName, position] of Object.entries(change.index ?? {}) as [IndexName, IndexPosition | null][]) {
      if (position) index[indexName] = { pk: position.pk, sk: position.sk };
      else delete index[indexName];
    }
    this.#writes += 1;
    const stored: Stored = {
      key: { pk: key.pk, sk: key.sk },
      attributes: JSON.stringify(after.attributes),
      sets: after.sets,
      index,
      revision: this.#writes,
    };
    this.#rows.set(name, stored);
    this.#wake(name);
    return { ok: true, row: rowOf(stored)! };
  }

  async writeAll(
    writes: readonly { readonly key: Key; readonly change: Change }[],
    options?: CallOptions,
  ): Promise<void> {
    this.#enter(options);
    await Promise.all(writes.map(({ key, change }) => this.write(key, change, [])));
  }

  async delete(key: Key, conditions: readonly Condition[], options?: CallOptions): Promise<boolean> {
    this.#enter(options);
    checkKey(key);
    const name = nameOf(key);
    const draft = draftOf(this.#rows.get(name));
    if (!conditions.every((condition) => holds(condition, draft))) return false;
    if (this.#rows.delete(name)) this.#wake(name);
    return true;
  }

  async deleteRange(pk: string, prefix: string, options?: CallOptions): Promise<void> {
    this.#enter(options);
    for (const [name, { key }] of [...this.#rows]) {
      if (key.pk !== pk || !key.sk.startsWith(prefix)) continue;
      this.#rows.delete(name);
      this.#wake(name);
    }
  }

  async query(pk: string, range: QueryRange, options?: CallOptions): Promise<Page> {
    this.#enter(options);
    const found = [...this.#rows.values()].filter((stored) => stored.key.pk === pk);
    return pageOf(found, range, (stored) => stored.key.sk);
  }

  async queryIndex(index: IndexName, pk: string, range: QueryRange, options?: CallOptions): Promise<Page> {
    this.#enter(options);
    const found = [...this.#rows.values()].filter((stored) => stored.index[index]?.pk === pk);
    return pageOf(found, range, (stored) => stored.index[index]!.sk);
  }

  async waitForChange(
    key: Key,
    revision: number | undefined,
    timeoutMs: number,
    options?: CallOptions,
  ): Promise<Row | undefined> {
    this.#enter(options);
    checkKey(key);
    const name = nameOf(key);
    const signal = options?.signal;
    if (this.#rows.get(name)?.revision === revision && timeoutMs > 0) {
      await new Promise<void>((resolve, reject) => {
        const watchers = this.#watchers.get(name) ?? new Set();
        const leave = () => {
          watchers.delete(wake);
          if (watchers.size === 0) this.#watchers.delete(name);
          clearTimeout(timer);
          signal?.removeEventListener("abort", abort);
        };
        const wake = () => {
          if (this.#rows.get(name)?.revision === revision && !this.#closed) return;
          leave();
          resolve();
        };
        const abort = () => {
          leave();
          reject(signal?.reason);
        };
        const timer = setTimeout(
          () => {
            leave();
            resolve();
          },
          Math.min(timeoutMs, 2 ** 31 - 1),
        );
        watchers.add(wake);
        this.#watchers.set(name, watchers);
        signal?.addEventListener("abort", abort, { once: true });
      });
    }
    this.#enter(options);
    return rowOf(this.#rows.get(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const name of [...this.#watchers.keys()]) this.#wake(name);
  }

  #enter(options: CallOptions | undefined): void {
    options?.signal?.throwIfAborted();
    if (this.#closed) throw new DomainError("unavailable", "the table is closed");
  }

  #wake(name: string): void {
    for (const watcher of [...(this.#watchers.get(name) ?? [])]) watcher();
  }
}

const compareKeys = (a: Key, b: Key) => compareText(a.pk, b.pk) || compareText(a.sk, b.sk);

function pageOf(found: readonly Stored[], range: QueryRange, sortKeyOf: (stored: Stored) => string): Page {
  const sign = range.descending ? -1 : 1;
  // Rows with the same sort key in an index are told apart by their own key.
  const compare = (a: readonly [string, Key], b: readonly [string, Key]) =>
    sign * (compareText(a[0], b[0]) || compareKeys(a[1], b[1]));
  const after = range.cursor === undefined ? undefined : (JSON.parse(range.cursor) as [string, Key]);
  const limit = range.limit ?? 100;
  const hits = found
    .map((stored) => ({ stored, at: [sortKeyOf(stored), stored.key] as const }))
    .filter(({ at: [sk] }) => sk.startsWith(range.prefix ?? ""))
    .filter(({ at: [sk] }) => range.from === undefined || compareText(sk, range.from) >= 0)
    .filter(({ at: [sk] }) => range.before === undefined || compareText(sk, range.before) < 0)
    .filter(({ at }) => after === undefined || compare(at, after) > 0)
    .sort((a, b) => compare(a.at, b.at));
  const rows = hits.slice(0, limit).map(({ stored }) => rowOf(stored)!);
  const last = hits[limit - 1];
  return hits.length > limit && last ? { rows, cursor: JSON.stringify(last.at) } : { rows };
}
