// The best solution of a running MIP: checked, monotone, reported once.
import { acceptedViolation, directionOf, measurePrimal } from "../check.ts";
import type { Incumbent } from "../engine.ts";
import type { SolveContext } from "./highs-run.ts";

export class IncumbentWatch {
  /** The best solution that holds. Its assignment is ours: what is reported is a copy. */
  best: Incumbent | undefined;
  /** Best proven bound in the user's sense; infinite while nothing is proved. */
  bound: number;
  readonly #context: SolveContext;
  readonly #direction: 1 | -1;

  constructor(context: SolveContext) {
    this.#context = context;
    this.#direction = directionOf(context.problem);
    this.bound = -Infinity * this.#direction;
  }

  /** For when the proof was in doubt; the solutions hold by themselves. */
  forgetBound(): void {
    this.bound = -Infinity * this.#direction;
  }

  /** Takes a bound in the solver's sense, if it is one. */
  proved(solverBound: number | undefined): void {
    if (solverBound === undefined || !Number.isFinite(solverBound)) return;
    this.bound = this.#context.problem.objectiveScaling * solverBound;
  }

  /** Reports the point if it is better than every one before. @returns whether it satisfies the model within tolerance */
  offer(point: Float64Array, bound: number): boolean {
    const { problem, outlets, seconds } = this.#context;
    const measures = measurePrimal(problem, point, true);
    if (measures.scaledViolation > acceptedViolation) {
      outlets.log(`A solution of HiGHS is left out: it violates the model by ${measures.scaledViolation} (scaled)`);
      return false;
    }
    const before = this.best?.objective;
    if (before !== undefined && !((before - measures.objective) * this.#direction > 0)) return true;
    const known = Number.isFinite(bound) ? bound : Number.NaN;
    const incumbent = { objective: measures.objective, bound: known, seconds: seconds() };
    this.best = { ...incumbent, assignment: point };
    outlets.incumbent({ ...incumbent, assignment: point.slice() }, measures);
    return true;
  }
}
