// The model of an optimization problem in memory, as every format, check and engine of this package sees it.

/** A sparse matrix in compressed sparse row (CSR) form. */
export interface SparseMatrix {
  /** Where each row starts in `indices` and `values`; rows + 1 entries, first 0, never descending. */
  readonly offsets: Int32Array;
  /** Column of each entry, 0-based; as long as `values`. */
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

/** What a variable may take: the numbers of the wire. */
export const VariableType = { continuous: 0, integer: 1, semiContinuous: 2 } as const;

/**
 * min or max  scaling · (c·x + xᵀQx + offset)   subject to   rowLower ≤ A x ≤ rowUpper,   lower ≤ x ≤ upper.
 *
 * The quadratic term has no factor one half: the effective Hessian is Q + Qᵀ. An absent bound is ±Infinity. A
 * semi-continuous variable is 0 or within its bounds.
 */
export interface Problem {
  readonly name: string;
  readonly objectiveName: string;
  readonly maximize: boolean;
  /** Multiplies the whole objective, offset included. */
  readonly objectiveScaling: number;
  readonly objectiveOffset: number;
  /** Number of rows, m. */
  readonly rows: number;
  /** Number of variables, n. */
  readonly columns: number;
  /** A, m × n. */
  readonly matrix: SparseMatrix;
  /** c, n. */
  readonly objective: Float64Array;
  readonly rowLower: Float64Array;
  readonly rowUpper: Float64Array;
  readonly variableLower: Float64Array;
  readonly variableUpper: Float64Array;
  /** One of `VariableType` for each variable; absent means all continuous. */
  readonly variableTypes?: Int32Array | undefined;
  /** Q, n × n, general (not only a triangle). */
  readonly quadratic?: SparseMatrix | undefined;
  /** A start for the search: n values. */
  readonly initialPrimal?: Float64Array | undefined;
  /** m values. */
  readonly initialDual?: Float64Array | undefined;
  readonly variableNames?: readonly string[] | undefined;
  readonly rowNames?: readonly string[] | undefined;
}

/** What the job was asked for: the wire's choice of arm, not a property of the data. */
export type ProblemKind = "lp" | "mip";

/** A fault in what the user gave: the message names the array and the element, what was found and what is allowed. */
export class ValidationError extends Error {
  override readonly name = "ValidationError";
}
