// Waiting for conditions instead of times.
import { setTimeout as sleep } from "node:timers/promises";

/** Resolves with the first truthy value of `probe`; the test's own time limit ends a wait in vain. */
export async function until<T>(probe: () => T | Promise<T>): Promise<Exclude<T, false | null | undefined>> {
  for (;;) {
    const value = await probe();
    if (value) return value as Exclude<T, false | null | undefined>;
    await sleep(5);
  }
}
