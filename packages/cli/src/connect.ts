// What commands share that talk to a server: the way there, faults in words, Ctrl-C.
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { transportTo } from "./transport.ts";

/** A fault that is told in one line. */
export class UsageError extends Error {}

export interface ServerChoice {
  /** HOST:PORT or a URL; undefined: a server of one's own for the time being. */
  readonly server: string | undefined;
  readonly tls: boolean;
  readonly token: string | undefined;
}

export interface Connection extends AsyncDisposable {
  readonly transport: Transport;
  /** "embedded server on 127.0.0.1:40123" */
  readonly words: string;
}

/** Options of every command that may use a server. */
export const SERVER_OPTIONS = {
  server: { type: "string" },
  tls: { type: "boolean" },
  token: { type: "string" },
  "chunk-bytes": { type: "string" },
} as const;

export async function connect({ server, tls, token }: ServerChoice): Promise<Connection> {
  // Loaded here: with a server of one's own, none of the server's code is needed.
  const embedded = server === undefined ? await (await import("@sortie/server")).openEmbedded() : undefined;
  const address = embedded?.address ?? server;
  const transport = transportTo({ address: String(address), tls, token });
  return {
    transport,
    words: embedded ? `embedded server on ${address}` : `server ${address}`,
    async [Symbol.asyncDispose]() {
      await embedded?.[Symbol.asyncDispose]();
    },
  };
}

export function chunkBytesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = Number(text);
  if (Number.isInteger(bytes) && bytes >= 8) return bytes;
  throw new UsageError(`--chunk-bytes is "${text}"; a whole number of at least 8 is allowed`);
}

export function faultText(error: unknown): string {
  if (error instanceof ConnectError) {
    if (error.code === Code.Unavailable) return `the server cannot be reached: ${error.rawMessage}`;
    return `the server refused: ${error.rawMessage}`;
  }
  return (error as Error).message;
}

/** First Ctrl-C: `cancel`. Second: the process ends. */
export function onInterrupt(cancel: () => void): Disposable {
  let asked = false;
  const listener = () => {
    if (asked) process.exit(130);
    asked = true;
    cancel();
  };
  process.on("SIGINT", listener);
  return { [Symbol.dispose]: () => process.off("SIGINT", listener) };
}

const EXIT_CANCELLED = 130;

/** Runs a command that Ctrl-C cancels: its help if that is asked for, else its work, whose fault is told in one line. */
export async function runInterruptible(
  args: readonly string[],
  help: string,
  run: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(help);
    return 0;
  }
  const interrupt = new AbortController();
  try {
    using _listener = onInterrupt(() => interrupt.abort());
    return await run(interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) {
      process.stdout.write("Cancelled.\n");
      return EXIT_CANCELLED;
    }
    process.stderr.write(`sortie: ${faultText(error)}\n`);
    return 1;
  }
}
