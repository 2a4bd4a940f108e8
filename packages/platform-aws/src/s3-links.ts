// Signed links: who has one moves bytes straight to or from the bucket, for a while, without credentials of their own.
import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { type ByteRange, checkBlobKey } from "@sortie/core";

/** S3 takes no longer life of a link: seven days. */
const LONGEST_SECONDS = 604_800;

export interface SignedLink {
  readonly method: "GET" | "PUT";
  readonly url: string;
  /** To be sent with the request, exactly: they are part of the signature. */
  readonly headers: Readonly<Record<string, string>>;
}

function checkExpiry(seconds: number): void {
  if (Number.isSafeInteger(seconds) && seconds >= 1 && seconds <= LONGEST_SECONDS) return;
  throw new RangeError(`expirySeconds is ${seconds}; whole seconds from 1 to ${LONGEST_SECONDS} are allowed`);
}

/**
 * A link that reads a blob, or one range of it.
 * @param expirySeconds how long the link works, 1 s to 7 days; never longer than the credentials that sign it
 */
export async function signedGet(
  client: S3Client,
  bucket: string,
  key: string,
  expirySeconds: number,
  range?: ByteRange,
): Promise<SignedLink> {
  checkBlobKey(key);
  checkExpiry(expirySeconds);
  if (range && !(Number.isSafeInteger(range.offset) && range.offset >= 0 && range.length >= 1)) {
    throw new RangeError(`a link to ${range.length} bytes from ${range.offset} on is no range of a blob`);
  }
  const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
  const command = new GetObjectCommand({ Bucket: bucket, Key: key, Range });
  const url = await getSignedUrl(client, command, {
    expiresIn: expirySeconds,
    signableHeaders: new Set(["host", "range"]),
  });
  return { method: "GET", url, headers: Range === undefined ? {} : { range: Range } };
}

/**
 * A link that writes a blob of exactly `bytes` bytes. What arrives is validated by whoever reads it: the link fixes its
 * length, not its content.
 * @param expirySeconds how long the link works, 1 s to 7 days
 */
export async function signedPut(
  client: S3Client,
  bucket: string,
  key: string,
  bytes: number,
  expirySeconds: number,
): Promise<SignedLink> {
  checkBlobKey(key);
  checkExpiry(expirySeconds);
  const command = new PutObjectCommand({ Bucket: bucket, Key: key, ContentLength: bytes });
  const url = await getSignedUrl(client, command, {
    expiresIn: expirySeconds,
    signableHeaders: new Set(["host", "content-length"]),
  });
  return { method: "PUT", url, headers: { "content-length": String(bytes) } };
}
