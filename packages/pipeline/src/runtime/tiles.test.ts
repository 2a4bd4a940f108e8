// Rules of row tiles: they cover every row once, and begin where they would be aligned alike in the whole image.
import { describe, expect, it } from "vitest";
import { tensor } from "../graph/tensor.ts";
import { alignedRows, RowAssembly, rowRanges, rowsOf } from "./tiles.ts";

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
});
