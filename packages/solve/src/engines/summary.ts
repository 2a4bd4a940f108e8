// The last lines of a job's log: texts that scripts look for.
import type { LpTermination, MipTermination, Solution } from "../engine.ts";

const lpWords: Readonly<Record<LpTermination, string>> = {
  none: "No Termination",
  "numerical-error": "Numerical Error",
  optimal: "Optimal",
  "primal-infeasible": "Primal Infeasible",
  "dual-infeasible": "Dual Infeasible",
  "iteration-limit": "Iteration Limit",
  "time-limit": "Time Limit",
  "concurrent-limit": "Concurrent Limit",
  "primal-feasible": "Primal Feasible",
};

const mipWords: Readonly<Record<MipTermination, string>> = {
  none: "No answer found.",
  optimal: "Optimal solution found.",
  "feasible-found": "Feasible solution found.",
  infeasible: "Model is infeasible.",
  unbounded: "Model is unbounded.",
  "time-limit": "Time limit reached.",
  "work-limit": "Limit of work reached.",
};

export function summaryLines(solution: Solution): string[] {
  const lines = solution.message === "" ? [] : [solution.message];
  if (solution.kind === "lp") {
    const value = Number.isNaN(solution.primalObjective) ? "" : `   Objective: ${scientific(solution.primalObjective)}`;
    const effort = `Iterations: ${solution.iterations}  Time: ${solution.solveSeconds.toFixed(3)}s`;
    return [...lines, `Status: ${lpWords[solution.termination]}${value}  ${effort}`];
  }
  lines.push(mipWords[solution.termination]);
  if (solution.solution.length > 0) {
    lines.push(
      `Solution objective: ${solution.objective}, relative_mip_gap ${solution.gap}, solution_bound ${solution.bound}`,
    );
  }
  const effort = `nodes ${solution.nodes}, simplex_iterations ${solution.simplexIterations}`;
  return [...lines, `Total solve time: ${solution.solveSeconds.toFixed(3)}s, ${effort}`];
}

/** As printf's %.8e writes it. */
function scientific(value: number): string {
  return value.toExponential(8).replace(/e([+-])(\d)$/, "e$10$2");
}
