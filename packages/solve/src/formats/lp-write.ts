// The writer of CPLEX's LP format, with numbers that are read back as the same doubles.
import { type Problem, VariableType } from "../problem.ts";
import { isReservedWord } from "./lp-tokens.ts";
import { freeName, type Renamed, renamedComment, WrittenNames } from "./renamed.ts";
import { checkWritable, finishWarnings, type ModelText, numberText } from "./written.ts";

const maxNameLength = 255;
const namePattern = /^[A-Za-z!"#$%&(),;?@_'`{}~][A-Za-z0-9!"#$%&(),.;?@_'`{}~]*$/;
/** Behind a number these would be its exponent. */
const exponentPattern = /^e([0-9e]|$)/i;

/** A name that every reader of the format takes for one. */
const isLpName = (name: string): boolean =>
  name.length <= maxNameLength && namePattern.test(name) && !exponentPattern.test(name) && !isReservedWord(name);

/** Lines are broken before they get longer; the format allows 560. */
const lineLength = 100;

/**
 * The model as an LP file, in pieces.
 *
 * Names that the format cannot hold are replaced, with a warning and a comment for each in the file, from which this
 * package's reader restores them.
 * @throws ValidationError for what the format cannot say: an objective scaling, NaN or infinite coefficients
 */
export function lpText(problem: Problem): ModelText {
  const warnings: string[] = [];
  checkWritable(problem, "LP format", warnings);
  const rows = new WrittenNames("row", problem.rowNames, problem.rows, "c", isLpName);
  const variables = new WrittenNames("variable", problem.variableNames, problem.columns, "x", isLpName);
  const renamed: Renamed[] = [...rows.renamed, ...variables.renamed];
  const objective = problem.objectiveName === "" ? "" : freeName(problem.objectiveName, rows, isLpName);
  if (objective !== problem.objectiveName) {
    renamed.push({ kind: "objective", written: objective, original: problem.objectiveName });
  }
  finishWarnings("LP format", renamed, warnings);
  return { lines: lines(problem, rows, variables, objective, renamed), warnings };
}

function* lines(
  problem: Problem,
  rows: WrittenNames,
  variables: WrittenNames,
  objective: string,
  renamed: readonly Renamed[],
): Generator<string> {
  if (problem.name !== "") yield `\\Problem name: ${problem.name.replace(/[\r\n]+/g, " ").trim()}\n`;
  for (const entry of renamed) yield `\\${renamedComment(entry)}\n`;
  yield problem.maximize ? "Maximize\n" : "Minimize\n";
  yield* folded(objective === "" ? "" : `${objective}:`, objectiveWords(problem, variables));
  yield "Subject To\n";
  for (let i = 0; i < problem.rows; i++) yield* folded(`${rows.name(i)}:`, rowWords(problem, variables, i));
  yield* section("Bounds", boundLines(problem, variables));
  yield* section("Generals", folded("", names(problem, variables, isGeneral)));
  yield* section("Binaries", folded("", names(problem, variables, isBinary)));
  yield* section("Semi-Continuous", folded("", names(problem, variables, isSemiContinuous)));
  yield "End\n";
}

/** Words on lines of a bearable length; nothing if there is none. */
function* folded(label: string, words: Iterable<string>): Generator<string> {
  let line = label;
  for (const word of words) {
    if (line !== "" && line.length + word.length + 2 > lineLength) {
      yield ` ${line}\n`;
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") yield ` ${line}\n`;
}

function* section(heading: string, content: Iterable<string>): Generator<string> {
  let begun = false;
  for (const line of content) {
    if (!begun) yield `${heading}\n`;
    begun = true;
    yield line;
  }
}

const isNegative = (value: number): boolean => value < 0 || Object.is(value, -0);

/** "+ 2 x", "- x"; the first term of an expression has no plus. */
function term(value: number, what: string, first: boolean): string {
  const sign = isNegative(value) ? "- " : first ? "" : "+ ";
  const size = Math.abs(value);
  return size === 1 && what !== "" ? `${sign}${what}` : `${sign}${numberText(size)}${what === "" ? "" : ` ${what}`}`;
}

function* objectiveWords(problem: Problem, variables: WrittenNames): Generator<string> {
  const { objective, objectiveOffset, quadratic } = problem;
  // Variables are numbered in the order in which the file mentions them.
  const all = !isOrderKept(problem);
  let first = true;
  for (let j = 0; j < problem.columns; j++) {
    const cost = objective[j] as number;
    if (!all && Object.is(cost, 0)) continue;
    yield term(cost, variables.name(j), first);
    first = false;
  }
  if (objectiveOffset !== 0) {
    yield term(objectiveOffset, "", first);
    first = false;
  }
  if (quadratic === undefined) return;
  yield first ? "[" : "+ [";
  first = true;
  for (let i = 0; i < problem.columns; i++) {
    for (let at = quadratic.offsets[i] as number; at < (quadratic.offsets[i + 1] as number); at++) {
      const j = quadratic.indices[at] as number;
      const product = i === j ? `${variables.name(i)} ^ 2` : `${variables.name(i)} * ${variables.name(j)}`;
      yield term(2 * (quadratic.values[at] as number), product, first);
      first = false;
    }
  }
  yield "] / 2";
}

/** Whether objective and rows alone mention all variables, in their order. */
function isOrderKept({ objective, matrix, columns, rows, quadratic }: Problem): boolean {
  let next = 0;
  const seen = new Uint8Array(columns);
  const mention = (j: number): boolean => {
    if (seen[j] === 1) return true;
    seen[j] = 1;
    return j === next++;
  };
  for (let j = 0; j < columns; j++) if (!Object.is(objective[j], 0) && !mention(j)) return false;
  for (let i = 0; quadratic !== undefined && i < columns; i++) {
    for (let at = quadratic.offsets[i] as number; at < (quadratic.offsets[i + 1] as number); at++) {
      if (!mention(i) || !mention(quadratic.indices[at] as number)) return false;
    }
  }
  for (let i = 0; i < rows; i++) {
    if (matrix.offsets[i] === matrix.offsets[i + 1] && !mention(0)) return false;
    for (let at = matrix.offsets[i] as number; at < (matrix.offsets[i + 1] as number); at++) {
      if (!mention(matrix.indices[at] as number)) return false;
    }
  }
  return next === columns;
}

function* rowWords(problem: Problem, variables: WrittenNames, i: number): Generator<string> {
  const { matrix, rowLower, rowUpper } = problem;
  const [lower, upper] = [rowLower[i] as number, rowUpper[i] as number];
  const [start, end] = [matrix.offsets[i] as number, matrix.offsets[i + 1] as number];
  const isRange = Number.isFinite(lower) && Number.isFinite(upper) && !Object.is(lower, upper);
  if (isRange) yield `${numberText(lower)} <=`;
  for (let at = start; at < end; at++) {
    yield term(matrix.values[at] as number, variables.name(matrix.indices[at] as number), at === start);
  }
  if (start === end) yield `0 ${variables.name(0)}`;
  if (Object.is(lower, upper)) yield `= ${numberText(lower)}`;
  else if (isRange || Number.isFinite(upper)) yield `<= ${numberText(upper)}`;
  else yield Number.isFinite(lower) ? `>= ${numberText(lower)}` : ">= -inf";
}

const typeOf = (problem: Problem, j: number): number => problem.variableTypes?.[j] ?? VariableType.continuous;
const isBinary = (problem: Problem, j: number): boolean =>
  typeOf(problem, j) === VariableType.integer &&
  Object.is(problem.variableLower[j], 0) &&
  problem.variableUpper[j] === 1;
const isGeneral = (problem: Problem, j: number): boolean =>
  typeOf(problem, j) === VariableType.integer && !isBinary(problem, j);
const isSemiContinuous = (problem: Problem, j: number): boolean => typeOf(problem, j) === VariableType.semiContinuous;

function* names(
  problem: Problem,
  variables: WrittenNames,
  belongs: (problem: Problem, j: number) => boolean,
): Generator<string> {
  for (let j = 0; j < problem.columns; j++) if (belongs(problem, j)) yield variables.name(j);
}

/** Bounds other than [0, ∞), and other than those of binary variables. */
function* boundLines(problem: Problem, variables: WrittenNames): Generator<string> {
  for (let j = 0; j < problem.columns; j++) {
    const [lower, upper] = [problem.variableLower[j] as number, problem.variableUpper[j] as number];
    const isDefault = Object.is(lower, 0) && upper === Number.POSITIVE_INFINITY;
    if (!isDefault && !isBinary(problem, j)) yield ` ${boundText(variables.name(j), lower, upper)}\n`;
  }
}

function boundText(name: string, lower: number, upper: number): string {
  if (lower === Number.NEGATIVE_INFINITY && upper === Number.POSITIVE_INFINITY) return `${name} free`;
  if (Object.is(lower, upper)) return `${name} = ${numberText(lower)}`;
  if (lower === Number.NEGATIVE_INFINITY) return `-inf <= ${name} <= ${numberText(upper)}`;
  if (upper === Number.POSITIVE_INFINITY) return `${name} >= ${numberText(lower)}`;
  // Not the upper bound alone if it is negative: readers differ about the lower one.
  if (Object.is(lower, 0) && upper >= 0) return `${name} <= ${numberText(upper)}`;
  return `${numberText(lower)} <= ${name} <= ${numberText(upper)}`;
}
