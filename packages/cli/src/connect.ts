// What commands share that talk to a server: the way there, faults in words, Ctrl-C.
import { Code, ConnectError } from "@connectrpc/connect";
import { RemoteError } from "@sortie/client";
import { type ClientSettings, clientSettingsFrom } from "@sortie/client/node";
import { EXIT_INTERRUPTED } from "./exit-codes.ts";

/** A fault that is told in one line. */
export class UsageError extends Error {}

export interface ServerChoice {
  /** HOST:PORT or a URL; undefined: what the environment names. */
  readonly server: string | undefined;
  readonly tls: boolean;
  readonly token: string | undefined;
}

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
    if (fault.code === Code.NotFound) return `the server answers: ${fault.rawMessage}`;
    return `the server refused: ${fault.rawMessage}`;
  }
  return (error as Error).message;
}

/** First Ctrl-C: `cancel`. Second: the process ends. */
export function onInterrupt(cancel: () => void): Disposable {
  let asked = false;
  const listener = () => {
    if (asked) process.exit(EXIT_INTERRUPTED);
    asked = true;
    cancel();
  };
  process.on("SIGINT", listener);
  return { [Symbol.dispose]: () => process.off("SIGINT", listener) };
}
