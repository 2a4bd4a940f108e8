// The model that grows while an LP file is read, and its turn into a `Problem`.
import { type Problem, type SparseMatrix, VariableType } from "../problem.ts";
import { Gathered, reportCrossed } from "./gathered.ts";
import { GrowingBytes, GrowingFloats, GrowingInts } from "./growing.ts";
import { NameTable } from "./name-table.ts";
import type { RenameTable } from "./renamed.ts";

/** What is known of a variable beside its numbers. */
export const VariableFlag = { lowerGiven: 1, upperGiven: 2, integer: 4, binary: 8, semiContinuous: 16 } as const;

export class LpModel {
  name = "";
  objectiveName = "";
  maximize = false;
  objectiveOffset = 0;
  readonly variables = new NameTable();
  readonly rowNames = new NameTable();
  readonly lower = new GrowingFloats();
  readonly upper = new GrowingFloats();
  readonly flags = new GrowingBytes();
  readonly addedByBounds = new Gathered();
  readonly negativeUppers = new Gathered();
  readonly #repeated = new Gathered();
  readonly #objective = new GrowingFloats();
  /** Whether the objective names the variable; its coefficient may be −0. */
  readonly #inObjective = new GrowingInts();
  /** The number of the row in `rowNames`, or -1. */
  readonly #nameOfRow = new GrowingInts();
  readonly #rowLower = new GrowingFloats();
  readonly #rowUpper = new GrowingFloats();
  readonly #rowStarts = new GrowingInts();
  readonly #indices = new GrowingInts();
  readonly #values = new GrowingFloats();
  /** For each variable, where its entry of the last row that has it stands. */
  readonly #lastEntries = new GrowingInts();
  #rowHasSums = false;
  readonly #quadratic: { first: number; second: number; value: number }[] = [];

  get rows(): number {
    return this.#rowStarts.length;
  }

  /** The number of the variable `bytes[start, end)`, which is added if it is new. */
  variable(bytes: Uint8Array, start: number, end: number): number {
    const known = this.variables.find(bytes, start, end);
    if (known >= 0) return known;
    this.lower.push(0);
    this.upper.push(Number.POSITIVE_INFINITY);
    this.flags.push(0);
    this.#objective.push(0);
    this.#inObjective.push(0);
    this.#lastEntries.push(-1);
    return this.variables.add(bytes, start, end);
  }

  hasFlag(variable: number, flag: number): boolean {
    return (this.flags.get(variable) & flag) !== 0;
  }

  setFlag(variable: number, flag: number): void {
    this.flags.set(variable, this.flags.get(variable) | flag);
  }

  addCost(variable: number, value: number): void {
    const before = this.#inObjective.get(variable) === 1;
    if (before) this.#repeated.add(() => `${this.variables.name(variable)} in the objective`);
    this.#objective.set(variable, before ? this.#objective.get(variable) + value : value);
    this.#inObjective.set(variable, 1);
  }

  /** Adds to xᵀQx; the order of the two variables is kept. */
  addQuadratic(first: number, second: number, value: number): void {
    this.#quadratic.push({ first, second, value });
  }

  /** @param name its number in `rowNames`, or -1 */
  beginRow(name: number): void {
    this.#nameOfRow.push(name);
    this.#rowStarts.push(this.#values.length);
    this.#rowHasSums = false;
  }

  addEntry(variable: number, value: number): void {
    const last = this.#lastEntries.get(variable);
    if (last >= this.#rowStarts.get(this.rows - 1)) {
      this.#repeated.add(() => `${this.variables.name(variable)} in ${this.rowName(this.rows - 1)}`);
      this.#values.set(last, this.#values.get(last) + value);
      this.#rowHasSums = true;
      return;
    }
    this.#lastEntries.set(variable, this.#values.length);
    this.#indices.push(variable);
    this.#values.push(value);
    if (value === 0) this.#rowHasSums = true;
  }

  /** Zeros are left out: a matrix has non-zeros only. */
  endRow(lower: number, upper: number): void {
    this.#rowLower.push(lower);
    this.#rowUpper.push(upper);
    if (!this.#rowHasSums) return;
    const start = this.#rowStarts.get(this.rows - 1);
    let to = start;
    for (let at = start; at < this.#values.length; at++) {
      const value = this.#values.get(at);
      this.#lastEntries.set(this.#indices.get(at), -1);
      if (value === 0) continue;
      this.#values.set(to, value);
      this.#indices.set(to, this.#indices.get(at));
      to++;
    }
    this.#values.shorten(to);
    this.#indices.shorten(to);
  }

  /** A row without a name is called by its place, from c1 on, as is usual. */
  rowName(row: number): string {
    const name = this.#nameOfRow.get(row);
    return name < 0 ? `c${row + 1}` : this.rowNames.name(name);
  }

  /** The problem as read; what should be told is added to the warnings. */
  toProblem(renamed: RenameTable, warnings: string[]): { problem: Problem; isMip: boolean } {
    const rows = this.rows;
    const columns = this.variables.size;
    this.#lastEntries.clear();
    this.#inObjective.clear();
    this.#rowStarts.push(this.#values.length);
    const matrix: SparseMatrix = {
      offsets: this.#rowStarts.take(),
      indices: this.#indices.take(),
      values: this.#values.take(),
    };
    const quadratic = this.#quadraticMatrix(columns);
    const variableTypes = this.#completeTypes(warnings);
    const [rowLower, rowUpper] = [this.#rowLower.take(), this.#rowUpper.take()];
    const [variableLower, variableUpper] = [this.lower.take(), this.upper.take()];
    const rowNames = renamed.restore(
      "row",
      Array.from({ length: rows }, (_, row) => this.rowName(row)),
    );
    const variableNames = renamed.restore("variable", this.variables.names());
    this.#repeated.report((n) => `${n} variable(s) more than once in one expression, added up`, warnings);
    this.addedByBounds.report((n) => `Bounds adds ${n} variable(s) that stand nowhere before`, warnings);
    this.negativeUppers.report(
      (n) => `${n} variable(s) with a negative upper bound and no lower one, which stays 0`,
      warnings,
    );
    reportCrossed("variable", (at) => variableNames[at] as string, variableLower, variableUpper, warnings);
    reportCrossed("row", (at) => rowNames[at] as string, rowLower, rowUpper, warnings);
    const problem: Problem = {
      name: this.name,
      objectiveName: renamed.restore("objective", [this.objectiveName])[0] as string,
      maximize: this.maximize,
      objectiveScaling: 1,
      objectiveOffset: this.objectiveOffset,
      rows,
      columns,
      matrix,
      objective: this.#objective.take(),
      rowLower,
      rowUpper,
      variableLower,
      variableUpper,
      variableTypes,
      quadratic,
      variableNames,
      rowNames,
    };
    return { problem, isMip: variableTypes !== undefined };
  }

  /** Binary variables get the bounds 0 and 1 where the file gives none. */
  #completeTypes(warnings: string[]): Int32Array | undefined {
    const types = new Int32Array(this.variables.size);
    const wide = new Gathered();
    let any = false;
    for (let j = 0; j < types.length; j++) {
      const flags = this.flags.get(j);
      if ((flags & VariableFlag.binary) !== 0) {
        if ((flags & VariableFlag.upperGiven) === 0) this.upper.set(j, 1);
        if (this.lower.get(j) < 0 || this.upper.get(j) > 1) wide.add(() => this.variables.name(j));
      }
      if ((flags & (VariableFlag.integer | VariableFlag.binary)) !== 0) types[j] = VariableType.integer;
      else if ((flags & VariableFlag.semiContinuous) !== 0) types[j] = VariableType.semiContinuous;
      any ||= types[j] !== VariableType.continuous;
    }
    wide.report((n) => `${n} binary variable(s) with wider bounds, which hold`, warnings);
    return any ? types : undefined;
  }

  /** Q as written, pairs in the order of their first mention within each row; the same pair again is added up. */
  #quadraticMatrix(columns: number): SparseMatrix | undefined {
    if (this.#quadratic.length === 0) return undefined;
    const sums = new Map<number, Map<number, number>>();
    for (const { first, second, value } of this.#quadratic) {
      const row = sums.get(first) ?? new Map<number, number>();
      sums.set(first, row);
      const before = row.get(second);
      if (before !== undefined) {
        this.#repeated.add(() => `${this.variables.name(first)} * ${this.variables.name(second)} in the objective`);
      }
      row.set(second, before === undefined ? value : before + value);
    }
    const offsets = new Int32Array(columns + 1);
    const indices: number[] = [];
    const values: number[] = [];
    for (let i = 0; i < columns; i++) {
      for (const [j, value] of sums.get(i) ?? []) {
        indices.push(j);
        values.push(value);
      }
      offsets[i + 1] = indices.length;
    }
    return { offsets, indices: Int32Array.from(indices), values: Float64Array.from(values) };
  }
}
