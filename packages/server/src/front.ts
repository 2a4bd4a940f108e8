// The listening socket: takes connections, finds out what they speak, and hands them to the HTTP/1.1 or HTTP/2 server.
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
  type TlsOptions as TlsServerOptions,
} from "node:tls";

/** Key material as read from PEM files. */
export interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Certificate authority for client certificates. With it a client may show a certificate, and a bad one is refused. */
  readonly root?: string | Buffer | undefined;
  /** Refuse clients without a certificate. Needs `root`. */
  readonly requireClientCert?: boolean | undefined;
}

export interface FrontOptions {
  readonly tls?: TlsOptions | undefined;
  /** Milliseconds of silence after which a connection that has not yet told what it speaks is closed. */
  readonly silenceTimeoutMs: number;
  readonly onHttp1: (socket: Socket) => void;
  readonly onHttp2: (socket: Socket) => void;
  /** A connection that was not let in, for the log. */
  readonly onRefused: (reason: string, socket: Socket) => void;
}

export interface Front {
  readonly server: Server;
  /** Every open connection. */
  readonly sockets: ReadonlySet<Socket>;
  /** Closes the connections that have not told what they speak. */
  dropUndecided(): void;
}

/** Key material that cannot be used. The message is for a person. */
export class TlsMaterialError extends Error {
  override readonly name = "TlsMaterialError";
}

/** HTTP/2 with prior knowledge begins with "PRI * HTTP/2.0"; the method PRI is reserved, so its four bytes decide. */
const PREFACE = Buffer.from("PRI ", "latin1");

export function createFront(options: FrontOptions): Front {
  const sockets = new Set<Socket>();
  // By the client's endpoint, because a TLS socket does not tell which connection it came from.
  const undecided = new Map<string, Socket>();
  const track = (socket: Socket) => {
    const endpoint = endpointOf(socket);
    sockets.add(socket);
    undecided.set(endpoint, socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (undecided.get(endpoint) === socket) undecided.delete(endpoint);
    });
    // A connection that breaks is no event for the server; whoever reads from it hears of it.
    socket.on("error", () => {});
  };
  const hand = (socket: Socket, speaks: "http1" | "http2") => {
    undecided.delete(endpointOf(socket));
    if (speaks === "http2") {
      socket.allowHalfOpen = false; // An HTTP/2 client that has ended has left.
      options.onHttp2(socket);
    } else {
      options.onHttp1(socket);
      socket.resume(); // The HTTP/1.1 server does not end a pause that is not its own.
    }
  };

  let server: Server;
  if (options.tls === undefined) {
    server = createTcpServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true });
    server.on("connection", (socket) => {
      track(socket);
      peek(socket, options.silenceTimeoutMs, (speaks) => hand(socket, speaks));
    });
  } else {
    const { cert, key, root, requireClientCert = false } = options.tls;
    const tlsServer = openTlsServer({
      cert,
      key,
      ...(root === undefined ? {} : { ca: root, requestCert: true, rejectUnauthorized: requireClientCert }),
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: options.silenceTimeoutMs,
      noDelay: true,
      allowHalfOpen: true,
    });
    server = tlsServer;
    tlsServer.on("connection", track);
    tlsServer.on("tlsClientError", (error, socket) => options.onRefused(`TLS: ${error.message}`, socket));
    tlsServer.on("secureConnection", (socket: TLSSocket) => {
      track(socket);
      // A certificate that is not required is still verified when shown.
      if (root !== undefined && !socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0) {
        options.onRefused(`client certificate: ${socket.authorizationError}`, socket);
        socket.destroy();
        return;
      }
      hand(socket, socket.alpnProtocol === "h2" ? "http2" : "http1");
    });
  }
  return {
    server,
    sockets,
    dropUndecided() {
      for (const socket of undecided.values()) socket.destroy();
    },
  };
}

function openTlsServer(options: TlsServerOptions): TlsServer {
  try {
    return createTlsServer(options);
  } catch (error) {
    const reason = (error as Error).message;
    throw new TlsMaterialError(`the TLS certificate, key or root cannot be used: ${reason}`, { cause: error });
  }
}

const endpointOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;

/** Reads until the first bytes tell the protocol, however slowly they come, and puts them back. */
function peek(socket: Socket, timeoutMs: number, decide: (speaks: "http1" | "http2") => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const finish = () => {
    socket.setTimeout(0);
    socket.off("timeout", onTimeout);
    socket.off("data", onData);
    socket.off("end", onEnd);
    socket.pause();
  };
  const onTimeout = () => socket.destroy();
  const onEnd = () => socket.destroy();
  const onData = (data: Buffer) => {
    seen = seen.byteLength === 0 ? data : Buffer.concat([seen, data]);
    const common = Math.min(seen.byteLength, PREFACE.byteLength);
    const matches = seen.subarray(0, common).equals(PREFACE.subarray(0, common));
    if (matches && common < PREFACE.byteLength) return;
    finish();
    socket.unshift(seen);
    decide(matches ? "http2" : "http1");
  };
  socket.setTimeout(timeoutMs, onTimeout);
  socket.on("data", onData);
  socket.once("end", onEnd);
  socket.resume();
}
