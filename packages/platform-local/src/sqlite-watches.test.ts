// Rules of watches: one timer for all, and none while nobody waits.
import type { Key } from "@sortie/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PackedRow } from "./sqlite-protocol.ts";
import { Watches } from "./sqlite-watches.ts";

describe("Watches", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const key = (sk: string): Key => ({ pk: "p", sk });
  const world = () => {
    const revisions = new Map<string, number>();
    const told: [readonly number[], number | undefined][] = [];
    const state = { version: 1, broken: false };
    const rows = {
      dataVersion: () => {
        if (state.broken) throw new Error("busy");
        return state.version;
      },
      revision: ({ sk }: Key) => revisions.get(sk),
      row: ({ pk, sk }: Key): PackedRow | undefined => {
        const revision = revisions.get(sk);
        return revision === undefined ? undefined : { pk, sk, revision, index: {}, attributes: "{}", sets: "{}" };
      },
    };
    const watches = new Watches(rows, (ids, row) => told.push([ids, row?.revision]));
    return { revisions, told, state, watches };
  };

  it("run a timer only while somebody waits", () => {
    const { watches } = world();
    expect(vi.getTimerCount()).toBe(0);
    watches.add(1, key("a"), undefined);
    watches.add(2, key("b"), undefined);
    expect(vi.getTimerCount()).toBe(1);
    watches.delete(1);
    watches.delete(1);
    expect(vi.getTimerCount()).toBe(1);
    watches.delete(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("tell of another process's commit within 20 ms, once, to all who wait for that row", () => {
    const { watches, revisions, told, state } = world();
    revisions.set("a", 5).set("b", 1);
    watches.add(1, key("a"), 5);
    watches.add(2, key("a"), 5);
    watches.add(3, key("b"), 1);
    vi.advanceTimersByTime(100);
    expect(told).toEqual([]);
    revisions.set("a", 6);
    state.version += 1;
    vi.advanceTimersByTime(20);
    expect(told).toEqual([[[1, 2], 6]]);
    watches.delete(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("tell of this process's write at once", () => {
    const { watches, revisions, told } = world();
    watches.add(1, key("a"), undefined);
    revisions.set("a", 1);
    watches.check([key("b"), key("a"), key("a")]);
    expect(told).toEqual([[[1], 1]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("try again after the database could not be read", () => {
    const { watches, revisions, told, state } = world();
    watches.add(1, key("a"), undefined);
    state.broken = true;
    revisions.set("a", 1);
    vi.advanceTimersByTime(50);
    state.broken = false;
    vi.advanceTimersByTime(20);
    expect(told).toEqual([[[1], 1]]);
  });
});
