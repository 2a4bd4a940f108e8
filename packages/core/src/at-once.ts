// Doing many things at once, within a width and ended by a signal.

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
