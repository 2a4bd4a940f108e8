// Where bytes come from: a file, a buffer or any store with ranged reads; and reading them in sequence, inflated or not.
import { type FileHandle, open } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import { crc32, createInflate, createInflateRaw } from "node:zlib";
import { FormatError } from "./errors.ts";

/** Bytes with a known size that can be read anywhere. `name` is how errors call it. */
export interface ByteSource {
  readonly name: string;
  readonly size: number;
  /** Reading on from the last read is much faster than reading anywhere: each jump costs a round trip. */
  readonly inOrder?: true;
  /** Fills the whole of `target` from `offset` on. Readers ask only for what `size` covers. */
  readInto(target: Uint8Array, offset: number): Promise<void>;
}

/** Bytes in order. Whoever opens one closes it. */
export interface ByteReader {
  /** Fills the whole of `target` with the next bytes; fails if there are fewer. */
  fill(target: Uint8Array): Promise<void>;
  close(): void;
}

/** The most that deflate can shrink: 258 bytes from 2 bits, hence no honest declaration exceeds it. */
const MAX_INFLATION = 1032;
const READ_BYTES = 1 << 20;

export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    readInto: async (target, offset) => target.set(bytes.subarray(offset, offset + target.byteLength)),
  };
}

/** A file, open until it is disposed of. `name` stands in for the path in errors. */
export async function openFileSource(path: string, name = path): Promise<ByteSource & AsyncDisposable> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    return {
      name,
      size,
      readInto: (target, offset) => readFully(handle, name, target, offset),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readFully(handle: FileHandle, name: string, target: Uint8Array, offset: number): Promise<void> {
  // One system call reads less than 2 GiB.
  const most = 1 << 30;
  for (let done = 0; done < target.byteLength; ) {
    const { bytesRead } = await handle.read(target, done, Math.min(target.byteLength - done, most), offset + done);
    if (bytesRead === 0)
      throw new FormatError(name, `ends at byte ${offset + done}, although it was longer when opened`);
    done += bytesRead;
  }
}

export async function readAll(source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  return readRange(source, 0, source.size);
}

/** `length` bytes from `offset`; refused before allocating where the source has fewer. */
export async function readRange(source: ByteSource, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  if (offset < 0 || length < 0 || offset + length > source.size) {
    throw new FormatError(
      source.name,
      `has ${source.size} bytes, and bytes ${offset} to ${offset + length} were needed`,
    );
  }
  const bytes = new Uint8Array(length);
  await source.readInto(bytes, offset);
  return bytes;
}

/** A part of a source as a source of its own. */
export function sliceSource(source: ByteSource, offset: number, size: number, name = source.name): ByteSource {
  return { name, size, readInto: (target, at) => source.readInto(target, offset + at) };
}

/** The source's bytes in order, each read straight into its target. */
export function plainReader(source: ByteSource, start = 0): ByteReader {
  let position = start;
  return {
    async fill(target) {
      if (position + target.byteLength > source.size) {
        throw new FormatError(
          source.name,
          `ends after ${source.size} bytes; ${position + target.byteLength} were needed`,
        );
      }
      await source.readInto(target, position);
      position += target.byteLength;
    },
    close() {},
  };
}

/** The inflated bytes of a source that holds nothing but one deflate stream (`raw`, as in ZIP) or zlib stream. */
export function inflateReader(source: ByteSource, options: { readonly raw: boolean }): ByteReader {
  const inflate = (options.raw ? createInflateRaw : createInflate)({ chunkSize: 1 << 18 });
  const input = Readable.from(piecesOf(source), { objectMode: false });
  // The iterator below reports failures; the callback only keeps them from being thrown elsewhere.
  pipeline(input, inflate, () => {});
  const chunks: AsyncIterator<Uint8Array> = inflate[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  return {
    async fill(target) {
      for (let done = 0; done < target.byteLength; ) {
        if (chunk.byteLength === 0) {
          const next = await chunks.next().catch((cause: unknown) => {
            if (cause instanceof FormatError) throw cause;
            const reason = cause instanceof Error ? cause.message : String(cause);
            throw new FormatError(source.name, `holds a broken deflate stream (${reason})`, { cause });
          });
          if (next.done) throw new FormatError(source.name, "inflates to fewer bytes than its header declares");
          chunk = next.value;
        }
        const count = Math.min(chunk.byteLength, target.byteLength - done);
        target.set(chunk.subarray(0, count), done);
        chunk = chunk.subarray(count);
        done += count;
      }
    },
    close() {
      input.destroy();
      inflate.destroy();
    },
  };
}

async function* piecesOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < source.size; offset += READ_BYTES) {
    yield await readRange(source, offset, Math.min(READ_BYTES, source.size - offset));
  }
}

/** Refuses a declared size that no deflate stream of this length can reach. */
export function checkInflation(file: string, what: string, compressedBytes: number, bytes: number): void {
  if (bytes > compressedBytes * MAX_INFLATION) {
    throw new FormatError(
      file,
      `${what} declares ${bytes} bytes, and its ${compressedBytes} compressed bytes can hold at most ${compressedBytes * MAX_INFLATION}`,
    );
  }
}

/** Passes bytes on and sums them up; `verify` compares with the sum on record. */
export function checkedReader(reader: ByteReader, file: string, what: string, expected: number) {
  let sum = 0;
  return {
    async fill(target: Uint8Array): Promise<void> {
      await reader.fill(target);
      sum = crc32(target, sum);
    },
    close: () => reader.close(),
    verify(): void {
      if (sum !== expected) {
        const hex = (value: number) => value.toString(16).padStart(8, "0");
        throw new FormatError(file, `${what} is damaged: its CRC-32 is ${hex(sum)} and ${hex(expected)} is on record`);
      }
    },
  };
}
