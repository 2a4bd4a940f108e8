// Bounds how much happens at once.

export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /**
   * Waits for a permit, first come first served; disposing of what it returns gives it back.
   * @throws the signal's reason
   */
  async acquire(signal: AbortSignal | undefined): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
    } else {
      await new Promise<void>((resolve, reject) => {
        const leave = () => signal?.removeEventListener("abort", abort);
        const take = () => {
          leave();
          resolve();
        };
        const abort = () => {
          leave();
          this.#waiting.splice(this.#waiting.indexOf(take), 1);
          reject(signal?.reason);
        };
        this.#waiting.push(take);
        signal?.addEventListener("abort", abort, { once: true });
      });
    }
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#waiting.shift();
        // The permit passes on without becoming free, so nobody can overtake.
        if (next) next();
        else this.#free += 1;
      },
    };
  }
}
