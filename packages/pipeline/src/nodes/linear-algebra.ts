// Small dense linear algebra in float64: symmetric eigen-decomposition, Moore-Penrose inverse, whitening of a quadratic form.
import { invalidValue } from "../errors.ts";

/** Eigenvalues ascending; column k of `vectors` ([n, n], row-major) belongs to values[k]. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

/**
 * Eigen-decomposition of a symmetric matrix [n, n]: Householder reduction to tridiagonal form, then implicit QL.
 * @see Bowdler, Martin, Reinsch and Wilkinson, Numerische Mathematik 11 (1968), procedures tred2 and tql2
 */
export function symmetricEigen(matrix: ArrayLike<number>, n: number): Eigen {
  const v = Float64Array.from(matrix);
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  if (n > 0) {
    tridiagonalize(v, d, e, n);
    implicitQl(v, d, e, n);
  }
  return { values: d, vectors: v };
}

function tridiagonalize(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  const at = (i: number, j: number): number => v[i * n + j] as number;
  for (let j = 0; j < n; j++) d[j] = at(n - 1, j);
  for (let i = n - 1; i > 0; i--) {
    let scale = 0;
    let h = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(d[k] as number);
    if (scale === 0) {
      e[i] = d[i - 1] as number;
      for (let j = 0; j < i; j++) {
        d[j] = at(i - 1, j);
        v[i * n + j] = 0;
        v[j * n + i] = 0;
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k] = (d[k] as number) / scale;
        h += (d[k] as number) ** 2;
      }
      let f = d[i - 1] as number;
      let g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h);
      e[i] = scale * g;
      h -= f * g;
      d[i - 1] = f - g;
      e.fill(0, 0, i);
      for (let j = 0; j < i; j++) {
        f = d[j] as number;
        v[j * n + i] = f;
        g = (e[j] as number) + at(j, j) * f;
        for (let k = j + 1; k < i; k++) {
          g += at(k, j) * (d[k] as number);
          e[k] = (e[k] as number) + at(k, j) * f;
        }
        e[j] = g;
      }
      f = 0;
      for (let j = 0; j < i; j++) {
        e[j] = (e[j] as number) / h;
        f += (e[j] as number) * (d[j] as number);
      }
      const hh = f / (h + h);
      for (let j = 0; j < i; j++) e[j] = (e[j] as number) - hh * (d[j] as number);
      for (let j = 0; j < i; j++) {
        f = d[j] as number;
        g = e[j] as number;
        for (let k = j; k < i; k++) v[k * n + j] = at(k, j) - (f * (e[k] as number) + g * (d[k] as number));
        d[j] = at(i - 1, j);
        v[i * n + j] = 0;
      }
    }
    d[i] = h;
  }
  for (let i = 0; i < n - 1; i++) {
    v[(n - 1) * n + i] = at(i, i);
    v[i * n + i] = 1;
    const h = d[i + 1] as number;
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = at(k, i + 1) / h;
      for (let j = 0; j <= i; j++) {
        let g = 0;
        for (let k = 0; k <= i; k++) g += at(k, i + 1) * at(k, j);
        for (let k = 0; k <= i; k++) v[k * n + j] = at(k, j) - g * (d[k] as number);
      }
    }
    for (let k = 0; k <= i; k++) v[k * n + i + 1] = 0;
  }
  for (let j = 0; j < n; j++) {
    d[j] = at(n - 1, j);
    v[(n - 1) * n + j] = 0;
  }
  v[n * n - 1] = 1;
  e[0] = 0;
}

function implicitQl(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) e[i - 1] = e[i] as number;
  e[n - 1] = 0;
  let f = 0;
  let size = 0;
  for (let l = 0; l < n; l++) {
    size = Math.max(size, Math.abs(d[l] as number) + Math.abs(e[l] as number));
    let m = l;
    while (m < n - 1 && Math.abs(e[m] as number) > Number.EPSILON * size) m++;
    if (m > l) {
      let rounds = 0;
      do {
        if (++rounds > 100) throw invalidValue("the eigenvalues of a matrix did not converge; does it hold NaN?");
        let g = d[l] as number;
        let p = ((d[l + 1] as number) - g) / (2 * (e[l] as number));
        let r = Math.hypot(p, 1);
        if (p < 0) r = -r;
        d[l] = (e[l] as number) / (p + r);
        d[l + 1] = (e[l] as number) * (p + r);
        const next = d[l + 1] as number;
        let h = g - (d[l] as number);
        for (let i = l + 2; i < n; i++) d[i] = (d[i] as number) - h;
        f += h;
        p = d[m] as number;
        let c = 1;
        let c2 = 1;
        let c3 = 1;
        const after = e[l + 1] as number;
        let s = 0;
        let s2 = 0;
        for (let i = m - 1; i >= l; i--) {
          c3 = c2;
          c2 = c;
          s2 = s;
          g = c * (e[i] as number);
          h = c * p;
          r = Math.hypot(p, e[i] as number);
          e[i + 1] = s * r;
          s = (e[i] as number) / r;
          c = p / r;
          p = c * (d[i] as number) - s * g;
          d[i + 1] = h + s * (c * g + s * (d[i] as number));
          for (let k = 0; k < n; k++) {
            const right = v[k * n + i + 1] as number;
            const left = v[k * n + i] as number;
            v[k * n + i + 1] = s * left + c * right;
            v[k * n + i] = c * left - s * right;
          }
        }
        p = (-s * s2 * c3 * after * (e[l] as number)) / next;
        e[l] = s * p;
        d[l] = c * p;
      } while (Math.abs(e[l] as number) > Number.EPSILON * size);
    }
    d[l] = (d[l] as number) + f;
    e[l] = 0;
  }
  sortAscending(v, d, n);
}

function sortAscending(v: Float64Array, d: Float64Array, n: number): void {
  const order = [...d.keys()].sort((a, b) => (d[a] as number) - (d[b] as number));
  const values = order.map((i) => d[i] as number);
  const vectors = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < n; i++) vectors[i * n + k] = v[i * n + (order[k] as number)] as number;
  }
  d.set(values);
  v.set(vectors);
}

/**
 * The leading eigenvectors as rows, largest eigenvalue first: [count, n], and their eigenvalues. Of the two directions of
 * a vector, the one whose largest entry is positive.
 */
export function leadingEigenvectors(
  matrix: ArrayLike<number>,
  n: number,
  count: number,
): { values: Float64Array; rows: Float64Array } {
  const { values, vectors } = symmetricEigen(matrix, n);
  const rows = new Float64Array(count * n);
  const kept = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const column = n - 1 - k;
    kept[k] = values[column] as number;
    let largest = 0;
    for (let i = 0; i < n; i++) {
      const entry = vectors[i * n + column] as number;
      if (Math.abs(entry) > Math.abs(largest)) largest = entry;
    }
    const sign = largest < 0 ? -1 : 1;
    for (let i = 0; i < n; i++) rows[k * n + i] = sign * (vectors[i * n + column] as number);
  }
  return { values: kept, rows };
}

/**
 * Moore-Penrose inverse of a symmetric float32 matrix with float32's cut-off: singular values up to
 * n · 1.1920929e-7 · largest are dropped. For a symmetric matrix singular values are absolute eigenvalues.
 */
export function pseudoInverse(matrix: ArrayLike<number>, n: number): Float64Array {
  const { values, vectors } = symmetricEigen(matrix, n);
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const cutoff = n * 1.1920929e-7 * largest;
  const inverse = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const value = values[k] as number;
    if (Math.abs(value) <= cutoff) continue;
    for (let i = 0; i < n; i++) {
      const scaled = (vectors[i * n + k] as number) / value;
      for (let j = 0; j < n; j++) {
        inverse[i * n + j] = (inverse[i * n + j] as number) + scaled * (vectors[j * n + k] as number);
      }
    }
  }
  return inverse;
}

/**
 * Rows w and signs s with dᵀ A⁻¹ d = Σ s_k (w_k·d)², for a symmetric A: from its eigenvalues, so an indefinite A works too.
 * @returns rows [n, n], signs [n]
 * @throws PipelineError if A is singular
 */
export function whitening(matrix: ArrayLike<number>, n: number): { rows: Float64Array; signs: Float64Array } {
  const { values, vectors } = symmetricEigen(matrix, n);
  const rows = new Float64Array(n * n);
  const signs = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const value = values[k] as number;
    if (value === 0 || Number.isNaN(value)) throw invalidValue("the covariance matrix is singular");
    signs[k] = Math.sign(value);
    const scale = 1 / Math.sqrt(Math.abs(value));
    for (let i = 0; i < n; i++) rows[k * n + i] = (vectors[i * n + k] as number) * scale;
  }
  return { rows, signs };
}
