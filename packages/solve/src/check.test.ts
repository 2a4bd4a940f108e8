// Rules of the checks: what they measure is what optimality theory says, for minima and maxima, scaled or not.
import { describe, expect, it } from "vitest";
import {
  crossedBounds,
  directionOf,
  measureDual,
  measurePrimal,
  objectiveAt,
  reducedCosts,
  relativeMipGap,
} from "./check.ts";
import { problem } from "./engines/testing/problems.ts";

const f64 = (...values: number[]) => Float64Array.from(values);
/** min x + 2y, x + y ≥ 2; optimum 2 at (2, 0), y = 1, z = (0, 1). */
const small = problem({ objective: [1, 2], rows: [[1, 1]], rowLower: [2] });

describe("primal measures", () => {
  it("of a feasible point are zero, and the objective has offset and scaling", () => {
    const scaled = { ...small, objectiveOffset: 3, objectiveScaling: -2 };
    expect(measurePrimal(scaled, f64(2, 1), true)).toEqual({
      objective: -2 * (4 + 3),
      maxRowViolation: 0,
      maxBoundViolation: 0,
      maxIntegralityViolation: 0,
      l2Residual: 0,
      scaledViolation: 0,
    });
  });

  it("tell row, bound and integrality violations apart", () => {
    const model = problem({ objective: [1, 2], rows: [[1, 1]], rowLower: [2], types: [1, 0] });
    const measures = measurePrimal(model, f64(0.25, -0.5), true);
    expect(measures).toMatchObject({ maxRowViolation: 2.25, maxBoundViolation: 0.5, maxIntegralityViolation: 0.25 });
    expect(measures.l2Residual).toBeCloseTo(Math.hypot(2.25, 0.5), 12);
    expect(measurePrimal(model, f64(0.25, -0.5), false).maxIntegralityViolation).toBe(0);
  });

  it("are relative to the numbers that are compared", () => {
    const model = problem({ objective: [0], rows: [[1e6]], rowUpper: [1e6] });
    expect(measurePrimal(model, f64(1 + 1e-9), false).scaledViolation).toBeLessThan(1e-8);
  });

  it("let a semi-continuous variable be zero", () => {
    const model = problem({ objective: [1], lower: [3], upper: [5], types: [2] });
    expect(measurePrimal(model, f64(0), true).maxBoundViolation).toBe(0);
    expect(measurePrimal(model, f64(0.5), true).maxBoundViolation).toBe(0.5);
    expect(measurePrimal(model, f64(0), false).maxBoundViolation).toBe(3);
  });

  it("call NaN and infinity infeasible", () => {
    expect(measurePrimal(small, f64(Number.NaN, 1), false).scaledViolation).toBe(Infinity);
    expect(measurePrimal(small, f64(Infinity, 1), false).scaledViolation).toBe(Infinity);
  });
});

describe("dual measures", () => {
  it("of an optimal pair show no gap, no residual and no wrong sign", () => {
    expect(measureDual(small, f64(2, 0), f64(1), f64(0, 1))).toEqual({
      objective: 2,
      gap: 0,
      relativeGap: 0,
      l2Residual: 0,
      scaledViolation: 0,
    });
  });

  it("hold for a maximum and for a negative scaling with signs turned round", () => {
    const largest = problem({ objective: [1, 2], rows: [[1, 1]], rowUpper: [2], maximize: true });
    expect(measureDual(largest, f64(0, 2), f64(2), f64(-1, 0))).toMatchObject({
      objective: 4,
      gap: 0,
      scaledViolation: 0,
    });
    const turned = { ...small, objectiveScaling: -1 };
    expect(directionOf(turned)).toBe(-1);
    expect(measureDual(turned, f64(2, 0), f64(-1), f64(0, -1))).toMatchObject({
      objective: -2,
      gap: 0,
      scaledViolation: 0,
    });
  });

  it("give a bound on the optimum for any feasible dual (weak duality)", () => {
    const { objective, scaledViolation } = measureDual(small, f64(2, 0), f64(0.5), f64(0.5, 1.5));
    expect(scaledViolation).toBe(0);
    expect(objective).toBeLessThan(2);
  });

  it("count a multiplier without its bound, and a residual, as a violation", () => {
    expect(measureDual(small, f64(2, 0), f64(-1), f64(2, 3)).scaledViolation).toBeCloseTo(1 / 3, 12);
    const off = measureDual(small, f64(2, 0), f64(1), f64(3, 1));
    expect(off.l2Residual).toBe(3);
    expect(off.scaledViolation).toBe(1);
  });

  it("use Dorn's dual for a quadratic objective", () => {
    // min x² + y² on x + y = 2: value 2 at (1, 1), y = 2
    const model = problem({
      objective: [0, 0],
      quadratic: [
        [1, 0],
        [0, 1],
      ],
      rows: [[1, 1]],
      rowLower: [2],
      rowUpper: [2],
      lower: [-9, -9],
    });
    expect(objectiveAt(model, f64(1, 1))).toBe(2);
    expect(measureDual(model, f64(1, 1), f64(2), f64(0, 0))).toMatchObject({ objective: 2, gap: 0, l2Residual: 0 });
    expect(reducedCosts(model, f64(1, 1), f64(1))).toEqual(f64(1, 1));
  });
});

describe("small rules", () => {
  it("crossed bounds are named, rows first", () => {
    expect(crossedBounds(small)).toBeUndefined();
    expect(crossedBounds(problem({ objective: [1], lower: [2], upper: [1] }))).toMatch(/^variable 0: lower bound 2/);
    expect(crossedBounds(problem({ objective: [1], rows: [[1]], rowUpper: [-Infinity] }))).toMatch(/^row 0/);
  });

  it("the relative gap is zero when nothing is left, and infinite when nothing can be said", () => {
    expect(relativeMipGap(0, 0)).toBe(0);
    expect(relativeMipGap(10, 9)).toBeCloseTo(0.1, 12);
    expect(relativeMipGap(0, 1)).toBe(Infinity);
    expect(relativeMipGap(5, -Infinity)).toBe(Infinity);
    expect(relativeMipGap(Infinity, -Infinity)).toBe(Infinity);
  });
});
