// Checks of what a solver claims: residuals, violations, objectives and gap, computed here from the model alone.
//
// Signs. Let f(x) = s·(c·x + xᵀQx + offset) be the objective as users read it, s the objective scaling. Duals y and
// reduced costs z belong to f, whichever way it is optimized: ∇f(x) = Aᵀy + z, so that y[i] is the rate at which the
// optimal f changes with the bound that row i leans on. For a minimum y[i] ≥ 0 at a lower bound and y[i] ≤ 0 at an
// upper one, and z likewise; for a maximum the signs are the other way round.
//
// Which way: `maximize` speaks of c·x + xᵀQx + offset without the scaling, as in cuOpt, where the factor multiplies what
// is reported and nothing else. So a negative factor never changes the optimal x; it makes f of a minimum look maximized,
// and the signs of y and z are those of a maximum.
import { type Problem, type SparseMatrix, VariableType } from "./problem.ts";

/**
 * Largest violation, relative to the numbers that are compared, with which a point is still called feasible; and the
 * largest relative gap with which a point is still called optimal.
 */
export const acceptedViolation = 1e-5;

/** How far a point is from feasible, and what it is worth. All in the user's space. */
export interface PrimalMeasures {
  /** f(x), in the user's sense. */
  readonly objective: number;
  /** Largest violation of a row bound, absolute. */
  readonly maxRowViolation: number;
  /** Largest violation of a variable bound, absolute; a semi-continuous variable may also be 0. */
  readonly maxBoundViolation: number;
  /** Largest distance of an integer variable from a whole number; 0 where types are to be ignored. */
  readonly maxIntegralityViolation: number;
  /** ‖violations of row and variable bounds‖₂. */
  readonly l2Residual: number;
  /**
   * Largest of: row violation / (1 + max(|bound|, max |a x|)), bound violation / (1 + |bound|), integrality violation.
   * NaN in the point makes it Infinity.
   */
  readonly scaledViolation: number;
}

/** How far a pair of duals is from proving the point optimal. */
export interface DualMeasures {
  /** Value of the dual of f at (x, y, z); see `measureDual`. */
  readonly objective: number;
  /** |f(x) − dual objective|. */
  readonly gap: number;
  /** The gap, relative to 1 + |f(x)| + |dual objective|. */
  readonly relativeGap: number;
  /** ‖∇f(x) − Aᵀy − z‖₂. */
  readonly l2Residual: number;
  /**
   * Largest |y| or |z| whose sign asks for a bound that does not exist, or largest entry of ∇f(x) − Aᵀy − z, relative
   * to 1 + max |∇f|.
   */
  readonly scaledViolation: number;
}

/** +1 when a smaller f is better, −1 when a larger one is. Zero scaling counts as positive. */
export function directionOf(problem: Problem): 1 | -1 {
  return problem.maximize === problem.objectiveScaling >= 0 ? -1 : 1;
}

/** s·(c·x + xᵀQx + offset) for x of length n. */
export function objectiveAt(problem: Problem, x: Float64Array): number {
  let sum = problem.objectiveOffset;
  for (let j = 0; j < problem.columns; j++) sum += problem.objective[j]! * x[j]!;
  if (problem.quadratic !== undefined) sum += quadraticForm(problem.quadratic, x);
  return problem.objectiveScaling * sum;
}

/**
 * @param x a point, n values
 * @param integrality whether variable types count (a MIP) or are ignored (an LP)
 */
export function measurePrimal(problem: Problem, x: Float64Array, integrality: boolean): PrimalMeasures {
  let squares = 0;
  let maxRowViolation = 0;
  let scaled = 0;
  const { offsets, indices, values } = problem.matrix;
  for (let i = 0; i < problem.rows; i++) {
    let activity = 0;
    let largest = 0;
    for (let k = offsets[i]!; k < offsets[i + 1]!; k++) {
      const term = values[k]! * x[indices[k]!]!;
      activity += term;
      largest = Math.max(largest, Math.abs(term));
    }
    const { violation, bound } = outside(activity, problem.rowLower[i]!, problem.rowUpper[i]!);
    squares += violation * violation;
    maxRowViolation = Math.max(maxRowViolation, violation);
    scaled = Math.max(scaled, violation / (1 + Math.max(Math.abs(bound), largest)));
  }
  let maxBoundViolation = 0;
  let maxIntegralityViolation = 0;
  for (let j = 0; j < problem.columns; j++) {
    const value = x[j]!;
    const type = integrality ? problem.variableTypes?.[j] : VariableType.continuous;
    let { violation, bound } = outside(value, problem.variableLower[j]!, problem.variableUpper[j]!);
    if (type === VariableType.semiContinuous && Math.abs(value) < violation) {
      violation = Math.abs(value);
      bound = 0;
    }
    squares += violation * violation;
    maxBoundViolation = Math.max(maxBoundViolation, violation);
    scaled = Math.max(scaled, violation / (1 + Math.abs(bound)));
    if (type === VariableType.integer) {
      const distance = Math.abs(value - Math.round(value));
      maxIntegralityViolation = Math.max(maxIntegralityViolation, distance);
      scaled = Math.max(scaled, distance);
    }
  }
  return {
    objective: objectiveAt(problem, x),
    maxRowViolation,
    maxBoundViolation,
    maxIntegralityViolation,
    l2Residual: Math.sqrt(squares),
    scaledViolation: Number.isNaN(squares + scaled) ? Infinity : scaled,
  };
}

/**
 * The dual objective is Dorn's for a convex quadratic program, which for Q = 0 is that of linear programming:
 * s·offset − ½ xᵀHx + Σᵢ yᵢ bᵢ + Σⱼ zⱼ lⱼ, with H = s(Q + Qᵀ) and bᵢ, lⱼ the bound that the sign of the multiplier points
 * to. A multiplier whose bound is infinite adds nothing and counts as a violation instead.
 * @see Dorn, Duality in quadratic programming, Quart. Appl. Math. 18 (1960)
 * @param x n values    @param y row duals, m values    @param z reduced costs, n values; signs as at the top of this file
 */
export function measureDual(problem: Problem, x: Float64Array, y: Float64Array, z: Float64Array): DualMeasures {
  const scaling = problem.objectiveScaling;
  const direction = directionOf(problem);
  const gradient = gradientAt(problem, x);
  const largestGradient = gradient.reduce((most, slope) => Math.max(most, Math.abs(slope)), 0);
  const residual = lessRowDuals(problem, gradient, y);
  let objective = scaling * problem.objectiveOffset;
  if (problem.quadratic !== undefined) objective -= scaling * quadraticForm(problem.quadratic, x);
  let wrong = 0;
  const lean = (multiplier: number, lower: number, upper: number): void => {
    if (multiplier === 0) return;
    const bound = multiplier * direction > 0 ? lower : upper;
    if (Number.isFinite(bound)) objective += multiplier * bound;
    else wrong = Math.max(wrong, Math.abs(multiplier));
  };
  for (let i = 0; i < problem.rows; i++) lean(y[i]!, problem.rowLower[i]!, problem.rowUpper[i]!);
  let squares = 0;
  for (let j = 0; j < problem.columns; j++) {
    const left = residual[j]! - z[j]!;
    squares += left * left;
    wrong = Math.max(wrong, Math.abs(left));
    lean(z[j]!, problem.variableLower[j]!, problem.variableUpper[j]!);
  }
  const primal = objectiveAt(problem, x);
  const gap = Math.abs(primal - objective);
  return {
    objective,
    gap,
    relativeGap: gap / (1 + Math.abs(primal) + Math.abs(objective)),
    l2Residual: Math.sqrt(squares),
    scaledViolation: wrong / (1 + largestGradient),
  };
}

/** The reduced costs that fit the row duals exactly: ∇f(x) − Aᵀy, n values. */
export function reducedCosts(problem: Problem, x: Float64Array, y: Float64Array): Float64Array {
  return lessRowDuals(problem, gradientAt(problem, x), y);
}

/** |objective − bound| / |objective|; 0 when both are equal. */
export function relativeMipGap(objective: number, bound: number): number {
  if (objective === bound) return 0;
  const gap = Math.abs(objective - bound) / Math.abs(objective);
  return Number.isNaN(gap) ? Infinity : gap;
}

/** The first row or variable whose bounds leave nothing, in words; undefined when there is none. */
export function crossedBounds(problem: Problem): string | undefined {
  const crossed = (lower: number, upper: number): boolean => lower > upper || lower === Infinity || upper === -Infinity;
  for (let i = 0; i < problem.rows; i++) {
    const [lower, upper] = [problem.rowLower[i]!, problem.rowUpper[i]!];
    if (crossed(lower, upper)) return `row ${i}: lower bound ${lower} is above upper bound ${upper}`;
  }
  for (let j = 0; j < problem.columns; j++) {
    const [lower, upper] = [problem.variableLower[j]!, problem.variableUpper[j]!];
    if (crossed(lower, upper)) return `variable ${j}: lower bound ${lower} is above upper bound ${upper}`;
  }
  return undefined;
}

function outside(value: number, lower: number, upper: number): { violation: number; bound: number } {
  if (value < lower) return { violation: lower - value, bound: lower };
  if (value > upper) return { violation: value - upper, bound: upper };
  return { violation: value - value, bound: 0 };
}

/** xᵀQx. */
function quadraticForm(q: SparseMatrix, x: Float64Array): number {
  let sum = 0;
  for (let i = 0; i + 1 < q.offsets.length; i++) {
    let row = 0;
    for (let k = q.offsets[i]!; k < q.offsets[i + 1]!; k++) row += q.values[k]! * x[q.indices[k]!]!;
    sum += row * x[i]!;
  }
  return sum;
}

/** ∇f(x) = s·(c + (Q + Qᵀ)x). */
function gradientAt(problem: Problem, x: Float64Array): Float64Array {
  const { quadratic: q, objectiveScaling } = problem;
  const gradient = problem.objective.slice();
  if (q !== undefined) {
    for (let i = 0; i + 1 < q.offsets.length; i++) {
      for (let k = q.offsets[i]!; k < q.offsets[i + 1]!; k++) {
        const j = q.indices[k]!;
        gradient[i] = gradient[i]! + q.values[k]! * x[j]!;
        gradient[j] = gradient[j]! + q.values[k]! * x[i]!;
      }
    }
  }
  for (let j = 0; j < gradient.length; j++) gradient[j] = gradient[j]! * objectiveScaling;
  return gradient;
}

/** vector − Aᵀy, in place. */
function lessRowDuals(problem: Problem, vector: Float64Array, y: Float64Array): Float64Array {
  const { offsets, indices, values } = problem.matrix;
  for (let i = 0; i < problem.rows; i++) {
    for (let k = offsets[i]!; k < offsets[i + 1]!; k++) {
      const j = indices[k]!;
      vector[j] = vector[j]! - values[k]! * y[i]!;
    }
  }
  return vector;
}
