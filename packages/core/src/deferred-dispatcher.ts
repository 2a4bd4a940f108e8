// The dispatcher of hosts that start no workers themselves.
import type { Dispatcher } from "./ports.ts";

/**
 * Starts and stops nothing: the job's row already says what is due, and whoever attends to it (attend.ts) does it. For
 * hosts that have no right to workers, beside one that is woken by every change of a job's row.
 */
export const deferredDispatcher: Dispatcher = {
  attemptEndsWith: "lease",
  dispatch: async () => {},
  stop: async () => {},
  waiting: () => undefined,
  isAlive: async () => "unknown",
  [Symbol.asyncDispose]: async () => {},
};
