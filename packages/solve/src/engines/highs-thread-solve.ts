// One solve on a thread, from the caller's side: hooks, cancel, watchdog, and an answer when the thread cannot give one.
import { relativeMipGap } from "../check.ts";
import { EngineError, type Incumbent, type Solution, type SolveOptions, type SolveProgress } from "../engine.ts";
import { highsMemoryLimitBytes } from "../model/estimate.ts";
import { type Problem, ValidationError } from "../problem.ts";
import { variableLabel } from "./highs-model.ts";
import { timeLimitOf } from "./highs-options.ts";
import { Stop, type ThreadMessage, type Violations } from "./highs-protocol.ts";
import type { HighsThread } from "./highs-thread-handle.ts";
import { lpWithout } from "./lp-outcome.ts";
import { mipWithout } from "./mip-outcome.ts";
import { summaryLines } from "./summary.ts";

/** Longest delay that a timer takes, in seconds; beyond it no watchdog is needed. */
const longestTimer = 2 ** 31 / 1000 - 1;

export class ThreadSolve {
  readonly result: Promise<Solution>;
  readonly #thread: HighsThread;
  readonly #problem: Problem;
  readonly #options: SolveOptions;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #started = performance.now();
  #best: { incumbent: Incumbent; violations: Violations } | undefined;
  #progress: SolveProgress | undefined;
  /** Set when the thread is being ended by us. */
  #ending: (() => void) | undefined;
  #resolve: (solution: Solution) => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;

  /** The signal has not been aborted yet. */
  constructor(thread: HighsThread, problem: Problem, options: SolveOptions, cancelGraceMs: number) {
    this.#thread = thread;
    this.#options = options;
    // What a result without the thread needs; the arrays go over to the thread.
    this.#problem = { ...problem };
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const onAbort = (): void => this.#cancel(cancelGraceMs);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const settled = (): void => {
      options.signal?.removeEventListener("abort", onAbort);
      for (const timer of this.#timers) clearTimeout(timer);
      thread.rest();
    };
    this.result.then(settled, settled);

    thread.listener = {
      onMessage: (message) => this.#take(message),
      onEnd: (error) => {
        if (this.#ending !== undefined) this.#ending();
        else this.#reject(broken(error?.message ?? "its thread ended"));
      },
    };
    const { variableNames: _names, rowNames: _rows, ...bare } = problem;
    const { order, transfer } = withTransfer(bare);
    thread.post(
      { problem: order, kind: options.kind, settings: options.settings, stop: this.#stop.buffer as SharedArrayBuffer },
      transfer,
    );
    this.#watch();
  }

  #take(message: ThreadMessage): void {
    const { hooks } = this.#options;
    switch (message.type) {
      case "ready":
        return;
      case "log":
        hooks?.onLog?.(message.line);
        return;
      case "progress":
        this.#progress = message.progress;
        hooks?.onProgress?.(message.progress);
        return;
      case "incumbent":
        this.#best = message;
        hooks?.onIncumbent?.(message.incumbent);
        return;
      case "solved":
        this.#resolve(message.solution);
        return;
      case "cancelled":
        this.#reject(this.#options.signal?.reason);
        return;
      case "invalid": {
        const about = message.variable === undefined ? "" : `${variableLabel(this.#problem, message.variable)} `;
        this.#reject(new ValidationError(about + message.text));
        return;
      }
      case "failed":
        this.#reject(new EngineError(message.text));
        return;
      case "broken": {
        const error = broken(message.text, message.memoryBytes);
        this.#end(() => this.#reject(error));
      }
    }
  }

  /**
   * Asks the thread to stop; ends it when it does not answer in time. A thread that is being ended says nothing more,
   * and what it said before has come long before the second timer; its last breath may take longer on a busy machine.
   */
  #cancel(graceMs: number): void {
    Atomics.store(this.#stop, 0, Stop.cancelled);
    const reject = (): void => this.#reject(this.#options.signal?.reason);
    this.#timers.push(
      setTimeout(() => this.#end(reject), graceMs),
      setTimeout(reject, 2 * graceMs),
    );
  }

  /** HiGHS keeps its time limit itself, but some of its steps are long and do not look at the clock. */
  #watch(): void {
    const limit = timeLimitOf(this.#options.settings);
    const grace = Math.max(1, 0.1 * limit);
    if (limit + grace > longestTimer) return;
    const ask = (): number => Atomics.compareExchange(this.#stop, 0, Stop.no, Stop.timeOver);
    this.#timers.push(
      setTimeout(ask, (limit + grace / 2) * 1000),
      setTimeout(() => this.#end(() => this.#timeOver()), (limit + grace) * 1000),
    );
  }

  /** The time limit has passed and the thread is gone: what is known is the answer. */
  #timeOver(): void {
    const solution = this.#knownSolution();
    for (const line of summaryLines(solution)) this.#options.hooks?.onLog?.(line);
    this.#resolve(solution);
  }

  #knownSolution(): Solution {
    const context = { problem: this.#problem, seconds: () => (performance.now() - this.#started) / 1000 };
    const message = "The solver did not keep the time limit and was ended.";
    if (this.#options.kind === "lp") return lpWithout(context, "time-limit", message);
    const effort = { nodes: this.#progress?.nodes, simplexIterations: this.#progress?.iterations };
    const without = mipWithout(context, "time-limit", message, { ...effort, bound: this.#progress?.bound });
    if (this.#best === undefined) return without;
    const { incumbent, violations } = this.#best;
    const bound = this.#progress?.bound ?? (Number.isNaN(incumbent.bound) ? without.bound : incumbent.bound);
    return {
      ...without,
      solution: incumbent.assignment.slice(),
      objective: incumbent.objective,
      bound,
      gap: relativeMipGap(incumbent.objective, bound),
      maxConstraintViolation: violations.maxRowViolation,
      maxIntegralityViolation: violations.maxIntegralityViolation,
      maxVariableBoundViolation: violations.maxBoundViolation,
    };
  }

  /** Ends the thread; `then` runs when everything that it said has been heard. */
  #end(then: () => void): void {
    if (this.#ending !== undefined) return;
    this.#ending = then;
    void this.#thread.end();
  }
}

/** An abort carries no reason; with most of the memory taken it is the memory. */
function broken(text: string, memoryBytes = 0): EngineError {
  const memory = memoryBytes > highsMemoryLimitBytes / 2 || /memory|alloc|enlarge/i.test(text);
  const what = memory
    ? "HiGHS ran out of memory (as WebAssembly it can use 2 GiB); reduce or split the model"
    : "HiGHS broke";
  return new EngineError(`${what}: ${text}`);
}

/** The problem in a form that can be posted: whole buffers are handed over, views of larger ones are copied first. */
function withTransfer(problem: Problem): { order: Problem; transfer: ArrayBuffer[] } {
  const transfer = new Set<ArrayBuffer>();
  const own = <T extends Int32Array | Float64Array>(array: T): T => {
    const whole = array.buffer instanceof ArrayBuffer && array.byteLength === array.buffer.byteLength;
    const kept = whole ? array : (array.slice() as T);
    transfer.add(kept.buffer as ArrayBuffer);
    return kept;
  };
  const order: Record<string, unknown> = { ...problem };
  for (const [name, value] of Object.entries(problem)) {
    if (value instanceof Float64Array || value instanceof Int32Array) order[name] = own(value);
  }
  for (const name of ["matrix", "quadratic"] as const) {
    const matrix = problem[name];
    if (matrix === undefined) continue;
    order[name] = { offsets: own(matrix.offsets), indices: own(matrix.indices), values: own(matrix.values) };
  }
  return { order: order as unknown as Problem, transfer: [...transfer] };
}
