// Solutions in files, and as JSON.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { LpSolution, MipSolution } from "@sortie/solve";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeAside } from "./file-aside.ts";
import { solutionDocument, solutionFacts, solutionFormatOf, writeSolutionFile } from "./solution-file.ts";

const lp: LpSolution = {
  kind: "lp",
  termination: "optimal",
  message: "",
  primal: Float64Array.of(0.1 + 0.2, -0),
  dual: Float64Array.of(1),
  reducedCost: Float64Array.of(0, 2),
  primalObjective: 3,
  dualObjective: Number.NaN,
  gap: 0,
  l2PrimalResidual: 0,
  l2DualResidual: 0,
  iterations: 4,
  solveSeconds: 0.5,
  solvedBy: "dual-simplex",
};
const mip: MipSolution = {
  kind: "mip",
  termination: "time-limit",
  message: "",
  solution: new Float64Array(),
  objective: Number.NaN,
  bound: -Infinity,
  gap: Infinity,
  solveSeconds: 2,
  presolveSeconds: 1,
  maxConstraintViolation: 0,
  maxIntegralityViolation: 0,
  maxVariableBoundViolation: 0,
  nodes: 7,
  simplexIterations: 9,
};
const names = { variables: ["x", 'a "b"'], rows: ["cap"] };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-solution-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a solution as JSON", () => {
  it("has the facts, then values by name, to the last bit", () => {
    const document = [...solutionDocument({ file: "m.mps", ...solutionFacts(lp) }, lp, names)].join("");
    expect(document.endsWith("}\n")).toBe(true);
    expect(JSON.parse(document)).toEqual({
      file: "m.mps",
      status: "optimal",
      objective: 3,
      gap: 0,
      iterations: 4,
      method: "dual-simplex",
      primalResidual: 0,
      dualResidual: 0,
      solveSeconds: 0.5,
      values: { x: 0.1 + 0.2, 'a "b"': 0 },
      duals: { cap: 1 },
      reducedCosts: { x: 0, 'a "b"': 2 },
    });
  });

  it("leaves out what is not known, and says null for an infinity", () => {
    expect(JSON.parse([...solutionDocument(solutionFacts(mip), mip, {})].join(""))).toEqual({
      status: "time-limit",
      bound: null,
      nodes: 7,
      iterations: 9,
      presolveSeconds: 1,
      solveSeconds: 2,
    });
  });

  it("names by number where the model has no names", () => {
    const { values, duals } = JSON.parse([...solutionDocument({}, lp, {})].join(""));
    expect(values).toEqual({ x0: 0.1 + 0.2, x1: 0 });
    expect(duals).toEqual({ c0: 1 });
  });
});

describe("a solution file", () => {
  it("has the layout that its name tells", async () => {
    await writeSolutionFile(join(folder, "a.sol"), lp, names);
    await writeSolutionFile(join(folder, "a.json"), lp, names, { file: "m.mps" });
    await writeSolutionFile(join(folder, "a.sol.gz"), lp, names);
    const sol = readFileSync(join(folder, "a.sol"), "utf8");
    expect(sol).toMatch(/^# Status: Optimal\n# Objective value: 3\nx 0\.3/);
    expect(JSON.parse(readFileSync(join(folder, "a.json"), "utf8"))).toMatchObject({
      file: "m.mps",
      values: { x: 0.1 + 0.2 },
    });
    expect(gunzipSync(readFileSync(join(folder, "a.sol.gz"))).toString()).toBe(sol);
    expect(readdirSync(folder).toSorted()).toEqual(["a.json", "a.sol", "a.sol.gz"]);
  });

  it("is JSON only if it is called so", () => {
    expect(["a.json", "a.JSON.gz", "a.sol", "a.txt", "json"].map(solutionFormatOf)).toEqual([
      "json",
      "json",
      "sol",
      "sol",
      "sol",
    ]);
  });
});

describe("a file that is written aside", () => {
  it("keeps its old content, and leaves nothing else, where writing fails half-way", async () => {
    const file = join(folder, "x.sol");
    writeFileSync(file, "old");
    const half = function* () {
      yield "new";
      throw new Error("stopped");
    };
    await expect(writeAside(file, half())).rejects.toThrow("stopped");
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["x.sol"]);
  });

  it("is not made where it was given up", async () => {
    const file = join(folder, "x.sol");
    await expect(writeAside(file, ["a"], AbortSignal.abort(new Error("enough")))).rejects.toThrow();
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});
