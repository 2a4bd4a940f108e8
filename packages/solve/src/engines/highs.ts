// HiGHS as an engine: a thread of its own that is kept between solves, stopped on request and replaced when it breaks.
import { readFile } from "node:fs/promises";
import { type Engine, EngineError, type Solution, type SolveOptions } from "../engine.ts";
import { assertFits } from "../model/estimate.ts";
import type { Problem } from "../problem.ts";
import { runtimeFile } from "./highs-files.ts";
import { HighsThread } from "./highs-thread-handle.ts";
import { ThreadSolve } from "./highs-thread-solve.ts";
import { type CompiledModule, compile } from "./web-assembly.ts";

export interface HighsEngineOptions {
  /**
   * Bytes of solver memory above which the thread is replaced after a solve; WebAssembly memory never shrinks.
   * Default 256 MiB.
   */
  readonly recycleBytes?: number | undefined;
  /** Milliseconds that a cancelled solve gets to stop by itself before its thread is ended. Default 30. */
  readonly cancelGraceMs?: number | undefined;
}

/**
 * An engine that solves one problem at a time, in the order of the calls; further calls wait.
 * Its thread does not keep the process alive while nothing is being solved.
 */
export function createHighsEngine(options: HighsEngineOptions = {}): Engine {
  return new HighsEngine(options);
}

/** Compiling takes tens of milliseconds and the result serves every thread of the process. */
let compiled: Promise<CompiledModule> | undefined;

function solverModule(): Promise<CompiledModule> {
  compiled ??= readFile(runtimeFile()).then(compile);
  return compiled;
}

class HighsEngine implements Engine {
  readonly name = "highs";
  readonly #recycleBytes: number;
  readonly #cancelGraceMs: number;
  #thread: Promise<HighsThread> | undefined;
  /** Threads that have been told to end and have not ended yet. */
  readonly #leaving = new Set<Promise<void>>();
  /** Ends when the last solve that was asked for has ended. */
  #lastSolve: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(options: HighsEngineOptions) {
    this.#recycleBytes = options.recycleBytes ?? 256 * 2 ** 20;
    this.#cancelGraceMs = options.cancelGraceMs ?? 30;
  }

  async warm(): Promise<void> {
    await this.#ready();
  }

  solve(problem: Problem, options: SolveOptions): Promise<Solution> {
    const signals = [this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(signals);
    const before = this.#lastSolve;
    const solved = (async () => {
      await untilAborted(before, signal);
      const thread = await untilAborted(this.#ready(), signal);
      signal.throwIfAborted();
      return await this.#solveOn(thread, problem, { ...options, signal });
    })();
    // The next solve waits for this one and for what came before it: a solve that is cancelled while it waits ends early.
    this.#lastSolve = Promise.allSettled([before, solved]);
    return solved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new EngineError("the engine was closed"));
    await this.#lastSolve;
    const thread = await this.#thread?.catch(() => undefined);
    this.#thread = undefined;
    await thread?.end();
    await Promise.all(this.#leaving);
  }

  async #solveOn(thread: HighsThread, problem: Problem, options: SolveOptions): Promise<Solution> {
    const { rows, columns, matrix, quadratic } = problem;
    const quadraticNonzeros = quadratic?.values.length ?? 0;
    assertFits(options.kind, { rows, columns, nonzeros: matrix.values.length, quadraticNonzeros });
    const solve = new ThreadSolve(thread, problem, options, this.#cancelGraceMs);
    try {
      return await solve.result;
    } finally {
      if (thread.ended || thread.memoryBytes > this.#recycleBytes) this.#replace(thread);
    }
  }

  #replace(thread: HighsThread): void {
    const gone = thread.end();
    this.#leaving.add(gone);
    void gone.then(() => this.#leaving.delete(gone));
    this.#thread = undefined;
    // The next solve should find a warm thread; a failure to start one is that solve's to report.
    if (!this.#closing.signal.aborted) this.#ready().catch(() => undefined);
  }

  #ready(): Promise<HighsThread> {
    const current = this.#thread ?? this.#start();
    return current.then((thread) => {
      if (!thread.ended) return thread;
      // It ended while nothing was asked of it.
      if (this.#thread === current) this.#thread = undefined;
      return this.#ready();
    });
  }

  #start(): Promise<HighsThread> {
    const starting = solverModule().then((module) => HighsThread.start(module));
    this.#thread = starting;
    starting.catch(() => {
      if (this.#thread === starting) this.#thread = undefined;
    });
    return starting;
  }
}

/** The promise's outcome, or a rejection with the signal's reason as soon as the signal is aborted. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let leave: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (leave !== undefined) signal.removeEventListener("abort", leave);
  }
}
