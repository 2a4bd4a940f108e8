// Streaming moments in float64 (Welford, merged by batches after Chan, Golub and LeVeque).
import { invalidValue } from "../errors.ts";

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

/** Count, mean [width] and sum of products of deviations [width, width] of some rows. */
export interface PartialMoments {
  readonly count: number;
  readonly mean: Float64Array;
  readonly second: Float64Array;
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

  /** As `update`, letting others in from time to time. */
  absorb(rows: Float32Array): void | Promise<void> {
    const work = this.#full ? this.width * this.width : this.width;
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
    if (count === 0) return;
    const { width, second: sums } = this;
    const n = this.count;
    const total = n + count;
    const weight = (n * count) / total;
    const delta = mean.map((value, i) => value - (this.mean[i] as number));
    for (let i = 0; i < width; i++) {
      const d = delta[i] as number;
      const weighted = d * weight;
      if (this.#full) {
        const row = i * width;
        for (let j = 0; j < width; j++) {
          sums[row + j] = (sums[row + j] as number) + (second[row + j] as number) + weighted * (delta[j] as number);
        }
      } else {
        sums[i] = (sums[i] as number) + (second[i] as number) + d * weighted;
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

/** Of rows of `width` numbers each. */
export function momentsOf(rows: ArrayLike<number>, width: number): PartialMoments {
  const moments = new Moments(width, true);
  moments.update(rows);
  return moments;
}
