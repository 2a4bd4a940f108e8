// The MPS writer: free or fixed layout, with numbers that are read back as the same doubles.
import { type Problem, type SparseMatrix, ValidationError, VariableType } from "../problem.ts";
import { exactRange } from "./range.ts";
import { freeName, type Renamed, renamedComment, WrittenNames } from "./renamed.ts";
import { checkWritable, finishWarnings, type ModelText, numberText } from "./written.ts";

export interface MpsWriteOptions {
  /**
   * How fields are told apart: "free" (the default) by blanks; "fixed" by character position, where names may have blanks
   * inside but at most 8 characters, and numbers at most 12.
   */
  readonly layout?: "free" | "fixed" | undefined;
}

const maxNameBytes = 255;
/** A name as free MPS can hold it. The quotation mark and the dollar have meanings of their own at some places. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not stand in a name
const freeNamePattern = /^[^$*'\s\x00-\x1f\x7f][^'\s\x00-\x1f\x7f]*$/u;
const isFreeName = (name: string): boolean => name.length <= maxNameBytes && freeNamePattern.test(name);
const isFixedName = (name: string): boolean => /^(?! )(?!.* $)[\x20-\x23\x25\x26\x28-\x7e]{1,8}$/.test(name);

/** Stands for infinity where a number must be written; every reader takes it for infinite. */
const infinite = "1e30";

/**
 * The model as an MPS file, in pieces.
 *
 * Names that the layout cannot hold are replaced, with a warning and a comment for each in the file, from which this
 * package's reader restores them.
 * @throws ValidationError for what the format cannot say: an objective scaling, crossed bounds of a row, a number too
 *   long for the fixed layout, NaN or infinite coefficients
 */
export function mpsText(problem: Problem, options: MpsWriteOptions = {}): ModelText {
  const warnings: string[] = [];
  checkWritable(problem, "MPS", warnings);
  const fixed = options.layout === "fixed";
  const isAllowed = fixed ? isFixedName : isFreeName;
  const rows = new WrittenNames("row", problem.rowNames, problem.rows, "r", isAllowed);
  const columns = new WrittenNames("variable", problem.variableNames, problem.columns, "x", isAllowed);
  const objective = freeName(problem.objectiveName, rows, isAllowed);
  const renamed: Renamed[] = [...rows.renamed, ...columns.renamed];
  if (problem.objectiveName !== "" && problem.objectiveName !== objective) {
    renamed.push({ kind: "objective", written: objective, original: problem.objectiveName });
  }
  const intervals = rowIntervals(problem, rows);
  finishWarnings(fixed ? "fixed MPS" : "free MPS", renamed, warnings);
  const writer = new MpsWriter(problem, { rows, columns, objective, renamed }, intervals, fixed);
  return { lines: writer.lines(), warnings };
}

interface Names {
  readonly rows: WrittenNames;
  readonly columns: WrittenNames;
  readonly objective: string;
  readonly renamed: readonly Renamed[];
}

/** How the bounds of a row are said: a type, a right-hand side, and a range (NaN for none). */
interface Intervals {
  readonly types: string[];
  readonly sides: Float64Array;
  readonly ranges: Map<number, string>;
}

function rowIntervals(problem: Problem, names: WrittenNames): Intervals {
  const { rows, rowLower, rowUpper } = problem;
  const types: string[] = [];
  const sides = new Float64Array(rows);
  const ranges = new Map<number, string>();
  for (let i = 0; i < rows; i++) {
    const lower = rowLower[i] as number;
    const upper = rowUpper[i] as number;
    if (lower > upper) {
      throw new ValidationError(
        `row ${JSON.stringify(names.name(i))}: lower bound ${lower} is above upper bound ${upper}, which MPS cannot say; LP format can`,
      );
    }
    if (Object.is(lower, upper)) {
      types.push("E");
      sides[i] = lower;
    } else if (lower === Number.NEGATIVE_INFINITY) {
      types.push("L");
      sides[i] = upper;
    } else if (upper === Number.POSITIVE_INFINITY) {
      types.push("G");
      sides[i] = lower;
    } else {
      const found = exactRange(lower, upper);
      types.push(found.type);
      sides[i] = found.side;
      ranges.set(i, found.range);
    }
  }
  return { types, sides, ranges };
}

/** Where the fields of the fixed layout begin, counted from 0. */
const fixedStarts = [1, 4, 14, 24] as const;

class MpsWriter {
  readonly #problem: Problem;
  readonly #names: Names;
  readonly #intervals: Intervals;
  readonly #fixed: boolean;

  constructor(problem: Problem, names: Names, intervals: Intervals, fixed: boolean) {
    this.#problem = problem;
    this.#names = names;
    this.#intervals = intervals;
    this.#fixed = fixed;
  }

  *lines(): Generator<string> {
    const problem = this.#problem;
    for (const entry of this.#names.renamed) yield `*${renamedComment(entry)}\n`;
    const name = problem.name.replace(/[\r\n]+/g, " ").trim();
    yield name === "" ? "NAME\n" : `NAME          ${name}\n`;
    if (problem.maximize) yield "OBJSENSE\n    MAX\n";
    yield* this.#rows();
    yield* this.#columns();
    yield* this.#rightHandSides();
    yield* this.#ranges();
    yield* this.#bounds();
    if (problem.quadratic !== undefined) yield* this.#quadratic(problem.quadratic);
    yield "ENDATA\n";
  }

  /** A data line: a type of bound or row, two names, a number. */
  #line(type: string, first: string, second: string, value: string): string {
    if (!this.#fixed) {
      if (second === "") return ` ${type} ${first}\n`;
      const head = type === "" ? "    " : ` ${type} `;
      return value === "" ? `${head}${first} ${second}\n` : `${head}${first} ${second} ${value}\n`;
    }
    if (value.length > 12) {
      throw new ValidationError(
        `the number ${value} of ${JSON.stringify(second)} needs ${value.length} characters; the fixed layout has 12, so write the free one`,
      );
    }
    const fields = [type, first, second, value];
    let text = "";
    for (const [at, field] of fields.entries()) text = text.padEnd(fixedStarts[at] as number) + field;
    return `${text.trimEnd()}\n`;
  }

  *#rows(): Generator<string> {
    const { rows, objective } = this.#names;
    yield "ROWS\n";
    yield this.#line("N", objective, "", "");
    for (let i = 0; i < this.#problem.rows; i++)
      yield this.#line(this.#intervals.types[i] as string, rows.name(i), "", "");
  }

  *#columns(): Generator<string> {
    const problem = this.#problem;
    const names = this.#names;
    const { starts, rows, values } = byColumn(problem.matrix, problem.columns);
    yield "COLUMNS\n";
    let integer = false;
    let markers = 0;
    for (let j = 0; j < problem.columns; j++) {
      const isInteger = problem.variableTypes?.[j] === VariableType.integer;
      if (isInteger !== integer) {
        integer = isInteger;
        yield marker(`MARKER${markers++ % 100}`, integer ? "'INTORG'" : "'INTEND'");
      }
      const column = names.columns.name(j);
      const cost = problem.objective[j] as number;
      const [start, end] = [starts[j] as number, starts[j + 1] as number];
      if (cost !== 0 || Object.is(cost, -0) || start === end) {
        yield this.#line("", column, names.objective, numberText(cost));
      }
      for (let at = start; at < end; at++) {
        yield this.#line("", column, names.rows.name(rows[at] as number), numberText(values[at] as number));
      }
    }
    if (integer) yield marker(`MARKER${markers % 100}`, "'INTEND'");
  }

  *#rightHandSides(): Generator<string> {
    const problem = this.#problem;
    const names = this.#names;
    yield "RHS\n";
    if (problem.objectiveOffset !== 0) {
      yield this.#line("", "RHS", names.objective, numberText(-problem.objectiveOffset));
    }
    for (let i = 0; i < problem.rows; i++) {
      const side = this.#intervals.sides[i] as number;
      if (side !== 0 || Object.is(side, -0)) yield this.#line("", "RHS", names.rows.name(i), mpsNumber(side));
    }
  }

  *#ranges(): Generator<string> {
    const { ranges } = this.#intervals;
    if (ranges.size > 0) yield "RANGES\n";
    for (const [row, range] of ranges) yield this.#line("", "RNG", this.#names.rows.name(row), range);
  }

  *#bounds(): Generator<string> {
    const problem = this.#problem;
    // A name of the set that is no variable's, so that no reader takes one for the other.
    let set = "BND";
    while (this.#names.columns.has(set))
      set = set.length < 8 ? `${set}S` : `B${Number.parseInt(set.slice(1), 36) || 0}`;
    let begun = false;
    for (let j = 0; j < problem.columns; j++) {
      for (const [type, value] of boundLines(problem, j)) {
        if (!begun) yield "BOUNDS\n";
        begun = true;
        yield this.#line(type, set, this.#names.columns.name(j), value === undefined ? "" : mpsNumber(value));
      }
    }
  }

  /**
   * ½ xᵀHx: the triangle of H where Q is one, all of H where Q is symmetric. Any other Q is folded to the triangle,
   * which has the same value everywhere.
   */
  *#quadratic(q: SparseMatrix): Generator<string> {
    const { columns } = this.#names;
    const shape = shapeOf(q);
    const entries = shape === "general" ? folded(q) : q;
    yield shape === "symmetric" ? "QMATRIX\n" : "QUADOBJ\n";
    for (let i = 0; i + 1 < entries.offsets.length; i++) {
      for (let at = entries.offsets[i] as number; at < (entries.offsets[i + 1] as number); at++) {
        const j = entries.indices[at] as number;
        const value = entries.values[at] as number;
        const twice = shape === "symmetric" || i === j;
        yield this.#line("", columns.name(i), columns.name(j), numberText(twice ? 2 * value : value));
      }
    }
  }
}

const marker = (name: string, kind: string): string => `    ${name.padEnd(10)}'MARKER'                 ${kind}\n`;

const mpsNumber = (value: number): string =>
  Number.isFinite(value) ? numberText(value) : value > 0 ? infinite : `-${infinite}`;

/** The bounds of a variable as lines of BOUNDS; none where they are what a reader assumes. */
function* boundLines(problem: Problem, j: number): Generator<readonly [string, number?]> {
  const lower = problem.variableLower[j] as number;
  const upper = problem.variableUpper[j] as number;
  const type = problem.variableTypes?.[j] ?? VariableType.continuous;
  const isFree = lower === Number.NEGATIVE_INFINITY;
  if (type === VariableType.semiContinuous) {
    if (isFree) yield ["MI"];
    else if (lower !== 0 || Object.is(lower, -0)) yield ["LO", lower];
    yield ["SC", upper];
    return;
  }
  if (type === VariableType.integer && Object.is(lower, 0) && upper === 1) {
    yield ["BV"];
  } else if (isFree && upper === Number.POSITIVE_INFINITY) {
    yield ["FR"];
  } else if (Object.is(lower, upper)) {
    yield ["FX", lower];
  } else {
    if (isFree) yield ["MI"];
    else if (!Object.is(lower, 0) || upper < 0) yield ["LO", lower];
    if (upper !== Number.POSITIVE_INFINITY) yield ["UP", upper];
    // An integer variable without any bound would be binary.
    else if (type === VariableType.integer && Object.is(lower, 0)) yield ["PL"];
  }
}

/** The entries column by column, rows ascending in each. */
function byColumn(
  { offsets, indices, values }: SparseMatrix,
  columns: number,
): { starts: Int32Array; rows: Int32Array; values: Float64Array } {
  const starts = new Int32Array(columns + 1);
  for (const column of indices) starts[column + 1]!++;
  for (let j = 0; j < columns; j++) starts[j + 1]! += starts[j] as number;
  const next = starts.slice();
  const rows = new Int32Array(indices.length);
  const moved = new Float64Array(indices.length);
  for (let i = 0; i + 1 < offsets.length; i++) {
    for (let at = offsets[i] as number; at < (offsets[i + 1] as number); at++) {
      const to = next[indices[at] as number]!++;
      rows[to] = i;
      moved[to] = values[at] as number;
    }
  }
  return { starts, rows, values: moved };
}

function shapeOf(q: SparseMatrix): "triangle" | "symmetric" | "general" {
  const entries = new Map<string, number>();
  let isTriangle = true;
  for (let i = 0; i + 1 < q.offsets.length; i++) {
    for (let at = q.offsets[i] as number; at < (q.offsets[i + 1] as number); at++) {
      const j = q.indices[at] as number;
      if (entries.has(`${i},${j}`)) return "general";
      entries.set(`${i},${j}`, q.values[at] as number);
      isTriangle &&= i <= j;
    }
  }
  if (isTriangle) return "triangle";
  for (const [place, value] of entries) {
    if (!Object.is(entries.get(place.split(",").reverse().join(",")), value)) return "general";
  }
  return "symmetric";
}

/** The upper triangle with the same xᵀQx. */
function folded(q: SparseMatrix): SparseMatrix {
  const rows = new Map<number, Map<number, number>>();
  for (let i = 0; i + 1 < q.offsets.length; i++) {
    for (let at = q.offsets[i] as number; at < (q.offsets[i + 1] as number); at++) {
      const j = q.indices[at] as number;
      const [first, second] = [Math.min(i, j), Math.max(i, j)];
      const row = rows.get(first) ?? new Map<number, number>();
      rows.set(first, row);
      const before = row.get(second);
      row.set(second, before === undefined ? (q.values[at] as number) : before + (q.values[at] as number));
    }
  }
  const offsets = new Int32Array(q.offsets.length);
  const indices: number[] = [];
  const values: number[] = [];
  for (let i = 0; i + 1 < offsets.length; i++) {
    for (const [j, value] of [...(rows.get(i) ?? [])].sort(([a], [b]) => a - b)) {
      indices.push(j);
      values.push(value);
    }
    offsets[i + 1] = indices.length;
  }
  return { offsets, indices: Int32Array.from(indices), values: Float64Array.from(values) };
}
