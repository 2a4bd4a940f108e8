// Rules of the times that a session keeps: exact for few samples, close for many, and the same however they are stored.
import type { NodeProfile } from "@sortie/pipeline";
import type { Profiling } from "@sortie/sessions";
import { describe, expect, it } from "vitest";
import { addSamples, summaryOf } from "./profiles.ts";

const sample = (lastMs: number, node = "a", stage = "inference") => ({ stage, node, lastMs }) as NodeProfile;
const FRESH: Profiling = { enabled: true, skipFirst: 0, entries: [] };

function after(values: readonly number[], skipFirst = 0) {
  let profiling: Profiling = { ...FRESH, skipFirst };
  for (const value of values) {
    profiling = addSamples(profiling, [sample(value)]);
    // As a process that starts anew reads them.
    profiling = JSON.parse(JSON.stringify(profiling));
  }
  return summaryOf(profiling.entries[0]!);
}

describe("the summary", () => {
  it("is exact for up to five samples", () => {
    expect(after([4])).toMatchObject({ count: 1n, meanMs: 4, medianMs: 4, stdMs: 0, minMs: 4, maxMs: 4, lastMs: 4 });
    const four = after([4, 1, 3, 2]);
    expect(four).toMatchObject({ count: 4n, meanMs: 2.5, medianMs: 2.5, minMs: 1, maxMs: 4, totalMs: 10, lastMs: 2 });
    expect(four.stdMs).toBeCloseTo(Math.sqrt(1.25), 12);
    expect(after([5, 1, 4, 2, 3]).medianMs).toBe(3);
  });

  it("estimates the median of many samples between their extremes", () => {
    // A permutation of 0..1000.
    const values = Array.from({ length: 1001 }, (_, i) => (i * 379) % 1001);
    const { medianMs, minMs, maxMs, meanMs, count } = after(values);
    expect(count).toBe(1001n);
    expect(Math.abs(medianMs - 500)).toBeLessThan(15);
    expect({ minMs, maxMs }).toEqual({ minMs: 0, maxMs: 1000 });
    expect(meanMs).toBeCloseTo(500, 9);
  });

  it("of samples that were all skipped is empty", () => {
    expect(after([1, 2], 2)).toEqual({
      count: 0n,
      meanMs: 0,
      medianMs: 0,
      stdMs: 0,
      minMs: 0,
      maxMs: 0,
      totalMs: 0,
      lastMs: 0,
    });
    expect(after([1, 2, 7], 2)).toMatchObject({ count: 1n, minMs: 7, totalMs: 7 });
  });

  it("keeps nodes and stages apart, in order of their first sample", () => {
    const profiling = addSamples(FRESH, [sample(1, "b"), sample(2, "a"), sample(3, "b", "val"), sample(5, "b")]);
    expect(profiling.entries.map(({ node, stage, count }) => [node, stage, count])).toEqual([
      ["b", "inference", 2],
      ["a", "inference", 1],
      ["b", "val", 1],
    ]);
  });
});
