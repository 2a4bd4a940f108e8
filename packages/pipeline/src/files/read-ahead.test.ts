// Rules of reading ahead: the bytes are the same, and a reader that goes on in order costs few requests.
import { describe, expect, it } from "vitest";
import { bytesSource, plainReader, readRange } from "../formats/source.ts";
import { readAhead } from "./read-ahead.ts";

const MIB = 1 << 20;

function counted(bytes: Uint8Array) {
  const reads: [offset: number, length: number][] = [];
  const plain = bytesSource("file", bytes);
  const source = readAhead({
    ...plain,
    async readInto(target, offset) {
      reads.push([offset, target.byteLength]);
      await plain.readInto(target, offset);
    },
  });
  return { source, reads };
}

describe("a source that is read ahead", () => {
  const content = Uint8Array.from({ length: 8 * MIB }, (_, i) => (i * 2_654_435_761) >>> 24);

  it("answers small reads in order from few large ones", async () => {
    const { source, reads } = counted(content);
    const reader = plainReader(source);
    const strip = new Uint8Array(10_000);
    for (let at = 0; at + strip.byteLength <= content.byteLength; at += strip.byteLength) {
      await reader.fill(strip);
      if (Buffer.compare(strip, content.subarray(at, at + strip.byteLength)) !== 0) throw new Error(`differs at ${at}`);
    }
    expect(reads.length).toBeLessThan(8);
    expect(reads.reduce((sum, [, length]) => sum + length, 0)).toBe(content.byteLength);
  });

  it("costs a header little", async () => {
    const { source, reads } = counted(content);
    await readRange(source, 0, 10);
    await readRange(source, 10, 118);
    expect(reads).toEqual([[0, 65_536]]);
  });

  it("reads large stretches as they are, and nothing beside them", async () => {
    const { source, reads } = counted(content);
    expect(Buffer.compare(await readRange(source, 3 * MIB, 2 * MIB), content.subarray(3 * MIB, 5 * MIB))).toBe(0);
    expect(reads).toEqual([[3 * MIB, 2 * MIB]]);
  });

  it("goes anywhere, back and across what it has", async () => {
    const { source } = counted(content);
    for (const [offset, length] of [
      [7 * MIB, 100],
      [0, 70_000],
      [65_000, 3 * MIB],
      [8 * MIB - 1, 1],
      [5, 0],
    ] as const) {
      expect(
        Buffer.compare(await readRange(source, offset, length), content.subarray(offset, offset + length)),
        `${offset}`,
      ).toBe(0);
    }
  });
});
