// A MIP on a loaded HiGHS: incumbents as they come, and the best solution that holds at the end.
import type { HighsCallbackMap, Model } from "highs";
import { directionOf, relativeMipGap } from "../check.ts";
import { EngineError, type MipSolution } from "../engine.ts";
import { ValidationError, VariableType } from "../problem.ts";
import { defaultSettings, numberOf } from "../settings.ts";
import type { LowerTriangle } from "./convexity.ts";
import { effectiveHessian } from "./highs-model.ts";
import { mipOptions, timeLimitOf } from "./highs-options.ts";
import { Stop } from "./highs-protocol.ts";
import { solveQp } from "./highs-qp.ts";
import {
  decide,
  discard,
  giveStart,
  load,
  run,
  type SolveContext,
  secondsBetweenProgress,
  statusName,
  withoutNegativeZeros,
} from "./highs-run.ts";
import { IncumbentWatch } from "./incumbents.ts";
import { mipAnswer, mipWithout } from "./mip-outcome.ts";

export function solveMip(context: SolveContext): MipSolution {
  const { problem, settings, highs } = context;
  const discrete = problem.variableTypes?.some((type) => type !== VariableType.continuous) ?? false;
  const hessian = effectiveHessian(problem);
  if (hessian !== undefined) {
    if (discrete) {
      throw new ValidationError("a quadratic objective with integer or semi-continuous variables is not supported");
    }
    return mipOfContinuous(context, hessian);
  }
  const semiContinuousUpper = settings.changed.includes("semi_continuous_big_m")
    ? numberOf(settings, "semi_continuous_big_m")
    : undefined;
  const model = load(context, undefined, { kind: "mip", feasibilityOnly: false, semiContinuousUpper });
  const is = highs.constants.modelStatus;
  const watch = new IncumbentWatch(context);
  try {
    giveStart(context, model);
    const status = run(context, model, mipOptions(settings), mipCallbacks(context, watch));
    if (typeof status === "string") {
      if (watch.best === undefined) throw new EngineError(status);
      return mipAnswer(context, "feasible-found", watch.best.assignment, { bound: watch.bound, message: status });
    }
    const effort = mipEffort(context, model, discrete, status === is.optimal);
    const known = mipPoint(context, model, watch);
    switch (status) {
      case is.optimal: {
        if (known === undefined) throw new EngineError("HiGHS's solution does not satisfy the model within tolerance");
        const termination = known.checked ? "optimal" : "feasible-found";
        return mipAnswer(context, termination, known.point, { ...effort, message: known.message });
      }
      case is.infeasible:
        return mipWithout(context, "infeasible", "", effort);
      case is.unbounded:
        return mipWithout(context, "unbounded", "", effort);
      case is.unboundedOrInfeasible:
        return mipWithout(context, decide(context, model), "", effort);
      case is.timeLimit:
      case is.interrupted:
        return known === undefined
          ? mipWithout(context, "time-limit", "", effort)
          : mipAnswer(context, "time-limit", known.point, effort);
      case is.solutionLimit:
      case is.iterationLimit:
        return known === undefined
          ? mipWithout(context, "work-limit", "", effort)
          : mipAnswer(context, "feasible-found", known.point, effort);
      default:
        if (known === undefined) throw new EngineError(`HiGHS ended with status ${statusName(context, status)}`);
        return mipAnswer(context, "feasible-found", known.point, effort);
    }
  } finally {
    discard(model);
  }
}

/** The solver's own solution if it holds, else the best incumbent that did; it is reported if nothing better was. */
function mipPoint(
  context: SolveContext,
  model: Model,
  watch: IncumbentWatch,
): { point: Float64Array; checked: boolean; message: string } | undefined {
  const has = model.info.get("primal_solution_status") === context.highs.constants.solutionStatus.feasible;
  if (has) {
    const point = withoutNegativeZeros(model.getSolution().colValue);
    if (watch.offer(point, watch.bound)) return { point, checked: true, message: "" };
  }
  if (watch.best === undefined) return undefined;
  const message = has ? "HiGHS's last solution does not satisfy the model within tolerance; an earlier one does." : "";
  return { point: watch.best.assignment, checked: !has, message };
}

function mipCallbacks(context: SolveContext, watch: IncumbentWatch): HighsCallbackMap {
  const { outlets, problem } = context;
  const type = context.highs.constants.callbackType;
  let last = 0;
  const stop = (event: { interrupt(): void }): undefined => {
    if (outlets.stop() !== Stop.no) event.interrupt();
  };
  return {
    // A MIP without integer variables is solved as an LP.
    [type.simplexInterrupt]: stop,
    [type.ipmInterrupt]: stop,
    [type.mipInterrupt](event) {
      stop(event);
      const seconds = context.seconds();
      if (seconds - last < secondsBetweenProgress) return;
      last = seconds;
      const { data } = event;
      watch.proved(data.mip_dual_bound);
      const objective = watch.best?.objective;
      const bound = Number.isFinite(watch.bound) ? watch.bound : undefined;
      outlets.progress({
        seconds,
        objective,
        bound,
        gap: objective === undefined || bound === undefined ? undefined : relativeMipGap(objective, bound),
        nodes: data.mip_node_count === undefined ? undefined : Number(data.mip_node_count),
        iterations: data.mip_total_lp_iterations === undefined ? undefined : Number(data.mip_total_lp_iterations),
      });
      return;
    },
    [type.mipImprovingSolution](event) {
      watch.proved(event.data.mip_dual_bound);
      // Semi-continuous variables are modelled with further columns, which come last.
      const point = event.data.mip_solution?.slice(0, problem.columns);
      if (point !== undefined) watch.offer(withoutNegativeZeros(point), watch.bound);
      return;
    },
  };
}

function mipEffort(
  context: SolveContext,
  model: Model,
  discrete: boolean,
  optimal: boolean,
): { bound: number; nodes: number; simplexIterations: number; presolveSeconds: number } {
  const count = (name: string): number => Math.max(0, Number(model.info.get(name)));
  const scaling = context.problem.objectiveScaling;
  const own = discrete ? Number(model.info.get("mip_dual_bound")) : optimal ? model.getObjectiveValue() : Number.NaN;
  return {
    bound: Number.isNaN(own) ? directionOf(context.problem) * -Infinity : scaling * own,
    nodes: count("mip_node_count"),
    simplexIterations: count("simplex_iteration_count"),
    presolveSeconds: context.presolve.seconds,
  };
}

/** A quadratic objective over continuous variables alone: solved as a QP, told as a MIP. */
function mipOfContinuous(context: SolveContext, hessian: LowerTriangle): MipSolution {
  const standard = defaultSettings("lp");
  const settings = { ...standard, values: { ...standard.values, time_limit: timeLimitOf(context.settings) } };
  const solution = solveQp({ ...context, kind: "lp", settings }, hessian);
  const watch = new IncumbentWatch(context);
  switch (solution.termination) {
    case "optimal":
      watch.offer(solution.primal, solution.dualObjective);
      return mipAnswer(context, "optimal", solution.primal, { bound: solution.dualObjective });
    case "primal-infeasible":
      return mipWithout(context, "infeasible", solution.message);
    case "dual-infeasible":
      return mipWithout(context, "unbounded", solution.message);
    case "time-limit":
      return mipWithout(context, "time-limit", solution.message);
    default:
      throw new EngineError(solution.message);
  }
}
