// The caller's end of a solver thread.
import { Worker } from "node:worker_threads";
import { EngineError } from "../engine.ts";
import { threadProgram } from "./highs-files.ts";
import type { SolveOrder, ThreadData, ThreadMessage } from "./highs-protocol.ts";
import type { CompiledModule } from "./web-assembly.ts";

/** Told what a thread says; `onEnd` comes once, after the last message, when the thread is gone. */
export interface ThreadListener {
  onMessage(message: ThreadMessage): void;
  onEnd(error: Error | undefined): void;
}

export class HighsThread {
  /** Capacity of the solver's memory after the last solve. */
  memoryBytes = 0;
  /** Whether the thread is gone or on its way out. */
  ended = false;
  listener: ThreadListener | undefined;
  readonly #worker: Worker;
  readonly #gone: Promise<void>;
  #error: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (message: ThreadMessage) => {
      if ("memoryBytes" in message) this.memoryBytes = message.memoryBytes;
      this.listener?.onMessage(message);
    });
    worker.on("error", (error) => {
      this.#error = error instanceof Error ? error : new Error(String(error));
    });
    this.#gone = new Promise((resolve) => {
      // Node delivers what the thread posted before it tells that the thread is gone.
      worker.on("exit", () => {
        this.ended = true;
        this.listener?.onEnd(this.#error);
        resolve();
      });
    });
  }

  /** @throws EngineError when the thread or the solver in it does not start */
  static start(module: CompiledModule): Promise<HighsThread> {
    const data: ThreadData = { module };
    const worker = new Worker(threadProgram(), { workerData: data });
    const thread = new HighsThread(worker);
    return new Promise((resolve, reject) => {
      thread.listener = {
        onMessage() {
          thread.listener = undefined;
          worker.unref();
          resolve(thread);
        },
        onEnd(error) {
          reject(new EngineError(`HiGHS did not start: ${error?.message ?? "its thread ended"}`, { cause: error }));
        },
      };
    });
  }

  /** Gives an order; the thread keeps the process alive until `rest` is called. */
  post(order: SolveOrder, transfer: ArrayBuffer[]): void {
    this.#worker.ref();
    this.#worker.postMessage(order, transfer);
  }

  rest(): void {
    this.listener = undefined;
    this.#worker.unref();
  }

  /** Ends the thread wherever it is. What it posted before is delivered first. */
  async end(): Promise<void> {
    this.ended = true;
    this.#worker.ref();
    await this.#worker.terminate();
    await this.#gone;
  }
}
