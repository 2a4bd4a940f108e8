// A budget of bytes that request messages in memory share. First come, first served.
import { Code, ConnectError } from "@connectrpc/connect";

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** Messages up to this size are not worth counting: thousands of them fit beside the budget. */
export const UNCOUNTED_BYTES = 1024 * 1024;

/** Gives back what a reservation took; calling it again does nothing. */
export type Release = () => void;

export class ByteBudget {
  readonly totalBytes: number;
  readonly #waitMs: number;
  readonly #waiters: Waiter[] = [];
  #used = 0;

  /** @param totalBytes the budget    @param waitMs how long a reservation may wait, milliseconds */
  constructor(totalBytes: number, waitMs: number) {
    this.totalBytes = totalBytes;
    this.#waitMs = waitMs;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /**
   * Takes `bytes` (at most the whole budget) out of the budget, waiting for others to give back where it must.
   * @throws ConnectError RESOURCE_EXHAUSTED after the wait limit; the signal's reason when it aborts first
   */
  async reserve(bytes: number, signal: AbortSignal): Promise<Release> {
    signal.throwIfAborted();
    if (this.#waiters.length > 0 || this.#used + bytes > this.totalBytes) await this.#wait(bytes, signal);
    else this.#used += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#used -= bytes;
      this.#admitWaiters();
    };
  }

  #wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (reason: unknown) => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        settle();
        this.#admitWaiters(); // The one that left may have stood before smaller ones.
        reject(reason);
      };
      const onAbort = () => leave(signal.reason);
      const timer = setTimeout(() => leave(this.#exhausted(bytes)), this.#waitMs);
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        bytes,
        admit: () => {
          settle();
          resolve();
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  #admitWaiters(): void {
    for (;;) {
      const first = this.#waiters[0];
      if (first === undefined || this.#used + first.bytes > this.totalBytes) return;
      this.#waiters.shift();
      // Taken here, not when the waiter runs: whoever asks in between must not get in first.
      this.#used += first.bytes;
      first.admit();
    }
  }

  #exhausted(bytes: number): ConnectError {
    return new ConnectError(
      `the server holds ${this.#used} of ${this.totalBytes} bytes of request messages and has no room for ${bytes} more; ` +
        "try again later, or send the problem in chunks (StartChunkedUpload, SendArrayChunk, FinishChunkedUpload)",
      Code.ResourceExhausted,
    );
  }
}
