// What the writers of model files share.
import { type Problem, ValidationError } from "../problem.ts";
import { Gathered } from "./gathered.ts";
import { type Renamed, renamedWarning } from "./renamed.ts";
import { infinityFrom } from "./to-bound.ts";

/** A model as text. */
export interface ModelText {
  /** Lines with their newlines; made while they are taken. */
  readonly lines: Iterable<string>;
  /** What the file does not hold as the model has it. */
  readonly warnings: readonly string[];
}

/** The shortest decimal that is read as the same double; the sign of zero is kept. */
export const numberText = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

/**
 * What no format can say is refused, what it leaves out is told.
 * @throws ValidationError
 */
export function checkWritable(problem: Problem, format: string, warnings: string[]): void {
  if (problem.columns === 0) throw new ValidationError(`the model has no variables, which ${format} cannot say`);
  if (problem.objectiveScaling !== 1) {
    throw new ValidationError(
      `objective_scaling_factor is ${problem.objectiveScaling}; ${format} has no place for one, only 1 is allowed`,
    );
  }
  for (const [name, values] of [
    ["A_values", problem.matrix.values],
    ["c", problem.objective],
    ["Q_values", problem.quadratic?.values ?? new Float64Array(0)],
    ["objective_offset", Float64Array.of(problem.objectiveOffset)],
  ] as const) {
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) throw new ValidationError(`${name}[${at}] is ${values[at]}; a finite number is needed`);
  }
  checkBounds("variable", problem.variableLower, problem.variableUpper, warnings);
  checkBounds("row", problem.rowLower, problem.rowUpper, warnings);
  const zeros = problem.matrix.values.reduce((count, value) => (value === 0 ? count + 1 : count), 0);
  if (zeros > 0) warnings.push(`${zeros} coefficient(s) of 0 in the matrix are not kept by readers`);
  if (problem.initialPrimal !== undefined || problem.initialDual !== undefined) {
    warnings.push(`the initial solution is left out: ${format} has no place for it`);
  }
}

function checkBounds(what: string, lower: Float64Array, upper: Float64Array, warnings: string[]): void {
  const large = new Gathered();
  for (let at = 0; at < lower.length; at++) {
    const [low, high] = [lower[at] as number, upper[at] as number];
    if (Number.isNaN(low) || low === Number.POSITIVE_INFINITY) {
      throw new ValidationError(`${what} ${at}: lower bound ${low}; a finite number, or -Infinity for none, is needed`);
    }
    if (Number.isNaN(high) || high === Number.NEGATIVE_INFINITY) {
      throw new ValidationError(`${what} ${at}: upper bound ${high}; a finite number, or Infinity for none, is needed`);
    }
    for (const bound of [low, high]) {
      if (Number.isFinite(bound) && Math.abs(bound) >= infinityFrom) large.add(() => `${what} ${at}: ${bound}`);
    }
  }
  large.report((n) => `${n} bound(s) of 1e20 or more in size are read as infinite`, warnings);
}

export function finishWarnings(format: string, renamed: readonly Renamed[], warnings: string[]): void {
  const warning = renamedWarning(format, renamed);
  if (warning !== undefined) warnings.push(warning);
}
