// Waiting, ended by a signal.
import { setTimeout as delay } from "node:timers/promises";

/** Resolves after `ms`; rejects with the signal's reason. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
