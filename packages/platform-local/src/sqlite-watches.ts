// Who waits for which row to change. One timer for all of them, and only while there is anybody.
import type { Key } from "@sortie/core";
import type { PackedRow } from "./sqlite-protocol.ts";

/** How often other processes' commits are looked for, in milliseconds; half of the 20 ms that a follower may wait. */
const POLL_MS = 10;

export interface WatchedRows {
  dataVersion(): number;
  revision(key: Key): number | undefined;
  row(key: Key): PackedRow | undefined;
}

interface Watched {
  readonly key: Key;
  /** Watch id → the revision that it knows. */
  readonly watches: Map<number, number | undefined>;
}

const nameOf = (key: Key) => JSON.stringify([key.pk, key.sk]);

export class Watches {
  readonly #rows: WatchedRows;
  readonly #changed: (ids: readonly number[], row: PackedRow | undefined) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #names = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #version: number | undefined;

  /** @param changed told once per row that changed; the watches it names are over */
  constructor(rows: WatchedRows, changed: (ids: readonly number[], row: PackedRow | undefined) => void) {
    this.#rows = rows;
    this.#changed = changed;
  }

  /** The row must have had this revision after the last call of `check`, in the same turn of the event loop. */
  add(id: number, key: Key, revision: number | undefined): void {
    const name = nameOf(key);
    let watched = this.#watched.get(name);
    if (!watched) {
      watched = { key, watches: new Map() };
      this.#watched.set(name, watched);
    }
    watched.watches.set(id, revision);
    this.#names.set(id, name);
    this.#timer ??= setInterval(() => this.#poll(), POLL_MS);
  }

  delete(id: number): void {
    const name = this.#names.get(id);
    if (name === undefined) return;
    this.#names.delete(id);
    const watched = this.#watched.get(name)!;
    watched.watches.delete(id);
    if (watched.watches.size === 0) this.#watched.delete(name);
    if (this.#names.size === 0) this.close();
  }

  /** Looks at these rows, which this process has just written. */
  check(keys: readonly Key[]): void {
    if (this.#names.size === 0) return;
    for (const name of new Set(keys.map(nameOf))) {
      const watched = this.#watched.get(name);
      if (watched) this.#look(watched);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#version = undefined;
  }

  #poll(): void {
    try {
      const version = this.#rows.dataVersion();
      if (version === this.#version) return;
      for (const watched of [...this.#watched.values()]) this.#look(watched);
      // Only now: what could not be looked at is looked at again.
      if (this.#timer) this.#version = version;
    } catch {
      // Held by another process, or out of order: the next poll tries again, and waiters have their time limits.
    }
  }

  #look({ key, watches }: Watched): void {
    const revision = this.#rows.revision(key);
    const ids = [...watches].filter(([, known]) => known !== revision).map(([id]) => id);
    if (ids.length === 0) return;
    const row = this.#rows.row(key);
    for (const id of ids) this.delete(id);
    this.#changed(ids, row);
  }
}
