// The words of an LP file: numbers, names, operators and the headings of sections, line by line.
import { LpError } from "./format-error.ts";
import { textOf } from "./name-table.ts";
import { parseNumber } from "./numbers.ts";

export const Token = {
  end: 0,
  number: 1,
  name: 2,
  /** A name with the colon behind it. */
  label: 3,
  less: 4,
  greater: 5,
  equal: 6,
  plus: 7,
  minus: 8,
  times: 9,
  power: 10,
  divide: 11,
  open: 12,
  close: 13,
  arrow: 14,
  colon: 15,
  /** The heading of a section. */
  section: 16,
} as const;
export type TokenKind = (typeof Token)[keyof typeof Token];

export type LpSection =
  | "minimize"
  | "maximize"
  | "subject to"
  | "lazy constraints"
  | "bounds"
  | "general"
  | "binary"
  | "semi-continuous"
  | "end"
  | "unsupported";

/** Every heading, in lower case. */
const headings: ReadonlyMap<string, LpSection> = new Map<string, LpSection>([
  ...["minimize", "minimise", "minimum", "min"].map((word) => [word, "minimize"] as const),
  ...["maximize", "maximise", "maximum", "max"].map((word) => [word, "maximize"] as const),
  ...["subject to", "such that", "st", "s.t.", "st.", "s.t"].map((word) => [word, "subject to"] as const),
  ["lazy constraints", "lazy constraints"],
  ...["bounds", "bound"].map((word) => [word, "bounds"] as const),
  ...["general", "generals", "gen", "integer", "integers", "int"].map((word) => [word, "general"] as const),
  ...["binary", "binaries", "bin"].map((word) => [word, "binary"] as const),
  ...["semi-continuous", "semis", "semi"].map((word) => [word, "semi-continuous"] as const),
  ["end", "end"],
  ...["user cuts", "sos", "sos1", "sos2", "pwlobj", "general constraints", "multi-objectives", "scenario"].map(
    (word) => [word, "unsupported"] as const,
  ),
]);

/** Words that no writer should use as a name: where a number or a heading may stand they mean something else. */
export const isReservedWord = (name: string): boolean =>
  headings.has(name.toLowerCase()) || /^(free|inf|infinity|subject|such|lazy|user|multi|semi)$/i.test(name);

/** Headings have at most two words and this many characters. */
const longestHeading = 20;
/** Letters with which a heading may begin, so that most lines are not looked at any further. */
const headingStarts = new Set(Array.from(headings.keys(), (heading) => heading.charCodeAt(0)));

/** Bytes of names: everything but blanks, operators and the backslash, which begins a comment. */
const isNameByte = new Uint8Array(256).fill(1);
for (let byte = 0; byte <= 0x20; byte++) isNameByte[byte] = 0;
isNameByte[0x7f] = 0;
for (const operator of "+-*^/<>=:[]\\") isNameByte[operator.charCodeAt(0)] = 0;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0b;

/** One line and the word of it that is being looked at. */
export class LpLine {
  number = 0;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  kind: TokenKind = Token.end;
  tokenStart = 0;
  tokenEnd = 0;
  /** Of a number. */
  value = 0;
  /** Of a heading. */
  section: LpSection = "end";
  #isFirst = true;

  set(bytes: Uint8Array, start: number, end: number): void {
    this.number++;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.tokenStart = start;
    this.tokenEnd = start;
    this.#isFirst = true;
  }

  /**
   * Goes to the next word of the line; false if there is none.
   * @throws LpError for a character that has no place in the format
   */
  next(): boolean {
    const { bytes, end } = this;
    let at = this.tokenEnd;
    while (at < end && isSpace(bytes[at] as number)) at++;
    this.tokenStart = at;
    this.tokenEnd = at;
    if (at >= end || bytes[at] === 0x5c) return false;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const byte = bytes[at] as number;
    if (isFirst && headingStarts.has(byte | 0x20) && this.#heading()) return true;
    if (isDigit(byte) || (byte === 0x2e && isDigit(bytes[at + 1]) && at + 1 < end)) this.#number();
    else if (isNameByte[byte] === 1) this.#name();
    else this.#operator(byte);
    return true;
  }

  /** The comment that begins here, without its backslash; "" if there is none. */
  comment(): string {
    return this.bytes[this.tokenStart] === 0x5c && this.tokenStart < this.end
      ? textOf(this.bytes, this.tokenStart + 1, this.end).trim()
      : "";
  }

  /** A name or label as text. */
  text(): string {
    return textOf(this.bytes, this.tokenStart, this.nameEnd);
  }

  /** Where a name or label ends, its colon not counted. */
  nameEnd = 0;

  /** Whether the word is a name that stands for infinity. */
  isInfinity(): boolean {
    if (this.kind !== Token.name) return false;
    const length = this.nameEnd - this.tokenStart;
    return (length === 3 || length === 8) && /^inf(inity)?$/i.test(this.text());
  }

  found(): string {
    if (this.kind === Token.end) return "the file ends here";
    const text = textOf(this.bytes, this.tokenStart, Math.min(this.tokenEnd, this.tokenStart + 200));
    return `found ${JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)}`;
  }

  error(text: string): LpError {
    return new LpError(Math.max(1, this.number), this.column(), text);
  }

  /** The character at which the word starts, counted from 1. */
  column(): number {
    return textOf(this.bytes, this.start, this.tokenStart).length + 1;
  }

  #heading(): boolean {
    const { bytes, tokenStart } = this;
    const words = /^[a-z.]+(?:-[a-z]+)?\d?(?:[ \t]+[a-z]+)?/i.exec(
      textOf(bytes, tokenStart, Math.min(this.end, tokenStart + longestHeading)),
    )?.[0];
    if (words === undefined) return false;
    const both = words.toLowerCase().replace(/[ \t]+/, " ");
    const [one = ""] = both.split(" ");
    const known = headings.has(both) ? words : headings.has(one) ? words.slice(0, one.length) : undefined;
    if (known === undefined) return false;
    let at = tokenStart + known.length;
    // Only the beginning of a longer name, or a label.
    if (at < this.end && isNameByte[bytes[at] as number] === 1) return false;
    while (at < this.end && isSpace(bytes[at] as number)) at++;
    if (at < this.end && bytes[at] === 0x3a) return false;
    this.kind = Token.section;
    this.section = headings.get(known.length === words.length ? both : one) as LpSection;
    this.tokenEnd = tokenStart + known.length;
    return true;
  }

  #number(): void {
    const { bytes, end } = this;
    let at = this.tokenStart;
    while (at < end && isDigit(bytes[at])) at++;
    if (at < end && bytes[at] === 0x2e) {
      at++;
      while (at < end && isDigit(bytes[at])) at++;
    }
    if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
      // An e without digits behind it begins a name.
      let digits = at + 1;
      if (digits < end && (bytes[digits] === 0x2b || bytes[digits] === 0x2d)) digits++;
      if (digits < end && isDigit(bytes[digits])) {
        at = digits;
        while (at < end && isDigit(bytes[at])) at++;
      }
    }
    this.kind = Token.number;
    this.tokenEnd = at;
    this.value = parseNumber(bytes, this.tokenStart, at);
    if (at < end && bytes[at] === 0x2e) {
      this.tokenEnd = at + 1;
      throw this.error(`${this.found()}; a number has one decimal point`);
    }
  }

  #name(): void {
    const { bytes, end } = this;
    let at = this.tokenStart;
    while (at < end && isNameByte[bytes[at] as number] === 1) at++;
    this.nameEnd = at;
    this.kind = Token.name;
    this.tokenEnd = at;
    while (at < end && isSpace(bytes[at] as number)) at++;
    if (at < end && bytes[at] === 0x3a) {
      this.kind = Token.label;
      this.tokenEnd = at + 1;
    }
  }

  #operator(byte: number): void {
    const { bytes, end } = this;
    const at = this.tokenStart;
    const second = at + 1 < end ? bytes[at + 1] : undefined;
    let length = 1;
    switch (byte) {
      case 0x2b:
        this.kind = Token.plus;
        break;
      case 0x2d:
        this.kind = second === 0x3e ? Token.arrow : Token.minus;
        if (second === 0x3e) length = 2;
        break;
      case 0x2a:
        this.kind = Token.times;
        break;
      case 0x5e:
        this.kind = Token.power;
        break;
      case 0x2f:
        this.kind = Token.divide;
        break;
      case 0x5b:
        this.kind = Token.open;
        break;
      case 0x5d:
        this.kind = Token.close;
        break;
      case 0x3a:
        this.kind = Token.colon;
        break;
      case 0x3c:
        this.kind = Token.less;
        if (second === 0x3d) length = 2;
        break;
      case 0x3e:
        this.kind = Token.greater;
        if (second === 0x3d) length = 2;
        break;
      case 0x3d:
        this.kind = second === 0x3c ? Token.less : second === 0x3e ? Token.greater : Token.equal;
        if (this.kind !== Token.equal) length = 2;
        break;
      default:
        throw this.error(
          `the character U+${byte.toString(16).toUpperCase().padStart(4, "0")}; text without control characters is allowed`,
        );
    }
    this.tokenEnd = at + length;
  }
}
