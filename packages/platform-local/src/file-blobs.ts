// Blobs as files. A file is written aside and renamed when it is complete, so no reader ever sees a part of one.
import { createHash } from "node:crypto";
import { link, mkdir, open, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import {
  BLOCK_BYTES,
  type BlobRef,
  type Blobs,
  type ByteRange,
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
import { FileLinks } from "./file-links.ts";
import { isRunning, parseIdentity, thisProcess } from "./process-identity.ts";
import { Semaphore } from "./semaphore.ts";
import type { Durability } from "./sqlite-protocol.ts";

/** Files open at once, well under what any system allows. */
const OPEN_FILES = 64;
/** Blocks of one read that are read and verified at once. */
const BLOCKS_AT_ONCE = 2;
/** Files that links read or write at once. Apart from the others: a slow client must not hold up the store. */
const LINKED_FILES = 256;

export interface FileBlobsOptions {
  /** Made if it does not exist. Nothing else may keep files in it. */
  readonly folder: string;
  /** Default "process". */
  readonly durability?: Durability | undefined;
  /** File of the key that signs links. Absent: there are none. */
  readonly linkKeyFile?: string | undefined;
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
  readonly #linked = new Semaphore(LINKED_FILES);
  readonly links: FileLinks | undefined;

  /** Makes the folder and removes what dead processes left half written. */
  static async open({ folder, durability = "process", linkKeyFile }: FileBlobsOptions): Promise<FileBlobs> {
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
    return new FileBlobs(root, durability, linkKeyFile);
  }

  private constructor(root: string, durability: Durability, linkKeyFile: string | undefined) {
    this.#root = root;
    this.#durability = durability;
    this.links = linkKeyFile === undefined ? undefined : new FileLinks(linkKeyFile);
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
          if (!ref.unverified && (await this.#digests.of([bytes])) !== ref.digests[block]) {
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

  /**
   * Stores what a link brings, piece by piece: exactly `bytes` bytes. Nothing stays of what is cut off, too long, too short
   * or other than `sha256` (lower-case hex).
   * @returns false if the key exists already and no digest says that it is the same
   * @throws DomainError "invalid-argument" for another length or other bytes
   */
  async receive(
    key: string,
    bytes: number,
    source: AsyncIterable<Uint8Array>,
    sha256: string | undefined,
    options?: CallOptions,
  ): Promise<boolean> {
    checkBlobKey(key);
    const signal = options?.signal;
    using _ = await this.#linked.acquire(signal);
    asideCount += 1;
    const aside = join(this.#root, ASIDE, asideName(asideCount));
    try {
      const found = await this.#receiveAside(aside, bytes, source, sha256 !== undefined, signal);
      if (sha256 !== undefined && found !== sha256) {
        throw new DomainError("invalid-argument", `these bytes have the SHA-256 ${found}; ${sha256} is needed`);
      }
      signal?.throwIfAborted();
      if (sha256 !== undefined) await this.#giveName(aside, key);
      else if (!(await this.#giveFreshName(aside, key))) return false;
      return true;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw fileFault(error, `blob ${key}`);
    } finally {
      await rm(aside, { force: true });
    }
  }

  /** One range of a blob as a stream, unverified; undefined if there is no such blob, or if it ends before. */
  async send(key: string, { offset, length }: ByteRange, options?: CallOptions): Promise<Readable | undefined> {
    checkBlobKey(key);
    const permit = await this.#linked.acquire(options?.signal);
    try {
      const handle = await open(this.#path(key), "r");
      const { size } = await handle.stat();
      if (offset + length > size) {
        await handle.close();
        permit[Symbol.dispose]();
        return undefined;
      }
      const stream = handle.createReadStream({ start: offset, end: offset + length - 1 });
      return stream.once("close", () => permit[Symbol.dispose]());
    } catch (error) {
      permit[Symbol.dispose]();
      const code = codeOf(error);
      if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
      throw fileFault(error, `blob ${key}`);
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

  /** @returns the digest, if it is wanted */
  async #receiveAside(
    aside: string,
    bytes: number,
    source: AsyncIterable<Uint8Array>,
    hashed: boolean,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const hash = hashed ? createHash("sha256") : undefined;
    const wrong = (found: string) => new DomainError("invalid-argument", `${found} came; ${bytes} are needed`);
    let received = 0;
    await using handle = await open(aside, "wx");
    for await (const piece of source) {
      received += piece.byteLength;
      if (received > bytes) throw wrong(`${received} bytes and more`);
      hash?.update(piece);
      await writeParts(handle, [piece], signal);
    }
    if (received < bytes) throw wrong(`${received} bytes`);
    if (this.#durability === "power") await handle.sync();
    return hash?.digest("hex");
  }

  async #giveName(aside: string, key: string): Promise<void> {
    await this.#name(key, (path) => rename(aside, path));
  }

  /** @returns false if there is a blob of this name */
  async #giveFreshName(aside: string, key: string): Promise<boolean> {
    try {
      await this.#name(key, (path) => link(aside, path));
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    }
  }

  async #name(key: string, give: (path: string) => Promise<void>): Promise<void> {
    const path = this.#path(key);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await mkdir(dirname(path), { recursive: true });
        await give(path);
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
