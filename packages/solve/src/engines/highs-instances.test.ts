// The instances on record solve to their known objective or status, and the answers prove themselves.
import { afterAll, describe, expect, it } from "vitest";
import { acceptedViolation, measureDual, measurePrimal } from "../check.ts";
import { defaultSettings } from "../settings.ts";
import { createHighsEngine } from "./highs.ts";
import { hasLargerData, type Instance, instances, readInstance } from "./testing/problems.ts";

if (!hasLargerData)
  console.log(`SORTIE_TEST_DATA leads to no data: only ${instances.length} committed instances are solved`);

const engine = createHighsEngine();
afterAll(() => engine[Symbol.asyncDispose]());

/** The objective on record, and what two versions of HiGHS agree on where the record is of a lesser accuracy. */
const knownObjectives = (instance: Instance): number[] =>
  [instance.objective, ...Object.values(instance.verified ?? {}).map((found) => found.objective)].filter(
    (value) => typeof value === "number",
  );

const near = (value: number, known: number): boolean => Math.abs(value - known) <= 1e-6 * Math.max(1, Math.abs(known));

// mas76 takes minutes; it serves for limits and cancelling. The other three take tens of seconds, and the conformance
// suite solves them through the server.
const slow = ["mas76", "misc07", "rentacar", "dfl001"];
const solved = instances.filter((instance) => !slow.includes(instance.name));

describe("instances", () => {
  it.each(solved.filter(({ kind }) => kind !== "mip").map((instance) => [instance.name, instance] as const))(
    "%s ends as it is known to",
    async (name, instance) => {
      const solution = await engine.solve(readInstance(name), { kind: "lp", settings: defaultSettings("lp") });
      if (solution.kind !== "lp") throw new Error("not an LP solution");
      const termination = {
        optimal: "optimal",
        infeasible: "primal-infeasible",
        unbounded: "dual-infeasible",
      } as const;
      expect(solution.termination).toBe(termination[instance.status]);
      if (instance.status !== "optimal") return;
      const known = knownObjectives(instance);
      expect(
        known.some((value) => near(solution.primalObjective, value)),
        `${solution.primalObjective} is none of ${known}`,
      ).toBe(true);
      // The proof is weak duality, not another run: feasible on both sides, and no gap.
      const problem = readInstance(name);
      expect(measurePrimal(problem, solution.primal, false).scaledViolation).toBeLessThan(acceptedViolation);
      const dual = measureDual(problem, solution.primal, solution.dual, solution.reducedCost);
      expect(dual.scaledViolation).toBeLessThan(acceptedViolation);
      expect(dual.relativeGap).toBeLessThan(acceptedViolation);
    },
    300_000,
  );

  it.each(solved.filter(({ kind }) => kind === "mip").map((instance) => [instance.name, instance] as const))(
    "%s ends as it is known to, by improving incumbents",
    async (name, instance) => {
      const incumbents: { objective: number; assignment: Float64Array }[] = [];
      const solution = await engine.solve(readInstance(name), {
        kind: "mip",
        settings: defaultSettings("mip"),
        hooks: { onIncumbent: (incumbent) => incumbents.push(incumbent) },
      });
      if (solution.kind !== "mip") throw new Error("not a MIP solution");
      expect(solution.termination).toBe(instance.status);
      const problem = readInstance(name);
      if (instance.status !== "optimal") {
        expect(incumbents).toEqual([]);
        return;
      }
      // The default gap is 1e-4, so that is what is promised of the objective.
      const known = instance.objective ?? Number.NaN;
      expect(Math.abs(solution.objective - known)).toBeLessThanOrEqual(1e-4 * Math.abs(known));
      expect(solution.gap).toBeLessThanOrEqual(1e-4);
      expect(measurePrimal(problem, solution.solution, true).scaledViolation).toBeLessThan(acceptedViolation);
      const objectives = incumbents.map(({ objective }) => objective);
      expect(objectives).toEqual([...objectives].sort((a, b) => (problem.maximize ? a - b : b - a)));
      expect(objectives.at(-1)).toBeCloseTo(solution.objective, 6);
      for (const { objective, assignment } of incumbents) {
        const measures = measurePrimal(problem, assignment, true);
        expect(measures.scaledViolation).toBeLessThan(acceptedViolation);
        expect(measures.objective).toBeCloseTo(objective, 6);
      }
    },
    300_000,
  );
});
