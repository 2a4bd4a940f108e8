// Between the events of a function URL and Connect's handlers: the request as an event has it, the answer as a stream.
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { FunctionUrlEvent, ResponseHead, ResponseStream } from "./lambda.ts";

/** Sends the head of an answer and gives the stream for its body. */
export type Respond = (head: ResponseHead) => ResponseStream;

export function headersOf(event: FunctionUrlEvent): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers)) if (value !== undefined) headers.set(name, value);
  return headers;
}

export function bodyOf({ body, isBase64Encoded }: FunctionUrlEvent): Uint8Array {
  return Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8");
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

/** The request as Connect's handlers take it; the caller gives it its signal and context. */
export function universalRequest(
  event: FunctionUrlEvent,
  header: Headers,
  body: Uint8Array,
): Omit<UniversalServerRequest, "signal" | "contextValues"> {
  const { rawPath, rawQueryString, requestContext } = event;
  const query = rawQueryString === "" ? "" : `?${rawQueryString}`;
  return {
    // What the client spoke to the URL; the answer is chunked either way.
    httpVersion: "1.1",
    url: `https://${requestContext.domainName}${rawPath}${query}`,
    method: requestContext.http.method,
    header,
    body: whole(body),
  };
}

export interface SentAnswer {
  readonly bytes: number;
  /** Did the client stay until the end, as far as Lambda tells? */
  readonly whole: boolean;
}

/**
 * Writes the answer out as it comes, no faster than it is taken.
 * @param onGone called when the other side closes the stream before its end
 * @throws what the body throws; the stream is destroyed then
 */
export async function sendAnswer(
  { status, header, body }: UniversalServerResponse,
  respond: Respond,
  onGone: () => void,
): Promise<SentAnswer> {
  // Cookies are no part of any answer here, so no header is there twice.
  const stream = respond({ statusCode: status, headers: Object.fromEntries(header ?? []) });
  let open = true;
  let ended = false;
  const gone = Promise.withResolvers<void>();
  const onClose = () => {
    if (open && !ended) onGone();
    open = false;
    gone.resolve();
  };
  stream.once("close", onClose);
  stream.once("error", onClose);
  let bytes = 0;
  const write = async (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    if (open && !stream.destroyed && !stream.write(chunk)) await Promise.race([drained(stream), gone.promise]);
  };
  try {
    // Lambda sends the head with the first write, and an answer may have no body.
    await write(new Uint8Array(0));
    for await (const chunk of body ?? []) {
      await write(chunk);
      if (!open) break;
    }
    ended = true;
    stream.end();
    return { bytes, whole: open };
  } catch (error) {
    ended = true;
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

const drained = (stream: ResponseStream) => new Promise<void>((resolve) => stream.once("drain", () => resolve()));

/** An answer without Connect. */
export function plainAnswer(status: number, text: string, headers: Readonly<Record<string, string>> = {}) {
  async function* body() {
    yield Buffer.from(text);
  }
  return { status, header: new Headers({ "content-type": "text/plain; charset=utf-8", ...headers }), body: body() };
}
