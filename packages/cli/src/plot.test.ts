// The plot of incumbents and bound.
import { describe, expect, it } from "vitest";
import { plotLines, takesUnicode } from "./plot.ts";

const falling = {
  objectives: [
    { seconds: 0, value: 100 },
    { seconds: 2, value: 60 },
    { seconds: 5, value: 20 },
  ],
  bounds: [
    { seconds: 0, value: -1e9 },
    { seconds: 3, value: 10 },
    { seconds: 9, value: 20 },
  ],
  seconds: 10,
};

describe("the plot of a MIP", () => {
  it("shows when incumbents were found, what stood until the next, and the bound", () => {
    expect(plotLines(falling, { width: 26, height: 5, unicode: false })).toEqual([
      "100 |*---",
      "    |",
      "    |    *-----",
      "    |",
      " 20 |          *---------",
      "    +--------------------",
      "     0.0 s         10.0 s",
    ]);
  });

  it("has no more than 12 lines, none longer than the width", () => {
    const lines = plotLines(falling, { width: 72, unicode: true });
    expect(lines.length).toBeLessThanOrEqual(12);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(72);
    expect(lines.at(-1)).toMatch(/^ +0\.0 s {3}● incumbent {3}· bound +10\.0 s$/);
    expect(lines.join("")).toContain("●");
  });

  it("leaves early bounds outside of the scale out, and shows those inside of it", () => {
    const text = plotLines(falling, { width: 60, unicode: false }).join("\n");
    expect(text).not.toContain("-1000000000");
    const rising = plotLines(
      {
        ...falling,
        bounds: [
          { seconds: 0, value: 0 },
          { seconds: 5, value: 10 },
        ],
      },
      { width: 60, unicode: false },
    );
    expect(rising.at(-3)).toMatch(/^ +10 \|\s+\.{20,}$/);
  });

  it("begins with the first sample: nothing was known before", () => {
    const later = (samples: typeof falling.bounds) =>
      samples.map(({ seconds, value }) => ({ seconds: seconds + 90, value }));
    const moved = { objectives: later(falling.objectives), bounds: later(falling.bounds), seconds: 100 };
    const options = { width: 60, unicode: false };
    expect(plotLines(moved, options).slice(0, -1)).toEqual(plotLines(falling, options).slice(0, -1));
    expect(plotLines(moved, options).at(-1)).toMatch(/^ +90\.0 s .* 100\.0 s$/);
  });

  it("draws one value on one line", () => {
    const lines = plotLines(
      { objectives: [{ seconds: 1, value: 5 }], bounds: [{ seconds: 1, value: 5 }], seconds: 2 },
      { width: 40, unicode: false },
    );
    expect(lines.filter((line) => line.includes("*-"))).toHaveLength(1);
    expect(lines.filter((line) => line.trimStart().startsWith("5 |"))).toHaveLength(1);
  });

  it("is nothing without an incumbent", () => {
    expect(
      plotLines({ objectives: [], bounds: [{ seconds: 0, value: 1 }], seconds: 1 }, { width: 60, unicode: true }),
    ).toEqual([]);
  });
});

describe("the signs of a plot", () => {
  it("are ASCII where the locale is not UTF-8", () => {
    expect(takesUnicode({ LANG: "en_GB.UTF-8" })).toBe(true);
    expect(takesUnicode({ LANG: "en_GB.UTF-8", LC_ALL: "C" })).toBe(false);
  });
});
