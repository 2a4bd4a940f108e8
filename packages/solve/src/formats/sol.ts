// The solution file (.sol) in cuOpt's layout: a writer, and a reader that also takes the MIPLIB form.
import type { LpTermination, MipTermination, Solution } from "../engine.ts";

/**
 * The word behind `# Status:`. Outcomes without a usable point are all `Infeasible`, as readers of this format expect.
 * The layout has no other word for them; `solFile` says the true outcome in a comment.
 */
const lpWords: { readonly [Key in LpTermination]: string } = {
  optimal: "Optimal",
  "primal-feasible": "Primal Feasible",
  none: "Infeasible",
  "numerical-error": "Infeasible",
  "primal-infeasible": "Infeasible",
  "dual-infeasible": "Infeasible",
  "iteration-limit": "Infeasible",
  "time-limit": "Infeasible",
  "concurrent-limit": "Infeasible",
};

const mipWords: { readonly [Key in MipTermination]: string } = {
  optimal: "Optimal",
  "feasible-found": "Feasible",
  "time-limit": "Time Limit",
  "work-limit": "Work Limit",
  unbounded: "Unbounded",
  none: "Infeasible",
  infeasible: "Infeasible",
};

/** A fault in a solution file; `line` is counted from 1 (the last line when something is missing). */
export class SolError extends Error {
  override readonly name = "SolError";
  readonly line: number;

  constructor(line: number, text: string) {
    super(`line ${line}: ${text}`);
    this.line = line;
  }
}

/**
 * The lines of a solution file, each with its newline: status, objective, and one line per variable in the model's order.
 * @param names one for each variable; absent means x0, x1, …
 * @throws RangeError if the names are not as many as the values
 */
export function* solFile(solution: Solution, names?: readonly string[]): Generator<string> {
  const values = solution.kind === "lp" ? solution.primal : solution.solution;
  const objective = solution.kind === "lp" ? solution.primalObjective : solution.objective;
  const word = solution.kind === "lp" ? lpWords[solution.termination] : mipWords[solution.termination];
  if (word === "Infeasible" || values.length === 0) {
    yield "# Status: Infeasible\n";
    const infeasible = solution.termination === "infeasible" || solution.termination === "primal-infeasible";
    if (!infeasible) yield `# Termination: ${solution.termination}\n`;
    return;
  }
  if (names !== undefined && names.length !== values.length) {
    throw new RangeError(`${names.length} names for ${values.length} values`);
  }
  yield `# Status: ${word}\n`;
  yield `# Objective value: ${formatNumber(objective)}\n`;
  for (let column = 0; column < values.length; column++) {
    yield `${names?.[column] ?? `x${column}`} ${formatNumber(values[column] as number)}\n`;
  }
}

export interface SolContent {
  /** The word behind `# Status:`; "" if the file has none. */
  readonly status: string;
  readonly objective: number | undefined;
  /** One for each variable of the model; undefined if the status is Infeasible and the file has no values. */
  readonly values: Float64Array | undefined;
}

/**
 * Reads a solution file for a model with these variables. Lines that start with # or = are header lines. Values are
 * found by name, in any order; names may contain blanks.
 * @throws SolError for a variable that is missing, unknown or named twice, or a value that is no number
 */
export function readSol(text: string, variableNames: readonly string[]): SolContent {
  const columns = new Map(variableNames.map((name, column) => [name, column]));
  const values = new Float64Array(variableNames.length);
  const seen = new Uint8Array(variableNames.length);
  let seenCount = 0;
  let status = "";
  let objective: number | undefined;
  let lineNumber = 0;
  for (const { line, number } of linesOf(text)) {
    lineNumber = number;
    if (line.startsWith("#") || line.startsWith("=")) {
      status = /^# *Status: *(.*)$/.exec(line)?.[1] ?? status;
      const written = /^(?:# *Objective value:|=obj=) *(\S+)$/.exec(line)?.[1];
      if (written !== undefined) objective = parseValue(written, number);
      continue;
    }
    const [, name, value] = /^(.*\S)[ \t]+(\S+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new SolError(number, `found ${JSON.stringify(line)}; a variable's name, a blank and its value are needed`);
    }
    const column = columns.get(name);
    if (column === undefined) throw new SolError(number, `unknown variable ${JSON.stringify(name)}`);
    if (seen[column] === 1) throw new SolError(number, `variable ${JSON.stringify(name)} again; once is allowed`);
    seen[column] = 1;
    seenCount++;
    values[column] = parseValue(value, number);
  }
  if (seenCount === 0 && status === "Infeasible") return { status, objective, values: undefined };
  if (seenCount < variableNames.length) {
    const missing = JSON.stringify(variableNames[seen.indexOf(0)]);
    const more = variableNames.length - seenCount - 1;
    throw new SolError(
      lineNumber,
      `variable ${missing}${more > 0 ? ` and ${more} more` : ""} missing; each of the ${variableNames.length} variables needs a line`,
    );
  }
  return { status, objective, values };
}

function* linesOf(text: string): Generator<{ line: string; number: number }> {
  let start = 0;
  for (let number = 1; start < text.length; number++) {
    const end = text.indexOf("\n", start);
    const line = text.slice(start, end < 0 ? text.length : end).trim();
    if (line !== "") yield { line, number };
    if (end < 0) return;
    start = end + 1;
  }
}

const special: { readonly [word: string]: number } = {
  inf: Number.POSITIVE_INFINITY,
  "+inf": Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
  nan: Number.NaN,
};

function parseValue(text: string, line: number): number {
  const known = special[text.toLowerCase().replace("infinity", "inf")];
  if (known !== undefined) return known;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    throw new SolError(line, `found ${JSON.stringify(text)}; a number is needed`);
  }
  return Number(text);
}

/** 18 significant digits without trailing zeros; infinities and NaN as C writes them. */
function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [significand = "", exponent] = value.toPrecision(18).split("e");
  const short = significand.includes(".") ? significand.replace(/\.?0+$/, "") : significand;
  const signed = Object.is(value, -0) ? `-${short}` : short;
  return exponent === undefined ? signed : `${signed}e${exponent}`;
}
