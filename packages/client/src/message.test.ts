// Rules of a problem on its way to the wire.
import { ArrayFieldId, decodeSubmitJobRequest, type NumberArray } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { arraysOf, estimatedBytes, headerOf, type ProblemMessage, submissionOf } from "./message.ts";

const everyArray = new Map<ArrayFieldId, NumberArray | Uint8Array>([
  [ArrayFieldId.FIELD_Q_OFFSETS, Int32Array.of(0, 1, 1)],
  [ArrayFieldId.FIELD_Q_INDICES, Int32Array.of(0)],
  [ArrayFieldId.FIELD_Q_VALUES, Float64Array.of(2)],
  [ArrayFieldId.FIELD_VARIABLE_TYPES, Int32Array.of(0, 1)],
  [ArrayFieldId.FIELD_ROW_TYPES, Uint8Array.of(76)],
  [ArrayFieldId.FIELD_B, Float64Array.of(4)],
  [ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS, Float64Array.of(4)],
  [ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS, Float64Array.of(Number.NEGATIVE_INFINITY)],
  [ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS, Float64Array.of(1, 1)],
  [ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS, Float64Array.of(0, 0)],
  [ArrayFieldId.FIELD_C, Float64Array.of(1, 2)],
  [ArrayFieldId.FIELD_A_OFFSETS, Int32Array.of(0, 2)],
  [ArrayFieldId.FIELD_A_INDICES, Int32Array.of(0, 1)],
  [ArrayFieldId.FIELD_A_VALUES, Float64Array.of(1, 1)],
]);
const problem: ProblemMessage = { kind: "mip", arrays: everyArray, variableNames: ["x", "é"], rowNames: ["𝛼"] };

describe("a problem on its way", () => {
  it("has its arrays in the order of cuOpt's client, names last, empty ones left out", () => {
    const arrays = new Map(everyArray).set(ArrayFieldId.FIELD_INITIAL_PRIMAL_SOLUTION, new Float64Array(0));
    expect(arraysOf({ ...problem, arrays }).map(({ name }) => name)).toEqual([
      "A_values",
      "A_indices",
      "A_offsets",
      "c",
      "variable_lower_bounds",
      "variable_upper_bounds",
      "constraint_lower_bounds",
      "constraint_upper_bounds",
      "b",
      "row_types",
      "variable_types",
      "Q_values",
      "Q_indices",
      "Q_offsets",
      "variable_names",
      "row_names",
    ]);
  });

  it("lends its arrays' own memory", () => {
    const c = everyArray.get(ArrayFieldId.FIELD_C);
    expect(arraysOf(problem).find(({ name }) => name === "c")?.bytes.buffer).toBe(c?.buffer);
  });

  it("is estimated by 8 bytes a double, 5 an index, 1 a type, length + 2 a name in UTF-8, and 512", () => {
    const doubles = 2 + 2 + 2 + 2 + 1 + 1 + 1 + 1;
    const indices = 2 + 2 + 1 + 3;
    const types = 1 + 2;
    const names = 1 + 2 + (2 + 2) + (4 + 2);
    expect(estimatedBytes(problem)).toBe(8 * doubles + 5 * indices + types + names + 512);
    expect(estimatedBytes({ kind: "lp", arrays: new Map() })).toBe(512);
    expect(estimatedBytes(problem)).toBeGreaterThanOrEqual(submissionOf(problem).byteLength);
  });

  it("tells the same in one message as in chunks", () => {
    const { problem: sent, enableIncumbents, arm } = decodeSubmitJobRequest(submissionOf(problem));
    expect(arm).toBe("mip");
    expect(enableIncumbents).toBe(true);
    expect(headerOf(problem).enableIncumbents).toBe(true);
    expect(new Map(sent?.arrays)).toEqual(new Map([...everyArray].sort(([a], [b]) => a - b)));
    expect(sent?.objectiveScalingFactor).toBe(1);
  });

  it("cannot have quadratic constraints, whichever way it goes", () => {
    const quadratic = { ...problem, quadraticConstraints: 1 };
    expect(() => headerOf(quadratic)).toThrow("quadratic constraints cannot be sent");
    expect(() => submissionOf(quadratic)).toThrow("quadratic constraints cannot be sent");
  });
});
