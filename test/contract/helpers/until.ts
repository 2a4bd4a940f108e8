// Waiting for conditions instead of times.
import { setTimeout as sleep } from "node:timers/promises";

/** Resolves with the first truthy value of `probe`; the test's own time limit ends a wait in vain. */
export async function until<T>(probe: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const value = await probe();
    if (value) return value;
    await sleep(5);
  }
}
