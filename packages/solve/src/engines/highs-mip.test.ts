// Rules for what HiGHS gets wrong about a MIP: what it says is believed only as far as it agrees with itself. The models are
// ones that its presolve fails on (1.15.1); given to `solveMip` as they are, without the rounding of bounds.
import highsLoader, { type Highs, type OptionValue } from "highs";
import { beforeAll, expect, it } from "vitest";
import { VariableType } from "../problem.ts";
import { resolveSettings } from "../settings.ts";
import { solveMip } from "./highs-mip.ts";
import { type DenseProblem, problem } from "./testing/problems.ts";

// The package's types describe its CommonJS form, where the loader is a property; the ES module's default is the loader.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;
let highs: Highs;
beforeAll(async () => {
  highs = await loadHighs({ print: () => undefined, printErr: () => undefined });
});

/** max 2x + 3y, x + y ≤ 6.5, y ≤ 3.2, whole: 15 at (3, 3). HiGHS says 13, "optimal", with a bound of 13.6. */
const fractionalBound: DenseProblem = {
  objective: [2, 3],
  rows: [[1, 1]],
  rowUpper: [6.5],
  upper: [Infinity, 3.2],
  maximize: true,
  types: [1, 1],
};
/** min −3x − 3z with x of 0 and 1, z semi-continuous in 0.9 … 1.9 and 1.8 ≤ x + z ≤ 2: −6 at (1, 1). HiGHS gives up. */
const givenUp: DenseProblem = {
  objective: [-3, 0, 0, 0, -3],
  rows: [
    [-1, -1.9, 0, 0, -1],
    [0, 1, 0, 0, 0],
  ],
  rowLower: [-0.1, -Infinity],
  rowUpper: [0.1, -1],
  lower: [0, -1, 0, 0, 0.9],
  upper: [1, Infinity, 0, 0, 1.9],
  types: [...Array<number>(4).fill(VariableType.integer), VariableType.semiContinuous],
};

function solve(dense: DenseProblem, present: Record<number, number> = {}, solver = highs) {
  const numbers = Object.entries(present).map(([number, value]) => [Number(number), value] as const);
  const lines: string[] = [];
  const solution = solveMip({
    problem: problem(dense),
    kind: "mip",
    settings: resolveSettings("mip", new Map(numbers), "default"),
    highs: solver,
    outlets: { log: (line) => lines.push(line), incumbent() {}, progress() {}, stop: () => 0 },
    seconds: () => 0,
    presolve: { seconds: 0 },
  });
  return { solution, log: lines.join("\n") };
}

/** HiGHS whose presolve cannot be switched off. */
function alwaysPresolving(): Highs {
  const createModel: Highs["createModel"] = (...given) => {
    const model = highs.createModel(...given);
    const set = (values: Record<string, OptionValue>) => model.options.set({ ...values, presolve: "choose" });
    return new Proxy(model, {
      get(target, name) {
        if (name === "options") return { set };
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return { ...highs, createModel };
}

it("a gap that was not closed is closed without presolve", () => {
  const { solution, log } = solve(fractionalBound);
  expect(solution).toMatchObject({ termination: "optimal", objective: 15, bound: 15, gap: 0, message: "" });
  expect(log).toMatch(/calls a solution optimal whose gap is 0\.046\d* .*; solving again without presolve/);
});

it("a gap that the settings allow is as good as closed", () => {
  for (const allowed of [{ 2: 0.1 }, { 3: 1 }] as const) {
    const { solution, log } = solve(fractionalBound, allowed);
    expect(solution).toMatchObject({ termination: "optimal", objective: 13 });
    expect(log).not.toContain("again");
  }
});

it("an absolute gap is of the objective before its scaling", () => {
  expect(solve({ ...fractionalBound, scaling: 100 }, { 3: 1 }).solution).toMatchObject({ objective: 1300 });
  expect(solve({ ...fractionalBound, scaling: 0.01 }, { 3: 0.1 }).solution).toMatchObject({ objective: 0.15 });
});

it("a gap that stays open makes the solution a feasible one, with the reason", () => {
  const { solution } = solve(fractionalBound, {}, alwaysPresolving());
  expect(solution).toMatchObject({ termination: "feasible-found", objective: 13 });
  expect(solution.message).toMatch(/calls a solution optimal whose gap is 0\.046/);
  expect([...solution.solution]).toEqual([2, 3]);
});

it("a model that presolve fails on is solved without it", () => {
  const { solution, log } = solve(givenUp);
  expect(solution).toMatchObject({ termination: "optimal", message: "" });
  expect(solution.objective).toBeCloseTo(-6, 6);
  expect(log).toMatch(/HiGHS gave up: .*; solving again without presolve/);
});

it("a model that fails without presolve too ends with what HiGHS says", () => {
  expect(() => solve(givenUp, {}, alwaysPresolving())).toThrow(/HiGHS gave up/);
});
