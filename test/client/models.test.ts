// Models built by name and problems as arrays, solved by Sortie: what was written down is what is solved.
import { type LpSolution, type MipSolution, Model } from "@sortie/client";
import { describe, expect, it } from "vitest";
import { clientOf } from "./harness.ts";
import { realServer } from "./real-server.ts";

const server = realServer({ workers: 1 });
const open = async () => clientOf(await server());

describe("a model that is solved", () => {
  it("may have no constraint at all", async () => {
    const solution = await (await open()).solveLp({ objective: [1, -1], variableUpper: [4, 3] });
    expect(solution).toMatchObject({ status: "optimal", objective: -3 });
    expect(solution.primal).toEqual(Float64Array.of(0, 3));
  });

  it("keeps ranges, free variables, offset and sense", async () => {
    const model = new Model();
    const x = model.variable("x", { lower: -Infinity });
    const y = model.variable("y", { lower: -5, upper: 5 });
    model.range(
      "sum",
      -2,
      [
        [x, 1],
        [y, 1],
      ],
      3,
    );
    model.constraint("difference", { x: 1, y: -1 }, "=", 1);
    model.maximize({ x: 2 }, { offset: 10 });
    const solution = (await model.solve(await open())) as LpSolution;
    expect(solution).toMatchObject({ kind: "lp", status: "optimal" });
    expect(solution.objective).toBeCloseTo(14, 9);
    expect(solution.value("x")).toBeCloseTo(2, 9);
    expect(solution.value("y")).toBeCloseTo(1, 9);
    // A unit more of "sum" is half a unit more of x, which counts twice.
    expect(solution.dualOf("sum")).toBeCloseTo(1, 9);
  });

  it("keeps integers, binaries and semi-continuous variables", async () => {
    const model = new Model();
    model.variable("whole", { type: "integer", upper: 10 });
    model.variable("yes", { type: "binary" });
    model.variable("batch", { type: "semi-continuous", lower: 4, upper: 8 });
    model.constraint("need", { whole: 2, batch: 1 }, ">=", 3);
    model.constraint("yes needs whole", { yes: 2, whole: -1 }, "<=", 0);
    model.minimize({ whole: 3, yes: -1, batch: 2 });
    const solution = (await model.solve(await open())) as MipSolution;
    expect(solution).toMatchObject({ kind: "mip", status: "optimal" });
    expect(solution.objective).toBeCloseTo(5, 6);
    expect(solution.value("whole")).toBeCloseTo(2, 6);
    expect(solution.value("yes")).toBeCloseTo(1, 6);
    // Within its bounds it would have to be at least 4.
    expect(solution.value("batch")).toBeCloseTo(0, 6);
  });

  it("has products as they are written, without a half", async () => {
    const model = new Model();
    const x = model.variable("x", { lower: -Infinity });
    const y = model.variable("y", { lower: -Infinity });
    // (x − 1)² + (x + y)² = 2x² + 2xy + y² − 2x + 1: 0 at (1, −1).
    model.minimize(
      { x: -2 },
      {
        quadratic: [
          [x, x, 2],
          [y, x, 2],
          [y, y, 1],
        ],
        offset: 1,
      },
    );
    const solution = (await model.solve(await open())) as LpSolution;
    expect(solution.status).toBe("optimal");
    expect(solution.objective).toBeCloseTo(0, 6);
    expect(solution.value("x")).toBeCloseTo(1, 4);
    expect(solution.value("y")).toBeCloseTo(-1, 4);
  });

  it("starts where it is told to", async () => {
    const model = new Model();
    for (const name of ["a", "b", "c"]) model.variable(name, { type: "binary" });
    model.constraint("room", { a: 3, b: 4, c: 5 }, "<=", 8);
    model.maximize({ a: 4, b: 5, c: 7 });
    model.startFrom({ a: 0, b: 1, c: 0 });
    const lines: string[] = [];
    const onLog = ({ text }: { text: string }) => void lines.push(text);
    const client = await open();
    const first = (await model.solve(client, { onLog })) as MipSolution;
    expect(first.objective).toBe(11);
    expect(lines.join("\n")).toMatch(/Initial solution: objective 5,/);
    // A solution of one model is a start for the next.
    model.startFrom(first.values());
    lines.length = 0;
    await model.solve(client, { onLog });
    expect(lines.join("\n")).toMatch(/Initial solution: objective 11,/);
  });

  it("gives typed settings to the solver", async () => {
    const model = new Model();
    model.variable("x", { upper: 2 });
    model.maximize({ x: 1 });
    const client = await open();
    const stopped = await client.solveLp(model, { settings: { timeLimit: 0 } });
    expect(stopped.status).toBe("time-limit");
    expect((await client.solveLp(model, { settings: { method: "dual-simplex" } })).objective).toBe(2);
    await expect(client.solveLp(model, { settings: { timeLimit: -1 } })).rejects.toThrow(/^timeLimit is -1; allowed/);
  });

  it("is told infeasible or unbounded by its status", async () => {
    const model = new Model();
    model.variable("x");
    model.maximize({ x: 1 });
    const client = await open();
    expect(await model.solve(client)).toMatchObject({ status: "dual-infeasible" });
    model.constraint("below", { x: 1 }, "<=", -1);
    const solution = await model.solve(client);
    expect(solution.status).toBe("primal-infeasible");
  });
});
