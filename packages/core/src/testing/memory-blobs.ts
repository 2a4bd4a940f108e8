// Blobs in memory, for tests: nothing survives the process.
import { createHash } from "node:crypto";
import { DomainError } from "../errors.ts";
import { BLOCK_BYTES, type BlobLinks, type BlobRef, type Blobs, type CallOptions, type SignedLink } from "../ports.ts";

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const SEGMENT = /^[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,199}$/;

function checkKey(key: string): void {
  if (key.length <= 1000 && key.split("/").every((segment) => SEGMENT.test(segment))) return;
  throw new TypeError(`blob key ${JSON.stringify(key)} is not allowed`);
}

/** What a link in memory allows: its address says it in clear. */
interface LinkTerms {
  readonly key: string;
  readonly offset: number;
  readonly bytes: number;
  readonly expiresAt: number;
  readonly sha256?: string | undefined;
}

function linkOf(method: SignedLink["method"], terms: LinkTerms): SignedLink {
  return { method, url: `memory:${JSON.stringify(terms)}`, headers: {} };
}

export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Uint8Array>();

  /** Links for `follow`. */
  readonly links: BlobLinks = {
    signGet: async (key, { offset, length }, expiresAt) => linkOf("GET", { key, offset, bytes: length, expiresAt }),
    signPut: async (key, bytes, expiresAt, sha256) => linkOf("PUT", { key, offset: 0, bytes, expiresAt, sha256 }),
  };

  /**
   * Does what a link is for, with the status that HTTP would answer.
   * @param now ms since 1970
   */
  follow(
    { method, url }: SignedLink,
    now: number,
    body = new Uint8Array(0),
  ): { readonly status: number; readonly body?: Uint8Array | undefined } {
    const { key, offset, bytes, expiresAt, sha256 } = JSON.parse(url.slice("memory:".length)) as LinkTerms;
    if (now >= expiresAt) return { status: 403 };
    const stored = this.#blobs.get(key);
    if (method === "GET") {
      return stored ? { status: 206, body: stored.slice(offset, offset + bytes) } : { status: 404 };
    }
    if (body.byteLength !== bytes || (sha256 !== undefined && digestOf(body) !== sha256)) return { status: 400 };
    if (sha256 === undefined && stored) return { status: 412 };
    this.#blobs.set(key, body.slice());
    return { status: 200 };
  }

  /** The keys that exist, sorted: for assertions about what is left. */
  get keys(): readonly string[] {
    return [...this.#blobs.keys()].sort();
  }

  async put(key: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<BlobRef> {
    checkKey(key);
    options?.signal?.throwIfAborted();
    const bytes = new Uint8Array(Buffer.concat(parts));
    // A put takes a while everywhere else, so nobody may see it before it resolves here either.
    await new Promise(setImmediate);
    options?.signal?.throwIfAborted();
    this.#blobs.set(key, bytes);
    const digests: string[] = [];
    for (let at = 0; at < bytes.byteLength; at += BLOCK_BYTES)
      digests.push(digestOf(bytes.subarray(at, at + BLOCK_BYTES)));
    return { key, bytes: bytes.byteLength, digests };
  }

  async readInto(ref: BlobRef, offset: number, target: Uint8Array, options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    if (offset < 0 || offset + target.byteLength > ref.bytes) {
      throw new RangeError(
        `blob ${ref.key} has ${ref.bytes} bytes; bytes ${offset} to ${offset + target.byteLength} were asked for`,
      );
    }
    const stored = this.#blobs.get(ref.key);
    const end = offset + target.byteLength;
    for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < end; block += 1) {
      const from = block * BLOCK_BYTES;
      const to = Math.min(from + BLOCK_BYTES, ref.bytes);
      const bytes = stored?.subarray(from, to);
      if (!bytes || (!ref.unverified && digestOf(bytes) !== ref.digests[block])) {
        const what = bytes ? "do not match their digest" : "are missing";
        throw new DomainError("stored-object-corrupt", `blob ${ref.key}: bytes ${from} to ${to} ${what}`);
      }
      const [first, last] = [Math.max(from, offset), Math.min(to, end)];
      target.set(bytes.subarray(first - from, last - from), first - offset);
    }
  }

  async stat(key: string, options?: CallOptions): Promise<number | undefined> {
    options?.signal?.throwIfAborted();
    return this.#blobs.get(key)?.byteLength;
  }

  async *list(prefix: string, options?: CallOptions): AsyncIterable<{ readonly key: string; readonly bytes: number }> {
    for (const [key, bytes] of [...this.#blobs]) {
      options?.signal?.throwIfAborted();
      if (key.startsWith(prefix)) yield { key, bytes: bytes.byteLength };
    }
  }

  async delete(key: string, options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#blobs.delete(key);
  }

  async deletePrefix(prefix: string, options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    for (const key of this.keys) if (key.startsWith(prefix)) this.#blobs.delete(key);
  }

  /** Harms a stored blob, as a broken disk would: flips the byte at `offset`, or cuts the blob off there. */
  damage(key: string, how: "flip" | "cut", offset: number): void {
    const bytes = this.#blobs.get(key);
    if (!bytes) throw new Error(`there is no blob ${key} to damage`);
    if (how === "cut") this.#blobs.set(key, bytes.slice(0, offset));
    else bytes[offset] = bytes[offset]! ^ 0xff;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
