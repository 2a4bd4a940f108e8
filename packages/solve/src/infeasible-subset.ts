// Why a model is infeasible: a subset of its row and variable bounds that is infeasible, and is not without any one of them.
import { crossedBounds } from "./check.ts";
import type { Engine, Solution } from "./engine.ts";
import { type Problem, type ProblemKind, VariableType } from "./problem.ts";
import { changeSettings, defaultSettings } from "./settings.ts";

/** One side of a row or of a variable. */
export interface SideOfModel {
  readonly of: "row" | "variable";
  /** Number of the row or variable, from 0. */
  readonly index: number;
  readonly side: "lower" | "upper";
}

export interface InfeasibleSubset {
  readonly sides: readonly SideOfModel[];
  /** Whether it takes the integrality of variables (or that they are semi-continuous) as well. */
  readonly needsIntegrality: boolean;
  /** Whether no side can be left out. False if time ran out, or the engine could not decide. */
  readonly irreducible: boolean;
  /** Models that were solved to find it. */
  readonly solves: number;
}

export interface SubsetOptions {
  readonly signal?: AbortSignal | undefined;
  /** Seconds after which the search stops with what it has. Default 60. */
  readonly timeLimitSeconds?: number | undefined;
}

/**
 * A deletion filter over the sides of rows and variables. Halves are tried first, then ever smaller pieces, so that what
 * does not matter goes in large portions; the last pass tries every side that is left on its own, which makes the subset
 * irreducible. Rows are tried before bounds. Integrality is always kept, and ignored where the relaxation is infeasible
 * already.
 * @returns undefined if the model is feasible, or not found infeasible in time
 * @see Chinneck & Dravnieks, Locating minimal infeasible constraint sets in linear programs, ORSA J. Comput. 3 (1991)
 */
export async function infeasibleSubset(
  problem: Problem,
  engine: Engine,
  options: SubsetOptions = {},
): Promise<InfeasibleSubset | undefined> {
  const search = new Search(problem, engine, options);
  const all = sidesOf(problem);
  const crossed = crossedPair(problem);
  if (crossed !== undefined) return { sides: crossed, needsIntegrality: false, irreducible: true, solves: 0 };
  let kind: ProblemKind = "lp";
  const hasSemiContinuous = problem.variableTypes?.includes(VariableType.semiContinuous) ?? false;
  if (hasSemiContinuous || (await search.test("lp", all)) !== "infeasible") {
    if (problem.variableTypes === undefined) return undefined;
    kind = "mip";
    if ((await search.test("mip", all)) !== "infeasible") return undefined;
  }
  let kept = all;
  let undecided = false;
  for (let size = Math.ceil(all.length / 2); ; size = Math.ceil(size / 2)) {
    undecided = false;
    for (let at = 0; at < kept.length && !search.isOver; ) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      const found = await search.test(kind, without);
      if (found === "infeasible") kept = without;
      else at += size;
      undecided ||= found === "unknown";
    }
    if (size <= 1 || search.isOver) break;
  }
  return {
    sides: kept,
    needsIntegrality: kind === "mip",
    irreducible: !undecided && !search.isOver,
    solves: search.solves,
  };
}

/** Every bound that there is. Those of semi-continuous variables belong to their type and are no candidates. */
function sidesOf(problem: Problem): SideOfModel[] {
  const sides: SideOfModel[] = [];
  for (let index = 0; index < problem.rows; index++) {
    if (Number.isFinite(problem.rowLower[index])) sides.push({ of: "row", index, side: "lower" });
    if (Number.isFinite(problem.rowUpper[index])) sides.push({ of: "row", index, side: "upper" });
  }
  for (let index = 0; index < problem.columns; index++) {
    if (problem.variableTypes?.[index] === VariableType.semiContinuous) continue;
    if (Number.isFinite(problem.variableLower[index])) sides.push({ of: "variable", index, side: "lower" });
    if (Number.isFinite(problem.variableUpper[index])) sides.push({ of: "variable", index, side: "upper" });
  }
  return sides;
}

/** Bounds that contradict each other need no search. */
function crossedPair(problem: Problem): SideOfModel[] | undefined {
  if (crossedBounds(problem) === undefined) return undefined;
  for (const [of, lower, upper] of [
    ["row", problem.rowLower, problem.rowUpper],
    ["variable", problem.variableLower, problem.variableUpper],
  ] as const) {
    const index = lower.findIndex((bound, at) => bound > (upper[at] as number));
    if (index >= 0) {
      return [
        { of, index, side: "lower" },
        { of, index, side: "upper" },
      ];
    }
  }
  return undefined;
}

class Search {
  solves = 0;
  readonly #problem: Problem;
  readonly #engine: Engine;
  readonly #signal: AbortSignal | undefined;
  readonly #end: number;

  constructor(problem: Problem, engine: Engine, { signal, timeLimitSeconds = 60 }: SubsetOptions) {
    this.#problem = problem;
    this.#engine = engine;
    this.#signal = signal;
    this.#end = performance.now() + 1000 * timeLimitSeconds;
  }

  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Whether the model is infeasible with these sides alone, whatever its objective. */
  async test(kind: ProblemKind, sides: readonly SideOfModel[]): Promise<"infeasible" | "feasible" | "unknown"> {
    const seconds = (this.#end - performance.now()) / 1000;
    if (seconds <= 0) return "unknown";
    this.solves++;
    const settings = changeSettings(defaultSettings(kind), new Map([["time_limit", String(seconds)]]));
    const options = { kind, settings, signal: this.#signal };
    return answer(await this.#engine.solve(this.#withSides(sides), options));
  }

  /** The arrays are copies: an engine may keep those that it is given. */
  #withSides(sides: readonly SideOfModel[]): Problem {
    const { rows, columns, matrix, variableTypes } = this.#problem;
    const part: Problem = {
      ...this.#problem,
      objectiveScaling: 1,
      objectiveOffset: 0,
      objective: new Float64Array(columns),
      quadratic: undefined,
      initialPrimal: undefined,
      initialDual: undefined,
      variableNames: undefined,
      rowNames: undefined,
      matrix: { offsets: matrix.offsets.slice(), indices: matrix.indices.slice(), values: matrix.values.slice() },
      variableTypes: variableTypes?.slice(),
      rowLower: new Float64Array(rows).fill(Number.NEGATIVE_INFINITY),
      rowUpper: new Float64Array(rows).fill(Number.POSITIVE_INFINITY),
      variableLower: this.#problem.variableLower.map((bound, j) => (isFixedPart(variableTypes, j) ? bound : -Infinity)),
      variableUpper: this.#problem.variableUpper.map((bound, j) => (isFixedPart(variableTypes, j) ? bound : Infinity)),
    };
    for (const { of, index, side } of sides) {
      const name = arrayOf(of, side);
      part[name][index] = this.#problem[name][index] as number;
    }
    return part;
  }
}

const isFixedPart = (types: Int32Array | undefined, j: number): boolean => types?.[j] === VariableType.semiContinuous;

/** The array of a problem that has the bounds of this side. */
export function arrayOf(
  of: SideOfModel["of"],
  side: SideOfModel["side"],
): "rowLower" | "rowUpper" | "variableLower" | "variableUpper" {
  if (of === "row") return side === "lower" ? "rowLower" : "rowUpper";
  return side === "lower" ? "variableLower" : "variableUpper";
}

function answer({ termination }: Solution): "infeasible" | "feasible" | "unknown" {
  if (termination === "infeasible" || termination === "primal-infeasible") return "infeasible";
  if (termination === "optimal" || termination === "feasible-found" || termination === "primal-feasible") {
    return "feasible";
  }
  // An unbounded objective is impossible without one, so all else is a limit or a failure.
  return "unknown";
}
