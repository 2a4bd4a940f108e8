// The server of a command that can do without one: the one that is named by an option or the environment, or an embedded one
// for as long as the command runs.
import type { Transport } from "@connectrpc/connect";
import { type ClientOptions, SortieClient } from "@sortie/client";
import { clientSettingsFrom, transportTo } from "@sortie/client/node";
import { type ClientOptionValues, SERVER_OPTIONS, type ServerSettings, serverSettings } from "./job-client.ts";

/** Options of every such command. */
export const OPEN_SERVER_OPTIONS = {
  ...SERVER_OPTIONS,
  "chunk-bytes": { type: "string" },
  local: { type: "boolean" },
} as const;

export type OpenServerValues = ClientOptionValues & { readonly local?: boolean | undefined };

export interface OpenServer extends AsyncDisposable {
  /** Connected; closed with the server. */
  readonly client: SortieClient;
  readonly transport: Transport;
  /** What the client goes by, for others over the same transport. */
  readonly limits: ClientOptions;
  /** "embedded server on 127.0.0.1:40123" */
  readonly words: string;
  /** HOST:PORT or a URL; undefined for an embedded one. */
  readonly address: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Who chose the server: an option, the environment as Sortie has it or as cuOpt has it; or nobody, and it is embedded. */
export function chosenBy(values: OpenServerValues, env: Environment): "option" | "sortie" | "cuopt" | "nobody" {
  if (values.local) return "nobody";
  if (values.server !== undefined) return "option";
  if (env["SORTIE_SERVER"]) return "sortie";
  return env["CUOPT_REMOTE_HOST"] !== undefined && env["CUOPT_REMOTE_PORT"] !== undefined ? "cuopt" : "nobody";
}

/**
 * @param command for messages
 * @param transfers stronger than the environment
 * @throws UsageError, ConfigurationError or ConnectionError
 */
export async function openServer(
  command: string,
  values: OpenServerValues,
  transfers: ClientOptions,
  signal: AbortSignal,
): Promise<OpenServer> {
  if (chosenBy(values, process.env) !== "nobody") {
    const settings = serverSettings(command, values);
    const { address } = settings;
    return { ...(await reach(settings, transfers, signal)), words: `server ${address}`, address };
  }
  // Loaded here: with a server elsewhere, none of the server's code is needed.
  const { openEmbedded } = await import("@sortie/server");
  // What the environment says of a server, of TLS and of tokens is not meant for this one.
  const { address: _address, tls: _tls, token: _token, ...limits } = clientSettingsFrom(process.env);
  await using resources = new AsyncDisposableStack();
  const { address } = resources.use(await openEmbedded());
  const reached = resources.use(await reach({ ...limits, address }, transfers, signal));
  const all = resources.move();
  return {
    ...reached,
    words: `embedded server on ${address}`,
    address: undefined,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

type Settings = Partial<ServerSettings> & Pick<ServerSettings, "address">;

async function reach({ tls, token, ...settings }: Settings, transfers: ClientOptions, signal: AbortSignal) {
  const limits: ClientOptions = { ...settings, ...transfers };
  const transport = transportTo({ address: settings.address, tls, token, maxMessageBytes: limits.maxMessageBytes });
  const client = new SortieClient(transport, { ...limits, dispose: () => transport.close() });
  try {
    await client.connect({ signal });
  } catch (error) {
    await client.close();
    throw error;
  }
  return { client, transport, limits, [Symbol.asyncDispose]: () => client.close() };
}
