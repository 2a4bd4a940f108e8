// Rules of the HiGHS engine: what is solved, how outcomes are told, limits, cancelling, and the life of its thread.
import { afterAll, describe, expect, it } from "vitest";
import type { Incumbent, LpSolution, MipSolution, SolveHooks } from "../engine.ts";
import { EngineError } from "../engine.ts";
import { ValidationError } from "../problem.ts";
import { resolveSettings, type SettingValue } from "../settings.ts";
import { createHighsEngine } from "./highs.ts";
import { type DenseProblem, hasLargerData, problem, readInstance } from "./testing/problems.ts";

const engine = createHighsEngine();
afterAll(() => engine[Symbol.asyncDispose]());

const settingsOf = (kind: "lp" | "mip", present: Record<number, SettingValue> = {}) =>
  resolveSettings(kind, new Map(Object.entries(present).map(([number, value]) => [Number(number), value])), "default");

async function lp(
  dense: DenseProblem,
  present: Record<number, SettingValue> = {},
  hooks?: SolveHooks,
): Promise<LpSolution> {
  const solution = await engine.solve(problem(dense), { kind: "lp", settings: settingsOf("lp", present), hooks });
  expect(solution.kind).toBe("lp");
  return solution as LpSolution;
}

async function mip(
  dense: DenseProblem,
  present: Record<number, SettingValue> = {},
  hooks?: SolveHooks,
): Promise<MipSolution> {
  const solution = await engine.solve(problem(dense), { kind: "mip", settings: settingsOf("mip", present), hooks });
  expect(solution.kind).toBe("mip");
  return solution as MipSolution;
}

/** min x + 2y, x + y ≥ 2, bounds 0 … ∞: 2 at (2, 0). */
const small: DenseProblem = { objective: [1, 2], rows: [[1, 1]], rowLower: [2] };
/** max 5x + 4y, 6x + 4y ≤ 24, x + 2y ≤ 6, whole: 20 at (4, 0). */
const knapsack: DenseProblem = {
  objective: [5, 4],
  rows: [
    [6, 4],
    [1, 2],
  ],
  rowUpper: [24, 6],
  maximize: true,
  types: [1, 1],
};

describe("linear programs", () => {
  it("come with primal, dual and reduced costs in the user's space", async () => {
    const solution = await lp(small);
    expect(solution).toMatchObject({
      termination: "optimal",
      primalObjective: 2,
      dualObjective: 2,
      gap: 0,
      message: "",
    });
    expect([...solution.primal]).toEqual([2, 0]);
    expect([...solution.dual]).toEqual([1]);
    expect([...solution.reducedCost]).toEqual([0, 1]);
  });

  it("can be maximized, with offset and scaling in the objective, duals and reduced costs", async () => {
    const solution = await lp({
      ...small,
      maximize: true,
      rowLower: [-Infinity],
      rowUpper: [2],
      offset: 10,
      scaling: 3,
    });
    expect(solution).toMatchObject({ termination: "optimal", primalObjective: 3 * (4 + 10), dualObjective: 42 });
    expect([...solution.dual]).toEqual([6]);
    expect([...solution.reducedCost]).toEqual([-3, 0]);
  });

  it("keep their direction under a negative scaling, which only changes what is reported", async () => {
    const solution = await lp({ ...small, scaling: -1 });
    expect(solution).toMatchObject({ termination: "optimal", primalObjective: -2, dualObjective: -2 });
    expect([...solution.primal]).toEqual([2, 0]);
  });

  it("start from an initial solution", async () => {
    const first = await engine.solve(readInstance("e226"), { kind: "lp", settings: settingsOf("lp") });
    if (first.kind !== "lp") throw new Error("not an LP solution");
    for (const method of [0, 1]) {
      const again = { ...readInstance("e226"), initialPrimal: first.primal.slice(), initialDual: first.dual.slice() };
      const solution = await engine.solve(again, { kind: "lp", settings: settingsOf("lp", { 15: method }) });
      expect(solution).toMatchObject({ termination: "optimal" });
      if (method === 0) expect((solution as LpSolution).iterations).toBeLessThan(first.iterations);
    }
  });

  it("ignore variable types", async () => {
    const solution = await lp({ ...small, rowLower: [2.5], types: [1, 1] });
    expect(solution).toMatchObject({ termination: "optimal", primalObjective: 2.5 });
  });

  it("without rows are solved by their bounds", async () => {
    const solution = await lp({ objective: [1, -1], lower: [0, 0], upper: [5, 5] });
    expect(solution).toMatchObject({ termination: "optimal", primalObjective: -5 });
    expect([...solution.primal]).toEqual([0, 5]);
  });

  it("without variables are feasible or not", async () => {
    expect(await lp({ objective: [], rows: [[]], rowLower: [0], offset: 4 })).toMatchObject({
      termination: "optimal",
      primalObjective: 4,
    });
    expect(await lp({ objective: [], rows: [[]], rowLower: [1] })).toMatchObject({ termination: "primal-infeasible" });
    expect(await mip({ objective: [], offset: 4 })).toMatchObject({
      termination: "optimal",
      objective: 4,
      bound: 4,
      gap: 0,
    });
  });

  it.each([
    ["a variable", { ...small, lower: [3, 0], upper: [2, 1] }, /variable 0: lower bound 3 is above upper bound 2/],
    ["a row", { ...small, rowLower: [5], rowUpper: [4] }, /row 0: lower bound 5/],
    ["a variable, without rows", { objective: [1], lower: [1], upper: [0] }, /variable 0/],
    ["infinities", { objective: [1], lower: [Infinity], upper: [Infinity] }, /variable 0/],
  ])("with crossed bounds of %s are infeasible", async (_, dense, message) => {
    const solution = await lp(dense);
    expect(solution).toMatchObject({ termination: "primal-infeasible", primalObjective: Infinity });
    expect(solution.message).toMatch(message);
    expect(solution.primal).toHaveLength(0);
    expect(await mip(dense)).toMatchObject({ termination: "infeasible", objective: Infinity, bound: Infinity });
  });

  it("that are infeasible or unbounded are told apart", async () => {
    const rows = [
      [1, -1],
      [-1, 1],
    ];
    expect(await lp({ objective: [-1, -1], rows, rowLower: [1, 1] })).toMatchObject({
      termination: "primal-infeasible",
    });
    expect(await lp({ objective: [-1, -1], rows, rowLower: [-1, -1] })).toMatchObject({
      termination: "dual-infeasible",
      primalObjective: -Infinity,
    });
    expect(await lp({ objective: [1], maximize: true })).toMatchObject({
      termination: "dual-infeasible",
      primalObjective: Infinity,
    });
  });

  it.each([
    [1, "PDLP"],
    [2, "dual simplex"],
    [3, "barrier"],
  ])("reach the same optimum by method %i (%s)", async (method) => {
    const solution = await engine.solve(readInstance("e226"), {
      kind: "lp",
      settings: settingsOf("lp", { 15: method }),
    });
    expect(solution).toMatchObject({
      termination: "optimal",
      solvedBy: ["", "pdlp", "dual-simplex", "barrier"][method],
    });
    expect((solution as LpSolution).primalObjective).toBeCloseTo(-11.638929066, 5);
  });

  it("stop at the first feasible point when told to", async () => {
    const solution = await lp(small, { 29: true });
    expect(solution.termination).toBe("primal-feasible");
    expect(solution.primal[0]! + solution.primal[1]!).toBeGreaterThanOrEqual(2 - 1e-7);
    expect(solution.dual).toHaveLength(0);
    expect(solution.primalObjective).toBe(solution.primal[0]! + 2 * solution.primal[1]!);
  });

  it("end at once with a time limit of 0, and say so", async () => {
    const solution = await lp(small, { 9: 0 });
    expect(solution).toMatchObject({ termination: "time-limit", iterations: 0 });
  });

  it("keep an iteration limit", async () => {
    const settings = settingsOf("lp", { 10: 5, 16: 0 });
    expect(await engine.solve(readInstance("e226"), { kind: "lp", settings })).toMatchObject({
      termination: "iteration-limit",
      iterations: 5,
    });
  });

  it("log a summary that scripts look for, and settings without effect", async () => {
    const lines: string[] = [];
    await lp(small, { 14: 1 }, { onLog: (line) => lines.push(line) });
    expect(lines[0]).toBe("Setting pdlp_solver_mode = 1 has no effect here");
    expect(lines.at(-1)).toMatch(
      /^Status: Optimal {3}Objective: 2\.00000000e\+00 {2}Iterations: \d+ {2}Time: \d+\.\d+s$/,
    );
    expect(lines.some((line) => line.startsWith("Running HiGHS"))).toBe(true);
    expect(lines.every((line) => !line.includes("\n"))).toBe(true);
  });
});

describe("quadratic programs", () => {
  it("have xᵀQx without one half", async () => {
    // min x² + y², x + y = 2
    const solution = await lp({
      objective: [0, 0],
      quadratic: [
        [1, 0],
        [0, 1],
      ],
      rows: [[1, 1]],
      rowLower: [2],
      rowUpper: [2],
    });
    expect(solution.termination).toBe("optimal");
    expect(solution.primalObjective).toBeCloseTo(2, 9);
    expect(solution.dual[0]).toBeCloseTo(2, 6);
  });

  it("use Q + Qᵀ, whichever triangle is given", async () => {
    // min x² + xy + y² − 3x − 3y: gradient 2x + y = 3, x + 2y = 3, so 1, 1 and −3
    for (const quadratic of [
      [
        [1, 1],
        [0, 1],
      ],
      [
        [1, 0],
        [1, 1],
      ],
      [
        [1, 0.5],
        [0.5, 1],
      ],
    ]) {
      const solution = await lp({ objective: [-3, -3], quadratic, lower: [-9, -9] });
      expect(solution.primalObjective).toBeCloseTo(-3, 8);
      expect(solution.primal[0]).toBeCloseTo(1, 5);
    }
  });

  it("that are concave can be maximized", async () => {
    const solution = await lp({ objective: [2], quadratic: [[-1]], maximize: true, offset: 1, scaling: 2 });
    expect(solution.termination).toBe("optimal");
    expect(solution.primalObjective).toBeCloseTo(4, 6);
  });

  it.each([
    ["a convex one that is maximized", { objective: [1], quadratic: [[1]], upper: [1], maximize: true }],
    [
      "an indefinite one with a positive diagonal",
      {
        objective: [0, 0],
        quadratic: [
          [1, 6],
          [0, 1],
        ],
        upper: [5, 5],
      },
    ],
    [
      "one with a zero on the diagonal only",
      {
        objective: [0, 0],
        quadratic: [
          [0, 1],
          [0, 0],
        ],
        upper: [5, 5],
      },
    ],
  ])("that are not convex are a numerical error: %s", async (_, dense) => {
    const solution = await lp(dense);
    expect(solution.termination).toBe("numerical-error");
    expect(solution.message).toMatch(/not con(vex|cave)/);
    expect(solution.primal).toHaveLength(0);
  });

  it("that are unbounded are found to be, though HiGHS calls them optimal", async () => {
    // min (x − y)² − x − y along x = y
    const solution = await lp({
      objective: [-1, -1],
      quadratic: [
        [1, -2],
        [0, 1],
      ],
      rows: [[1, 1]],
      rowLower: [1],
    });
    expect(solution).toMatchObject({ termination: "dual-infeasible", primalObjective: -Infinity });
  });

  it("that are infeasible are found to be", async () => {
    expect(await lp({ objective: [1], quadratic: [[1]], rows: [[1]], rowLower: [7], upper: [5] })).toMatchObject({
      termination: "primal-infeasible",
    });
  });

  it("whose Q vanishes are linear", async () => {
    expect(
      await lp({
        ...small,
        quadratic: [
          [0, 1],
          [-1, 0],
        ],
      }),
    ).toMatchObject({ termination: "optimal", solvedBy: "dual-simplex" });
  });

  it("asked for as a MIP are solved when all variables are continuous, and refused otherwise", async () => {
    const dense = { objective: [-2], quadratic: [[1]] };
    const solution = await mip(dense);
    expect(solution.termination).toBe("optimal");
    expect(solution.objective).toBeCloseTo(-1, 6);
    await expect(mip({ ...dense, types: [1] })).rejects.toThrow(/quadratic objective with integer/);
  });
});

describe("mixed-integer programs", () => {
  it.each([3.2, 3.9999, 3 + 1e-9, 3 - 1e-9])(
    "take an upper bound of %s of an integer for the integers below it",
    async (bound) => {
      const solution = await mip({
        objective: [2, 3],
        rows: [[1, 1]],
        rowUpper: [6.5],
        upper: [Infinity, bound],
        maximize: true,
        types: [1, 1],
      });
      expect(solution).toMatchObject({ termination: "optimal", objective: 15, bound: 15 });
      expect([...solution.solution]).toEqual([3, 3]);
    },
  );

  it("are infeasible where no integer is within the bounds of an integer", async () => {
    const solution = await mip({ objective: [1], rows: [[1]], lower: [0.3], upper: [0.7], types: [1] });
    expect(solution).toMatchObject({ termination: "infeasible" });
  });

  it("give solution, bound and gap, and report the solution as an incumbent", async () => {
    const incumbents: Incumbent[] = [];
    const solution = await mip(knapsack, {}, { onIncumbent: (incumbent) => incumbents.push(incumbent) });
    expect(solution).toMatchObject({
      termination: "optimal",
      objective: 20,
      bound: 20,
      gap: 0,
      maxIntegralityViolation: 0,
    });
    expect([...solution.solution]).toEqual([4, 0]);
    expect(incumbents.at(-1)).toMatchObject({ objective: 20 });
    expect(incumbents.at(-1)?.assignment).toEqual(solution.solution);
  });

  it("report incumbents and bounds with offset and scaling, improving in the direction that is optimized", async () => {
    const incumbents: number[] = [];
    const solution = await mip(
      { ...knapsack, offset: 2, scaling: -10 },
      {},
      { onIncumbent: ({ objective }) => incumbents.push(objective) },
    );
    expect(solution).toMatchObject({ termination: "optimal", objective: -220, bound: -220 });
    expect(incumbents).toEqual([...incumbents].sort((a, b) => b - a));
  });

  it("log the lines that scripts look for", async () => {
    const lines: string[] = [];
    await mip(knapsack, {}, { onLog: (line) => lines.push(line) });
    expect(lines).toContain("Optimal solution found.");
    expect(lines.find((line) => line.startsWith("Solution objective:"))).toMatch(
      /^Solution objective: 20, relative_mip_gap 0, solution_bound 20$/,
    );
  });

  it("without integer variables are linear programs with a bound", async () => {
    expect(await mip(small)).toMatchObject({ termination: "optimal", objective: 2, bound: 2, gap: 0, nodes: 0 });
  });

  it("that are infeasible or unbounded are told apart", async () => {
    expect(await mip({ objective: [1], rows: [[2]], rowLower: [1], rowUpper: [1], types: [1] })).toMatchObject({
      termination: "infeasible",
    });
    expect(await mip({ objective: [-1], types: [1] })).toMatchObject({
      termination: "unbounded",
      objective: -Infinity,
    });
  });

  it("start from an initial solution", async () => {
    const lines: string[] = [];
    const solution = await mip({ ...knapsack, start: [3, 1] }, {}, { onLog: (line) => lines.push(line) });
    expect(solution.objective).toBe(20);
    expect(lines).toContain("Initial solution: objective 19, largest scaled violation 0");
  });

  it("do without an initial solution of the wrong size", async () => {
    const lines: string[] = [];
    expect(await mip({ ...knapsack, start: [Number.NaN, 1] }, {}, { onLog: (line) => lines.push(line) })).toMatchObject(
      { termination: "optimal" },
    );
    expect(lines).toContain("The initial solution is not used: 2 finite values are needed");
  });

  it("with a node limit end with what was found, or with the work limit", async () => {
    const settings = settingsOf("mip", { 15: 0, 12: 0, 36: 0 });
    const solution = (await engine.solve(readInstance("mas76"), { kind: "mip", settings })) as MipSolution;
    expect(solution.termination).toBe(solution.solution.length > 0 ? "feasible-found" : "work-limit");
  });

  it("stop at the gap that was asked for", async () => {
    const settings = settingsOf("mip", { 2: 0.1 });
    const solution = (await engine.solve(readInstance("mas76"), { kind: "mip", settings })) as MipSolution;
    expect(solution.termination).toBe("optimal");
    expect(solution.gap).toBeGreaterThan(1e-4);
    expect(solution.gap).toBeLessThanOrEqual(0.1);
  });

  it("end at their time limit with the best solution, and report progress on the way", async () => {
    const seen: number[] = [];
    const settings = settingsOf("mip", { 1: 2 });
    const hooks = { onProgress: ({ seconds }: { seconds: number }) => seen.push(seconds) };
    const solution = (await engine.solve(readInstance("mas76"), { kind: "mip", settings, hooks })) as MipSolution;
    expect(solution.termination).toBe("time-limit");
    expect(solution.solution).toHaveLength(151);
    expect(solution.bound).toBeLessThan(solution.objective);
    expect(solution.gap).toBeCloseTo((solution.objective - solution.bound) / solution.objective, 12);
    expect(seen.length).toBeGreaterThan(0);
  });

  describe("with semi-continuous variables", () => {
    const semi: DenseProblem = {
      ...small,
      types: [2, 0],
      lower: [3, 0],
      upper: [10, Infinity],
      names: ["pump", "rest"],
    };

    it("let them be 0 or within their bounds", async () => {
      expect([...(await mip(semi)).solution]).toEqual([3, 0]);
      const off = await mip({ ...semi, objective: [3, 2] });
      expect(off.solution[0]).toBe(0);
      expect(off.solution[1]).toBeCloseTo(2, 5);
    });

    it("report incumbents without the columns that model them, and take an initial solution", async () => {
      const incumbents: Incumbent[] = [];
      const dense = { ...semi, types: [2, 1], rowLower: [2.5], start: [0, 3] };
      expect(await mip(dense, {}, { onIncumbent: (incumbent) => incumbents.push(incumbent) })).toMatchObject({
        termination: "optimal",
        objective: 3,
      });
      expect(incumbents.length).toBeGreaterThan(0);
      for (const { assignment } of incumbents) expect(assignment).toHaveLength(2);
    });

    it("take them for continuous where 0 is within the bounds", async () => {
      expect(await mip({ ...semi, lower: [-1, 0] })).toMatchObject({ termination: "optimal", objective: 2, bound: 2 });
    });

    it("refuse one without a usable upper bound by name, and take the bound that the settings give", async () => {
      const open = { ...semi, upper: [Infinity, Infinity] };
      await expect(mip(open)).rejects.toThrow(/variable 0 \(pump\) is semi-continuous with upper bound Infinity/);
      await expect(mip(open)).rejects.toBeInstanceOf(ValidationError);
      expect(await mip(open, { 34: 1000 })).toMatchObject({ termination: "optimal", objective: 3 });
      await expect(mip({ ...semi, lower: [-3, 0], upper: [-1, 1] })).rejects.toThrow(/positive bounds only/);
    });
  });
});

describe("what HiGHS cannot take", () => {
  it("is refused with the element", async () => {
    await expect(lp({ ...small, rows: [[1, 1e16]] })).rejects.toThrow(/A values: element 1 is 10000000000000000/);
  });

  it("is refused before it is attempted when it cannot fit", async () => {
    const huge = {
      ...problem(small),
      rows: 2 ** 24,
      matrix: { ...problem(small).matrix, values: { length: 2 ** 27 } as Float64Array },
    };
    await expect(engine.solve(huge, { kind: "lp", settings: settingsOf("lp") })).rejects.toThrow(ValidationError);
  });

  it("does not spoil the next solve", async () => {
    expect(await lp(small)).toMatchObject({ termination: "optimal" });
  });
});

describe("cancelling", () => {
  const reason = new Error("enough");

  /** Starts a solve, cancels it when the condition holds, and tells what was reported. */
  async function cancelled(
    name: string,
    kind: "lp" | "mip",
    present: Record<number, SettingValue>,
    when: RegExp | "incumbent" | "at once",
  ) {
    const controller = new AbortController();
    const incumbents: Incumbent[] = [];
    let after = 0;
    const abort = () => {
      if (!controller.signal.aborted) controller.abort(reason);
    };
    const solving = engine.solve(readInstance(name), {
      kind,
      settings: settingsOf(kind, present),
      signal: controller.signal,
      hooks: {
        onLog: (line) => {
          if (when instanceof RegExp && when.test(line)) abort();
        },
        onIncumbent: (incumbent) => {
          incumbents.push(incumbent);
          if (when === "incumbent") abort();
        },
      },
    });
    solving.catch(() => {
      after = incumbents.length;
    });
    if (when === "at once") abort();
    await expect(solving).rejects.toBe(reason);
    await new Promise((resolve) => setImmediate(resolve));
    expect(incumbents, "incumbents after the rejection").toHaveLength(after);
    return incumbents;
  }

  const cases: [string, string, "lp" | "mip", Record<number, SettingValue>, RegExp | "incumbent" | "at once"][] = [
    ["while the problem goes to the thread", "mas76", "mip", {}, "at once"],
    ["in the search of a MIP, incumbents delivered", "mas76", "mip", {}, "incumbent"],
    ["in presolve of a MIP", "mas76", "mip", {}, /Presolving model/],
  ];
  const largeCases: typeof cases = [
    ["while a large LP is loaded", "fast0507_lp", "lp", {}, /^Running HiGHS/],
    ["in presolve of a large LP", "fast0507_lp", "lp", {}, /Presolving model/],
    ["in the simplex method", "dfl001", "lp", {}, /Using dual simplex/],
    ["in the barrier method", "dfl001", "lp", { 15: 3 }, /Presolve reductions/],
    ["in PDLP, which has no callback", "dfl001", "lp", { 15: 1 }, /Presolve reductions/],
  ];

  it.each([...cases, ...(hasLargerData ? largeCases : [])])("works %s", async (_, name, kind, present, when) => {
    const incumbents = await cancelled(name, kind, present, when);
    if (when === "incumbent") expect(incumbents.length).toBeGreaterThan(0);
    expect(await lp(small), "the next solve").toMatchObject({ termination: "optimal" });
  });

  it("before the start rejects without a solve, and while waiting leaves the others alone", async () => {
    await expect(
      engine.solve(problem(small), { kind: "lp", settings: settingsOf("lp"), signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    const controller = new AbortController();
    const running = engine.solve(readInstance("e226"), { kind: "lp", settings: settingsOf("lp") });
    const waiting = engine.solve(problem(small), { kind: "lp", settings: settingsOf("lp"), signal: controller.signal });
    const last = lp(small);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(await running).toMatchObject({ termination: "optimal" });
    expect(await last).toMatchObject({ termination: "optimal" });
  });
});

describe("the thread", () => {
  const threads = () =>
    process.getActiveResourcesInfo().filter((name) => name === "Worker" || name === "MessagePort").length;

  it("is reused by many solves, whose memory stays bounded", async () => {
    const one = createHighsEngine();
    await one.warm();
    const before = process.memoryUsage.rss();
    for (let k = 0; k < 200; k++) {
      const solution = await one.solve(problem(k % 2 === 0 ? small : { ...knapsack, maximize: true }), {
        kind: k % 2 === 0 ? "lp" : "mip",
        settings: settingsOf(k % 2 === 0 ? "lp" : "mip"),
      });
      expect(solution.termination).toBe("optimal");
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 2 ** 20);
    await one[Symbol.asyncDispose]();
  });

  it("is replaced when its memory has grown, and the next solve works", async () => {
    const one = createHighsEngine({ recycleBytes: 1 });
    for (let k = 0; k < 3; k++) {
      expect(await one.solve(problem(small), { kind: "lp", settings: settingsOf("lp") })).toMatchObject({
        termination: "optimal",
      });
    }
    await one[Symbol.asyncDispose]();
  });

  it("is gone after the engine was disposed, and a running solve is told", async () => {
    const before = threads();
    const one = createHighsEngine();
    const running = one.solve(readInstance("mas76"), { kind: "mip", settings: settingsOf("mip") });
    const told = expect(running).rejects.toThrow(EngineError);
    await one[Symbol.asyncDispose]();
    await told;
    expect(threads()).toBeLessThanOrEqual(before);
    await expect(one.solve(problem(small), { kind: "lp", settings: settingsOf("lp") })).rejects.toThrow(/closed/);
  });

  it("starts once for callers that come together", async () => {
    const one = createHighsEngine();
    const solves = Array.from({ length: 5 }, () =>
      one.solve(problem(small), { kind: "lp", settings: settingsOf("lp") }),
    );
    await Promise.all([one.warm(), one.warm(), ...solves]);
    await one[Symbol.asyncDispose]();
  });

  it("leaves the caller's other arrays alone: views of a larger buffer are copied, not taken away", async () => {
    const pool = new Float64Array(64);
    pool.set([1, 2], 10);
    const shared = { ...problem(small), objective: pool.subarray(10, 12) };
    expect(await engine.solve(shared, { kind: "lp", settings: settingsOf("lp") })).toMatchObject({
      termination: "optimal",
    });
    expect(pool[11]).toBe(2);
  });
});
