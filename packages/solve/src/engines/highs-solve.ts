// One solve on a loaded HiGHS: outcomes that need no solver, the run, the check of its answer. Runs in the solver's thread.
import type { Highs, HighsCallbackMap, Model, ModelStatusCode } from "highs";
import { crossedBounds, directionOf, measurePrimal, objectiveAt, relativeMipGap } from "../check.ts";
import type { Incumbent, Solution, SolveProgress } from "../engine.ts";
import { EngineError } from "../engine.ts";
import { type Problem, type ProblemKind, ValidationError, VariableType } from "../problem.ts";
import { flagOf, numberOf, type SolveSettings, settingsWithoutEffect } from "../settings.ts";
import { isPositiveSemidefinite, type LowerTriangle } from "./convexity.ts";
import { effectiveHessian, type ModelChoices, toHighsModel } from "./highs-model.ts";
import { type HighsOptions, lpOptions, type Method, methodOf, mipOptions, timeLimitOf } from "./highs-options.ts";
import { Stop, type Violations } from "./highs-protocol.ts";
import { IncumbentWatch } from "./incumbents.ts";
import { type LpAnswer, lpAnswer, lpWithout } from "./lp-outcome.ts";
import { mipAnswer, mipWithout } from "./mip-outcome.ts";
import { summaryLines } from "./summary.ts";

/** Where a running solve reports to, and what it asks now and then. */
export interface Outlets {
  log(line: string): void;
  incumbent(incumbent: Incumbent, violations: Violations): void;
  progress(progress: SolveProgress): void;
  /** A value of `Stop`. */
  stop(): number;
}

export interface SolveTask {
  readonly problem: Problem;
  readonly kind: ProblemKind;
  readonly settings: SolveSettings;
}

/** Thrown out of a solve that was told to stop. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** What every step of a solve needs. */
export interface SolveContext extends SolveTask {
  readonly highs: Highs;
  readonly outlets: Outlets;
  /** Seconds since the solve began. */
  seconds(): number;
  /** Taken from HiGHS's report, which comes last. */
  readonly presolve: { seconds: number };
}

/** HiGHS is given its printer when it is loaded; what it prints goes to the sink of the moment. */
export interface HighsLog {
  sink: ((line: string) => void) | undefined;
}

const secondsBetweenProgress = 0.1;

/** Stands for no time limit: options must be finite. */
const longestLimit = 1e9;

/**
 * @throws ValidationError, VariableFault: the model cannot be taken; EngineError: HiGHS gave up; Cancelled: told to stop;
 *   anything else: HiGHS is broken
 */
export function solveWithHighs(highs: Highs, log: HighsLog, task: SolveTask, outlets: Outlets): Solution {
  const start = performance.now();
  const context: SolveContext = {
    ...task,
    highs,
    outlets,
    seconds: () => (performance.now() - start) / 1000,
    presolve: { seconds: 0 },
  };
  log.sink = (line) => {
    const presolve = /^\s*([\d.]+) \(Presolve\)/.exec(line);
    if (presolve !== null) context.presolve.seconds = Number(presolve[1]);
    outlets.log(line);
  };
  for (const name of settingsWithoutEffect(task.settings)) {
    outlets.log(`Setting ${name} = ${task.settings.values[name]} has no effect here`);
  }
  try {
    const solution = solveKind(context);
    for (const line of summaryLines(solution)) outlets.log(line);
    return solution;
  } finally {
    log.sink = undefined;
  }
}

function solveKind(context: SolveContext): Solution {
  const { problem, kind, settings } = context;
  if (!Number.isFinite(problem.objectiveScaling)) {
    throw new ValidationError(`objective scaling factor is ${problem.objectiveScaling}; a finite number is expected`);
  }
  const without = kind === "lp" ? lpWithout : mipWithout;
  const crossed = crossedBounds(problem);
  if (crossed !== undefined) return without(context, "infeasible", crossed);
  if (!(timeLimitOf(settings) > 0)) return without(context, "time-limit", "The time limit is 0: nothing was tried.");
  if (problem.columns === 0) return solveEmpty(context);
  return kind === "lp" ? solveLp(context) : solveMip(context);
}

/** No variables: feasible when 0 satisfies every row. */
function solveEmpty(context: SolveContext): Solution {
  const { problem, kind } = context;
  const none = new Float64Array(0);
  const feasible = measurePrimal(problem, none, false).maxRowViolation === 0;
  if (!feasible) return (kind === "lp" ? lpWithout : mipWithout)(context, "infeasible", "");
  if (kind === "lp") {
    const answer: LpAnswer = { primal: none, dual: new Float64Array(problem.rows), reducedCost: none };
    return lpAnswer(context, "optimal", answer, { method: "choose", iterations: 0 });
  }
  return mipAnswer(context, "optimal", none, { bound: objectiveAt(problem, none) });
}

function solveLp(context: SolveContext): Solution {
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
function lpRun(
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

function lpArrays(context: SolveContext, model: Model): LpAnswer {
  const none = new Float64Array(0);
  const have = (name: string): boolean => model.info.get(name) !== context.highs.constants.solutionStatus.none;
  const hasPrimal = have("primal_solution_status");
  const hasDual = have("dual_solution_status");
  if (!hasPrimal && !hasDual) return { primal: none, dual: none, reducedCost: none };
  const { colValue, colDual, rowDual } = model.getSolution();
  const scaling = context.problem.objectiveScaling;
  if (scaling !== 1) {
    for (let j = 0; j < colDual.length; j++) colDual[j] = colDual[j]! * scaling;
    for (let i = 0; i < rowDual.length; i++) rowDual[i] = rowDual[i]! * scaling;
  }
  return {
    primal: hasPrimal ? colValue : none,
    dual: hasDual ? rowDual : none,
    reducedCost: hasDual ? colDual : none,
  };
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

function solveMip(context: SolveContext): Solution {
  const { problem, settings, highs } = context;
  const discrete = problem.variableTypes?.some((type) => type !== VariableType.continuous) ?? false;
  const hessian = convexHessian(context);
  if (hessian !== undefined && discrete) {
    throw new ValidationError("a quadratic objective with integer or semi-continuous variables is not supported");
  }
  if (hessian === "nonconvex") throw new ValidationError(nonconvex(problem));
  const semiContinuousUpper = settings.changed.includes("semi_continuous_big_m")
    ? numberOf(settings, "semi_continuous_big_m")
    : undefined;
  const model = load(context, hessian, { kind: "mip", feasibilityOnly: false, semiContinuousUpper });
  const is = highs.constants.modelStatus;
  const watch = new IncumbentWatch(context);
  try {
    start(context, model);
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
    const point = model.getSolution().colValue;
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
      if (point !== undefined) watch.offer(point, watch.bound);
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

/** Hands over the initial solution, if there is one of the right size. */
function start(context: SolveContext, model: Model): void {
  const { problem, outlets } = context;
  const given = problem.initialPrimal;
  if (given === undefined || given.length === 0) return;
  if (given.length !== problem.columns || !given.every(Number.isFinite)) {
    outlets.log(`The initial solution is not used: ${problem.columns} finite values are needed`);
    return;
  }
  const { objective, scaledViolation } = measurePrimal(problem, given, true);
  outlets.log(`Initial solution: objective ${objective}, largest scaled violation ${scaledViolation}`);
  model.setSolution({ colValue: given });
}

/** For "infeasible or unbounded": a feasible point decides. */
function decide(context: SolveContext, model: Model): "infeasible" | "unbounded" | "none" {
  const { problem, highs, outlets } = context;
  const is = highs.constants.modelStatus;
  outlets.log("Infeasible or unbounded: looking for any feasible point");
  model.clearSolver();
  model.changeColsCost({ kind: "range", from: 0, to: problem.columns - 1 }, new Float64Array(problem.columns));
  const status = run(context, model, { presolve: "choose", solver: "choose" }, {});
  return status === is.infeasible ? "infeasible" : status === is.optimal ? "unbounded" : "none";
}

/** Runs within what is left of the time limit. Gives the model status, or HiGHS's complaint. */
function run(
  context: SolveContext,
  model: Model,
  options: HighsOptions,
  callbacks: HighsCallbackMap,
): ModelStatusCode | string {
  const { outlets, settings, highs } = context;
  if (outlets.stop() === Stop.cancelled) throw new Cancelled();
  model.raw.zeroAllClocks();
  model.options.set({ ...options, time_limit: Math.max(0, Math.min(longestLimit, timeLimitOf(settings)) - context.seconds()) });
  let status: ModelStatusCode;
  try {
    status = model.run(callbacks).modelStatus;
  } catch (error) {
    // The wrapper's own errors leave the instance usable; anything else (an abort, a trap) does not.
    if (!(error instanceof highs.errors.HighsError)) throw error;
    status = model.getModelStatus();
    if (outlets.stop() === Stop.cancelled) throw new Cancelled();
    return `HiGHS gave up: ${error.message} (model status ${statusName(context, status)})`;
  }
  if (outlets.stop() === Stop.cancelled) throw new Cancelled();
  return status;
}

function load(context: SolveContext, hessian: LowerTriangle | undefined, choices: ModelChoices): Model {
  const { highs, problem } = context;
  const data = toHighsModel(highs, problem, hessian, choices);
  try {
    return highs.createModel(data);
  } catch (error) {
    if (!(error instanceof highs.errors.HighsError)) throw error;
    throw new ValidationError(`HiGHS does not take the model: ${error.message}`);
  }
}

/** A run that broke the instance makes disposal throw as well; the first error is the one that counts. */
function discard(model: Model): void {
  try {
    (model as Model & { dispose(): void }).dispose();
  } catch {
    // The thread is about to be replaced.
  }
}

function convexHessian(context: SolveContext): LowerTriangle | "nonconvex" | undefined {
  const { problem, outlets } = context;
  if (problem.quadratic === undefined) return undefined;
  const hessian = effectiveHessian(problem.quadratic, problem.columns);
  if (hessian === undefined) return undefined;
  const answer = isPositiveSemidefinite(hessian, problem.maximize ? -1 : 1);
  if (answer === "unknown") {
    outlets.log(
      "Warning: the Hessian is too large to be checked; if the objective is not convex, the answer is a local one",
    );
  }
  return answer === false ? "nonconvex" : hessian;
}

function nonconvex(problem: Problem): string {
  return problem.maximize
    ? "The quadratic objective is not concave, so it cannot be maximized: Q + Qᵀ has a positive eigenvalue."
    : "The quadratic objective is not convex, so it cannot be minimized: Q + Qᵀ has a negative eigenvalue.";
}

function statusName(context: SolveContext, status: ModelStatusCode): string {
  const entry = Object.entries(context.highs.constants.modelStatus).find(([, code]) => code === status);
  return entry?.[0] ?? String(status);
}
