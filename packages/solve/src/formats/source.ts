// Where the bytes of a model file come from: gzip and bzip2 are recognized by their first bytes and taken off.
import { Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import unbzip2 from "unbzip2-stream";
import type { FormatErrorClass } from "./format-error.ts";

/** How many bytes of a file tell its compression. */
export const magicBytes = 3;

type Compression = "gzip" | "bzip2";

function compressionOf(head: Uint8Array): Compression | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head[0] === 0x42 && head[1] === 0x5a && head[2] === 0x68) return "bzip2";
  return undefined;
}

/**
 * The plain pieces of a whole file.
 * @param lineNumber how far the reader of the pieces has come, for the error about damaged data
 */
export function* plainPieces(
  data: Uint8Array,
  Fault: FormatErrorClass,
  lineNumber: () => number,
): Generator<Uint8Array> {
  const compression = compressionOf(data);
  if (compression === undefined) yield data;
  else if (compression === "bzip2") yield* bunzip([data], Fault, lineNumber);
  else {
    let plain: Uint8Array;
    try {
      plain = gunzipSync(data);
    } catch (error) {
      throw damaged(Fault, "gzip", lineNumber, error);
    }
    yield plain;
  }
}

/** The plain chunks of a stream. Faults of the source itself are passed on as they are. */
export async function* plainChunks(
  source: AsyncIterable<Uint8Array>,
  Fault: FormatErrorClass,
  lineNumber: () => number,
): AsyncGenerator<Uint8Array> {
  const { head, chunks } = await peek(source, magicBytes);
  const compression = compressionOf(head);
  if (compression === "gzip") yield* gunzipChunks(chunks, Fault, lineNumber);
  else if (compression === "bzip2") {
    const bunzipper = new Bunzipper(Fault, lineNumber);
    for await (const chunk of chunks) yield* bunzipper.push(chunk);
    yield* bunzipper.finish();
  } else yield* chunks;
}

async function* gunzipChunks(
  chunks: AsyncIterable<Uint8Array>,
  Fault: FormatErrorClass,
  lineNumber: () => number,
): AsyncGenerator<Uint8Array> {
  const gunzipper = createGunzip({ chunkSize: 256 * 1024 });
  const input = Readable.from(chunks, { objectMode: false });
  let sourceFault: { error: unknown } | undefined;
  input.on("error", (error) => {
    sourceFault = { error };
    gunzipper.destroy(error);
  });
  try {
    for await (const chunk of input.pipe(gunzipper)) yield chunk;
  } catch (error) {
    if (sourceFault !== undefined) throw sourceFault.error;
    throw damaged(Fault, "gzip", lineNumber, error);
  } finally {
    input.destroy();
    gunzipper.destroy();
  }
}

function* bunzip(
  chunks: Iterable<Uint8Array>,
  Fault: FormatErrorClass,
  lineNumber: () => number,
): Generator<Uint8Array> {
  const bunzipper = new Bunzipper(Fault, lineNumber);
  for (const chunk of chunks) yield* bunzipper.push(chunk);
  yield* bunzipper.finish();
}

/** Small, so that little is unpacked before the reader has its turn. */
const bunzipSlice = 32 * 1024;

class Bunzipper {
  readonly #stream = unbzip2();
  readonly #Fault: FormatErrorClass;
  readonly #lineNumber: () => number;
  #pieces: Uint8Array[] = [];
  #error: Error | undefined;

  constructor(Fault: FormatErrorClass, lineNumber: () => number) {
    this.#Fault = Fault;
    this.#lineNumber = lineNumber;
    this.#stream.on("data", (piece) => this.#pieces.push(piece));
    this.#stream.on("error", (error) => {
      this.#error ??= error;
    });
  }

  *push(chunk: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < chunk.length; at += bunzipSlice) {
      this.#stream.write(chunk.subarray(at, at + bunzipSlice));
      yield* this.#take();
    }
  }

  *finish(): Generator<Uint8Array> {
    this.#stream.end();
    yield* this.#take();
  }

  *#take(): Generator<Uint8Array> {
    const pieces = this.#pieces;
    this.#pieces = [];
    yield* pieces;
    if (this.#error !== undefined) throw damaged(this.#Fault, "bzip2", this.#lineNumber, this.#error);
  }
}

function damaged(Fault: FormatErrorClass, compression: Compression, lineNumber: () => number, cause: unknown): Error {
  const what = (cause as Error).message;
  return new Fault(lineNumber() + 1, 1, `the ${compression} data are damaged or cut off from here on (${what})`, {
    cause,
  });
}

/** The first bytes of a source, and the source as if nothing had been taken from it. */
export async function peek(
  source: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let size = 0;
  while (size < length) {
    const next = await iterator.next();
    if (next.done === true) break;
    taken.push(next.value);
    size += next.value.length;
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      yield* taken.splice(0);
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head: Buffer.concat(taken).subarray(0, length), chunks: chunks() };
}
