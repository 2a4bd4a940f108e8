// Rules of a solve as the caller sees it, with a thread that is played: what holds when the thread breaks or hangs.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EngineError, type Incumbent, type MipSolution } from "../engine.ts";
import { resolveSettings } from "../settings.ts";
import type { SolveOrder, ThreadMessage } from "./highs-protocol.ts";
import type { HighsThread, ThreadListener } from "./highs-thread-handle.ts";
import { ThreadSolve } from "./highs-thread-solve.ts";
import { problem } from "./testing/problems.ts";

/** Says what it is told to say; ends when it is asked to, or hangs in its end. */
class PlayedThread {
  listener: ThreadListener | undefined;
  order: SolveOrder | undefined;
  ended = false;
  hangs = false;
  post(order: SolveOrder): void {
    this.order = order;
  }
  rest(): void {
    this.listener = undefined;
  }
  async end(): Promise<void> {
    this.ended = true;
    if (!this.hangs) this.listener?.onEnd(undefined);
  }
  say(message: ThreadMessage): void {
    this.listener?.onMessage(message);
  }
  stopWord(): number {
    return new Int32Array(this.order!.stop)[0]!;
  }
}

const reason = new Error("enough");
const violations = { maxRowViolation: 1e-9, maxBoundViolation: 0, maxIntegralityViolation: 1e-7 };
const incumbent = (): Incumbent => ({ objective: 10, assignment: Float64Array.of(4, 0), bound: 8, seconds: 1 });

function start(kind: "lp" | "mip", limit = Infinity, signal?: AbortSignal) {
  const thread = new PlayedThread();
  const lines: string[] = [];
  const incumbents: Incumbent[] = [];
  const solve = new ThreadSolve(
    thread as unknown as HighsThread,
    problem({ objective: [1, 1], names: ["x", "y"] }),
    {
      kind,
      settings: resolveSettings(kind, new Map([[kind === "lp" ? 9 : 1, limit]]), "default"),
      hooks: { onLog: (line) => lines.push(line), onIncumbent: (found) => incumbents.push(found) },
      signal,
    },
    30,
  );
  return { thread, lines, incumbents, result: solve.result };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a thread that breaks", () => {
  it("is ended, and the fault is told as one of the engine", async () => {
    const { thread, result } = start("lp");
    thread.say({ type: "broken", text: "Aborted()", memoryBytes: 2 ** 25 });
    await expect(result).rejects.toThrow(EngineError);
    expect(thread.ended).toBe(true);
  });

  it("for want of memory says so", async () => {
    const { thread, result } = start("lp");
    thread.say({ type: "broken", text: "Aborted()", memoryBytes: 2 ** 31 - 65536 });
    await expect(result).rejects.toThrow(/HiGHS ran out of memory .*2 GiB/);
  });

  it("and vanishes without a word fails the solve", async () => {
    const { thread, result } = start("lp");
    thread.listener?.onEnd(new Error("out of heap"));
    await expect(result).rejects.toThrow(/HiGHS broke: out of heap/);
  });
});

describe("a thread that reports a fault of the model", () => {
  it("names the variable", async () => {
    const { thread, result } = start("mip");
    thread.say({ type: "invalid", text: "is odd", variable: 1, memoryBytes: 1 });
    await expect(result).rejects.toThrow("variable 1 (y) is odd");
    expect(thread.ended).toBe(false);
  });
});

describe("a thread that does not keep its time limit", () => {
  it("is asked first, then ended, and the best incumbent is the answer", async () => {
    const { thread, result, lines } = start("mip", 20);
    thread.say({ type: "incumbent", incumbent: incumbent(), violations });
    thread.say({ type: "progress", progress: { seconds: 2, bound: 9, nodes: 7, iterations: 70 } });
    await vi.advanceTimersByTimeAsync(20_999);
    expect([thread.stopWord(), thread.ended]).toEqual([0, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect([thread.stopWord(), thread.ended]).toEqual([2, false]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(thread.ended).toBe(true);
    const solution = (await result) as MipSolution;
    expect(solution).toMatchObject({
      termination: "time-limit",
      objective: 10,
      bound: 9,
      gap: 0.1,
      nodes: 7,
      maxConstraintViolation: 1e-9,
      maxIntegralityViolation: 1e-7,
    });
    expect([...solution.solution]).toEqual([4, 0]);
    expect(lines).toContain("Time limit reached.");
  });

  it("without an incumbent leaves the arrays empty", async () => {
    for (const kind of ["lp", "mip"] as const) {
      const { result } = start(kind, 1);
      await vi.advanceTimersByTimeAsync(2000);
      expect(await result).toMatchObject({ kind, termination: "time-limit" });
    }
  });
});

describe("cancelling", () => {
  it("is left to the thread while it answers in time", async () => {
    const controller = new AbortController();
    const { thread, result } = start("mip", Infinity, controller.signal);
    controller.abort(reason);
    expect(thread.stopWord()).toBe(1);
    thread.say({ type: "cancelled", memoryBytes: 1 });
    await expect(result).rejects.toBe(reason);
    expect(thread.ended).toBe(false);
  });

  it("ends a thread that does not answer, after it has been heard", async () => {
    const controller = new AbortController();
    const { thread, result, incumbents } = start("mip", Infinity, controller.signal);
    controller.abort(reason);
    thread.say({ type: "incumbent", incumbent: incumbent(), violations });
    const told = expect(result).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(30);
    await told;
    expect(thread.ended).toBe(true);
    expect(incumbents).toHaveLength(1);
  });

  it("does not wait for the last breath of the thread", async () => {
    const controller = new AbortController();
    const { thread, result } = start("mip", Infinity, controller.signal);
    thread.hangs = true;
    controller.abort(reason);
    const told = expect(result).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(60);
    await told;
  });
});
