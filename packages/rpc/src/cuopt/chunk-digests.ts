// Digests of chunks, for clients that want to know that what arrived is what was sent.
import { DomainError } from "@sortie/core";

/** SHA-256 of a chunk's data, hexadecimal: of a request for what the client sends, of an answer for what it gets. */
export const CHUNK_SHA256_HEADER = "sortie-chunk-sha256";
/** A request header with any value: the answer is to have the digest. */
export const WANT_CHUNK_SHA256_HEADER = "sortie-want-chunk-sha256";

/** Off the event loop. */
export async function sha256Hex(data: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>)).toString("hex");
}

/**
 * @param array for the message
 * @throws DomainError "chunk-altered", or "invalid-argument" if the header is no digest
 */
export async function checkChunkDigest(
  array: string,
  elementOffset: bigint,
  data: Uint8Array,
  announced: string,
): Promise<void> {
  if (!/^[0-9a-f]{64}$/i.test(announced)) {
    throw new DomainError(
      "invalid-argument",
      `${CHUNK_SHA256_HEADER} is "${announced}"; 64 hexadecimal digits are needed`,
    );
  }
  const found = await sha256Hex(data);
  if (found === announced.toLowerCase()) return;
  throw new DomainError(
    "chunk-altered",
    `array ${array}, chunk at element ${elementOffset}: the ${data.byteLength} bytes that arrived have the SHA-256 ${found}, ` +
      `${CHUNK_SHA256_HEADER} says ${announced.toLowerCase()}; nothing was stored, send the chunk again`,
  );
}
