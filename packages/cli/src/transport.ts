// How the command line reaches a server: HOST:PORT is spoken to in gRPC, a URL in Connect over HTTP/1.1, which also functions
// and proxies without HTTP/2 understand.
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";

export interface ServerAddress {
  /** HOST:PORT, or a URL with http:// or https://. */
  readonly address: string;
  /** HOST:PORT speaks TLS. */
  readonly tls: boolean;
  readonly token?: string | undefined;
}

export function transportTo({ address, tls, token }: ServerAddress): Transport {
  const interceptors = token === undefined ? [] : [withToken(token)];
  if (/^https?:\/\//.test(address)) {
    return createConnectTransport({ baseUrl: address.replace(/\/+$/, ""), httpVersion: "1.1", interceptors });
  }
  return createGrpcTransport({
    baseUrl: `${tls ? "https" : "http"}://${address}`,
    // In MB. Node's default of 10 is less than one chunk.
    nodeOptions: { maxSessionMemory: 1024 },
    interceptors,
  });
}

const withToken =
  (token: string): Interceptor =>
  (next) =>
  (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
