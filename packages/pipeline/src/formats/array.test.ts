// Rules of numeric arrays: sizes, half precision and conversions.
import { describe, expect, it } from "vitest";
import {
  bfloatToNumber,
  convertArray,
  countElements,
  halfToNumber,
  numberToBfloat,
  numberToHalf,
  stridesOf,
} from "./array.ts";

describe("the number of elements of a shape", () => {
  it.each([
    [[], 1],
    [[2, 3], 6],
    [[0, 1e300], undefined],
    [[1e10, 1e10], undefined],
    [[1e10, 1e10, 0], undefined],
    [[4, 0], 0],
    [[-1], undefined],
    [[1.5], undefined],
  ])("of %j is %s", (shape, expected) => {
    expect(countElements(shape)).toBe(expected);
  });
});

describe("half precision", () => {
  it("holds every bit pattern through a number and back", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = halfToNumber(bits);
      if (!Number.isNaN(value)) expect(numberToHalf(value)).toBe(bits);
      else expect(halfToNumber(numberToHalf(value))).toBeNaN();
    }
  });

  it.each([
    [65504, 65504],
    [65519, 65504],
    [65520, Number.POSITIVE_INFINITY],
    [2 ** -25, 0],
    [2 ** -25 * 1.5, 2 ** -24],
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [-0, -0],
    [1e-300, 0],
  ])("rounds %d to %d", (value, expected) => {
    expect(halfToNumber(numberToHalf(value))).toBe(expected);
  });

  it("bfloat16 is the upper half of a float32, rounded to even", () => {
    expect(bfloatToNumber(0x3f80)).toBe(1);
    expect(numberToBfloat(1 + 2 ** -8)).toBe(0x3f80);
    expect(numberToBfloat(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(bfloatToNumber(numberToBfloat(Number.NaN))).toBeNaN();
  });
});

describe("conversion", () => {
  it("keeps values where the type can hold them", () => {
    const from = { dtype: "float64" as const, shape: [3], data: new Float64Array([0, 1.5, -2]) };
    expect(convertArray(from, "float32").data).toEqual(new Float32Array([0, 1.5, -2]));
    expect(convertArray(from, "int64").data).toEqual(new BigInt64Array([0n, 1n, -2n]));
    expect(convertArray(from, "bool").data).toEqual(new Uint8Array([0, 1, 1]));
    expect(convertArray(convertArray(from, "float16"), "float32").data).toEqual(new Float32Array([0, 1.5, -2]));
  });

  it("keeps all digits between 64-bit integers", () => {
    const from = { dtype: "int64" as const, shape: [1], data: new BigInt64Array([2n ** 62n + 1n]) };
    expect(convertArray(from, "uint64").data).toEqual(new BigUint64Array([2n ** 62n + 1n]));
  });

  it("gives back the same array where nothing changes", () => {
    const from = { dtype: "bool" as const, shape: [1], data: new Uint8Array([1]) };
    expect(convertArray(from, "bool")).toBe(from);
  });
});

describe("strides", () => {
  it("are row-major", () => {
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
    expect(stridesOf([])).toEqual([]);
  });
});
