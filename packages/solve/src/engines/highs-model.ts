// From a problem to what HiGHS takes: ½ xᵀHx as a triangle, semi-continuous rules, no infinite lower bounds turned round.
import type { Highs, ModelData } from "highs";
import { type Problem, type ProblemKind, ValidationError, VariableType } from "../problem.ts";
import type { LowerTriangle } from "./convexity.ts";

/** HiGHS replaces larger upper bounds of semi-continuous variables by this one, and fails where that matters. */
const largestSemiContinuousUpper = 1e5;

/** HiGHS reads coefficients of this size as infinite and refuses them. */
const largestCoefficient = 1e15;

/** A fault of one variable; the caller, who has the names, makes the sentence. */
export class VariableFault extends Error {
  override readonly name = "VariableFault";
  readonly variable: number;
  constructor(variable: number, text: string) {
    super(text);
    this.variable = variable;
  }
}

/** A bound this close to an integer is meant to be that integer. */
const integralityTolerance = 1e-6;

/**
 * The same problem with integer bounds of its integer variables. HiGHS 1.15.1 may take a fractional bound for the value of
 * its variable during presolve: the maximum of 2x + 3y over x + y ≤ 6 and y ≤ 3.2 then comes out as 13, "optimal", for 15.
 */
export function withIntegralBounds(problem: Problem): Problem {
  const { variableTypes: types, variableLower: lower, variableUpper: upper } = problem;
  // Plus 0: there is no −0.
  const least = (j: number) => Math.ceil(lower[j]! - integralityTolerance) + 0;
  const most = (j: number) => Math.floor(upper[j]! + integralityTolerance) + 0;
  const isFractional = (type: number, j: number) =>
    type === VariableType.integer && (lower[j] !== least(j) || upper[j] !== most(j));
  if (!types?.some(isFractional)) return problem;
  const whole = (type: number | undefined) => type === VariableType.integer;
  return {
    ...problem,
    variableLower: lower.map((bound, j) => (whole(types[j]) ? least(j) : bound)),
    variableUpper: upper.map((bound, j) => (whole(types[j]) ? most(j) : bound)),
  };
}

/** "variable 3 (x3)". */
export function variableLabel(problem: Pick<Problem, "variableNames">, variable: number): string {
  const name = problem.variableNames?.[variable];
  return name === undefined || name === "" ? `variable ${variable}` : `variable ${variable} (${name})`;
}

export interface ModelChoices {
  readonly kind: ProblemKind;
  /** Leave the objective out: any feasible point will do. */
  readonly feasibilityOnly: boolean;
  /** Stands for an infinite upper bound of a semi-continuous variable, if the user set it. */
  readonly semiContinuousUpper?: number | undefined;
}

/**
 * The model without its objective scaling: scaling only changes what is reported.
 * @throws VariableFault, ValidationError for what HiGHS cannot take
 */
export function toHighsModel(
  highs: Highs,
  problem: Problem,
  hessian: LowerTriangle | undefined,
  choices: ModelChoices,
): ModelData {
  const { matrix, rows, columns } = problem;
  for (let k = 0; k < matrix.values.length; k++) {
    if (!(Math.abs(matrix.values[k]!) < largestCoefficient)) {
      throw new ValidationError(`A values: element ${k} is ${matrix.values[k]}; HiGHS takes magnitudes below 1e15`);
    }
  }
  const sense = highs.constants.objectiveSense;
  const integral = choices.kind === "mip" ? problem.variableTypes : undefined;
  const bounded = integral === undefined ? undefined : semiContinuousBounds(problem, integral, choices);
  return {
    numCols: columns,
    numRows: rows,
    sense: problem.maximize ? sense.maximize : sense.minimize,
    offset: choices.feasibilityOnly ? 0 : problem.objectiveOffset,
    colCost: choices.feasibilityOnly ? new Float64Array(columns) : problem.objective,
    colLower: problem.variableLower,
    colUpper: bounded?.upper ?? problem.variableUpper,
    rowLower: problem.rowLower,
    rowUpper: problem.rowUpper,
    matrix: {
      format: "csr",
      numRows: rows,
      numCols: columns,
      starts: matrix.offsets,
      indices: matrix.indices,
      values: matrix.values,
    },
    ...(bounded === undefined ? {} : { integrality: bounded.types }),
    ...(hessian === undefined || choices.feasibilityOnly ? {} : { hessian: { format: "triangular", ...hessian } }),
  };
}

/**
 * The effective Hessian H = Q + Qᵀ as a lower triangle, repeated entries added up; undefined when nothing is left.
 * ½ xᵀHx = xᵀQx.
 */
export function effectiveHessian(problem: Pick<Problem, "quadratic" | "columns">): LowerTriangle | undefined {
  const { quadratic: q, columns: dimension } = problem;
  if (q === undefined) return undefined;
  const counts = new Int32Array(dimension + 1);
  const each = (visit: (column: number, row: number, value: number) => void): void => {
    for (let i = 0; i < dimension; i++) {
      for (let k = q.offsets[i]!; k < q.offsets[i + 1]!; k++) {
        const j = q.indices[k]!;
        const value = q.values[k]!;
        if (value !== 0) visit(Math.min(i, j), Math.max(i, j), i === j ? 2 * value : value);
      }
    }
  };
  each((column) => {
    counts[column + 1] = counts[column + 1]! + 1;
  });
  for (let j = 0; j < dimension; j++) counts[j + 1] = counts[j + 1]! + counts[j]!;
  const next = counts.slice();
  const rows = new Int32Array(counts[dimension]!);
  const raw = new Float64Array(counts[dimension]!);
  each((column, row, value) => {
    const at = next[column]!;
    rows[at] = row;
    raw[at] = value;
    next[column] = at + 1;
  });

  const starts = new Int32Array(dimension + 1);
  const indices: number[] = [];
  const values: number[] = [];
  const sum = new Map<number, number>();
  for (let j = 0; j < dimension; j++) {
    sum.clear();
    for (let k = counts[j]!; k < counts[j + 1]!; k++) sum.set(rows[k]!, (sum.get(rows[k]!) ?? 0) + raw[k]!);
    for (const row of [...sum.keys()].sort((a, b) => a - b)) {
      const value = sum.get(row)!;
      if (value === 0) continue;
      indices.push(row);
      values.push(value);
    }
    starts[j + 1] = indices.length;
  }
  if (indices.length === 0) return undefined;
  return { dimension, starts, indices: Int32Array.from(indices), values: Float64Array.from(values) };
}

/** Whether the variable makes the model a mixed-integer one. A semi-continuous one does not if 0 is within its bounds. */
export function isDiscrete({ variableTypes, variableLower, variableUpper }: Problem, variable: number): boolean {
  const type = variableTypes?.[variable] ?? VariableType.continuous;
  if (type !== VariableType.semiContinuous) return type !== VariableType.continuous;
  return !(variableLower[variable]! <= 0 && variableUpper[variable]! >= 0);
}

function semiContinuousBounds(
  problem: Problem,
  types: Int32Array,
  choices: ModelChoices,
): { types: Int32Array; upper: Float64Array } {
  const used = types.slice();
  let upper = problem.variableUpper;
  for (let j = 0; j < problem.columns; j++) {
    if (types[j] !== VariableType.semiContinuous) continue;
    if (!isDiscrete(problem, j)) {
      used[j] = VariableType.continuous;
      continue;
    }
    const [low, high] = [problem.variableLower[j]!, upper[j]!];
    if (high < 0) {
      throw new VariableFault(
        j,
        `is semi-continuous with bounds ${low} to ${high}; HiGHS takes positive bounds only. Replace it by its negative`,
      );
    }
    const stand = high === Infinity ? choices.semiContinuousUpper : undefined;
    if (
      high > largestSemiContinuousUpper &&
      !(stand !== undefined && stand <= largestSemiContinuousUpper && stand >= low)
    ) {
      const remedy = `give it an upper bound, or set semi_continuous_big_m to at most ${largestSemiContinuousUpper}`;
      throw new VariableFault(
        j,
        `is semi-continuous with upper bound ${high}; HiGHS takes at most ${largestSemiContinuousUpper}: ${high === Infinity ? remedy : "scale the variable"}`,
      );
    }
    if (stand !== undefined) {
      if (upper === problem.variableUpper) upper = upper.slice();
      upper[j] = stand;
    }
  }
  return { types: used, upper };
}
