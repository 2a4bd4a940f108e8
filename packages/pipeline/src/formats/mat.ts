// MATLAB 5 `.mat` files (the default of save up to -v7): numeric arrays by name, compressed or not, in row-major order.
import { allocate, countElements, type DType, itemBytes, type NumericArray, stridesOf } from "./array.ts";
import { FormatError } from "./errors.ts";
import { readElements } from "./place.ts";
import {
  type ByteReader,
  type ByteSource,
  checkInflation,
  inflateReader,
  plainReader,
  readRange,
  sliceSource,
} from "./source.ts";

export interface MatVariable {
  readonly name: string;
  /** MATLAB's class: double, uint16, struct, … */
  readonly className: string;
  readonly shape: readonly number[];
  /**
   * How the array is stored, which for doubles may be narrower than the class: MATLAB stores whole numbers as the smallest
   * integers that hold them. Logical arrays are bool. undefined where the variable is no full, real numeric array; `refusal`
   * then says why.
   */
  readonly dtype: DType | undefined;
  readonly refusal?: string;
}

const HEADER_BYTES = 128;
const MATRIX = 14;
const COMPRESSED = 15;
/** Types of the elements that describe an array. */
const FLAGS = 6;
const SIZES = 5;
const NAME = 1;

/** Storage types of elements; an array may be stored in a narrower type than its class. */
const STORED: Readonly<Record<number, DType>> = {
  1: "int8",
  2: "uint8",
  3: "int16",
  4: "uint16",
  5: "int32",
  6: "uint32",
  7: "float32",
  9: "float64",
  12: "int64",
  13: "uint64",
};

const CLASSES: Readonly<Record<number, { readonly name: string; readonly dtype?: DType }>> = {
  1: { name: "cell" },
  2: { name: "struct" },
  3: { name: "object" },
  4: { name: "char" },
  5: { name: "sparse" },
  6: { name: "double", dtype: "float64" },
  7: { name: "single", dtype: "float32" },
  8: { name: "int8", dtype: "int8" },
  9: { name: "uint8", dtype: "uint8" },
  10: { name: "int16", dtype: "int16" },
  11: { name: "uint16", dtype: "uint16" },
  12: { name: "int32", dtype: "int32" },
  13: { name: "uint32", dtype: "uint32" },
  14: { name: "int64", dtype: "int64" },
  15: { name: "uint64", dtype: "uint64" },
  16: { name: "function" },
  17: { name: "opaque" },
};

const COMPLEX = 0x08;
const LOGICAL = 0x02;
const MAX_NAME_BYTES = 4096;
const MAX_AXES = 32;

/** One variable whose header has been read; `reader` stands at its elements, if they are of a numeric type. */
interface OpenVariable extends MatVariable {
  readonly reader: SubReader;
  readonly elements?: { readonly stored: DType; readonly bytes: number };
}

/** The variables in order of the file. Of compressed ones only the beginning is inflated. */
export async function describeMat(source: ByteSource): Promise<readonly MatVariable[]> {
  const found: MatVariable[] = [];
  await eachVariable(source, async ({ reader: _, elements: __, ...variable }) => {
    found.push(variable);
    return true;
  });
  return found;
}

/**
 * The array of this name, row-major: MATLAB's element (i, j, k) is at [i, j, k].
 * @throws FormatError where the file is broken, the name is not there or its variable is no real numeric array
 */
export async function readMat(source: ByteSource, name: string): Promise<NumericArray> {
  const seen: string[] = [];
  let result: NumericArray | undefined;
  await eachVariable(source, async (variable) => {
    seen.push(variable.name);
    if (variable.name !== name) return true;
    result = await readVariable(variable, source.name);
    return false;
  });
  if (!result) throw new FormatError(source.name, `has no variable '${name}'; it has ${seen.join(", ") || "none"}`);
  return result;
}

async function readVariable(variable: OpenVariable, file: string): Promise<NumericArray> {
  const { name, dtype, shape, refusal, elements, reader } = variable;
  if (!dtype || !elements) throw new FormatError(file, `variable '${name}' ${refusal}`);
  const { stored, bytes } = elements;
  const count = countElements(shape) ?? 0;
  if (bytes !== count * itemBytes(stored)) {
    throw new FormatError(
      file,
      `variable '${name}' of size ${shape.join("x")} needs ${count * itemBytes(stored)} bytes as ${stored}, and declares ${bytes}`,
    );
  }
  reader.check(bytes);
  const data = allocate(dtype, count);
  const strides = stridesOf(shape);
  // The first index runs fastest in the file.
  const placement = { sizes: shape.toReversed(), strides: strides.toReversed() };
  await readElements(reader, { dtype: stored, bigEndian: reader.bigEndian }, { dtype, data }, placement);
  return { dtype, shape, data };
}

async function checkHeader(source: ByteSource): Promise<boolean> {
  const fault = (text: string): FormatError => new FormatError(source.name, text);
  const head = await readRange(source, 0, Math.min(source.size, HEADER_BYTES));
  const text = new TextDecoder("latin1").decode(head.subarray(0, 116));
  if (text.startsWith("MATLAB 7.3") || head.subarray(0, 8).toString() === "137,72,68,70,13,10,26,10") {
    throw fault("is a version 7.3 (HDF5) file, which is not read; save it with -v7");
  }
  if (head.byteLength >= 20 && head.subarray(0, 4).some((byte) => byte === 0)) {
    throw fault("is a version 4 file (or none of MATLAB's), which is not read; save it with -v7");
  }
  if (head.byteLength < HEADER_BYTES)
    throw fault(`has ${source.size} bytes, and a .mat file has at least ${HEADER_BYTES}`);
  const order = String.fromCharCode(head[126]!, head[127]!);
  if (order !== "IM" && order !== "MI") throw fault("is no MATLAB 5 file: its header has no byte order 'IM' or 'MI'");
  const bigEndian = order === "MI";
  const version = new DataView(head.buffer).getUint16(124, !bigEndian);
  if (version === 0x0200) throw fault("is a version 7.3 (HDF5) file, which is not read; save it with -v7");
  if (version !== 0x0100) throw fault(`has version 0x${version.toString(16)}; allowed is 0x100`);
  return bigEndian;
}

/** Calls `visit` for each variable until it answers false. */
async function eachVariable(source: ByteSource, visit: (variable: OpenVariable) => Promise<boolean>): Promise<void> {
  const bigEndian = await checkHeader(source);
  for (let at = HEADER_BYTES; at < source.size; ) {
    if (at + 8 > source.size) throw new FormatError(source.name, `ends within the tag at byte ${at}`);
    const tag = new DataView((await readRange(source, at, 8)).buffer);
    const type = tag.getUint32(0, !bigEndian);
    const bytes = tag.getUint32(4, !bigEndian);
    if (type !== MATRIX && type !== COMPRESSED) {
      throw new FormatError(
        source.name,
        `has an element of type ${type} at byte ${at}; allowed are 14 (array) and 15 (compressed)`,
      );
    }
    if (at + 8 + bytes > source.size) {
      throw new FormatError(
        source.name,
        `declares ${bytes} bytes at byte ${at + 8}, and the file ends at ${source.size}`,
      );
    }
    const part = sliceSource(source, at + 8, bytes);
    const inner = type === COMPRESSED ? inflateReader(part, { raw: false }) : plainReader(part);
    try {
      const variable = await openVariable(inner, part, type === COMPRESSED, bigEndian);
      if (variable && !(await visit(variable))) return;
    } finally {
      inner.close();
    }
    at += 8 + bytes;
  }
}

async function openVariable(inner: ByteReader, part: ByteSource, compressed: boolean, bigEndian: boolean) {
  const file = part.name;
  const reader = new SubReader(inner, file, bigEndian, part.size);
  if (compressed) {
    reader.limit = 8;
    const tag = await reader.tag();
    if (tag.type !== MATRIX)
      throw new FormatError(file, `has a compressed element of type ${tag.type}; allowed is 14 (array)`);
    checkInflation(file, "a compressed array", part.size, tag.bytes);
    reader.limit = tag.bytes;
  }
  return readVariableHeader(reader, file);
}

async function readVariableHeader(reader: SubReader, file: string): Promise<OpenVariable | undefined> {
  // MATLAB writes empty placeholders.
  if (reader.limit === 0) return undefined;
  const flags = await reader.element(FLAGS, 8, "array flags");
  const word = flags.getUint32(0, !reader.bigEndian);
  const kind = CLASSES[word & 0xff];
  if (!kind) throw new FormatError(file, `has an array of class ${word & 0xff}; allowed are 1 to 17`);
  const bits = (word >> 8) & 0xff;
  if (kind.name === "opaque") {
    return { name: "", className: kind.name, shape: [], dtype: undefined, refusal: refusalOf(kind.name), reader };
  }
  const sizes = await reader.element(SIZES, MAX_AXES * 4, "dimensions");
  const shape = Array.from({ length: sizes.byteLength / 4 }, (_, i) => sizes.getInt32(4 * i, !reader.bigEndian));
  const nameBytes = await reader.element(NAME, MAX_NAME_BYTES, "name");
  const name = new TextDecoder("latin1").decode(nameBytes);
  if (countElements(shape) === undefined) {
    throw new FormatError(file, `variable '${name}' has size ${shape.join("x")}, which is no possible size`);
  }
  const common = { name, className: kind.name, shape, reader };
  if (!kind.dtype) return { ...common, dtype: undefined, refusal: refusalOf(kind.name) };
  if (bits & COMPLEX) return { ...common, dtype: undefined, refusal: "is complex; allowed are real numbers" };
  const tag = await reader.tag();
  const stored = Object.hasOwn(STORED, tag.type) ? STORED[tag.type] : undefined;
  if (!stored) throw new FormatError(file, `variable '${name}' is stored as type ${tag.type}, which holds no numbers`);
  const whole = kind.dtype !== "float64" && kind.dtype !== "float32";
  const dtype = bits & LOGICAL ? "bool" : whole ? kind.dtype : stored;
  return { ...common, dtype, elements: { stored, bytes: tag.bytes } };
}

const refusalOf = (className: string): string => `is a ${className}; allowed are full numeric arrays`;

/** The bytes of one variable: counts what its tag declares and reads tags and small elements. */
class SubReader implements ByteReader {
  readonly bigEndian: boolean;
  readonly #inner: ByteReader;
  readonly #file: string;
  /** Bytes that the enclosing element has left. */
  limit: number;
  #small: Uint8Array<ArrayBuffer> | undefined;

  constructor(inner: ByteReader, file: string, bigEndian: boolean, limit: number) {
    this.#inner = inner;
    this.#file = file;
    this.bigEndian = bigEndian;
    this.limit = limit;
  }

  /** Refuses, before anything is allocated, what the enclosing element has no room for. */
  check(bytes: number): void {
    if (!this.#small && bytes > this.limit) {
      throw new FormatError(this.#file, `an array declares ${bytes} bytes, and its element has ${this.limit} left`);
    }
  }

  async fill(target: Uint8Array): Promise<void> {
    if (this.#small) {
      target.set(this.#small.subarray(0, target.byteLength));
      this.#small = undefined;
      return;
    }
    this.check(target.byteLength);
    await this.#inner.fill(target);
    this.limit -= target.byteLength;
  }

  close(): void {
    this.#inner.close();
  }

  /** A tag of 8 bytes. Up to 4 bytes of data may stand within it; then the next fill gives these. */
  async tag(): Promise<{ readonly type: number; readonly bytes: number; readonly small: boolean }> {
    const raw = new Uint8Array(8);
    await this.fill(raw);
    const view = new DataView(raw.buffer);
    const first = view.getUint32(0, !this.bigEndian);
    const bytes = first >>> 16;
    if (bytes === 0) return { type: first, bytes: view.getUint32(4, !this.bigEndian), small: false };
    if (bytes > 4) throw new FormatError(this.#file, `a small element declares ${bytes} bytes; allowed are 4`);
    this.#small = raw.slice(4, 4 + bytes);
    return { type: first & 0xffff, bytes, small: true };
  }

  /** A whole element, padded to 8 bytes. */
  async element(type: number, most: number, what: string): Promise<DataView> {
    const tag = await this.tag();
    if (tag.type !== type || tag.bytes > most || (type !== NAME && tag.bytes % 4 !== 0)) {
      throw new FormatError(
        this.#file,
        `an array's ${what} has type ${tag.type} and ${tag.bytes} bytes; allowed are type ${type} and at most ${most}`,
      );
    }
    const bytes = new Uint8Array(tag.bytes);
    if (tag.bytes > 0) await this.fill(bytes);
    const padding = tag.small ? 0 : (8 - (tag.bytes % 8)) % 8;
    if (padding > 0) await this.fill(new Uint8Array(padding));
    return new DataView(bytes.buffer);
  }
}
