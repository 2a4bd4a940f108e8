// Time and ids of the machine itself: what every platform takes unless a test gives it others.
import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, Ids } from "./ports.ts";

/** The longest time that one timer can wait, in milliseconds. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    for (let left = Math.max(0, ms); left >= 0; left -= MAX_TIMER_MS) {
      try {
        await sleep(Math.min(left, MAX_TIMER_MS), undefined, signal ? { signal } : {});
      } catch (error) {
        // The timer rejects with an error of its own; callers are promised the signal's reason.
        signal?.throwIfAborted();
        throw error;
      }
    }
  },
};

export const systemIds: Ids = {
  random: () => randomUUID(),
  derived(text) {
    const hash = createHash("sha256").update(text).digest();
    // RFC 9562, section 5.4: version 4 in the high half of byte 6, variant 10 in the top bits of byte 8.
    hash[6] = (hash[6]! & 0x0f) | 0x40;
    hash[8] = (hash[8]! & 0x3f) | 0x80;
    const hex = hash.toString("hex", 0, 16);
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  },
};
