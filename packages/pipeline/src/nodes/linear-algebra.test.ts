// Rules of the small linear algebra and of streaming moments.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Moments } from "../graph/moments.ts";
import { numbers } from "../testing/pipelines.ts";
import { pseudoInverse, symmetricEigen, whitening } from "./linear-algebra.ts";
import { areaUnderCurve, averagePrecision, quantileOfSorted } from "./statistics.ts";

const size = fc.integer({ min: 1, max: 12 });
const seed = fc.integer({ min: 1, max: 9999 });

function symmetric(n: number, from: number): Float64Array {
  const random = numbers(from);
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) matrix[i * n + j] = matrix[j * n + i] = random() * 2 - 1;
  return matrix;
}

const product = (a: ArrayLike<number>, b: ArrayLike<number>, n: number): Float64Array =>
  Float64Array.from({ length: n * n }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += (a[Math.floor(at / n) * n + k] as number) * (b[k * n + (at % n)] as number);
    return sum;
  });

function expectEqual(a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-9): void {
  for (let i = 0; i < a.length; i++) expect(Math.abs((a[i] as number) - (b[i] as number))).toBeLessThan(tolerance);
}

describe("eigenvectors of a symmetric matrix", () => {
  it("give the matrix back, in ascending order", () => {
    fc.assert(
      fc.property(size, seed, (n, from) => {
        const matrix = symmetric(n, from);
        const { values, vectors } = symmetricEigen(matrix, n);
        const transposed = vectors.map((_, at) => vectors[(at % n) * n + Math.floor(at / n)] as number);
        const scaled = vectors.map((v, at) => v * (values[at % n] as number));
        expectEqual(product(scaled, transposed, n), matrix);
        expect([...values]).toEqual([...values].sort((a, b) => a - b));
      }),
    );
  });

  it("of a diagonal or a repeated matrix are no trouble", () => {
    expect([...symmetricEigen([3, 0, 0, 0, 1, 0, 0, 0, 3], 3).values]).toEqual([1, 3, 3]);
    expect([...symmetricEigen(new Float64Array(16), 4).values]).toEqual([0, 0, 0, 0]);
  });
});

describe("the pseudo-inverse", () => {
  it("is the inverse where there is one, and meets Penrose's condition where not", () => {
    fc.assert(
      fc.property(size, seed, (n, from) => {
        const root = symmetric(n, from);
        const matrix = product(root, root, n);
        for (let i = 0; i < n; i++)
          if (i % 3 === 0) for (let j = 0; j < n; j++) matrix[i * n + j] = matrix[j * n + i] = 0;
        const inverse = pseudoInverse(matrix, n);
        expectEqual(product(product(matrix, inverse, n), matrix, n), matrix, 1e-5);
      }),
    );
  });

  it("drops what float32 cannot tell from zero", () => {
    expect([...pseudoInverse([1, 0, 0, 1e-7], 2)]).toEqual([1, 0, 0, 0]);
  });
});

describe("whitening", () => {
  it("gives the quadratic form of the inverse, also of an indefinite matrix", () => {
    const matrix = [2, 1, 1, -3];
    const { rows, signs } = whitening(matrix, 2);
    const d = [0.5, -2];
    const form = [0, 1].reduce(
      (sum, k) => sum + (signs[k] as number) * ((rows[k * 2] as number) * 0.5 + (rows[k * 2 + 1] as number) * -2) ** 2,
      0,
    );
    // The inverse is [3, 1; 1, -2] / 7.
    const expected =
      (3 * (d[0] as number) ** 2 + 2 * (d[0] as number) * (d[1] as number) - 2 * (d[1] as number) ** 2) / 7;
    expect(form).toBeCloseTo(expected, 12);
  });

  it("refuses a singular matrix", () => {
    expect(() => whitening([0, 0, 0, 1], 2)).toThrow(/singular/);
  });
});

describe("streaming moments", () => {
  it("do not depend on how rows are cut into batches", () => {
    fc.assert(
      fc.property(
        seed,
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        (from, cuts, full) => {
          const width = 3;
          const random = numbers(from);
          const rows = cuts.reduce((a, b) => a + b, 0);
          const data = Float32Array.from({ length: rows * width }, () => random() * 1000);
          const whole = new Moments(width, full);
          whole.update(data);
          const parts = new Moments(width, full);
          let at = 0;
          for (const cut of cuts) {
            parts.update(data.subarray(at * width, (at + cut) * width));
            at += cut;
          }
          expect(parts.count).toBe(whole.count);
          expectEqual(parts.mean, whole.mean, 1e-9 * 1000);
          expectEqual(parts.second, whole.second, 1e-9 * 1e6 * rows);
        },
      ),
    );
  });

  it("say so where there are too few rows", () => {
    const moments = new Moments(1, false);
    moments.update([1]);
    expect(() => moments.covariance("x")).toThrow(/'x'.*at least 2/);
  });
});

describe("scores against labels", () => {
  it("rank ties by their average", () => {
    expect(areaUnderCurve([1, 1, 1, 1], [0, 1, 0, 1])).toBe(0.5);
    expect(areaUnderCurve([1, 2, 3], [0, 0, 1])).toBe(1);
    expect(areaUnderCurve([1, 2], [1, 1])).toBeNaN();
  });

  it("take tied scores as one threshold", () => {
    expect(averagePrecision([1, 1, 0], [1, 0, 0])).toBe(0.5);
    expect(averagePrecision([1, 0], [0, 0])).toBe(0);
  });

  it("interpolate quantiles between neighbours", () => {
    expect(quantileOfSorted(Float32Array.of(0, 10), 0.25)).toBe(2.5);
    expect(quantileOfSorted(Float32Array.of(7), 0.9)).toBe(7);
  });
});
