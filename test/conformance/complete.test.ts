// Nothing is left out in silence: every scenario of the list has exactly one test, or says why it has none.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GROUPS, SCENARIOS } from "./scenarios.ts";

const folder = new URL(".", import.meta.url);
const files = globSync("*.test.ts", { cwd: fileURLToPath(folder) });
const declared = files.flatMap((file) => {
  const text = readFileSync(new URL(file, folder), "utf8");
  return [...text.matchAll(/\b(?:scenario|codecScenario)\("([A-Z]\d+)"/g)].map((match) => match[1]!);
});

/** How many scenarios the groups have: a number that goes missing in the list is noticed as well. */
const SIZES = { A: 7, B: 10, C: 19, D: 16, E: 23, F: 14, G: 19, H: 14, I: 13, J: 17, K: 10, L: 9, M: 15, N: 11, O: 10 };

describe("the list of scenarios", () => {
  it("has every number of every group once, in order", () => {
    const expected = Object.entries(SIZES).map(([letter, size]) => [
      letter,
      Array.from({ length: size }, (_, i) => `${letter}${i + 1}`),
    ]);
    expect(GROUPS.map(({ letter, scenarios }) => [letter, scenarios.map(({ number }) => number)])).toEqual(expected);
  });

  it("has exactly one test for each scenario that applies", () => {
    const applicable = [...SCENARIOS.values()].filter(({ notApplicable }) => notApplicable === undefined);
    expect([...declared].sort()).toEqual(applicable.map(({ number }) => number).sort());
  });
});
