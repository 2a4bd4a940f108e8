// The host: one port for gRPC, gRPC-Web, Connect and JSON over HTTP/1.1 and HTTP/2, with health, reflection and metrics.
import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import { type Health, type HostRoutes, mountRoutes } from "@sortie/rpc";
import Fastify from "fastify";
import type { Logger } from "pino";
import { ByteBudget } from "./byte-budget.ts";
import { type IdentifyRequest, refusalOf } from "./caller.ts";
import { createCorsHandler } from "./cors.ts";
import { createFront, type Front, type TlsOptions } from "./front.ts";
import { createMetrics, type FinishedCall, type ReadGauges } from "./metrics.ts";
import { createRpcHandler, type NodeRequest, type NodeResponse } from "./rpc-handler.ts";
import type { TransferHandler } from "./transfers.ts";

const MIB = 1024 * 1024;

export interface HostOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly routes: HostRoutes;
  /** Largest message, received or sent, bytes. Larger ones get RESOURCE_EXHAUSTED and the connection goes on. */
  readonly maxMessageBytes: number;
  /** Services with a limit of their own, which their routes keep as well, by full name. */
  readonly serviceLimits?: Readonly<Record<string, number>> | undefined;
  readonly logger: Logger;
  /** Origins whose pages may call from a browser; "*" is every one. Default: none. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Answers signed links. Absent: there are none. */
  readonly transfers?: TransferHandler | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Run inside the host's own error guard, outermost first. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** Bytes of request messages in memory at once; at least `maxMessageBytes`. Default 1 GiB. */
  readonly maxInFlightBytes?: number | undefined;
  /** How long a request may wait for room in that budget, milliseconds. Default 30 000. */
  readonly inFlightWaitMs?: number | undefined;
  /** A connection that says nothing for so long before its first request is closed, milliseconds. Default 10 000. */
  readonly silenceTimeoutMs?: number | undefined;
  /** The application's numbers for /metrics. */
  readonly readGauges?: ReadGauges | undefined;
  /**
   * Finds out who makes a request, before its body is read; a DomainError refuses it. Absent: nobody asks. Asked for every
   * call but those of grpc.health.v1, and for /metrics from another machine.
   */
  readonly identify?: IdentifyRequest | undefined;
  /** How often a call that goes on is asked again, milliseconds; it ends once its caller is refused. Default 5000. */
  readonly identityCheckMs?: number | undefined;
  /** Called after every call. Must not throw. */
  readonly onCallFinished?: ((call: FinishedCall) => void) | undefined;
}

export interface Host {
  /** As asked for, or as found: `HOST:PORT`, an IPv6 host in brackets. */
  readonly address: string;
  readonly port: number;
  /** What grpc.health.v1 and /healthz answer. */
  readonly health: Health;
  /**
   * Stops accepting, ends streams with UNAVAILABLE, lets unary calls end, and after `graceMs` closes what is left. Resolves
   * when every connection is closed. May be called again with a shorter grace.
   */
  close(graceMs: number): Promise<void>;
}

/** The port cannot be had. The message is for a person. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

const STOPPING = new ConnectError("server is stopping; resume from your last byte_offset", Code.Unavailable);
/** Unary calls get so long, or half the grace if that is shorter, before waiting ones are told to give up. */
const UNARY_PATIENCE_MS = 1000;
const STOP_INTERVAL_MS = 20;

/** Starts listening. @throws ListenError if the address cannot be had */
export async function startHost(options: HostOptions): Promise<Host> {
  const { logger } = options;
  let stopping = false;
  const mount = mountRoutes({
    routes: options.routes,
    interceptors: options.interceptors,
    maxMessageBytes: options.maxMessageBytes,
    compression: [compressionGzip],
    log: logger,
  });
  const { health } = mount;
  const metrics = createMetrics(options.readGauges);
  const rpc = createRpcHandler({
    mount,
    limitOf: (service) => options.serviceLimits?.[service] ?? options.maxMessageBytes,
    budget: new ByteBudget(
      Math.max(
        options.maxInFlightBytes ?? 1024 * MIB,
        options.maxMessageBytes,
        ...Object.values(options.serviceLimits ?? {}),
      ),
      options.inFlightWaitMs ?? 30_000,
    ),
    identify: options.identify,
    identityCheckMs: options.identityCheckMs ?? 5000,
    metrics,
    onCallFinished: options.onCallFinished,
    logger,
  });

  // No time-outs on requests and responses: an upload may be slow and a wait may last for hours. Only heads must come soon.
  const http1 = createHttp1Server({
    requestTimeout: 0,
    headersTimeout: 60_000,
    keepAliveTimeout: 75_000,
    noDelay: true,
  });
  const http2 = createHttp2Server({
    settings: {
      initialWindowSize: 4 * MIB,
      maxConcurrentStreams: 10_000,
      maxFrameSize: 1 * MIB,
      maxHeaderListSize: 65_536,
    },
    maxSessionMemory: 4096,
    // Clients that wait with deadlines cancel streams for a living.
    streamResetBurst: 100_000,
    streamResetRate: 10_000,
  });
  const isPreflight = createCorsHandler(options.corsOrigins ?? []);
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.setLocalWindowSize(64 * MIB);
    session.once("close", () => sessions.delete(session));
    if (stopping) session.close();
  });
  http2.on("sessionError", (error) => logger.debug({ err: error }, "connection failed"));
  http1.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });

  const fastify = Fastify({
    logger: false,
    // Nothing listens here: the front hands the connections over.
    serverFactory: (handler) => {
      const listener = (request: NodeRequest, response: NodeResponse) => {
        if (isPreflight(request, response)) return;
        if (options.transfers?.(request, response)) return;
        if (!rpc.handle(request, response)) handler(request as never, response as never);
      };
      http1.on("request", listener);
      http2.on("request", listener);
      return http1;
    },
  });
  fastify.get("/healthz", async (_request, reply) =>
    health.isServing
      ? reply.send({ status: "ok" })
      : reply.code(503).send({ status: stopping ? "stopping" : "not serving" }),
  );
  fastify.get("/metrics", async ({ raw }, reply) => {
    const refusal = await refusalOf(raw, options.identify);
    if (refusal === undefined) return reply.type(metrics.contentType).send(await metrics.render());
    return reply.code(401).header("www-authenticate", "Bearer").type("text/plain").send(`${refusal}\n`);
  });
  await fastify.ready();
  http1.emit("listening"); // Starts its watch over slow heads, which it does not by itself when it never listens.

  const openFront = () =>
    createFront({
      tls: options.tls,
      silenceTimeoutMs: options.silenceTimeoutMs ?? 10_000,
      onHttp1: (socket) => http1.emit("connection", socket),
      onHttp2: (socket) => http2.emit("connection", socket),
      onRefused: (reason, socket) => logger.info({ reason, from: socket.remoteAddress }, "connection refused"),
    });
  let front: Front;
  try {
    front = openFront();
    await listen(front.server, options.host, options.port);
  } catch (error) {
    await fastify.close();
    throw error;
  }
  const { port } = front.server.address() as AddressInfo;
  front.server.on("error", (error) => logger.error({ err: error }, "listener failed"));

  let closed: Promise<void> | undefined;
  let forceAt = Number.POSITIVE_INFINITY;
  const shutDown = async () => {
    stopping = true;
    const startedAt = performance.now();
    const gone = new Promise<void>((resolve) => front.server.close(() => resolve()));
    health.stop();
    front.dropUndecided();
    rpc.abort("streams", STOPPING);
    for (const session of sessions) session.close();
    const patience = Math.min(UNARY_PATIENCE_MS, (forceAt - startedAt) / 2);
    let toldAll = false;
    const watch = setInterval(() => {
      const now = performance.now();
      http1.closeIdleConnections();
      if (!toldAll && now - startedAt >= patience) {
        toldAll = true;
        rpc.abort("all", STOPPING);
      }
      if (now >= forceAt) for (const socket of front.sockets) socket.destroy();
    }, STOP_INTERVAL_MS);
    await gone;
    clearInterval(watch);
    await fastify.close();
  };
  return {
    address: `${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    port,
    health,
    close(graceMs) {
      forceAt = Math.min(forceAt, performance.now() + graceMs);
      closed ??= shutDown();
      return closed;
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, backlog: 1024 }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      EADDRINUSE: "the port is taken (another program listens there; choose another with --port)",
      EACCES: "this user may not use the port (choose one above 1023 with --port)",
      EADDRNOTAVAIL: "this machine has no such address (see --host)",
      ENOTFOUND: "the host name is not known (see --host)",
    };
    throw new ListenError(`cannot listen on ${host}:${port}: ${reasons[code ?? ""] ?? message}`, { cause: error });
  }
}
