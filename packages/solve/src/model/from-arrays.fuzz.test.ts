// Fuzz rules of the way from arrays to a problem: any arrays give a consistent problem or a ValidationError.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Problem, type SparseMatrix, ValidationError } from "../problem.ts";
import type { RawArrays } from "./arrays.ts";
import { problemFromArrays } from "./from-arrays.ts";

const inf = Number.POSITIVE_INFINITY;

const sound = {
  aValues: Float64Array.of(1, 2, 3),
  aIndices: Int32Array.of(0, 2, 1),
  aOffsets: Int32Array.of(0, 2, 3),
  c: Float64Array.of(1, -1, 0.5),
  b: Float64Array.of(1, 2),
  variableLower: Float64Array.of(0, -inf, 1),
  variableUpper: Float64Array.of(inf, 1, 1),
  rowLower: Float64Array.of(-inf, 1),
  rowUpper: Float64Array.of(4, inf),
  rowTypes: Uint8Array.of(0x45, 0x4c),
  variableTypes: Int32Array.of(0, 0, 0),
  initialPrimal: Float64Array.of(1, 1, 1),
  initialDual: Float64Array.of(1, 1),
  qValues: Float64Array.of(1),
  qIndices: Int32Array.of(2),
  qOffsets: Int32Array.of(0, 0, 0, 1),
} satisfies RawArrays;

const double = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Number.NaN, inf, -inf, -0));

/** The same array with an element changed, cut shorter, or made longer; or none at all. */
function damaged<T extends Float64Array | Int32Array | Uint8Array>(array: T): fc.Arbitrary<T | undefined> {
  const make = array.constructor as unknown as { from(values: Iterable<number>): T };
  const element = array instanceof Float64Array ? double : fc.integer({ min: -1, max: 4 });
  return fc.oneof(
    fc.constant(undefined),
    fc.nat(array.length).map((length) => make.from(array.subarray(0, length))),
    element.map((value) => make.from([...array, value])),
    fc.tuple(fc.nat(array.length - 1), element).map(([at, value]) => make.from(array.with(at, value))),
  );
}

/** A sound model in which some arrays are damaged. */
const arrays: fc.Arbitrary<RawArrays> = fc
  .subarray(Object.keys(sound) as (keyof typeof sound)[], { maxLength: 4 })
  .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, damaged(sound[name])]))))
  .map((changes) => ({ ...sound, ...changes }));

describe("problemFromArrays", () => {
  it("gives a consistent problem or a ValidationError", () => {
    let accepted = 0;
    fc.assert(
      fc.property(arrays, fc.constantFrom("lp" as const, "mip" as const), (raw, kind) => {
        let problem: Problem;
        try {
          problem = problemFromArrays({
            kind,
            maximize: false,
            name: "",
            objectiveName: "",
            objectiveOffset: 0,
            arrays: raw,
          });
        } catch (error) {
          expect(error).toBeInstanceOf(ValidationError);
          return;
        }
        accepted++;
        const { rows, columns } = problem;
        expectMatrix(problem.matrix, rows, columns);
        if (problem.quadratic !== undefined) expectMatrix(problem.quadratic, columns, columns);
        expect([problem.rowLower.length, problem.rowUpper.length]).toEqual([rows, rows]);
        expect([problem.variableLower.length, problem.variableUpper.length]).toEqual([columns, columns]);
        expect(problem.objective.every(Number.isFinite)).toBe(true);
        expect(problem.variableTypes?.length ?? columns).toBe(columns);
      }),
      { interruptAfterTimeLimit: 5000, numRuns: 10_000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });
});

function expectMatrix({ offsets, indices, values }: SparseMatrix, major: number, minor: number): void {
  expect(offsets.length).toBe(major + 1);
  expect(offsets[0]).toBe(0);
  expect(offsets[major]).toBe(values.length);
  expect(indices.length).toBe(values.length);
  for (let row = 0; row < major; row++) {
    const inRow = indices.subarray(offsets[row], offsets[row + 1]);
    expect(new Set(inRow).size).toBe((offsets[row + 1] as number) - (offsets[row] as number));
  }
  expect(indices.every((column) => column >= 0 && column < minor)).toBe(true);
  expect(values.every(Number.isFinite)).toBe(true);
}
