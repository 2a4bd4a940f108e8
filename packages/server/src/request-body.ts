// The bytes of a request, as Connect reads them: every message in one piece, and counted against the byte budget.
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { type ByteBudget, type Release, UNCOUNTED_BYTES } from "./byte-budget.ts";

const ENVELOPE_BYTES = 5; // One byte of flags and the length, big-endian: gRPC, gRPC-Web and Connect streams alike.
const COMPRESSED_FLAG = 1;
/** DEFLATE cannot expand further than this. */
const LARGEST_EXPANSION = 1032;

export interface RequestBodyOptions {
  readonly budget: ByteBudget;
  readonly maxMessageBytes: number;
  readonly signal: AbortSignal;
  /** Is told each reservation; to be released when the call is over. */
  readonly onReserve: (release: Release) => void;
  /** Is told the size of everything that comes from the socket. */
  readonly onBytes: (count: number) => void;
}

/**
 * Reads the body of one request. Connect looks at all pieces it has whenever one comes, so a message of many small
 * frames is put together here, in memory that is reserved first. Limits are Connect's to refuse: a message that is
 * larger than allowed is not collected.
 */
export async function* readRequestBody(
  request: IncomingMessage | Http2ServerRequest,
  options: RequestBodyOptions,
): AsyncGenerator<Uint8Array> {
  const enveloped = !isUnaryConnect(request.headers["content-type"] ?? "");
  // Left early (a refusal), the request must stay alive until its answer is out, so the iterator does not destroy it.
  const frames = request.iterator({ destroyOnReturn: false });
  try {
    yield* enveloped
      ? readEnvelopes(counted(frames, options), options)
      : readWhole(request, counted(frames, options), options);
  } finally {
    // What was not read must not block the connection.
    request.resume();
  }
}

const isUnaryConnect = (contentType: string): boolean => /^application\/(proto|json)\b/i.test(contentType);

async function* counted(frames: AsyncIterable<Buffer>, options: RequestBodyOptions): AsyncGenerator<Buffer> {
  for await (const frame of frames) {
    options.onBytes(frame.byteLength);
    yield frame;
  }
}

async function* readEnvelopes(frames: AsyncIterable<Buffer>, options: RequestBodyOptions): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(ENVELOPE_BYTES);
  let headerLength = 0;
  let message: Buffer | undefined; // With its header in front.
  let filled = 0;
  for await (const frame of frames) {
    let offset = 0;
    while (offset < frame.byteLength) {
      if (message === undefined) {
        const taken = frame.copy(header, headerLength, offset, offset + ENVELOPE_BYTES - headerLength);
        headerLength += taken;
        offset += taken;
        if (headerLength < ENVELOPE_BYTES) break;
        headerLength = 0;
        const length = header.readUInt32BE(1);
        if (length > options.maxMessageBytes) {
          yield header; // Enough for Connect to refuse it.
          return;
        }
        await reserve((header[0]! & COMPRESSED_FLAG) !== 0, length, options);
        message = Buffer.allocUnsafeSlow(ENVELOPE_BYTES + length);
        header.copy(message);
        filled = ENVELOPE_BYTES;
      }
      const taken = frame.copy(message, filled, offset);
      filled += taken;
      offset += taken;
      if (filled === message.byteLength) {
        const whole = message;
        message = undefined;
        yield whole;
      }
    }
    if (message !== undefined && filled === message.byteLength) {
      const whole = message; // An empty message at the end of a frame.
      message = undefined;
      yield whole;
    }
  }
  // The stream broke off: Connect says so when it sees the rest.
  if (message !== undefined) yield message.subarray(0, filled);
  else if (headerLength > 0) yield header.subarray(0, headerLength);
}

async function* readWhole(
  request: IncomingMessage | Http2ServerRequest,
  frames: AsyncIterable<Buffer>,
  options: RequestBodyOptions,
): AsyncGenerator<Uint8Array> {
  const encoding = request.headers["content-encoding"] ?? "identity";
  const announced = request.headers["content-length"];
  if (announced !== undefined) await reserve(encoding !== "identity", Number(announced), options);
  let received = 0;
  for await (const frame of frames) {
    // Of unknown size: counted as the largest possible as soon as it is not small.
    if (announced === undefined && received <= UNCOUNTED_BYTES && received + frame.byteLength > UNCOUNTED_BYTES) {
      await reserve(false, options.maxMessageBytes, options);
    }
    received += frame.byteLength;
    yield frame;
  }
}

async function reserve(compressed: boolean, length: number, options: RequestBodyOptions): Promise<void> {
  const bytes = Math.min(compressed ? length * LARGEST_EXPANSION : length, options.maxMessageBytes);
  if (bytes > UNCOUNTED_BYTES) options.onReserve(await options.budget.reserve(bytes, options.signal));
}
