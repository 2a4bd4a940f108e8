// The client in Node: gRPC, gRPC-Web or Connect, with TLS, from options or from the environment.
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { bearer } from "./bearer.ts";
import { SortieClient } from "./client.ts";
import type { CallOptions } from "./context.ts";
import { clientSettingsFrom, type Environment } from "./environment.ts";
import { ConfigurationError } from "./errors.ts";
import { KeptConnection } from "./kept-connection.ts";
import { type ClientOptions, limitsOf } from "./limits.ts";
import { type SecureOptions, secureOptions, type TlsFiles } from "./tls.ts";

export { type ClientSettings, clientSettingsFrom, type Environment } from "./environment.ts";
export * from "./index.ts";
export type { TlsFiles } from "./tls.ts";

export interface TransportOptions extends Pick<ClientOptions, "maxMessageBytes"> {
  /** HOST:PORT, or a URL that begins with http:// or https://. */
  readonly address: string;
  /** Default: "grpc" for HOST:PORT; "connect", over HTTP/1.1, for a URL. */
  readonly protocol?: "grpc" | "grpc-web" | "connect" | undefined;
  /** HOST:PORT speaks TLS: `true` with the platform's roots. A URL says by itself whether it does. */
  readonly tls?: TlsFiles | boolean | undefined;
  /** Access token, sent with every call. */
  readonly token?: string | undefined;
}

export interface ConnectOptions extends TransportOptions, Omit<ClientOptions, "address">, CallOptions {}

/** A transport that holds connections until it is closed. */
export interface ClosableTransport extends Transport {
  close(): void;
}

/** A connection is asked for a sign of life after so long without one, also when there is no call. */
const KEEPALIVE = { pingIntervalMs: 30_000, pingTimeoutMs: 10_000 };
/** In MB. Node's default of 10 is less than one chunk. */
const MAX_SESSION_MEMORY = 4096;

/**
 * Opens nothing: the first call does.
 * @throws ConfigurationError for an address or key material that cannot be used
 */
export function transportTo(options: TransportOptions): ClosableTransport {
  const { address, token } = options;
  const { baseUrl, secure, isUrl } = wayTo(options);
  const protocol = options.protocol ?? (isUrl ? "connect" : "grpc");
  const { maxMessageBytes } = limitsOf(options);
  const common = {
    baseUrl,
    interceptors: bearer(token),
    readMaxBytes: maxMessageBytes,
    writeMaxBytes: maxMessageBytes,
    // Nearly all bytes are numbers, which hardly shrink.
    acceptCompression: [],
  };
  if (protocol === "grpc") {
    const connection = new KeptConnection(baseUrl, KEEPALIVE, { maxSessionMemory: MAX_SESSION_MEMORY, ...secure });
    const transport = createGrpcTransport({ ...common, sessionManager: connection });
    return closable(transport, () => connection.close());
  }
  if (protocol !== "connect" && protocol !== "grpc-web") {
    throw new ConfigurationError(`protocol is "${protocol}" for ${address}; grpc, grpc-web and connect are allowed`);
  }
  const agent = secure ? new HttpsAgent({ keepAlive: true, ...secure }) : new HttpAgent({ keepAlive: true });
  const http1 = { ...common, httpVersion: "1.1" as const, nodeOptions: { agent } };
  const transport = protocol === "connect" ? createConnectTransport(http1) : createGrpcWebTransport(http1);
  return closable(transport, () => agent.destroy());
}

const closable = (transport: Transport, close: () => void): ClosableTransport => ({
  unary: (...call) => transport.unary(...call),
  stream: (...call) => transport.stream(...call),
  close,
});

const HOST_AND_PORT = /^(\[[\da-fA-F:.%]+\]|[^\s:/[\]]+):(\d+)$/;

/** `secure` is undefined where nothing is encrypted. */
function wayTo({ address, tls = false }: TransportOptions) {
  const files = typeof tls === "boolean" ? {} : tls;
  const scheme = /^(https?):\/\/./.exec(address)?.[1];
  if (scheme !== undefined) {
    if (!URL.canParse(address)) throw addressError(address);
    const secure: SecureOptions | undefined = scheme === "https" ? secureOptions(files) : undefined;
    return { baseUrl: address.replace(/\/+$/, ""), secure, isUrl: true };
  }
  const [, host, port] = HOST_AND_PORT.exec(address) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) throw addressError(address);
  const secure = tls ? secureOptions(files) : undefined;
  return { baseUrl: `${tls ? "https" : "http"}://${host}:${port}`, secure, isUrl: false };
}

const addressError = (address: string): ConfigurationError =>
  new ConfigurationError(`address is "${address}"; HOST:PORT, http://… and https://… are allowed`);

/**
 * A connected client.
 * @param target HOST:PORT or a URL, or options with one
 * @throws ConfigurationError
 * @throws ConnectionError
 */
export async function connect(target: string | ConnectOptions): Promise<SortieClient> {
  // A variable of the environment that is not set is no address, and is told so.
  const options = typeof target === "object" && target !== null ? target : { address: target };
  const transport = transportTo(options);
  const client = new SortieClient(transport, { ...options, dispose: () => closeAll(transport, options) });
  try {
    await client.connect({ signal: options.signal });
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function closeAll(transport: ClosableTransport, { dispose }: Pick<ClientOptions, "dispose">): Promise<void> {
  transport.close();
  await dispose?.();
}

/**
 * A client connected to the server that the environment names (`SORTIE_SERVER`, or `CUOPT_REMOTE_HOST` and `CUOPT_REMOTE_PORT`).
 * @param overrides stronger than the environment
 * @throws ConfigurationError that names the variable, or says that there is no server
 * @throws ConnectionError
 */
export async function connectFromEnvironment(
  env: Environment = process.env,
  overrides: Partial<ConnectOptions> = {},
): Promise<SortieClient> {
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const { address, ...settings } = { ...clientSettingsFrom(env), ...(given as Partial<ConnectOptions>) };
  if (address !== undefined) return connect({ ...settings, address });
  throw new ConfigurationError(
    "the environment names no server: SORTIE_SERVER, or both CUOPT_REMOTE_HOST and CUOPT_REMOTE_PORT, must be set",
  );
}
