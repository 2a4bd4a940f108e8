// A convex QP on a loaded HiGHS. Its active-set method is quick, but it cycles on some degenerate models and calls some
// unbounded ones optimal; then linear programs decide feasibility and boundedness, and proximal steps find the optimum.
import type { HighsCallbackMap, Model } from "highs";
import { acceptedViolation, measurePrimal, reducedCosts } from "../check.ts";
import type { LpSolution } from "../engine.ts";
import type { Problem } from "../problem.ts";
import { numberOf } from "../settings.ts";
import { isPositiveSemidefinite, type LowerTriangle } from "./convexity.ts";
import { lpOptions } from "./highs-options.ts";
import { Stop } from "./highs-protocol.ts";
import { discard, load, lpArrays, run, type SolveContext, statusName } from "./highs-run.ts";
import { type LpAnswer, type LpEffort, lpAnswer, lpWithout } from "./lp-outcome.ts";

/** Proximal steps after which a model counts as too hard. */
const longestProximalRun = 200;

/** Solves min or max c·x + ½ xᵀHx with H = Q + Qᵀ. A model that is not convex ends as a numerical error. */
export function solveQp(context: SolveContext, hessian: LowerTriangle): LpSolution {
  const { problem, outlets } = context;
  const convex = isPositiveSemidefinite(hessian, problem.maximize ? -1 : 1);
  if (convex === false) return lpWithout(context, "numerical-error", nonconvex(problem));
  if (convex === "unknown") {
    outlets.log(
      "Warning: the Hessian is too large to be checked; if the objective is not convex, the answer is a local one",
    );
  }
  const model = load(context, hessian, { kind: "lp", feasibilityOnly: false });
  // Without rows HiGHS's method stops at points that are not optimal; a row without bounds cures it.
  if (problem.rows === 0) model.addRow(-Infinity, Infinity, { indices: [0], values: [1] });
  try {
    const direct = activeSet(context, model);
    if (direct.termination !== "numerical-error") return direct;
    outlets.log(direct.message);
    const feasible = feasiblePoint(context);
    if (!(feasible instanceof Float64Array)) return feasible;
    if (isUnbounded(context, hessian)) return lpWithout(context, "unbounded", "");
    const reached =
      direct.primal.length > 0 && measurePrimal(problem, direct.primal, false).scaledViolation < acceptedViolation;
    return proximal(context, model, hessian, reached ? direct.primal : feasible);
  } finally {
    discard(model);
  }
}

function activeSet(context: SolveContext, model: Model): LpSolution {
  const { problem, settings, highs } = context;
  const is = highs.constants.modelStatus;
  const limit = numberOf(settings, "iteration_limit");
  const patience = patienceOf(problem);
  const options = { ...lpOptions(settings, "choose"), qp_iteration_limit: Math.min(limit, patience) };
  const status = run(context, model, options, {});
  if (typeof status === "string") return lpWithout(context, "numerical-error", status);
  const effort = effortOf(model);
  switch (status) {
    case is.optimal:
      return lpAnswer(context, "optimal", qpArrays(context, model), effort);
    case is.infeasible:
      return lpWithout(context, "infeasible", "", effort);
    case is.unbounded:
      return lpWithout(context, "unbounded", "", effort);
    case is.timeLimit:
    case is.interrupted:
      return lpAnswer(context, "time-limit", lpArrays(context, model), effort);
    case is.iterationLimit:
      if (limit <= patience) return lpAnswer(context, "iteration-limit", lpArrays(context, model), effort);
      return lpWithout(context, "numerical-error", "The active-set method seems to cycle.", effort);
    default:
      return lpWithout(context, "numerical-error", `HiGHS ended with status ${statusName(context, status)}.`, effort);
  }
}

/** Far more iterations than a run takes that does not cycle. */
function patienceOf(problem: Problem): number {
  return 1000 + 100 * (problem.rows + problem.columns);
}

/** HiGHS's reduced costs are those of its regularized model, and zero without rows: the exact ones are computed. */
function qpArrays(context: SolveContext, model: Model): LpAnswer {
  const { primal, dual: all } = lpArrays(context, model);
  const dual = all.slice(0, context.problem.rows);
  return { primal, dual, reducedCost: reducedCosts(context.problem, primal, dual) };
}

/** A point that satisfies the rows and bounds, or the outcome when there is none. */
function feasiblePoint(context: SolveContext): Float64Array | LpSolution {
  const { constants } = context.highs;
  const model = load(context, undefined, { kind: "lp", feasibilityOnly: true });
  try {
    const status = run(context, model, { solver: "choose" }, stopping(context));
    const is = constants.modelStatus;
    if (status === is.optimal) return model.getSolution().colValue;
    if (status === is.infeasible) return lpWithout(context, "infeasible", "");
    if (status === is.timeLimit || status === is.interrupted) return lpWithout(context, "time-limit", "");
    return lpWithout(context, "numerical-error", "HiGHS found no feasible point and no proof that there is none.");
  } finally {
    discard(model);
  }
}

/**
 * A feasible convex QP is unbounded exactly when some direction d stays feasible for ever (A d and d respect the finite
 * bounds' signs), does not bend (H d = 0) and improves (c·d < 0 for a minimum).
 * @see Eaves, On quadratic programming, Management Science 17 (1971)
 */
function isUnbounded(context: SolveContext, hessian: LowerTriangle): boolean {
  const { problem, highs } = context;
  const { rows, columns, matrix } = problem;
  const h = symmetricRows(hessian);
  const entries = matrix.values.length;
  const starts = new Int32Array(rows + columns + 1);
  starts.set(matrix.offsets);
  for (let j = 0; j <= columns; j++) starts[rows + j] = entries + h.offsets[j]!;
  const indices = new Int32Array(entries + h.indices.length);
  indices.set(matrix.indices);
  indices.set(h.indices, entries);
  const values = new Float64Array(entries + h.values.length);
  values.set(matrix.values);
  values.set(h.values, entries);
  const keeps = (bound: number, sign: number): number => (Number.isFinite(bound) ? 0 : sign);
  const sense = highs.constants.objectiveSense;
  const model = highs.createModel({
    numCols: columns,
    numRows: rows + columns,
    sense: problem.maximize ? sense.maximize : sense.minimize,
    colCost: problem.objective,
    colLower: problem.variableLower.map((bound) => keeps(bound, -1)),
    colUpper: problem.variableUpper.map((bound) => keeps(bound, 1)),
    rowLower: Float64Array.from({ length: rows + columns }, (_, i) =>
      i < rows ? keeps(problem.rowLower[i]!, -Infinity) : 0,
    ),
    rowUpper: Float64Array.from({ length: rows + columns }, (_, i) =>
      i < rows ? keeps(problem.rowUpper[i]!, Infinity) : 0,
    ),
    matrix: { format: "csr", numRows: rows + columns, numCols: columns, starts, indices, values },
  });
  try {
    const status = run(context, model, { solver: "choose" }, stopping(context));
    if (status !== highs.constants.modelStatus.optimal) return false;
    const largest = problem.objective.reduce((most, cost) => Math.max(most, Math.abs(cost)), 0);
    return Math.abs(model.getObjectiveValue()) > 1e-6 * (1 + largest);
  } finally {
    discard(model);
  }
}

/**
 * Proximal points: each step optimizes f plus the penalty ½ρ‖x − x_k‖², which is strictly convex and behaves; the steps
 * end at an optimum of f, where the penalty has no gradient left and the duals of the step are those of f.
 * @see Rockafellar, Monotone operators and the proximal point algorithm, SIAM J. Control Optim. 14 (1976)
 */
function proximal(context: SolveContext, model: Model, hessian: LowerTriangle, start: Float64Array): LpSolution {
  const { problem, highs, settings } = context;
  const is = highs.constants.modelStatus;
  const sign = problem.maximize ? -1 : 1;
  const { columns } = problem;
  let penalty = 0.01;
  for (let j = 0; j < hessian.values.length; j++) penalty = Math.max(penalty, 0.01 * Math.abs(hessian.values[j]!));
  let at = start;
  let iterations = 0;
  let last = lpWithout(context, "numerical-error", "Proximal steps found no optimum.");
  for (let step = 0; step < longestProximalRun; step++) {
    model.clearSolver();
    model.passHessian({ format: "triangular", ...withDiagonal(hessian, sign * penalty) });
    const costs = problem.objective.map((cost, j) => cost - sign * penalty * at[j]!);
    model.changeColsCost({ kind: "range", from: 0, to: columns - 1 }, costs);
    const options = {
      ...lpOptions(settings, "choose"),
      qp_iteration_limit: patienceOf(problem),
      qp_regularization_value: 0,
    };
    const status = run(context, model, options, {});
    if (status === is.timeLimit || status === is.interrupted) return lpWithout(context, "time-limit", "");
    if (status !== is.optimal) {
      // A stronger penalty makes the step easier and shorter.
      penalty *= 10;
      continue;
    }
    const answer = qpArrays(context, model);
    iterations += effortOf(model).iterations;
    last = lpAnswer(context, "optimal", answer, { method: "quadratic", iterations });
    if (last.termination === "optimal") return last;
    at = answer.primal;
    penalty /= 2;
  }
  return last;
}

/** H plus a multiple of the identity. */
function withDiagonal(h: LowerTriangle, value: number): LowerTriangle {
  const n = h.dimension;
  const starts = new Int32Array(n + 1);
  const indices: number[] = [];
  const values: number[] = [];
  for (let j = 0; j < n; j++) {
    const first = h.starts[j]!;
    const own = first < h.starts[j + 1]! && h.indices[first] === j;
    indices.push(j);
    values.push(value + (own ? h.values[first]! : 0));
    for (let k = own ? first + 1 : first; k < h.starts[j + 1]!; k++) {
      indices.push(h.indices[k]!);
      values.push(h.values[k]!);
    }
    starts[j + 1] = indices.length;
  }
  return { dimension: n, starts, indices: Int32Array.from(indices), values: Float64Array.from(values) };
}

/** All of H by rows. */
function symmetricRows(h: LowerTriangle): { offsets: Int32Array; indices: Int32Array; values: Float64Array } {
  const n = h.dimension;
  const rows: { column: number; value: number }[][] = Array.from({ length: n }, () => []);
  for (let j = 0; j < n; j++) {
    for (let k = h.starts[j]!; k < h.starts[j + 1]!; k++) {
      const i = h.indices[k]!;
      const value = h.values[k]!;
      rows[i]!.push({ column: j, value });
      if (i !== j) rows[j]!.push({ column: i, value });
    }
  }
  const offsets = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) offsets[i + 1] = offsets[i]! + rows[i]!.length;
  const entries = rows.flat();
  return {
    offsets,
    indices: Int32Array.from(entries, (entry) => entry.column),
    values: Float64Array.from(entries, (entry) => entry.value),
  };
}

function stopping(context: SolveContext): HighsCallbackMap {
  const look = (event: { interrupt(): void }): undefined => {
    if (context.outlets.stop() !== Stop.no) event.interrupt();
  };
  const type = context.highs.constants.callbackType;
  return { [type.simplexInterrupt]: look, [type.ipmInterrupt]: look };
}

function effortOf(model: Model): LpEffort {
  return { method: "quadratic", iterations: Math.max(0, Number(model.info.get("qp_iteration_count"))) };
}

function nonconvex(problem: Problem): string {
  return problem.maximize
    ? "The quadratic objective is not concave, so it cannot be maximized: Q + Qᵀ has a positive eigenvalue."
    : "The quadratic objective is not convex, so it cannot be minimized: Q + Qᵀ has a negative eigenvalue.";
}
