// Who makes a request: what core's identities need to know of a Node request.
import type { TLSSocket } from "node:tls";
import { type Caller, type CallHeaders, DomainError, type Peer } from "@sortie/core";
import type { NodeRequest } from "./rpc-handler.ts";
import { isLoopback } from "./settings.ts";

/** Settles with the caller of a request, or rejects with why there is none. */
export type IdentifyRequest = (request: NodeRequest) => Promise<Caller>;

export function headersOf(request: NodeRequest): CallHeaders {
  return {
    get(name) {
      const value = request.headers[name.toLowerCase()];
      return Array.isArray(value) ? value.join(", ") : value;
    },
  };
}

const socketOf = (request: NodeRequest) => ("stream" in request ? request.stream.session?.socket : request.socket);

/** The common name of the certificate that the client has shown, if it was verified. */
export function peerOf(request: NodeRequest): Peer {
  const socket = socketOf(request) as Partial<TLSSocket> | undefined;
  if (socket?.authorized !== true) return {};
  const name: unknown = socket.getPeerCertificate?.().subject?.CN;
  // Several names in one certificate say nothing for sure.
  return typeof name === "string" ? { verifiedName: name } : {};
}

/** Does the request come from this machine? */
export function isFromHere(request: NodeRequest): boolean {
  const address = socketOf(request)?.remoteAddress ?? "";
  return isLoopback(address.replace(/^::ffff:/, ""));
}

/** Why this request may not see the host's own numbers; undefined if it may. A request from this machine may always. */
export async function refusalOf(
  request: NodeRequest,
  identify: IdentifyRequest | undefined,
): Promise<string | undefined> {
  if (isFromHere(request)) return undefined;
  try {
    await identify?.(request);
    return undefined;
  } catch (error) {
    if (error instanceof DomainError && error.reason === "unauthenticated") return error.message;
    throw error;
  }
}
