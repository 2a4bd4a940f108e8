// The services as a host mounts them: which handler answers a request, whatever the host's own requests look like.
import { type ConnectRouter, createConnectRouter, type Interceptor } from "@connectrpc/connect";
import type { Compression, UniversalHandler } from "@connectrpc/connect/protocol";
import { errorGuard, type FaultLog } from "./error-guard.ts";
import { createHealth, type Health } from "./health.ts";
import { describedServices, reflectionRoutes } from "./reflection.ts";
import { VERSION, VERSION_HEADER } from "./version.ts";

/** The same services twice: JSON needs typed messages, while binary routes may take some messages undecoded. */
export interface HostRoutes {
  readonly binary: (router: ConnectRouter) => void;
  readonly json: (router: ConnectRouter) => void;
}

export interface MountOptions {
  readonly routes: HostRoutes;
  /** Run inside the error guard, outermost first. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** Largest message, received or sent, bytes. */
  readonly maxMessageBytes: number;
  readonly compression: readonly Compression[];
  /** Whether native gRPC is answered: it needs trailers, which not every host can send. Default true. */
  readonly grpc?: boolean | undefined;
  /** Watches of health end by themselves after so many milliseconds. Default: they do not. */
  readonly watchMs?: number | undefined;
  readonly log: FaultLog;
}

/** What decides who answers a request. */
export interface RequestHead {
  /** In capitals. */
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly contentType: string;
}

export interface Mount {
  /** Undefined if no method has this path. */
  handlerOf(head: RequestHead): UniversalHandler | undefined;
  readonly health: Health;
}

export type Protocol = "grpc" | "grpc-web" | "connect";

/** Mounts the routes with health and reflection beside them. */
export function mountRoutes(options: MountOptions): Mount {
  const health = createHealth(() => services.map((service) => service.typeName), options.watchMs);
  const services = describedServices((router) => {
    options.routes.json(router);
    health.routes(router);
  });
  const pathsOf = (register: (router: ConnectRouter) => void): ReadonlyMap<string, UniversalHandler> => {
    const router = createConnectRouter({
      grpc: options.grpc ?? true,
      readMaxBytes: options.maxMessageBytes,
      writeMaxBytes: options.maxMessageBytes,
      acceptCompression: [...options.compression],
      interceptors: [errorGuard(options.log), ...(options.interceptors ?? [])],
    });
    register(router);
    health.routes(router);
    reflectionRoutes(router, services);
    return new Map(router.handlers.map((handler) => [handler.requestPath, sayingVersion(handler)]));
  };
  const binary = pathsOf(options.routes.binary);
  const json = pathsOf(options.routes.json);
  return { handlerOf: (head) => (speaksJson(head) ? json : binary).get(head.path), health };
}

/** Answers as the handler does, with the header that says who answers; errors too. */
function sayingVersion(handler: UniversalHandler): UniversalHandler {
  const answer = async (request: Parameters<UniversalHandler>[0]): ReturnType<UniversalHandler> => {
    const given = await handler(request);
    const header = new Headers(given.header);
    header.set(VERSION_HEADER, VERSION);
    return { ...given, header };
  };
  return Object.assign(answer, handler);
}

const JSON_CONTENT_TYPE = /^application\/(connect\+|grpc\+|grpc-web\+)?json\b/i;

function speaksJson({ method, query, contentType }: RequestHead): boolean {
  if (method === "GET") return new URLSearchParams(query).get("encoding") === "json";
  return JSON_CONTENT_TYPE.test(contentType);
}

export function protocolOf(contentType: string): Protocol {
  if (/^application\/grpc-web/i.test(contentType)) return "grpc-web";
  return /^application\/grpc/i.test(contentType) ? "grpc" : "connect";
}

/** What a gRPC client, which expects a status, is told where no method has its path. */
export function unknownMethodHeaders(path: string, contentType: string): Record<string, string> {
  return {
    "content-type": contentType,
    [VERSION_HEADER]: VERSION,
    "grpc-status": "12",
    "grpc-message": encodeURIComponent(`this server has no method ${path}`),
  };
}
