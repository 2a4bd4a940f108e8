// Statistics of how long each node takes: count, mean, median, deviation, extremes.

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
  /** Where the samples ran: "cpu", "webgpu", "host", … */
  readonly provider: string;
}

/**
 * Median of a stream: exact for up to five samples, then the P² estimator.
 * @see Jain and Chlamtac, Communications of the ACM 28 (1985) 1076
 */
class StreamingMedian {
  readonly #heights: number[] = [];
  #positions = [1, 2, 3, 4, 5];
  #desired = [1, 2, 3, 4, 5];
  #count = 0;

  add(x: number): void {
    this.#count++;
    const q = this.#heights;
    if (this.#count <= 5) {
      q.push(x);
      q.sort((a, b) => a - b);
      return;
    }
    const last = 4;
    if (x < (q[0] as number)) q[0] = x;
    if (x > (q[last] as number)) q[last] = x;
    let cell = 0;
    while (cell < 3 && x >= (q[cell + 1] as number)) cell++;
    for (let i = cell + 1; i <= last; i++) this.#positions[i] = (this.#positions[i] as number) + 1;
    this.#desired = this.#desired.map((d, i) => d + i / last);
    for (let i = 1; i < last; i++) this.#adjust(i);
  }

  #adjust(i: number): void {
    const [n, q] = [this.#positions, this.#heights];
    const at = (list: readonly number[], k: number): number => list[k] as number;
    const d = at(this.#desired, i) - at(n, i);
    const up = at(n, i + 1) - at(n, i);
    const down = at(n, i - 1) - at(n, i);
    if (!((d >= 1 && up > 1) || (d <= -1 && down < -1))) return;
    const s = Math.sign(d);
    const slopeUp = (at(q, i + 1) - at(q, i)) / up;
    const slopeDown = (at(q, i - 1) - at(q, i)) / down;
    const parabolic = at(q, i) + (s / (up - down)) * ((s - down) * slopeUp + (up - s) * slopeDown);
    const fits = at(q, i - 1) < parabolic && parabolic < at(q, i + 1);
    q[i] = fits ? parabolic : at(q, i) + (s * (at(q, i + s) - at(q, i))) / (at(n, i + s) - at(n, i));
    n[i] = at(n, i) + s;
  }

  get value(): number {
    const q = this.#heights;
    if (this.#count === 0) return 0;
    if (this.#count >= 5) return q[2] as number;
    const middle = (q.length - 1) / 2;
    return ((q[Math.floor(middle)] as number) + (q[Math.ceil(middle)] as number)) / 2;
  }
}

class Samples {
  skipped = 0;
  count = 0;
  mean = 0;
  #squares = 0;
  min = 0;
  max = 0;
  total = 0;
  last = 0;
  provider = "host";
  readonly median = new StreamingMedian();

  add(ms: number): void {
    this.count++;
    const d = ms - this.mean;
    this.mean += d / this.count;
    this.#squares += d * (ms - this.mean);
    this.min = this.count === 1 ? ms : Math.min(this.min, ms);
    this.max = Math.max(this.max, ms);
    this.total += ms;
    this.last = ms;
    this.median.add(ms);
  }

  get std(): number {
    return this.count === 0 ? 0 : Math.sqrt(this.#squares / this.count);
  }
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
  readonly #entries = new Map<string, { stage: string; node: string; samples: Samples }>();

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Replaces the settings; a reset, or another skip count while enabling, forgets what was recorded. */
  configure({ enabled, reset = false, skipFirst = 0 }: ProfilingSettings): void {
    if (reset || (enabled && skipFirst !== this.#skipFirst)) this.#entries.clear();
    this.#enabled = enabled;
    this.#skipFirst = skipFirst;
  }

  record(stage: string, node: string, milliseconds: number, provider: string): void {
    const key = JSON.stringify([stage, node]);
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { stage, node, samples: new Samples() };
      this.#entries.set(key, entry);
    }
    if (entry.samples.skipped < this.#skipFirst) {
      entry.samples.skipped++;
      return;
    }
    entry.samples.provider = provider;
    entry.samples.add(milliseconds);
  }

  summary(stage?: string): NodeProfile[] {
    return [...this.#entries.values()]
      .filter((entry) => stage === undefined || entry.stage === stage)
      .map(({ stage: of, node, samples: s }) => ({
        stage: of,
        node,
        count: s.count,
        meanMs: s.mean,
        medianMs: s.median.value,
        stdMs: s.std,
        minMs: s.min,
        maxMs: s.max,
        totalMs: s.total,
        lastMs: s.last,
        provider: s.provider,
      }));
  }
}
