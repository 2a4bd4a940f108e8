// Rules of the way from a client's arrays to a problem, and every structural fault that is refused on it.
import { describe, expect, it } from "vitest";
import { type ProblemKind, ValidationError } from "../problem.ts";
import { arrayOfWireName, type RawArrays } from "./arrays.ts";
import { modelStats, problemFromArrays, type RawModel } from "./from-arrays.ts";
import { modelSizes, validateModel } from "./validate.ts";

const inf = Number.POSITIVE_INFINITY;
const f64 = (...values: number[]) => Float64Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);
const letters = (text: string) => new TextEncoder().encode(text);

/** Two rows, three variables: x0 + 2 x2 ≤ 4, 3 x1 ≥ 1. */
const sound: RawArrays = {
  aValues: f64(1, 2, 3),
  aIndices: i32(0, 2, 1),
  aOffsets: i32(0, 2, 3),
  c: f64(1, -1, 0.5),
  rowLower: f64(-inf, 1),
  rowUpper: f64(4, inf),
};
const withoutRowBounds: RawArrays = { ...sound, rowLower: undefined, rowUpper: undefined };

const raw = (arrays: RawArrays, more: Partial<RawModel> = {}): RawModel => ({
  kind: "lp",
  maximize: false,
  name: "",
  objectiveName: "",
  objectiveOffset: 0,
  arrays,
  ...more,
});

const faultsOf = (arrays: RawArrays, kind: ProblemKind = "mip", scalars = {}) =>
  validateModel(kind, { objectiveOffset: 0, ...scalars }, modelStats(arrays));

describe("problemFromArrays", () => {
  it("takes arrays over without copying them", () => {
    const problem = problemFromArrays(raw(sound));
    expect(problem.matrix.values).toBe(sound.aValues);
    expect(problem.objective).toBe(sound.c);
    expect(problem.rowLower).toBe(sound.rowLower);
    expect(problem).toMatchObject({ rows: 2, columns: 3, objectiveScaling: 1 });
  });

  it("reads the right-hand side with the row types where there are no row bounds", () => {
    const arrays = { ...withoutRowBounds, aOffsets: i32(0, 2, 3, 3), b: f64(4, 1, 7), rowTypes: letters("LGE") };
    const problem = problemFromArrays(raw(arrays));
    expect(problem.rowLower).toEqual(f64(-inf, 1, 7));
    expect(problem.rowUpper).toEqual(f64(4, inf, 7));
  });

  it("prefers row bounds to the right-hand side when both are sent", () => {
    const problem = problemFromArrays(raw({ ...sound, b: f64(inf, 9), rowTypes: letters("EE") }));
    expect(problem.rowUpper).toEqual(f64(4, inf));
  });

  it("fills absent variable bounds with 0 and +Infinity", () => {
    const problem = problemFromArrays(raw({ ...sound, variableUpper: new Float64Array(0) }));
    expect(problem.variableLower).toEqual(f64(0, 0, 0));
    expect(problem.variableUpper).toEqual(f64(inf, inf, inf));
  });

  it("takes a model without rows, said by a single offset or by nothing at all", () => {
    for (const arrays of [{ c: f64(1, 2) }, { c: f64(1, 2), aOffsets: i32(0) }]) {
      const problem = problemFromArrays(raw(arrays));
      expect(problem).toMatchObject({ rows: 0, columns: 2 });
      expect(problem.matrix.offsets).toEqual(i32(0));
    }
  });

  it("takes rows without non-zeros, with offsets or with row bounds alone", () => {
    const rows = { c: f64(1), rowLower: f64(-1, -1), rowUpper: f64(1, 1) };
    for (const arrays of [rows, { ...rows, aOffsets: i32(0, 0, 0) }]) {
      const problem = problemFromArrays(raw(arrays));
      expect(problem.rows).toBe(2);
      expect(problem.matrix.offsets).toEqual(i32(0, 0, 0));
    }
  });

  it("relaxes integers in an LP and keeps them in a MIP", () => {
    const arrays = { ...sound, variableTypes: i32(1, 0, 1) };
    expect(problemFromArrays(raw(arrays)).variableTypes).toBeUndefined();
    expect(problemFromArrays(raw(arrays, { kind: "mip" })).variableTypes).toEqual(i32(1, 0, 1));
  });

  it("keeps a quadratic objective and leaves out one without entries", () => {
    const q = { qValues: f64(1), qIndices: i32(2), qOffsets: i32(0, 0, 1, 1) };
    expect(problemFromArrays(raw({ ...sound, ...q })).quadratic?.indices).toBe(q.qIndices);
    expect(problemFromArrays(raw({ ...sound, qOffsets: i32(0, 0, 0, 0) })).quadratic).toBeUndefined();
  });

  it("leaves out names that are not one for each variable or row", () => {
    const problem = problemFromArrays(raw(sound, { variableNames: ["x", "y", "z"], rowNames: ["r"] }));
    expect(problem.variableNames).toEqual(["x", "y", "z"]);
    expect(problem.rowNames).toBeUndefined();
  });

  it("lets crossed bounds pass: that model is infeasible, not malformed", () => {
    const arrays = { ...sound, variableLower: f64(3, 0, 0), variableUpper: f64(2, 1, 1), rowLower: f64(9, 9) };
    expect(problemFromArrays(raw(arrays)).variableLower[0]).toBe(3);
  });

  it("refuses a column that appears twice in a row of A or Q, naming row and column", () => {
    const twice = { ...sound, aIndices: i32(2, 2, 1) };
    expect(() => problemFromArrays(raw(twice))).toThrow(/A_indices\[1\] names column 2 a second time in row 0 of A/);
    const q = { qValues: f64(1, 1), qIndices: i32(1, 1), qOffsets: i32(0, 0, 2, 2) };
    expect(() => problemFromArrays(raw({ ...sound, ...q }))).toThrow(/Q_indices\[1\] names column 1 .* row 1 of Q/);
  });

  it("accepts the same column in different rows", () => {
    expect(problemFromArrays(raw({ ...sound, aIndices: i32(0, 2, 2) })).rows).toBe(2);
  });

  it("reports all faults in one ValidationError", () => {
    const broken = raw({ ...sound, c: f64(1, Number.NaN, 1), aIndices: i32(0, 3, 1) });
    expect(() => problemFromArrays(broken)).toThrow(ValidationError);
    expect(() => problemFromArrays(broken)).toThrow(/A_indices\[1\].*c\[1\] is NaN/);
  });
});

describe("validateModel", () => {
  const nan = Number.NaN;
  const q: RawArrays = { qValues: f64(1), qIndices: i32(0), qOffsets: i32(0, 1, 1, 1) };
  const b = (values: Float64Array, types = "LG"): RawArrays => ({
    ...withoutRowBounds,
    b: values,
    rowTypes: letters(types),
  });

  it.each<[string, RawArrays, string]>([
    ["no objective", { ...sound, c: undefined }, "c is missing or empty"],
    ["nothing at all", {}, "c is missing or empty"],
    ["offsets that do not begin at 0", { ...sound, aOffsets: i32(1, 2, 3) }, "A_offsets[0] is 1; 0 is needed"],
    ["descending offsets", { ...sound, aOffsets: i32(0, 4, 3) }, "A_offsets[2] is less than A_offsets[1]"],
    ["offsets that end early", { ...sound, aOffsets: i32(0, 2, 2) }, "A_offsets[2] is 2; 3 is needed"],
    [
      "values without offsets",
      { ...sound, aOffsets: undefined },
      "A_offsets is missing or empty although A_values has 3",
    ],
    ["fewer indices than values", { ...sound, aIndices: i32(0, 1) }, "A_values has 3 elements and A_indices has 2"],
    ["a column index too large", { ...sound, aIndices: i32(0, 3, 1) }, "A_indices[1] is 3; 0 to 2 is allowed"],
    ["a negative column index", { ...sound, aIndices: i32(0, -1, 1) }, "A_indices[1] is -1; 0 to 2 is allowed"],
    ["NaN in A", { ...sound, aValues: f64(1, nan, nan) }, "A_values[1] is NaN (and 1 more)"],
    ["infinity in A", { ...sound, aValues: f64(1, 2, -inf) }, "A_values[2] is -Infinity"],
    ["infinity in c", { ...sound, c: f64(1, inf, 0) }, "c[1] is Infinity"],
    ["NaN in a bound", { ...sound, variableLower: f64(0, 0, nan) }, "variable_lower_bounds[2] is NaN"],
    [
      "a lower bound of +infinity",
      { ...sound, variableLower: f64(0, inf, 0) },
      "variable_lower_bounds[1] is Infinity; a lower",
    ],
    [
      "an upper bound of -infinity",
      { ...sound, variableUpper: f64(-inf, 1, 1) },
      "variable_upper_bounds[0] is -Infinity; an upper",
    ],
    ["a row's lower bound of +infinity", { ...sound, rowLower: f64(0, inf) }, "constraint_lower_bounds[1] is Infinity"],
    [
      "too few variable bounds",
      { ...sound, variableUpper: f64(1, 1) },
      "variable_upper_bounds has 2 elements; 3 are needed",
    ],
    [
      "too many row bounds",
      { ...sound, rowUpper: f64(1, 1, 1) },
      "constraint_upper_bounds has 3 elements; 2 are needed",
    ],
    [
      "one half of the row bounds",
      { ...sound, rowUpper: undefined },
      "constraint_upper_bounds is missing or empty while",
    ],
    ["rows without any bounds", withoutRowBounds, "constraint_lower_bounds, constraint_upper_bounds and b are missing"],
    ["a right-hand side without row types", { ...withoutRowBounds, b: f64(1, 1) }, "row_types is missing or empty"],
    ["row types without a right-hand side", { ...withoutRowBounds, rowTypes: letters("LL") }, "b is missing or empty"],
    ["NaN in b", b(f64(nan, 1)), "b[0] is NaN"],
    ["infinity in b", b(f64(1, inf)), "b[1] is Infinity"],
    ["another row type", b(f64(1, 1), "LN"), 'row_types[1] is byte 78 ("N"); the ASCII letters E, L and G are allowed'],
    ["a row type that is no letter", b(f64(1, 1), "L\u0000"), "row_types[1] is byte 0;"],
    ["an unknown variable type", { ...sound, variableTypes: i32(0, 7, 0) }, "variable_types[1] is 7"],
    ["a negative variable type", { ...sound, variableTypes: i32(0, 0, -1) }, "variable_types[2] is -1"],
    ["too few variable types", { ...sound, variableTypes: i32(0, 1) }, "variable_types has 2 elements; 3 are needed"],
    [
      "a start of the wrong length",
      { ...sound, initialPrimal: f64(1) },
      "initial_primal_solution has 1 element; 3 are needed",
    ],
    [
      "a dual start of the wrong length",
      { ...sound, initialDual: f64(1) },
      "initial_dual_solution has 1 element; 2 are needed",
    ],
    ["NaN in a start", { ...sound, initialPrimal: f64(1, 1, nan) }, "initial_primal_solution[2] is NaN"],
    ["too few offsets of Q", { ...sound, ...q, qOffsets: i32(0, 1) }, "Q_offsets has 2 elements; 4 are needed"],
    [
      "fewer indices than values of Q",
      { ...sound, ...q, qIndices: undefined },
      "Q_values has 1 element and Q_indices has 0",
    ],
    ["a column of Q too large", { ...sound, ...q, qIndices: i32(3) }, "Q_indices[0] is 3; 0 to 2 is allowed"],
    ["infinity in Q", { ...sound, ...q, qValues: f64(inf) }, "Q_values[0] is Infinity"],
    ["Q with integers", { ...sound, ...q, variableTypes: i32(0, 1, 0) }, "not supported: mixed-integer quadratic"],
  ])("refuses %s", (_, arrays, text) => {
    const faults = faultsOf(arrays);
    expect(faults.join("\n")).toContain(text);
    expect(faults).toHaveLength(1);
  });

  it("refuses semi-continuous variables in an LP request and takes them in a MIP", () => {
    const arrays = { ...sound, variableTypes: i32(0, 2, 0) };
    expect(faultsOf(arrays, "lp")[0]).toContain("variable_types[1] is 2 (semi-continuous) in an LP request");
    expect(faultsOf(arrays, "mip")).toEqual([]);
  });

  it("takes Q beside integers in an LP request, where the integers are relaxed", () => {
    expect(faultsOf({ ...sound, ...q, variableTypes: i32(0, 1, 0) }, "lp")).toEqual([]);
  });

  it("takes ±Infinity on the side where it means no bound", () => {
    const free = { variableLower: f64(-inf, -inf, 0), variableUpper: f64(inf, 1, inf) };
    expect(faultsOf({ ...sound, ...free })).toEqual([]);
  });

  it.each([Number.NaN, inf, 0])("refuses an objective scaling of %s", (objectiveScaling) => {
    expect(faultsOf(sound, "lp", { objectiveScaling })[0]).toContain(`objective_scaling_factor is ${objectiveScaling}`);
  });

  it("refuses an objective offset that is no finite number", () => {
    expect(faultsOf(sound, "lp", { objectiveOffset: Number.NaN })[0]).toContain("objective_offset is NaN");
  });

  it("tells the sizes of a sound model", () => {
    expect(modelSizes(modelStats(sound))).toEqual({ rows: 2, columns: 3, nonzeros: 3, quadraticNonzeros: 0 });
  });
});

describe("arrayOfWireName", () => {
  it("finds an array by the field of the wire", () => {
    expect(arrayOfWireName("constraint_lower_bounds")).toBe("rowLower");
    expect(arrayOfWireName("variable_names")).toBeUndefined();
  });
});
