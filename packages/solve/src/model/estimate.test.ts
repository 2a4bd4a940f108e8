// Rules of the memory estimate: what is known to have worked passes, what cannot fit is refused with a way out.
import { describe, expect, it } from "vitest";
import { assertFits, estimateMemory, highsMemoryLimitBytes } from "./estimate.ts";

const sizes = (rows: number, columns: number, nonzeros: number) => ({ rows, columns, nonzeros, quadraticNonzeros: 0 });

describe("estimateMemory", () => {
  // Measured: megabytes after the run.
  it.each([
    ["lp", sizes(5000, 10000, 50_000), 53],
    ["lp", sizes(100_000, 100_000, 1_000_000), 481],
    ["mip", sizes(100_000, 100_000, 1_000_000), 585],
    ["lp", sizes(20_000, 20_000, 2_000_000), 691],
    ["lp", sizes(1_000_000, 10_000, 1_000_000), 1109],
  ] as const)("is within a quarter of what was measured for %s %o", (kind, model, megabytes) => {
    const { likelyBytes, leastBytes } = estimateMemory(kind, model);
    expect(Math.abs(likelyBytes / 1e6 / megabytes - 1)).toBeLessThan(0.25);
    expect(leastBytes).toBeLessThan(likelyBytes);
  });

  it("never expects more than there can be", () => {
    expect(estimateMemory("mip", sizes(1e6, 1e6, 20e6)).likelyBytes).toBe(highsMemoryLimitBytes);
  });
});

describe("assertFits", () => {
  it("lets 20 million non-zeros pass", () => {
    expect(() => assertFits("lp", sizes(10_000, 20_000, 20e6))).not.toThrow();
  });

  it("refuses what cannot fit and says size, limit and what to do", () => {
    const text = /10 rows, 20 variables and 100000000 non-zeros need at least 5\.6 GiB; .* 2\.0 GiB.*Reduce or split/;
    expect(() => assertFits("lp", sizes(10, 20, 1e8))).toThrow(text);
  });
});
