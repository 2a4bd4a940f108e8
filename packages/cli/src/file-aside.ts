// Files that are there whole or not at all: written beside their place, then renamed.
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/**
 * Writes a file; gzip where its name ends in .gz. A file of that name stays as it was until the new one is whole.
 * @returns the bytes written
 * @throws the file system's error, or the signal's reason; nothing stays behind then
 */
export async function writeAside(
  file: string,
  pieces: Iterable<string | Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  const aside = `${file}.${process.pid}.part`;
  try {
    const target = createWriteStream(aside, { flags: "wx" });
    const source = Readable.from(pieces, { objectMode: false });
    const options = signal === undefined ? {} : { signal };
    if (/\.gz$/i.test(file)) await pipeline(source, createGzip(), target, options);
    else await pipeline(source, target, options);
    await rename(aside, file);
    return target.bytesWritten;
  } catch (error) {
    // Somebody else's file of that name is not ours to remove.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") await rm(aside, { force: true });
    throw error;
  }
}
