// A linear, quadratic or mixed-integer problem as sparse arrays, and its way to the message that submits it.
import { ArrayFieldId, type NumberArray, type SettingsKind } from "@sortie/wire";
import { InvalidModelError } from "./input-errors.ts";
import type { ProblemMessage } from "./message.ts";
import { type LpSettings, type MipSettings, settingValues } from "./settings.ts";

/** Numbers to send. A Float64Array goes as it is, without a copy. */
export type Doubles = Float64Array | readonly number[];
/** Whole numbers to send. An Int32Array goes as it is, without a copy. */
export type Integers = Int32Array | readonly number[];

/** A sparse matrix in compressed sparse row (CSR) form. */
export interface SparseRows {
  /** Where each row starts in `indices` and `values`; rows + 1 entries, first 0, never descending. */
  readonly offsets: Integers;
  /** Column of each entry, from 0; at most one entry for each column in a row. */
  readonly indices: Integers;
  readonly values: Doubles;
}

/** What a variable may take, in the order of the wire's numbers. */
export const VARIABLE_TYPES = ["continuous", "integer", "semi-continuous"] as const;

/** A semi-continuous variable is 0 or within its bounds (cuOpt since 26.06). */
export type VariableTypeWord = (typeof VARIABLE_TYPES)[number];

/**
 * min or max  scaling · (c·x + xᵀQx + offset)   subject to   rowLower ≤ A x ≤ rowUpper,   lower ≤ x ≤ upper,
 *
 * with n variables and m rows. The quadratic term has no factor one half. A bound that is not there is ±Infinity.
 */
export interface LinearProblem {
  readonly name?: string | undefined;
  readonly objectiveName?: string | undefined;
  /** Default false. A cuOpt 26.04 server has no answer to a quadratic problem that is maximised. */
  readonly maximize?: boolean | undefined;
  /** Multiplies the whole objective, offset included. Default 1. */
  readonly objectiveScaling?: number | undefined;
  /** Default 0. */
  readonly objectiveOffset?: number | undefined;
  /** c, n; its length is the number of variables. */
  readonly objective: Doubles;
  /** A, m × n. Absent: there are no rows. */
  readonly matrix?: SparseRows | undefined;
  /** m; needed with `matrix`. */
  readonly rowLower?: Doubles | undefined;
  /** m; needed with `matrix`. */
  readonly rowUpper?: Doubles | undefined;
  /** n. Default 0. */
  readonly variableLower?: Doubles | undefined;
  /** n. Default Infinity. */
  readonly variableUpper?: Doubles | undefined;
  /** n words, or as numbers 0 continuous, 1 integer, 2 semi-continuous. Default: all continuous. */
  readonly variableTypes?: Integers | readonly VariableTypeWord[] | undefined;
  /** Q, n × n; need not be symmetric: the entries (i, j) and (j, i) add up to the coefficient of xᵢ·xⱼ. */
  readonly quadratic?: SparseRows | undefined;
  /** n; where the search may start. Sortie uses it, a cuOpt server throws it away. */
  readonly initialPrimal?: Doubles | undefined;
  /** m; used by Sortie for an LP, together with `initialPrimal`. */
  readonly initialDual?: Doubles | undefined;
  readonly variableNames?: readonly string[] | undefined;
  readonly rowNames?: readonly string[] | undefined;
}

export interface LpOptions {
  /** "lp" drops integrality: integer variables are solved as continuous ones. */
  readonly kind: "lp";
  readonly settings?: LpSettings | undefined;
}

export interface MipOptions {
  readonly kind: "mip";
  readonly settings?: MipSettings | undefined;
  /** Whether incumbents are published. Default true. */
  readonly enableIncumbents?: boolean | undefined;
}

/** "mip" if a variable is not continuous, else "lp". */
export function kindOf({ variableTypes }: LinearProblem): SettingsKind {
  const types: Iterable<number | string> = variableTypes ?? [];
  for (const type of types) if (type !== 0 && type !== "continuous") return "mip";
  return "lp";
}

/**
 * The message that submits a problem. Typed arrays are used as they are; others are converted once.
 * @throws InvalidModelError for lengths and indices that do not fit each other
 * @throws InvalidSettingError
 */
export function problemMessage(problem: LinearProblem, options: LpOptions | MipOptions): ProblemMessage {
  const { kind } = options;
  const arrays = arraysOf(problem, kind);
  return {
    kind,
    maximize: problem.maximize ?? false,
    objectiveScalingFactor: finite("objectiveScaling", problem.objectiveScaling ?? 1),
    objectiveOffset: finite("objectiveOffset", problem.objectiveOffset ?? 0),
    problemName: problem.name ?? "",
    objectiveName: problem.objectiveName ?? "",
    variableNames: problem.variableNames ?? [],
    rowNames: problem.rowNames ?? [],
    arrays,
    settings: settingValues(kind, options.settings ?? {}),
    ...(options.kind === "mip" && options.enableIncumbents !== undefined
      ? { enableIncumbents: options.enableIncumbents }
      : {}),
  };
}

function arraysOf(problem: LinearProblem, kind: SettingsKind): Map<ArrayFieldId, NumberArray | Uint8Array> {
  const columns = problem.objective.length;
  if (columns === 0) throw new InvalidModelError("objective is empty; at least one variable is needed");
  const perVariable = `one for each variable, as objective has ${columns}`;
  const matrix = csr("matrix", problem.matrix ?? { offsets: [0], indices: [], values: [] }, columns);
  const rows = matrix.offsets.length - 1;
  const perRow = problem.matrix ? `one for each row, as matrix.offsets tells of ${rows}` : "there is no matrix";
  const arrays = new Map<ArrayFieldId, NumberArray | Uint8Array>();
  const put = (id: ArrayFieldId, array: NumberArray | undefined) => {
    if (array !== undefined && array.length > 0) arrays.set(id, array);
  };
  const perColumnArray = (name: "variableLower" | "variableUpper" | "initialPrimal") =>
    sized(name, doubles(name, problem[name]), columns, perVariable);
  const perRowArray = (name: "rowLower" | "rowUpper" | "initialDual") =>
    sized(name, doubles(name, problem[name]), rows, perRow);

  put(ArrayFieldId.FIELD_A_VALUES, matrix.values);
  put(ArrayFieldId.FIELD_A_INDICES, matrix.indices);
  // Also of a model without rows: servers need the one entry.
  put(ArrayFieldId.FIELD_A_OFFSETS, matrix.offsets);
  put(ArrayFieldId.FIELD_C, doubles("objective", problem.objective));
  put(ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS, perColumnArray("variableLower"));
  put(ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS, perColumnArray("variableUpper"));
  for (const name of ["rowLower", "rowUpper"] as const) {
    if (rows > 0 && problem[name] === undefined) {
      throw new InvalidModelError(`${name} is missing; ${rows} values are needed, ±Infinity where there is no bound`);
    }
  }
  put(ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS, perRowArray("rowLower"));
  put(ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS, perRowArray("rowUpper"));
  put(ArrayFieldId.FIELD_VARIABLE_TYPES, typesOf(problem, kind));
  put(ArrayFieldId.FIELD_INITIAL_PRIMAL_SOLUTION, perColumnArray("initialPrimal"));
  put(ArrayFieldId.FIELD_INITIAL_DUAL_SOLUTION, perRowArray("initialDual"));
  if (problem.quadratic !== undefined) {
    const quadratic = csr("quadratic", problem.quadratic, columns);
    sized("quadratic.offsets", quadratic.offsets, columns + 1, "one for each variable and one more");
    put(ArrayFieldId.FIELD_Q_VALUES, quadratic.values);
    put(ArrayFieldId.FIELD_Q_INDICES, quadratic.indices);
    put(ArrayFieldId.FIELD_Q_OFFSETS, quadratic.offsets);
  }
  sized("variableNames", problem.variableNames, columns, perVariable);
  sized("rowNames", problem.rowNames, rows, perRow);
  return arrays;
}

/** What the wire calls variable types; none for an LP, which has no integers. */
function typesOf(problem: LinearProblem, kind: SettingsKind): Int32Array | undefined {
  if (problem.variableTypes === undefined) return undefined;
  const columns = problem.objective.length;
  const types = sized("variableTypes", typeNumbers(problem.variableTypes), columns, "one for each variable");
  const semiContinuous = types.indexOf(2);
  if (kind === "lp" && semiContinuous >= 0) {
    throw new InvalidModelError(
      `variableTypes[${semiContinuous}] is semi-continuous, which an LP cannot have; solve the problem as a MIP`,
    );
  }
  const integral = types.findIndex((type) => type !== 0);
  if (kind === "mip" && integral >= 0 && problem.quadratic !== undefined && problem.quadratic.values.length > 0) {
    throw new InvalidModelError(
      `quadratic is given and variableTypes[${integral}] is ${VARIABLE_TYPES[types[integral]!]}; ` +
        "a quadratic objective needs continuous variables only",
    );
  }
  return kind === "mip" ? types : undefined;
}

function typeNumbers(types: NonNullable<LinearProblem["variableTypes"]>): Int32Array {
  const isTyped = types instanceof Int32Array;
  const numbers = isTyped ? types : integers("variableTypes", [...types].map(typeNumber));
  const wrong = numbers.findIndex((type) => type < 0 || type >= VARIABLE_TYPES.length);
  if (wrong >= 0) throw new InvalidModelError(`variableTypes[${wrong}] is ${numbers[wrong]}; 0, 1 and 2 are allowed`);
  return numbers;
}

function typeNumber(type: VariableTypeWord | number, at: number): number {
  const number = typeof type === "string" ? VARIABLE_TYPES.indexOf(type) : type;
  if (number >= 0 || typeof type === "number") return number;
  throw new InvalidModelError(`variableTypes[${at}] is "${type}"; ${VARIABLE_TYPES.join(", ")} are allowed`);
}

interface TypedRows {
  readonly offsets: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

function csr(name: "matrix" | "quadratic", matrix: SparseRows, columns: number): TypedRows {
  const offsets = integers(`${name}.offsets`, matrix.offsets);
  const indices = integers(`${name}.indices`, matrix.indices);
  const values = doubles(`${name}.values`, matrix.values);
  sized(`${name}.indices`, indices, values.length, `one for each of ${name}.values`);
  if (offsets[0] !== 0) throw new InvalidModelError(`${name}.offsets[0] is ${offsets[0] ?? "missing"}; 0 is needed`);
  const last = offsets.length - 1;
  if (offsets[last] !== values.length) {
    throw new InvalidModelError(
      `${name}.offsets[${last}] is ${offsets[last]}; ${values.length} is needed, the length of ${name}.values`,
    );
  }
  const descent = offsets.findIndex((offset, row) => row > 0 && offset < offsets[row - 1]!);
  if (descent > 0) {
    throw new InvalidModelError(
      `${name}.offsets[${descent}] is ${offsets[descent]}, less than the one before; offsets must not descend`,
    );
  }
  for (let at = 0; at < indices.length; at++) {
    const column = indices[at]!;
    if (column < 0 || column >= columns) {
      throw new InvalidModelError(`${name}.indices[${at}] is ${column}; 0 to ${columns - 1} is allowed`);
    }
  }
  return { offsets, indices, values };
}

function doubles(name: string, array: Doubles): Float64Array;
function doubles(name: string, array: Doubles | undefined): Float64Array | undefined;
function doubles(name: string, array: Doubles | undefined): Float64Array | undefined {
  if (array === undefined || array instanceof Float64Array) return array;
  const wrong = array.findIndex((value) => typeof value !== "number");
  if (wrong >= 0) throw new InvalidModelError(`${name}[${wrong}] is ${String(array[wrong])}; a number is needed`);
  return new Float64Array(array);
}

function integers(name: string, array: Integers): Int32Array {
  if (array instanceof Int32Array) return array;
  const wrong = array.findIndex((value) => (value | 0) !== value);
  if (wrong >= 0) {
    throw new InvalidModelError(`${name}[${wrong}] is ${array[wrong]}; a whole number of 32 bits is needed`);
  }
  return new Int32Array(array);
}

function sized<T extends ArrayLike<unknown> | undefined>(name: string, array: T, length: number, why: string): T {
  if (array === undefined || array.length === length) return array;
  throw new InvalidModelError(`${name} has length ${array.length}; ${length} is needed: ${why}`);
}

function finite(name: string, value: number): number {
  if (Number.isFinite(value)) return value;
  throw new InvalidModelError(`${name} is ${value}; a finite number is needed`);
}
