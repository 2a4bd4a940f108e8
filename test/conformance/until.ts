// Waiting for what must come to hold.
import { setTimeout as delay } from "node:timers/promises";

/** Waits until `condition` gives something true, and returns that. */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
  timeoutMs = 60_000,
): Promise<Exclude<T, undefined | null | false | 0 | "">> {
  const deadline = performance.now() + timeoutMs;
  while (true) {
    const found = await condition();
    if (found) return found as Exclude<T, undefined | null | false | 0 | "">;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await delay(20);
  }
}
