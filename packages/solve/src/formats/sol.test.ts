// Rules of the solution file: its layout, and that what is written is read again.
import { describe, expect, it } from "vitest";
import type { LpSolution, MipSolution } from "../engine.ts";
import { readSol, SolError, solFile } from "./sol.ts";

const lp = (more: Partial<LpSolution> = {}): LpSolution => ({
  kind: "lp",
  termination: "optimal",
  message: "",
  primal: Float64Array.of(1, 0.1, -0),
  dual: new Float64Array(0),
  reducedCost: new Float64Array(0),
  primalObjective: -464.75314285714285,
  dualObjective: 0,
  gap: 0,
  l2PrimalResidual: 0,
  l2DualResidual: 0,
  iterations: 0,
  solveSeconds: 0,
  solvedBy: "dual-simplex",
  ...more,
});

const mip = (more: Partial<MipSolution> = {}): MipSolution => ({
  kind: "mip",
  termination: "optimal",
  message: "",
  solution: Float64Array.of(1, 0, 1),
  objective: 3,
  bound: 3,
  gap: 0,
  solveSeconds: 0,
  presolveSeconds: 0,
  maxConstraintViolation: 0,
  maxIntegralityViolation: 0,
  maxVariableBoundViolation: 0,
  nodes: 0,
  simplexIterations: 0,
  ...more,
});

const names = ["x", "my y", "z"];
const write = (...args: Parameters<typeof solFile>) => [...solFile(...args)].join("");

describe("a solution file", () => {
  it("has status, objective and one line per variable, with 18 significant digits", () => {
    expect(write(lp(), names)).toBe(
      "# Status: Optimal\n# Objective value: -464.753142857142848\nx 1\nmy y 0.100000000000000006\nz -0\n",
    );
  });

  it("names variables by their number when the model has no names", () => {
    expect(write(mip())).toBe("# Status: Optimal\n# Objective value: 3\nx0 1\nx1 0\nx2 1\n");
  });

  it.each([
    [lp({ termination: "primal-feasible" }), "Primal Feasible"],
    [mip({ termination: "feasible-found" }), "Feasible"],
    [mip({ termination: "time-limit" }), "Time Limit"],
    [mip({ termination: "work-limit" }), "Work Limit"],
  ])("with a usable point says so (%#)", (solution, word) => {
    expect(write(solution, names)).toMatch(new RegExp(`^# Status: ${word}\n# Objective value: .*\nx 1\n`));
  });

  it.each([
    [lp({ termination: "primal-infeasible" }), "# Status: Infeasible\n"],
    [lp({ termination: "time-limit" }), "# Status: Infeasible\n# Termination: time-limit\n"],
    [lp({ termination: "dual-infeasible" }), "# Status: Infeasible\n# Termination: dual-infeasible\n"],
    [mip({ termination: "infeasible" }), "# Status: Infeasible\n"],
    [mip({ termination: "none" }), "# Status: Infeasible\n# Termination: none\n"],
    [
      mip({ termination: "time-limit", solution: new Float64Array(0) }),
      "# Status: Infeasible\n# Termination: time-limit\n",
    ],
  ])("without a usable point has neither objective nor values (%#)", (solution, text) => {
    expect(write(solution, names)).toBe(text);
  });

  it("refuses names that are not one for each value", () => {
    expect(() => write(lp(), ["x"])).toThrow("1 names for 3 values");
  });
});

describe("readSol", () => {
  it("reads what was written, to the last bit", () => {
    const primal = Float64Array.of(0.1 + 0.2, -1e-300, 123456789.12345679);
    const content = readSol(write(lp({ primal, primalObjective: 1 / 3 }), names), names);
    expect(content).toEqual({ status: "Optimal", objective: 1 / 3, values: primal });
  });

  it("takes the MIPLIB form, any order of variables, CRLF and blank lines", () => {
    const content = readSol("=obj= 5.5\r\nz 3\r\n\r\nx   1\r\nmy y\t2\r\n", names);
    expect(content).toEqual({ status: "", objective: 5.5, values: Float64Array.of(1, 2, 3) });
  });

  it("takes an infeasible file without values", () => {
    expect(readSol("# Status: Infeasible\n", names)).toEqual({
      status: "Infeasible",
      objective: undefined,
      values: undefined,
    });
  });

  it("takes infinities and NaN", () => {
    expect(readSol("x inf\nmy y -Infinity\nz nan\n", names).values).toEqual(
      Float64Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN),
    );
  });

  it.each([
    ["x 1\n", 'line 1: variable "my y" and 1 more missing; each of the 3 variables needs a line'],
    ["x 1\nq 2\n", 'line 2: unknown variable "q"'],
    ["x 1\nx 2\n", 'line 2: variable "x" again; once is allowed'],
    ["x 1\nz one\n", 'line 2: found "one"; a number is needed'],
    ["x\n", 'line 1: found "x"; a variable\'s name, a blank and its value are needed'],
    ["# Status: Optimal\n", 'line 1: variable "x" and 2 more missing; each of the 3 variables needs a line'],
  ])("refuses %j", (text, message) => {
    expect(() => readSol(text, names)).toThrow(new SolError(Number(/\d+/.exec(message)?.[0]), message.slice(8)));
  });
});
