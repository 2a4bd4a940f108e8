// One line of an MPS file, cut into the six fields of the format, in either layout.
import { MpsError } from "./format-error.ts";
import { textOf } from "./name-table.ts";
import { parseNumber } from "./numbers.ts";

/** The fields of a data line: a type, two names, a number, a name, a number. */
export const Field = { type: 0, name: 1, first: 2, firstValue: 3, second: 4, secondValue: 5 } as const;
export type FieldIndex = (typeof Field)[keyof typeof Field];

/** First and last character of each field in the fixed layout, counted from 1. */
const fixedColumns = [
  [2, 3],
  [5, 12],
  [15, 22],
  [25, 36],
  [40, 47],
  [50, 61],
] as const;
/** Behind this character cards carry a sequence number, which nobody reads. */
const lastFixedColumn = 72;

/** More than any data line may have; what comes behind is not looked at. */
const maxTokens = 8;

/**
 * A view of the current line. `split` finds blank-separated tokens; `assign` tells which field is which token; the
 * fixed layout fills the fields from character positions instead.
 */
export class MpsLine {
  number = 0;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  tokenCount = 0;
  readonly #tokenStarts = new Int32Array(maxTokens);
  readonly #tokenEnds = new Int32Array(maxTokens);
  readonly #fieldStarts = new Int32Array(6);
  readonly #fieldEnds = new Int32Array(6);

  /** Takes the next line, without its line end; trailing blanks are cut off. */
  set(bytes: Uint8Array, start: number, end: number): void {
    this.number++;
    let last = end;
    while (last > start && isBlank(bytes[last - 1] as number)) last--;
    this.bytes = bytes;
    this.start = start;
    this.end = last;
  }

  /**
   * Cuts the line at blanks and tabs. From token number `commentFrom` on, one that starts with $ begins a comment.
   */
  split(commentFrom: number): void {
    const { bytes, end } = this;
    let count = 0;
    let at = this.start;
    for (;;) {
      while (at < end && isBlank(bytes[at] as number)) at++;
      if (at >= end) break;
      if (bytes[at] === 0x24 && count >= commentFrom) break;
      if (count === maxTokens) break;
      this.#tokenStarts[count] = at;
      while (at < end && !isBlank(bytes[at] as number)) at++;
      this.#tokenEnds[count] = at;
      count++;
    }
    this.tokenCount = count;
  }

  /** Says which token each field is: -1 for none. */
  assign(type: number, name: number, first: number, firstValue: number, second: number, secondValue: number): void {
    this.#assign(Field.type, type);
    this.#assign(Field.name, name);
    this.#assign(Field.first, first);
    this.#assign(Field.firstValue, firstValue);
    this.#assign(Field.second, second);
    this.#assign(Field.secondValue, secondValue);
  }

  #assign(field: FieldIndex, token: number): void {
    const present = token >= 0 && token < this.tokenCount;
    this.#fieldStarts[field] = present ? (this.#tokenStarts[token] as number) : this.end;
    this.#fieldEnds[field] = present ? (this.#tokenEnds[token] as number) : this.end;
  }

  /**
   * Fills the fields from their character positions; names keep the blanks inside them.
   * @throws MpsError for a tab, or for text between the fields
   */
  splitFixed(): void {
    const { bytes, start } = this;
    const end = Math.min(this.end, start + lastFixedColumn);
    let free = start;
    let comment = false;
    for (let field = 0; field < 6; field++) {
      const [firstColumn, lastColumn] = fixedColumns[field] as readonly [number, number];
      let from = Math.min(end, start + firstColumn - 1);
      let to = Math.min(end, start + lastColumn);
      if (!comment) this.#refuseText(free, from);
      free = to;
      while (from < to && bytes[from] === 0x20) from++;
      while (to > from && bytes[to - 1] === 0x20) to--;
      if ((field === Field.first || field === Field.second) && from < to && bytes[from] === 0x24) comment = true;
      if (comment) from = to;
      for (let i = from; i < to; i++) {
        if (bytes[i] === 0x09) throw this.errorAt(i, "a tab; the fixed layout has no tabs");
      }
      this.#fieldStarts[field] = from < to ? from : this.end;
      this.#fieldEnds[field] = from < to ? to : this.end;
    }
    if (!comment) this.#refuseText(free, end);
  }

  #refuseText(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (this.bytes[i] !== 0x20) {
        throw this.errorAt(
          i,
          `unexpected ${this.quote(i, i + 1)} between the fields; the fixed layout has them in columns ` +
            fixedColumns.map(([a, b]) => `${a}-${b}`).join(", "),
        );
      }
    }
  }

  contains(byte: number): boolean {
    for (let at = this.start; at < this.end; at++) {
      if (this.bytes[at] === byte) return true;
    }
    return false;
  }

  has(field: FieldIndex): boolean {
    return (this.#fieldStarts[field] as number) < (this.#fieldEnds[field] as number);
  }

  fieldStart(field: FieldIndex): number {
    return this.#fieldStarts[field] as number;
  }

  fieldEnd(field: FieldIndex): number {
    return this.#fieldEnds[field] as number;
  }

  /** The field as text; "" if absent. */
  text(field: FieldIndex): string {
    return textOf(this.bytes, this.fieldStart(field), this.fieldEnd(field));
  }

  token(index: number): string {
    if (index >= this.tokenCount) return "";
    return textOf(this.bytes, this.#tokenStarts[index] as number, this.#tokenEnds[index] as number);
  }

  tokenStart(index: number): number {
    return index < this.tokenCount ? (this.#tokenStarts[index] as number) : this.end;
  }

  tokenNumber(index: number): number {
    return parseNumber(this.bytes, this.#tokenStarts[index] as number, this.#tokenEnds[index] as number);
  }

  /**
   * The number in a field; infinite ones included.
   * @throws MpsError if the field is absent or no number
   */
  value(field: FieldIndex): number {
    const start = this.fieldStart(field);
    const end = this.fieldEnd(field);
    const value = start < end ? parseNumber(this.bytes, start, end) : Number.NaN;
    if (Number.isNaN(value)) throw this.error(field, `${this.found(field)}; a number is needed`);
    return value;
  }

  /** @throws MpsError if the field is absent, no number, or infinite */
  finiteValue(field: FieldIndex): number {
    const value = this.value(field);
    if (!Number.isFinite(value)) throw this.error(field, `${this.found(field)}; a finite number is needed`);
    return value;
  }

  /** What stands in the field, quoted for a message. */
  found(field: FieldIndex): string {
    if (!this.has(field)) return "the line ends here";
    return `found ${this.quote(this.fieldStart(field), this.fieldEnd(field))}`;
  }

  error(field: FieldIndex, text: string): MpsError {
    return this.errorAt(this.fieldStart(field), text);
  }

  errorAt(position: number, text: string): MpsError {
    return new MpsError(this.number, this.column(position), text);
  }

  /** The character of a position, counted from 1: bytes of one character count once. */
  column(position: number): number {
    return textOf(this.bytes, this.start, position).length + 1;
  }

  quote(from: number, to: number): string {
    const text = textOf(this.bytes, from, Math.min(to, from + 200));
    return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
  }
}

export const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d;
