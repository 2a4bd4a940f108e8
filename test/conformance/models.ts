// Models for the scenarios, as a client holds them, and their way onto the wire: one message, or chunks.
import { readFileSync } from "node:fs";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Problem, parseMps } from "@sortie/solve";
import {
  type ArrayChunkSchema,
  ArrayFieldId,
  joinNames,
  type OptimizationProblem,
  OptimizationProblemSchema,
} from "@sortie/wire";

type Element = "float64" | "int32" | "uint8" | "names";

/** The arrays of a problem by their names on the wire, in the order in which the stock client sends them. */
const ELEMENTS = {
  A_values: "float64",
  A_indices: "int32",
  A_offsets: "int32",
  c: "float64",
  variable_lower_bounds: "float64",
  variable_upper_bounds: "float64",
  constraint_lower_bounds: "float64",
  constraint_upper_bounds: "float64",
  b: "float64",
  row_types: "uint8",
  variable_types: "int32",
  Q_values: "float64",
  Q_indices: "int32",
  Q_offsets: "int32",
  initial_primal_solution: "float64",
  initial_dual_solution: "float64",
  variable_names: "names",
  row_names: "names",
} as const satisfies Record<string, Element>;

export type ArrayName = keyof typeof ELEMENTS;
export const ARRAY_NAMES = Object.keys(ELEMENTS) as readonly ArrayName[];
const ELEMENT_BYTES = { float64: 8, int32: 4, uint8: 1, names: 1 } as const satisfies Record<Element, number>;

type ArrayOf<E extends Element> = E extends "float64"
  ? Float64Array
  : E extends "int32"
    ? Int32Array
    : E extends "uint8"
      ? Uint8Array
      : readonly string[];

export type Arrays = { readonly [N in ArrayName]?: ArrayOf<(typeof ELEMENTS)[N]> };

export interface Model {
  /** The arm, or the category of the header. */
  readonly kind: "lp" | "mip";
  readonly maximize?: boolean;
  readonly objectiveScalingFactor?: number;
  readonly objectiveOffset?: number;
  readonly problemName?: string;
  readonly arrays: Arrays;
}

export type ChunkInit = MessageInitShape<typeof ArrayChunkSchema>;

export const fieldIdOf = (name: ArrayName): number =>
  ArrayFieldId[`FIELD_${name.toUpperCase()}` as keyof typeof ArrayFieldId];
export const elementBytesOf = (name: ArrayName): number => ELEMENT_BYTES[ELEMENTS[name]];

/** The same model with some arrays replaced; undefined takes an array away. */
export function withArrays(model: Model, arrays: { readonly [N in ArrayName]?: Arrays[N] | undefined }): Model {
  return { ...model, arrays: { ...model.arrays, ...arrays } as Arrays };
}

/** The bytes of an array as chunks carry them. */
export function bytesOf(model: Model, name: ArrayName): Uint8Array {
  const array = model.arrays[name];
  if (array === undefined) return new Uint8Array(0);
  if (!ArrayBuffer.isView(array)) return joinNames(array as readonly string[]);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The model as one message. */
export function problemOf(model: Model): OptimizationProblem {
  const fields: Record<string, unknown> = {};
  for (const field of OptimizationProblemSchema.fields) {
    const array = model.arrays[field.name as ArrayName];
    if (array !== undefined) fields[field.localName] = field.name === "row_types" ? array : Array.from<unknown>(array);
  }
  const { maximize = false, objectiveScalingFactor = 1, objectiveOffset = 0, problemName = "" } = model;
  return create(OptimizationProblemSchema, {
    ...fields,
    maximize,
    objectiveScalingFactor,
    objectiveOffset,
    problemName,
  });
}

/** One chunk of an array: `count` elements from `offset` on. */
export function chunkOf(model: Model, name: ArrayName, offset: number, count: number): ChunkInit {
  const bytes = bytesOf(model, name);
  const size = elementBytesOf(name);
  return {
    fieldId: fieldIdOf(name),
    elementOffset: BigInt(offset),
    totalElements: BigInt(bytes.byteLength / size),
    data: bytes.subarray(offset * size, (offset + count) * size),
  };
}

/** All chunks of a model, each with at most `chunkBytes` of data. */
export function chunksOf(model: Model, chunkBytes: number, names: readonly ArrayName[] = ARRAY_NAMES): ChunkInit[] {
  return names.flatMap((name) => {
    const elements = bytesOf(model, name).byteLength / elementBytesOf(name);
    const step = Math.max(1, Math.floor(chunkBytes / elementBytesOf(name)));
    const chunks: ChunkInit[] = [];
    for (let at = 0; at < elements; at += step) chunks.push(chunkOf(model, name, at, Math.min(step, elements - at)));
    return chunks;
  });
}

export interface SmallModel extends Omit<Model, "arrays" | "kind"> {
  readonly kind?: "lp" | "mip";
  readonly c: readonly number[];
  /** Dense rows between bounds. */
  readonly rows?: readonly (readonly [coefficients: readonly number[], lower: number, upper: number])[];
  readonly lower?: readonly number[];
  readonly upper?: readonly number[];
  /** Numbers of variable types; given, they make the model a MIP unless `kind` says otherwise. */
  readonly types?: readonly number[];
  /** Dense Q of the term xᵀQx. */
  readonly quadratic?: readonly (readonly number[])[];
}

/** A model written down row by row. Without bounds variables lie between 0 and infinity. */
export function smallModel({ c, rows = [], lower, upper, types, quadratic, kind, ...scalars }: SmallModel): Model {
  const matrix = sparse(rows.map(([coefficients]) => coefficients));
  const q = quadratic && sparse(quadratic);
  return {
    ...scalars,
    kind: kind ?? (types ? "mip" : "lp"),
    arrays: {
      A_values: matrix.values,
      A_indices: matrix.indices,
      A_offsets: matrix.offsets,
      c: Float64Array.from(c),
      variable_lower_bounds: Float64Array.from(lower ?? c.map(() => 0)),
      variable_upper_bounds: Float64Array.from(upper ?? c.map(() => Number.POSITIVE_INFINITY)),
      constraint_lower_bounds: Float64Array.from(rows, ([, low]) => low),
      constraint_upper_bounds: Float64Array.from(rows, ([, , high]) => high),
      ...(types ? { variable_types: Int32Array.from(types) } : {}),
      ...(q ? { Q_values: q.values, Q_indices: q.indices, Q_offsets: q.offsets } : {}),
    },
  };
}

function sparse(rows: readonly (readonly number[])[]) {
  const values: number[] = [];
  const indices: number[] = [];
  const offsets = [0];
  for (const row of rows) {
    row.forEach((value, column) => {
      if (value === 0) return;
      values.push(value);
      indices.push(column);
    });
    offsets.push(values.length);
  }
  return {
    values: Float64Array.from(values),
    indices: Int32Array.from(indices),
    offsets: Int32Array.from(offsets),
  };
}

/** Maximise x + y over x + 2y ≤ 4 and 3x + y ≤ 6: 2.8 at (1.6, 1.2). */
export const tinyLp = (scalars: Partial<Omit<Model, "arrays">> = {}): Model =>
  smallModel({
    c: [1, 1],
    rows: [
      [[1, 2], Number.NEGATIVE_INFINITY, 4],
      [[3, 1], Number.NEGATIVE_INFINITY, 6],
    ],
    maximize: true,
    ...scalars,
  });
export const TINY_LP_OBJECTIVE = 2.8;

/** One integer variable that must reach `optimum` − 0.5: its optimum is `optimum`. */
export const tinyMip = (optimum = 1): Model =>
  smallModel({ c: [1], rows: [[[1], optimum - 0.5, Number.POSITIVE_INFINITY]], upper: [10], types: [1] });

/** A row names a column twice: passes every check at the door, and the worker must refuse it. */
export const failingLp = (): Model =>
  withArrays(tinyLp(), {
    A_values: Float64Array.of(1, 2, 3, 1),
    A_indices: Int32Array.of(0, 0, 0, 1),
    A_offsets: Int32Array.of(0, 2, 4),
  });

/** A number puzzle as a feasibility MIP: 729 binaries, one for each cell and digit. */
export function sudoku(): Model {
  const given = "530070000600195000098000060800060003400803001700020006060000280000419005000080079";
  const index = (row: number, column: number, digit: number) => (row * 9 + column) * 9 + digit;
  const range = Array.from({ length: 9 }, (_, i) => i);
  const groups: number[][] = [];
  for (const a of range) {
    for (const b of range) {
      groups.push(range.map((digit) => index(a, b, digit)));
      groups.push(range.map((column) => index(a, column, b)));
      groups.push(range.map((row) => index(row, a, b)));
      const row = 3 * Math.floor(a / 3);
      const column = 3 * (a % 3);
      groups.push(range.map((cell) => index(row + Math.floor(cell / 3), column + (cell % 3), b)));
    }
  }
  const lower = new Float64Array(729);
  [...given].forEach((digit, cell) => {
    if (digit !== "0") lower[cell * 9 + Number(digit) - 1] = 1;
  });
  const ones = new Float64Array(groups.length).fill(1);
  return {
    kind: "mip",
    arrays: {
      A_values: new Float64Array(groups.length * 9).fill(1),
      A_indices: Int32Array.from(groups.flat()),
      A_offsets: Int32Array.from({ length: groups.length + 1 }, (_, i) => i * 9),
      c: new Float64Array(729),
      variable_lower_bounds: lower,
      variable_upper_bounds: new Float64Array(729).fill(1),
      constraint_lower_bounds: ones,
      constraint_upper_bounds: ones,
      variable_types: new Int32Array(729).fill(1),
    },
  };
}

/** Whether these values solve the puzzle: nine different digits in each row, column and box. */
export function isSudoku(values: Float64Array): boolean {
  const digits = Array.from({ length: 81 }, (_, cell) => values.subarray(cell * 9, cell * 9 + 9).indexOf(1) + 1);
  const full = (cells: number[]) => new Set(cells.map((cell) => digits[cell])).size === 9;
  const range = Array.from({ length: 9 }, (_, i) => i);
  return (
    !digits.includes(0) &&
    range.every(
      (a) =>
        full(range.map((b) => a * 9 + b)) &&
        full(range.map((b) => b * 9 + a)) &&
        full(range.map((b) => (3 * Math.floor(a / 3) + Math.floor(b / 3)) * 9 + 3 * (a % 3) + (b % 3))),
    )
  );
}

/** An instance of the project's own test data. */
export function instance(name: string): Model {
  return modelOf(parseMps(readFileSync(new URL(`../data/lp/${name}.mps.gz`, import.meta.url))));
}

/** What a reader made of a file, as a model for the wire. */
export function modelOf({ problem, isMip }: { readonly problem: Problem; readonly isMip: boolean }): Model {
  const { quadratic: q } = problem;
  return {
    kind: isMip ? "mip" : "lp",
    maximize: problem.maximize,
    objectiveScalingFactor: problem.objectiveScaling,
    objectiveOffset: problem.objectiveOffset,
    problemName: problem.name,
    arrays: {
      A_values: problem.matrix.values,
      A_indices: problem.matrix.indices,
      A_offsets: problem.matrix.offsets,
      c: problem.objective,
      variable_lower_bounds: problem.variableLower,
      variable_upper_bounds: problem.variableUpper,
      constraint_lower_bounds: problem.rowLower,
      constraint_upper_bounds: problem.rowUpper,
      ...(problem.variableTypes ? { variable_types: problem.variableTypes } : {}),
      ...(q ? { Q_values: q.values, Q_indices: q.indices, Q_offsets: q.offsets } : {}),
      ...(problem.variableNames ? { variable_names: problem.variableNames } : {}),
      ...(problem.rowNames ? { row_names: problem.rowNames } : {}),
    },
  };
}

export const afiro = (): Model => instance("afiro");
export const AFIRO_OBJECTIVE = -464.75314285714285;

/** Takes minutes: for everything that must be looked at while it runs. */
export const longMip = (): Model => instance("mas76");
