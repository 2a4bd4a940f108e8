// Requests to the function behind the URL without Lambda: what a client sends becomes an event, what the function streams
// becomes the answer.
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport as createConnect } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpcWeb } from "@connectrpc/connect/protocol-grpc-web";
import { compressionGzip } from "@connectrpc/connect-node";
import type { FunctionUrlEvent, ResponseHead } from "../lambda.ts";
import type { RpcFunction } from "../rpc-function.ts";

/** Bodies of these types come as text, all others in base64. */
const TEXT = /^(text\/|application\/(json|javascript|xml))/i;

export interface Request {
  readonly method?: string | undefined;
  readonly path: string;
  readonly query?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | undefined;
  /** ARN of who signed the request. */
  readonly signedBy?: string | undefined;
}

export function eventOf(request: Request): FunctionUrlEvent {
  const { method = "POST", path, query = "", headers = {}, body = new Uint8Array(0), signedBy } = request;
  const isBase64Encoded = body.byteLength > 0 && !TEXT.test(headers["content-type"] ?? "");
  return {
    rawPath: path,
    rawQueryString: query,
    headers,
    isBase64Encoded,
    ...(body.byteLength > 0 && { body: Buffer.from(body).toString(isBase64Encoded ? "base64" : "utf8") }),
    requestContext: {
      domainName: "function.test",
      http: { method },
      ...(signedBy !== undefined && { authorizer: { iam: { userArn: signedBy } } }),
    },
  };
}

export interface Answer {
  readonly head: ResponseHead;
  readonly stream: PassThrough;
  /** Settles when the function has returned. */
  readonly returned: Promise<void>;
}

let invocations = 0;

/** @param remainingMs what the function has left */
export async function invoke(rpc: RpcFunction, request: Request, remainingMs = 60_000): Promise<Answer> {
  const stream = new PassThrough();
  stream.on("error", () => {}); // A test that ends it has its reasons.
  const head = Promise.withResolvers<ResponseHead>();
  const respond = (given: ResponseHead) => {
    head.resolve(given);
    return stream;
  };
  const invocation = { awsRequestId: `request-${++invocations}`, getRemainingTimeInMillis: () => remainingMs };
  const returned = rpc(eventOf(request), respond, invocation);
  returned.catch(head.reject);
  return { head: await head.promise, stream, returned };
}

/** The whole answer at once. */
export async function ask(rpc: RpcFunction, request: Request, remainingMs?: number) {
  const { head, stream, returned } = await invoke(rpc, request, remainingMs);
  const body = await buffer(stream);
  await returned;
  return { status: head.statusCode, headers: head.headers, body, text: body.toString("utf8") };
}

export interface TransportChoice {
  readonly protocol: "connect" | "grpc-web";
  readonly json?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signedBy?: string | undefined;
  readonly remainingMs?: number | undefined;
}

/** A transport of Connect's clients onto the function. */
export function transportOnto(rpc: RpcFunction, choice: TransportChoice): Transport {
  const httpClient: UniversalClientFn = async ({ url, method, header, body, signal }) => {
    const { pathname, search } = new URL(url);
    const { head, stream } = await invoke(
      rpc,
      {
        method,
        path: pathname,
        query: search.slice(1),
        headers: { ...Object.fromEntries(header), ...choice.headers },
        body: body && (await buffer(body)),
        signedBy: choice.signedBy,
      },
      choice.remainingMs,
    );
    signal?.addEventListener("abort", () => stream.destroy(), { once: true });
    return { status: head.statusCode, header: new Headers(head.headers), body: stream, trailer: new Headers() };
  };
  const create = choice.protocol === "connect" ? createConnect : createGrpcWeb;
  return create({
    httpClient,
    baseUrl: "https://function.test",
    useBinaryFormat: !choice.json,
    interceptors: [],
    acceptCompression: [compressionGzip],
    sendCompression: null,
    compressMinBytes: 1024,
    readMaxBytes: 2 ** 30,
    writeMaxBytes: 2 ** 30,
  });
}
