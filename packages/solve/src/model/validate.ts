// Structural checks of a model, from the statistics of its arrays alone: an upload is judged without rereading it.
import { type ProblemKind, VariableType } from "../problem.ts";
import { type ArrayName, modelArrays } from "./arrays.ts";
import { type ArrayStats, fromStatNumber } from "./stats.ts";

/** Statistics by array; an absent entry and one with count 0 both mean that the array was not sent. */
export type StatsByArray = { readonly [Name in ArrayName]?: ArrayStats | undefined };

/** The numbers of a model that stand outside its arrays. */
export interface ModelScalars {
  /** Absent means 1. */
  readonly objectiveScaling?: number | undefined;
  readonly objectiveOffset: number;
}

export interface ModelSizes {
  /** m. Without a matrix it follows from the row bounds or the right-hand side. */
  readonly rows: number;
  /** n, the number of objective coefficients. */
  readonly columns: number;
  /** Entries of A. */
  readonly nonzeros: number;
  /** Entries of Q. */
  readonly quadraticNonzeros: number;
}

/** The sizes that a model's arrays claim; only meaningful together with an empty answer of `validateModel`. */
export function modelSizes(stats: StatsByArray): ModelSizes {
  return {
    rows: rowCount(stats).rows,
    columns: count(stats, "c"),
    nonzeros: count(stats, "aValues"),
    quadraticNonzeros: count(stats, "qValues"),
  };
}

/**
 * All structural faults of a model, at most a few per array; empty when there is none. Each text names the array as on
 * the wire, the element where there is one (counted from 0), what was found and what is allowed.
 *
 * Crossed bounds are not a fault: such a model is infeasible, and that is an outcome. A lower bound of +Infinity or an
 * upper bound of -Infinity is one: infinity stands for "no bound", so the sign is most likely a slip.
 *
 * An LP request relaxes integer variables to continuous ones, as the wire demands. Semi-continuous variables cannot be
 * relaxed by ignoring their type (their bounds would then forbid 0), so they are refused there.
 *
 * Needs no data, hence does not see a column that appears twice in one row; `problemFromArrays` does.
 */
export function validateModel(kind: ProblemKind, scalars: ModelScalars, stats: StatsByArray): string[] {
  const faults: string[] = [];
  checkScalars(scalars, faults);

  const columns = count(stats, "c");
  if (columns === 0) {
    faults.push(
      "c is missing or empty: one objective coefficient is needed for each variable, and at least one variable",
    );
    // Every other size would be compared with 0 and only repeat the fault.
    return faults;
  }
  const { rows, source } = rowCount(stats);
  const perRow = `one for each row; ${source} tells of ${rows}`;
  const perColumn = `one for each variable; c has ${columns}`;

  checkMatrix(stats, ["aValues", "aIndices", "aOffsets"], rows, columns, faults);
  checkMatrix(stats, ["qValues", "qIndices", "qOffsets"], columns, columns, faults);

  for (const name of ["variableLower", "variableUpper", "variableTypes", "initialPrimal"] as const) {
    checkLength(stats, name, columns, perColumn, faults);
  }
  for (const name of ["rowLower", "rowUpper", "b", "rowTypes", "initialDual"] as const) {
    checkLength(stats, name, rows, perRow, faults);
  }
  checkRowSides(stats, rows, faults);

  checkFinite(stats, "c", faults);
  checkFinite(stats, "initialPrimal", faults);
  checkFinite(stats, "initialDual", faults);
  for (const [lower, upper] of [
    ["variableLower", "variableUpper"],
    ["rowLower", "rowUpper"],
  ] as const) {
    checkBound(stats, lower, Number.POSITIVE_INFINITY, faults);
    checkBound(stats, upper, Number.NEGATIVE_INFINITY, faults);
  }
  // The right-hand side beside row bounds has no effect; many clients send both forms, and then ±Infinity is usual.
  if (hasRowBounds(stats)) checkNan(stats, "b", faults);
  else checkFinite(stats, "b", faults);
  checkRowTypes(stats, faults);
  checkVariableTypes(kind, stats, faults);
  return faults;
}

function checkScalars(scalars: ModelScalars, faults: string[]): void {
  const { objectiveScaling, objectiveOffset } = scalars;
  if (objectiveScaling !== undefined && (!Number.isFinite(objectiveScaling) || objectiveScaling === 0)) {
    faults.push(
      `objective_scaling_factor is ${objectiveScaling}; a finite number other than 0 is allowed (1 for none)`,
    );
  }
  if (!Number.isFinite(objectiveOffset)) {
    faults.push(`objective_offset is ${objectiveOffset}; a finite number is allowed`);
  }
}

/** The number of rows, and the array that says so: the matrix if there is one, else what else has an entry per row. */
function rowCount(stats: StatsByArray): { rows: number; source: string } {
  const offsets = count(stats, "aOffsets");
  if (offsets > 0) return { rows: offsets - 1, source: wireName("aOffsets") };
  for (const name of ["rowLower", "rowUpper", "b", "rowTypes"] as const) {
    if (count(stats, name) > 0) return { rows: count(stats, name), source: wireName(name) };
  }
  return { rows: 0, source: "the absence of A_offsets and of all row arrays" };
}

/** Compressed sparse row form: `major` rows whose entries are in columns below `minor`. */
function checkMatrix(
  stats: StatsByArray,
  [values, indices, offsets]: readonly [ArrayName, ArrayName, ArrayName],
  major: number,
  minor: number,
  faults: string[],
): void {
  const nonzeros = count(stats, values);
  const offsetStats = stats[offsets];
  if (count(stats, indices) !== nonzeros) {
    faults.push(
      `${wireName(values)} has ${elements(nonzeros)} and ${wireName(indices)} has ${count(stats, indices)}; ` +
        "the same number is needed, one column index for each value",
    );
  }
  if (offsetStats === undefined || offsetStats.count === 0) {
    if (nonzeros > 0 || count(stats, indices) > 0) {
      faults.push(`${wireName(offsets)} is missing or empty although ${wireName(values)} has ${elements(nonzeros)}`);
    }
  } else {
    const rowsWord = offsets === "qOffsets" ? "variable" : "row";
    if (offsetStats.count !== major + 1) {
      faults.push(
        `${wireName(offsets)} has ${elements(offsetStats.count)}; ${major + 1} are needed, one for each ${rowsWord} and one more`,
      );
    }
    if (offsetStats.first !== 0) faults.push(`${wireName(offsets)}[0] is ${offsetStats.first}; 0 is needed`);
    if (offsetStats.firstDescent !== undefined) {
      const at = offsetStats.firstDescent;
      faults.push(`${wireName(offsets)}[${at}] is less than ${wireName(offsets)}[${at - 1}]; offsets must not descend`);
    }
    if (offsetStats.last !== nonzeros) {
      const last = offsetStats.count - 1;
      faults.push(
        `${wireName(offsets)}[${last}] is ${offsetStats.last}; ${nonzeros} is needed, ` +
          `the number of elements of ${wireName(values)}`,
      );
    }
  }
  for (const [index, at] of outside(stats[indices], 0, minor - 1)) {
    faults.push(
      `${wireName(indices)}[${at}] is ${index}; 0 to ${minor - 1} is allowed, since there are ${minor} variables`,
    );
  }
  checkFinite(stats, values, faults);
}

/** The two-sided form wins when it is complete; otherwise right-hand side and row types must both be there. */
function checkRowSides(stats: StatsByArray, rows: number, faults: string[]): void {
  const lower = count(stats, "rowLower");
  const upper = count(stats, "rowUpper");
  if (lower > 0 !== upper > 0) {
    const [present, absent] = lower > 0 ? (["rowLower", "rowUpper"] as const) : (["rowUpper", "rowLower"] as const);
    faults.push(
      `${wireName(absent)} is missing or empty while ${wireName(present)} has ${elements(count(stats, present))}; both or neither are allowed`,
    );
    return;
  }
  if (rows === 0 || lower > 0) return;
  const hasB = count(stats, "b") > 0;
  const hasTypes = count(stats, "rowTypes") > 0;
  if (hasB && hasTypes) return;
  const missing = hasB
    ? "row_types is"
    : hasTypes
      ? "b is"
      : "constraint_lower_bounds, constraint_upper_bounds and b are";
  faults.push(
    `${missing} missing or empty; the ${rows} rows need constraint_lower_bounds and constraint_upper_bounds, or b and row_types`,
  );
}

const hasRowBounds = (stats: StatsByArray): boolean => count(stats, "rowLower") > 0 && count(stats, "rowUpper") > 0;

function checkLength(stats: StatsByArray, name: ArrayName, needed: number, why: string, faults: string[]): void {
  const found = count(stats, name);
  if (found > 0 && found !== needed) {
    faults.push(`${wireName(name)} has ${elements(found)}; ${needed} are needed (${why})`);
  }
}

function checkNan(stats: StatsByArray, name: ArrayName, faults: string[]): void {
  const { nan, firstNan } = stats[name] ?? { nan: 0 };
  if (nan === 0) return;
  const others = nan > 1 ? ` (and ${nan - 1} more)` : "";
  faults.push(`${wireName(name)}[${firstNan}] is NaN${others}; a number is needed`);
}

function checkFinite(stats: StatsByArray, name: ArrayName, faults: string[]): void {
  checkNan(stats, name, faults);
  const { min, max, argmin, argmax } = extremes(stats[name]);
  if (min === Number.NEGATIVE_INFINITY)
    faults.push(`${wireName(name)}[${argmin}] is -Infinity; a finite number is needed`);
  if (max === Number.POSITIVE_INFINITY)
    faults.push(`${wireName(name)}[${argmax}] is Infinity; a finite number is needed`);
}

function checkBound(stats: StatsByArray, name: ArrayName, forbidden: number, faults: string[]): void {
  checkNan(stats, name, faults);
  const { min, max, argmin, argmax } = extremes(stats[name]);
  const [found, at, side] = forbidden > 0 ? ([max, argmax, "a lower"] as const) : ([min, argmin, "an upper"] as const);
  if (found === forbidden) {
    faults.push(
      `${wireName(name)}[${at}] is ${forbidden}; ${side} bound is a finite number, or ${-forbidden} for none`,
    );
  }
}

function checkRowTypes(stats: StatsByArray, faults: string[]): void {
  const bad = stats.rowTypes?.firstBadRowType;
  if (bad === undefined) return;
  const letter = bad.byte > 0x20 && bad.byte < 0x7f ? ` ("${String.fromCharCode(bad.byte)}")` : "";
  faults.push(`row_types[${bad.index}] is byte ${bad.byte}${letter}; the ASCII letters E, L and G are allowed`);
}

function checkVariableTypes(kind: ProblemKind, stats: StatsByArray, faults: string[]): void {
  const { max, argmax } = extremes(stats.variableTypes);
  for (const [type, at] of outside(stats.variableTypes, VariableType.continuous, VariableType.semiContinuous)) {
    faults.push(`variable_types[${at}] is ${type}; 0 (continuous), 1 (integer) and 2 (semi-continuous) are allowed`);
  }
  if (kind === "lp" && max === VariableType.semiContinuous) {
    faults.push(
      `variable_types[${argmax}] is 2 (semi-continuous) in an LP request; send the model as a MIP, ` +
        "because ignoring the type would forbid the value 0",
    );
  }
  if (kind === "mip" && max >= VariableType.integer && count(stats, "qValues") > 0) {
    faults.push(
      `not supported: mixed-integer quadratic (Q_values has ${elements(count(stats, "qValues"))} and ` +
        `variable_types[${argmax}] is ${max}); leave out Q, or make all variables continuous`,
    );
  }
}

const wireName = (name: ArrayName): string => modelArrays[name].wireName;

const count = (stats: StatsByArray, name: ArrayName): number => stats[name]?.count ?? 0;

const elements = (n: number): string => (n === 1 ? "1 element" : `${n} elements`);

/** NaN, which no comparison finds at fault, stands for an array that is absent or empty. */
function extremes(stats: ArrayStats | undefined): { min: number; argmin: number; max: number; argmax: number } {
  return {
    min: stats?.min === undefined ? Number.NaN : fromStatNumber(stats.min),
    argmin: stats?.argmin ?? 0,
    max: stats?.max === undefined ? Number.NaN : fromStatNumber(stats.max),
    argmax: stats?.argmax ?? 0,
  };
}

/** The least and the greatest element, with their places, as far as they are outside of what is allowed. */
function outside(stats: ArrayStats | undefined, low: number, high: number): (readonly [number, number])[] {
  const { min, max, argmin, argmax } = extremes(stats);
  const found = [[min, argmin] as const, [max, argmax] as const].filter(([value]) => value < low || value > high);
  return argmin === argmax ? found.slice(0, 1) : found;
}
