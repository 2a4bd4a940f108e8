// Random small MIPs with fractional data: the optimum is that of trying every integer point. Presolve is another's code, and
// its faults come out as wrong optima.
import fc from "fast-check";
import highsLoader from "highs";
import { expect, it } from "vitest";
import { acceptedViolation, directionOf, measurePrimal } from "../check.ts";
import { type Problem, VariableType } from "../problem.ts";
import { resolveSettings } from "../settings.ts";
import type { HighsLog } from "./highs-run.ts";
import { solveWithHighs } from "./highs-solve.ts";
import { type DenseProblem, problem } from "./testing/problems.ts";

// The package's types describe its CommonJS form, where the loader is a property; the ES module's default is the loader.
const loadHighs = highsLoader as unknown as typeof highsLoader.default;

/** The same models every time, since what fails here is another's solver; set the variable to look further. */
const seed = Number(process.env["SORTIE_FUZZ_SEED"] ?? 20_261_122);

/** No gap is allowed: what is optimal is the optimum. */
const settings = resolveSettings("mip", new Map([[2, 0]]), "default");

/** Multiples of 1/10: sums of their products differ from a bound by nothing, or by far more than any tolerance. */
const tenths = (most: number) => fc.integer({ min: -10 * most, max: 10 * most }).map((value) => value / 10);
const coefficient = fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 3 }), tenths(4));
const list = <T>(of: fc.Arbitrary<T>, length: number) => fc.array(of, { minLength: length, maxLength: length });
const width = fc.integer({ min: 0, max: 45 }).map((value) => value / 10);

/** The last variable may be of any type, the others are integer. */
const models: fc.Arbitrary<DenseProblem> = fc
  .record({ n: fc.integer({ min: 1, max: 5 }), m: fc.integer({ min: 0, max: 5 }) })
  .chain(({ n, m }) =>
    fc
      .record({
        objective: list(coefficient, n),
        rows: list(list(coefficient, n), m),
        inside: list(tenths(2), m),
        below: list(fc.oneof(fc.constant(Infinity), fc.constant(Infinity), width), m),
        above: list(fc.oneof(fc.constant(Infinity), width), m),
        lower: list(tenths(3), n),
        widths: list(width, n),
        byRow: list(fc.oneof(fc.constant(0), fc.constant(0), fc.constantFrom(1, -1, 2, 0.7)), n),
        last: fc.constantFrom(VariableType.integer, VariableType.continuous, VariableType.semiContinuous),
        maximize: fc.boolean(),
      })
      .map(({ objective, rows, inside, below, above, lower, widths, byRow, last, maximize }) => {
        const types = objective.map((_, j) => (j === n - 1 && n > 1 ? last : VariableType.integer));
        // HiGHS takes semi-continuous variables with positive bounds only.
        const least = lower.map((low, j) => (types[j] === VariableType.semiContinuous ? Math.abs(low) + 0.1 : low));
        const upper = least.map((low, j) => low + widths[j]!);
        // Some upper bounds come as rows.
        const asRow = byRow.flatMap((factor, j) =>
          factor === 0 || types[j] === VariableType.semiContinuous ? [] : [{ factor, j, most: factor * upper[j]! }],
        );
        return {
          objective,
          rows: [...rows, ...asRow.map(({ factor, j }) => objective.map((_, k) => (k === j ? factor : 0)))],
          rowLower: [
            ...inside.map((value, i) => value - below[i]!),
            ...asRow.map(({ factor, most }) => (factor < 0 ? most : -Infinity)),
          ],
          rowUpper: [
            ...inside.map((value, i) => value + above[i]!),
            ...asRow.map(({ factor, most }) => (factor < 0 ? Infinity : most)),
          ],
          lower: least,
          upper: upper.map((bound, j) => (asRow.some((row) => row.j === j) ? Infinity : bound)),
          types,
          maximize,
        };
      }),
  );

const nearly = 1e-7;

/** Upper bounds of integers, whether they come as bounds or as rows of one entry. */
function largest(model: Problem): number[] {
  const most = [...model.variableUpper];
  const { offsets, indices, values } = model.matrix;
  for (let i = 0; i < model.rows; i++) {
    const [first, end] = [offsets[i]!, offsets[i + 1]!];
    if (end - first !== 1) continue;
    const [j, slope] = [indices[first]!, values[first]!];
    most[j] = Math.min(most[j]!, (slope > 0 ? model.rowUpper[i]! : model.rowLower[i]!) / slope);
  }
  return most;
}

/** The best objective over every integer point, the last variable at the end of what the others leave it; undefined: none. */
function bruteForce(model: Problem): number | undefined {
  const { rows, columns: n, matrix, variableTypes: types = new Int32Array(n) } = model;
  const last = n - 1;
  const most = largest(model);
  const isInteger = (j: number) => types[j] === VariableType.integer;
  const dense = Array.from({ length: rows }, (_, i) => {
    const row = new Float64Array(n);
    for (let k = matrix.offsets[i]!; k < matrix.offsets[i + 1]!; k++) row[matrix.indices[k]!] = matrix.values[k]!;
    return row;
  });
  const x = new Float64Array(n);
  const direction = directionOf(model);
  let best: number | undefined;
  const offer = () => {
    const { objective, scaledViolation } = measurePrimal(model, x, true);
    if (scaledViolation > nearly) return;
    if (best === undefined || (best - objective) * direction > 0) best = objective;
  };
  const ends = () => {
    let [low, high] = [model.variableLower[last]!, model.variableUpper[last]!];
    for (const [i, row] of dense.entries()) {
      const slope = row[last]!;
      if (slope === 0) continue;
      const rest = row.reduce((sum, value, j) => (j === last ? sum : sum + value * x[j]!), 0);
      const [a, b] = [(model.rowLower[i]! - rest) / slope, (model.rowUpper[i]! - rest) / slope];
      low = Math.max(low, Math.min(a, b));
      high = Math.min(high, Math.max(a, b));
    }
    for (const value of [low, high, ...(types[last] === VariableType.semiContinuous ? [0] : [])]) {
      x[last] = value;
      offer();
    }
  };
  const visit = (j: number): void => {
    if (j < n && isInteger(j)) {
      for (let value = Math.ceil(model.variableLower[j]! - nearly); value <= most[j]! + nearly; value++) {
        x[j] = value;
        visit(j + 1);
      }
    } else if (j < n) {
      ends();
    } else {
      offer();
    }
  };
  visit(0);
  return best;
}

it("a small MIP has the optimum that trying every point finds", async () => {
  const log: HighsLog = { sink: undefined };
  const highs = await loadHighs({ print: () => undefined, printErr: () => undefined });
  const nowhere = { log() {}, incumbent() {}, progress() {}, stop: () => 0 };
  fc.assert(
    fc.property(models, (dense) => {
      const best = bruteForce(problem(dense));
      const solution = solveWithHighs(highs, log, { problem: problem(dense), kind: "mip", settings }, nowhere);
      if (solution.kind !== "mip") throw new Error("not a MIP solution");
      if (best === undefined) {
        expect(solution.termination).toBe("infeasible");
        return;
      }
      expect(solution).toMatchObject({ termination: "optimal", message: "" });
      expect(Math.abs(solution.objective - best)).toBeLessThanOrEqual(acceptedViolation * (1 + Math.abs(best)));
      expect(Math.abs(solution.bound - best)).toBeLessThanOrEqual(acceptedViolation * (1 + Math.abs(best)));
    }),
    { numRuns: 1500, seed },
  );
}, 120_000);
