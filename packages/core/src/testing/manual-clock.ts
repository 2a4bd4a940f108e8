// A clock that stands still until a test moves it.
import type { Clock } from "../ports.ts";

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

export class ManualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  /** @param start milliseconds since 1970 */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  /** How many calls of `sleep` have not resolved yet. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", abort);
      };
      const abort = () => {
        leave();
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        until: this.#now + ms,
        wake: () => {
          leave();
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /**
   * Moves time on by `ms`. Sleepers wake in the order of their times, each at its own time and with a turn of the event
   * loop to act in, so what they start sleeps from there.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    // What was called just before gets its turn first, so that it sleeps from now and not from the end.
    await new Promise(setImmediate);
    for (;;) {
      let next: Sleeper | undefined;
      for (const sleeper of this.#sleepers) {
        if (sleeper.until <= end && (next === undefined || sleeper.until < next.until)) next = sleeper;
      }
      if (!next) break;
      this.#now = Math.max(this.#now, next.until);
      next.wake();
      await new Promise(setImmediate);
    }
    this.#now = end;
  }
}
