// Rules of the clock that tests move by hand.
import { describe, expect, it } from "vitest";
import { ManualClock } from "./manual-clock.ts";

describe("ManualClock", () => {
  it("stands still until it is advanced", async () => {
    const clock = new ManualClock(1000);
    expect(clock.now()).toBe(1000);
    await clock.advance(5);
    expect(clock.now()).toBe(1005);
  });

  it("wakes sleepers in the order of their times, each at its own time", async () => {
    const clock = new ManualClock(0);
    const seen: [string, number][] = [];
    void clock.sleep(30).then(() => seen.push(["late", clock.now()]));
    void clock.sleep(10).then(async () => {
      seen.push(["early", clock.now()]);
      await clock.sleep(10);
      seen.push(["again", clock.now()]);
    });
    await clock.advance(29);
    expect(seen).toEqual([
      ["early", 10],
      ["again", 20],
    ]);
    await clock.advance(1);
    expect(seen.at(-1)).toEqual(["late", 30]);
  });

  it("rejects an aborted sleep with the signal's reason and forgets it", async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const sleep = clock.sleep(10, abort.signal);
    abort.abort(new Error("enough"));
    await expect(sleep).rejects.toThrow("enough");
    await expect(clock.sleep(10, abort.signal)).rejects.toThrow("enough");
    expect(clock.sleeping).toBe(0);
  });
});
