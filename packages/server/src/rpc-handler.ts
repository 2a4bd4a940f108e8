// Between Node's requests and Connect's routes: picks the router, watches each call, and can end them all.
import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { performance } from "node:perf_hooks";
import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Caller } from "@sortie/core";
import { CALLER, internalError, type Mount, protocolOf, toClientError, unknownMethodHeaders } from "@sortie/rpc";
import { Health as HealthService } from "@sortie/wire";
import type { Logger } from "pino";
import type { ByteBudget, Release } from "./byte-budget.ts";
import type { IdentifyRequest } from "./caller.ts";
import type { FinishedCall, Metrics } from "./metrics.ts";
import { readRequestBody } from "./request-body.ts";

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

export interface RpcHandlerOptions {
  readonly mount: Mount;
  /** Largest message of a service, by its full name. */
  readonly limitOf: (service: string) => number;
  readonly budget: ByteBudget;
  /** Finds out who calls, before the body is read; absent: nobody asks. Health is open to all. */
  readonly identify?: IdentifyRequest | undefined;
  /** A call that goes on is asked again every so many milliseconds, and ended once its caller is refused. */
  readonly identityCheckMs: number;
  readonly metrics: Metrics;
  readonly onCallFinished?: ((call: FinishedCall) => void) | undefined;
  readonly logger: Logger;
}

export interface RpcHandler {
  /** Answers the request if it is a call; false if it is not. */
  handle(request: NodeRequest, response: NodeResponse): boolean;
  /** Ends running calls with this reason: their signals abort, and streams stop at once. */
  abort(which: "streams" | "all", reason: ConnectError): void;
  readonly runningCalls: number;
}

interface Call {
  readonly controller: AbortController;
  readonly isStream: boolean;
}

export function createRpcHandler(options: RpcHandlerOptions): RpcHandler {
  const running = new Set<Call>();
  let ended: ConnectError | undefined; // Set once everything was told to end: late calls get the same answer.

  const start = (handler: UniversalHandler, request: NodeRequest, response: NodeResponse) => {
    const method = `${handler.service.typeName}/${handler.method.name}`;
    const isOpen = handler.service.typeName === HealthService.typeName;
    const caller = isOpen ? undefined : callerOf(request, method, options);
    const universal = universalRequestFromNodeRequest(
      request,
      response as ServerResponse,
      undefined,
      createContextValues().set(CALLER, caller),
    );
    const controller = new AbortController();
    universal.signal.addEventListener("abort", () => controller.abort(universal.signal.reason), { once: true });
    if (ended !== undefined) controller.abort(ended);
    const call: Call = { controller, isStream: handler.method.methodKind !== "unary" };
    running.add(call);

    const startedAt = performance.now();
    const releases: Release[] = [];
    let requestBytes = 0;
    let responseBytes = 0;
    let outcome: UniversalServerResponse | undefined;
    options.metrics.callStarted(method);
    const stopWatching = isOpen ? () => {} : watchCaller(request, controller, options);
    response.once("close", () => {
      stopWatching();
      running.delete(call);
      for (const release of releases) release();
      const finished: FinishedCall = {
        method,
        protocol: protocolOf(contentTypeOf(request)),
        code: outcome === undefined || wasCut(request, response) ? "canceled" : codeOf(outcome),
        durationMs: performance.now() - startedAt,
        requestBytes,
        responseBytes,
      };
      options.metrics.callFinished(finished);
      options.onCallFinished?.(finished);
    });

    const body = readRequestBody(request, {
      budget: options.budget,
      maxMessageBytes: options.limitOf(handler.service.typeName),
      signal: controller.signal,
      admitted: caller,
      onReserve(release) {
        // The client may have left while this waited.
        if (response.destroyed || response.writableFinished) release();
        else releases.push(release);
      },
      onBytes: (count) => {
        requestBytes += count;
      },
    });
    handler({ ...universal, body, signal: controller.signal })
      .then((answer) => {
        outcome = answer;
        const counted = answer.body && countBytes(answer.body, (count) => (responseBytes += count));
        return universalResponseToNodeResponse(
          counted ? { ...answer, body: counted } : answer,
          response as ServerResponse,
        );
      })
      .catch((error: unknown) => {
        if (!response.destroyed && ConnectError.from(error).code !== Code.Aborted) {
          options.logger.debug({ err: error, method }, "response could not be written");
          response.destroy();
        }
      });
  };

  return {
    handle(request, response) {
      const url = request.url ?? "";
      const end = url.indexOf("?");
      const path = end === -1 ? url : url.slice(0, end);
      const handler = options.mount.handlerOf({
        method: request.method ?? "",
        path,
        query: end === -1 ? "" : url.slice(end + 1),
        contentType: contentTypeOf(request),
      });
      if (handler === undefined) return answerUnknownMethod(path, request, response);
      try {
        start(handler, request, response);
      } catch (error) {
        // No host in the request, or a path that is none.
        response.statusCode = 400;
        response.setHeader("content-type", "text/plain");
        response.end(`${ConnectError.from(error).rawMessage}\n`);
      }
      return true;
    },
    abort(which, reason) {
      if (which === "all") ended = reason;
      for (const call of running) if (which === "all" || call.isStream) call.controller.abort(reason);
    },
    get runningCalls() {
      return running.size;
    },
  };
}

/** Who makes the call; a rejection is fit for the client. */
function callerOf(
  request: NodeRequest,
  method: string,
  { identify, logger }: RpcHandlerOptions,
): Promise<Caller> | undefined {
  const caller = identify?.(request).catch((error) => {
    const fault = toClientError(error);
    throw fault instanceof ConnectError ? fault : internalError(logger, fault, method);
  });
  caller?.catch(() => {}); // Whoever reads the body or the caller hears of it.
  return caller;
}

/** Ends the call once its caller is refused: the token of a stream may be revoked while it runs. */
function watchCaller(
  request: NodeRequest,
  controller: AbortController,
  { identify, identityCheckMs }: RpcHandlerOptions,
): () => void {
  if (identify === undefined) return () => {};
  const check = () => {
    identify(request).catch((error) => {
      const fault = toClientError(error);
      // Any other fault says nothing of the caller, and the next check comes soon.
      if (fault instanceof ConnectError && fault.code === Code.Unauthenticated) controller.abort(fault);
    });
  };
  const timer = setInterval(check, identityCheckMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** gRPC clients expect a status; everyone else is content with 404. */
function answerUnknownMethod(path: string, request: NodeRequest, response: NodeResponse): boolean {
  const contentType = contentTypeOf(request);
  if (protocolOf(contentType) === "connect") return false;
  for (const [name, value] of Object.entries(unknownMethodHeaders(path, contentType))) response.setHeader(name, value);
  response.end();
  return true;
}

const contentTypeOf = (request: NodeRequest): string => request.headers["content-type"] ?? "";

/** Did the call end before its answer was out? */
function wasCut(request: NodeRequest, response: NodeResponse): boolean {
  if ("stream" in request) return request.stream.rstCode !== constants.NGHTTP2_NO_ERROR;
  return !response.writableFinished;
}

/** Only known once the body is out, because gRPC puts it into the trailers. */
function codeOf(outcome: UniversalServerResponse): string {
  const status = outcome.trailer?.get("grpc-status") ?? outcome.header?.get("grpc-status");
  if (status) return status === "0" ? "ok" : codeName(Number(status));
  return outcome.status < 400 ? "ok" : `http_${outcome.status}`;
}

const codeName = (code: Code): string =>
  (Code[code] ?? `code_${code}`).replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

async function* countBytes(
  body: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    count(piece.byteLength);
    yield piece;
  }
}
