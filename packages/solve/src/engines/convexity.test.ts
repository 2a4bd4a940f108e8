// Rules of the convexity check, against matrices whose definiteness is known by construction.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPositiveSemidefinite, type LowerTriangle } from "./convexity.ts";
import { effectiveHessian } from "./highs-model.ts";
import { sparse } from "./testing/problems.ts";

/** The Hessian of xᵀQx for a dense Q. */
const hessianOf = (q: number[][]): LowerTriangle =>
  effectiveHessian({ quadratic: sparse(q), columns: q.length }) ?? {
    dimension: q.length,
    starts: new Int32Array(q.length + 1),
    indices: new Int32Array(0),
    values: new Float64Array(0),
  };

const entry = fc.integer({ min: -3, max: 3 });
const square = (n: number) => fc.array(fc.array(entry, { minLength: n, maxLength: n }), { minLength: 1, maxLength: n });
const factors = fc.integer({ min: 1, max: 8 }).chain(square);

describe("a Hessian", () => {
  it("FᵀF is positive semidefinite, whatever its rank, and its negative is not unless it is zero", () => {
    fc.assert(
      fc.property(factors, (factor) => {
        const n = factor[0]!.length;
        const q = Array.from({ length: n }, (_, i) =>
          Array.from({ length: n }, (_, j) => factor.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
        );
        const zero = q.every((row) => row.every((value) => value === 0));
        expect(isPositiveSemidefinite(hessianOf(q), 1)).toBe(true);
        expect(isPositiveSemidefinite(hessianOf(q), -1)).toBe(zero);
      }),
    );
  });

  it("with a direction of negative curvature is never called convex", () => {
    fc.assert(
      fc.property(factors, fc.array(entry, { minLength: 8, maxLength: 8 }), (factor, direction) => {
        const n = factor[0]!.length;
        const d = direction.slice(0, n);
        const bend = (q: number[][]) =>
          q.reduce((sum, row, i) => sum + row.reduce((s, v, j) => s + v * d[i]! * d[j]!, 0), 0);
        const q = Array.from({ length: n }, (_, i) =>
          Array.from({ length: n }, (_, j) => factor[i % factor.length]![j]!),
        );
        fc.pre(bend(q) < -1e-3);
        expect(isPositiveSemidefinite(hessianOf(q), 1)).toBe(false);
      }),
    );
  });

  it("adds up repeated and mirrored entries", () => {
    expect(
      hessianOf([
        [1, 1],
        [3, 2],
      ]),
    ).toEqual({
      dimension: 2,
      starts: Int32Array.of(0, 2, 3),
      indices: Int32Array.of(0, 1, 1),
      values: Float64Array.of(2, 4, 4),
    });
    expect(
      effectiveHessian({
        quadratic: sparse([
          [0, 1],
          [-1, 0],
        ]),
        columns: 2,
      }),
    ).toBeUndefined();
  });

  it("whose factorization would be too large is unknown", () => {
    // An arrow that points the wrong way fills completely.
    const n = 4000;
    const starts = Int32Array.from({ length: n + 1 }, (_, j) => (j === 0 ? 0 : n + j - 1));
    const indices = Int32Array.from({ length: 2 * n - 1 }, (_, k) => (k < n ? k : k - n + 1));
    const values = Float64Array.from(indices, (_, k) => (k === 0 || k >= n ? n : 1));
    expect(isPositiveSemidefinite({ dimension: n, starts, indices, values }, 1)).toBe("unknown");
  });
});
