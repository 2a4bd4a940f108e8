// Time and abortion: pauses that end at once when they are told to, and signals that follow others.

/** A controller that is aborted with its parents; disposed of, it no longer listens to them. */
export interface LinkedController extends Disposable {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

export function linkedController(...parents: readonly (AbortSignal | undefined)[]): LinkedController {
  const controller = new AbortController();
  const listeners: (() => void)[] = [];
  for (const parent of parents) {
    if (parent === undefined) continue;
    const follow = () => controller.abort(parent.reason);
    if (parent.aborted) follow();
    parent.addEventListener("abort", follow, { once: true });
    listeners.push(() => parent.removeEventListener("abort", follow));
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]() {
      for (const remove of listeners) remove();
    },
  };
}

/**
 * Waits.
 * @param signal rejects the pause with its reason
 * @param wake ends the pause early
 */
export function pause(ms: number, signal?: AbortSignal, wake?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    if (wake?.aborted) return resolve();
    const timer = setTimeout(finish, ms);
    signal?.addEventListener("abort", finish, { once: true });
    wake?.addEventListener("abort", finish, { once: true });
    function finish() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      wake?.removeEventListener("abort", finish);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    }
  });
}
