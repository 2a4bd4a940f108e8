// Stretches of the concatenation of several byte arrays, and their digests.
import { createHash } from "node:crypto";
import { BLOCK_BYTES } from "@sortie/core";

export const bytesOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.byteLength, 0);

/** Cuts the concatenation of `parts` into pieces of `size` bytes (the last may be shorter), without copying. */
export function* piecesOf(parts: readonly Uint8Array[], size: number): Generator<Uint8Array[]> {
  let piece: Uint8Array[] = [];
  let room = size;
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; ) {
      const taken = Math.min(room, part.byteLength - at);
      piece.push(part.subarray(at, at + taken));
      at += taken;
      room -= taken;
      if (room > 0) continue;
      yield piece;
      piece = [];
      room = size;
    }
  }
  if (piece.length > 0) yield piece;
}

/** One array with all the bytes: the part itself if there is only one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** SHA-256, lower-case hex, of each block of BLOCK_BYTES. */
export function digestsOf(parts: readonly Uint8Array[]): string[] {
  return Array.from(piecesOf(parts, BLOCK_BYTES), (block) => {
    const hash = createHash("sha256");
    for (const part of block) hash.update(part);
    return hash.digest("hex");
  });
}
