// The function behind the URL: every service over Connect, gRPC-Web and JSON, answers streamed.
import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import { type Context, createIdentify } from "@sortie/core";
import {
  CALLER,
  callerFromHost,
  createRoutes,
  type Infer,
  internalError,
  mountRoutes,
  protocolOf,
  toClientError,
  unknownMethodHeaders,
} from "@sortie/rpc";
import { bodyOf, headersOf, plainAnswer, type Respond, sendAnswer, universalRequest } from "./http.ts";
import type { FunctionUrlEvent, Invocation } from "./lambda.ts";
import type { Log } from "./log.ts";
import { type PipelineSettings, pipelineContext } from "./pipeline-context.ts";
import { principalName } from "./principal.ts";
import { noInfer } from "./remote-infer.ts";

/** A request of 6 MB in base64 holds 4.5 MiB; the rest is for everything around the message. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Waits and streams end after so long: a function is paid while it waits, even after its client has left. */
export const WAIT_MS = 25_000;
/** A training mostly waits for a container; its stream may last nearly as long as a function. */
export const TRAIN_MS = 880_000;
/** A call ends this long before the function would be ended. */
const MARGIN_MS = 2_000;

export interface RpcFunctionOptions {
  readonly context: Context;
  /** How callers prove who they are. Nobody is served without. */
  readonly auth: "token" | "iam";
  readonly log: Log;
  /** What answers Inference. Default: nothing does. */
  readonly infer?: Infer | undefined;
  /** Of the pipeline service. */
  readonly pipelines?: PipelineSettings | undefined;
  /** Default 25 s. */
  readonly waitMs?: number | undefined;
  /** How long a Train stream lasts. Default 880 s. */
  readonly trainMs?: number | undefined;
  /** Default 4 MiB. */
  readonly maxMessageBytes?: number | undefined;
}

/** Answers one request. Resolves when all is written; never rejects for what a client did. */
export type RpcFunction = (event: FunctionUrlEvent, respond: Respond, invocation: Invocation) => Promise<void>;

export function createRpcFunction(options: RpcFunctionOptions): RpcFunction {
  const { context, auth, log, infer = noInfer, waitMs = WAIT_MS, maxMessageBytes = MAX_MESSAGE_BYTES } = options;
  const olderNodeForm = options.pipelines?.olderNodeForm ?? false;
  const cuvis = {
    context: pipelineContext(context, options.pipelines),
    infer,
    olderNodeForm,
    maxMessageBytes,
    trainMs: options.trainMs ?? TRAIN_MS,
  };
  const mount = mountRoutes({
    routes: createRoutes(context, { maxMessageBytes, callerOf: callerFromHost, waitMs, cuvis }),
    maxMessageBytes,
    compression: [compressionGzip],
    // A function URL sends no trailers.
    grpc: false,
    watchMs: waitMs,
    log,
  });
  const identify = createIdentify(context, { required: true });

  const callerOf = async (event: FunctionUrlEvent, header: Headers) => {
    const arn = auth === "iam" ? event.requestContext.authorizer?.iam?.userArn : undefined;
    try {
      return await identify(header, arn === undefined ? {} : { verifiedName: principalName(arn) });
    } catch (error) {
      const fault = toClientError(error);
      throw fault instanceof ConnectError ? fault : internalError(log, fault, event.rawPath);
    }
  };

  async function call(
    handler: UniversalHandler,
    event: FunctionUrlEvent,
    header: Headers,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<UniversalServerResponse> {
    // Probes may ask without a name.
    const caller = handler.service.typeName === "grpc.health.v1.Health" ? undefined : callerOf(event, header);
    caller?.catch(() => {}); // The route hears of it.
    const contextValues = createContextValues().set(CALLER, caller);
    return handler({ ...universalRequest(event, header, body), signal, contextValues });
  }

  return async (event, respond, invocation) => {
    const startedAt = performance.now();
    const { method } = event.requestContext.http;
    const header = headersOf(event);
    const body = bodyOf(event);
    const contentType = header.get("content-type") ?? "";
    const head = { method, path: event.rawPath, query: event.rawQueryString, contentType };
    const handler = mount.handlerOf(head);
    const ending = new AbortController();
    const left = Math.max(0, invocation.getRemainingTimeInMillis() - MARGIN_MS);
    const timer = setTimeout(() => ending.abort(OUT_OF_TIME), left);
    const facts = {
      requestId: invocation.awsRequestId,
      method: handler
        ? `${handler.service.typeName}/${handler.method.name}`
        : `${method} ${event.rawPath.slice(0, 200)}`,
      protocol: protocolOf(contentType),
      requestBytes: body.byteLength,
    };
    const duration = () => Math.round(performance.now() - startedAt);
    try {
      const answer = handler
        ? await call(handler, event, header, body, ending.signal)
        : answerWithoutMethod(event, contentType, mount.health.isServing);
      const sent = await sendAnswer(answer, respond, () => ending.abort(GONE));
      const outcome = { status: answer.status, responseBytes: sent.bytes, whole: sent.whole, durationMs: duration() };
      log.info({ ...facts, ...outcome }, "call");
    } catch (error) {
      // Connect's handlers put every fault into their answers: this is one of the way there.
      log.error({ ...facts, err: error, durationMs: duration() }, "the answer could not be written");
    } finally {
      clearTimeout(timer);
      ending.abort(GONE);
    }
  };
}

const GONE = new ConnectError("the call is over", Code.Canceled);
const OUT_OF_TIME = new ConnectError("the time of this call is used up; try again", Code.Unavailable);

function answerWithoutMethod(event: FunctionUrlEvent, contentType: string, serving: boolean): UniversalServerResponse {
  const { method } = event.requestContext.http;
  if (event.rawPath === "/healthz" && (method === "GET" || method === "HEAD")) {
    const json = { "content-type": "application/json" };
    return plainAnswer(serving ? 200 : 503, serving ? '{"status":"ok"}' : '{"status":"not serving"}', json);
  }
  if (protocolOf(contentType) === "grpc-web") {
    return { status: 200, header: new Headers(unknownMethodHeaders(event.rawPath, contentType)) };
  }
  return plainAnswer(404, "there is nothing here\n");
}
