// Statistics of how long each node takes: count, mean, median, deviation, extremes. They are plain data, so that a session
// can keep them and any process can go on with them.

/** Times in milliseconds. */
export interface NodeProfile {
  readonly stage: string;
  readonly node: string;
  readonly count: number;
  readonly meanMs: number;
  readonly medianMs: number;
  /** Population standard deviation. */
  readonly stdMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly totalMs: number;
  readonly lastMs: number;
}

const MOST_EXACT = 5;

/** The times of one node in one stage, as plain data: whoever has it can add to it. */
export interface ProfileEntry {
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

export const freshProfile = (stage: string, node: string): ProfileEntry => ({
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

/** The entry with one more sample; the first `skipFirst` are not counted. */
export function addSample(entry: ProfileEntry, ms: number, skipFirst: number): ProfileEntry {
  if (entry.skipped < skipFirst) return { ...entry, skipped: entry.skipped + 1 };
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
function markers(entry: ProfileEntry, count: number, x: number): Pick<ProfileEntry, "heights" | "positions"> {
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

/** What an entry says. */
export function profileOf(entry: ProfileEntry): NodeProfile {
  const { stage, node, count, mean, squares, min, max, total, last, heights } = entry;
  const middle = (heights.length - 1) / 2;
  return {
    stage,
    node,
    count,
    meanMs: mean,
    medianMs: count === 0 ? 0 : (heights[Math.floor(middle)]! + heights[Math.ceil(middle)]!) / 2,
    stdMs: count === 0 ? 0 : Math.sqrt(squares / count),
    minMs: min,
    maxMs: max,
    totalMs: total,
    lastMs: last,
  };
}

export interface ProfilingSettings {
  readonly enabled: boolean;
  /** Start anew. */
  readonly reset?: boolean;
  /** Samples of each (stage, node) that are not counted. */
  readonly skipFirst?: number;
}

/** Samples by (stage, node), in order of first recording. */
export class Profiler {
  #enabled = false;
  #skipFirst = 0;
  readonly #entries = new Map<string, { entry: ProfileEntry; provider: string }>();

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Replaces the settings; a reset, or another skip count while enabling, forgets what was recorded. */
  configure({ enabled, reset = false, skipFirst = 0 }: ProfilingSettings): void {
    if (reset || (enabled && skipFirst !== this.#skipFirst)) this.#entries.clear();
    this.#enabled = enabled;
    this.#skipFirst = skipFirst;
  }

  /** @param provider where the sample ran: "cpu", "webgpu", "host", … */
  record(stage: string, node: string, milliseconds: number, provider: string): void {
    const key = JSON.stringify([stage, node]);
    const entry = this.#entries.get(key)?.entry ?? freshProfile(stage, node);
    this.#entries.set(key, { entry: addSample(entry, milliseconds, this.#skipFirst), provider });
  }

  summary(stage?: string): (NodeProfile & { readonly provider: string })[] {
    return [...this.#entries.values()]
      .filter(({ entry }) => stage === undefined || entry.stage === stage)
      .map(({ entry, provider }) => ({ ...profileOf(entry), provider }));
  }
}
