// An LP on a loaded HiGHS: the method that was asked for, and the simplex method where it gives no clear answer.
import type { Model } from "highs";
import type { Solution } from "../engine.ts";
import { flagOf } from "../settings.ts";
import { type HighsOptions, lpOptions, type Method, methodOf } from "./highs-options.ts";
import { Stop } from "./highs-protocol.ts";
import {
  convexHessian,
  decide,
  discard,
  load,
  lpArrays,
  nonconvex,
  run,
  type SolveContext,
  secondsBetweenProgress,
  statusName,
} from "./highs-run.ts";
import { lpAnswer, lpWithout } from "./lp-outcome.ts";

export function solveLp(context: SolveContext): Solution {
  const { problem, settings, outlets } = context;
  const feasibilityOnly = flagOf(settings, "first_primal_feasible");
  const hessian = feasibilityOnly ? undefined : convexHessian(context);
  if (hessian === "nonconvex") return lpWithout(context, "numerical-error", nonconvex(problem));
  const model = load(context, hessian, { kind: "lp", feasibilityOnly });
  try {
    const asked = methodOf(settings, hessian !== undefined);
    const first = lpRun(context, model, asked, lpOptions(settings, asked), feasibilityOnly);
    if (typeof first !== "string") return first;
    if (hessian !== undefined) return lpWithout(context, "numerical-error", first);
    outlets.log(`${first}; trying the simplex method without presolve`);
    model.clearSolver();
    const options: HighsOptions = { ...lpOptions(settings, "simplex"), presolve: "off" };
    const second = lpRun(context, model, "simplex", options, feasibilityOnly);
    return typeof second === "string" ? lpWithout(context, "numerical-error", second) : second;
  } finally {
    discard(model);
  }
}

/** The outcome of one run, or why there is none. */
export function lpRun(
  context: SolveContext,
  model: Model,
  method: Method,
  options: HighsOptions,
  feasibilityOnly: boolean,
): Solution | string {
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
  if (typeof status === "string") return status;
  const effort = lpEffort(model, method);
  switch (status) {
    case is.optimal: {
      const answer = lpArrays(context, model);
      if (feasibilityOnly) {
        const found = { ...answer, dual: new Float64Array(0), reducedCost: new Float64Array(0) };
        return lpAnswer(context, "primal-feasible", found, effort);
      }
      const solution = lpAnswer(context, "optimal", answer, effort);
      return solution.termination === "optimal" ? solution : solution.message;
    }
    case is.infeasible:
      return lpWithout(context, "infeasible", "", effort);
    case is.unbounded:
      return feasibilityOnly
        ? "HiGHS called a model without objective unbounded"
        : lpWithout(context, "unbounded", "", effort);
    case is.unboundedOrInfeasible:
      return lpWithout(context, decide(context, model), "", effort);
    case is.timeLimit:
    case is.interrupted:
      return lpAnswer(context, "time-limit", lpArrays(context, model), effort);
    case is.iterationLimit:
      return lpAnswer(context, "iteration-limit", lpArrays(context, model), effort);
    default:
      return `HiGHS ended with status ${statusName(context, status)}`;
  }
}

function lpEffort(model: Model, method: Method): { method: Method | "quadratic"; iterations: number } {
  const count = (name: string): number => Math.max(0, Number(model.info.get(name)));
  const quadratic = count("qp_iteration_count");
  if (quadratic > 0) return { method: "quadratic", iterations: quadratic };
  const pdlp = count("pdlp_iteration_count");
  if (pdlp > 0) return { method: "pdlp", iterations: pdlp };
  const barrier = count("ipm_iteration_count");
  if (barrier > 0) return { method: "ipm", iterations: barrier };
  const simplex = count("simplex_iteration_count");
  return { method: simplex > 0 ? "simplex" : method, iterations: simplex };
}
