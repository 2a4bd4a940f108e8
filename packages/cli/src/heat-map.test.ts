// Rules of heat maps: what is bright, what is dark, and that every map is a picture.
import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { heatMap } from "./heat-map.ts";

/** Brightness of each pixel of a PNG that `heatMap` wrote: the sum of its colours. */
function brightness(png: Uint8Array): { width: number; height: number; at: (x: number, y: number) => number } {
  const file = Buffer.from(png);
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const length = file.readUInt32BE(33);
  const rows = inflateSync(file.subarray(41, 41 + length));
  const size = width * 3;
  const pixels = new Uint8Array(height * size);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (size + 1)];
    for (let x = 0; x < size; x++) {
      const above = filter === 2 ? (pixels[(y - 1) * size + x] as number) : 0;
      pixels[y * size + x] = (rows[y * (size + 1) + 1 + x] as number) + above;
    }
  }
  const at = (x: number, y: number) => [0, 1, 2].reduce((sum, c) => sum + (pixels[y * size + x * 3 + c] as number), 0);
  return { width, height, at };
}

describe("a heat map", () => {
  it("is brighter where scores are higher, and as bright as it gets above the 99.5 % quantile", () => {
    const scores = Float64Array.from({ length: 1000 }, (_, i) => i);
    scores[999] = 1e6;
    scores[998] = 5e5;
    const map = brightness(heatMap(scores, 1, 1000));
    expect(map).toMatchObject({ width: 1000, height: 1 });
    for (const x of [100, 400, 700, 990]) expect(map.at(x, 0)).toBeGreaterThan(map.at(x - 100, 0));
    expect(map.at(998, 0)).toBe(map.at(999, 0));
  });

  it("draws a small scene larger", () => {
    const map = brightness(heatMap(Float64Array.of(0, 1, 2, 3), 2, 2));
    expect(map).toMatchObject({ width: 256, height: 256 });
    expect(map.at(0, 0)).toBe(map.at(127, 127));
    expect(map.at(128, 128)).toBeGreaterThan(map.at(127, 127));
  });

  it("is black for NaN, and one colour for one score", () => {
    const map = brightness(heatMap(Float64Array.of(Number.NaN, 5, 5, Number.POSITIVE_INFINITY), 2, 2));
    const lowest = map.at(255, 0);
    expect(map.at(0, 0)).toBe(lowest);
    expect(map.at(0, 255)).toBe(lowest);
    expect(map.at(255, 255)).toBeGreaterThan(lowest);
  });

  it("of few decisions among many shows them", () => {
    const map = brightness(
      heatMap(
        Float64Array.from({ length: 1000 }, (_, i) => (i === 7 ? 1 : 0)),
        1,
        1000,
      ),
    );
    expect(map.at(7, 0)).toBeGreaterThan(map.at(8, 0));
  });
});
