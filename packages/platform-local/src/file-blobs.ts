// Blobs as files. A file is written aside and renamed when it is complete, so no reader ever sees a part of one.
import { mkdir, open, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  BLOCK_BYTES,
  type BlobRef,
  type Blobs,
  type CallOptions,
  checkBlobKey,
  checkBlobPrefix,
  DomainError,
} from "@sortie/core";
import {
  ASIDE,
  codeOf,
  fileFault,
  linkOrCopy,
  readFully,
  removeEmptyFolders,
  syncFolders,
  walkKeys,
  writeParts,
} from "./blob-files.ts";
import { blocksOf, Digests } from "./digests.ts";
import { isRunning, parseIdentity, thisProcess } from "./process-identity.ts";
import { Semaphore } from "./semaphore.ts";
import type { Durability } from "./sqlite-protocol.ts";

/** Files open at once, well under what any system allows. */
const OPEN_FILES = 64;
/** Blocks of one read that are read and verified at once. */
const BLOCKS_AT_ONCE = 2;

export interface FileBlobsOptions {
  /** Made if it does not exist. Nothing else may keep files in it. */
  readonly folder: string;
  /** Default "process". */
  readonly durability?: Durability | undefined;
}

/** Files being written carry their writer's name, so that those of dead writers can be told. */
const asideName = (count: number) => `${thisProcess.replaceAll(":", "-")}.${count}`;

let asideCount = 0;

function writerIsGone(name: string): boolean {
  const identity = parseIdentity(name.slice(0, name.lastIndexOf(".")).replaceAll("-", ":"));
  return identity !== undefined && !isRunning(identity);
}

/**
 * Blobs as files under one folder, which any number of processes may share: the key `a/b` is the file `a/b`. Keys are
 * paths of letters, digits and `_ = . -`; no key may be a folder of another (`a` beside `a/b`).
 *
 * Errors are DomainErrors that name the key: "stored-object-corrupt", "disk-full", "unavailable".
 */
export class FileBlobs implements Blobs {
  readonly #root: string;
  readonly #durability: Durability;
  readonly #digests = new Digests();
  readonly #files = new Semaphore(OPEN_FILES);

  /** Makes the folder and removes what dead processes left half written. */
  static async open({ folder, durability = "process" }: FileBlobsOptions): Promise<FileBlobs> {
    const root = resolve(folder);
    const aside = join(root, ASIDE);
    try {
      await mkdir(aside, { recursive: true });
      for (const name of await readdir(aside)) {
        if (writerIsGone(name)) await rm(join(aside, name), { force: true });
      }
    } catch (error) {
      throw fileFault(error, `blob folder ${root}`);
    }
    return new FileBlobs(root, durability);
  }

  private constructor(root: string, durability: Durability) {
    this.#root = root;
    this.#durability = durability;
  }

  async put(key: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<BlobRef> {
    checkBlobKey(key);
    const signal = options?.signal;
    using _ = await this.#files.acquire(signal);
    asideCount += 1;
    const aside = join(this.#root, ASIDE, asideName(asideCount));
    try {
      // Both read the parts: neither may still be at it when this call settles, however it settles.
      const [digests, written] = await Promise.allSettled([
        Promise.all(blocksOf(parts).map((block) => this.#digests.of(block))),
        this.#writeAside(aside, parts, signal),
      ]);
      if (written.status === "rejected") throw written.reason;
      if (digests.status === "rejected") throw digests.reason;
      signal?.throwIfAborted();
      await this.#giveName(aside, key);
      return { key, bytes: parts.reduce((sum, part) => sum + part.byteLength, 0), digests: digests.value };
    } catch (error) {
      await rm(aside, { force: true });
      if (signal?.aborted && error === signal.reason) throw error;
      throw fileFault(error, `blob ${key}`);
    }
  }

  async readInto(ref: BlobRef, offset: number, target: Uint8Array, options?: CallOptions): Promise<void> {
    checkBlobKey(ref.key);
    const signal = options?.signal;
    const end = offset + target.byteLength;
    if (!Number.isSafeInteger(offset) || offset < 0 || end > ref.bytes) {
      throw new RangeError(`blob ${ref.key} has ${ref.bytes} bytes; bytes ${offset} to ${end} were asked for`);
    }
    if (target.byteLength === 0) return signal?.throwIfAborted();
    using _ = await this.#files.acquire(signal);
    try {
      await using handle = await open(this.#path(ref.key), "r");
      let next = Math.floor(offset / BLOCK_BYTES);
      const readBlocks = async () => {
        for (let block = next++; block * BLOCK_BYTES < end; block = next++) {
          signal?.throwIfAborted();
          const from = block * BLOCK_BYTES;
          const to = Math.min(from + BLOCK_BYTES, ref.bytes);
          const [first, last] = [Math.max(from, offset), Math.min(to, end)];
          const wanted = target.subarray(first - offset, last - offset);
          // A digest covers a whole block: a part of one is read beside the target.
          const bytes = wanted.byteLength === to - from ? wanted : Buffer.allocUnsafeSlow(to - from);
          const found = await readFully(handle, from, bytes);
          if (found < bytes.byteLength) throw corrupt(ref.key, from + found, to, "are missing");
          if ((await this.#digests.of([bytes])) !== ref.digests[block]) {
            throw corrupt(ref.key, from, to, "do not match their digest");
          }
          if (bytes !== wanted) wanted.set(bytes.subarray(first - from, last - from));
        }
      };
      const results = await Promise.allSettled(Array.from({ length: BLOCKS_AT_ONCE }, readBlocks));
      for (const result of results) if (result.status === "rejected") throw result.reason;
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error;
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR" || codeOf(error) === "EISDIR") {
        throw corrupt(ref.key, 0, ref.bytes, "are missing", error);
      }
      throw fileFault(error, `blob ${ref.key}`);
    }
  }

  async stat(key: string, options?: CallOptions): Promise<number | undefined> {
    checkBlobKey(key);
    options?.signal?.throwIfAborted();
    try {
      const found = await stat(this.#path(key));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
      throw fileFault(error, `blob ${key}`);
    }
  }

  /** In no order. Blobs put or deleted meanwhile may or may not be met. */
  async *list(prefix: string, options?: CallOptions): AsyncIterable<{ readonly key: string; readonly bytes: number }> {
    checkBlobPrefix(prefix);
    options?.signal?.throwIfAborted();
    for await (const key of walkKeys(this.#root, prefix, options?.signal)) {
      const bytes = await this.stat(key);
      if (bytes !== undefined) yield { key, bytes };
    }
  }

  async delete(key: string, options?: CallOptions): Promise<void> {
    checkBlobKey(key);
    options?.signal?.throwIfAborted();
    await this.#remove(key);
    await removeEmptyFolders(this.#root, dirname(this.#path(key)));
  }

  async deletePrefix(prefix: string, options?: CallOptions): Promise<void> {
    checkBlobPrefix(prefix);
    options?.signal?.throwIfAborted();
    const folders = new Set<string>();
    for await (const key of walkKeys(this.#root, prefix, options?.signal)) {
      await this.#remove(key);
      folders.add(dirname(this.#path(key)));
    }
    for (const folder of folders) await removeEmptyFolders(this.#root, folder);
  }

  /** Gives every blob a second name under another folder (a copy if that is on another disk), while everybody goes on. */
  async backup(folder: string): Promise<void> {
    for await (const key of walkKeys(this.#root, "", undefined)) {
      try {
        await linkOrCopy(this.#path(key), join(folder, ...key.split("/")));
      } catch (error) {
        // Deleted since it was met: nothing that is still needed.
        if (codeOf(error) !== "ENOENT") throw fileFault(error, `backup of blob ${key}`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#digests.close();
  }

  #path(key: string): string {
    return join(this.#root, ...key.split("/"));
  }

  async #writeAside(aside: string, parts: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<void> {
    await using handle = await open(aside, "wx");
    await writeParts(handle, parts, signal);
    if (this.#durability === "power") await handle.sync();
  }

  async #giveName(aside: string, key: string): Promise<void> {
    const path = this.#path(key);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await mkdir(dirname(path), { recursive: true });
        await rename(aside, path);
        break;
      } catch (error) {
        // Somebody who deleted the last blob in that folder has just removed the folder.
        if (codeOf(error) !== "ENOENT" || attempt === 20) throw error;
      }
    }
    if (this.#durability === "power") await syncFolders(this.#root, dirname(path));
  }

  async #remove(key: string): Promise<void> {
    try {
      await unlink(this.#path(key));
    } catch (error) {
      const code = codeOf(error);
      if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EISDIR") throw fileFault(error, `blob ${key}`);
    }
  }
}

function corrupt(key: string, from: number, to: number, what: string, cause?: unknown): DomainError {
  return new DomainError("stored-object-corrupt", `blob ${key}: bytes ${from} to ${to} ${what}`, { cause });
}
