// Many things at once, and how they end.

import { forEachAtOnce } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { sleep } from "./waiting.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("forEachAtOnce", () => {
  it("does everything, never more at once than its width", async () => {
    const done: number[] = [];
    let running = 0;
    let most = 0;
    await forEachAtOnce([1, 2, 3, 4, 5, 6, 7], 3, undefined, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await turn();
      done.push(item);
      running -= 1;
    });
    expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  it("rejects with the first error, begins nothing after it and leaves nothing running", async () => {
    const begun: number[] = [];
    let running = 0;
    const all = forEachAtOnce([1, 2, 3, 4, 5, 6], 2, undefined, async (item, signal) => {
      begun.push(item);
      running += 1;
      try {
        await turn();
        if (item === 2) throw new Error("the second");
        await turn();
        signal.throwIfAborted();
      } finally {
        running -= 1;
      }
    });
    await expect(all).rejects.toThrow("the second");
    expect(begun).toEqual([1, 2]);
    expect(running).toBe(0);
  });

  it("rejects with the signal's reason", async () => {
    const abort = new AbortController();
    const all = forEachAtOnce([1, 2], 1, abort.signal, (_, signal) => sleep(100_000, signal));
    abort.abort(new Error("client left"));
    await expect(all).rejects.toThrow("client left");
  });
});
