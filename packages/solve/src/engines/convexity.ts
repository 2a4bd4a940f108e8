// Is a quadratic objective convex? HiGHS looks at the Hessian's diagonal only and calls any stationary point optimal.

/** Lower triangle of a symmetric matrix in compressed columns; rows ascend within a column, the diagonal comes first. */
export interface LowerTriangle {
  readonly dimension: number;
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

/** Multiplications, and entries of the factor, beyond which the answer is not worth waiting for. */
const workLimit = 4e9;
const entryLimit = 1e8;

/** Added to the unit diagonal of the scaled matrix, so that rounding does not make a singular matrix indefinite. */
const shift = 1e-9;

/** A square root F of a positive semidefinite matrix: FᵀF. One row of F per square, in compressed rows. */
export interface SquareRoot {
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

/** LDLᵀ of S·H·S + shift·I, where S scales H to a unit diagonal (0 where H has a zero there). L without its diagonal. */
interface Factorization {
  readonly scale: Float64Array;
  readonly pivots: Float64Array;
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

/**
 * Whether sign·H is positive semidefinite.
 * @returns "unknown" when the factorization would be too large
 */
export function isPositiveSemidefinite(h: LowerTriangle, sign: 1 | -1): boolean | "unknown" {
  const found = factorize(h, sign);
  return found === "unknown" ? found : found !== "indefinite";
}

/** F with sign·H = FᵀF up to rounding; undefined if there is none, or if it would be too large. */
export function squareRoot(h: LowerTriangle, sign: 1 | -1): SquareRoot | undefined {
  const found = factorize(h, sign);
  if (typeof found === "string") return undefined;
  const { scale, pivots } = found;
  const starts: number[] = [0];
  const indices: number[] = [];
  const values: number[] = [];
  for (let k = 0; k < h.dimension; k++) {
    // What the shift alone made positive is zero.
    if (scale[k] === 0 || pivots[k]! <= 10 * shift) continue;
    const root = Math.sqrt(pivots[k]!);
    indices.push(k);
    values.push(root / scale[k]!);
    for (let p = found.starts[k]!; p < found.starts[k + 1]!; p++) {
      const i = found.indices[p]!;
      indices.push(i);
      values.push((root * found.values[p]!) / scale[i]!);
    }
    starts.push(indices.length);
  }
  return { starts: Int32Array.from(starts), indices: Int32Array.from(indices), values: Float64Array.from(values) };
}

/**
 * A sparse LDLᵀ factorization of sign·H scaled to a unit diagonal.
 * @see Davis, Direct Methods for Sparse Linear Systems, ch. 4 (elimination tree, up-looking factorization)
 */
function factorize(h: LowerTriangle, sign: 1 | -1): Factorization | "indefinite" | "unknown" {
  const n = h.dimension;
  const scale = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    const first = h.starts[j]!;
    const onDiagonal = first < h.starts[j + 1]! && h.indices[first] === j;
    const diagonal = onDiagonal ? sign * h.values[first]! : 0;
    if (diagonal < 0) return "indefinite";
    scale[j] = diagonal === 0 ? 0 : 1 / Math.sqrt(diagonal);
  }
  // A zero on the diagonal of a positive semidefinite matrix means a zero row and column.
  for (let j = 0; j < n; j++) {
    for (let k = h.starts[j]!; k < h.starts[j + 1]!; k++) {
      if (h.values[k] !== 0 && (scale[j] === 0 || scale[h.indices[k]!] === 0)) return "indefinite";
    }
  }

  const rows = rowsOfLower(h);
  const parent = new Int32Array(n).fill(-1);
  const mark = new Int32Array(n).fill(-1);
  const counts = new Float64Array(n);
  let entries = 0;
  for (let k = 0; k < n; k++) {
    mark[k] = k;
    for (let p = rows.starts[k]!; p < rows.starts[k + 1]!; p++) {
      for (let i = rows.columns[p]!; mark[i] !== k; i = parent[i]!) {
        if (parent[i] === -1) parent[i] = k;
        counts[i] = counts[i]! + 1;
        entries++;
        mark[i] = k;
      }
    }
    if (entries > entryLimit) return "unknown";
  }
  if (counts.reduce((work, count) => work + count * count, 0) > workLimit) return "unknown";

  const lStarts = new Int32Array(n + 1);
  for (let j = 0; j < n; j++) lStarts[j + 1] = lStarts[j]! + counts[j]!;
  const lIndices = new Int32Array(entries);
  const lValues = new Float64Array(entries);
  const filled = new Int32Array(n);
  const pivots = new Float64Array(n);
  const dense = new Float64Array(n);
  const pattern = new Int32Array(n);
  const path = new Int32Array(n);
  mark.fill(-1);
  for (let k = 0; k < n; k++) {
    let top = n;
    mark[k] = k;
    let pivot = scale[k] === 0 ? 1 : 1 + shift;
    for (let p = rows.starts[k]!; p < rows.starts[k + 1]!; p++) {
      let i = rows.columns[p]!;
      dense[i] = dense[i]! + sign * rows.values[p]! * scale[i]! * scale[k]!;
      let length = 0;
      for (; mark[i] !== k; i = parent[i]!) {
        path[length++] = i;
        mark[i] = k;
      }
      while (length > 0) pattern[--top] = path[--length]!;
    }
    for (; top < n; top++) {
      const i = pattern[top]!;
      const y = dense[i]!;
      dense[i] = 0;
      const end = lStarts[i]! + filled[i]!;
      for (let p = lStarts[i]!; p < end; p++) dense[lIndices[p]!] = dense[lIndices[p]!]! - lValues[p]! * y;
      const l = y / pivots[i]!;
      pivot -= l * y;
      lIndices[end] = k;
      lValues[end] = l;
      filled[i] = filled[i]! + 1;
    }
    if (!(pivot > 0)) return "indefinite";
    pivots[k] = pivot;
  }
  return { scale, pivots, starts: lStarts, indices: lIndices, values: lValues };
}

/** The strictly lower entries by row: for row k, its columns j < k. */
function rowsOfLower(h: LowerTriangle): { starts: Int32Array; columns: Int32Array; values: Float64Array } {
  const n = h.dimension;
  const starts = new Int32Array(n + 1);
  for (let j = 0; j < n; j++) {
    for (let k = h.starts[j]!; k < h.starts[j + 1]!; k++) {
      const i = h.indices[k]!;
      if (i !== j) starts[i + 1] = starts[i + 1]! + 1;
    }
  }
  for (let i = 0; i < n; i++) starts[i + 1] = starts[i + 1]! + starts[i]!;
  const next = starts.slice();
  const columns = new Int32Array(starts[n]!);
  const values = new Float64Array(starts[n]!);
  for (let j = 0; j < n; j++) {
    for (let k = h.starts[j]!; k < h.starts[j + 1]!; k++) {
      const i = h.indices[k]!;
      if (i === j) continue;
      const at = next[i]!;
      columns[at] = j;
      values[at] = h.values[k]!;
      next[i] = at + 1;
    }
  }
  return { starts, columns, values };
}
