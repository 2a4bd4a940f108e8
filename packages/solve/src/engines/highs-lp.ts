// An LP on a loaded HiGHS: the method that was asked for, and the simplex method where it gives no clear answer.
import type { Model } from "highs";
import type { LpSolution } from "../engine.ts";
import { flagOf } from "../settings.ts";
import { effectiveHessian } from "./highs-model.ts";
import { type HighsOptions, lpOptions, type Method, methodOf } from "./highs-options.ts";
import { Stop } from "./highs-protocol.ts";
import { solveQp } from "./highs-qp.ts";
import {
  decide,
  discard,
  giveStart,
  load,
  lpArrays,
  run,
  type SolveContext,
  secondsBetweenProgress,
  statusName,
} from "./highs-run.ts";
import { type LpEffort, lpAnswer, lpWithout } from "./lp-outcome.ts";

export function solveLp(context: SolveContext): LpSolution {
  const { problem, settings, outlets } = context;
  const feasibilityOnly = flagOf(settings, "first_primal_feasible");
  const hessian = feasibilityOnly ? undefined : effectiveHessian(problem);
  if (hessian !== undefined) return solveQp(context, hessian);
  const model = load(context, undefined, { kind: "lp", feasibilityOnly });
  try {
    giveStart(context, model);
    const asked = methodOf(settings);
    const first = lpRun(context, model, asked, lpOptions(settings, asked), feasibilityOnly);
    if (first.termination !== "numerical-error") return first;
    outlets.log(`${first.message} Trying the simplex method without presolve.`);
    model.clearSolver();
    const options: HighsOptions = { ...lpOptions(settings, "simplex"), presolve: "off" };
    return lpRun(context, model, "simplex", options, feasibilityOnly);
  } finally {
    discard(model);
  }
}

/** The outcome of one run; a numerical error when it gave no answer that holds. */
function lpRun(
  context: SolveContext,
  model: Model,
  method: Method,
  options: HighsOptions,
  feasibilityOnly: boolean,
): LpSolution {
  const { constants } = context.highs;
  const is = constants.modelStatus;
  let last = 0;
  const look = (event: { interrupt(): void; readonly data: Readonly<Record<string, unknown>> }): undefined => {
    if (context.outlets.stop() !== Stop.no) event.interrupt();
    const seconds = context.seconds();
    if (seconds - last < secondsBetweenProgress) return;
    last = seconds;
    const iterations = Number(event.data["simplex_iteration_count"] ?? event.data["ipm_iteration_count"]);
    context.outlets.progress({ seconds, iterations });
  };
  const status = run(context, model, options, {
    [constants.callbackType.simplexInterrupt]: look,
    [constants.callbackType.ipmInterrupt]: look,
  });
  if (typeof status === "string") return lpWithout(context, "numerical-error", status);
  const effort = lpEffort(model, method);
  switch (status) {
    case is.optimal: {
      const answer = lpArrays(context, model);
      if (feasibilityOnly) {
        const found = { ...answer, dual: new Float64Array(0), reducedCost: new Float64Array(0) };
        return lpAnswer(context, "primal-feasible", found, effort);
      }
      return lpAnswer(context, "optimal", answer, effort);
    }
    case is.infeasible:
      return lpWithout(context, "infeasible", "", effort);
    case is.unbounded:
      return lpWithout(context, "unbounded", "", effort);
    case is.unboundedOrInfeasible:
      return lpWithout(context, decide(context, model), "", effort);
    case is.timeLimit:
    case is.interrupted:
      return lpAnswer(context, "time-limit", lpArrays(context, model), effort);
    case is.iterationLimit:
      return lpAnswer(context, "iteration-limit", lpArrays(context, model), effort);
    default:
      return lpWithout(context, "numerical-error", `HiGHS ended with status ${statusName(context, status)}.`, effort);
  }
}

function lpEffort(model: Model, method: Method): LpEffort {
  const count = (name: string): number => Math.max(0, Number(model.info.get(name)));
  const pdlp = count("pdlp_iteration_count");
  if (pdlp > 0) return { method: "pdlp", iterations: pdlp };
  const barrier = count("ipm_iteration_count");
  if (barrier > 0) return { method: "ipm", iterations: barrier };
  const simplex = count("simplex_iteration_count");
  return { method: simplex > 0 ? "simplex" : method, iterations: simplex };
}
