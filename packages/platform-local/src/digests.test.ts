// Rules of digests: they are those of the whole, however it is cut.
import { createHash, randomBytes } from "node:crypto";
import { BLOCK_BYTES } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { blocksOf, Digests } from "./digests.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("blocksOf", () => {
  it("cuts parts into blocks, views and not copies", () => {
    const parts = [3, BLOCK_BYTES, 0, BLOCK_BYTES - 2, 5].map((length) => new Uint8Array(length));
    const blocks = blocksOf(parts);
    expect(blocks.map((block) => block.map(({ byteLength }) => byteLength))).toEqual([
      [3, BLOCK_BYTES - 3],
      [3, BLOCK_BYTES - 3],
      [1, 5],
    ]);
    expect(blocks[0]![1]!.buffer).toBe(parts[1]!.buffer);
    expect(blocksOf([])).toEqual([]);
    expect(blocksOf([new Uint8Array(0)])).toEqual([]);
  });
});

describe("Digests", () => {
  it("agree with a plain hash, small and large, one and many at once", async () => {
    const digests = new Digests();
    const bytes = randomBytes(BLOCK_BYTES);
    const lengths = [0, 1, 256 * 1024, 256 * 1024 + 1, 1_000_003, BLOCK_BYTES, BLOCK_BYTES - 1, 700_000, 800_000];
    const found = await Promise.all(
      lengths.map((length) => digests.of([bytes.subarray(0, length >> 1), bytes.subarray(length >> 1, length)])),
    );
    expect(found).toEqual(lengths.map((length) => sha256(bytes.subarray(0, length))));
    await digests.close();
    await expect(digests.of([bytes])).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("closing them rejects what is under way", async () => {
    const digests = new Digests();
    const bytes = randomBytes(BLOCK_BYTES);
    const all = Array.from({ length: 8 }, () => digests.of([bytes]));
    const settled = Promise.allSettled(all);
    await digests.close();
    for (const { status } of await settled) expect(status).toBe("rejected");
  });
});
