// Numeric arrays: element types, their typed arrays, sizes that are checked before anything is allocated, conversions.

/** Element types and the typed arrays that hold them. `bool` is one byte of 0 or 1; the 16-bit floats are bit patterns. */
export interface ArrayOf {
  bool: Uint8Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
  int8: Int8Array<ArrayBuffer>;
  uint16: Uint16Array<ArrayBuffer>;
  int16: Int16Array<ArrayBuffer>;
  uint32: Uint32Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  uint64: BigUint64Array<ArrayBuffer>;
  int64: BigInt64Array<ArrayBuffer>;
  float16: Uint16Array<ArrayBuffer>;
  bfloat16: Uint16Array<ArrayBuffer>;
  float32: Float32Array<ArrayBuffer>;
  float64: Float64Array<ArrayBuffer>;
}

export type DType = keyof ArrayOf;
export type TypedArray = ArrayOf[DType];

/** An array in row-major (C) order: `data.length` is the product of `shape`; an empty shape is a scalar. */
export interface NumericArray<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: ArrayOf[D];
}

/** A hyperspectral cube: shape [lines, samples, bands], with the bands' centres in nanometres where the file tells them. */
export interface Cube extends NumericArray {
  readonly wavelengthsNm?: readonly number[];
}

interface Layout {
  readonly bytes: number;
  readonly view: (buffer: ArrayBuffer, byteOffset: number, length: number) => TypedArray;
}

const LAYOUTS: { readonly [D in DType]: Layout } = {
  bool: { bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
  uint8: { bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
  int8: { bytes: 1, view: (b, o, n) => new Int8Array(b, o, n) },
  uint16: { bytes: 2, view: (b, o, n) => new Uint16Array(b, o, n) },
  int16: { bytes: 2, view: (b, o, n) => new Int16Array(b, o, n) },
  uint32: { bytes: 4, view: (b, o, n) => new Uint32Array(b, o, n) },
  int32: { bytes: 4, view: (b, o, n) => new Int32Array(b, o, n) },
  uint64: { bytes: 8, view: (b, o, n) => new BigUint64Array(b, o, n) },
  int64: { bytes: 8, view: (b, o, n) => new BigInt64Array(b, o, n) },
  float16: { bytes: 2, view: (b, o, n) => new Uint16Array(b, o, n) },
  bfloat16: { bytes: 2, view: (b, o, n) => new Uint16Array(b, o, n) },
  float32: { bytes: 4, view: (b, o, n) => new Float32Array(b, o, n) },
  float64: { bytes: 8, view: (b, o, n) => new Float64Array(b, o, n) },
};

export const DTYPES = Object.keys(LAYOUTS) as readonly DType[];

export const itemBytes = (dtype: DType): number => LAYOUTS[dtype].bytes;

/** A view of `length` elements; `byteOffset` must be a multiple of the element size. */
export const viewAs = <D extends DType>(
  dtype: D,
  buffer: ArrayBuffer,
  byteOffset: number,
  length: number,
): ArrayOf[D] => LAYOUTS[dtype].view(buffer, byteOffset, length) as ArrayOf[D];

export const allocate = <D extends DType>(dtype: D, length: number): ArrayOf[D] =>
  viewAs(dtype, new ArrayBuffer(length * itemBytes(dtype)), 0, length);

export const bytesOf = (data: TypedArray): Uint8Array<ArrayBuffer> =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** The product of a shape, or undefined where a size is negative, no integer, or the product is no exact integer. */
export function countElements(shape: readonly number[]): number | undefined {
  let count = 1;
  let empty = false;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    if (size === 0) empty = true;
    else count *= size;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return empty ? 0 : count;
}

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}

/** Turns the byte order of every element round, in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else if (size === 8) buffer.swap64();
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** IEEE 754 binary16 bits as a number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest binary16 bits of a number (through float32, as torch rounds), ties to even. */
export function numberToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(Math.fround(value));
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  // In units of the last place: below 2048, so the sum with the exponent's bits carries over as it should.
  const units = roundHalfToEven(magnitude / 2 ** (exponent - 10));
  return sign | (units < 1024 ? units : ((exponent + 14) << 10) + units);
}

/** bfloat16 bits as a number: the upper half of a float32. */
export function bfloatToNumber(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratchFloat[0]!;
}

/** The nearest bfloat16 bits of a number (through float32), ties to even. */
export function numberToBfloat(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Element `index` as a number; 64-bit integers beyond 2^53 lose their last digits. */
export function readerOf(array: { readonly dtype: DType; readonly data: TypedArray }): (index: number) => number {
  const data = array.data;
  switch (array.dtype) {
    case "float16":
      return (index) => halfToNumber(data[index] as number);
    case "bfloat16":
      return (index) => bfloatToNumber(data[index] as number);
    default:
      return data instanceof BigInt64Array || data instanceof BigUint64Array
        ? (index) => Number(data[index])
        : (index) => data[index] as number;
  }
}

/**
 * The same values in another element type; the array itself where it has that type already. Floats become integers by
 * truncation, integers wrap around, any non-zero number becomes true.
 */
export function convertArray<D extends DType>(array: NumericArray, dtype: D): NumericArray<D> {
  if (array.dtype === dtype) return array as NumericArray as NumericArray<D>;
  const { data: from } = array;
  const length = from.length;
  const data = allocate(dtype, length) as TypedArray;
  const result = { dtype, shape: array.shape, data: data as ArrayOf[D] };
  if (isBigInts(from) && isBigInts(data)) {
    data.set(from as BigInt64Array & BigUint64Array);
    return result;
  }
  const read = readerOf(array);
  for (let i = 0; i < length; i++) {
    const value = read(i);
    if (dtype === "bool") data[i] = value !== 0 ? 1 : 0;
    else if (dtype === "float16") data[i] = numberToHalf(value);
    else if (dtype === "bfloat16") data[i] = numberToBfloat(value);
    else if (isBigInts(data)) data[i] = BigInt(Number.isFinite(value) ? Math.trunc(value) : 0);
    else data[i] = value;
  }
  return result;
}

const isBigInts = (data: TypedArray): data is ArrayOf["int64"] | ArrayOf["uint64"] =>
  data instanceof BigInt64Array || data instanceof BigUint64Array;
