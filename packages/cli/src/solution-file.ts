// A solution in a file: the .sol layout, or JSON, as the file's name tells. And what `--json` says of a solution.
import { type Solution, solFile, textPieces } from "@sortie/solve";
import { writeAside } from "./file-aside.ts";

export interface ModelNames {
  /** Absent: x0, x1, … */
  readonly variables?: readonly string[] | undefined;
  /** Absent: c0, c1, … */
  readonly rows?: readonly string[] | undefined;
}

export type SolutionFormat = "sol" | "json";

/** JSON if the file is called so, with .gz behind it or without; else the .sol layout. */
export const solutionFormatOf = (file: string): SolutionFormat => (/\.json(\.gz)?$/i.test(file) ? "json" : "sol");

/**
 * Writes the file, which is there whole or not at all.
 * @param facts stand before those of the solution in a JSON file: of which model it is
 */
export async function writeSolutionFile(
  file: string,
  solution: Solution,
  names: ModelNames,
  facts: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const lines =
    solutionFormatOf(file) === "sol"
      ? solFile(solution, names.variables)
      : solutionDocument({ ...facts, ...solutionFacts(solution) }, solution, names);
  await writeAside(file, textPieces(lines));
}

/** What is not known is left out; an infinity becomes null in JSON. */
const known = (value: number): number | undefined => (Number.isNaN(value) ? undefined : value);

/** Everything about a solution that is not an array. Field names are stable. */
export function solutionFacts(solution: Solution): Readonly<Record<string, unknown>> {
  const message = solution.message === "" ? undefined : solution.message;
  if (solution.kind === "lp") {
    const has = solution.primal.length > 0;
    return {
      status: solution.termination,
      message,
      objective: has ? known(solution.primalObjective) : undefined,
      dualObjective: has ? known(solution.dualObjective) : undefined,
      gap: has ? known(solution.gap) : undefined,
      iterations: solution.iterations,
      method: solution.solvedBy,
      primalResidual: has ? known(solution.l2PrimalResidual) : undefined,
      dualResidual: has ? known(solution.l2DualResidual) : undefined,
      solveSeconds: known(solution.solveSeconds),
    };
  }
  const has = solution.solution.length > 0;
  return {
    status: solution.termination,
    message,
    objective: has ? known(solution.objective) : undefined,
    bound: known(solution.bound),
    gap: has ? known(solution.gap) : undefined,
    nodes: solution.nodes,
    iterations: solution.simplexIterations,
    maxRowViolation: has ? known(solution.maxConstraintViolation) : undefined,
    maxIntegralityViolation: has ? known(solution.maxIntegralityViolation) : undefined,
    maxBoundViolation: has ? known(solution.maxVariableBoundViolation) : undefined,
    presolveSeconds: known(solution.presolveSeconds),
    solveSeconds: known(solution.solveSeconds),
  };
}

/**
 * One JSON document on one line, in pieces: the facts, then `values` by variable, and for an LP `duals` by row and
 * `reducedCosts` by variable.
 */
export function* solutionDocument(
  facts: Readonly<Record<string, unknown>>,
  solution: Solution,
  names: ModelNames,
): Generator<string> {
  yield JSON.stringify(facts).slice(0, -1);
  const isEmpty = Object.values(facts).every((value) => value === undefined);
  let comma = isEmpty ? "" : ",";
  const arrays =
    solution.kind === "lp"
      ? ([
          ["values", solution.primal, names.variables, "x"],
          ["duals", solution.dual, names.rows, "c"],
          ["reducedCosts", solution.reducedCost, names.variables, "x"],
        ] as const)
      : ([["values", solution.solution, names.variables, "x"]] as const);
  for (const [field, values, given, letter] of arrays) {
    if (values.length === 0) continue;
    if (given !== undefined && given.length !== values.length) {
      throw new RangeError(`${given.length} names for ${values.length} ${field}`);
    }
    yield `${comma}${JSON.stringify(field)}:{`;
    for (let index = 0; index < values.length; index++) {
      const name = given?.[index] || `${letter}${index}`;
      yield `${index === 0 ? "" : ","}${JSON.stringify(name)}:${JSON.stringify(values[index])}`;
    }
    yield "}";
    comma = ",";
  }
  yield "}\n";
}
