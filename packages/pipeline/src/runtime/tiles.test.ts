// Rules of row tiles: they cover every row once, and begin where they would be aligned alike in the whole image.
import { describe, expect, it } from "vitest";
import { tensor } from "../graph/tensor.ts";
import { alignedRows, RowAssembly, rowRanges, rowsOf, stacked, TileResults, tileRuns, unstacked } from "./tiles.ts";

describe("row tiles", () => {
  it("put together again, are the whole", () => {
    const whole = tensor(
      "float32",
      [2, 7, 3],
      Float32Array.from({ length: 42 }, (_, i) => i),
    );
    const assembly = new RowAssembly(2, 7);
    for (const range of rowRanges(2, 7, 3)) assembly.put(rowsOf(whole, range), range);
    expect(assembly.whole()).toEqual(whole);
  });

  it.each([
    { rows: 4, width: 512, taken: 4 },
    { rows: 291, width: 90, taken: 288 },
    { rows: 100, width: 33, taken: 64 },
    { rows: 9, width: 8, taken: 8 },
  ])("of at most $rows rows of $width pixels have $taken", ({ rows, width, taken }) => {
    expect(alignedRows(rows, width)).toBe(taken);
    expect((taken * width) % 64).toBe(0);
  });

  it("have at least one row, and as many as there is room for where alignment would need more", () => {
    expect(alignedRows(0, 4096)).toBe(1);
    expect(alignedRows(10, 33)).toBe(10);
  });

  it("that run together are of one image and as high", () => {
    const runs = [...tileRuns(rowRanges(2, 11, 2), 3)].map((run) =>
      run.map(({ image, start, rows }) => [image, start, rows]),
    );
    const ofImage = (image: number) => [
      [
        [image, 0, 2],
        [image, 2, 2],
        [image, 4, 2],
      ],
      [
        [image, 6, 2],
        [image, 8, 2],
      ],
      [[image, 10, 1]],
    ];
    expect(runs).toEqual([...ofImage(0), ...ofImage(1)]);
  });

  it("stacked and taken apart are what they were", () => {
    const image = tensor(
      "float32",
      [1, 6, 2],
      Float32Array.from({ length: 12 }, (_, i) => i),
    );
    const stack = stacked(image, 3);
    expect(stack.shape).toEqual([3, 1, 2, 2]);
    expect(unstacked(stack, 1)).toEqual(rowsOf(image, { index: 1, image: 0, start: 2, rows: 2 }));
  });

  it("give the same moments in whatever order they come", () => {
    const names = { count: "n", mean: "m", second: "s" };
    const tiles = [...rowRanges(1, 3, 1)].map((range, i) => ({
      range,
      values: new Map([
        ["n", tensor("float64", [], [i + 1])],
        ["m", tensor("float64", [1], [0.1 * i])],
        ["s", tensor("float64", [1, 1], [1 / (i + 3)])],
      ]),
    }));
    const merged = (order: readonly number[]) => {
      const results = new TileResults(1, 3, { outputs: [], moments: [names] });
      for (const at of order) {
        const { values, range } = tiles[at] as (typeof tiles)[number];
        results.put(values, range);
      }
      return results.whole();
    };
    expect(merged([2, 0, 1])).toEqual(merged([0, 1, 2]));
    expect(merged([0, 1, 2]).get("n")?.data[0]).toBe(6);
  });
});
