// Work on many items, a few at a time and so many bytes of them at most.
import { linkedController } from "./signals.ts";

/** What may be under way at once. */
export interface InFlight<T> {
  readonly width: number;
  /** Bytes of all items under way together. One item is always let through, however large. Default: no limit. */
  readonly bytes?: number | undefined;
  readonly bytesOf?: ((item: T) => number) | undefined;
  /** Ends all tasks. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `task` for every item, in their order as far as the limits let it. The first failure aborts the signal of all other
 * tasks, and is thrown once they have ended.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  limits: InFlight<T>,
  task: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { width, bytes: budget = Number.POSITIVE_INFINITY, bytesOf = () => 0 } = limits;
  using stop = linkedController(limits.signal);
  const { signal } = stop;
  const running = new Set<Promise<void>>();
  let bytes = 0;
  let failure: { readonly error: unknown } | undefined;
  const run = async (item: T, size: number) => {
    bytes += size;
    try {
      await task(item, signal);
    } catch (error) {
      failure ??= { error };
      stop.abort(error);
    } finally {
      bytes -= size;
    }
  };
  try {
    for (const item of items) {
      const size = bytesOf(item);
      while (running.size > 0 && (running.size >= width || bytes + size > budget)) await Promise.race(running);
      if (signal.aborted) break;
      const one: Promise<void> = run(item, size).finally(() => running.delete(one));
      running.add(one);
    }
  } catch (error) {
    failure ??= { error };
    stop.abort(error);
  }
  await Promise.all(running);
  if (failure) throw failure.error;
  signal.throwIfAborted();
}
