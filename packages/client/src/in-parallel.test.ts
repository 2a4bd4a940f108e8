// Rules of work that is done a few items at a time.
import { describe, expect, it } from "vitest";
import { inParallel } from "./in-parallel.ts";

/** Tasks that end when they are told to. */
function gate() {
  const waiting: { readonly item: number; readonly open: () => void; readonly fail: (error: Error) => void }[] = [];
  const task = (item: number, signal: AbortSignal) =>
    new Promise<void>((open, fail) => {
      waiting.push({ item, open, fail });
      signal.addEventListener("abort", () => fail(signal.reason), { once: true });
    });
  return { waiting, task };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("work in parallel", () => {
  it("has no more items under way than its width, and begins them in order", async () => {
    const { waiting, task } = gate();
    const done = inParallel([1, 2, 3], { width: 2 }, task);
    await turn();
    expect(waiting.map(({ item }) => item)).toEqual([1, 2]);
    waiting[1]?.open();
    await turn();
    expect(waiting.map(({ item }) => item)).toEqual([1, 2, 3]);
    for (const { open } of waiting) open();
    await done;
  });

  it("has no more bytes under way than its budget, but always one item", async () => {
    const { waiting, task } = gate();
    const done = inParallel([5, 4, 1, 100, 1], { width: 9, bytes: 10, bytesOf: (item) => item }, task);
    const started = () => waiting.map(({ item }) => item);
    await turn();
    expect(started()).toEqual([5, 4, 1]);
    waiting[0]?.open();
    waiting[1]?.open();
    await turn();
    expect(started()).toEqual([5, 4, 1]);
    waiting[2]?.open();
    await turn();
    expect(started()).toEqual([5, 4, 1, 100]);
    waiting[3]?.open();
    await turn();
    expect(started()).toEqual([5, 4, 1, 100, 1]);
    waiting[4]?.open();
    await done;
  });

  it("aborts all that is under way when one item fails, begins no more, and throws that failure", async () => {
    const { waiting, task } = gate();
    const done = inParallel([1, 2, 3], { width: 2 }, task);
    await turn();
    waiting[0]?.fail(new Error("one is broken"));
    await expect(done).rejects.toThrow("one is broken");
    expect(waiting).toHaveLength(2);
  });

  it("ends with the reason of its signal", async () => {
    const leaving = new AbortController();
    const { waiting, task } = gate();
    const done = inParallel([1, 2, 3], { width: 1, signal: leaving.signal }, task);
    await turn();
    leaving.abort(new Error("enough"));
    await expect(done).rejects.toThrow("enough");
    expect(waiting).toHaveLength(1);
    await expect(inParallel([1], { width: 1, signal: leaving.signal }, task)).rejects.toThrow("enough");
  });
});
