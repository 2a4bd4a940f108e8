// Rules of the array statistics: they locate what validation asks for, survive JSON, and fold without loss.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ArrayStats, arrayStats, mergeStats, type StatsPart } from "./stats.ts";

describe("arrayStats", () => {
  it("locates the extremes, the first NaN and the first descent", () => {
    expect(arrayStats(Float64Array.of(2, 5, -1, Number.NaN, 5, -1))).toEqual({
      count: 6,
      nan: 1,
      firstNan: 3,
      min: -1,
      argmin: 2,
      max: 5,
      argmax: 1,
      first: 2,
      last: -1,
      ascending: false,
      firstDescent: 2,
    });
  });

  it("says of an empty array only that it is empty", () => {
    expect(arrayStats(new Float64Array(0))).toEqual({ count: 0, nan: 0, ascending: true });
  });

  it("has no extremes where all is NaN", () => {
    const stats = arrayStats(Float64Array.of(Number.NaN, Number.NaN));
    expect(stats).toEqual({
      count: 2,
      nan: 2,
      firstNan: 0,
      first: "NaN",
      last: "NaN",
      ascending: false,
      firstDescent: 1,
    });
  });

  it("finds infinities that fill the whole array", () => {
    const up = arrayStats(Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY));
    expect(up).toMatchObject({ min: "Infinity", argmin: 1, max: "Infinity", argmax: 1 });
    const down = arrayStats(Float64Array.of(Number.NEGATIVE_INFINITY));
    expect(down).toMatchObject({ min: "-Infinity", argmin: 0, max: "-Infinity", argmax: 0 });
  });

  it("takes equal neighbours as ascending", () => {
    expect(arrayStats(Int32Array.of(0, 0, 3, 3)).ascending).toBe(true);
  });

  it("locates the first byte that is no row type", () => {
    expect(arrayStats(new TextEncoder().encode("ELGNX")).firstBadRowType).toEqual({ index: 3, byte: 0x4e });
    expect(arrayStats(new TextEncoder().encode("ELG")).firstBadRowType).toBeUndefined();
  });

  it("survives JSON", () => {
    const stats = arrayStats(Float64Array.of(Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY));
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats);
  });
});

describe("mergeStats", () => {
  it("folds the slices of any cut into the statistics of the whole", () => {
    const element = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 0, 1, 2));
    const array = fc.oneof(
      fc.array(element, { maxLength: 30 }).map((values) => Float64Array.from(values)),
      fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 30 }).map((values) => Int32Array.from(values)),
      fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 }).map((v) => Int32Array.from(v.sort((a, b) => a - b))),
      fc.array(fc.constantFrom(0x45, 0x4c, 0x47, 0x4e), { maxLength: 30 }).map((values) => Uint8Array.from(values)),
    );
    fc.assert(
      fc.property(array, fc.array(fc.nat(30), { maxLength: 6 }), (whole, cuts) => {
        expect(mergeStats(cut(whole, cuts))).toEqual(arrayStats(whole));
      }),
      { numRuns: 500 },
    );
  });

  it("sees a descent across a border", () => {
    const merged = mergeStats([part(0, Int32Array.of(0, 4)), part(2, Int32Array.of(3, 5))]);
    expect(merged).toMatchObject({ ascending: false, firstDescent: 2 });
  });

  it("refuses a hole and an overlap", () => {
    expect(() => mergeStats([part(0, Int32Array.of(1)), part(2, Int32Array.of(1))])).toThrow(RangeError);
    expect(() => mergeStats([part(0, Int32Array.of(1, 2)), part(1, Int32Array.of(1))])).toThrow(RangeError);
  });
});

function part(elementOffset: number, array: Int32Array): StatsPart {
  return { elementOffset, stats: arrayStats(array) };
}

function cut(whole: Float64Array | Int32Array | Uint8Array, cuts: number[]): StatsPart[] {
  const borders = [0, ...cuts.filter((c) => c <= whole.length).sort((a, b) => a - b), whole.length];
  const stored = (stats: ArrayStats): ArrayStats => JSON.parse(JSON.stringify(stats));
  return borders.slice(1).map((end, i) => {
    const elementOffset = borders[i] as number;
    return { elementOffset, stats: stored(arrayStats(whole.subarray(elementOffset, end))) };
  });
}
