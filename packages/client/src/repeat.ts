// Asking again, where that may help and does no harm: only helpers do it, and only against Sortie. A stock cuOpt server takes
// a repeated chunk for an overlap and a repeated submission for a second job.
import { RemoteError } from "./errors.ts";
import { pause } from "./signals.ts";

/** Of one call, or of one upload without any progress in between; the first counts. */
const ATTEMPTS = 8;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 8_000;

/**
 * Whether the same call may succeed later: the server was away, the connection broke, or a chunk came altered. A full queue
 * or a used-up quota (RESOURCE_EXHAUSTED) is no such fault: whoever calls must know of it.
 */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof RemoteError)) return false;
  if (["unavailable", "aborted", "data-loss"].includes(error.code)) return true;
  // What a broken connection becomes has these codes too, and then it was not the server who said so.
  const codes: readonly string[] = ["internal", "unknown", "canceled"];
  return codes.includes(error.code) && (error.cause.cause instanceof Error || error.text.startsWith("http/2 stream "));
}

/** How often in a row something may fail. */
export class Patience {
  readonly #attempts: number;
  #failures = 0;

  /** @param attempts 1: nothing is repeated */
  constructor(attempts: number) {
    this.#attempts = attempts;
  }

  static of(repeats: boolean): Patience {
    return new Patience(repeats ? ATTEMPTS : 1);
  }

  /** Something has succeeded in between. */
  renew(): void {
    this.#failures = 0;
  }

  /**
   * Waits for the next attempt: 0.2 s, doubled after each failure up to 8 s, and shortened at random by up to a half.
   * @throws the error itself where another attempt is no use
   */
  async after(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    this.#failures += 1;
    if (signal?.aborted || this.#failures >= this.#attempts || !mayPass(error)) throw error;
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    await pause(longest * (1 - Math.random() / 2), signal);
  }
}

/** Calls until there is an answer, or no use in asking. */
export async function repeated<T>(
  ask: () => Promise<T>,
  { repeat, signal }: { readonly repeat: boolean; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  const patience = Patience.of(repeat);
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      await patience.after(error, signal);
    }
  }
}
