// Streaming moments in float64 (Welford, merged by batches after Chan, Golub and LeVeque), quantiles and small statistics.
import { invalidValue } from "../errors.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import type { Engine } from "../runtime/engine.ts";
import { absorbOnThreads } from "./moments-on-threads.ts";

/** Rows handled together by the covariance kernel: a block of centred rows stays in the cache. */
const BLOCK_ROWS = 256;

/** Operations after which others are let in: some tens of milliseconds. */
const PART_OPERATIONS = 1 << 25;

/** Visits parts of at most `size` numbers; between them the event loop goes round. */
export function inParts(values: Float32Array, size: number, visit: (part: Float32Array) => void): void | Promise<void> {
  if (values.length <= size) return visit(values);
  return (async () => {
    for (let start = 0; start < values.length; start += size) {
      visit(values.subarray(start, start + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
}

/** Mean and second moment of rows of `width` numbers, merged batch by batch. */
export class Moments {
  readonly width: number;
  count = 0;
  readonly mean: Float64Array;
  /** Sum of products of deviations: [width, width] with covariance, else [width]. */
  readonly second: Float64Array;
  readonly #full: boolean;

  constructor(width: number, full: boolean) {
    this.width = width;
    this.#full = full;
    this.mean = new Float64Array(width);
    this.second = new Float64Array(full ? width * width : width);
  }

  /** As `update`, letting others in from time to time; large covariances are computed on the engine's threads. */
  absorb(rows: Float32Array, engine?: Engine): void | Promise<void> {
    const work = this.#full ? this.width * this.width : this.width;
    if (engine && this.#full && rows.length * this.width > 2 * PART_OPERATIONS) {
      return absorbOnThreads(this, rows, engine);
    }
    const count = Math.max(BLOCK_ROWS, Math.floor(PART_OPERATIONS / work));
    return inParts(rows, count * this.width, (part) => this.update(part));
  }

  /** Adds rows of `width` numbers each. */
  update(rows: ArrayLike<number>): void {
    const { width } = this;
    const count = Math.floor(rows.length / width);
    if (count === 0) return;
    const mean = new Float64Array(width);
    for (let row = 0; row < count; row++) {
      const base = row * width;
      for (let i = 0; i < width; i++) mean[i] = (mean[i] as number) + (rows[base + i] as number);
    }
    for (let i = 0; i < width; i++) mean[i] = (mean[i] as number) / count;
    const second = this.#full ? this.#products(rows, count, mean) : this.#squares(rows, count, mean);
    this.merge(count, mean, second);
  }

  #squares(rows: ArrayLike<number>, count: number, mean: Float64Array): Float64Array {
    const { width } = this;
    const sums = new Float64Array(width);
    for (let row = 0; row < count; row++) {
      const base = row * width;
      for (let i = 0; i < width; i++) {
        const d = (rows[base + i] as number) - (mean[i] as number);
        sums[i] = (sums[i] as number) + d * d;
      }
    }
    return sums;
  }

  /** Upper triangle of the sum of outer products, four rows at a time, mirrored at the end. */
  #products(rows: ArrayLike<number>, count: number, mean: Float64Array): Float64Array {
    const { width } = this;
    const sums = new Float64Array(width * width);
    const block = new Float64Array(width * BLOCK_ROWS);
    for (let start = 0; start < count; start += BLOCK_ROWS) {
      const length = Math.min(BLOCK_ROWS, count - start);
      // Transposed: deviations of one band lie side by side.
      for (let row = 0; row < length; row++) {
        const base = (start + row) * width;
        for (let i = 0; i < width; i++) {
          block[i * BLOCK_ROWS + row] = (rows[base + i] as number) - (mean[i] as number);
        }
      }
      for (let i = 0; i < width; i++) {
        const a = i * BLOCK_ROWS;
        for (let j = i; j < width; j++) {
          const b = j * BLOCK_ROWS;
          let s0 = 0;
          let s1 = 0;
          let s2 = 0;
          let s3 = 0;
          let row = 0;
          for (; row + 3 < length; row += 4) {
            s0 += (block[a + row] as number) * (block[b + row] as number);
            s1 += (block[a + row + 1] as number) * (block[b + row + 1] as number);
            s2 += (block[a + row + 2] as number) * (block[b + row + 2] as number);
            s3 += (block[a + row + 3] as number) * (block[b + row + 3] as number);
          }
          for (; row < length; row++) s0 += (block[a + row] as number) * (block[b + row] as number);
          sums[i * width + j] = (sums[i * width + j] as number) + (s0 + s1) + (s2 + s3);
        }
      }
    }
    for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) sums[i * width + j] = sums[j * width + i] as number;
    return sums;
  }

  /** Takes the moments of `count` further rows over: d = b - m; m += d·k/(n+k); M += Mb + d dᵀ·n·k/(n+k). */
  merge(count: number, mean: Float64Array, second: Float64Array): void {
    const { width } = this;
    const n = this.count;
    const total = n + count;
    const weight = (n * count) / total;
    const delta = mean.map((value, i) => value - (this.mean[i] as number));
    for (let i = 0; i < width; i++) {
      const d = delta[i] as number;
      if (this.#full) {
        for (let j = 0; j < width; j++) {
          const at = i * width + j;
          this.second[at] = (this.second[at] as number) + (second[at] as number) + d * (delta[j] as number) * weight;
        }
      } else {
        this.second[i] = (this.second[i] as number) + (second[i] as number) + d * d * weight;
      }
      this.mean[i] = n === 0 ? (mean[i] as number) : (this.mean[i] as number) + (d * count) / total;
    }
    this.count = total;
  }

  /** Sample (co)variance: second moment over n - 1. @throws with fewer than two rows */
  covariance(node: string): Float64Array {
    if (this.count < 2)
      throw invalidValue(`Node '${node}': ${this.count} pixels are too few, at least 2 are needed`, { node });
    return this.second.map((value) => value / (this.count - 1));
  }
}

export const float32 = (shape: readonly number[], values: ArrayLike<number>): Tensor<"float32"> =>
  tensor("float32", shape, values);

/** Position and neighbours of quantile q among n sorted values, with the position in float32. */
export function quantilePosition(q: number, n: number): { low: number; high: number; fraction: number } {
  const position = Math.fround(Math.fround(q) * (n - 1));
  const low = Math.floor(position);
  return { low, high: Math.min(low + 1, n - 1), fraction: Math.fround(position - low) };
}

/** Quantile q by linear interpolation; `sorted` ascending. */
export function quantileOfSorted(sorted: Float32Array | Float64Array, q: number): number {
  const { low, high, fraction } = quantilePosition(q, sorted.length);
  const a = sorted[low] as number;
  return Math.fround(a + ((sorted[high] as number) - a) * fraction);
}

export const mean = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
};

/** Average precision: sum over distinct thresholds, descending, of (recall step) · precision; 0 without positives. */
export function averagePrecision(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort(
    (a, b) => (scores[b] as number) - (scores[a] as number),
  );
  let positives = 0;
  for (let i = 0; i < targets.length; i++) if (targets[i]) positives++;
  if (positives === 0) return 0;
  let hits = 0;
  let before = 0;
  let sum = 0;
  for (let i = 0; i < order.length; i++) {
    if (targets[order[i] as number]) hits++;
    const last = i === order.length - 1 || scores[order[i] as number] !== scores[order[i + 1] as number];
    if (!last) continue;
    sum += ((hits - before) / positives) * (hits / (i + 1));
    before = hits;
  }
  return sum;
}

/** Area under the ROC curve: Mann-Whitney with average ranks of ties; NaN if a class is missing. */
export function areaUnderCurve(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort(
    (a, b) => (scores[a] as number) - (scores[b] as number),
  );
  let positives = 0;
  let ranks = 0;
  for (let i = 0; i < order.length; ) {
    let end = i + 1;
    while (end < order.length && scores[order[end] as number] === scores[order[i] as number]) end++;
    for (let j = i; j < end; j++) {
      if (!targets[order[j] as number]) continue;
      positives++;
      ranks += (i + 1 + end) / 2;
    }
    i = end;
  }
  const negatives = scores.length - positives;
  if (positives === 0 || negatives === 0) return Number.NaN;
  return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives);
}
