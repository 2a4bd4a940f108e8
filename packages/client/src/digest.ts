// Digests of what is transferred. WebCrypto, so that browsers have them as well.

/** The request header of a chunk that is sent: SHA-256 of its data, hexadecimal. The answer of a chunk that was asked for has it too. */
export const CHUNK_SHA256_HEADER = "sortie-chunk-sha256";
/** The request header that asks for the digest of a chunk of a result: any value. */
export const WANT_CHUNK_SHA256_HEADER = "sortie-want-chunk-sha256";

/** Undefined where there is no WebCrypto, as on pages that came in clear. */
export async function sha256Of(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { subtle } = globalThis.crypto ?? {};
  return subtle && new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** @throws Error where there is no WebCrypto */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = await sha256Of(bytes);
  if (digest) return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  throw new Error(
    "transferHash needs WebCrypto, which browsers give to pages that came over https or from localhost only",
  );
}
