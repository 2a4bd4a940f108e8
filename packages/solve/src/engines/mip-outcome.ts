// Outcomes of a MIP: objective, gap and violations computed from the solution's values.
import { directionOf, measurePrimal, relativeMipGap } from "../check.ts";
import type { MipSolution, MipTermination } from "../engine.ts";
import type { SolveContext } from "./highs-run.ts";

/** What the solver tells besides the solution; the bound in the user's sense. */
export interface MipEffort {
  readonly bound?: number | undefined;
  readonly nodes?: number | undefined;
  readonly simplexIterations?: number | undefined;
  readonly presolveSeconds?: number | undefined;
  readonly message?: string | undefined;
}

export function mipAnswer(
  context: Pick<SolveContext, "problem" | "seconds">,
  termination: MipTermination,
  solution: Float64Array,
  effort: MipEffort,
): MipSolution {
  const { problem } = context;
  const direction = directionOf(problem);
  const measures = measurePrimal(problem, solution, true);
  // A bound beyond the objective is rounding: no bound is better than what has been reached.
  const said = effort.bound ?? -Infinity * direction;
  const bound = (measures.objective - said) * direction < 0 ? measures.objective : said;
  return {
    kind: "mip",
    termination,
    message: effort.message ?? "",
    solution,
    objective: measures.objective,
    bound,
    gap: relativeMipGap(measures.objective, bound),
    solveSeconds: context.seconds(),
    presolveSeconds: effort.presolveSeconds ?? 0,
    maxConstraintViolation: measures.maxRowViolation,
    maxIntegralityViolation: measures.maxIntegralityViolation,
    maxVariableBoundViolation: measures.maxBoundViolation,
    nodes: effort.nodes ?? 0,
    simplexIterations: effort.simplexIterations ?? 0,
  };
}

/** An outcome without a solution. The optimum of an infeasible minimum is +Infinity, of an unbounded one −Infinity. */
export function mipWithout(
  context: Pick<SolveContext, "problem" | "seconds">,
  termination: "infeasible" | "unbounded" | "time-limit" | "work-limit" | "none",
  message: string,
  effort: MipEffort = {},
): MipSolution {
  const worst = directionOf(context.problem) * Infinity;
  return {
    kind: "mip",
    termination,
    message: message === "" ? (effort.message ?? "") : message,
    solution: new Float64Array(0),
    objective: termination === "unbounded" ? -worst : worst,
    bound: termination === "infeasible" ? worst : (effort.bound ?? -worst),
    gap: termination === "infeasible" ? 0 : Infinity,
    solveSeconds: context.seconds(),
    presolveSeconds: effort.presolveSeconds ?? 0,
    maxConstraintViolation: 0,
    maxIntegralityViolation: 0,
    maxVariableBoundViolation: 0,
    nodes: effort.nodes ?? 0,
    simplexIterations: effort.simplexIterations ?? 0,
  };
}
