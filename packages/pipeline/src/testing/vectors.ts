// Reference numbers for nodes (testdata/cuvis-vectors.json.gz) and their comparison with what was computed.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type DType, isTensor, type Tensor, tensor, toFloat64, type Value } from "../graph/tensor.ts";

export interface VectorTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
  readonly numpy?: boolean;
}
type Recorded =
  | VectorTensor
  | string
  | number
  | boolean
  | null
  | readonly unknown[]
  | { readonly [key: string]: unknown };
type Mapping = Readonly<Record<string, Recorded>>;

export interface VectorCase {
  readonly id: string;
  readonly class_name: string;
  readonly hparams: Readonly<Record<string, unknown>>;
  readonly stage: "train" | "val" | "test" | "inference";
  readonly fit?: readonly Mapping[];
  readonly fitted_state?: Readonly<Record<string, VectorTensor>>;
  readonly state?: Readonly<Record<string, VectorTensor>>;
  readonly state_after?: Readonly<Record<string, VectorTensor>>;
  readonly evaluation_mode?: boolean;
  /** A list for successive calls on one node. */
  readonly inputs: Mapping | readonly Mapping[];
  readonly outputs: Mapping | readonly Mapping[];
}

export interface Vectors {
  readonly cases: readonly VectorCase[];
  readonly training: {
    readonly batches: readonly Mapping[];
    readonly fitted_state: Readonly<Record<string, Readonly<Record<string, VectorTensor>>>>;
    readonly logits_after_fit: readonly VectorTensor[];
  };
  readonly shipped: Readonly<Record<string, VectorTensor>>;
}

export function readVectors(): Vectors {
  const file = new URL("../../testdata/cuvis-vectors.json.gz", import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString("utf8"));
}

export const isVectorTensor = (value: unknown): value is VectorTensor =>
  typeof value === "object" && value !== null && "dtype" in value && "shape" in value && "data" in value;

export const toTensor = ({ dtype, shape, data, numpy }: VectorTensor): Tensor =>
  tensor(dtype, shape, data.map(Number), numpy ?? false);

export const toValue = (recorded: Recorded): Value =>
  isVectorTensor(recorded) ? toTensor(recorded) : (recorded as Value);

export const toBatch = (mapping: Mapping): Record<string, Value> =>
  Object.fromEntries(Object.entries(mapping).map(([name, value]) => [name, toValue(value)]));

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}
export const FLOAT32: Tolerance = { relative: 1e-5, absolute: 1e-6 };
/** For inverses and eigenvectors. */
export const INVERSE: Tolerance = { relative: 1e-3, absolute: 1e-6 };

/** Where `found` differs from `expected`, or undefined. */
export function difference(
  found: unknown,
  expected: unknown,
  tolerance: Tolerance,
  where = "value",
): string | undefined {
  if (isVectorTensor(expected)) {
    if (!isTensor(found)) return `${where}: no tensor but ${JSON.stringify(found)}`;
    if (found.dtype !== expected.dtype) return `${where}: dtype ${found.dtype}, expected ${expected.dtype}`;
    if (found.shape.join() !== expected.shape.join())
      return `${where}: shape [${found.shape}], expected [${expected.shape}]`;
    const values = toFloat64(found);
    for (const [i, wanted] of expected.data.entries()) {
      const fault = difference(values[i], Number(wanted), tolerance, `${where}[${i}]`);
      if (fault) return fault;
    }
    return undefined;
  }
  if (typeof expected === "number") {
    if (typeof found !== "number") return `${where}: no number but ${JSON.stringify(found)}`;
    if (Object.is(found, expected) || found === expected) return undefined;
    const allowed = tolerance.absolute + tolerance.relative * Math.abs(expected);
    return Math.abs(found - expected) <= allowed ? undefined : `${where}: ${found}, expected ${expected}`;
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(found) || found.length !== expected.length)
      return `${where}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`;
    for (const [i, wanted] of expected.entries()) {
      const fault = difference(found[i], wanted, tolerance, `${where}[${i}]`);
      if (fault) return fault;
    }
    return undefined;
  }
  if (typeof expected === "object" && expected !== null) {
    if (typeof found !== "object" || found === null) return `${where}: ${JSON.stringify(found)}`;
    const [a, b] = [Object.keys(found).sort().join(), Object.keys(expected).sort().join()];
    if (a !== b) return `${where}: keys ${a}, expected ${b}`;
    for (const [key, wanted] of Object.entries(expected)) {
      const fault = difference((found as Record<string, unknown>)[key], wanted, tolerance, `${where}.${key}`);
      if (fault) return fault;
    }
    return undefined;
  }
  return found === expected ? undefined : `${where}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`;
}
