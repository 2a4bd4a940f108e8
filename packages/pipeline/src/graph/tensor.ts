// Tensors as they travel between nodes: a dtype, a row-major shape and one typed array.

/** Element types. float16 and bfloat16 are widened to float32 where data enter. */
export const DTYPES = [
  "float32",
  "float64",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
] as const;
export type DType = (typeof DTYPES)[number];

/** bool is stored as bytes 0 and 1, 64-bit integers as BigInt. */
export interface ArrayOf {
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
}
export type TypedArray = ArrayOf[DType];

export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  /** Row-major; [] for a scalar. */
  readonly shape: readonly number[];
  readonly data: ArrayOf[D];
  /** True for arrays that only the data nodes make; ports of a numpy type take nothing else. */
  readonly numpy?: boolean;
}

/** Whatever a port may carry: a tensor, or a text, number, list or mapping. */
export type Value = Tensor | string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

const CONSTRUCTORS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

export const bytesPerElement = (dtype: DType): number => CONSTRUCTORS[dtype].BYTES_PER_ELEMENT;
export const isFloat = (dtype: DType): boolean => dtype === "float32" || dtype === "float64";
export const isWide = (dtype: DType): dtype is "int64" | "uint64" => dtype === "int64" || dtype === "uint64";
export const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** A typed array of `dtype` with `length` zeros. */
export function allocate<D extends DType>(dtype: D, length: number): ArrayOf[D] {
  return new CONSTRUCTORS[dtype](length) as ArrayOf[D];
}

/** A typed array over `length` elements of `buffer` from `byteOffset`. */
export function view<D extends DType>(dtype: D, buffer: ArrayBuffer, byteOffset: number, length: number): ArrayOf[D] {
  return new CONSTRUCTORS[dtype](buffer, byteOffset, length) as ArrayOf[D];
}

/**
 * A tensor from numbers, converted to `dtype`.
 * @throws RangeError if the count does not fit the shape
 */
export function tensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  values: ArrayLike<number> | ArrayOf[D],
  numpy = false,
): Tensor<D> {
  const length = elements(shape);
  if (values.length !== length) {
    throw new RangeError(
      `a ${dtype} tensor of shape [${shape.join(", ")}] has ${length} elements, not ${values.length}`,
    );
  }
  const data =
    values instanceof CONSTRUCTORS[dtype] ? (values as ArrayOf[D]) : fill(dtype, values as ArrayLike<number>);
  return numpy ? { dtype, shape, data, numpy } : { dtype, shape, data };
}

function fill<D extends DType>(dtype: D, values: ArrayLike<number>): ArrayOf[D] {
  const data = allocate(dtype, values.length);
  if (isWide(dtype)) for (let i = 0; i < data.length; i++) data[i] = BigInt(Math.trunc(values[i] as number));
  else if (dtype === "bool") for (let i = 0; i < data.length; i++) data[i] = values[i] ? 1 : 0;
  else (data as Float64Array).set(values);
  return data;
}

export const scalar = <D extends DType>(dtype: D, value: number): Tensor<D> => tensor(dtype, [], [value]);

export function isTensor(value: unknown): value is Tensor {
  return (
    typeof value === "object" &&
    value !== null &&
    "dtype" in value &&
    "shape" in value &&
    "data" in value &&
    Array.isArray(value.shape) &&
    ArrayBuffer.isView(value.data)
  );
}

/** Element `index` as a number; 64-bit integers beyond 2^53 lose their low bits. */
export const at = (t: Tensor, index: number): number => Number(t.data[index]);

/** All elements as float64, without a copy where they are already. */
export function toFloat64(t: Tensor): Float64Array {
  if (t.dtype === "float64") return t.data as Float64Array;
  if (isWide(t.dtype)) return Float64Array.from(t.data as BigInt64Array, Number);
  return Float64Array.from(t.data as Float32Array);
}

export function toFloat32(t: Tensor): Float32Array {
  if (t.dtype === "float32") return t.data as Float32Array;
  if (isWide(t.dtype)) return Float32Array.from(t.data as BigInt64Array, Number);
  return Float32Array.from(t.data as Float64Array);
}

/** The same values as another dtype: floats truncate towards zero, bool is "not zero". */
export function castTensor<D extends DType>(t: Tensor, dtype: D): Tensor<D> {
  if ((t.dtype as DType) === dtype) return t as Tensor as Tensor<D>;
  const values = isWide(t.dtype) ? toFloat64(t) : (t.data as Float64Array);
  if (isWide(dtype)) return { dtype, shape: t.shape, data: fill(dtype, values) };
  return { dtype, shape: t.shape, data: fill(dtype, values) };
}

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis] as number;
  }
  return strides;
}

export const formatShape = (shape: readonly (number | string)[]): string => `[${shape.join(", ")}]`;
