// Workers of a previous server that still run: no channel leads to them, only their names.
import { isRunning, type ProcessIdentity, parseIdentity } from "./process-identity.ts";

/** How often they are looked at, in milliseconds; only while there are any. */
const POLL_MS = 200;

interface Adopted {
  readonly worker: string;
  readonly identity: ProcessIdentity;
  readonly memoryBytes: number;
  stopTimer?: NodeJS.Timeout;
}

export class AdoptedWorkers {
  readonly #byJob = new Map<string, Adopted>();
  readonly #gone: (worker: string, jobId: string) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(gone: (worker: string, jobId: string) => void) {
    this.#gone = gone;
  }

  get size(): number {
    return this.#byJob.size;
  }

  get memoryBytes(): number {
    let sum = 0;
    for (const { memoryBytes } of this.#byJob.values()) sum += memoryBytes;
    return sum;
  }

  has(jobId: string): boolean {
    return this.#byJob.has(jobId);
  }

  /** @returns false if that process does not run any more */
  add(worker: string, jobId: string, memoryBytes: number): boolean {
    const identity = parseIdentity(worker);
    if (!identity || !isRunning(identity)) return false;
    this.#byJob.set(jobId, { worker, identity, memoryBytes });
    this.#timer ??= setInterval(() => this.#poll(), POLL_MS);
    return true;
  }

  /** SIGTERM now, SIGKILL after `graceMs`; never to another process that got the same number. */
  stop(jobId: string, graceMs: number): void {
    const adopted = this.#byJob.get(jobId);
    if (!adopted || adopted.stopTimer) return;
    signal(adopted.identity, "SIGTERM");
    adopted.stopTimer = setTimeout(() => signal(adopted.identity, "SIGKILL"), graceMs);
  }

  /** Forgets them all; they go on. */
  close(): void {
    for (const { stopTimer } of this.#byJob.values()) clearTimeout(stopTimer);
    this.#byJob.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #poll(): void {
    for (const [jobId, { worker, identity, stopTimer }] of [...this.#byJob]) {
      if (isRunning(identity)) continue;
      clearTimeout(stopTimer);
      this.#byJob.delete(jobId);
      this.#gone(worker, jobId);
    }
    if (this.#byJob.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function signal(identity: ProcessIdentity, name: "SIGTERM" | "SIGKILL"): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch {
    // Gone in between, or not ours to signal: the poll sees which.
  }
}
