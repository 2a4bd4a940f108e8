// Cutting the concatenation of parts, wherever their borders lie.
import { createHash, randomBytes } from "node:crypto";
import { BLOCK_BYTES } from "@sortie/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, digestsOf, joined, piecesOf } from "./byte-parts.ts";

describe("pieces", () => {
  it("have the asked size but for the last, and are the whole when joined", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.integer({ min: 1, max: 9 }), (parts, size) => {
        const pieces = [...piecesOf(parts, size)].map(joined);
        const sizes = pieces.map((piece) => piece.byteLength);
        expect(sizes.slice(0, -1).every((bytes) => bytes === size)).toBe(true);
        expect(sizes.at(-1) ?? 1).toBeGreaterThan(0);
        expect(Buffer.compare(Buffer.concat(pieces), Buffer.concat(parts))).toBe(0);
        expect(bytesOf(parts)).toBe(sizes.reduce((sum, bytes) => sum + bytes, 0));
      }),
    );
  });

  it("digests are those of blocks, not of parts", () => {
    const bytes = randomBytes(BLOCK_BYTES + 10);
    const sha256 = (part: Uint8Array) => createHash("sha256").update(part).digest("hex");
    const expected = [sha256(bytes.subarray(0, BLOCK_BYTES)), sha256(bytes.subarray(BLOCK_BYTES))];
    expect(digestsOf([bytes.subarray(0, 7), bytes.subarray(7)])).toEqual(expected);
    expect(digestsOf([])).toEqual([]);
  });
});
