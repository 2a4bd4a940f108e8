// What happens around a command: its help, Ctrl-C, and a fault in one line with the exit code that belongs to it.
import { JobEndedError, RemoteError, TimeoutError } from "@sortie/client";
import { faultText, onInterrupt } from "./connect.ts";
import {
  EXIT_DONE,
  EXIT_FAULT,
  EXIT_INTERRUPTED,
  EXIT_JOB_CANCELLED,
  EXIT_JOB_FAILED,
  EXIT_JOB_UNKNOWN,
  EXIT_TIMED_OUT,
} from "./exit-codes.ts";

/**
 * @param run the command's work; Ctrl-C aborts its signal, a second one ends the process
 * @param afterInterrupt what to say on standard error after Ctrl-C; absent: nothing
 * @returns the exit code
 */
export async function runCommand(
  args: readonly string[],
  help: string,
  run: (signal: AbortSignal) => Promise<number>,
  afterInterrupt?: string,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(help);
    return EXIT_DONE;
  }
  const interrupt = new AbortController();
  using _listener = onInterrupt(() => interrupt.abort());
  using _reader = onReaderGone(() => process.exit(EXIT_DONE));
  try {
    return await run(interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) {
      if (afterInterrupt !== undefined) process.stderr.write(`sortie: ${afterInterrupt}\n`);
      return EXIT_INTERRUPTED;
    }
    process.stderr.write(`sortie: ${faultText(error)}\n`);
    return exitCodeOf(error);
  }
}

/** Who reads our output, such as `head`, has seen enough. */
function onReaderGone(leave: () => void): Disposable {
  const listener = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    leave();
  };
  process.stdout.on("error", listener);
  return { [Symbol.dispose]: () => process.stdout.off("error", listener) };
}

const CODE_OF_END = {
  failed: EXIT_JOB_FAILED,
  cancelled: EXIT_JOB_CANCELLED,
  "not-found": EXIT_JOB_UNKNOWN,
} as const satisfies Record<JobEndedError["state"], number>;

export function exitCodeOf(error: unknown): number {
  if (error instanceof JobEndedError) return CODE_OF_END[error.state];
  if (error instanceof TimeoutError) return EXIT_TIMED_OUT;
  if (error instanceof RemoteError && error.code === "not-found") return EXIT_JOB_UNKNOWN;
  return EXIT_FAULT;
}

/** Of several jobs the largest of their codes counts. */
export const worstOf = (codes: Iterable<number>): number => Math.max(EXIT_DONE, ...codes);
