// Rules of the semaphore.
import { describe, expect, it } from "vitest";
import { Semaphore } from "./semaphore.ts";

describe("Semaphore", () => {
  it("lets no more in than it has permits, in the order of their coming", async () => {
    const semaphore = new Semaphore(2);
    const order: number[] = [];
    let inside = 0;
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        using _permit = await semaphore.acquire(undefined);
        inside += 1;
        expect(inside).toBeLessThanOrEqual(2);
        order.push(i);
        await new Promise(setImmediate);
        inside -= 1;
      }),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("an aborted wait takes no permit", async () => {
    const semaphore = new Semaphore(1);
    const held = await semaphore.acquire(undefined);
    const abort = new AbortController();
    const wait = semaphore.acquire(abort.signal);
    abort.abort(new Error("enough"));
    await expect(wait).rejects.toThrow("enough");
    held[Symbol.dispose]();
    held[Symbol.dispose]();
    using _ = await semaphore.acquire(undefined);
  });
});
