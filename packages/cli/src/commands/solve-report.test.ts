// What `sortie solve` says.
import { PassThrough } from "node:stream";
import type { LpSolution, MipSolution } from "@sortie/solve";
import { describe, expect, it } from "vitest";
import { exitCodeOfSolution, incumbentSolution, reportLines, summaryTable, worstOf } from "./solve-report.ts";
import { liveText } from "./solve-watch.ts";

const lp = (change: Partial<LpSolution> = {}): LpSolution => ({
  kind: "lp",
  termination: "optimal",
  message: "",
  primal: Float64Array.of(1),
  dual: new Float64Array(),
  reducedCost: Float64Array.of(0),
  primalObjective: -464.75314285714285,
  dualObjective: -464.75,
  gap: 0,
  l2PrimalResidual: 0,
  l2DualResidual: 0,
  iterations: 6,
  solveSeconds: 0.51,
  solvedBy: "dual-simplex",
  ...change,
});
const mip = (change: Partial<MipSolution> = {}): MipSolution => ({
  ...(incumbentSolution({ index: 0, objective: 7615, assignment: Float64Array.of(1), jobId: "j" }) as MipSolution),
  termination: "optimal",
  bound: 7615,
  gap: 0,
  nodes: 7,
  solveSeconds: 2.4,
  ...change,
});
const nothing = new Float64Array();

const plain = new PassThrough() as unknown as NodeJS.WriteStream;
const report = (solution: LpSolution | MipSolution) => reportLines(solution, plain);

describe("the report", () => {
  it("of an LP is one line with what scripts look for", () => {
    expect(report(lp())).toEqual(["Status: Optimal  Objective: -464.7531429  Iterations: 6  Time: 0.5 s"]);
  });

  it("of a MIP has the lines that scripts look for", () => {
    expect(report(mip())).toEqual([
      "Optimal solution found.",
      "Solution objective: 7615  Bound: 7615  Gap: 0.0000 %",
      "Status: Optimal  Nodes: 7  Time: 2.4 s",
    ]);
  });

  it("tells no objective where there is no point, and what the solver says", () => {
    const message = "the time is up";
    expect(report(mip({ termination: "time-limit", solution: nothing, message }))).toEqual([
      message,
      "Status: Time limit  Nodes: 7  Time: 2.4 s",
    ]);
    expect(report(lp({ termination: "primal-infeasible", primal: nothing }))).toEqual([
      "Status: Infeasible  Iterations: 6  Time: 0.5 s",
    ]);
  });

  it("has colours on a terminal only", () => {
    expect(report(lp()).join("")).not.toContain("\x1b");
  });
});

describe("exit codes", () => {
  it.each([
    [lp(), 0],
    [lp({ termination: "primal-infeasible", primal: nothing }), 0],
    [lp({ termination: "time-limit", primal: nothing }), 3],
    [lp({ termination: "numerical-error", primal: nothing }), 3],
    [mip({ termination: "time-limit" }), 0],
    [mip({ termination: "time-limit", solution: nothing }), 3],
    [mip({ termination: "infeasible", solution: nothing }), 0],
  ])("say whether the question was answered (%#)", (solution, code) => {
    expect(exitCodeOfSolution(solution)).toBe(code);
  });

  it("of several models: the worst", () => {
    expect(worstOf([])).toBe(0);
    expect(worstOf([0, 3, 0])).toBe(3);
    expect(worstOf([0, 3, 4])).toBe(4);
    expect(worstOf([1, 3, 4])).toBe(1);
    expect(worstOf([1, 130])).toBe(130);
  });
});

it("a table tells of several models at once", () => {
  const table = summaryTable([
    { label: "a.mps", status: "Optimal", objective: 5, gap: 0.01, seconds: 1.26, exitCode: 0 },
    { label: "broken.mps", status: "fault", seconds: 0, exitCode: 1 },
  ]);
  expect(table).toBe(
    [
      "file         status  objective     gap   time",
      "a.mps       Optimal          5  1.00 %  1.3 s",
      "broken.mps    fault          -       -  0.0 s",
    ].join("\n"),
  );
});

describe("the live line", () => {
  it("has objective, bound, gap, nodes and seconds", () => {
    expect(liveText({ objective: 7615, bound: 7600, gap: 0.002, nodes: 7n, iterations: 90n }, 1.31)).toBe(
      "    1.3 s  objective 7615  bound 7600  gap 0.20 %  7 nodes",
    );
    expect(liveText({ iterations: 90n }, 1)).toBe("    1.0 s  objective -  bound -  gap -  90 iterations");
  });

  it("tells what a job waits for", () => {
    expect(liveText({ queuePosition: 0, waitingReason: "no worker is free" }, 2)).toBe(
      "    2.0 s  waiting: no worker is free",
    );
  });
});
