// Rules of pauses and of signals that follow others.
import { describe, expect, it, vi } from "vitest";
import { linkedController, pause } from "./signals.ts";

describe("a pause", () => {
  it("ends early when it is woken, and leaves no timer", async () => {
    const clear = vi.spyOn(globalThis, "clearTimeout");
    const waker = new AbortController();
    const waiting = pause(3_600_000, undefined, waker.signal);
    waker.abort();
    await waiting;
    expect(clear).toHaveBeenCalled();
    clear.mockRestore();
  });

  it("rejects with the reason of its signal", async () => {
    const reason = new Error("enough");
    const leaving = new AbortController();
    const waiting = pause(3_600_000, leaving.signal);
    leaving.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(pause(0, leaving.signal)).rejects.toBe(reason);
  });

  it("does not begin when it was woken before", async () => {
    await pause(3_600_000, undefined, AbortSignal.abort());
  });
});

describe("a linked controller", () => {
  it("is aborted with any of its parents, with their reason", () => {
    const [first, second] = [new AbortController(), new AbortController()];
    using linked = linkedController(first.signal, undefined, second.signal);
    second.abort("two");
    first.abort("one");
    expect(linked.signal.reason).toBe("two");
  });

  it("is aborted from the beginning if a parent was", () => {
    using linked = linkedController(AbortSignal.abort("before"));
    expect(linked.signal.reason).toBe("before");
  });

  it("listens no longer once it was disposed of", () => {
    const parent = new AbortController();
    const linked = linkedController(parent.signal);
    linked[Symbol.dispose]();
    parent.abort();
    expect(linked.signal.aborted).toBe(false);
  });
});
