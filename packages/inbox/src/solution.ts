// A result from the wire as the solution that formats and reports speak of.
import type { LpSolution, Solution } from "@sortie/solve";
import { type DecodedSolution, LP_STATUS_WORDS, MIP_STATUS_WORDS, ResultFieldId } from "@sortie/wire";

/** By their numbers on the wire. */
const SOLVED_BY: readonly LpSolution["solvedBy"][] = ["concurrent", "pdlp", "dual-simplex", "barrier", "unset"];

const NO_VALUES = new Float64Array();

export function solutionFromWire(result: DecodedSolution): Solution {
  const array = (id: ResultFieldId) => result.arrays.get(id) ?? NO_VALUES;
  if (result.kind === "lp") {
    const { scalars } = result;
    return {
      kind: "lp",
      termination: LP_STATUS_WORDS[scalars.lpTerminationStatus] ?? "none",
      message: scalars.errorMessage,
      primal: array(ResultFieldId.RESULT_PRIMAL_SOLUTION),
      dual: array(ResultFieldId.RESULT_DUAL_SOLUTION),
      reducedCost: array(ResultFieldId.RESULT_REDUCED_COST),
      primalObjective: scalars.primalObjective,
      dualObjective: scalars.dualObjective,
      gap: scalars.gap,
      l2PrimalResidual: scalars.l2PrimalResidual,
      l2DualResidual: scalars.l2DualResidual,
      iterations: scalars.nbIterations,
      solveSeconds: scalars.solveTime,
      solvedBy: SOLVED_BY[scalars.solvedBy] ?? "unset",
    };
  }
  const { scalars } = result;
  return {
    kind: "mip",
    termination: MIP_STATUS_WORDS[scalars.mipTerminationStatus] ?? "none",
    message: scalars.mipErrorMessage,
    solution: array(ResultFieldId.RESULT_MIP_SOLUTION),
    objective: scalars.mipObjective,
    bound: scalars.solutionBound,
    gap: scalars.mipGap,
    solveSeconds: scalars.totalSolveTime,
    presolveSeconds: scalars.presolveTime,
    maxConstraintViolation: scalars.maxConstraintViolation,
    maxIntegralityViolation: scalars.maxIntViolation,
    maxVariableBoundViolation: scalars.maxVariableBoundViolation,
    nodes: scalars.nodes,
    simplexIterations: scalars.simplexIterations,
  };
}
