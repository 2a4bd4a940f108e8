// A MIP on a loaded HiGHS: incumbents as they come, and the best solution that holds at the end.
import type { HighsCallbackMap, Model } from "highs";
import { acceptedViolation, directionOf, relativeMipGap } from "../check.ts";
import { EngineError, type MipSolution } from "../engine.ts";
import { ValidationError, VariableType } from "../problem.ts";
import { defaultSettings, numberOf } from "../settings.ts";
import type { LowerTriangle } from "./convexity.ts";
import { effectiveHessian, isDiscrete } from "./highs-model.ts";
import { type HighsOptions, mipOptions, timeLimitOf } from "./highs-options.ts";
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
import { type MipEffort, mipAnswer, mipWithout } from "./mip-outcome.ts";

export function solveMip(context: SolveContext): MipSolution {
  const { problem, settings } = context;
  const discrete = problem.variableTypes?.some((type) => type !== VariableType.continuous) ?? false;
  const hessian = effectiveHessian(problem);
  if (hessian !== undefined) {
    if (discrete) {
      throw new ValidationError("a quadratic objective with integer or semi-continuous variables is not supported");
    }
    return mipOfContinuous(context, hessian);
  }
  const watch = new IncumbentWatch(context);
  const first = attempt(context, watch, mipOptions(settings));
  if (first.doubt === undefined || numberOf(settings, "presolver") === 0) return solutionOf(first);
  context.outlets.log(`${first.doubt}; solving again without presolve`);
  watch.forgetBound();
  const initialPrimal = watch.best?.assignment ?? problem.initialPrimal;
  const again = { ...context, problem: { ...problem, initialPrimal } };
  return solutionOf(attempt(again, watch, { ...mipOptions(settings), presolve: "off" }));
}

/** What one run came to. */
interface Attempt {
  /** Undefined where nothing holds of what HiGHS says; then there is a doubt. */
  readonly solution: MipSolution | undefined;
  /** Why what HiGHS says cannot be right as it stands. */
  readonly doubt?: string | undefined;
}

function solutionOf({ solution, doubt = "" }: Attempt): MipSolution {
  if (solution === undefined) throw new EngineError(doubt);
  return solution;
}

/** Runs HiGHS on the model once. Its presolve (1.15.1) has faults that show as a gap that was not closed, or as its failure. */
function attempt(context: SolveContext, watch: IncumbentWatch, options: HighsOptions): Attempt {
  const { settings, highs } = context;
  const semiContinuousUpper = settings.changed.includes("semi_continuous_big_m")
    ? numberOf(settings, "semi_continuous_big_m")
    : undefined;
  const model = load(context, undefined, { kind: "mip", feasibilityOnly: false, semiContinuousUpper });
  const is = highs.constants.modelStatus;
  try {
    giveStart(context, model);
    const status = run(context, model, options, mipCallbacks(context, watch));
    if (typeof status === "string") return failed(context, watch, status);
    const effort = mipEffort(context, model, status === is.optimal);
    const known = mipPoint(context, model, watch);
    switch (status) {
      case is.optimal:
        return optimal(context, known, effort);
      case is.infeasible:
        if (known !== undefined) return failed(context, watch, "HiGHS calls a model infeasible that has a solution");
        return { solution: mipWithout(context, "infeasible", "", effort) };
      case is.unbounded:
        return { solution: mipWithout(context, "unbounded", "", effort) };
      case is.unboundedOrInfeasible:
        return { solution: mipWithout(context, decide(context, model), "", effort) };
      case is.timeLimit:
      case is.interrupted:
        if (known === undefined) return { solution: mipWithout(context, "time-limit", "", effort) };
        return { solution: mipAnswer(context, "time-limit", known.point, effort) };
      case is.solutionLimit:
      case is.iterationLimit:
        if (known === undefined) return { solution: mipWithout(context, "work-limit", "", effort) };
        return { solution: mipAnswer(context, "feasible-found", known.point, effort) };
      default:
        return failed(context, watch, `HiGHS ended with status ${statusName(context, status)}`);
    }
  } finally {
    discard(model);
  }
}

function failed(context: SolveContext, { best, bound }: IncumbentWatch, doubt: string): Attempt {
  if (best === undefined) return { solution: undefined, doubt };
  return { solution: mipAnswer(context, "feasible-found", best.assignment, { bound, message: doubt }), doubt };
}

/** HiGHS says that its solution is optimal; so it is if it holds and its gap is one that was allowed. */
function optimal(context: SolveContext, known: KnownPoint | undefined, effort: MipEffort): Attempt {
  if (known === undefined) {
    return { solution: undefined, doubt: "HiGHS's solution does not satisfy the model within tolerance" };
  }
  const solution = mipAnswer(context, "optimal", known.point, effort);
  const doubt = known.checked ? openGap(context, solution) : known.message;
  if (doubt === undefined) return { solution };
  return { solution: { ...solution, termination: "feasible-found", message: doubt }, doubt };
}

/** Says that objective and bound are further apart than the settings and rounding allow; undefined if they are not. */
function openGap({ problem, settings }: SolveContext, { objective, bound, gap }: MipSolution): string | undefined {
  // The absolute gap is of the objective before its scaling, as HiGHS sees it.
  const scaling = Math.abs(problem.objectiveScaling);
  const size = Math.abs(objective);
  const allowed = Math.max(
    scaling * numberOf(settings, "absolute_mip_gap"),
    size * numberOf(settings, "relative_mip_gap"),
  );
  const rounding = acceptedViolation * (scaling + size);
  if (!(Math.abs(objective - bound) > allowed + rounding)) return undefined;
  return `HiGHS calls a solution optimal whose gap is ${gap} (objective ${objective}, bound ${bound})`;
}

interface KnownPoint {
  readonly point: Float64Array;
  /** It is the solver's own, or the solver has none. */
  readonly checked: boolean;
  readonly message: string;
}

/** The solver's own solution if it holds, else the best incumbent that did; it is reported if nothing better was. */
function mipPoint(context: SolveContext, model: Model, watch: IncumbentWatch): KnownPoint | undefined {
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
  optimal: boolean,
): { bound: number; nodes: number; simplexIterations: number; presolveSeconds: number } {
  const count = (name: string): number => Math.max(0, Number(model.info.get(name)));
  const scaling = context.problem.objectiveScaling;
  // HiGHS solves a model without discrete variables as an LP, whose bound is its optimum.
  const discrete = context.problem.variableTypes?.some((_, j) => isDiscrete(context.problem, j)) ?? false;
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
