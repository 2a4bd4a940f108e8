// Rules of the pictures that are written.
import { crc32, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { encodePng } from "./png.ts";

/** The samples of a picture, undoing the two filters that the writer uses. */
function decode(png: Uint8Array): { width: number; height: number; depth: number; colour: number; pixels: number[] } {
  const view = new DataView(png.buffer);
  expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
  const parts = new Map<string, Uint8Array>();
  for (let at = 8; at < png.byteLength; ) {
    const length = view.getUint32(at);
    const type = new TextDecoder().decode(png.subarray(at + 4, at + 8));
    parts.set(type, png.subarray(at + 8, at + 8 + length));
    expect(view.getUint32(at + 8 + length)).toBe(crc32(png.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
  expect([...parts.keys()]).toEqual(["IHDR", "IDAT", "IEND"]);
  const header = parts.get("IHDR")!;
  const size = new DataView(header.buffer, header.byteOffset);
  const [width, height] = [size.getUint32(0), size.getUint32(4)];
  const raw = inflateSync(parts.get("IDAT")!);
  const row = raw.byteLength / height - 1;
  const pixels: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < row; x++) {
      const above = raw[y * (row + 1)] === 2 ? pixels[(y - 1) * row + x]! : 0;
      pixels.push((raw[y * (row + 1) + 1 + x]! + above) & 0xff);
    }
  }
  return { width, height, depth: header[8]!, colour: header[9]!, pixels };
}

describe("a picture", () => {
  it.each([
    [1, 0],
    [3, 2],
    [4, 6],
  ] as const)("of %i channels holds every sample", (channels, colour) => {
    const pixels = Uint8Array.from({ length: 5 * 7 * channels }, (_, i) => (i * 37) % 256);
    expect(decode(encodePng({ width: 5, height: 7, channels, pixels }))).toEqual({
      width: 5,
      height: 7,
      depth: 8,
      colour,
      pixels: [...pixels],
    });
  });

  it("whose samples do not fit its size is refused", () => {
    expect(() => encodePng({ width: 2, height: 2, channels: 3, pixels: new Uint8Array(4) })).toThrow(
      "4 bytes are no picture of 2 x 2 with 3 channels",
    );
    expect(() => encodePng({ width: 0, height: 2, channels: 1, pixels: new Uint8Array(0) })).toThrow(RangeError);
  });
});
