// Packed repeated numbers ↔ typed arrays. Packed doubles are little-endian IEEE 754 on the wire, which is the memory of a
// Float64Array; packed int32 and enum numbers are varints.
import { WireFormatError } from "./errors.ts";
import { FieldScanner, type Segments, WIRE_I64, WIRE_LEN, WIRE_VARINT } from "./fields.ts";

/** What a repeated number field holds: `double`, or `int32` (also for enum fields). */
export type ElementKind = "double" | "int32";
/** A decoded repeated number field. */
export type NumberArray = Float64Array | Int32Array;

if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
  throw new Error("Sortie moves arrays between wire and memory as they are: it needs a little-endian machine");
}

/**
 * The doubles in `bytes`: a view where memory is 8-aligned, else one copy.
 * @throws WireFormatError if the length is not a multiple of 8
 */
export function doublesFromBytes(bytes: Uint8Array, path = "doubles"): Float64Array {
  if (bytes.length % 8 !== 0) {
    throw new WireFormatError(path, 0, `${bytes.length} bytes of packed doubles are not a multiple of 8`);
  }
  if (bytes.byteOffset % 8 === 0) return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  const doubles = new Float64Array(bytes.length / 8);
  asBytes(doubles).set(bytes);
  return doubles;
}

/** The memory of a typed array as bytes: a view. For a Float64Array this is its packed encoding. */
export function asBytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/**
 * The numbers in a run of varints, each cut to its low 32 bits as protobuf demands of int32.
 * @throws WireFormatError if the last varint is cut off or one is longer than 10 bytes
 */
export function int32sFromVarints(bytes: Uint8Array, path = "varints"): Int32Array {
  const numbers = new Int32Array(countVarints(bytes, 0, bytes.length, path));
  fillInt32s(bytes, 0, bytes.length, numbers, 0, path);
  return numbers;
}

/** How many varints `bytes[start, end)` holds. */
function countVarints(bytes: Uint8Array, start: number, end: number, path: string): number {
  if (end > start && bytes[end - 1]! >= 0x80) throw new WireFormatError(path, start, "the last varint is cut off");
  let count = 0;
  for (let at = start; at < end; at++) count += (bytes[at]! >> 7) ^ 1;
  return count;
}

/** Decodes `bytes[start, end)`, whose last byte ends a varint, into `out` from index `at`. */
function fillInt32s(bytes: Uint8Array, start: number, end: number, out: Int32Array, at: number, path: string): void {
  let position = start;
  let index = at;
  while (position < end) {
    let byte = bytes[position++]!;
    if (byte < 0x80) {
      out[index++] = byte;
      continue;
    }
    const varintAt = position - 1;
    let value = byte & 0x7f;
    for (let shift = 7; ; shift += 7) {
      byte = bytes[position++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift === 63) throw new WireFormatError(path, varintAt, "a varint is longer than 10 bytes");
    }
    out[index++] = value;
  }
}

/** How many bytes the numbers take as varints; a negative one takes ten. */
function varintsLength(numbers: Int32Array): number {
  let length = 0;
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]!;
    if (value < 0) length += 10;
    else if (value < 0x80) length += 1;
    else if (value < 0x4000) length += 2;
    else if (value < 0x200000) length += 3;
    else if (value < 0x10000000) length += 4;
    else length += 5;
  }
  return length;
}

/** Encodes int32 (or enum) numbers as packed varints. */
export function varintsFromInt32s(numbers: Int32Array): Uint8Array {
  const bytes = new Uint8Array(varintsLength(numbers));
  let at = 0;
  for (let i = 0; i < numbers.length; i++) {
    let value = numbers[i]!;
    if (value < 0) {
      // Sign-extended to 64 bits: nine full groups and a last one.
      for (let group = 0; group < 9; group++) {
        bytes[at++] = (value & 0x7f) | 0x80;
        value >>= 7;
      }
      bytes[at++] = 1;
      continue;
    }
    while (value >= 0x80) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[at++] = value;
  }
  return bytes;
}

/** One repeated number field of a message. */
export interface ArrayField {
  readonly number: number;
  readonly name: string;
  readonly kind: ElementKind;
}

interface Tally {
  readonly field: ArrayField;
  /** Elements so far, in all runs and single values. */
  elements: number;
  /** How often the field occurred. */
  occurrences: number;
  /** The value when it was a single packed run. */
  onlyRun: Uint8Array | undefined;
}

/**
 * Decodes the repeated number fields of a message. A field may be one packed run (the usual case: one view or one pass),
 * several runs, single unpacked values, or a mixture; they are put together in order.
 * @param fields the fields to decode
 * @param onOther called for every other field, in order
 * @returns by field number, only fields that occur (an empty packed run gives an empty array)
 * @throws WireFormatError on malformed bytes or a wire type that is neither packed nor the element's own
 */
export function decodeArrays(
  segments: Segments,
  path: string,
  fields: readonly ArrayField[],
  onOther: (field: FieldScanner) => void,
): Map<number, NumberArray> {
  const tallies: (Tally | undefined)[] = [];
  for (const field of fields) tallies[field.number] = { field, elements: 0, occurrences: 0, onlyRun: undefined };
  let scattered = false;

  for (const segment of segments) {
    const scanner = new FieldScanner(segment, path);
    while (scanner.next()) {
      const tally = tallies[scanner.number];
      if (tally === undefined) {
        onOther(scanner);
        continue;
      }
      tally.elements += countElements(scanner, tally.field);
      tally.occurrences++;
      const alone = tally.occurrences === 1 && scanner.wireType === WIRE_LEN;
      tally.onlyRun = alone ? scanner.view() : undefined;
      if (!alone) scattered = true;
    }
  }

  const arrays = new Map<number, NumberArray>();
  for (const field of fields) {
    const tally = tallies[field.number]!;
    if (tally.occurrences === 0) continue;
    const where = `${path}.${field.name}`;
    if (tally.onlyRun === undefined) {
      arrays.set(
        field.number,
        field.kind === "double" ? new Float64Array(tally.elements) : new Int32Array(tally.elements),
      );
    } else if (field.kind === "double") {
      arrays.set(field.number, doublesFromBytes(tally.onlyRun, where));
    } else {
      const numbers = new Int32Array(tally.elements);
      fillInt32s(tally.onlyRun, 0, tally.onlyRun.length, numbers, 0, where);
      arrays.set(field.number, numbers);
    }
  }
  if (scattered) fillScattered(segments, path, tallies, arrays);
  return arrays;
}

/** How many elements the present field adds. */
function countElements(scanner: FieldScanner, field: ArrayField): number {
  if (scanner.wireType === WIRE_LEN) {
    if (field.kind === "int32") {
      return countVarints(scanner.bytes, scanner.start, scanner.end, `${scanner.path}.${field.name}`);
    }
    const length = scanner.end - scanner.start;
    if (length % 8 !== 0) {
      throw scanner.fault(field.name, `${length} bytes of packed doubles are not a multiple of 8`);
    }
    return length / 8;
  }
  scanner.expect(field.kind === "double" ? WIRE_I64 : WIRE_VARINT, field.name);
  return 1;
}

/** Second pass, for fields that were not a single packed run. */
function fillScattered(
  segments: Segments,
  path: string,
  tallies: readonly (Tally | undefined)[],
  arrays: ReadonlyMap<number, NumberArray>,
): void {
  const filled: number[] = [];
  for (const segment of segments) {
    const scanner = new FieldScanner(segment, path);
    while (scanner.next()) {
      const tally = tallies[scanner.number];
      if (tally === undefined || tally.onlyRun !== undefined) continue;
      const array = arrays.get(scanner.number)!;
      const at = filled[scanner.number] ?? 0;
      if (array instanceof Float64Array) {
        asBytes(array).set(scanner.view(), at * 8);
        filled[scanner.number] = at + (scanner.end - scanner.start) / 8;
      } else if (scanner.wireType === WIRE_LEN) {
        const where = `${path}.${tally.field.name}`;
        fillInt32s(scanner.bytes, scanner.start, scanner.end, array, at, where);
        filled[scanner.number] = at + countVarints(scanner.bytes, scanner.start, scanner.end, where);
      } else {
        array[at] = scanner.int32(tally.field.name);
        filled[scanner.number] = at + 1;
      }
    }
  }
}
