// The Dispatcher of one machine: a pool of warm worker processes, one job each at a time, first in, first out.
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { CallOptions, Dispatcher, DispatchRequest, Waiting } from "@sortie/core";
import { DomainError } from "@sortie/core";
import { AdoptedWorkers } from "./adopted-workers.ts";
import { workerLogFile } from "./data-dir.ts";
import { defaultMemoryBudget, sizeInWords } from "./memory-budget.ts";
import { type ExitInfo, inheritedExecArgv, PoolWorker } from "./pool-worker.ts";
import { isRunning, parseIdentity } from "./process-identity.ts";

/** First and longest pause before a worker that keeps failing is started again, in milliseconds. */
const BACK_OFF_MS = { first: 100, longest: 10_000 };

/** A log file larger than this is put aside when the pool starts. */
const LOG_BYTES = 16 * 2 ** 20;

export interface ProcessPoolOptions {
  /** The module that a worker process runs; it speaks pool-protocol.ts. */
  readonly entry: string | URL;
  /** How many jobs run at once, at most. */
  readonly size: number;
  /** Workers write their output to a log file in here. */
  readonly dataDir: string;
  /** Command line of the workers. */
  readonly args?: readonly string[] | undefined;
  /** Flags for Node beside the inherited import conditions. */
  readonly execArgv?: readonly string[] | undefined;
  /** Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Start every worker now rather than when a job needs it. Default true. */
  readonly eager?: boolean | undefined;
  /** What the jobs that run at once may need together, in bytes. Default 80 % of the machine's or container's memory. */
  readonly memoryBudgetBytes?: number | undefined;
  /** A worker that is not ready by then counts as failed. Default 30000. */
  readonly startTimeoutMs?: number | undefined;
  /** A worker has taken its job. */
  readonly onClaimed?: ((worker: string, jobId: string) => void) | undefined;
  /**
   * The worker that had this job has ended; a worker of a previous server is told of with no code and no signal, and may
   * have finished its job.
   */
  readonly onWorkerGone?: ((worker: string, jobId: string, exit: ExitInfo) => void) | undefined;
  /** A worker could not be started or ended without a job. It is tried again, ever more slowly. */
  readonly onError?: ((error: Error) => void) | undefined;
}

export interface PoolStats {
  readonly size: number;
  /** Workers with a job, those of a previous server included. */
  readonly busy: number;
  readonly idle: number;
  readonly queued: number;
}

interface RunningJob {
  readonly request: DispatchRequest;
  stopTimer?: NodeJS.Timeout;
}

interface Slot {
  readonly worker: PoolWorker;
  job: RunningJob | undefined;
}

const nameOf = ({ worker }: Slot) => worker.identity ?? `pid:${worker.pid}`;
const isIdle = ({ worker, job }: Slot) => worker.identity !== undefined && !job;

/** Opens the workers' log file to append; one that has grown large becomes `FILE.old`. */
function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES) renameSync(file, `${file}.old`);
  return openSync(file, "a");
}

/** Dispose of it to stop taking jobs: idle workers leave, busy ones finish their jobs without us and leave then. */
export class ProcessPoolDispatcher implements Dispatcher {
  /** A worker that slept with its machine goes on when both wake up. */
  readonly attemptEndsWith = "lease-and-worker";
  readonly #options: ProcessPoolOptions;
  readonly #budget: number;
  readonly #output: number;
  readonly #slots = new Set<Slot>();
  readonly #adopted: AdoptedWorkers;
  readonly #queue: DispatchRequest[] = [];
  #failures = 0;
  #lastFailure = "";
  #backOffTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: ProcessPoolOptions) {
    if (!Number.isInteger(options.size) || options.size < 1) {
      throw new RangeError(`the pool's size must be a whole number of at least 1, found ${options.size}`);
    }
    this.#options = options;
    this.#budget = options.memoryBudgetBytes ?? defaultMemoryBudget();
    this.#output = openLog(workerLogFile(options.dataDir));
    this.#adopted = new AdoptedWorkers((worker, jobId) => {
      options.onWorkerGone?.(worker, jobId, { code: null, signal: null });
      this.#pump();
    });
    this.#pump();
  }

  stats(): PoolStats {
    const slots = [...this.#slots];
    return {
      size: this.#options.size,
      busy: slots.filter(({ job }) => job).length + this.#adopted.size,
      idle: slots.filter(isIdle).length,
      queued: this.#queue.length,
    };
  }

  /**
   * A job that runs or waits already is not dispatched again, unless a worker still has an earlier attempt of it: the end
   * of that worker may not have been noticed yet.
   */
  async dispatch(request: DispatchRequest, options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    if (this.#closed) throw new DomainError("unavailable", "the worker pool is closed");
    const { jobId, attempt } = request;
    if (this.#queue.some((queued) => queued.jobId === jobId)) return;
    if (this.#adopted.has(jobId)) return;
    const running = this.#slotOf(jobId)?.job?.request;
    if (running && running.attempt >= attempt) return;
    this.#queue.push(request);
    this.#pump();
  }

  /** A job that waits is taken out of the queue: what is asked to stop shall not start. Returns when it has been asked. */
  async stop(jobId: string, graceMs: number, options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    const queued = this.#queue.findIndex((request) => request.jobId === jobId);
    if (queued >= 0) this.#queue.splice(queued, 1);
    this.#adopted.stop(jobId, graceMs);
    const slot = this.#slotOf(jobId);
    const job = slot?.job;
    if (slot && job && !job.stopTimer) {
      slot.worker.send({ type: "stop", jobId });
      job.stopTimer = setTimeout(() => slot.worker.kill(), graceMs);
    }
    this.#pump();
  }

  waiting(jobId: string): Waiting | undefined {
    const position = this.#queue.findIndex((request) => request.jobId === jobId);
    if (position < 0) return undefined;
    const reason =
      position === 0
        ? this.#reasonToWait(this.#queue[0]!)
        : `${position} ${position === 1 ? "job is" : "jobs are"} ahead; the next one waits because ${this.#reasonToWait(this.#queue[0]!)}`;
    return { position, reason };
  }

  async isAlive(worker: string): Promise<"alive" | "gone" | "unknown"> {
    const identity = parseIdentity(worker);
    if (!identity) return "unknown";
    return isRunning(identity) ? "alive" : "gone";
  }

  /**
   * Counts a worker of a previous server, which still has this job, until it is gone.
   * @returns false if that worker does not run any more
   */
  adopt(worker: string, jobId: string, memoryBytes = 0): boolean {
    return !this.#closed && this.#adopted.add(worker, jobId, memoryBytes);
  }

  /** @param kill ends the busy workers as well (for tests) */
  async close({ kill = false }: { readonly kill?: boolean } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    this.#adopted.close();
    clearTimeout(this.#backOffTimer);
    for (const slot of [...this.#slots]) {
      clearTimeout(slot.job?.stopTimer);
      if (slot.job && !kill) {
        slot.worker.release();
        this.#slots.delete(slot);
      } else if (isIdle(slot) && !kill) {
        slot.worker.send({ type: "exit" });
      } else {
        slot.worker.kill();
      }
    }
    if (this.#slots.size > 0) {
      // An idle worker leaves at once; one that does not has nothing to lose.
      const timer = setTimeout(() => {
        for (const { worker } of this.#slots) worker.kill();
      }, 2000);
      await new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
      clearTimeout(timer);
    }
    closeSync(this.#output);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #slotOf(jobId: string): Slot | undefined {
    for (const slot of this.#slots) if (slot.job?.request.jobId === jobId) return slot;
    return undefined;
  }

  #memoryInUse(): number {
    let sum = this.#adopted.memoryBytes;
    for (const { job } of this.#slots) sum += job?.request.memoryBytes ?? 0;
    return sum;
  }

  /** Nothing else running, a job may always start: it would otherwise wait for ever. */
  #fits(request: DispatchRequest): boolean {
    return this.stats().busy === 0 || this.#memoryInUse() + request.memoryBytes <= this.#budget;
  }

  #reasonToWait(head: DispatchRequest): string {
    const { size } = this.#options;
    const { busy } = this.stats();
    if (busy >= size) return size === 1 ? "the only worker is busy" : `all ${size} workers are busy`;
    if (!this.#fits(head)) {
      const used = this.#memoryInUse();
      return (
        `it needs about ${sizeInWords(head.memoryBytes)} of memory; of the ${sizeInWords(this.#budget)} for jobs ` +
        `${sizeInWords(used)} are in use and ${sizeInWords(Math.max(0, this.#budget - used))} are free`
      );
    }
    return this.#failures > 0 ? `workers fail to start: ${this.#lastFailure}` : "a worker is starting";
  }

  /** Starts what can be started: jobs on idle workers, and workers as far as the size allows. */
  #pump(): void {
    if (this.#closed) return;
    for (;;) {
      const head = this.#queue[0];
      // Workers of a previous server take places from ours, idle ones of ours included.
      if (!head || this.stats().busy >= this.#options.size || !this.#fits(head)) break;
      const slot = [...this.#slots].find(isIdle);
      if (!slot) break;
      this.#queue.shift();
      slot.job = { request: head };
      const { jobId, tenant, attempt } = head;
      slot.worker.send({ type: "run", jobId, tenant, attempt });
    }
    if (this.#backOffTimer) return;
    const places = this.#options.size - this.#adopted.size - this.#slots.size;
    const spare = [...this.#slots].filter(({ job }) => !job).length;
    const wanted = (this.#options.eager ?? true) ? places : Math.min(places, this.#queue.length - spare);
    for (let i = 0; i < wanted && !this.#backOffTimer; i += 1) this.#start();
  }

  #start(): void {
    const { entry, args = [], execArgv = [], env = process.env, startTimeoutMs = 30_000 } = this.#options;
    try {
      const worker = new PoolWorker(
        {
          entry: entry instanceof URL ? fileURLToPath(entry) : entry,
          args,
          execArgv: [...inheritedExecArgv(), ...execArgv],
          env,
          output: this.#output,
          startTimeoutMs,
        },
        {
          ready: () => this.#pump(),
          claimed: (_, jobId) => this.#options.onClaimed?.(nameOf(slot), jobId),
          done: (_, jobId) => this.#done(slot, jobId),
          gone: (_, exit, error) => this.#gone(slot, exit, error),
        },
      );
      const slot: Slot = { worker, job: undefined };
      this.#slots.add(slot);
    } catch (error) {
      this.#failed(`a worker could not be started (${(error as Error).message})`, error);
    }
  }

  #done(slot: Slot, jobId: string): void {
    if (slot.job?.request.jobId !== jobId) return;
    clearTimeout(slot.job.stopTimer);
    slot.job = undefined;
    this.#failures = 0;
    if (this.#closed) slot.worker.send({ type: "exit" });
    this.#pump();
  }

  #gone(slot: Slot, exit: ExitInfo, error: Error | undefined): void {
    this.#slots.delete(slot);
    if (this.#closed) {
      if (this.#slots.size === 0) this.#whenEmpty?.();
      return;
    }
    const { job } = slot;
    if (job) {
      clearTimeout(job.stopTimer);
      this.#options.onWorkerGone?.(nameOf(slot), job.request.jobId, exit);
    } else {
      const when = slot.worker.identity === undefined ? "before it was ready" : "while it was idle";
      const how = error?.message ?? (exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`);
      this.#failed(`a worker ended ${when} (${how}); see ${workerLogFile(this.#options.dataDir)}`, error);
    }
    this.#pump();
  }

  /** Without a job to blame, starting another worker at once may go on for ever. */
  #failed(what: string, cause: unknown): void {
    this.#failures += 1;
    this.#lastFailure = what;
    this.#options.onError?.(new Error(what, { cause }));
    // The first one is replaced at once.
    if (this.#failures === 1 || this.#backOffTimer) return;
    const pause = Math.min(BACK_OFF_MS.longest, BACK_OFF_MS.first * 2 ** Math.min(20, this.#failures - 2));
    this.#backOffTimer = setTimeout(() => {
      this.#backOffTimer = undefined;
      this.#pump();
    }, pause);
  }
}
