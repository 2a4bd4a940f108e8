// The client in a browser: Connect or gRPC-Web over fetch.
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { bearer } from "./bearer.ts";
import { SortieClient } from "./client.ts";
import type { CallOptions } from "./context.ts";
import type { ClientOptions } from "./limits.ts";

export * from "./index.ts";

export interface WebOptions extends ClientOptions, CallOptions {
  /** Default "connect". */
  readonly protocol?: "connect" | "grpc-web" | undefined;
  readonly token?: string | undefined;
  /** Default: the page's own. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * A connected client.
 * @param baseUrl of the server, such as "https://solve.example" or location.origin. A server of another origin must allow the
 *   page's (see `--cors` of `sortie serve`)
 * @throws ConnectionError
 */
export async function connect(baseUrl: string, options: WebOptions = {}): Promise<SortieClient> {
  const { protocol = "connect", token, fetch, signal } = options;
  const transportOptions = {
    baseUrl: baseUrl.replace(/\/+$/, ""),
    useBinaryFormat: true,
    interceptors: bearer(token),
    ...(fetch === undefined ? {} : { fetch }),
  };
  const transport =
    protocol === "grpc-web" ? createGrpcWebTransport(transportOptions) : createConnectTransport(transportOptions);
  const client = new SortieClient(transport, { address: baseUrl, ...options });
  await client.connect({ signal });
  return client;
}
