// The MPS reader: fixed and free layout, plain or compressed, whole or as a stream of chunks.
import { MpsError } from "./format-error.ts";
import { LineFeed, type LineReader } from "./line-feed.ts";
import type { ModelResult } from "./model-result.ts";
import { Field, type FieldIndex, isBlank, MpsLine } from "./mps-line.ts";
import { ColumnFlag, MpsModel, type RowType } from "./mps-model.ts";
import { textOf } from "./name-table.ts";
import { isExactRange } from "./range.ts";
import { RenameTable } from "./renamed.ts";
import { plainChunks, plainPieces } from "./source.ts";
import { toBound } from "./to-bound.ts";

export { MpsError } from "./format-error.ts";

export interface MpsOptions {
  /**
   * How fields are told apart: "free" by blanks; "fixed" by character position, so that names may contain blanks; "auto"
   * (the default) reads freely until a line only makes sense in the fixed layout, and goes on with that.
   */
  readonly layout?: "auto" | "free" | "fixed" | undefined;
}

export type MpsResult = ModelResult;

/**
 * Reads a whole MPS file, plain or compressed with gzip or bzip2.
 * @throws MpsError with line and column
 */
export function parseMps(data: Uint8Array, options: MpsOptions = {}): MpsResult {
  const reader = new MpsReader(options);
  for (const piece of plainPieces(data, MpsError, () => reader.lineNumber)) {
    reader.push(piece);
    if (reader.ended) break;
  }
  return reader.finish();
}

/**
 * Reads an MPS file from a stream of chunks cut anywhere, plain or compressed with gzip or bzip2; only the model itself is kept in memory.
 * @throws MpsError with line and column; what the source throws; the signal's reason
 */
export async function readMps(
  source: AsyncIterable<Uint8Array>,
  options: MpsOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<MpsResult> {
  const reader = new MpsReader(options);
  for await (const chunk of plainChunks(source, MpsError, () => reader.lineNumber)) {
    options.signal?.throwIfAborted();
    reader.push(chunk);
    if (reader.ended) break;
  }
  return reader.finish();
}

const sections = [
  "NAME",
  "OBJSENSE",
  "OBJNAME",
  "ROWS",
  "LAZYCONS",
  "COLUMNS",
  "RHS",
  "RANGES",
  "BOUNDS",
  "QUADOBJ",
  "QMATRIX",
  "ENDATA",
] as const;
type Section = (typeof sections)[number];

/** What must have been read before a section can refer to it. */
const prerequisite: { readonly [Key in Section]?: Section } = {
  LAZYCONS: "ROWS",
  COLUMNS: "ROWS",
  RHS: "ROWS",
  RANGES: "ROWS",
  BOUNDS: "COLUMNS",
  QUADOBJ: "COLUMNS",
  QMATRIX: "COLUMNS",
};

const senses: { readonly [word: string]: boolean } = { MIN: false, MINIMIZE: false, MAX: true, MAXIMIZE: true };

const boundTypes = ["LO", "UP", "FX", "FR", "MI", "PL", "BV", "LI", "UI", "SC"] as const;
type BoundType = (typeof boundTypes)[number];
const boundsWithoutValue: readonly BoundType[] = ["FR", "MI", "PL", "BV"];

/** Reads line by line. Each data line is checked as a whole before it changes the model, so it can be read in two ways. */
class MpsReader implements LineReader {
  ended = false;
  readonly #model = new MpsModel();
  readonly #line = new MpsLine();
  readonly #warnings: string[] = [];
  readonly #seen = new Set<Section>();
  #layout: "auto" | "free" | "fixed";
  #section: Section | undefined;
  /** The line of an OBJSENSE or OBJNAME that still waits for its value. */
  #pendingSince: MpsError | undefined;
  /** Where OBJNAME stands, as an error to be thrown if ROWS does not have that row. */
  #objectiveNameFault: MpsError | undefined;
  #inIntegerBlock = false;
  #column = -1;
  readonly #setNames: { [Key in "RHS" | "RANGES" | "BOUNDS"]?: string } = {};
  readonly #warnedSets = new Set<Section>();
  readonly #feed = new LineFeed(this);
  readonly #renamed = new RenameTable();

  constructor(options: MpsOptions) {
    this.#layout = options.layout ?? "auto";
  }

  push(data: Uint8Array): void {
    this.#feed.push(data);
  }

  finish(): MpsResult {
    this.#feed.finish();
    this.#endSection();
    for (const section of ["ROWS", "COLUMNS", "RHS"] as const) {
      if (!this.#seen.has(section))
        throw new MpsError(Math.max(1, this.#line.number), 1, `the file ends without a ${section} section`);
    }
    if (!this.#seen.has("NAME")) this.#warnings.push("there is no NAME");
    if (!this.ended) this.#warnings.push("there is no ENDATA: the file may be cut off");
    return { ...this.#model.toProblem(this.#renamed, this.#warnings), warnings: this.#warnings };
  }

  get lineNumber(): number {
    return this.#line.number;
  }

  tooLong(length: number): MpsError {
    const line = this.#line.number + 1;
    return new MpsError(line, length + 1, `the line is longer than ${length} bytes, which no MPS line may be`);
  }

  readLine(bytes: Uint8Array, start: number, end: number): void {
    const line = this.#line;
    line.set(bytes, start, end);
    if (line.start === line.end) return;
    const first = bytes[line.start] as number;
    if (first === 0x2a || first === 0x24) {
      if (bytes[line.start + 1] === 0x52) this.#renamed.read(textOf(bytes, line.start + 1, line.end));
      return;
    }
    if (isBlank(first)) this.#readData();
    else this.#readSection();
  }

  #readSection(): void {
    const line = this.#line;
    line.split(1);
    const word = line.token(0);
    if (this.#section === "OBJSENSE" && this.#pendingSince !== undefined && senses[word] !== undefined) {
      this.#readSense(0);
      return;
    }
    this.#endSection();
    const section = sections.find((name) => name === word);
    if (section === undefined) {
      throw line.errorAt(
        line.start,
        `unknown section ${line.quote(line.start, line.end)}; ${sections.join(", ")} are allowed`,
      );
    }
    if (this.#seen.has(section)) throw line.errorAt(line.start, `a second ${section} section; one is allowed`);
    const needed = prerequisite[section];
    if (needed !== undefined && !this.#seen.has(needed)) {
      throw line.errorAt(line.start, `${section} before ${needed}; ${needed} must come first`);
    }
    this.#seen.add(section);
    this.#section = section;
    this.#openSection(section);
  }

  #openSection(section: Section): void {
    const line = this.#line;
    switch (section) {
      case "NAME":
        this.#model.name = line.tokenCount > 1 ? textOf(line.bytes, line.tokenStart(1), line.end) : "";
        return;
      case "OBJSENSE":
        if (line.tokenCount > 1) this.#readSense(1);
        else
          this.#pendingSince = line.errorAt(
            line.end,
            "OBJSENSE has no value; MIN, MINIMIZE, MAX or MAXIMIZE is needed",
          );
        return;
      case "OBJNAME":
        if (this.#seen.has("ROWS")) throw line.errorAt(line.start, "OBJNAME behind ROWS; it must come before");
        if (line.tokenCount > 1) this.#readObjectiveName(1);
        else this.#pendingSince = line.errorAt(line.end, "OBJNAME has no value; the name of an N row is needed");
        return;
      case "QUADOBJ":
      case "QMATRIX":
        if (this.#seen.has("QUADOBJ") && this.#seen.has("QMATRIX")) {
          throw line.errorAt(line.start, "both QUADOBJ and QMATRIX; only one may give the quadratic objective");
        }
        this.#model.quadratic.section = section;
        break;
      case "ENDATA":
        this.ended = true;
        break;
      default:
    }
    if (line.tokenCount > 1) {
      const at = line.tokenStart(1);
      throw line.errorAt(
        at,
        `unexpected ${line.quote(at, line.end)} behind ${section}; nothing may follow on its line`,
      );
    }
  }

  #endSection(): void {
    if (this.#pendingSince !== undefined) throw this.#pendingSince;
    if (this.#section === "ROWS" && this.#objectiveNameFault !== undefined && !this.#model.hasObjective) {
      throw this.#objectiveNameFault;
    }
  }

  #readSense(token: number): void {
    const line = this.#line;
    const maximize = senses[line.token(token).toUpperCase()];
    const at = line.tokenStart(token);
    if (maximize === undefined) {
      throw line.errorAt(
        at,
        `unknown objective sense ${line.quote(at, line.end)}; MIN, MINIMIZE, MAX and MAXIMIZE are allowed`,
      );
    }
    this.#refuseMore(token + 1);
    this.#model.maximize = maximize;
    this.#pendingSince = undefined;
  }

  #readObjectiveName(token: number): void {
    const line = this.#line;
    const name = line.token(token);
    this.#refuseMore(token + 1);
    this.#model.objectiveName = name;
    this.#objectiveNameFault = line.errorAt(
      line.tokenStart(token),
      `OBJNAME asks for ${JSON.stringify(name)}; it must be the name of an N row of ROWS`,
    );
    this.#pendingSince = undefined;
  }

  #refuseMore(token: number): void {
    const line = this.#line;
    if (line.tokenCount <= token) return;
    const at = line.tokenStart(token);
    throw line.errorAt(at, `unexpected ${line.quote(at, line.end)}; the line should end before`);
  }

  #readData(): void {
    const line = this.#line;
    switch (this.#section) {
      case undefined:
      case "NAME":
      case "ENDATA":
        throw line.errorAt(
          line.start,
          `a data line ${this.#section === undefined ? "before any section" : `in ${this.#section}`}; a section name in column 1 is needed first`,
        );
      case "OBJSENSE":
      case "OBJNAME":
        line.split(1);
        if (this.#pendingSince === undefined) this.#refuseMore(0);
        else if (this.#section === "OBJSENSE") this.#readSense(0);
        else this.#readObjectiveName(0);
        return;
      case "COLUMNS":
        if (this.#readMarker()) return;
        break;
      default:
    }
    this.#readFields(this.#section);
  }

  /** Cuts the line by the layout that the file turns out to have. */
  #readFields(section: Section): void {
    if (this.#layout === "fixed") {
      this.#line.splitFixed();
      this.#apply(section);
      return;
    }
    try {
      this.#line.split(section === "BOUNDS" ? 3 : 2);
      this.#assignFree(section);
      this.#apply(section);
    } catch (error) {
      if (this.#layout === "free" || !(error instanceof MpsError) || !this.#appliesFixed(section)) throw error;
      this.#layout = "fixed";
    }
  }

  #appliesFixed(section: Section): boolean {
    try {
      this.#line.splitFixed();
      this.#apply(section);
      return true;
    } catch (error) {
      if (error instanceof MpsError) return false;
      throw error;
    }
  }

  /** Which token is which field, as far as their number can tell. */
  #assignFree(section: Section): void {
    const line = this.#line;
    const count = line.tokenCount;
    switch (section) {
      case "ROWS":
      case "LAZYCONS":
        line.assign(0, 1, -1, -1, -1, -1);
        this.#refuseMore(2);
        return;
      case "RHS":
      case "RANGES":
        // The name of the set may be left out; then the number of fields is even.
        if (count % 2 === 0) line.assign(-1, -1, 0, 1, 2, 3);
        else line.assign(-1, 0, 1, 2, 3, 4);
        this.#refuseMore(count % 2 === 0 ? 4 : 5);
        return;
      case "BOUNDS":
        this.#assignFreeBound();
        return;
      default:
        line.assign(-1, 0, 1, 2, 3, 4);
        this.#refuseMore(5);
    }
  }

  /** Both the name of the set and, for some types, the value may be left out. */
  #assignFreeBound(): void {
    const line = this.#line;
    const count = line.tokenCount;
    const type = line.token(0) as BoundType;
    let withSet = count >= 4;
    if (count === 3) {
      const takesNoValue = boundsWithoutValue.includes(type) || type === "SC";
      line.assign(0, -1, 2, -1, -1, -1);
      const lastIsColumn = this.#findColumn(Field.first) >= 0;
      line.assign(0, -1, 1, -1, -1, -1);
      const middleIsColumn = this.#findColumn(Field.first) >= 0;
      const lastIsNumber = !Number.isNaN(line.tokenNumber(2));
      withSet = takesNoValue
        ? lastIsColumn
          ? !(middleIsColumn && lastIsNumber)
          : !lastIsNumber
        : lastIsColumn && !lastIsNumber;
    }
    if (withSet) line.assign(0, 1, 2, 3, -1, -1);
    else line.assign(0, -1, 1, 2, -1, -1);
    this.#refuseMore(withSet ? 4 : 3);
  }

  #apply(section: Section): void {
    switch (section) {
      case "ROWS":
      case "LAZYCONS":
        this.#applyRow(section);
        return;
      case "COLUMNS":
        this.#applyEntries();
        return;
      case "RHS":
        this.#applyRightHandSides();
        return;
      case "RANGES":
        this.#applyRanges();
        return;
      case "BOUNDS":
        this.#applyBound();
        return;
      default:
        this.#applyQuadratic();
    }
  }

  #applyRow(section: Section): void {
    const line = this.#line;
    const type = line.text(Field.type).toUpperCase();
    if (type !== "N" && type !== "L" && type !== "G" && type !== "E") {
      throw line.error(Field.type, `${line.found(Field.type)}; a row type, N, L, G or E, is needed`);
    }
    if (section === "LAZYCONS" && type === "N") {
      throw line.error(Field.type, 'found "N"; a lazy constraint is of type L, G or E');
    }
    if (!line.has(Field.name)) throw line.errorAt(line.end, "the line ends here; the name of a row is needed");
    this.#refuseField(Field.first);
    const [start, end] = [line.fieldStart(Field.name), line.fieldEnd(Field.name)];
    if (this.#model.rows.find(line.bytes, start, end) >= 0) {
      throw line.error(Field.name, `a second row named ${line.quote(start, end)}; each name is allowed once`);
    }
    this.#model.addRow(type as RowType, line.bytes, start, end);
  }

  /** MARKER lines have their words at other places than the fields, in either layout. */
  #readMarker(): boolean {
    const line = this.#line;
    if (!line.contains(0x27)) return false;
    line.split(3);
    if (line.token(1) !== "'MARKER'") return false;
    const kind = line.token(2);
    if (kind !== "'INTORG'" && kind !== "'INTEND'") {
      const at = line.tokenStart(2);
      throw line.errorAt(
        at,
        `${kind === "" ? "the line ends here" : `found ${line.quote(at, line.end)}`}; 'INTORG' or 'INTEND' is needed`,
      );
    }
    this.#refuseMore(3);
    this.#inIntegerBlock = kind === "'INTORG'";
    return true;
  }

  #applyEntries(): void {
    const line = this.#line;
    const model = this.#model;
    if (!line.has(Field.name))
      throw line.error(Field.name, `${line.found(Field.name)}; the name of a variable is needed`);
    const start = line.fieldStart(Field.name);
    const end = line.fieldEnd(Field.name);
    const goesOn = this.#column >= 0 && model.columns.is(this.#column, line.bytes, start, end);
    if (!goesOn && model.columns.find(line.bytes, start, end) >= 0) {
      throw line.error(
        Field.name,
        `variable ${line.quote(start, end)} again, behind others; the entries of a variable must follow each other`,
      );
    }
    const row = this.#row(Field.first);
    const value = line.finiteValue(Field.firstValue);
    const hasSecond = this.#hasSecond();
    const secondRow = hasSecond ? this.#row(Field.second) : -1;
    const secondValue = hasSecond ? line.finiteValue(Field.secondValue) : 0;
    if (goesOn && model.hasEntry(this.#column, row)) throw this.#secondEntry(Field.first);
    if (hasSecond && (secondRow === row || (goesOn && model.hasEntry(this.#column, secondRow)))) {
      throw this.#secondEntry(Field.second);
    }
    if (!goesOn) this.#column = model.addColumn(line.bytes, start, end, this.#inIntegerBlock);
    model.addEntry(this.#column, row, value);
    if (hasSecond) model.addEntry(this.#column, secondRow, secondValue);
  }

  #secondEntry(field: FieldIndex): MpsError {
    const line = this.#line;
    return line.error(
      field,
      `a second entry of variable ${JSON.stringify(line.text(Field.name))} in row ${JSON.stringify(line.text(field))}; one is allowed`,
    );
  }

  #applyRightHandSides(): void {
    const model = this.#model;
    this.#forEachRowValue((row, value, field, commit) => {
      const type = model.rowType(row);
      if (!Number.isNaN(model.rightHandSide.get(row))) {
        throw this.#line.error(
          field,
          `a second right-hand side for row ${JSON.stringify(this.#line.text(field))}; one is allowed`,
        );
      }
      const side = type === "N" ? value : toBound(value);
      const noBound = type === "L" ? Number.POSITIVE_INFINITY : type === "G" ? Number.NEGATIVE_INFINITY : Number.NaN;
      if (!Number.isFinite(side) && side !== noBound) {
        throw this.#line.error(
          field === Field.first ? Field.firstValue : Field.secondValue,
          `right-hand side ${value} of a row of type ${type}; a finite number (below 1e20 in size) is needed`,
        );
      }
      if (!commit) return;
      model.rightHandSide.set(row, side);
      if (model.isObjective(row)) model.objectiveOffset = side === 0 ? 0 : -side;
    });
  }

  #applyRanges(): void {
    const model = this.#model;
    this.#forEachRowValue((row, value, field, commit) => {
      if (model.ranges.has(row)) {
        throw this.#line.error(
          field,
          `a second range for row ${JSON.stringify(this.#line.text(field))}; one is allowed`,
        );
      }
      if (model.rowType(row) === "N")
        throw this.#line.error(
          field,
          `a range for ${JSON.stringify(this.#line.text(field))}, which is an N row; rows of type L, G and E have ranges`,
        );
      if (!commit) return;
      model.ranges.set(row, toBound(value));
      const text = this.#line.text(field === Field.first ? Field.firstValue : Field.secondValue);
      if (isExactRange(text)) model.exactRanges.set(row, text);
    });
  }

  /** Checks one or two pairs of a row and a number, then, if neither is at fault, takes them. */
  #forEachRowValue(take: (row: number, value: number, field: FieldIndex, commit: boolean) => void): void {
    const line = this.#line;
    const row = this.#row(Field.first);
    const value = line.value(Field.firstValue);
    const hasSecond = this.#hasSecond();
    const secondRow = hasSecond ? this.#row(Field.second) : -1;
    const secondValue = hasSecond ? line.value(Field.secondValue) : 0;
    take(row, value, Field.first, false);
    if (hasSecond) {
      if (secondRow === row)
        throw line.error(
          Field.second,
          `row ${JSON.stringify(line.text(Field.second))} twice on one line; once is allowed`,
        );
      take(secondRow, secondValue, Field.second, false);
    }
    this.#noteSet();
    take(row, value, Field.first, true);
    if (hasSecond) take(secondRow, secondValue, Field.second, true);
  }

  #applyBound(): void {
    const line = this.#line;
    const model = this.#model;
    const type = boundTypes.find((name) => name === line.text(Field.type));
    if (type === undefined) {
      throw line.error(
        Field.type,
        `${line.found(Field.type)}; a bound type, one of ${boundTypes.join(", ")}, is needed`,
      );
    }
    if (!line.has(Field.first)) throw line.error(Field.first, "the line ends here; the name of a variable is needed");
    this.#refuseField(Field.second);
    const value = this.#boundValue(type);
    let column = this.#findColumn(Field.first);
    if (column < 0 && this.#layout === "auto" && this.#fixedKnowsColumn()) {
      throw line.error(Field.first, `unknown variable ${JSON.stringify(line.text(Field.first))}`);
    }
    if (column >= 0) this.#checkDomain(type, column);
    else {
      column = model.addColumn(line.bytes, line.fieldStart(Field.first), line.fieldEnd(Field.first), false);
      model.addedColumns.add(() => model.columns.name(column));
    }
    this.#noteSet();
    this.#setBound(type, column, value);
  }

  /** A name that is unknown when cut at blanks may be known, blanks included, by its position. */
  #fixedKnowsColumn(): boolean {
    const fixed = new MpsLine();
    fixed.set(this.#line.bytes, this.#line.start, this.#line.end);
    try {
      fixed.splitFixed();
    } catch {
      return false;
    }
    return this.#model.columns.find(fixed.bytes, fixed.fieldStart(Field.first), fixed.fieldEnd(Field.first)) >= 0;
  }

  #boundValue(type: BoundType): number {
    const line = this.#line;
    if (!line.has(Field.firstValue) && (type === "SC" || boundsWithoutValue.includes(type)))
      return Number.POSITIVE_INFINITY;
    const value = toBound(line.value(Field.firstValue));
    const isLower = type === "LO" || type === "LI";
    const isUpper = type === "UP" || type === "UI" || type === "SC";
    const noBound = isLower ? Number.NEGATIVE_INFINITY : isUpper ? Number.POSITIVE_INFINITY : undefined;
    if (!Number.isFinite(value) && value !== noBound && !boundsWithoutValue.includes(type)) {
      const none = noBound === undefined ? "" : `, or ${isLower ? "-inf" : "inf"} for none,`;
      throw line.error(
        Field.firstValue,
        `${line.found(Field.firstValue)} as ${type} bound; a finite number (below 1e20 in size)${none} is allowed`,
      );
    }
    if (type === "SC" && value < 0) {
      throw line.error(Field.firstValue, `${line.found(Field.firstValue)} as SC bound; 0 or more is allowed`);
    }
    return value;
  }

  #checkDomain(type: BoundType, column: number): void {
    const makesInteger = type === "BV" || type === "LI" || type === "UI";
    const clash = type === "SC" ? ColumnFlag.integer : makesInteger ? ColumnFlag.semiContinuous : 0;
    if (this.#model.hasFlag(column, clash)) {
      throw this.#line.error(
        Field.first,
        `variable ${JSON.stringify(this.#line.text(Field.first))} would be both integer and semi-continuous; one of them is allowed`,
      );
    }
  }

  #setBound(type: BoundType, column: number, value: number): void {
    const model = this.#model;
    const { lower, upper } = model;
    const setsLower = type !== "UP" && type !== "UI" && type !== "PL" && type !== "SC";
    const lowerGiven = model.hasFlag(column, ColumnFlag.lowerGiven);
    model.setFlag(column, ColumnFlag.bounded | (setsLower ? ColumnFlag.lowerGiven : 0));
    if (type === "BV" || type === "LI" || type === "UI") model.setFlag(column, ColumnFlag.integer);
    switch (type) {
      case "LO":
      case "LI":
        lower.set(column, value);
        return;
      case "UP":
      case "UI":
        upper.set(column, value);
        if (value < 0 && !lowerGiven && lower.get(column) === 0) {
          lower.set(column, Number.NEGATIVE_INFINITY);
          model.openedLowerBounds.add(() => model.columns.name(column));
        }
        return;
      case "FX":
        lower.set(column, value);
        upper.set(column, value);
        return;
      case "FR":
        lower.set(column, Number.NEGATIVE_INFINITY);
        upper.set(column, Number.POSITIVE_INFINITY);
        return;
      case "MI":
        lower.set(column, Number.NEGATIVE_INFINITY);
        return;
      case "PL":
        upper.set(column, Number.POSITIVE_INFINITY);
        return;
      case "BV":
        lower.set(column, 0);
        upper.set(column, 1);
        return;
      case "SC":
        upper.set(column, value);
        model.setFlag(column, ColumnFlag.semiContinuous);
        return;
    }
  }

  #applyQuadratic(): void {
    const line = this.#line;
    const first = this.#knownColumn(Field.name);
    const second = this.#knownColumn(Field.first);
    const value = line.finiteValue(Field.firstValue);
    const hasMore = this.#hasSecond();
    const third = hasMore ? this.#knownColumn(Field.second) : -1;
    const secondValue = hasMore ? line.finiteValue(Field.secondValue) : 0;
    const at = (field: FieldIndex) => line.column(line.fieldStart(field));
    this.#model.quadratic.add(first, second, value, line.number, at(Field.first));
    if (hasMore) this.#model.quadratic.add(first, third, secondValue, line.number, at(Field.second));
  }

  /** The row that a field names. */
  #row(field: FieldIndex): number {
    const line = this.#line;
    const row = this.#model.rows.find(line.bytes, line.fieldStart(field), line.fieldEnd(field));
    if (row >= 0 && line.has(field)) return row;
    throw line.error(
      field,
      line.has(field)
        ? `unknown row ${JSON.stringify(line.text(field))}; a row of ROWS is needed`
        : "the line ends here; the name of a row is needed",
    );
  }

  #findColumn(field: FieldIndex): number {
    const line = this.#line;
    return this.#model.columns.find(line.bytes, line.fieldStart(field), line.fieldEnd(field));
  }

  #knownColumn(field: FieldIndex): number {
    const line = this.#line;
    const column = line.has(field) ? this.#findColumn(field) : -1;
    if (column >= 0) return column;
    throw line.error(
      field,
      line.has(field)
        ? `unknown variable ${JSON.stringify(line.text(field))}; a variable of COLUMNS is needed`
        : "the line ends here; the name of a variable is needed",
    );
  }

  /** Whether the line has a second pair; half a pair is a fault of whoever reads its missing half. */
  #hasSecond(): boolean {
    return this.#line.has(Field.second) || this.#line.has(Field.secondValue);
  }

  #refuseField(field: FieldIndex): void {
    const line = this.#line;
    for (let at = field; at <= Field.secondValue; at++) {
      if (line.has(at as FieldIndex))
        throw line.error(
          at as FieldIndex,
          `unexpected ${line.found(at as FieldIndex).replace("found ", "")}; the line should end before`,
        );
    }
  }

  /** All sets of a section are applied, whatever their names; a second name is worth a warning. */
  #noteSet(): void {
    const section = this.#section as "RHS" | "RANGES" | "BOUNDS";
    const line = this.#line;
    if (!line.has(Field.name) || this.#warnedSets.has(section)) return;
    const name = line.text(Field.name);
    const first = this.#setNames[section];
    if (first === undefined) {
      this.#setNames[section] = name;
    } else if (first !== name) {
      this.#warnedSets.add(section);
      this.#warnings.push(
        `line ${line.number}: a second set, ${JSON.stringify(name)} beside ${JSON.stringify(first)}, in ${section}; all are applied`,
      );
    }
  }
}
