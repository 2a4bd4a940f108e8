// Rules of the search for an infeasible subset: it is infeasible, and no side of it can be left out.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { createHighsEngine } from "./engines/highs.ts";
import { parseLp, parseMps } from "./formats/index.ts";
import { arrayOf, infeasibleSubset, type SideOfModel } from "./infeasible-subset.ts";
import type { Problem } from "./problem.ts";

const engine = createHighsEngine();
afterAll(() => engine[Symbol.asyncDispose]());

const lp = (text: string): Problem => parseLp(Buffer.from(text)).problem;
const search = (problem: Problem) => infeasibleSubset(problem, engine);
const words = (problem: Problem, sides: readonly SideOfModel[]) =>
  sides.map(({ of, index, side }) => {
    const name = (of === "row" ? problem.rowNames : problem.variableNames)?.[index];
    return `${name} ${side === "lower" ? ">=" : "<="} ${problem[arrayOf(of, side)][index]}`;
  });

/** The problem with these sides alone, without an objective. */
function onlyWith(problem: Problem, sides: readonly SideOfModel[]): Problem {
  const part = {
    ...problem,
    objective: new Float64Array(problem.columns),
    matrix: structuredClone(problem.matrix),
    rowLower: new Float64Array(problem.rows).fill(Number.NEGATIVE_INFINITY),
    rowUpper: new Float64Array(problem.rows).fill(Number.POSITIVE_INFINITY),
    variableLower: new Float64Array(problem.columns).fill(Number.NEGATIVE_INFINITY),
    variableUpper: new Float64Array(problem.columns).fill(Number.POSITIVE_INFINITY),
  };
  for (const { of, index, side } of sides) part[arrayOf(of, side)][index] = problem[arrayOf(of, side)][index] as number;
  return part;
}

describe("an infeasible model", () => {
  it("is told by the sides that contradict each other, and no others", async () => {
    const problem = lp(
      "min x + y\nst\n much: x + y >= 8\n little: x + y <= 3\n other: x - y <= 2\nbounds\n x <= 10\nend\n",
    );
    const found = await search(problem);
    expect(found).toMatchObject({ irreducible: true, needsIntegrality: false });
    expect(words(problem, found?.sides ?? [])).toEqual(["much >= 8", "little <= 3"]);
  });

  it("may owe it to one side of an equality and to bounds", async () => {
    const problem = lp("min x\nst\n sum: x + y = 8\n free: x - y >= -100\nbounds\n x <= 3\n y <= 4\nend\n");
    const found = await search(problem);
    expect(words(problem, found?.sides ?? [])).toEqual(["sum >= 8", "x <= 3", "y <= 4"]);
  });

  it("may owe it to integrality", async () => {
    const problem = lp("min x\nst\n half: 2 x = 1\n other: x + y <= 9\nbounds\n x <= 5\ngeneral\n x\nend\n");
    const found = await search(problem);
    expect(found).toMatchObject({ irreducible: true, needsIntegrality: true });
    expect(words(problem, found?.sides ?? [])).toEqual(["half >= 1", "half <= 1"]);
  });

  it("with crossed bounds needs no search", async () => {
    const problem = lp("min x\nst\n c: x + y >= 1\nbounds\n 5 <= x <= 3\nend\n");
    const found = await search(problem);
    expect(found).toMatchObject({ irreducible: true, solves: 0 });
    expect(words(problem, found?.sides ?? [])).toEqual(["x >= 5", "x <= 3"]);
  });

  it("of Netlib has a subset that is infeasible, and feasible without any one side", async () => {
    const file = new URL("../../../test/data/lp/galenet.mps.gz", import.meta.url);
    const { problem } = parseMps(readFileSync(file));
    const sides = (await search(problem))?.sides ?? [];
    expect(sides.length).toBeGreaterThan(1);
    expect(await search(onlyWith(problem, sides))).toBeDefined();
    for (const left of sides) {
      const rest = sides.filter((side) => side !== left);
      expect(await search(onlyWith(problem, rest)), words(problem, [left])[0]).toBeUndefined();
    }
  });
});

it("a feasible model has none, bounded or not", async () => {
  expect(await search(lp("min x\nst\n c: x + y >= 1\nend\n"))).toBeUndefined();
  expect(await search(lp("max x\nst\n c: x - y <= 1\ngeneral\n x\nend\n"))).toBeUndefined();
});

it("an aborted signal stops the search", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  const problem = lp("min x\nst\n a: x + y >= 8\n b: x + y <= 3\nend\n");
  await expect(infeasibleSubset(problem, engine, { signal })).rejects.toThrow("enough");
});

it("without time there is no answer", async () => {
  const problem = lp("min x\nst\n a: x + y >= 8\n b: x + y <= 3\nend\n");
  expect(await infeasibleSubset(problem, engine, { timeLimitSeconds: 0 })).toBeUndefined();
});
