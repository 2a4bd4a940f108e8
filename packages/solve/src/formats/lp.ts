// The reader of CPLEX's LP format: plain or compressed, whole or as a stream of chunks.
//
// The grammar is a generator that stops wherever it wants the next word, so that words may come in any portions.
import { LpError } from "./format-error.ts";
import { LineFeed, type LineReader } from "./line-feed.ts";
import { LpModel, VariableFlag } from "./lp-model.ts";
import { LpLine, type LpSection, Token, type TokenKind } from "./lp-tokens.ts";
import type { ModelResult } from "./model-result.ts";
import { RenameTable } from "./renamed.ts";
import { plainChunks, plainPieces } from "./source.ts";
import { toBound } from "./to-bound.ts";

export { LpError } from "./format-error.ts";

/**
 * Reads a whole file of CPLEX's LP format, plain or compressed with gzip or bzip2.
 * @throws LpError with line and column
 */
export function parseLp(data: Uint8Array): ModelResult {
  const reader = new LpReader();
  for (const piece of plainPieces(data, LpError, () => reader.lineNumber)) {
    reader.push(piece);
    if (reader.ended) break;
  }
  return reader.finish();
}

/**
 * Reads a file of CPLEX's LP format from a stream of chunks cut anywhere; only the model itself is kept in memory.
 * @throws LpError with line and column; what the source throws; the signal's reason
 */
export async function readLp(
  source: AsyncIterable<Uint8Array>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ModelResult> {
  const reader = new LpReader();
  for await (const chunk of plainChunks(source, LpError, () => reader.lineNumber)) {
    options.signal?.throwIfAborted();
    reader.push(chunk);
    if (reader.ended) break;
  }
  return reader.finish();
}

const sectionWords = "Subject To, Bounds, General, Binary, Semi-Continuous or End";

/** Where a word stood, for an error that shows only with what follows it. */
interface Place {
  readonly line: number;
  readonly column: number;
}

class LpReader implements LineReader {
  ended = false;
  readonly #line = new LpLine();
  readonly #model = new LpModel();
  readonly #renamed = new RenameTable();
  readonly #warnings: string[] = [];
  readonly #feed = new LineFeed(this);
  readonly #grammar: Generator<undefined, void, undefined>;

  constructor() {
    this.#grammar = this.#file();
    this.#grammar.next();
  }

  get lineNumber(): number {
    return this.#line.number;
  }

  push(data: Uint8Array): void {
    this.#feed.push(data);
  }

  finish(): ModelResult {
    this.#feed.finish();
    if (!this.ended) {
      this.#line.kind = Token.end;
      this.#line.tokenStart = this.#line.end;
      this.#grammar.next();
      this.#warnings.push("there is no End: the file may be cut off");
    }
    return { ...this.#model.toProblem(this.#renamed, this.#warnings), warnings: this.#warnings };
  }

  tooLong(length: number): LpError {
    return new LpError(
      this.#line.number + 1,
      length + 1,
      `the line is longer than ${length} bytes; a line of any section may be broken between two words`,
    );
  }

  readLine(bytes: Uint8Array, start: number, end: number): void {
    const line = this.#line;
    line.set(bytes, start, end);
    while (line.next()) {
      this.#grammar.next();
      if (this.ended) return;
    }
    const comment = line.comment();
    if (comment !== "") this.#readComment(comment);
  }

  #readComment(comment: string): void {
    const name = /^Problem name: *(.*)$/.exec(comment)?.[1];
    if (name !== undefined && this.#model.name === "") this.#model.name = name;
    else this.#renamed.read(comment);
  }

  *#file(): Generator<undefined, void, undefined> {
    const line = this.#line;
    yield;
    if (!this.#at("minimize") && !this.#at("maximize")) {
      throw line.error(`${line.found()}; the sense of the objective, Minimize or Maximize, is needed first`);
    }
    this.#model.maximize = this.#at("maximize");
    yield;
    yield* this.#objective();
    if (!this.#at("subject to")) throw line.error(`${line.found()}; Subject To is needed behind the objective`);
    const seen = new Set<LpSection>();
    while (this.#is(Token.section)) {
      const section: LpSection = this.#line.section;
      if (section === "end") {
        this.ended = true;
        return;
      }
      this.#refuseSection(section, seen);
      seen.add(section);
      yield;
      if (section === "subject to" || section === "lazy constraints") yield* this.#rows();
      else if (section === "bounds") yield* this.#bounds();
      else yield* this.#list(section);
    }
  }

  #refuseSection(section: LpSection, seen: ReadonlySet<LpSection>): void {
    const line = this.#line;
    if (section === "unsupported") {
      throw line.error(`${line.found()}, which is not supported; ${sectionWords} is allowed here`);
    }
    if (section === "minimize" || section === "maximize") {
      throw line.error(`${line.found()}, a second objective; one is allowed`);
    }
    if (section === "subject to" && seen.has(section)) {
      throw line.error(`${line.found()}, a second section of constraints; one is allowed`);
    }
  }

  /** Whether the word is of this kind. */
  #is(kind: TokenKind): boolean {
    return this.#line.kind === kind;
  }

  /** Whether the word is this heading. */
  #at(section: LpSection): boolean {
    return this.#is(Token.section) && this.#line.section === section;
  }

  /** Whether the section is over. */
  #atEnd(): boolean {
    return this.#is(Token.section) || this.#is(Token.end);
  }

  *#objective(): Generator<undefined, void, undefined> {
    const line = this.#line;
    const model = this.#model;
    if (this.#is(Token.label)) {
      model.objectiveName = line.text();
      yield;
    }
    let offset = 0;
    for (let first = true; !this.#atEnd(); first = false) {
      const sign = yield* this.#sign(first);
      if (this.#is(Token.open)) {
        yield* this.#quadratic(sign);
        continue;
      }
      const value = yield* this.#coefficient();
      if (value === undefined || this.#isVariable()) {
        model.addCost(this.#variable(), sign * (value ?? 1));
        yield;
      } else {
        offset += sign * value;
      }
    }
    model.objectiveOffset = offset === 0 ? 0 : offset;
  }

  /** The signs before a term, multiplied. Between two terms there must be one. */
  *#sign(first: boolean): Generator<undefined, number, undefined> {
    const line = this.#line;
    let sign = 1;
    let signed = first;
    while (this.#is(Token.plus) || this.#is(Token.minus)) {
      if (this.#is(Token.minus)) sign = -sign;
      signed = true;
      yield;
    }
    if (!signed) throw line.error(`${line.found()}; + or - is needed between two terms`);
    return sign;
  }

  /** The number before a variable, if there is one, and the * between them. */
  *#coefficient(): Generator<undefined, number | undefined, undefined> {
    const line = this.#line;
    if (!this.#is(Token.number)) return undefined;
    const value = line.value;
    if (!Number.isFinite(value)) throw line.error(`${line.found()}; a number below 1.8e308 is needed`);
    yield;
    if (!this.#is(Token.times)) return value;
    yield;
    if (!this.#isVariable()) throw line.error(`${line.found()}; the name of a variable is needed behind *`);
    return value;
  }

  #isVariable(): boolean {
    return this.#is(Token.name) && !this.#line.isInfinity();
  }

  /** The number of the variable that is named here; a new one is added. */
  #variable(): number {
    const line = this.#line;
    if (!this.#isVariable()) {
      if (this.#is(Token.open)) throw line.error("a quadratic constraint, which is not supported");
      throw line.error(`${line.found()}; a variable, with a number before it or without, is needed`);
    }
    return this.#model.variable(line.bytes, line.tokenStart, line.nameEnd);
  }

  /** `[ … ] / 2` of the objective: half of what stands between the brackets. */
  *#quadratic(outerSign: number): Generator<undefined, void, undefined> {
    const line = this.#line;
    yield;
    for (let first = true; !this.#is(Token.close); first = false) {
      const sign = outerSign * (yield* this.#sign(first));
      const value = (yield* this.#coefficient()) ?? 1;
      const one = this.#variable();
      yield;
      let other = one;
      if (this.#is(Token.power)) {
        yield;
        if (!this.#is(Token.number) || line.value !== 2) {
          throw line.error(`${line.found()}; the exponent 2 is allowed`);
        }
      } else if (this.#is(Token.times)) {
        yield;
        other = this.#variable();
      } else {
        throw line.error(`${line.found()}; ^ 2, or * and a variable, is needed within [ ]`);
      }
      yield;
      this.#model.addQuadratic(one, other, (sign * value) / 2);
    }
    yield;
    if (!this.#is(Token.divide)) {
      throw line.error(`${line.found()}; / 2 is needed behind the ] of the objective`);
    }
    yield;
    if (!this.#is(Token.number) || line.value !== 2) {
      throw line.error(`${line.found()}; 2 is needed: the objective has half of what [ ] says`);
    }
    yield;
  }

  *#rows(): Generator<undefined, void, undefined> {
    while (!this.#atEnd()) yield* this.#row();
  }

  *#row(): Generator<undefined, void, undefined> {
    const line = this.#line;
    const model = this.#model;
    let name = -1;
    if (this.#is(Token.label)) {
      if (model.rowNames.find(line.bytes, line.tokenStart, line.nameEnd) >= 0) {
        throw line.error(`a second constraint named ${JSON.stringify(line.text())}; each name is allowed once`);
      }
      name = model.rowNames.add(line.bytes, line.tokenStart, line.nameEnd);
      yield;
    }
    model.beginRow(name);
    let lower = Number.NEGATIVE_INFINITY;
    let upper = Number.POSITIVE_INFINITY;
    let constant = 0;
    let leftSense: Sense | undefined;
    let hasVariable = false;

    for (let first = true; !this.#isComparison(); first = false) {
      if (this.#atEnd() || this.#is(Token.label)) {
        if (leftSense !== undefined && hasVariable) break;
        throw line.error(`${line.found()}; the constraint goes on with a comparison, <=, >= or =`);
      }
      // After a number on the left the row may end anywhere: what cannot be a further term begins the next row.
      if (leftSense !== undefined && hasVariable && !this.#is(Token.plus) && !this.#is(Token.minus)) break;
      const sign = yield* this.#sign(first);
      let value: number | undefined;
      // A number that the row begins with may be its left-hand side. Elsewhere nobody needs the place, which costs time.
      const place = first && leftSense === undefined ? this.#place() : undefined;
      if (place !== undefined && line.isInfinity()) {
        value = Number.POSITIVE_INFINITY;
        yield;
        if (!this.#isComparison()) throw fault(place, "infinity as a coefficient; a finite number is needed");
      } else {
        value = yield* this.#coefficient();
      }
      if (place !== undefined && value !== undefined && this.#isComparison()) {
        leftSense = this.#sense();
        [lower, upper] = side(flipped[leftSense], toBound(sign * value), place);
        yield;
        // The expression behind it begins without a sign.
        const sense = yield* this.#sign(true);
        const number = yield* this.#coefficient();
        model.addEntry(this.#variable(), sense * (number ?? 1));
        hasVariable = true;
        yield;
        continue;
      }
      if (value === undefined || this.#isVariable()) {
        model.addEntry(this.#variable(), sign * (value ?? 1));
        hasVariable = true;
        yield;
      } else {
        constant += sign * value;
      }
    }

    if (this.#isComparison()) {
      if (!hasVariable) throw line.error(`${line.found()}; a variable is needed before it`);
      const sense = this.#sense();
      if (leftSense !== undefined && (leftSense === "equal" || leftSense !== sense)) {
        throw line.error(
          `${line.found()}; the two comparisons of a range must point the same way, as in -5 <= x + y <= 8`,
        );
      }
      yield;
      const { value, place } = yield* this.#sideNumber();
      const [low, high] = side(sense, toBound(value), place);
      lower = leftSense === undefined ? low : Math.max(lower, low);
      upper = leftSense === undefined ? high : Math.min(upper, high);
      this.#refuseMoreOnLine(place.line);
    }
    model.endRow(constant === 0 ? lower : lower - constant, constant === 0 ? upper : upper - constant);
  }

  /** A signed number or infinity on its own. */
  *#sideNumber(): Generator<undefined, { value: number; place: Place }, undefined> {
    const line = this.#line;
    const sign = yield* this.#sign(true);
    const place = this.#place();
    let value: number;
    if (this.#is(Token.number)) value = line.value;
    else if (line.isInfinity()) value = Number.POSITIVE_INFINITY;
    else {
      const hint = this.#is(Token.name) ? "; variables stand on the left-hand side" : "";
      throw line.error(`${line.found()}; a number is needed${hint}`);
    }
    yield;
    return { value: sign * value, place };
  }

  /** Without this, `x >= 2 y` would be the row x >= 2 and the beginning of another one. */
  #refuseMoreOnLine(lineNumber: number): void {
    const line = this.#line;
    if (line.number !== lineNumber || this.#atEnd() || this.#is(Token.label)) return;
    if (this.#is(Token.arrow)) throw line.error("an indicator constraint, which is not supported");
    throw line.error(
      `${line.found()} behind the right-hand side; variables stand on the left-hand side, the next constraint on a line of its own`,
    );
  }

  #isComparison(): boolean {
    const { kind } = this.#line;
    return kind === Token.less || kind === Token.greater || kind === Token.equal;
  }

  #sense(): Sense {
    const { kind } = this.#line;
    return kind === Token.less ? "less" : kind === Token.greater ? "greater" : "equal";
  }

  #place(): Place {
    return { line: this.#line.number, column: this.#line.column() };
  }

  *#bounds(): Generator<undefined, void, undefined> {
    while (!this.#atEnd()) yield* this.#bound();
  }

  *#bound(): Generator<undefined, void, undefined> {
    const line = this.#line;
    let left: { sense: Sense; value: number; place: Place } | undefined;
    if (!this.#isVariable()) {
      const { value, place } = yield* this.#sideNumber();
      if (!this.#isComparison()) throw line.error(`${line.found()}; a comparison, <=, >= or =, is needed`);
      left = { sense: flipped[this.#sense()], value: toBound(value), place };
      yield;
    }
    const variable = this.#boundedVariable();
    const isFirstMention = left === undefined;
    yield;
    if (left !== undefined) this.#setBound(variable, left.sense, left.value, left.place);
    if (this.#isComparison()) {
      const sense = this.#sense();
      if (left !== undefined && (left.sense === "equal" || flipped[left.sense] !== sense)) {
        throw line.error(`${line.found()}; the two comparisons of a bound must point the same way, as in -5 <= x <= 8`);
      }
      yield;
      const { value, place } = yield* this.#sideNumber();
      this.#setBound(variable, sense, toBound(value), place);
      this.#refuseMoreOnLine(place.line);
    } else if (isFirstMention) {
      if (!this.#is(Token.name) || line.text().toLowerCase() !== "free") {
        throw line.error(`${line.found()}; a comparison or the word free is needed behind a variable`);
      }
      this.#model.lower.set(variable, Number.NEGATIVE_INFINITY);
      this.#model.upper.set(variable, Number.POSITIVE_INFINITY);
      this.#model.setFlag(variable, VariableFlag.lowerGiven | VariableFlag.upperGiven);
      yield;
    }
    this.#noteNegativeUpper(variable);
  }

  #boundedVariable(): number {
    const line = this.#line;
    if (!this.#isVariable()) throw line.error(`${line.found()}; the name of a variable is needed`);
    const before = this.#model.variables.size;
    const variable = this.#variable();
    if (variable === before) this.#model.addedByBounds.add(() => this.#model.variables.name(variable));
    return variable;
  }

  #setBound(variable: number, sense: Sense, value: number, place: Place): void {
    const model = this.#model;
    const [lower, upper] = side(sense, value, place);
    if (sense !== "less") {
      model.lower.set(variable, lower);
      model.setFlag(variable, VariableFlag.lowerGiven);
    }
    if (sense !== "greater") {
      model.upper.set(variable, upper);
      model.setFlag(variable, VariableFlag.upperGiven);
    }
  }

  #noteNegativeUpper(variable: number): void {
    const model = this.#model;
    if (model.upper.get(variable) < 0 && !model.hasFlag(variable, VariableFlag.lowerGiven)) {
      model.negativeUppers.add(() => model.variables.name(variable));
    }
  }

  *#list(section: LpSection): Generator<undefined, void, undefined> {
    const line = this.#line;
    const model = this.#model;
    const flag =
      section === "general"
        ? VariableFlag.integer
        : section === "binary"
          ? VariableFlag.binary
          : VariableFlag.semiContinuous;
    const clash =
      flag === VariableFlag.semiContinuous ? VariableFlag.integer | VariableFlag.binary : VariableFlag.semiContinuous;
    while (!this.#atEnd()) {
      if (!this.#is(Token.name)) throw line.error(`${line.found()}; names of variables are needed`);
      const variable = model.variables.find(line.bytes, line.tokenStart, line.nameEnd);
      if (variable < 0) {
        throw line.error(`unknown variable ${JSON.stringify(line.text())}; a variable that stands before is needed`);
      }
      if (model.hasFlag(variable, clash)) {
        throw line.error(
          `variable ${JSON.stringify(line.text())} would be both integer and semi-continuous; one of them is allowed`,
        );
      }
      model.setFlag(variable, flag);
      yield;
    }
  }
}

type Sense = "less" | "greater" | "equal";

/** The same comparison seen from the other side. */
const flipped: { readonly [Key in Sense]: Sense } = { less: "greater", greater: "less", equal: "equal" };

const fault = (place: Place, text: string): LpError => new LpError(place.line, place.column, text);

/** The bounds that `… sense value` gives. */
function side(sense: Sense, value: number, place: Place): [number, number] {
  const noBound =
    sense === "less" ? Number.POSITIVE_INFINITY : sense === "greater" ? Number.NEGATIVE_INFINITY : undefined;
  if (!Number.isFinite(value) && value !== noBound) {
    const word = sense === "less" ? "an upper bound" : sense === "greater" ? "a lower bound" : "both bounds";
    const none = noBound === undefined ? "" : `, or ${noBound < 0 ? "-inf" : "inf"} for none,`;
    throw fault(
      place,
      `${value < 0 ? "-infinity" : "infinity"} as ${word}; a finite number (below 1e20 in size)${none} is allowed`,
    );
  }
  if (sense === "less") return [Number.NEGATIVE_INFINITY, value];
  if (sense === "greater") return [value, Number.POSITIVE_INFINITY];
  return [value, value];
}
