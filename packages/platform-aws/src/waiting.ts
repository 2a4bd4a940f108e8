// Waiting and doing many things at once, both ended by a signal.
import { setTimeout as delay } from "node:timers/promises";

/** Resolves after `ms`; rejects with the signal's reason. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}

/**
 * Calls `work` for every item, at most `width` at once. After the first failure no more are begun and the signal of the
 * others is aborted; when this settles none of them is running.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  width: number,
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const both = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const rest = items[Symbol.iterator]();
  const lane = async () => {
    try {
      for (let next = rest.next(); !next.done; next = rest.next()) {
        both.throwIfAborted();
        await work(next.value, both);
      }
    } catch (error) {
      // The first one's error becomes the reason; the others reject with it as well.
      failed.abort(error);
      throw error;
    }
  };
  await Promise.allSettled(Array.from({ length: width }, lane));
  signal?.throwIfAborted();
  failed.signal.throwIfAborted();
}
