// One solve on a loaded HiGHS, from the outcomes that need no solver to the last line of the log. Runs in its thread.
import type { Highs } from "highs";
import { crossedBounds, measurePrimal, objectiveAt } from "../check.ts";
import type { Solution } from "../engine.ts";
import { ValidationError } from "../problem.ts";
import { settingsWithoutEffect } from "../settings.ts";
import { solveLp } from "./highs-lp.ts";
import { solveMip } from "./highs-mip.ts";
import { withIntegralBounds } from "./highs-model.ts";
import { timeLimitOf } from "./highs-options.ts";
import type { HighsLog, Outlets, SolveContext, SolveTask } from "./highs-run.ts";
import { type LpAnswer, lpAnswer, lpWithout } from "./lp-outcome.ts";
import { mipAnswer, mipWithout } from "./mip-outcome.ts";
import { summaryLines } from "./summary.ts";

/**
 * @throws ValidationError, VariableFault: the model cannot be taken; EngineError: HiGHS gave up; Cancelled: told to stop;
 *   anything else: HiGHS is broken
 */
export function solveWithHighs(highs: Highs, log: HighsLog, task: SolveTask, outlets: Outlets): Solution {
  const start = performance.now();
  const context: SolveContext = {
    ...task,
    highs,
    outlets,
    seconds: () => (performance.now() - start) / 1000,
    presolve: { seconds: 0 },
  };
  log.sink = (line) => {
    const presolve = /^\s*([\d.]+) \(Presolve\)/.exec(line);
    if (presolve !== null) context.presolve.seconds = Number(presolve[1]);
    outlets.log(line);
  };
  for (const name of settingsWithoutEffect(task.settings)) {
    outlets.log(`Setting ${name} = ${task.settings.values[name]} has no effect here`);
  }
  try {
    const solution = solveKind(
      task.kind === "mip" ? { ...context, problem: withIntegralBounds(task.problem) } : context,
    );
    for (const line of summaryLines(solution)) outlets.log(line);
    return solution;
  } finally {
    log.sink = undefined;
  }
}

function solveKind(context: SolveContext): Solution {
  const { problem, kind, settings } = context;
  if (!Number.isFinite(problem.objectiveScaling)) {
    throw new ValidationError(`objective scaling factor is ${problem.objectiveScaling}; a finite number is expected`);
  }
  const without = kind === "lp" ? lpWithout : mipWithout;
  const crossed = crossedBounds(problem);
  if (crossed !== undefined) return without(context, "infeasible", crossed);
  if (!(timeLimitOf(settings) > 0)) return without(context, "time-limit", "The time limit is 0: nothing was tried.");
  if (problem.columns === 0) return solveEmpty(context);
  return kind === "lp" ? solveLp(context) : solveMip(context);
}

/** No variables: feasible when 0 satisfies every row. */
function solveEmpty(context: SolveContext): Solution {
  const { problem, kind } = context;
  const none = new Float64Array(0);
  const feasible = measurePrimal(problem, none, false).maxRowViolation === 0;
  if (!feasible) return (kind === "lp" ? lpWithout : mipWithout)(context, "infeasible", "");
  if (kind === "lp") {
    const answer: LpAnswer = { primal: none, dual: new Float64Array(problem.rows), reducedCost: none };
    return lpAnswer(context, "optimal", answer, { method: "choose", iterations: 0 });
  }
  return mipAnswer(context, "optimal", none, { bound: objectiveAt(problem, none) });
}
