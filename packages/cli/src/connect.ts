// What commands share that talk to a server: the way there, faults in words, Ctrl-C.
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { type ClientOptions, RemoteError, SortieClient } from "@sortie/client";
import { type ClientSettings, clientSettingsFrom, transportTo } from "@sortie/client/node";

/** A fault that is told in one line. */
export class UsageError extends Error {}

export interface ServerChoice {
  /** HOST:PORT or a URL; undefined: what the environment names, else a server of one's own for the time being. */
  readonly server: string | undefined;
  readonly tls: boolean;
  readonly token: string | undefined;
}

export interface Connection extends AsyncDisposable {
  readonly transport: Transport;
  /** Connected; closed with the connection. */
  readonly client: SortieClient;
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

/**
 * What the environment says of the server and of the client, with these options before it: files that it names for TLS are
 * used wherever there is TLS.
 * @throws ConfigurationError
 */
export function settingsFor({ server, tls, token }: ServerChoice): ClientSettings {
  const isUrl = /^https?:\/\//.test(server ?? "");
  return clientSettingsFrom({
    ...process.env,
    // A URL says by itself whether it has TLS.
    ...(server !== undefined && { SORTIE_SERVER: server }),
    ...(isUrl ? { SORTIE_TLS: "" } : tls && { SORTIE_TLS: "true" }),
    ...(token !== undefined && { SORTIE_TOKEN: token }),
  });
}

/**
 * @param options stronger than the environment
 * @throws ConfigurationError, ConnectionError
 */
export async function connect(choice: ServerChoice, options: ClientOptions = {}): Promise<Connection> {
  const settings = settingsFor(choice);
  // Loaded here: with a server of one's own, none of the server's code is needed.
  const embedded = settings.address === undefined ? await (await import("@sortie/server")).openEmbedded() : undefined;
  const address = embedded?.address ?? String(settings.address);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const limits: ClientOptions = { ...settings, ...given, address };
  let client: SortieClient | undefined;
  const close = async () => {
    await client?.close();
    await embedded?.[Symbol.asyncDispose]();
  };
  try {
    const transport = transportTo({
      address,
      maxMessageBytes: limits.maxMessageBytes,
      // What the environment says of TLS and tokens is not meant for a server of one's own.
      ...(embedded ? {} : { tls: settings.tls, token: settings.token }),
    });
    client = new SortieClient(transport, { ...limits, dispose: () => transport.close() });
    await client.connect();
    const words = embedded ? `embedded server on ${address}` : `server ${address}`;
    return { transport, client, words, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

export function chunkBytesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = Number(text);
  if (Number.isInteger(bytes) && bytes >= 8) return bytes;
  throw new UsageError(`--chunk-bytes is "${text}"; a whole number of at least 8 is allowed`);
}

export function faultText(error: unknown): string {
  // A call's own error, or one of a service that is called without the client.
  const fault = error instanceof RemoteError ? error.cause : error;
  if (fault instanceof ConnectError) {
    if (fault.code === Code.Unavailable) return `the server cannot be reached: ${fault.rawMessage}`;
    return `the server refused: ${fault.rawMessage}`;
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
