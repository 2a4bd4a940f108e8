// What every solve on a loaded HiGHS needs: its context, loading, running within the limits, reading arrays back.
import type { Highs, HighsCallbackMap, Model, ModelStatusCode } from "highs";
import { measurePrimal } from "../check.ts";
import type { Incumbent, SolveProgress } from "../engine.ts";
import { type Problem, type ProblemKind, ValidationError } from "../problem.ts";
import type { SolveSettings } from "../settings.ts";
import type { LowerTriangle } from "./convexity.ts";
import { type ModelChoices, toHighsModel } from "./highs-model.ts";
import { type HighsOptions, timeLimitOf } from "./highs-options.ts";
import { Stop, type Violations } from "./highs-protocol.ts";
import type { LpAnswer } from "./lp-outcome.ts";

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
  /** The active-set method broke a solver on this model before. */
  readonly withoutActiveSet?: boolean | undefined;
}

/** Thrown out of a QP whose active-set method broke the solver: another one can go on without that method. */
export class ActiveSetBroke extends Error {
  override readonly name = "ActiveSetBroke";
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

export const secondsBetweenProgress = 0.1;

/** Stands for no time limit: options must be finite. */
export const longestLimit = 1e9;

/** For "infeasible or unbounded": a feasible point decides. */
export function decide(context: SolveContext, model: Model): "infeasible" | "unbounded" | "none" {
  const { problem, highs, outlets } = context;
  const is = highs.constants.modelStatus;
  outlets.log("Infeasible or unbounded: looking for any feasible point");
  model.clearSolver();
  model.changeColsCost({ kind: "range", from: 0, to: problem.columns - 1 }, new Float64Array(problem.columns));
  const status = run(context, model, { presolve: "choose", solver: "choose" }, {});
  return status === is.infeasible ? "infeasible" : status === is.optimal ? "unbounded" : "none";
}

/** Runs within what is left of the time limit. Gives the model status, or HiGHS's complaint. */
export function run(
  context: SolveContext,
  model: Model,
  options: HighsOptions,
  callbacks: HighsCallbackMap,
): ModelStatusCode | string {
  const { outlets, settings, highs } = context;
  if (outlets.stop() === Stop.cancelled) throw new Cancelled();
  model.raw.zeroAllClocks();
  model.options.set({
    ...options,
    time_limit: Math.max(0, Math.min(longestLimit, timeLimitOf(settings)) - context.seconds()),
  });
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

export function load(context: SolveContext, hessian: LowerTriangle | undefined, choices: ModelChoices): Model {
  const { highs, problem } = context;
  const data = toHighsModel(highs, problem, hessian, choices);
  try {
    return highs.createModel(data);
  } catch (error) {
    if (!(error instanceof highs.errors.HighsError)) throw error;
    throw new ValidationError(`HiGHS does not take the model: ${error.message}`);
  }
}

/**
 * Hands over the initial solution, if it is one: HiGHS completes it for a MIP, starts the simplex method from it for an
 * LP, and PDLP where there are duals as well.
 */
export function giveStart(context: SolveContext, model: Model): void {
  const { problem, outlets, kind } = context;
  const { initialPrimal: primal, initialDual: dual, objectiveScaling: scaling } = problem;
  if (primal === undefined || primal.length === 0) return;
  if (primal.length !== problem.columns || !primal.every(Number.isFinite)) {
    outlets.log(`The initial solution is not used: ${problem.columns} finite values are needed`);
    return;
  }
  const { objective, scaledViolation } = measurePrimal(problem, primal, kind === "mip");
  outlets.log(`Initial solution: objective ${objective}, largest scaled violation ${scaledViolation}`);
  const hasDual = kind === "lp" && scaling !== 0 && dual?.length === problem.rows && dual.every(Number.isFinite);
  model.setSolution({ colValue: primal, ...(hasDual ? { rowDual: dual.map((value) => value / scaling) } : {}) });
}

/** A run that broke the instance makes disposal throw as well; the first error is the one that counts. */
export function discard(model: Model): void {
  try {
    (model as Model & { dispose(): void }).dispose();
  } catch {
    // The thread is about to be replaced.
  }
}

export function lpArrays(context: SolveContext, model: Model): LpAnswer {
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
    primal: hasPrimal ? withoutNegativeZeros(colValue) : none,
    dual: hasDual ? withoutNegativeZeros(rowDual) : none,
    reducedCost: hasDual ? withoutNegativeZeros(colDual) : none,
  };
}

/** Turns every −0 into 0, in place: readers of results stumble over the sign. */
export function withoutNegativeZeros(array: Float64Array): Float64Array {
  for (let k = 0; k < array.length; k++) array[k] = array[k]! + 0;
  return array;
}

export function statusName(context: SolveContext, status: ModelStatusCode): string {
  const entry = Object.entries(context.highs.constants.modelStatus).find(([, code]) => code === status);
  return entry?.[0] ?? String(status);
}
