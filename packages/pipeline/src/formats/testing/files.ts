// Sources for tests: fixtures, buffers, and arrays laid out in another order.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { allocate, bytesOf, type DType, itemBytes, type NumericArray, swapBytes } from "../array.ts";
import { type ByteSource, bytesSource } from "../source.ts";

export const fixtureBytes = (name: string): Uint8Array => readFileSync(fileURLToPath(new URL(name, import.meta.url)));
export const fixture = (name: string): ByteSource => bytesSource(name, fixtureBytes(name));
export const textSource = (name: string, text: string): ByteSource => bytesSource(name, new TextEncoder().encode(text));

/** 0, 1, 2, … in row-major order. */
export function counting(dtype: DType, shape: readonly number[]): NumericArray {
  const data = allocate(
    dtype,
    shape.reduce((product, size) => product * size, 1),
  );
  for (let i = 0; i < data.length; i++)
    data[i] = data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(i) : i;
  return { dtype, shape, data };
}

/** The array's bytes with its axes written in the order `axes`, slowest first. */
export function bytesInOrder(array: NumericArray, axes: readonly number[], bigEndian = false): Uint8Array {
  const { shape, dtype, data } = array;
  const out = allocate(dtype, data.length);
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    const at = shape.reduce((sum, size, axis) => sum * size + index[axis]!, 0);
    out[i] = data[at]!;
    for (const axis of axes.toReversed()) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  if (bigEndian) swapBytes(bytesOf(out), itemBytes(dtype));
  return bytesOf(out);
}
