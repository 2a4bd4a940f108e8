// From the arrays that a client sent to a checked `Problem`.
import { type Problem, type ProblemKind, type SparseMatrix, ValidationError } from "../problem.ts";
import { type ArrayName, arrayNames, type RawArrays } from "./arrays.ts";
import { type ArrayStats, arrayStats } from "./stats.ts";
import { type ModelScalars, modelSizes, validateModel } from "./validate.ts";

/** A model as it arrived: scalars, names and arrays, nothing checked yet. */
export interface RawModel extends ModelScalars {
  readonly kind: ProblemKind;
  readonly maximize: boolean;
  readonly name: string;
  readonly objectiveName: string;
  /** Names have no effect on the solve: a list that does not have exactly one for each variable is left out. */
  readonly variableNames?: readonly string[] | undefined;
  /** As `variableNames`, one for each row. */
  readonly rowNames?: readonly string[] | undefined;
  readonly arrays: RawArrays;
}

/** The statistics of all arrays of a model, for `validateModel`. */
export function modelStats(arrays: RawArrays): { [Name in ArrayName]?: ArrayStats } {
  const stats: { [Name in ArrayName]?: ArrayStats } = {};
  for (const name of arrayNames) {
    const array = arrays[name];
    if (array !== undefined) stats[name] = arrayStats(array);
  }
  return stats;
}

/**
 * The problem that the arrays describe. Arrays are taken over where they fit, not copied. Row bounds are used if both are
 * there; otherwise the right-hand side and the row types. Absent variable bounds are 0 and +Infinity; an LP drops the
 * variable types (integers are relaxed).
 * @throws ValidationError with every fault that `validateModel` finds, or for a matrix row that names a column twice
 */
export function problemFromArrays(raw: RawModel): Problem {
  const { arrays } = raw;
  const stats = modelStats(arrays);
  const faults = validateModel(raw.kind, raw, stats);
  if (faults.length > 0) throw new ValidationError(faults.join("; "));

  const { rows, columns, nonzeros, quadraticNonzeros } = modelSizes(stats);
  const matrix: SparseMatrix =
    nonzeros > 0
      ? { offsets: present(arrays.aOffsets), indices: present(arrays.aIndices), values: present(arrays.aValues) }
      : emptyMatrix(rows);
  refuseDuplicates(matrix, columns, "A", "row");
  const quadratic: SparseMatrix | undefined =
    quadraticNonzeros > 0
      ? { offsets: present(arrays.qOffsets), indices: present(arrays.qIndices), values: present(arrays.qValues) }
      : undefined;
  if (quadratic !== undefined) refuseDuplicates(quadratic, columns, "Q", "row");

  const types = raw.kind === "mip" ? given(arrays.variableTypes) : undefined;
  return {
    name: raw.name,
    objectiveName: raw.objectiveName,
    maximize: raw.maximize,
    objectiveScaling: raw.objectiveScaling ?? 1,
    objectiveOffset: raw.objectiveOffset,
    rows,
    columns,
    matrix,
    objective: present(arrays.c),
    ...rowBounds(arrays, rows),
    variableLower: given(arrays.variableLower) ?? new Float64Array(columns),
    variableUpper: given(arrays.variableUpper) ?? new Float64Array(columns).fill(Number.POSITIVE_INFINITY),
    variableTypes: types,
    quadratic,
    initialPrimal: given(arrays.initialPrimal),
    initialDual: given(arrays.initialDual),
    variableNames: raw.variableNames?.length === columns ? raw.variableNames : undefined,
    rowNames: raw.rowNames?.length === rows ? raw.rowNames : undefined,
  };
}

function rowBounds(arrays: RawArrays, rows: number): Pick<Problem, "rowLower" | "rowUpper"> {
  const lower = given(arrays.rowLower);
  const upper = given(arrays.rowUpper);
  if (lower !== undefined && upper !== undefined) return { rowLower: lower, rowUpper: upper };
  const rowLower = new Float64Array(rows);
  const rowUpper = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const type = arrays.rowTypes?.[row];
    const side = arrays.b?.[row] ?? 0;
    rowLower[row] = type === 0x4c /* L */ ? Number.NEGATIVE_INFINITY : side;
    rowUpper[row] = type === 0x47 /* G */ ? Number.POSITIVE_INFINITY : side;
  }
  return { rowLower, rowUpper };
}

/** HiGHS takes one value for each place of a matrix, and whether two were meant to add up cannot be known. */
function refuseDuplicates(matrix: SparseMatrix, columns: number, name: "A" | "Q", majorWord: string): void {
  const { offsets, indices } = matrix;
  // For each column, one more than the last row that has it: 0 means none so far.
  const seenInRow = new Int32Array(columns);
  for (let row = 0; row + 1 < offsets.length; row++) {
    const end = offsets[row + 1] as number;
    for (let at = offsets[row] as number; at < end; at++) {
      const column = indices[at] as number;
      if (seenInRow[column] === row + 1) {
        throw new ValidationError(
          `${name}_indices[${at}] names column ${column} a second time in ${majorWord} ${row} of ${name}; ` +
            "each column is allowed once in a row (add the values up before sending)",
        );
      }
      seenInRow[column] = row + 1;
    }
  }
}

const emptyMatrix = (rows: number): SparseMatrix => ({
  offsets: new Int32Array(rows + 1),
  indices: new Int32Array(0),
  values: new Float64Array(0),
});

const given = <T extends ArrayLike<number>>(array: T | undefined): T | undefined =>
  array === undefined || array.length === 0 ? undefined : array;

/** For arrays that validation has found to be there. */
function present<T>(array: T | undefined): T {
  if (array === undefined) throw new Error("an array that validation has seen is gone");
  return array;
}
