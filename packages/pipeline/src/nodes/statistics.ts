// Quantiles and small statistics.
import { type Tensor, tensor } from "../graph/tensor.ts";

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
