// What a person wants to know of a model before it is solved: sizes, ranges of its numbers, and likely mistakes. Everything
// here takes one or two passes over the entries; nothing is solved.
import { type Problem, type SparseMatrix, VariableType } from "./problem.ts";

/** Smallest and largest size of the numbers that are not zero and not infinite; absent where there is none. */
export interface SizeRange {
  readonly smallest: number;
  readonly largest: number;
}

/** How grave a finding is: the model has no solution; something is probably not meant; worth knowing. */
export type Severity = "infeasible" | "warning" | "note";

/** One kind of finding, however often. */
export interface Finding {
  /** A stable name for scripts, "empty-row". */
  readonly kind: string;
  readonly severity: Severity;
  readonly count: number;
  /** What it is and why it matters, for any number of cases. */
  readonly text: string;
  /** The first few cases by name. */
  readonly examples: readonly string[];
}

export interface ModelReport {
  readonly rows: number;
  readonly columns: number;
  readonly nonzeros: number;
  readonly quadraticNonzeros: number;
  /** Rows by their kind: equal bounds; one bound; two; none. */
  readonly rowKinds: {
    readonly equality: number;
    readonly oneSided: number;
    readonly range: number;
    readonly free: number;
  };
  readonly variableKinds: {
    readonly continuous: number;
    readonly binary: number;
    readonly integer: number;
    readonly semiContinuous: number;
  };
  /** Variables with neither bound, and with two equal ones. */
  readonly free: number;
  readonly fixed: number;
  readonly ranges: {
    readonly matrix?: SizeRange | undefined;
    readonly objective?: SizeRange | undefined;
    readonly quadratic?: SizeRange | undefined;
    readonly variableBounds?: SizeRange | undefined;
    readonly rowBounds?: SizeRange | undefined;
  };
  readonly findings: readonly Finding[];
}

/** HiGHS drops coefficients up to this size. */
const tinyCoefficient = 1e-9;
/** HiGHS refuses coefficients from this size on. */
const hugeCoefficient = 1e15;
/** Ratio of sizes within one row from which on rounding errors of its large terms reach its small ones. */
const wideSpread = 1e9;
/** An integer variable with a bound of this size cannot be told from its neighbours within usual tolerances. */
const hugeIntegerBound = 1e9;
/** Finite bounds of this size are mostly meant as none. */
const hugeBound = 1e15;
/** Absolute tolerance with which rows count as satisfied. */
const feasibility = 1e-6;

const examplesShown = 3;

/** @param problem any problem that passes the structural checks (`validateModel`) */
export function inspectModel(problem: Problem): ModelReport {
  const findings = new Findings();
  const row = (i: number): string => problem.rowNames?.[i] || `row ${i}`;
  const variable = (j: number): string => problem.variableNames?.[j] || `variable ${j}`;
  const uses = inspectRows(problem, findings, row, variable);
  inspectVariables(problem, uses, findings, variable);
  inspectDuplicates(problem, findings, row, variable);
  if (problem.objective.every((cost) => cost === 0) && problem.quadratic === undefined) {
    findings.add("no-objective", "");
  }
  return {
    rows: problem.rows,
    columns: problem.columns,
    nonzeros: problem.matrix.values.length,
    quadraticNonzeros: problem.quadratic?.values.length ?? 0,
    ...kinds(problem),
    ranges: {
      matrix: sizeRange(problem.matrix.values),
      objective: sizeRange(problem.objective),
      quadratic: sizeRange(problem.quadratic?.values ?? []),
      variableBounds: sizeRange(problem.variableLower, problem.variableUpper),
      rowBounds: sizeRange(problem.rowLower, problem.rowUpper),
    },
    findings: findings.all(),
  };
}

/** Every finding there is, in the order in which they are told. */
const catalogue = {
  "crossed-bounds": ["infeasible", "lower bound above the upper one"],
  "no-integer-in-bounds": ["infeasible", "integer variable without a whole number between its bounds"],
  "unsatisfiable-row": ["infeasible", "row that no values within the bounds of its variables satisfy"],
  "tiny-coefficient": ["warning", "coefficient of 1e-9 or less in size, which the solver takes for 0"],
  "huge-coefficient": ["warning", "coefficient of 1e15 or more in size, which the solver refuses"],
  "wide-row": ["warning", "row whose coefficients differ by a factor of 1e9 or more; scale it, or look for a big M"],
  "huge-bound": ["warning", "bound of 1e15 or more in size that is not infinite; none is probably meant"],
  "huge-integer-bound": ["warning", "integer variable with a bound of 1e9 or more in size"],
  "unbounded-integer": ["note", "integer variable without bounds in either direction"],
  "unbounded-variable": ["warning", "variable in no row whose cost drives it to infinity: the model is unbounded"],
  "empty-column": ["warning", "variable in no row and not in the objective"],
  "empty-row": ["warning", "row without coefficients"],
  "free-row": ["warning", "row without bounds, which demands nothing"],
  "duplicate-row": ["warning", "row that is a multiple of an earlier one"],
  "duplicate-column": ["note", "variable with the same cost and coefficients as an earlier one"],
  "redundant-row": ["note", "row that all values within the bounds of its variables satisfy"],
  "no-objective": ["note", "every feasible point is optimal: the objective is zero"],
} as const satisfies Record<string, readonly [Severity, string]>;
type FindingKind = keyof typeof catalogue;

class Findings {
  readonly #found = new Map<FindingKind, { count: number; examples: string[] }>();

  add(kind: FindingKind, example: string): void {
    const entry = this.#found.get(kind) ?? { count: 0, examples: [] };
    this.#found.set(kind, entry);
    entry.count++;
    if (entry.examples.length < examplesShown && example !== "") entry.examples.push(example);
  }

  all(): Finding[] {
    return (Object.keys(catalogue) as FindingKind[]).flatMap((kind) => {
      const found = this.#found.get(kind);
      const [severity, text] = catalogue[kind];
      return found === undefined ? [] : [{ kind, severity, text, ...found }];
    });
  }
}

/** What the rows say about each variable: the number of its entries. */
function inspectRows(
  problem: Problem,
  findings: Findings,
  row: (i: number) => string,
  variable: (j: number) => string,
): Int32Array {
  const { matrix, rowLower, rowUpper } = problem;
  const uses = new Int32Array(problem.columns);
  for (let i = 0; i < problem.rows; i++) {
    const [start, end] = [matrix.offsets[i] as number, matrix.offsets[i + 1] as number];
    const [lower, upper] = [rowLower[i] as number, rowUpper[i] as number];
    let [least, most] = [0, 0];
    let [smallest, largest] = [Number.POSITIVE_INFINITY, 0];
    let scale = 0;
    for (let at = start; at < end; at++) {
      const j = matrix.indices[at] as number;
      const value = matrix.values[at] as number;
      uses[j]!++;
      const size = Math.abs(value);
      if (size <= tinyCoefficient) findings.add("tiny-coefficient", `${row(i)}: ${value} ${variable(j)}`);
      if (size >= hugeCoefficient) findings.add("huge-coefficient", `${row(i)}: ${value} ${variable(j)}`);
      smallest = Math.min(smallest, size);
      largest = Math.max(largest, size);
      const [low, high] = reach(problem, j, value);
      least += low;
      most += high;
      if (Number.isFinite(low)) scale = Math.max(scale, Math.abs(low));
      if (Number.isFinite(high)) scale = Math.max(scale, Math.abs(high));
    }
    if (largest > 0 && largest / smallest >= wideSpread) {
      findings.add("wide-row", `${row(i)} (${smallest} to ${largest})`);
    }
    if (lower > upper) findings.add("crossed-bounds", `${row(i)} (${lower} above ${upper})`);
    else if (lower === -Infinity && upper === Infinity) findings.add("free-row", row(i));
    else {
      const tolerance = feasibility * (1 + scale);
      if (least > upper + tolerance || most < lower - tolerance) findings.add("unsatisfiable-row", row(i));
      else if (start === end) findings.add("empty-row", row(i));
      else if (least >= lower && most <= upper) findings.add("redundant-row", row(i));
    }
  }
  return uses;
}

/** What a term can come to: smallest and largest value. */
function reach(problem: Problem, j: number, value: number): [number, number] {
  if (value === 0) return [0, 0];
  let [lower, upper] = [problem.variableLower[j] as number, problem.variableUpper[j] as number];
  if (problem.variableTypes?.[j] === VariableType.semiContinuous) {
    lower = Math.min(0, lower);
    upper = Math.max(0, upper);
  }
  return value > 0 ? [value * lower, value * upper] : [value * upper, value * lower];
}

function inspectVariables(
  problem: Problem,
  uses: Int32Array,
  findings: Findings,
  variable: (j: number) => string,
): void {
  const inQuadratic = new Uint8Array(problem.columns);
  eachEntry(problem.quadratic, (i, j) => {
    inQuadratic[i] = 1;
    inQuadratic[j] = 1;
  });
  for (let j = 0; j < problem.columns; j++) {
    const [lower, upper] = [problem.variableLower[j] as number, problem.variableUpper[j] as number];
    const isInteger = problem.variableTypes?.[j] === VariableType.integer;
    if (lower > upper) findings.add("crossed-bounds", `${variable(j)} (${lower} above ${upper})`);
    else if (isInteger && Math.ceil(lower - feasibility) > Math.floor(upper + feasibility)) {
      findings.add("no-integer-in-bounds", `${variable(j)} (${lower} to ${upper})`);
    }
    const largest = Math.max(finiteSize(lower), finiteSize(upper));
    if (largest >= hugeBound) findings.add("huge-bound", `${variable(j)} (${lower} to ${upper})`);
    else if (isInteger && largest >= hugeIntegerBound) {
      findings.add("huge-integer-bound", `${variable(j)} (${lower} to ${upper})`);
    }
    if (isInteger && lower === -Infinity && upper === Infinity) findings.add("unbounded-integer", variable(j));
    if (uses[j] !== 0 || inQuadratic[j] === 1) continue;
    const cost = (problem.objective[j] as number) * (problem.maximize ? -1 : 1);
    if (cost === 0) findings.add("empty-column", variable(j));
    else if ((cost > 0 ? lower : upper) === (cost > 0 ? -Infinity : Infinity)) {
      findings.add("unbounded-variable", variable(j));
    }
  }
}

const finiteSize = (bound: number): number => (Number.isFinite(bound) ? Math.abs(bound) : 0);

/** Rows that are multiples of each other, and columns that are equal; found by a hash, then compared. */
function inspectDuplicates(
  problem: Problem,
  findings: Findings,
  row: (i: number) => string,
  variable: (j: number) => string,
): void {
  const { matrix, columns, objective } = problem;
  const sorted = isSorted(matrix) ? matrix : transposed(transposed(matrix, columns), problem.rows);
  eachDuplicate(
    problem.rows,
    (i) => rangeOf(sorted, i),
    (start) => 1 / (sorted.values[start] as number),
    sorted,
    (i, earlier) => findings.add("duplicate-row", `${row(i)} of ${row(earlier)}`),
  );
  const byColumn = transposed(matrix, columns);
  eachDuplicate(
    columns,
    (j) => rangeOf(byColumn, j),
    () => 1,
    byColumn,
    (j, earlier) => {
      const sameType = (problem.variableTypes?.[j] ?? 0) === (problem.variableTypes?.[earlier] ?? 0);
      if (sameType && objective[j] === objective[earlier] && problem.quadratic === undefined) {
        findings.add("duplicate-column", `${variable(j)} of ${variable(earlier)}`);
      }
    },
  );
}

function eachDuplicate(
  count: number,
  range: (at: number) => readonly [number, number],
  scaleAt: (start: number) => number,
  { indices, values }: SparseMatrix,
  found: (at: number, earlier: number) => void,
): void {
  const byHash = new Map<number, number>();
  for (let at = 0; at < count; at++) {
    const [start, end] = range(at);
    if (start === end) continue;
    const scale = scaleAt(start);
    let hash = end - start;
    for (let k = start; k < end; k++) {
      // Rounded, since scaling leaves the last digits to chance.
      const value = Math.fround((values[k] as number) * scale);
      hash = (Math.imul(hash ^ (indices[k] as number), 0x01000193) ^ Math.imul(hashOf(value), 0x85ebca6b)) | 0;
    }
    const earlier = byHash.get(hash);
    if (earlier === undefined) {
      byHash.set(hash, at);
      continue;
    }
    const [from, to] = range(earlier);
    if (to - from !== end - start) continue;
    const otherScale = scaleAt(from);
    let same = true;
    for (let k = 0; k < end - start && same; k++) {
      const [a, b] = [(values[start + k] as number) * scale, (values[from + k] as number) * otherScale];
      same = indices[start + k] === indices[from + k] && Math.abs(a - b) <= 1e-12 * Math.abs(a);
    }
    if (same) found(at, earlier);
  }
}

const bits = new Float32Array(1);
const bitsAsInt = new Int32Array(bits.buffer);
function hashOf(value: number): number {
  bits[0] = value;
  return bitsAsInt[0] as number;
}

const rangeOf = ({ offsets }: SparseMatrix, at: number): readonly [number, number] => [
  offsets[at] as number,
  offsets[at + 1] as number,
];

function isSorted({ offsets, indices }: SparseMatrix): boolean {
  for (let i = 0; i + 1 < offsets.length; i++) {
    for (let k = (offsets[i] as number) + 1; k < (offsets[i + 1] as number); k++) {
      if ((indices[k - 1] as number) > (indices[k] as number)) return false;
    }
  }
  return true;
}

function transposed({ offsets, indices, values }: SparseMatrix, columns: number): SparseMatrix {
  const starts = new Int32Array(columns + 1);
  for (const j of indices) starts[j + 1]!++;
  for (let j = 0; j < columns; j++) starts[j + 1]! += starts[j] as number;
  const next = starts.slice();
  const rows = new Int32Array(indices.length);
  const moved = new Float64Array(indices.length);
  for (let i = 0; i + 1 < offsets.length; i++) {
    for (let k = offsets[i] as number; k < (offsets[i + 1] as number); k++) {
      const to = next[indices[k] as number]!++;
      rows[to] = i;
      moved[to] = values[k] as number;
    }
  }
  return { offsets: starts, indices: rows, values: moved };
}

function eachEntry(matrix: SparseMatrix | undefined, visit: (i: number, j: number) => void): void {
  if (matrix === undefined) return;
  for (let i = 0; i + 1 < matrix.offsets.length; i++) {
    for (let k = matrix.offsets[i] as number; k < (matrix.offsets[i + 1] as number); k++) {
      visit(i, matrix.indices[k] as number);
    }
  }
}

function kinds(problem: Problem): Pick<ModelReport, "rowKinds" | "variableKinds" | "free" | "fixed"> {
  const rowKinds = { equality: 0, oneSided: 0, range: 0, free: 0 };
  for (let i = 0; i < problem.rows; i++) {
    const [lower, upper] = [problem.rowLower[i] as number, problem.rowUpper[i] as number];
    const sides = Number(Number.isFinite(lower)) + Number(Number.isFinite(upper));
    if (sides === 2) rowKinds[lower === upper ? "equality" : "range"]++;
    else rowKinds[sides === 1 ? "oneSided" : "free"]++;
  }
  const variableKinds = { continuous: 0, binary: 0, integer: 0, semiContinuous: 0 };
  let [free, fixed] = [0, 0];
  for (let j = 0; j < problem.columns; j++) {
    const [lower, upper] = [problem.variableLower[j] as number, problem.variableUpper[j] as number];
    const type = problem.variableTypes?.[j] ?? VariableType.continuous;
    if (type === VariableType.semiContinuous) variableKinds.semiContinuous++;
    else if (type === VariableType.continuous) variableKinds.continuous++;
    else variableKinds[lower === 0 && upper === 1 ? "binary" : "integer"]++;
    if (lower === -Infinity && upper === Infinity) free++;
    if (lower === upper) fixed++;
  }
  return { rowKinds, variableKinds, free, fixed };
}

function sizeRange(...arrays: readonly ArrayLike<number>[]): SizeRange | undefined {
  let [smallest, largest] = [Number.POSITIVE_INFINITY, 0];
  for (const array of arrays) {
    for (let at = 0; at < array.length; at++) {
      const size = Math.abs(array[at] as number);
      if (size === 0 || !Number.isFinite(size)) continue;
      if (size < smallest) smallest = size;
      if (size > largest) largest = size;
    }
  }
  return largest === 0 ? undefined : { smallest, largest };
}
