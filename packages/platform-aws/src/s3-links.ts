// Signed links: who has one moves bytes straight to or from the bucket, for a while, without credentials of their own.
import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { type BlobLinks, type ByteRange, checkBlobKey, type SignedLink } from "@sortie/core";

/** S3 takes no longer life of a link: seven days. */
const LONGEST_SECONDS = 604_800;

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
 * A link that writes a blob of exactly `bytes` bytes. With a digest S3 takes those bytes only, however often; without one it
 * takes any, but only while there is no such object (If-None-Match).
 * @param expirySeconds how long the link works, 1 s to 7 days
 * @param sha256 lower-case hex
 */
export async function signedPut(
  client: S3Client,
  bucket: string,
  key: string,
  bytes: number,
  expirySeconds: number,
  sha256?: string,
): Promise<SignedLink> {
  checkBlobKey(key);
  checkExpiry(expirySeconds);
  const checksum = sha256 && Buffer.from(sha256, "hex").toString("base64");
  const condition = checksum ? { ChecksumSHA256: checksum } : { IfNoneMatch: "*" };
  const headers = checksum ? { "x-amz-checksum-sha256": checksum } : { "if-none-match": "*" };
  const command = new PutObjectCommand({ Bucket: bucket, Key: key, ContentLength: bytes, ...condition });
  // The SDK puts the checksum of the body into what it signs: here that of an empty one, which no upload would match.
  command.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { readonly headers: Record<string, string> };
      for (const name of ["x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm"]) delete request.headers[name];
      return next(args);
    },
    { step: "build", priority: "low", name: "noChecksumOfNothing" },
  );
  const names = Object.keys(headers);
  const url = await getSignedUrl(client, command, {
    expiresIn: expirySeconds,
    signableHeaders: new Set(["host", "content-length", ...names]),
    // In the address S3 would not hold the request to them.
    unhoistableHeaders: new Set(names),
  });
  return { method: "PUT", url, headers: { "content-length": String(bytes), ...headers } };
}

/** The links of a bucket as the blobs' port has them. */
export function s3Links(client: S3Client, bucket: string): BlobLinks {
  const seconds = (expiresAt: number) => Math.max(1, Math.ceil((expiresAt - Date.now()) / 1000));
  return {
    signGet: (key, range, expiresAt) => signedGet(client, bucket, key, seconds(expiresAt), range),
    signPut: (key, bytes, expiresAt, sha256) => signedPut(client, bucket, key, bytes, seconds(expiresAt), sha256),
  };
}
