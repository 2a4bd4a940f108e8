// The model that grows while an MPS file is read, and its turn into a `Problem`.
import { type Problem, type SparseMatrix, VariableType } from "../problem.ts";
import { GrowingFloats, GrowingInts } from "./growing.ts";
import { MpsError } from "./mps-error.ts";
import { NameTable } from "./name-table.ts";

/** From here on a bound or right-hand side counts as infinite, as is usual for the format. */
export const infinityFrom = 1e20;

export const toBound = (value: number): number =>
  value >= infinityFrom ? Number.POSITIVE_INFINITY : value <= -infinityFrom ? Number.NEGATIVE_INFINITY : value;

/** What became of a row of the file that is no row of the problem. */
const objectiveRow = -1;
const droppedRow = -2;

/** What is known of a column beside its numbers. */
export const ColumnFlag = { bounded: 1, lowerGiven: 2, integer: 4, semiContinuous: 8 } as const;

export type RowType = "N" | "L" | "G" | "E";

/** Something that is not an error but should be told, gathered so that a million cases make one warning. */
export class Gathered {
  count = 0;
  first = "";

  add(what: () => string): void {
    if (this.count++ === 0) this.first = what();
  }

  /** The warning; `many` is the text for any number of cases, the first one is appended. */
  report(many: (count: number) => string, warnings: string[]): void {
    if (this.count > 0) warnings.push(`${many(this.count)}, first: ${this.first}`);
  }
}

export class MpsModel {
  name = "";
  maximize = false;
  objectiveOffset = 0;
  /** The row that OBJNAME asks for. */
  objectiveName: string | undefined;
  readonly droppedRows = new Gathered();
  readonly addedColumns = new Gathered();
  readonly openedLowerBounds = new Gathered();

  readonly rows = new NameTable();
  readonly columns = new NameTable();
  readonly lower = new GrowingFloats();
  readonly upper = new GrowingFloats();
  readonly flags = new GrowingInts();
  readonly rightHandSide = new GrowingFloats();
  /** NaN where the file gives none. */
  readonly ranges = new GrowingFloats();

  readonly #rowTypes = new GrowingInts();
  /** The row of the problem for each row of the file. */
  readonly #problemRows = new GrowingInts();
  #problemRowCount = 0;
  #objectiveIndex = -1;
  /** The last column that has an entry in a row of the file. */
  readonly #lastColumns = new GrowingInts();
  readonly #columnStarts = new GrowingInts();
  readonly #entryRows = new GrowingInts();
  readonly #entryValues = new GrowingFloats();
  readonly #objective = new GrowingFloats();
  readonly #quadratic = new QuadraticEntries();

  get quadratic(): QuadraticEntries {
    return this.#quadratic;
  }

  get hasObjective(): boolean {
    return this.#objectiveIndex >= 0;
  }

  rowType(row: number): RowType {
    return String.fromCharCode(this.#rowTypes.values[row] as number) as RowType;
  }

  isObjective(row: number): boolean {
    return row === this.#objectiveIndex;
  }

  addRow(type: RowType, bytes: Uint8Array, start: number, end: number): void {
    const row = this.rows.add(bytes, start, end);
    this.#rowTypes.push(type.charCodeAt(0));
    this.#lastColumns.push(-1);
    this.rightHandSide.push(Number.NaN);
    this.ranges.push(Number.NaN);
    if (type !== "N") {
      this.#problemRows.push(this.#problemRowCount++);
    } else if (this.#objectiveIndex < 0 && (this.objectiveName ?? this.rows.name(row)) === this.rows.name(row)) {
      this.#objectiveIndex = row;
      this.#problemRows.push(objectiveRow);
    } else {
      this.droppedRows.add(() => this.rows.name(row));
      this.#problemRows.push(droppedRow);
    }
  }

  addColumn(bytes: Uint8Array, start: number, end: number, integer: boolean): number {
    const column = this.columns.add(bytes, start, end);
    this.#columnStarts.push(this.#entryRows.length);
    this.#objective.push(0);
    this.lower.push(0);
    this.upper.push(Number.POSITIVE_INFINITY);
    this.flags.push(integer ? ColumnFlag.integer : 0);
    return column;
  }

  /** Whether the column has an entry in that row of the file. Only asked of the column that is being read. */
  hasEntry(column: number, row: number): boolean {
    return this.#lastColumns.values[row] === column;
  }

  addEntry(column: number, row: number, value: number): void {
    this.#lastColumns.values[row] = column;
    const problemRow = this.#problemRows.values[row] as number;
    if (problemRow === objectiveRow) {
      this.#objective.values[column] = value;
    } else if (problemRow !== droppedRow && value !== 0) {
      this.#entryRows.push(problemRow);
      this.#entryValues.push(value);
    }
  }

  hasFlag(column: number, flag: number): boolean {
    return ((this.flags.values[column] as number) & flag) !== 0;
  }

  setFlag(column: number, flag: number): void {
    this.flags.values[column] = (this.flags.values[column] as number) | flag;
  }

  /** The problem as read, bounds completed; what should be told is added to the warnings. */
  toProblem(warnings: string[]): { problem: Problem; isMip: boolean } {
    this.#completeBounds();
    const { rowLower, rowUpper } = this.#rowBounds();
    const variableTypes = this.#variableTypes();
    const variableLower = this.lower.array();
    const variableUpper = this.upper.array();
    const rowNames = this.#rowNames();
    const variableNames = namesOf(this.columns);
    this.#report(warnings);
    reportCrossed("variable", variableNames, variableLower, variableUpper, warnings);
    reportCrossed("row", rowNames, rowLower, rowUpper, warnings);
    const problem: Problem = {
      name: this.name,
      objectiveName: this.#objectiveIndex < 0 ? "" : this.rows.name(this.#objectiveIndex),
      maximize: this.maximize,
      objectiveScaling: 1,
      objectiveOffset: this.objectiveOffset,
      rows: this.#problemRowCount,
      columns: this.columns.size,
      matrix: this.#matrix(),
      objective: this.#objective.array(),
      rowLower,
      rowUpper,
      variableLower,
      variableUpper,
      variableTypes,
      quadratic: this.#quadratic.toMatrix(this.columns),
      variableNames,
      rowNames,
    };
    return { problem, isMip: variableTypes !== undefined };
  }

  /** An integer column of a MARKER block for which the file gives no bound is binary. */
  #completeBounds(): void {
    for (let column = 0; column < this.columns.size; column++) {
      const flags = this.flags.values[column] as number;
      if ((flags & ColumnFlag.integer) !== 0 && (flags & ColumnFlag.bounded) === 0) this.upper.values[column] = 1;
    }
  }

  #variableTypes(): Int32Array | undefined {
    const types = new Int32Array(this.columns.size);
    let any = false;
    for (let column = 0; column < types.length; column++) {
      if (this.hasFlag(column, ColumnFlag.integer)) types[column] = VariableType.integer;
      else if (this.hasFlag(column, ColumnFlag.semiContinuous)) types[column] = VariableType.semiContinuous;
      any ||= types[column] !== VariableType.continuous;
    }
    return any ? types : undefined;
  }

  #rowBounds(): { rowLower: Float64Array; rowUpper: Float64Array } {
    const rowLower = new Float64Array(this.#problemRowCount);
    const rowUpper = new Float64Array(this.#problemRowCount);
    for (let row = 0; row < this.rows.size; row++) {
      const at = this.#problemRows.values[row] as number;
      if (at < 0) continue;
      const given = this.rightHandSide.values[row] as number;
      const side = Number.isNaN(given) ? 0 : given;
      const range = this.ranges.values[row] as number;
      [rowLower[at], rowUpper[at]] = rowInterval(this.rowType(row), side, range);
    }
    return { rowLower, rowUpper };
  }

  /** Compressed sparse rows from the columns as read; the columns ascend in each row. */
  #matrix(): SparseMatrix {
    const nonzeros = this.#entryRows.length;
    const entryRows = this.#entryRows.values;
    const entryValues = this.#entryValues.values;
    const offsets = new Int32Array(this.#problemRowCount + 1);
    for (let at = 0; at < nonzeros; at++) offsets[(entryRows[at] as number) + 1]!++;
    for (let row = 0; row < this.#problemRowCount; row++) offsets[row + 1]! += offsets[row] as number;
    const next = offsets.slice();
    const indices = new Int32Array(nonzeros);
    const values = new Float64Array(nonzeros);
    for (let column = 0; column < this.columns.size; column++) {
      const end = column + 1 < this.columns.size ? (this.#columnStarts.values[column + 1] as number) : nonzeros;
      for (let at = this.#columnStarts.values[column] as number; at < end; at++) {
        const to = next[entryRows[at] as number]!++;
        indices[to] = column;
        values[to] = entryValues[at] as number;
      }
    }
    return { offsets, indices, values };
  }

  #rowNames(): string[] {
    const names: string[] = [];
    for (let row = 0; row < this.rows.size; row++) {
      if ((this.#problemRows.values[row] as number) >= 0) names.push(this.rows.name(row));
    }
    return names;
  }

  #report(warnings: string[]): void {
    if (!this.hasObjective) warnings.push("there is no N row: the objective is 0");
    this.droppedRows.report((n) => `${n} further N row(s) dropped`, warnings);
    this.addedColumns.report((n) => `BOUNDS adds ${n} variable(s) that COLUMNS does not have`, warnings);
    this.openedLowerBounds.report(
      (n) => `${n} variable(s) with a negative upper and no lower bound: the lower one becomes -Infinity`,
      warnings,
    );
  }
}

/** The bounds of a row from its right-hand side and its entry in RANGES (NaN for none). */
function rowInterval(type: RowType, side: number, range: number): [number, number] {
  const hasRange = !Number.isNaN(range) && Number.isFinite(side);
  if (type === "L") return [hasRange ? side - Math.abs(range) : Number.NEGATIVE_INFINITY, side];
  if (type === "G") return [side, hasRange ? side + Math.abs(range) : Number.POSITIVE_INFINITY];
  if (!hasRange) return [side, side];
  return range < 0 ? [side + range, side] : [side, side + range];
}

function reportCrossed(
  what: string,
  names: readonly string[],
  lower: Float64Array,
  upper: Float64Array,
  warnings: string[],
): void {
  const crossed = new Gathered();
  for (let at = 0; at < lower.length; at++) {
    if ((lower[at] as number) > (upper[at] as number)) {
      crossed.add(() => `${names[at]} (lower bound ${lower[at]}, upper bound ${upper[at]})`);
    }
  }
  crossed.report((n) => `${n} ${what}(s) with crossed bounds, so the model is infeasible`, warnings);
}

function namesOf(table: NameTable): string[] {
  return Array.from({ length: table.size }, (_, index) => table.name(index));
}

/**
 * The quadratic part as read. The file holds H of ½ xᵀHx; the problem has Q of xᵀQx. From QMATRIX, which gives all of H,
 * Q = H/2. From QUADOBJ, which gives one triangle, Q is triangular too: half the diagonal, and the other entries as they
 * stand, because each counts twice in xᵀHx and once in xᵀQx.
 */
class QuadraticEntries {
  section: "QUADOBJ" | "QMATRIX" = "QUADOBJ";
  readonly #rows = new GrowingInts();
  readonly #columns = new GrowingInts();
  readonly #values = new GrowingFloats();
  /** Where each entry stands in the file, for an error that shows only when all are there. */
  readonly #lines = new GrowingFloats();
  readonly #positions = new GrowingInts();

  add(first: number, second: number, value: number, line: number, position: number): void {
    const triangle = this.section === "QUADOBJ";
    this.#rows.push(triangle ? Math.min(first, second) : first);
    this.#columns.push(triangle ? Math.max(first, second) : second);
    this.#values.push(triangle && first !== second ? value : value / 2);
    this.#lines.push(line);
    this.#positions.push(position);
  }

  /** @throws MpsError for an entry that is given twice */
  toMatrix(names: NameTable): SparseMatrix | undefined {
    const count = this.#rows.length;
    if (count === 0) return undefined;
    const n = names.size;
    const offsets = new Int32Array(n + 1);
    for (let at = 0; at < count; at++) offsets[(this.#rows.values[at] as number) + 1]!++;
    for (let row = 0; row < n; row++) offsets[row + 1]! += offsets[row] as number;
    const next = offsets.slice();
    const order = new Int32Array(count);
    for (let at = 0; at < count; at++) order[next[this.#rows.values[at] as number]!++] = at;

    const seenInRow = new Int32Array(n);
    const indices = new Int32Array(count);
    const values = new Float64Array(count);
    for (let to = 0; to < count; to++) {
      const at = order[to] as number;
      const row = this.#rows.values[at] as number;
      const column = this.#columns.values[at] as number;
      if (seenInRow[column] === row + 1) throw this.#duplicate(at, names.name(row), names.name(column));
      seenInRow[column] = row + 1;
      indices[to] = column;
      values[to] = this.#values.values[at] as number;
    }
    return { offsets, indices, values };
  }

  #duplicate(at: number, row: string, column: string): MpsError {
    const once = this.section === "QUADOBJ" ? "each pair once, in one triangle only" : "each pair once in each order";
    return new MpsError(
      this.#lines.values[at] as number,
      this.#positions.values[at] as number,
      `a second ${this.section} entry for "${row}" and "${column}"; ${once}, is allowed`,
    );
  }
}
