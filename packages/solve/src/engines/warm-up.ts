// A model of a few rows that makes HiGHS run through its main parts once.
import type { Problem, ProblemKind } from "../problem.ts";

/** A small knapsack-like model that presolve alone does not solve. */
export function warmUpProblem(kind: ProblemKind): Problem {
  const columns = 8;
  const rows = 5;
  const offsets = Int32Array.from({ length: rows + 1 }, (_, i) => i * columns);
  const indices = Int32Array.from({ length: rows * columns }, (_, k) => k % columns);
  const values = Float64Array.from({ length: rows * columns }, (_, k) => 1 + ((k * 7919) % 31));
  return {
    name: "",
    objectiveName: "",
    maximize: true,
    objectiveScaling: 1,
    objectiveOffset: 0,
    rows,
    columns,
    matrix: { offsets, indices, values },
    objective: Float64Array.from({ length: columns }, (_, j) => 3 + ((j * 5) % 7)),
    rowLower: new Float64Array(rows).fill(-Infinity),
    rowUpper: Float64Array.from({ length: rows }, (_, i) => 40 + i),
    variableLower: new Float64Array(columns),
    variableUpper: new Float64Array(columns).fill(3),
    ...(kind === "mip" ? { variableTypes: new Int32Array(columns).fill(1) } : {}),
  };
}
