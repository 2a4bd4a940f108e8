// Times of nodes as a session keeps them: every sample changes a few numbers of its (stage, node), so that any process can
// add to them. The median is exact up to five samples and then estimated.
import type { NodeProfile } from "@sortie/pipeline";
import type { Json, Profiling } from "@sortie/sessions";

const MOST_EXACT = 5;

/** One entry of a session's statistics. */
interface Entry {
  readonly stage: string;
  readonly node: string;
  readonly skipped: number;
  readonly count: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly squares: number;
  readonly min: number;
  readonly max: number;
  readonly total: number;
  readonly last: number;
  /** Marker heights of the median, ascending; all samples while there are at most five. */
  readonly heights: readonly number[];
  /** Marker positions, from 1. */
  readonly positions: readonly number[];
}

const fresh = (stage: string, node: string): Entry => ({
  stage,
  node,
  skipped: 0,
  count: 0,
  mean: 0,
  squares: 0,
  min: 0,
  max: 0,
  total: 0,
  last: 0,
  heights: [],
  positions: [1, 2, 3, 4, 5],
});

/** The statistics with one more sample of each node that has run. */
export function addSamples(profiling: Profiling, samples: readonly NodeProfile[]): Profiling {
  const entries = new Map(
    profiling.entries.map((entry) => [keyOf(entry as unknown as Entry), entry as unknown as Entry]),
  );
  for (const { stage, node, lastMs } of samples) {
    const entry = entries.get(keyOf({ stage, node })) ?? fresh(stage, node);
    const next = entry.skipped < profiling.skipFirst ? { ...entry, skipped: entry.skipped + 1 } : add(entry, lastMs);
    entries.set(keyOf(entry), next);
  }
  return { ...profiling, entries: [...entries.values()] as unknown as readonly Json[] };
}

const keyOf = ({ stage, node }: Pick<Entry, "stage" | "node">): string => `${stage}/${node}`;

function add(entry: Entry, ms: number): Entry {
  const count = entry.count + 1;
  const deviation = ms - entry.mean;
  const mean = entry.mean + deviation / count;
  return {
    ...entry,
    count,
    mean,
    squares: entry.squares + deviation * (ms - mean),
    min: count === 1 ? ms : Math.min(entry.min, ms),
    max: Math.max(entry.max, ms),
    total: entry.total + ms,
    last: ms,
    ...(count <= MOST_EXACT ? { heights: [...entry.heights, ms].sort((a, b) => a - b) } : markers(entry, count, ms)),
  };
}

/**
 * Moves the five markers of the P² estimator of the median.
 * @see Jain and Chlamtac, Communications of the ACM 28 (1985) 1076
 */
function markers(entry: Entry, count: number, x: number): Pick<Entry, "heights" | "positions"> {
  const q = [...entry.heights];
  const n = [...entry.positions];
  q[0] = Math.min(q[0]!, x);
  q[4] = Math.max(q[4]!, x);
  let cell = 0;
  while (cell < 3 && x >= q[cell + 1]!) cell++;
  for (let i = cell + 1; i <= 4; i++) n[i] = n[i]! + 1;
  for (let i = 1; i <= 3; i++) {
    const distance = 1 + ((count - 1) * i) / 4 - n[i]!;
    const [up, down] = [n[i + 1]! - n[i]!, n[i - 1]! - n[i]!];
    if (!((distance >= 1 && up > 1) || (distance <= -1 && down < -1))) continue;
    const step = Math.sign(distance);
    const [slopeUp, slopeDown] = [(q[i + 1]! - q[i]!) / up, (q[i - 1]! - q[i]!) / down];
    const parabolic = q[i]! + (step / (up - down)) * ((step - down) * slopeUp + (up - step) * slopeDown);
    const between = q[i - 1]! < parabolic && parabolic < q[i + 1]!;
    q[i] = between ? parabolic : q[i]! + step * (step > 0 ? slopeUp : slopeDown);
    n[i] = n[i]! + step;
  }
  return { heights: q, positions: n };
}

/** What clients are told of one entry, in milliseconds. */
export function summaryOf(stored: Json): {
  count: bigint;
  meanMs: number;
  medianMs: number;
  stdMs: number;
  minMs: number;
  maxMs: number;
  totalMs: number;
  lastMs: number;
} {
  const { count, mean, squares, min, max, total, last, heights } = stored as unknown as Entry;
  const middle = (heights.length - 1) / 2;
  const median = count === 0 ? 0 : (heights[Math.floor(middle)]! + heights[Math.ceil(middle)]!) / 2;
  return {
    count: BigInt(count),
    meanMs: mean,
    medianMs: median,
    stdMs: count === 0 ? 0 : Math.sqrt(squares / count),
    minMs: min,
    maxMs: max,
    totalMs: total,
    lastMs: last,
  };
}
