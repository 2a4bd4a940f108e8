// Problems for the fault tests, made on the spot: with answers known beforehand, or hard enough to keep a worker busy.
import { ArrayFieldId, encodeSettings, encodeSubmitJobRequest, type SettingsKind, VariableType } from "@sortie/wire";

type Arrays = ReadonlyMap<ArrayFieldId, Float64Array | Int32Array | Uint8Array>;

export interface SampleProblem {
  readonly kind: SettingsKind;
  readonly arrays: Arrays;
  /** Known where the problem is built around its answer. */
  readonly objective?: number;
  readonly columns: number;
}

/** min x over x ≥ `bound`: its answer tells it from every other. */
export function tinyLp(bound: number): SampleProblem {
  return boundedLp(Float64Array.of(bound));
}

/** min Σ x over x ≥ `bounds`, the bounds as rows; the answer is their sum, and the solution the bounds themselves. */
export function boundedLp(bounds: Float64Array): SampleProblem {
  const n = bounds.length;
  const ones = new Float64Array(n).fill(1);
  return {
    kind: "lp",
    columns: n,
    objective: bounds.reduce((sum, bound) => sum + bound, 0),
    arrays: new Map<ArrayFieldId, Float64Array | Int32Array | Uint8Array>([
      [ArrayFieldId.FIELD_A_VALUES, ones],
      [ArrayFieldId.FIELD_A_INDICES, Int32Array.from({ length: n }, (_, j) => j)],
      [ArrayFieldId.FIELD_A_OFFSETS, Int32Array.from({ length: n + 1 }, (_, i) => i)],
      [ArrayFieldId.FIELD_C, ones],
      [ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS, new Float64Array(n)],
      [ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS, new Float64Array(n).fill(1e6)],
      [ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS, bounds],
      [ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS, new Float64Array(n).fill(Number.POSITIVE_INFINITY)],
    ]),
  };
}

/** Numbers in [0, 1) that are the same on every machine (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A multi-dimensional knapsack whose profits follow its weights: feasible points are found at once, better ones come for
 * long, and proving the best takes hours. A minimisation (profits are negative costs).
 */
export function hardMip(rows = 20, columns = 200, seed = 7): SampleProblem {
  const random = randomNumbers(seed);
  const weights = Float64Array.from({ length: rows * columns }, () => 1 + Math.floor(random() * 1000));
  const costs = new Float64Array(columns);
  const capacities = new Float64Array(rows);
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += weights[i * columns + j]!;
    costs[j] = -Math.floor(sum / rows + 500 * random());
  }
  for (let i = 0; i < rows; i++) {
    capacities[i] = Math.floor(weights.subarray(i * columns, (i + 1) * columns).reduce((a, b) => a + b, 0) / 2);
  }
  return {
    kind: "mip",
    columns,
    arrays: new Map<ArrayFieldId, Float64Array | Int32Array | Uint8Array>([
      [ArrayFieldId.FIELD_A_VALUES, weights],
      [ArrayFieldId.FIELD_A_INDICES, Int32Array.from(weights, (_, k) => k % columns)],
      [ArrayFieldId.FIELD_A_OFFSETS, Int32Array.from({ length: rows + 1 }, (_, i) => i * columns)],
      [ArrayFieldId.FIELD_C, costs],
      [ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS, new Float64Array(columns)],
      [ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS, new Float64Array(columns).fill(1)],
      [ArrayFieldId.FIELD_VARIABLE_TYPES, new Int32Array(columns).fill(VariableType.INTEGER)],
      [ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS, new Float64Array(rows).fill(Number.NEGATIVE_INFINITY)],
      [ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS, capacities],
    ]),
  };
}

/** The problem's objective at `point`, and by how much the point breaks a row or an integrality. */
export function evaluateMip(problem: SampleProblem, point: Float64Array): { objective: number; violation: number } {
  const get = (id: ArrayFieldId) => problem.arrays.get(id) as Float64Array;
  const [weights, costs] = [get(ArrayFieldId.FIELD_A_VALUES), get(ArrayFieldId.FIELD_C)];
  const capacities = get(ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS);
  let violation = 0;
  for (const x of point) violation = Math.max(violation, Math.abs(x - Math.round(x)), -x, x - 1);
  capacities.forEach((capacity, i) => {
    let activity = 0;
    point.forEach((x, j) => {
      activity += weights[i * point.length + j]! * x;
    });
    violation = Math.max(violation, (activity - capacity) / capacity);
  });
  return { objective: costs.reduce((sum, cost, j) => sum + cost * point[j]!, 0), violation };
}

/** The problem as a unary request. */
export function submission({ kind, arrays }: SampleProblem, settings: { timeLimitSeconds?: number } = {}): Uint8Array {
  const { timeLimitSeconds } = settings;
  const encoded = encodeSettings(kind, timeLimitSeconds === undefined ? {} : { time_limit: timeLimitSeconds });
  return encodeSubmitJobRequest({ kind, problem: { arrays }, settings: encoded });
}

export interface SampleChunk {
  readonly fieldId: ArrayFieldId;
  readonly elementOffset: bigint;
  readonly totalElements: bigint;
  readonly data: Uint8Array;
}

/** All arrays of the problem, cut into chunks of at most `chunkBytes`. */
export function chunksOf({ arrays }: SampleProblem, chunkBytes: number): SampleChunk[] {
  const chunks: SampleChunk[] = [];
  for (const [fieldId, array] of arrays) {
    const step = Math.floor(chunkBytes / array.BYTES_PER_ELEMENT);
    for (let from = 0; from < array.length; from += step) {
      const part = array.subarray(from, from + step);
      const data = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
      chunks.push({ fieldId, elementOffset: BigInt(from), totalElements: BigInt(array.length), data });
    }
  }
  return chunks;
}
