// Rules of the profiler's statistics.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numbers } from "../testing/pipelines.ts";
import { Profiler } from "./profile.ts";

function profile(samples: readonly number[]) {
  const profiler = new Profiler();
  profiler.configure({ enabled: true });
  for (const sample of samples) profiler.record("inference", "node", sample, "cpu");
  return profiler.summary()[0];
}

describe("a node's profile", () => {
  it("has exact statistics of few samples", () => {
    expect(profile([4, 1, 3, 2])).toMatchObject({
      count: 4,
      meanMs: 2.5,
      medianMs: 2.5,
      minMs: 1,
      maxMs: 4,
      totalMs: 10,
      lastMs: 2,
    });
    expect(profile([4, 1, 3, 2])?.stdMs).toBeCloseTo(Math.sqrt(1.25), 12);
    expect(profile([5, 1, 9, 2, 7])?.medianMs).toBe(5);
  });

  it("estimates the median of many", () => {
    const random = numbers(5);
    expect(profile(Array.from({ length: 5000 }, () => random() ** 2))?.medianMs).toBeCloseTo(0.25, 1);
  });

  it("keeps the median within the extremes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 60 }),
        (samples) => {
          const found = profile(samples);
          expect(found?.medianMs).toBeGreaterThanOrEqual(found?.minMs as number);
          expect(found?.medianMs).toBeLessThanOrEqual(found?.maxMs as number);
        },
      ),
    );
  });

  it("of skipped samples alone is zero", () => {
    const profiler = new Profiler();
    profiler.configure({ enabled: true, skipFirst: 2 });
    profiler.record("train", "a", 5, "cpu");
    expect(profiler.summary()).toMatchObject([
      { stage: "train", node: "a", count: 0, meanMs: 0, medianMs: 0, maxMs: 0 },
    ]);
  });
});
