// What every part of the client works with: the services of one server, and the limits.
import { type Client, type CallOptions as ConnectCallOptions, createClient, type Transport } from "@connectrpc/connect";
import { CuOptRemoteService, InferenceService, JobService, TransferService, withRawMessages } from "@sortie/wire";
import { type ClientOptions, type Limits, limitsOf } from "./limits.ts";
import { watchedTransport } from "./watched-transport.ts";

export interface CallOptions {
  /** Aborted, a call rejects at once with the signal's reason. What it asked of the server may happen all the same. */
  readonly signal?: AbortSignal | undefined;
}

export interface TransferProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What a server has said of itself. */
export interface ServerInfo {
  /** Whether calls that change something may be repeated, and the services of sortie.v1 are there. */
  readonly isSortie: boolean;
  /** Of Sortie; other servers say none. */
  readonly version: string | undefined;
  /** Largest message that it takes and sends; 0 if it has not said. */
  readonly maxMessageBytes: number;
}

/** The header with which Sortie says on every answer what it is; its value is the version. */
export const VERSION_HEADER = "sortie-version";

/** The answers with large arrays come undecoded. */
const rawService = withRawMessages(CuOptRemoteService, {
  submitJob: { input: true },
  getResult: { output: true },
  getIncumbents: { output: true },
});

/** One server. Faults of its calls are RemoteErrors; every call has its deadline by itself. */
export interface Service {
  readonly solver: Client<typeof rawService>;
  readonly jobs: Client<typeof JobService>;
  readonly transfers: Client<typeof TransferService>;
  readonly inference: Client<typeof InferenceService>;
  readonly limits: Limits;
  /** Undefined until the server was probed. */
  readonly server?: ServerInfo | undefined;
  readonly onDebug?: ((line: string) => void) | undefined;
}

/**
 * @param server what is known of the server by now
 * @param closing aborted when the client closes: running calls are rejected with its reason
 */
export function serviceOver(
  transport: Transport,
  options: ClientOptions,
  server: () => ServerInfo | undefined = () => undefined,
  closing: AbortSignal = new AbortController().signal,
): Service {
  const limits = limitsOf(options);
  const { onDebug } = options;
  const watched = watchedTransport(transport, { callTimeoutMs: limits.callTimeoutMs, onDebug, closing });
  return {
    solver: createClient(rawService, watched),
    jobs: createClient(JobService, watched),
    transfers: createClient(TransferService, watched),
    inference: createClient(InferenceService, watched),
    limits,
    onDebug,
    get server() {
      return server();
    },
  };
}

export interface CallDetails {
  /** Instead of the client's own limit; 0: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Undefined ones are left out. */
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The options of one call. */
export function call({ signal }: CallOptions, { timeoutMs, headers }: CallDetails = {}): ConnectCallOptions {
  const sent = Object.entries(headers ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(sent.length === 0 ? {} : { headers: sent }),
  };
}
