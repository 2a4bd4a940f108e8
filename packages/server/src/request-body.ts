// The bytes of a request, as Connect reads them: counted against the byte budget, and large messages in one piece.
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { type ByteBudget, type Release, UNCOUNTED_BYTES } from "./byte-budget.ts";

const ENVELOPE_BYTES = 5; // One byte of flags and the length, big-endian: gRPC, gRPC-Web and Connect streams alike.
const COMPRESSED_FLAG = 1;
/**
 * Larger messages are put together here. Connect keeps every frame until the last has come, looks at all of them whenever
 * one comes, and copies them then: of one piece it makes its copy at once, so that frames live shortly and the piece can be
 * let go of.
 */
const GATHERED_BYTES = UNCOUNTED_BYTES;
/** DEFLATE cannot expand further than this. */
const LARGEST_EXPANSION = 1032;

export interface RequestBodyOptions {
  readonly budget: ByteBudget;
  readonly maxMessageBytes: number;
  readonly signal: AbortSignal;
  /** Nothing is read before this settles, and nothing at all if it rejects, which is then the fault of the read. */
  readonly admitted?: Promise<unknown> | undefined;
  /** Is told each reservation; to be released when the call is over. */
  readonly onReserve: (release: Release) => void;
  /** Is told the size of everything that comes from the socket. */
  readonly onBytes: (count: number) => void;
}

/**
 * Reads the body of one request. Room for a message is reserved before its bytes are read. The limit on one message is
 * Connect's to refuse, so a message above it is not read.
 */
export async function* readRequestBody(
  request: IncomingMessage | Http2ServerRequest,
  options: RequestBodyOptions,
): AsyncGenerator<Uint8Array> {
  const enveloped = !isUnaryConnect(request.headers["content-type"] ?? "");
  // Left early (a refusal), the request must stay alive until its answer is out, so the iterator does not destroy it.
  const frames = request.iterator({ destroyOnReturn: false });
  try {
    await options.admitted;
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
  let left = 0; // Bytes of the current message that have not come yet.
  let gathered: Uint8Array<ArrayBuffer> | undefined;
  try {
    for await (const frame of frames) {
      let offset = 0;
      while (offset < frame.byteLength) {
        if (left === 0) {
          const taken = frame.copy(header, headerLength, offset, offset + ENVELOPE_BYTES - headerLength);
          headerLength += taken;
          offset += taken;
          if (headerLength < ENVELOPE_BYTES) break;
          headerLength = 0;
          left = header.readUInt32BE(1);
          // A message that is too large is Connect's to refuse, and the header is all it needs for that.
          const isTooLarge = left > options.maxMessageBytes;
          if (!isTooLarge) await reserve((header[0]! & COMPRESSED_FLAG) !== 0, left, options);
          yield Buffer.from(header);
          if (isTooLarge) return;
          gathered = left > GATHERED_BYTES ? new Uint8Array(left) : undefined;
          continue;
        }
        const part = frame.subarray(offset, offset + left);
        offset += part.byteLength;
        if (gathered !== undefined) gathered.set(part, gathered.byteLength - left);
        left -= part.byteLength;
        if (gathered === undefined) yield part;
        else if (left === 0) {
          yield gathered;
          // Connect has copied it by the time it asks for more. The collector would let some hundred MiB of these gather.
          gathered.buffer.transfer(0);
          gathered = undefined;
        }
      }
    }
    // The stream broke off: Connect says so when it sees the rest.
    if (headerLength > 0) yield header.subarray(0, headerLength);
    if (left > 0 && gathered !== undefined) yield gathered.subarray(0, gathered.byteLength - left);
  } finally {
    if (gathered !== undefined) gathered.buffer.transfer(0);
  }
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
