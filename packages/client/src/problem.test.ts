// Rules of problems as arrays: what goes onto the wire as it is, and which faults are told before.
import { ArrayFieldId } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { InvalidModelError } from "./input-errors.ts";
import { kindOf, type LinearProblem, problemMessage } from "./problem.ts";

/** min x + 2y, x + y ≥ 3, y ≤ 2, 0 ≤ x, 0 ≤ y ≤ 10 */
const small: LinearProblem = {
  objective: [1, 2],
  matrix: { offsets: [0, 2, 3], indices: [0, 1, 1], values: [1, 1, 1] },
  rowLower: [3, -Infinity],
  rowUpper: [Infinity, 2],
  variableUpper: [Infinity, 10],
};
const square = { offsets: [0, 1, 1], indices: [0], values: [2] };

const faultOf = (problem: Partial<LinearProblem>, kind: "lp" | "mip" = "lp"): string => {
  try {
    problemMessage({ ...small, ...problem }, { kind });
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidModelError);
    return (error as Error).message;
  }
  throw new Error("no fault was found");
};

describe("a problem as arrays", () => {
  it("keeps the memory of typed arrays", () => {
    const problem = {
      objective: Float64Array.of(1, 2),
      matrix: { offsets: Int32Array.of(0, 2), indices: Int32Array.of(0, 1), values: Float64Array.of(1, 1) },
      rowLower: Float64Array.of(0),
      rowUpper: Float64Array.of(3),
      variableLower: Float64Array.of(0, 0),
      variableUpper: Float64Array.of(1, 1),
      variableTypes: Int32Array.of(1, 0),
      initialPrimal: Float64Array.of(0, 1),
    };
    const { arrays } = problemMessage(problem, { kind: "mip" });
    expect(arrays.get(ArrayFieldId.FIELD_C)).toBe(problem.objective);
    expect(arrays.get(ArrayFieldId.FIELD_A_VALUES)).toBe(problem.matrix.values);
    expect(arrays.get(ArrayFieldId.FIELD_A_INDICES)).toBe(problem.matrix.indices);
    expect(arrays.get(ArrayFieldId.FIELD_A_OFFSETS)).toBe(problem.matrix.offsets);
    expect(arrays.get(ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS)).toBe(problem.rowLower);
    expect(arrays.get(ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS)).toBe(problem.variableUpper);
    expect(arrays.get(ArrayFieldId.FIELD_VARIABLE_TYPES)).toBe(problem.variableTypes);
    expect(arrays.get(ArrayFieldId.FIELD_INITIAL_PRIMAL_SOLUTION)).toBe(problem.initialPrimal);
  });

  it("may be plain arrays and words", () => {
    const { arrays, settings } = problemMessage(
      { ...small, variableTypes: ["integer", "semi-continuous"] },
      { kind: "mip", settings: { timeLimit: 3 }, enableIncumbents: false },
    );
    expect(arrays.get(ArrayFieldId.FIELD_A_OFFSETS)).toEqual(Int32Array.of(0, 2, 3));
    expect(arrays.get(ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS)).toEqual(Float64Array.of(3, -Infinity));
    expect(arrays.get(ArrayFieldId.FIELD_VARIABLE_TYPES)).toEqual(Int32Array.of(1, 2));
    expect(arrays.has(ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS)).toBe(false);
    expect(settings).toEqual({ time_limit: 3 });
  });

  it("without rows still has the one offset that servers need", () => {
    const { arrays } = problemMessage({ objective: [1] }, { kind: "lp" });
    expect(arrays.get(ArrayFieldId.FIELD_A_OFFSETS)).toEqual(Int32Array.of(0));
    expect([...arrays.keys()]).toEqual([ArrayFieldId.FIELD_A_OFFSETS, ArrayFieldId.FIELD_C]);
  });

  it("is scaled by one unless it says otherwise, and minimised", () => {
    expect(problemMessage(small, { kind: "lp" })).toMatchObject({ objectiveScalingFactor: 1, maximize: false });
  });

  it("is a MIP as soon as a variable is not continuous", () => {
    expect(kindOf(small)).toBe("lp");
    expect(kindOf({ ...small, variableTypes: ["continuous", "continuous"] })).toBe("lp");
    expect(kindOf({ ...small, variableTypes: ["continuous", "integer"] })).toBe("mip");
    expect(kindOf({ ...small, variableTypes: Int32Array.of(0, 2) })).toBe("mip");
  });

  it("loses its integers as an LP", () => {
    const { arrays } = problemMessage({ ...small, variableTypes: [1, 0] }, { kind: "lp" });
    expect(arrays.has(ArrayFieldId.FIELD_VARIABLE_TYPES)).toBe(false);
  });

  it("is refused by name where lengths do not fit", () => {
    expect(faultOf({ objective: [] })).toBe("objective is empty; at least one variable is needed");
    expect(faultOf({ variableUpper: [1] })).toBe(
      "variableUpper has length 1; 2 is needed: one for each variable, as objective has 2",
    );
    expect(faultOf({ rowLower: [1] })).toBe(
      "rowLower has length 1; 2 is needed: one for each row, as matrix.offsets tells of 2",
    );
    expect(faultOf({ rowUpper: undefined })).toBe(
      "rowUpper is missing; 2 values are needed, ±Infinity where there is no bound",
    );
    expect(faultOf({ variableNames: ["x"] })).toMatch(/^variableNames has length 1; 2 is needed/);
    expect(faultOf({ rowNames: ["r"] })).toMatch(/^rowNames has length 1; 2 is needed/);
    expect(faultOf({ matrix: undefined })).toBe("rowLower has length 2; 0 is needed: there is no matrix");
    expect(faultOf({ quadratic: { offsets: [0, 1], indices: [0], values: [2] } })).toMatch(
      /^quadratic\.offsets has length 2; 3 is needed/,
    );
  });

  it("is refused where the sparse form is broken", () => {
    const matrix = small.matrix as NonNullable<LinearProblem["matrix"]>;
    expect(faultOf({ matrix: { ...matrix, offsets: [] } })).toBe("matrix.offsets[0] is missing; 0 is needed");
    expect(faultOf({ matrix: { ...matrix, offsets: [1, 2, 3] } })).toBe("matrix.offsets[0] is 1; 0 is needed");
    expect(faultOf({ matrix: { ...matrix, offsets: [0, 2, 2] } })).toBe(
      "matrix.offsets[2] is 2; 3 is needed, the length of matrix.values",
    );
    expect(faultOf({ matrix: { ...matrix, offsets: [0, 5, 3] } })).toMatch(/^matrix\.offsets\[2\] is 3, less than/);
    expect(faultOf({ matrix: { ...matrix, indices: [0, 1, 2] } })).toBe("matrix.indices[2] is 2; 0 to 1 is allowed");
    expect(faultOf({ matrix: { ...matrix, indices: [0, 1, 0.5] } })).toMatch(/^matrix\.indices\[2\] is 0\.5; a whole/);
    expect(faultOf({ matrix: { ...matrix, indices: [0, 1] } })).toMatch(/^matrix\.indices has length 2; 3 is needed/);
  });

  it("is refused where no server has an answer", () => {
    expect(faultOf({ variableTypes: [0, 2] })).toMatch(/^variableTypes\[1\] is semi-continuous, which an LP cannot/);
    expect(faultOf({ variableTypes: [0, 1], quadratic: square }, "mip")).toMatch(
      /^quadratic is given and variableTypes\[1\] is integer; /,
    );
    expect(faultOf({ variableTypes: [0, 3] }, "mip")).toBe("variableTypes[1] is 3; 0, 1 and 2 are allowed");
    expect(faultOf({ variableTypes: ["continuous", "whole" as "integer"] }, "mip")).toMatch(/"whole"; continuous, int/);
    expect(faultOf({ objectiveOffset: Number.NaN })).toMatch(/^objectiveOffset is NaN/);
    expect(faultOf({ objective: [1, undefined as unknown as number] })).toBe(
      "objective[1] is undefined; a number is needed",
    );
  });
});
