// Rules of the machine's clock and ids.
import { describe, expect, it } from "vitest";
import { systemClock, systemIds } from "./system.ts";

const VERSION_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("systemIds", () => {
  it("random ids are version-4 UUIDs and differ", () => {
    const ids = Array.from({ length: 100 }, () => systemIds.random());
    for (const id of ids) expect(id).toMatch(VERSION_4);
    expect(new Set(ids).size).toBe(100);
  });

  it("a text determines its id, and other texts have others", () => {
    expect(systemIds.derived("tenant/key")).toBe(systemIds.derived("tenant/key"));
    expect(systemIds.derived("tenant/key")).not.toBe(systemIds.derived("tenant/kez"));
    for (const text of ["", "a", "é", "x".repeat(1000)]) expect(systemIds.derived(text)).toMatch(VERSION_4);
  });
});

describe("systemClock", () => {
  it("sleeps for no less than the time", async () => {
    const start = performance.now();
    await systemClock.sleep(5);
    // A timer may fire up to a millisecond early.
    expect(performance.now() - start).toBeGreaterThanOrEqual(4);
    await systemClock.sleep(0);
    await systemClock.sleep(-1);
  });

  it("an aborted sleep rejects with the signal's reason", async () => {
    const abort = new AbortController();
    const sleep = systemClock.sleep(1e9, abort.signal);
    abort.abort(new Error("enough"));
    await expect(sleep).rejects.toThrow("enough");
    await expect(systemClock.sleep(1, abort.signal)).rejects.toThrow("enough");
  });

  it("can sleep for longer than one timer can wait", async () => {
    const abort = new AbortController();
    let woke = false;
    const sleep = systemClock.sleep(2 ** 40, abort.signal).then(() => {
      woke = true;
    });
    await systemClock.sleep(5);
    expect(woke).toBe(false);
    abort.abort(new Error("enough"));
    await expect(sleep).rejects.toThrow("enough");
  });
});
