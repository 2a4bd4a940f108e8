// Outcomes of an LP or QP, computed from the arrays: what the solver calls optimal is optimal only if it holds.
import { acceptedViolation, directionOf, measureDual, measurePrimal } from "../check.ts";
import type { LpSolution, LpTermination } from "../engine.ts";
import type { Method } from "./highs-options.ts";
import type { SolveContext } from "./highs-run.ts";

/** Each n, m and n values, or empty; duals belong to the objective as users read it. */
export interface LpAnswer {
  readonly primal: Float64Array;
  readonly dual: Float64Array;
  readonly reducedCost: Float64Array;
}

export interface LpEffort {
  readonly method: Method | "quadratic";
  readonly iterations: number;
}

const solvedBy: Readonly<Record<LpEffort["method"], LpSolution["solvedBy"]>> = {
  // HiGHS chooses the dual simplex method unless it has threads.
  choose: "dual-simplex",
  simplex: "dual-simplex",
  ipm: "barrier",
  pdlp: "pdlp",
  quadratic: "unset",
};

/** What a first-order method may leave: the tolerance that cuOpt itself starts from. */
const firstOrderViolation = 1e-4;

/** The outcome for what arrays there are. Optimal becomes numerical error, with a message, when the arrays deny it. */
export function lpAnswer(
  context: Pick<SolveContext, "problem" | "seconds">,
  termination: LpTermination,
  answer: LpAnswer,
  effort: LpEffort,
): LpSolution {
  const { problem } = context;
  const hasPrimal = answer.primal.length === problem.columns;
  const hasDual = hasPrimal && answer.reducedCost.length === problem.columns && answer.dual.length === problem.rows;
  const primal = hasPrimal ? measurePrimal(problem, answer.primal, false) : undefined;
  const dual = hasDual ? measureDual(problem, answer.primal, answer.dual, answer.reducedCost) : undefined;
  const doubts: string[] = [];
  const accepted = effort.method === "pdlp" ? firstOrderViolation : acceptedViolation;
  if (termination === "optimal" || termination === "primal-feasible") {
    doubt("largest scaled violation", primal?.scaledViolation);
  }
  if (termination === "optimal") {
    doubt("relative gap", dual?.relativeGap);
    doubt("largest scaled dual violation", dual?.scaledViolation);
  }
  return {
    kind: "lp",
    termination: doubts.length > 0 ? "numerical-error" : termination,
    message: doubts.length > 0 ? `HiGHS's answer does not hold: ${doubts.join(", ")}.` : "",
    ...answer,
    primalObjective: primal?.objective ?? Number.NaN,
    dualObjective: dual?.objective ?? Number.NaN,
    gap: dual?.gap ?? Number.NaN,
    l2PrimalResidual: primal?.l2Residual ?? Number.NaN,
    l2DualResidual: dual?.l2Residual ?? Number.NaN,
    iterations: effort.iterations,
    solveSeconds: context.seconds(),
    solvedBy: solvedBy[effort.method],
  };

  function doubt(what: string, value = Infinity): void {
    if (!(value <= accepted)) doubts.push(`${what} ${value}`);
  }
}

/** An outcome without arrays. The optimum of an infeasible minimum is +Infinity, of an unbounded one −Infinity. */
export function lpWithout(
  context: Pick<SolveContext, "problem" | "seconds">,
  outcome: "infeasible" | "unbounded" | "time-limit" | "numerical-error" | "none",
  message: string,
  effort?: LpEffort,
): LpSolution {
  const none = new Float64Array(0);
  const worst = directionOf(context.problem) * Infinity;
  const termination: LpTermination =
    outcome === "infeasible" ? "primal-infeasible" : outcome === "unbounded" ? "dual-infeasible" : outcome;
  return {
    kind: "lp",
    termination,
    message,
    primal: none,
    dual: none,
    reducedCost: none,
    primalObjective: outcome === "infeasible" ? worst : outcome === "unbounded" ? -worst : Number.NaN,
    dualObjective: Number.NaN,
    gap: Number.NaN,
    l2PrimalResidual: Number.NaN,
    l2DualResidual: Number.NaN,
    iterations: effort?.iterations ?? 0,
    solveSeconds: context.seconds(),
    solvedBy: effort === undefined ? "unset" : solvedBy[effort.method],
  };
}
