// A tag scanner: walks the fields of an encoded message without decoding their values.
import { WireFormatError } from "./errors.ts";

/** How a value is laid out on the wire. Groups are passed over by the scanner and never shown. */
export const WIRE_VARINT = 0;
export const WIRE_I64 = 1;
export const WIRE_LEN = 2;
export const WIRE_GROUP_START = 3;
export const WIRE_GROUP_END = 4;
export const WIRE_I32 = 5;

const WIRE_NAMES = ["varint", "64-bit", "length-delimited", "group", "end of group", "32-bit"];
const MAX_VARINT_BYTES = 10;
const MAX_TAG_BYTES = 5;
const MAX_GROUP_DEPTH = 100;

/** The English name of a wire type, for error texts. */
export function wireTypeName(wireType: number): string {
  return WIRE_NAMES[wireType] ?? `wire type ${wireType}`;
}

// Byte order marks are text like any other: dropping one would change a name.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A cursor over the fields of one message. It allocates nothing per field, so that a message made of millions of tiny
 * fields costs time and no memory.
 *
 * ```ts
 * const field = new FieldScanner(bytes, "Incumbent");
 * while (field.next()) if (field.number === 2) objective = field.double();
 * ```
 *
 * Every fault throws {@link WireFormatError}.
 */
export class FieldScanner {
  readonly bytes: Uint8Array;
  readonly path: string;
  /** Field number of the present field. */
  number = 0;
  /** Wire type of the present field: varint, 64-bit, length-delimited or 32-bit. */
  wireType = 0;
  /** First byte of the tag. */
  tagStart = 0;
  /** First byte after the tag: the length, where there is one, else the value. */
  valueStart = 0;
  /** First byte of the value (after the length, where there is one). */
  start = 0;
  /** One past the last byte of the value. */
  end = 0;
  #position: number;
  readonly #limit: number;
  #data: DataView | undefined;

  constructor(bytes: Uint8Array, path: string, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.path = path;
    this.#position = start;
    this.#limit = end;
  }

  /** Moves to the next field. @returns false at the end of the message */
  next(): boolean {
    while (this.#position < this.#limit) {
      const tagAt = this.#position;
      this.tagStart = tagAt;
      this.#readTag();
      if (this.wireType === WIRE_GROUP_START) {
        this.#skipGroup(tagAt);
        continue;
      }
      if (this.wireType === WIRE_GROUP_END) {
        throw new WireFormatError(this.path, tagAt, `end of group ${this.number} without its start`);
      }
      this.#readValueRange(tagAt);
      return true;
    }
    return false;
  }

  /**
   * A scanner that stands on one field whose tag was read elsewhere; `value` is what follows the tag (length included).
   */
  static onValue(number: number, wireType: number, value: Uint8Array, path: string): FieldScanner {
    const scanner = new FieldScanner(value, path);
    scanner.number = number;
    scanner.wireType = wireType;
    scanner.#readValueRange(0);
    return scanner;
  }

  /** The whole field, tag included: a view. */
  whole(): Uint8Array {
    return this.bytes.subarray(this.tagStart, this.end);
  }

  /** The bytes of the value: a view, nothing is copied. */
  view(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  /** Throws unless the present field has this wire type. `name` is the field's name in the schema. */
  expect(wireType: number, name: string): void {
    if (this.wireType === wireType) return;
    throw this.fault(name, `has wire type ${wireTypeName(this.wireType)}, must be ${wireTypeName(wireType)}`);
  }

  /** An error about the present field. */
  fault(name: string, problem: string): WireFormatError {
    return new WireFormatError(`${this.path}.${name}`, this.start, problem);
  }

  /** The value as a boolean: any varint but zero is true. */
  bool(name: string): boolean {
    this.expect(WIRE_VARINT, name);
    for (let at = this.start; at < this.end; at++) if ((this.bytes[at]! & 0x7f) !== 0) return true;
    return false;
  }

  /** The value as a signed 32-bit number: the low 32 bits of the varint. */
  int32(name: string): number {
    this.expect(WIRE_VARINT, name);
    let value = 0;
    for (let at = this.start, shift = 0; at < this.end && shift < 32; at++, shift += 7) {
      value |= (this.bytes[at]! & 0x7f) << shift;
    }
    return value;
  }

  /** The value as a signed 64-bit number. */
  int64(name: string): bigint {
    this.expect(WIRE_VARINT, name);
    let value = 0n;
    for (let at = this.start, shift = 0n; at < this.end; at++, shift += 7n) {
      value |= BigInt(this.bytes[at]! & 0x7f) << shift;
    }
    return BigInt.asIntN(64, value);
  }

  /** The value as a double. A NaN keeps its bits only in {@link view}. */
  double(name: string): number {
    this.expect(WIRE_I64, name);
    this.#data ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    return this.#data.getFloat64(this.start, true);
  }

  /** The value as text. */
  string(name: string): string {
    this.expect(WIRE_LEN, name);
    return decodeUtf8(this.bytes, this.start, this.end, `${this.path}.${name}`);
  }

  #readTag(): void {
    const tagAt = this.#position;
    let tag = 0;
    for (let read = 0; ; read++) {
      if (this.#position >= this.#limit) throw new WireFormatError(this.path, tagAt, "a tag is cut off");
      const byte = this.bytes[this.#position++]!;
      // The fifth byte holds the top four of the 32 bits.
      if (read === MAX_TAG_BYTES - 1 && byte > 0x0f) {
        throw new WireFormatError(this.path, tagAt, "a tag is longer than 32 bits");
      }
      tag += (byte & 0x7f) * 2 ** (7 * read);
      if (byte < 0x80) break;
    }
    this.wireType = tag % 8;
    this.number = Math.floor(tag / 8);
    if (this.number === 0) throw new WireFormatError(this.path, tagAt, "field number 0 is not allowed");
    if (this.wireType > WIRE_I32) {
      throw new WireFormatError(this.path, tagAt, `field ${this.number} has the unknown wire type ${this.wireType}`);
    }
  }

  #readValueRange(tagAt: number): void {
    this.valueStart = this.#position;
    this.start = this.#position;
    if (this.wireType === WIRE_VARINT) {
      this.#skipVarint();
      this.end = this.#position;
      return;
    }
    let length = this.wireType === WIRE_I64 ? 8 : 4;
    if (this.wireType === WIRE_LEN) {
      length = this.#readLength();
      this.start = this.#position;
    }
    if (length > this.#limit - this.start) {
      throw new WireFormatError(
        this.path,
        tagAt,
        `field ${this.number} is cut off: its value has ${length} bytes, ${this.#limit - this.start} remain`,
      );
    }
    this.end = this.start + length;
    this.#position = this.end;
  }

  #skipVarint(): void {
    const start = this.#position;
    for (let read = 1; ; read++) {
      if (this.#position >= this.#limit) {
        throw new WireFormatError(this.path, start, `the varint of field ${this.number} is cut off`);
      }
      if (this.bytes[this.#position++]! < 0x80) return;
      if (read === MAX_VARINT_BYTES) {
        throw new WireFormatError(this.path, start, `the varint of field ${this.number} is longer than 10 bytes`);
      }
    }
  }

  #readLength(): number {
    const start = this.#position;
    this.#skipVarint();
    let length = 0;
    // Beyond 2^53 the sum is inexact, and far above any length that can remain.
    for (let at = this.#position - 1; at >= start; at--) length = length * 128 + (this.bytes[at]! & 0x7f);
    return length;
  }

  #skipGroup(tagAt: number): void {
    const open = [this.number];
    while (open.length > 0) {
      if (this.#position >= this.#limit) {
        throw new WireFormatError(this.path, tagAt, `group ${open.at(-1)} has no end`);
      }
      const at = this.#position;
      this.#readTag();
      if (this.wireType === WIRE_GROUP_START) {
        if (open.length === MAX_GROUP_DEPTH) {
          throw new WireFormatError(this.path, at, `groups are nested deeper than ${MAX_GROUP_DEPTH}`);
        }
        open.push(this.number);
      } else if (this.wireType === WIRE_GROUP_END) {
        const expected = open.pop();
        if (expected !== this.number) {
          throw new WireFormatError(this.path, at, `group ${expected} is ended as group ${this.number}`);
        }
      } else {
        this.#readValueRange(at);
      }
    }
  }
}

/** Text of `bytes[start, end)`. @throws WireFormatError if it is not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number, path: string): string {
  if (start === end) return "";
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch (cause) {
    const error = new WireFormatError(path, start, "the text is not valid UTF-8");
    error.cause = cause;
    throw error;
  }
}

/**
 * The segments of an embedded message. Protobuf lets a singular message occur several times and merges the occurrences,
 * which equals decoding their concatenation; a list of views is that concatenation without the copy.
 */
export type Segments = readonly Uint8Array[];

/** What protobuf-es keeps of a field it does not know: the value as on the wire, length included, without the tag. */
export interface RawField {
  readonly no: number;
  readonly wireType: number;
  readonly data: Uint8Array;
}

/** An encoded message: its bytes, or its top-level fields as a raw route hands them over (see raw-service.ts). */
export type EncodedMessage = Uint8Array | readonly RawField[];

/** Calls `visit` for every top-level field of a message, in order. */
export function forEachField(message: EncodedMessage, path: string, visit: (field: FieldScanner) => void): void {
  if (message instanceof Uint8Array) {
    const scanner = new FieldScanner(message, path);
    while (scanner.next()) visit(scanner);
    return;
  }
  for (const { no, wireType, data } of message) {
    if (wireType !== WIRE_GROUP_START) visit(FieldScanner.onValue(no, wireType, data, path));
  }
}

/** Calls `visit` for every field of an embedded message, in order. */
export function forEachFieldOf(segments: Segments, path: string, visit: (field: FieldScanner) => void): void {
  for (const segment of segments) forEachField(segment, path, visit);
}

/** All segments as one array: the only segment itself, or a copy of several. */
export function joinSegments(segments: Segments): Uint8Array {
  const [only, ...others] = segments;
  if (only !== undefined && others.length === 0) return only;
  let length = 0;
  for (const segment of segments) length += segment.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const segment of segments) {
    joined.set(segment, at);
    at += segment.length;
  }
  return joined;
}
