// Rules of the limits: defaults, clamps, and the size of chunks.
import { describe, expect, it } from "vitest";
import { limitsOf } from "./limits.ts";

const MIB = 1024 * 1024;

describe("limits", () => {
  it("have cuOpt's defaults", () => {
    const limits = limitsOf({});
    expect(limits).toMatchObject({
      maxMessageBytes: 256 * MIB,
      unaryUpToBytes: 192 * MIB,
      parallelChunks: 4,
      bytesInFlight: 64 * MIB,
      callTimeoutMs: 60_000,
      transferHash: false,
    });
    expect(limits.chunkBytesFor(0n)).toBe(16 * MIB);
  });

  it.each([
    [0, 4 * MIB],
    [8192, 4 * MIB],
    [5 * MIB, 5 * MIB],
    [4096 * MIB, 2047 * MIB],
  ])("bring a largest message of %i bytes to %i", (asked, found) => {
    expect(limitsOf({ maxMessageBytes: asked }).maxMessageBytes).toBe(found);
  });

  it("take three quarters of the largest message for what goes in one, or what they are told", () => {
    expect(limitsOf({ maxMessageBytes: 8 * MIB }).unaryUpToBytes).toBe(6 * MIB);
    expect(limitsOf({ unaryUpToBytes: 0 }).unaryUpToBytes).toBe(0);
    expect(limitsOf({ unaryUpToBytes: -1 }).unaryUpToBytes).toBe(192 * MIB);
  });

  it.each([
    [undefined, 4096n, 3686],
    [1000, 4096n, 1000],
    [0, 0n, MIB],
    [-5, 0n, MIB],
  ])("make chunks of %s bytes for a server of %i bytes %i bytes long", (chunkBytes, server, found) => {
    expect(limitsOf({ chunkBytes }).chunkBytesFor(server)).toBe(found);
  });
});
