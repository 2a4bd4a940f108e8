// The server of `sortie solve`: the one that is named by an option or the environment, or an embedded one.
import type { SortieClient } from "@sortie/client";
import { clientSettingsFrom, connect } from "@sortie/client/node";
import { serverSettings } from "../job-client.ts";
import type { SolveOptions } from "./solve-options.ts";

export interface SolveServer extends AsyncDisposable {
  readonly client: SortieClient;
  /** "embedded server on 127.0.0.1:40123" */
  readonly words: string;
  /** HOST:PORT or a URL; undefined for an embedded one. */
  readonly address: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Who chose the server: an option, the environment as Sortie has it or as cuOpt has it; or nobody, and it is embedded. */
export function chosenBy(values: SolveOptions["values"], env: Environment): "option" | "sortie" | "cuopt" | "nobody" {
  if (values.local) return "nobody";
  if (values.server !== undefined) return "option";
  if (env["SORTIE_SERVER"]) return "sortie";
  return env["CUOPT_REMOTE_HOST"] !== undefined && env["CUOPT_REMOTE_PORT"] !== undefined ? "cuopt" : "nobody";
}

/** @throws UsageError, ConfigurationError or ConnectionError */
export async function openServer({ values, chunkBytes }: SolveOptions, signal: AbortSignal): Promise<SolveServer> {
  // Whoever says how large a chunk may be wants chunks.
  const transfers = chunkBytes === undefined ? {} : { chunkBytes, unaryUpToBytes: 0 };
  if (chosenBy(values, process.env) !== "nobody") {
    const settings = { ...serverSettings("solve", values), ...transfers };
    const client = await connect({ ...settings, signal });
    const { address } = settings;
    return {
      client,
      words: `server ${address}`,
      address,
      [Symbol.asyncDispose]: () => client.close(),
    };
  }
  // Loaded here: with a server elsewhere, none of the server's code is needed.
  const { openEmbedded } = await import("@sortie/server");
  // What the environment says of a server, of TLS and of tokens is not meant for this one.
  const { address: _address, tls: _tls, token: _token, ...limits } = clientSettingsFrom(process.env);
  const server = await openEmbedded();
  try {
    const client = await connect({ ...limits, ...transfers, address: server.address, signal });
    return {
      client,
      words: `embedded server on ${server.address}`,
      address: undefined,
      async [Symbol.asyncDispose]() {
        await client.close();
        await server[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}
