// The model that grows while an MPS file is read, and its turn into a `Problem`.
import { type Problem, type SparseMatrix, VariableType } from "../problem.ts";
import { MpsError } from "./format-error.ts";
import { Gathered, reportCrossed } from "./gathered.ts";
import { free, GrowingBytes, GrowingFloats, GrowingInts } from "./growing.ts";
import { NameTable } from "./name-table.ts";
import { addRange } from "./range.ts";
import type { RenameTable } from "./renamed.ts";

/** What became of a row of the file that is no row of the problem. */
const objectiveRow = -1;
const droppedRow = -2;

/** What is known of a column beside its numbers. */
export const ColumnFlag = { bounded: 1, lowerGiven: 2, integer: 4, semiContinuous: 8 } as const;

export type RowType = "N" | "L" | "G" | "E";

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
  readonly flags = new GrowingBytes();
  /** NaN where the file gives none. */
  readonly rightHandSide = new GrowingFloats();
  readonly ranges = new Map<number, number>();
  /** The ranges with more digits than a double has, as text. */
  readonly exactRanges = new Map<number, string>();

  readonly #rowTypes = new GrowingBytes();
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
    return String.fromCharCode(this.#rowTypes.get(row)) as RowType;
  }

  isObjective(row: number): boolean {
    return row === this.#objectiveIndex;
  }

  addRow(type: RowType, bytes: Uint8Array, start: number, end: number): void {
    const row = this.rows.add(bytes, start, end);
    this.#rowTypes.push(type.charCodeAt(0));
    this.#lastColumns.push(-1);
    this.rightHandSide.push(Number.NaN);
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
    return this.#lastColumns.get(row) === column;
  }

  addEntry(column: number, row: number, value: number): void {
    this.#lastColumns.set(row, column);
    const problemRow = this.#problemRows.get(row);
    if (problemRow === objectiveRow) {
      this.#objective.set(column, value);
    } else if (problemRow !== droppedRow && value !== 0) {
      this.#entryRows.push(problemRow);
      this.#entryValues.push(value);
    }
  }

  hasFlag(column: number, flag: number): boolean {
    return (this.flags.get(column) & flag) !== 0;
  }

  setFlag(column: number, flag: number): void {
    this.flags.set(column, this.flags.get(column) | flag);
  }

  /** The problem as read, bounds completed; what should be told is added to the warnings. */
  toProblem(renamed: RenameTable, warnings: string[]): { problem: Problem; isMip: boolean } {
    this.rows.forgetSlots();
    this.columns.forgetSlots();
    this.#lastColumns.clear();
    // The matrix first: most of the memory is there, and nothing else has grown yet.
    const matrix = this.#matrix();
    this.#completeBounds();
    const { rowLower, rowUpper } = this.#rowBounds();
    const variableTypes = this.#variableTypes();
    const variableLower = this.lower.take();
    const variableUpper = this.upper.take();
    const quadratic = this.#quadratic.toMatrix(this.columns);
    const [objectiveName] = renamed.restore("objective", [this.#objectiveName()]) as [string];
    const rowNames = once(() => renamed.restore("row", this.#rowNames()));
    const variableNames = once(() => renamed.restore("variable", this.columns.takeNames()));
    this.#report(warnings);
    reportCrossed("variable", (at) => variableNames()[at] as string, variableLower, variableUpper, warnings);
    reportCrossed("row", (at) => rowNames()[at] as string, rowLower, rowUpper, warnings);
    const problem: Problem = {
      name: this.name,
      objectiveName,
      maximize: this.maximize,
      objectiveScaling: 1,
      objectiveOffset: this.objectiveOffset,
      rows: this.#problemRowCount,
      columns: this.columns.size,
      matrix,
      objective: this.#objective.take(),
      rowLower,
      rowUpper,
      variableLower,
      variableUpper,
      variableTypes,
      quadratic,
      // As strings, names would weigh several times what they do as bytes: they are made when somebody asks.
      get variableNames() {
        return variableNames();
      },
      get rowNames() {
        return rowNames();
      },
    };
    return { problem, isMip: variableTypes !== undefined };
  }

  /** An integer column of a MARKER block for which the file gives no bound is binary. */
  #completeBounds(): void {
    for (let column = 0; column < this.columns.size; column++) {
      const flags = this.flags.get(column);
      if ((flags & ColumnFlag.integer) !== 0 && (flags & ColumnFlag.bounded) === 0) this.upper.set(column, 1);
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
      const at = this.#problemRows.get(row);
      if (at < 0) continue;
      const given = this.rightHandSide.get(row);
      const side = Number.isNaN(given) ? 0 : given;
      const range = this.ranges.get(row) ?? Number.NaN;
      [rowLower[at], rowUpper[at]] = rowInterval(this.rowType(row), side, range, this.exactRanges.get(row));
    }
    return { rowLower, rowUpper };
  }

  /**
   * Compressed sparse rows from the columns as read; the columns ascend in each row. All happens within the memory that
   * the entries have: their rows turn into their targets, then, while the values are permuted, into where each entry
   * came from, and last into its column.
   */
  #matrix(): SparseMatrix {
    const nonzeros = this.#entryRows.length;
    const targets = this.#entryRows;
    const offsets = new Int32Array(this.#problemRowCount + 1);
    for (let at = 0; at < nonzeros; at++) offsets[targets.get(at) + 1]!++;
    for (let row = 0; row < this.#problemRowCount; row++) offsets[row + 1]! += offsets[row] as number;
    const next = offsets.slice();
    for (let at = 0; at < nonzeros; at++) targets.set(at, next[targets.get(at)]!++);
    free(next);
    this.#entryValues.permute(targets);
    const columnOf = this.#columnFinder(nonzeros);
    for (let to = 0; to < nonzeros; to++) targets.set(to, columnOf(~targets.get(to)));
    this.#columnStarts.clear();
    return { offsets, indices: targets.take(), values: this.#entryValues.take() };
  }

  /** Tells the column of an entry by its place in the file: from a table of every 16th entry's, some columns on. */
  #columnFinder(nonzeros: number): (at: number) => number {
    const starts = this.#columnStarts;
    const last = this.columns.size - 1;
    const table = new Int32Array((nonzeros >>> 4) + 1);
    for (let at = 0, column = 0; at < nonzeros; at += 16) {
      while (column < last && starts.get(column + 1) <= at) column++;
      table[at >>> 4] = column;
    }
    return (at) => {
      let column = table[at >>> 4] as number;
      while (column < last && starts.get(column + 1) <= at) column++;
      return column;
    };
  }

  #objectiveName(): string {
    return this.#objectiveIndex < 0 ? "" : this.rows.name(this.#objectiveIndex);
  }

  #rowNames(): string[] {
    return this.rows.takeNames().filter((_, row) => this.#problemRows.get(row) >= 0);
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

/** What `make` gives, made at the first call. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The bounds of a row from its right-hand side and its entry in RANGES (NaN for none). */
function rowInterval(type: RowType, side: number, range: number, exact: string | undefined): [number, number] {
  const hasRange = !Number.isNaN(range) && Number.isFinite(side);
  if (hasRange && exact !== undefined) {
    const isBelow = type === "L" || (type === "E" && range < 0);
    const other = addRange(side, type === "E" ? exact : exact.replace("-", ""), type === "L" ? -1 : 1);
    return isBelow ? [other, side] : [side, other];
  }
  if (type === "L") return [hasRange ? side - Math.abs(range) : Number.NEGATIVE_INFINITY, side];
  if (type === "G") return [side, hasRange ? side + Math.abs(range) : Number.POSITIVE_INFINITY];
  if (!hasRange) return [side, side];
  return range < 0 ? [side + range, side] : [side, side + range];
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
    for (let at = 0; at < count; at++) offsets[this.#rows.get(at) + 1]!++;
    for (let row = 0; row < n; row++) offsets[row + 1]! += offsets[row] as number;
    const next = offsets.slice();
    const order = new Int32Array(count);
    for (let at = 0; at < count; at++) order[next[this.#rows.get(at)]!++] = at;

    const seenInRow = new Int32Array(n);
    const indices = new Int32Array(count);
    const values = new Float64Array(count);
    for (let to = 0; to < count; to++) {
      const at = order[to] as number;
      const row = this.#rows.get(at);
      const column = this.#columns.get(at);
      if (seenInRow[column] === row + 1) throw this.#duplicate(at, names.name(row), names.name(column));
      seenInRow[column] = row + 1;
      indices[to] = column;
      values[to] = this.#values.get(at);
    }
    return { offsets, indices, values };
  }

  #duplicate(at: number, row: string, column: string): MpsError {
    const once = this.section === "QUADOBJ" ? "each pair once, in one triangle only" : "each pair once in each order";
    return new MpsError(
      this.#lines.get(at),
      this.#positions.get(at),
      `a second ${this.section} entry for "${row}" and "${column}"; ${once}, is allowed`,
    );
  }
}
