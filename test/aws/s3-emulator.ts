// s3rver as S3 is in three things that it does otherwise: a put that is answered is wholly there, nobody sees half of
// one, and a deletion does not take away the folder into which somebody else is putting (s3rver dies of that).
import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { S3rver } from "./emulators.ts";

interface PutObject {
  readonly bucket: string;
  readonly key: string;
  readonly content: Buffer | Readable;
  readonly metadata: unknown;
}

/** The parts of s3rver's store that are replaced or used here. */
export interface EmulatorStore {
  getResourcePath(bucket: string, key: string | undefined, resource: string): string;
  putMetadata(bucket: string, key: string, metadata: unknown, md5: string): Promise<void>;
  putObject(object: PutObject): Promise<{ size: number; md5: string }>;
  putPart(bucket: string, upload: string, part: number, content: Readable): Promise<{ size: number; md5: string }>;
  deleteObject(bucket: string, key: string): Promise<void>;
}

function repair(store: EmulatorStore): void {
  let written = 0;
  const write = async (path: string, content: Buffer | Readable) => {
    const bytes = Buffer.isBuffer(content) ? content : await buffer(content);
    await mkdir(dirname(path), { recursive: true });
    written += 1;
    const aside = `${path}.${written}.aside`;
    await writeFile(aside, bytes);
    await rename(aside, path);
    return { size: bytes.byteLength, md5: createHash("md5").update(bytes).digest("hex") };
  };
  store.putObject = async ({ bucket, key, content, metadata }) => {
    const result = await write(store.getResourcePath(bucket, key, "object"), content);
    await store.putMetadata(bucket, key, metadata, result.md5);
    return result;
  };
  store.putPart = async (bucket, upload, part, content) => {
    const path = join(store.getResourcePath(bucket, undefined, "uploads"), upload, String(part));
    const result = await write(path, content);
    await writeFile(`${path}.md5`, result.md5);
    return result;
  };
  store.deleteObject = async (bucket, key) => {
    for (const resource of ["object", "object.md5", "metadata.json"]) {
      await rm(store.getResourcePath(bucket, key, resource), { force: true });
    }
  };
}

/** Starts the emulator on a free port of loopback. */
export async function startS3(directory: string): Promise<{ readonly endpoint: string; close(): Promise<void> }> {
  const server = new S3rver({ address: "127.0.0.1", port: 0, silent: true, directory });
  repair(server.store);
  const { port } = await server.run();
  return { endpoint: `http://127.0.0.1:${port}`, close: () => server.close() };
}
