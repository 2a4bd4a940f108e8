// From a `Problem` back to the arrays that a client sends.
import type { Problem, ProblemKind } from "../problem.ts";
import type { RawArrays } from "./arrays.ts";

/** The arrays of a problem: the problem's own, not copies. An LP has no variable types (integers are relaxed). */
export function problemArrays(problem: Problem, kind: ProblemKind): RawArrays {
  return {
    aValues: problem.matrix.values,
    aIndices: problem.matrix.indices,
    aOffsets: problem.matrix.offsets,
    c: problem.objective,
    variableLower: problem.variableLower,
    variableUpper: problem.variableUpper,
    rowLower: problem.rowLower,
    rowUpper: problem.rowUpper,
    variableTypes: kind === "mip" ? problem.variableTypes : undefined,
    initialPrimal: problem.initialPrimal,
    initialDual: problem.initialDual,
    qValues: problem.quadratic?.values,
    qIndices: problem.quadratic?.indices,
    qOffsets: problem.quadratic?.offsets,
  };
}
