// NumPy's `.npy`: versions 1 to 3, both byte orders, C and Fortran order; written as version 1 in C order.
import { allocate, bytesOf, countElements, type DType, itemBytes, type NumericArray, stridesOf } from "./array.ts";
import { FormatError } from "./errors.ts";
import { type FileElements, readElements } from "./place.ts";
import { type ByteReader, type ByteSource, plainReader } from "./source.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** NumPy refuses longer headers too, since only structured types need them. */
const MAX_HEADER_BYTES = 1 << 16;

const KINDS: Readonly<Record<string, DType>> = {
  b1: "bool",
  u1: "uint8",
  i1: "int8",
  u2: "uint16",
  i2: "int16",
  u4: "uint32",
  i4: "int32",
  u8: "uint64",
  i8: "int64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
};
const KIND_OF = new Map<DType, string>(Object.entries(KINDS).map(([kind, dtype]) => [dtype, kind]));

export interface NpyHeader extends FileElements {
  readonly shape: readonly number[];
  readonly fortranOrder: boolean;
  /** Of the header; the elements follow it. */
  readonly bytes: number;
  /** Product of the shape. */
  readonly elements: number;
}

/** @throws FormatError */
export async function readNpy(source: ByteSource): Promise<NumericArray> {
  return readNpyFrom(plainReader(source), source.name, source.size);
}

/** The header alone. */
export async function describeNpy(source: ByteSource): Promise<NpyHeader> {
  return readNpyHeader(plainReader(source), source.name, source.size);
}

/** Reads an array of `size` bytes, header included, from a sequence of bytes. */
export async function readNpyFrom(reader: ByteReader, file: string, size: number): Promise<NumericArray> {
  const header = await readNpyHeader(reader, file, size);
  const { dtype, shape, elements } = header;
  const data = allocate(dtype, elements);
  const strides = stridesOf(shape);
  // In Fortran order the last axis is the slowest of the file.
  const placement = header.fortranOrder
    ? { sizes: shape.toReversed(), strides: strides.toReversed() }
    : { sizes: shape, strides };
  await readElements(reader, header, { dtype, data }, placement);
  return { dtype, shape, data };
}

/** Leaves the reader at the first element. The elements are known to fit into `size` bytes. */
export async function readNpyHeader(reader: ByteReader, file: string, size: number): Promise<NpyHeader> {
  const fault = (text: string): FormatError => new FormatError(file, text);
  if (size < 10) throw fault(`has ${size} bytes, and a .npy file has at least 10`);
  const head = new Uint8Array(8);
  await reader.fill(head);
  if (MAGIC.some((byte, i) => head[i] !== byte)) throw fault("is no .npy file: it does not start with \\x93NUMPY");
  const version = head[6]!;
  if (version < 1 || version > 3) throw fault(`has .npy version ${version}.${head[7]}; allowed are 1, 2 and 3`);
  const lengthBytes = version === 1 ? 2 : 4;
  const lengthField = new Uint8Array(4);
  await reader.fill(lengthField.subarray(0, lengthBytes));
  const length = new DataView(lengthField.buffer).getUint32(0, true);
  const start = 8 + lengthBytes;
  if (start + length > size) throw fault(`declares a header of ${length} bytes, and the file has ${size}`);
  if (length > MAX_HEADER_BYTES) throw fault(`declares a header of ${length} bytes; allowed are ${MAX_HEADER_BYTES}`);
  const text = new Uint8Array(length);
  await reader.fill(text);
  const header = parseHeader(new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(text), file);
  const needed = header.elements * itemBytes(header.dtype);
  const bytes = start + length;
  if (bytes + needed > size) {
    throw fault(
      `declares shape (${header.shape.join(", ")}) of ${header.dtype}, which needs ${needed} bytes after the header; there are ${size - bytes}`,
    );
  }
  return { ...header, bytes };
}

/** The header is a Python literal: {'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }. */
function parseHeader(text: string, file: string): Omit<NpyHeader, "bytes"> {
  const fault = (what: string): FormatError => new FormatError(file, what);
  if (!/^\s*\{.*\}\s*$/s.test(text)) throw fault("has a .npy header that is no mapping");
  const descr = /['"]descr['"]\s*:\s*(?:['"]([^'"]*)['"]|(\[))/.exec(text);
  if (!descr) throw fault("has a .npy header without 'descr'");
  if (descr[2]) throw fault("holds a structured type; allowed are plain numbers");
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  if (!order) throw fault("has a .npy header whose 'fortran_order' is neither True nor False");
  const sizes = /['"]shape['"]\s*:\s*\(([^()]*)\)/.exec(text)?.[1];
  const shape = sizes === undefined ? undefined : parseShape(sizes);
  if (!shape) throw fault("has a .npy header whose 'shape' is no tuple of sizes");
  const elements = countElements(shape);
  if (elements === undefined) throw fault(`has shape (${shape.join(", ")}), whose product is no possible size`);
  return { ...parseDescr(descr[1]!, file), fortranOrder: order === "True", shape, elements };
}

function parseShape(text: string): number[] | undefined {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.at(-1) === "") parts.pop();
  // NumPy of Python 2 wrote long integers with an L.
  return parts.every((part) => /^\d+L?$/.test(part)) ? parts.map((part) => Number.parseInt(part, 10)) : undefined;
}

function parseDescr(descr: string, file: string): FileElements {
  const kind = descr.replace(/^[<>=|]/, "");
  const dtype = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (!dtype) {
    const reason: Readonly<Record<string, string>> = {
      O: "Python objects, which only a pickle could hold",
      c: "complex numbers",
      S: "byte strings",
      U: "text",
      V: "raw records",
      M: "dates",
      m: "durations",
    };
    const what = reason[kind[0] ?? ""];
    throw new FormatError(
      file,
      `holds elements of type '${descr}'${what ? ` (${what})` : ""}; allowed are ${Object.keys(KINDS).join(", ")}`,
    );
  }
  return { dtype, bigEndian: descr.startsWith(">") };
}

/**
 * A `.npy` file in two parts, the header and a view of the array's own bytes, so that no copy is made.
 * bfloat16 has no NumPy type and is refused.
 */
export function writeNpy({ dtype, shape, data }: NumericArray): [header: Uint8Array, elements: Uint8Array] {
  const kind = KIND_OF.get(dtype);
  if (!kind) throw new TypeError(`NumPy has no type for ${dtype}`);
  const order = itemBytes(dtype) === 1 ? "|" : "<";
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${order}${kind}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Elements start at a multiple of 64 bytes, the header ends with a newline.
  const total = Math.ceil((10 + text.length + 1) / 64) * 64;
  const header = new Uint8Array(total).fill(0x20);
  header.set(MAGIC);
  header.set([1, 0], 6);
  new DataView(header.buffer).setUint16(8, total - 10, true);
  header.set(new TextEncoder().encode(text), 10);
  header[total - 1] = 0x0a;
  return [header, bytesOf(data)];
}
