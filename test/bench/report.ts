// What a bench reports, how it is shown and kept: medians, and ratios to a baseline that was measured in the same run.
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

/** One line of a bench's report. */
export interface Measure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The same work done the plainest way, in the same run and unit. */
  readonly baseline?: { readonly what: string; readonly value: number } | undefined;
  readonly goal?: { readonly text: string; readonly isMet: boolean } | undefined;
}

export interface BenchResult {
  /** Sizes of the input, in words. */
  readonly input: string;
  readonly measures: readonly Measure[];
}

export interface BenchOptions {
  /** Smaller inputs and fewer rounds: shows that the bench works; its figures are not to be quoted. */
  readonly short: boolean;
}

export interface Bench {
  readonly name: string;
  readonly about: string;
  run(options: BenchOptions): Promise<BenchResult>;
}

export const MIB = 1024 * 1024;

/** The value that half of the values are below; `share` 0.99 gives the 99th percentile. */
export function percentile(values: readonly number[], share = 0.5): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Runs `round` so many times after one that does not count; each gives seconds or a figure of its own. */
export async function medianOf(rounds: number, round: () => Promise<number>): Promise<number> {
  await round();
  const values: number[] = [];
  for (let i = 0; i < rounds; i++) values.push(await round());
  return percentile(values);
}

/** Seconds that the task takes. */
export async function secondsOf(task: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await task();
  return (performance.now() - started) / 1000;
}

export const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 1024 ** 3),
  system: `${platform()} ${release()} ${arch()}`,
  node: process.version,
};

/** Three figures are all that a bench can tell. */
function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

export function show(bench: Bench, { input, measures }: BenchResult): string {
  const lines = [`${bench.name}: ${bench.about}`, `  input: ${input}`];
  for (const { what, value, unit, baseline, goal } of measures) {
    let line = `  ${what}: ${short(value)} ${unit}`;
    if (baseline) {
      line += `; ${baseline.what}: ${short(baseline.value)} ${unit}; ratio ${short(value / baseline.value)}`;
    }
    if (goal) line += `; goal ${goal.text}: ${goal.isMet ? "met" : "MISSED"}`;
    lines.push(line);
  }
  return `${lines.join("\n")}\n`;
}

/** Keeps a result as JSON. @returns the file's path */
export function keep(bench: Bench, result: BenchResult, options: BenchOptions): string {
  const folder = fileURLToPath(new URL("./results/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}${bench.name}${options.short ? "-short" : ""}.json`;
  const measures = result.measures.map((measure) => ({
    ...measure,
    ...(measure.baseline ? { ratio: measure.value / measure.baseline.value } : {}),
  }));
  const record = { bench: bench.name, at: new Date().toISOString(), machine, ...result, measures };
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  return file;
}
