// What `sortie solve` says of a solution: to people and the scripts that read cuopt_cli's output, as JSON, and in a table.
import { styleText } from "node:util";
import type { Incumbent } from "@sortie/client";
import type { Solution } from "@sortie/solve";
import { EXIT_DONE, EXIT_NOTHING_FOUND } from "../exit-codes.ts";
import { gapText, numberText, secondsText } from "../format.ts";
import { tableText } from "../table.ts";

type Termination = Solution["termination"];

/** How outcomes are told to a person. */
const WORDS: Readonly<Record<Termination, string>> = {
  none: "No termination",
  "numerical-error": "Numerical error",
  optimal: "Optimal",
  infeasible: "Infeasible",
  "primal-infeasible": "Infeasible",
  unbounded: "Unbounded",
  "dual-infeasible": "Unbounded",
  "iteration-limit": "Iteration limit",
  "time-limit": "Time limit",
  "work-limit": "Work limit",
  "concurrent-limit": "Concurrent limit",
  "primal-feasible": "Primal feasible",
  "feasible-found": "Feasible",
};

/** Outcomes that answer the question, whether or not there is a solution. */
const ANSWERS: ReadonlySet<Termination> = new Set<Termination>([
  "optimal",
  "infeasible",
  "primal-infeasible",
  "unbounded",
  "dual-infeasible",
  "feasible-found",
  "primal-feasible",
]);

const FOUND: ReadonlySet<Termination> = new Set<Termination>(["optimal", "feasible-found", "primal-feasible"]);

export const terminationWords = (termination: Termination): string => WORDS[termination];

/** n values, or none. */
export const pointOf = (solution: Solution): Float64Array =>
  solution.kind === "lp" ? solution.primal : solution.solution;

export const objectiveOf = (solution: Solution): number =>
  solution.kind === "lp" ? solution.primalObjective : solution.objective;

/** 0 if the question is answered or something feasible is known. */
export function exitCodeOfSolution(solution: Solution): number {
  const found = solution.kind === "mip" && pointOf(solution).length > 0;
  return found || ANSWERS.has(solution.termination) ? EXIT_DONE : EXIT_NOTHING_FOUND;
}

/** Green where there is an answer with a point, yellow otherwise; plain where the stream is no terminal. */
function coloured(termination: Termination, stream: NodeJS.WriteStream): string {
  return styleText(FOUND.has(termination) ? "green" : "yellow", WORDS[termination], { stream });
}

/**
 * The lines that sum a solve up. Those of an LP are one line with `Status:`, `Objective:`, `Iterations:` and `Time:`, those of
 * a MIP have `Solution objective:`, as scripts look for them in cuopt_cli's output.
 */
export function reportLines(solution: Solution, stream: NodeJS.WriteStream = process.stdout): string[] {
  const status = `Status: ${coloured(solution.termination, stream)}`;
  const messages = solution.message === "" ? [] : [solution.message];
  const hasPoint = pointOf(solution).length > 0;
  const time = `Time: ${secondsText(solution.solveSeconds)}`;
  if (solution.kind === "lp") {
    const objective = hasPoint ? `  Objective: ${numberText(solution.primalObjective)}` : "";
    return [...messages, `${status}${objective}  Iterations: ${solution.iterations}  ${time}`];
  }
  const { termination, objective, bound, gap, nodes } = solution;
  return [
    ...messages,
    ...(termination === "optimal" ? ["Optimal solution found."] : []),
    ...(hasPoint
      ? [`Solution objective: ${numberText(objective)}  Bound: ${numberText(bound)}  Gap: ${gapText(gap)}`]
      : []),
    `${status}  Nodes: ${nodes}  ${time}`,
  ];
}

/** The best incumbent of a cancelled MIP as its solution; all that is unknown is NaN. */
export function incumbentSolution(best: Incumbent | undefined): Solution {
  const unknown = Number.NaN;
  return {
    kind: "mip",
    termination: best ? "feasible-found" : "none",
    message: "",
    solution: best?.assignment ?? new Float64Array(),
    objective: best?.objective ?? unknown,
    bound: unknown,
    gap: unknown,
    solveSeconds: unknown,
    presolveSeconds: unknown,
    maxConstraintViolation: unknown,
    maxIntegralityViolation: unknown,
    maxVariableBoundViolation: unknown,
    nodes: 0,
    simplexIterations: 0,
  };
}

/** What became of one file. */
export interface Outcome {
  /** As the table names it. */
  readonly label: string;
  readonly status: string;
  readonly objective?: number | undefined;
  readonly gap?: number | undefined;
  /** From reading the file to the end. */
  readonly seconds: number;
  readonly exitCode: number;
}

/** A table of several files. */
export function summaryTable(outcomes: readonly Outcome[]): string {
  return tableText([
    ["file", "status", "objective", "gap", "time"],
    ...outcomes.map(({ label, status, objective, gap, seconds }) => [
      label,
      status,
      numberText(objective),
      gapText(gap),
      secondsText(seconds),
    ]),
  ]);
}

/** The worst of several exit codes: an answer is best, then nothing found, then every fault, and Ctrl-C above all. */
export function worstOf(codes: readonly number[]): number {
  const badness = (code: number): number => (code === EXIT_NOTHING_FOUND ? 0.5 : code === 1 ? 100 : code);
  return codes.reduce((worst, code) => (badness(code) > badness(worst) ? code : worst), EXIT_DONE);
}
