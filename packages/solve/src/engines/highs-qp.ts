// A convex QP on a loaded HiGHS. Its active-set method is quick, but it cycles on some degenerate models and calls some
// unbounded ones optimal; then linear programs decide feasibility and boundedness, and find the optimum by tangents.
import type { HighsCallbackMap, Model } from "highs";
import { acceptedViolation, measurePrimal, reducedCosts } from "../check.ts";
import type { LpSolution, LpTermination } from "../engine.ts";
import type { Problem } from "../problem.ts";
import { numberOf } from "../settings.ts";
import { isPositiveSemidefinite, type LowerTriangle, type SquareRoot, squareRoot } from "./convexity.ts";
import { lpOptions } from "./highs-options.ts";
import { Stop } from "./highs-protocol.ts";
import {
  ActiveSetBroke,
  Cancelled,
  discard,
  load,
  lpArrays,
  run,
  type SolveContext,
  statusName,
  withoutNegativeZeros,
} from "./highs-run.ts";
import { type LpAnswer, type LpEffort, lpAnswer, lpWithout } from "./lp-outcome.ts";

/** Rounds of tangents after which a model counts as too hard. */
const mostTangentRounds = 200;

/** The tangents end at an optimum only as sharp as the linear programs are solved. */
const sharp = 1e-9;

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
  const feasible = feasiblePoint(context);
  if (!(feasible instanceof Float64Array)) return feasible;
  if (isUnbounded(context, hessian)) return lpWithout(context, "unbounded", "");
  if (context.withoutActiveSet) return tangents(context, hessian, feasible);
  const direct = activeSet(context, hessian);
  const claims: readonly LpTermination[] = ["numerical-error", "primal-infeasible", "dual-infeasible"];
  if (!claims.includes(direct.termination)) return direct;
  if (direct.message !== "") outlets.log(direct.message);
  const reached =
    direct.primal.length > 0 && measurePrimal(problem, direct.primal, false).scaledViolation < acceptedViolation;
  return tangents(context, hessian, reached ? direct.primal : feasible);
}

function activeSet(context: SolveContext, hessian: LowerTriangle): LpSolution {
  const { problem } = context;
  const model = load(context, hessian, { kind: "lp", feasibilityOnly: false });
  // Without rows HiGHS's method stops at points that are not optimal; a row without bounds cures it.
  if (problem.rows === 0) model.addRow(-Infinity, Infinity, { indices: [0], values: [1] });
  try {
    return runActiveSet(context, model);
  } catch (error) {
    if (error instanceof Cancelled) throw error;
    throw new ActiveSetBroke(error instanceof Error ? error.message : String(error));
  } finally {
    discard(model);
  }
}

function runActiveSet(context: SolveContext, model: Model): LpSolution {
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
 * Tangents: with sign·H = FᵀF the objective is sign·c·x + ½ Σ y_k² for y = F x, a sum of parabolas of one variable each.
 * Linear programs that bound each parabola by its tangents at the points found so far come as near to it as wanted, and
 * the duals of their rows to those of the problem. Near a point a parabola and its tangent differ by less than the
 * simplex method's tolerance, so the search goes on in ever smaller units around the point it has reached.
 * @see Kelley, The cutting-plane method for solving convex programs, J. SIAM 8 (1960)
 */
function tangents(context: SolveContext, hessian: LowerTriangle, start: Float64Array): LpSolution {
  const root = squareRoot(hessian, context.problem.maximize ? -1 : 1);
  let last = lpWithout(context, "numerical-error", "No method found an optimum.");
  if (root === undefined) return last;
  for (const unit of [1, 1e-3, 1e-6]) {
    const found = tangentsAround(context, root, last.primal.length > 0 ? last.primal : start, unit, last.iterations);
    if (found === undefined) return last;
    if (found.termination !== "numerical-error") return found;
    last = found;
  }
  return last;
}

/**
 * The search for z, where x = center + unit·z: min (sign/unit)·∇f(center)·z + ½‖F z‖², that is the change of the
 * objective over unit².
 */
function tangentsAround(
  context: SolveContext,
  root: SquareRoot,
  center: Float64Array,
  unit: number,
  earlier: number,
): LpSolution | undefined {
  const { problem, highs } = context;
  const { rows, columns, matrix } = problem;
  const is = highs.constants.modelStatus;
  const sign = problem.maximize ? -1 : 1;
  const squares = root.starts.length - 1;
  const width = columns + 2 * squares;
  // Columns: z, then y, then t ≥ ½ y².
  const y = (k: number): number => columns + k;
  const t = (k: number): number => columns + squares + k;

  const gradient = reducedCosts({ ...problem, objectiveScaling: 1 }, center, new Float64Array(rows));
  const colCost = new Float64Array(width).fill(1, t(0));
  const colLower = new Float64Array(width).fill(-Infinity, y(0), t(0));
  const colUpper = new Float64Array(width).fill(Infinity);
  for (let j = 0; j < columns; j++) {
    colCost[j] = (sign * gradient[j]!) / unit;
    colLower[j] = (problem.variableLower[j]! - center[j]!) / unit;
    colUpper[j] = (problem.variableUpper[j]! - center[j]!) / unit;
  }
  const rowLower = new Float64Array(rows + squares);
  const rowUpper = new Float64Array(rows + squares);
  for (let i = 0; i < rows; i++) {
    let activity = 0;
    for (let p = matrix.offsets[i]!; p < matrix.offsets[i + 1]!; p++) {
      activity += matrix.values[p]! * center[matrix.indices[p]!]!;
    }
    rowLower[i] = (problem.rowLower[i]! - activity) / unit;
    rowUpper[i] = (problem.rowUpper[i]! - activity) / unit;
  }
  // Rows: those of the problem, then F z − y = 0.
  const entries = matrix.values.length;
  const starts = new Int32Array(rows + squares + 1);
  starts.set(matrix.offsets);
  const indices = new Int32Array(entries + root.indices.length + squares);
  indices.set(matrix.indices);
  const values = new Float64Array(indices.length);
  values.set(matrix.values);
  let at = entries;
  for (let k = 0; k < squares; k++) {
    for (let p = root.starts[k]!; p < root.starts[k + 1]!; p++) {
      indices[at] = root.indices[p]!;
      values[at++] = root.values[p]!;
    }
    indices[at] = y(k);
    values[at++] = -1;
    starts[rows + k + 1] = at;
  }
  const model = highs.createModel({
    numCols: width,
    numRows: rows + squares,
    sense: highs.constants.objectiveSense.minimize,
    colCost,
    colLower,
    colUpper,
    rowLower,
    rowUpper,
    matrix: { format: "csr", numRows: rows + squares, numCols: width, starts, indices, values },
  });
  try {
    let last: LpSolution | undefined;
    let iterations = earlier;
    // Far out, where no tangent is yet, nothing holds y: it stays within a reach that grows as needed.
    let reach = 1;
    for (let round = 0; round < mostTangentRounds; round++) {
      if (squares > 0) {
        const to = new Float64Array(squares).fill(reach);
        model.changeColsBounds(
          { kind: "range", from: y(0), to: y(squares - 1) },
          to.map((bound) => -bound),
          to,
        );
      }
      let status = runExactly(context, model);
      if (status === is.unbounded || status === is.unboundedOrInfeasible) {
        // Along a direction that changes nothing, rounding made the objective fall: a box ends it.
        const box = 100 * reach;
        const low = colLower.subarray(0, columns).map((bound) => Math.max(bound, -box));
        const high = colUpper.subarray(0, columns).map((bound) => Math.min(bound, box));
        model.changeColsBounds({ kind: "range", from: 0, to: columns - 1 }, low, high);
        status = runExactly(context, model);
      }
      if (status === is.timeLimit || status === is.interrupted) return lpWithout(context, "time-limit", "");
      if (status !== is.optimal) return last;
      iterations += Math.max(0, Number(model.info.get("simplex_iteration_count")));
      const { colValue, rowDual } = model.getSolution();
      const primal = withoutNegativeZeros(center.map((value, j) => value + unit * colValue[j]!));
      const scaling = sign * unit * problem.objectiveScaling;
      const dual = withoutNegativeZeros(rowDual.slice(0, rows).map((value) => value * scaling));
      const answer = { primal, dual, reducedCost: reducedCosts(problem, primal, dual) };
      last = lpAnswer(context, "optimal", answer, { method: "quadratic", iterations });
      if (last.termination === "optimal") return last;
      let changed = false;
      for (let k = 0; k < squares; k++) {
        const point = colValue[y(k)]!;
        if (0.5 * point * point - colValue[t(k)]! <= sharp) continue;
        model.addRow(-0.5 * point * point, Infinity, { indices: [t(k), y(k)], values: [1, -point] });
        changed = true;
      }
      if (colValue.subarray(y(0), t(0)).some((value) => Math.abs(value) > 0.99 * reach)) {
        reach *= 10;
        changed = true;
      }
      if (!changed) return last;
    }
    return last;
  } finally {
    discard(model);
  }
}

/** Solves a linear program sharply. HiGHS's methods fail on different models, so each has its turn. */
function runExactly(context: SolveContext, model: Model): ReturnType<typeof run> {
  const is = context.highs.constants.modelStatus;
  const tolerances = { primal_feasibility_tolerance: sharp, dual_feasibility_tolerance: sharp };
  const ways = [
    { solver: "simplex", presolve: "off" },
    { solver: "ipm", presolve: "off" },
    { solver: "choose", presolve: "on" },
  ] as const;
  let status: ReturnType<typeof run> = is.notSet;
  for (const way of ways) {
    status = run(context, model, { ...way, ...tolerances }, stopping(context));
    if (status === is.optimal || status === is.timeLimit || status === is.interrupted) break;
    model.clearSolver();
  }
  return status;
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
