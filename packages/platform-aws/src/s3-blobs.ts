// Blobs on S3: an object per blob, written whole or in parts, read by ranges that are verified block by block.
import { createHash } from "node:crypto";
import { addAbortSignal, type Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import {
  BLOCK_BYTES,
  type BlobLinks,
  type BlobRef,
  type Blobs,
  type CallOptions,
  checkBlobKey,
  checkBlobPrefix,
  DomainError,
  forEachAtOnce,
} from "@sortie/core";
import { bytesOf, digestsOf, joined, piecesOf } from "./byte-parts.ts";
import { type AwsOptions, clientSettings } from "./client-settings.ts";
import { awsFault, nameOf, statusOf } from "./faults.ts";
import { s3Links } from "./s3-links.ts";
import { sleep } from "./waiting.ts";

/** One attempt of one request until its answer begins, in milliseconds: 8 MiB at 2.3 Mbit/s. */
const REQUEST_MS = 30_000;
/** A part of a multipart upload; a multiple of a block, so that digests are those of the parts. S3 takes 5 MiB and more. */
const PART_BYTES = 2 * BLOCK_BYTES;
/** S3 takes no more parts. Larger blobs have larger parts. */
const MOST_PARTS = 10_000;
/** Parts of one put that are sent at once, each held in memory. */
const PARTS_AT_ONCE = 3;
/** Blocks of one read that are fetched at once. */
const BLOCKS_AT_ONCE = 4;
/** How often the body of an answer is asked for when it breaks off. */
const BODY_ATTEMPTS = 4;
/** What DeleteObjects takes. */
const DELETE_KEYS = 1000;

export interface S3BlobsOptions extends AwsOptions {
  readonly bucket: string;
  /** Used instead of a client of its own, and not closed with the store. */
  readonly client?: S3Client | undefined;
}

const isMissing = (error: unknown): boolean =>
  nameOf(error) === "NoSuchKey" || nameOf(error) === "NotFound" || statusOf(error) === 404;

function corrupt(key: string, from: number, to: number, what: string, cause?: unknown): DomainError {
  return new DomainError("stored-object-corrupt", `blob ${key}: bytes ${from} to ${to} ${what}`, { cause });
}

/** Bytes per part for a blob of this size: whole blocks, and no more parts than S3 takes. */
export function partBytesFor(bytes: number): number {
  const blocks = Math.ceil(bytes / MOST_PARTS / BLOCK_BYTES);
  return Math.max(PART_BYTES, blocks * BLOCK_BYTES);
}

/**
 * Blobs in one bucket, the key of a blob being that of its object. Blobs of up to 8 MiB are put by one request, which is
 * not broken off once it has begun (nobody could tell whether it was done); larger ones in parts, of which nothing stays
 * when the put fails. The bucket's lifecycle rule for unfinished uploads clears up after processes that die meanwhile.
 *
 * Errors are DomainErrors that name the key: "stored-object-corrupt", "unavailable".
 */
export class S3Blobs implements Blobs {
  readonly #client: S3Client;
  readonly #owned: boolean;
  readonly #bucket: string;
  readonly links: BlobLinks;

  constructor({ bucket, client, ...options }: S3BlobsOptions) {
    const another = options.endpoint ?? process.env["AWS_ENDPOINT_URL_S3"] ?? process.env["AWS_ENDPOINT_URL"];
    this.#client =
      client ??
      new S3Client({
        ...clientSettings(options, REQUEST_MS),
        // Emulators have no host name per bucket.
        ...(another !== undefined && { forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" }),
      });
    this.#owned = client === undefined;
    this.#bucket = bucket;
    this.links = s3Links(this.#client, bucket);
  }

  async put(key: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<BlobRef> {
    checkBlobKey(key);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const bytes = bytesOf(parts);
    try {
      const digests =
        bytes <= PART_BYTES ? await this.#putWhole(key, parts) : await this.#putInParts(key, parts, signal);
      return { key, bytes, digests };
    } catch (error) {
      throw awsFault(error, `blob ${key}`, signal);
    }
  }

  async readInto(ref: BlobRef, offset: number, target: Uint8Array, options?: CallOptions): Promise<void> {
    checkBlobKey(ref.key);
    const signal = options?.signal;
    signal?.throwIfAborted();
    const end = offset + target.byteLength;
    if (!Number.isSafeInteger(offset) || offset < 0 || end > ref.bytes) {
      throw new RangeError(`blob ${ref.key} has ${ref.bytes} bytes; bytes ${offset} to ${end} were asked for`);
    }
    if (target.byteLength === 0) return;
    const first = Math.floor(offset / BLOCK_BYTES);
    const blocks = Array.from({ length: Math.ceil(end / BLOCK_BYTES) - first }, (_, at) => first + at);
    try {
      await forEachAtOnce(blocks, BLOCKS_AT_ONCE, signal, (block, either) =>
        this.#readBlock(ref, block, offset, target, either),
      );
    } catch (error) {
      throw awsFault(error, `blob ${ref.key}`, signal);
    }
  }

  async stat(key: string, options?: CallOptions): Promise<number | undefined> {
    checkBlobKey(key);
    const signal = options?.signal;
    signal?.throwIfAborted();
    try {
      const found = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }), abortBy(signal));
      return found.ContentLength ?? 0;
    } catch (error) {
      if (!signal?.aborted && isMissing(error)) return undefined;
      throw awsFault(error, `blob ${key}`, signal);
    }
  }

  /** In the order of the keys. Blobs put or deleted meanwhile may or may not be met. */
  async *list(prefix: string, options?: CallOptions): AsyncIterable<{ readonly key: string; readonly bytes: number }> {
    checkBlobPrefix(prefix);
    const signal = options?.signal;
    let from: string | undefined;
    do {
      signal?.throwIfAborted();
      const page = await this.#listPage(prefix, from, signal);
      for (const { Key, Size } of page.Contents ?? []) yield { key: Key!, bytes: Size ?? 0 };
      from = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (from !== undefined);
  }

  async delete(key: string, options?: CallOptions): Promise<void> {
    checkBlobKey(key);
    const signal = options?.signal;
    signal?.throwIfAborted();
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }), abortBy(signal));
    } catch (error) {
      if (!signal?.aborted && nameOf(error) === "NoSuchKey") return;
      throw awsFault(error, `blob ${key}`, signal);
    }
  }

  async deletePrefix(prefix: string, options?: CallOptions): Promise<void> {
    let keys: string[] = [];
    for await (const { key } of this.list(prefix, options)) {
      keys.push(key);
      if (keys.length < DELETE_KEYS) continue;
      await this.#deleteKeys(prefix, keys, options?.signal);
      keys = [];
    }
    if (keys.length > 0) await this.#deleteKeys(prefix, keys, options?.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#owned) this.#client.destroy();
  }

  async #putWhole(key: string, parts: readonly Uint8Array[]): Promise<string[]> {
    const Body = joined(parts);
    const digests = digestsOf([Body]);
    // Without the signal: had it been aborted half way, the object might be there or not.
    await this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body }));
    return digests;
  }

  async #putInParts(key: string, parts: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<string[]> {
    const target = { Bucket: this.#bucket, Key: key };
    const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand(target), abortBy(signal));
    try {
      const pieces = piecesOf(parts, partBytesFor(bytesOf(parts)));
      const sent: { readonly ETag: string | undefined; readonly digests: readonly string[] }[] = [];
      let count = 0;
      await forEachAtOnce(pieces, PARTS_AT_ONCE, signal, async (piece, either) => {
        count += 1;
        const number = count;
        const Body = joined(piece);
        const digests = digestsOf([Body]);
        const command = new UploadPartCommand({ ...target, UploadId, PartNumber: number, Body });
        const { ETag } = await this.#client.send(command, { abortSignal: either });
        sent[number - 1] = { ETag, digests };
      });
      const Parts = sent.map(({ ETag }, at) => ({ ETag, PartNumber: at + 1 }));
      // From here on it is done or failed, never broken off.
      await this.#client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
      return sent.flatMap(({ digests }) => digests);
    } catch (error) {
      // Best effort: what it cannot remove, the bucket's lifecycle rule does.
      await this.#client.send(new AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => {});
      throw error;
    }
  }

  async #readBlock(
    ref: BlobRef,
    block: number,
    offset: number,
    target: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    const start = block * BLOCK_BYTES;
    const end = Math.min(start + BLOCK_BYTES, ref.bytes);
    const [first, last] = [Math.max(start, offset), Math.min(end, offset + target.byteLength)];
    const wanted = target.subarray(first - offset, last - offset);
    // A digest covers a whole block: a part of one is read beside the target.
    const [from, to] = ref.unverified ? [first, last] : [start, end];
    const bytes = wanted.byteLength === to - from ? wanted : Buffer.allocUnsafeSlow(to - from);
    const { found, digest } = await this.#fetch(ref, from, to, bytes, signal);
    if (found < bytes.byteLength) throw corrupt(ref.key, from + found, to, "are missing");
    if (!ref.unverified && digest !== ref.digests[block]) throw corrupt(ref.key, from, to, "do not match their digest");
    if (bytes !== wanted) wanted.set(bytes.subarray(first - from, last - from));
  }

  /** Fetches bytes `from` to `to` of the object; a body that breaks off is asked for again, which the SDK does not do. */
  async #fetch(
    ref: BlobRef,
    from: number,
    to: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ readonly found: number; readonly digest: string }> {
    for (let attempt = 1; ; attempt += 1) {
      const command = new GetObjectCommand({ Bucket: this.#bucket, Key: ref.key, Range: `bytes=${from}-${to - 1}` });
      let body: Readable;
      try {
        body = (await this.#client.send(command, { abortSignal: signal })).Body as Readable;
      } catch (error) {
        if (signal.aborted) throw error;
        if (isMissing(error)) throw corrupt(ref.key, 0, ref.bytes, "are missing", error);
        if (statusOf(error) === 416) throw corrupt(ref.key, from, to, "are missing", error);
        throw error;
      }
      try {
        const hash = createHash("sha256");
        let found = 0;
        for await (const chunk of addAbortSignal(signal, body) as AsyncIterable<Uint8Array>) {
          // More than was asked for: an answer that ignores the range is not this stretch.
          if (found + chunk.byteLength > into.byteLength) return { found, digest: "longer than the range" };
          into.set(chunk, found);
          hash.update(chunk);
          found += chunk.byteLength;
        }
        return { found, digest: hash.digest("hex") };
      } catch (error) {
        signal.throwIfAborted();
        if (attempt === BODY_ATTEMPTS) throw error;
        await sleep(Math.random() * 50 * 2 ** attempt, signal);
      }
    }
  }

  async #listPage(prefix: string, from: string | undefined, signal: AbortSignal | undefined) {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken: from });
    try {
      return await this.#client.send(command, abortBy(signal));
    } catch (error) {
      throw awsFault(error, `blobs ${prefix}`, signal);
    }
  }

  async #deleteKeys(prefix: string, keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
    const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete });
    try {
      const { Errors = [] } = await this.#client.send(command, abortBy(signal));
      const [failed] = Errors.filter(({ Code }) => Code !== "NoSuchKey");
      if (!failed) return;
      throw new DomainError("unavailable", `blob ${failed.Key} was not deleted (${failed.Code}); try again`);
    } catch (error) {
      throw awsFault(error, `blobs ${prefix}`, signal);
    }
  }
}

const abortBy = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});
