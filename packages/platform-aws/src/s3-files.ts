// Plain files in a bucket, by any key: for what people put there and fetch from there themselves. Blobs are in s3-blobs.ts.
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { CallOptions } from "@sortie/core";
import { type AwsOptions, clientSettings } from "./client-settings.ts";
import { awsFault, nameOf, statusOf } from "./faults.ts";

/** One attempt of one request until its answer begins, in milliseconds. */
const REQUEST_MS = 30_000;

export interface S3FilesOptions extends AwsOptions {
  readonly bucket: string;
  /** Used instead of a client of its own, and not closed with it. */
  readonly client?: S3Client | undefined;
}

/** Errors are DomainErrors that name the key: "unavailable". */
export class S3Files implements Disposable {
  readonly #client: S3Client;
  readonly #owned: boolean;
  readonly #bucket: string;

  constructor({ bucket, client, ...options }: S3FilesOptions) {
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
  }

  /** The object's bytes as they come; undefined if there is none. */
  async read(key: string, { signal }: CallOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    try {
      const found = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }), abortBy(signal));
      return found.Body as unknown as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (!signal?.aborted && (nameOf(error) === "NoSuchKey" || statusOf(error) === 404)) return undefined;
      throw awsFault(error, `object ${key}`, signal);
    }
  }

  /** Puts the object whole: nobody sees half of it. */
  async write(key: string, body: Uint8Array, contentType: string, { signal }: CallOptions = {}): Promise<void> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body, ContentType: contentType });
    try {
      await this.#client.send(command, abortBy(signal));
    } catch (error) {
      throw awsFault(error, `object ${key}`, signal);
    }
  }

  /** Removes the object, if it is there. */
  async remove(key: string, { signal }: CallOptions = {}): Promise<void> {
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }), abortBy(signal));
    } catch (error) {
      throw awsFault(error, `object ${key}`, signal);
    }
  }

  [Symbol.dispose](): void {
    if (this.#owned) this.#client.destroy();
  }
}

const abortBy = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});
