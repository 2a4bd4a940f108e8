// Where the bytes of an MPS file come from: gzip is recognized by its first bytes and taken off.
import { Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { MpsError } from "./mps-error.ts";

export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b;

export function refuseOtherCompression(head: Uint8Array): void {
  if (head[0] === 0x42 && head[1] === 0x5a && head[2] === 0x68) {
    throw new MpsError(1, 1, "the file is compressed with bzip2; plain text and gzip are allowed");
  }
}

export function gunzip(data: Uint8Array): Uint8Array {
  try {
    return gunzipSync(data);
  } catch (error) {
    throw gzipFault(1, error);
  }
}

const gzipFault = (line: number, cause: unknown): MpsError =>
  new MpsError(line, 1, `the gzip data are damaged or cut off from here on (${(cause as Error).message})`, { cause });

/** The decompressed chunks; `lineNumber` tells how far the reader has come, for the error about damaged data. */
export async function* decompress(
  chunks: AsyncIterable<Uint8Array>,
  lineNumber: () => number,
): AsyncGenerator<Uint8Array> {
  const gunzipper = createGunzip();
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
    throw gzipFault(lineNumber() + 1, error);
  } finally {
    input.destroy();
    gunzipper.destroy();
  }
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
      yield* taken;
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
