// Tensors and data files of the tests' own making: the same numbers in every run.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { cuvis } from "@sortie/wire";
import type { World } from "./worlds.ts";

const { DType } = cuvis;
export type TensorInit = MessageInitShape<typeof cuvis.TensorSchema>;
type Numbers = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array;

export const BANDS = 61;
/** 430 to 910 nm. */
export const WAVELENGTHS: readonly number[] = Array.from({ length: BANDS }, (_, i) => 430 + 8 * i);

export function tensor(dtype: cuvis.DType, shape: readonly number[], data: Numbers): TensorInit {
  const value = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return { dtype, shape: shape.map(BigInt), payload: { case: "rawData", value } };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Numbers 0..1. */
export function numbers(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

export function counts(shape: readonly number[], seed = 1): Uint16Array {
  const random = numbers(seed);
  return Uint16Array.from({ length: sizeOf(shape) }, () => Math.floor(random() * 4000) + 50);
}

/** uint16 [B, H, W, 61] by default. */
export const cube = (shape: readonly number[] = [1, 2, 2, BANDS], seed = 1): TensorInit =>
  tensor(DType.UINT16, shape, counts(shape, seed));

/** int32 [B, 61] */
export const wavelengths = (images = 1, bands = BANDS): TensorInit =>
  tensor(
    DType.INT32,
    [images, bands],
    Int32Array.from({ length: images * bands }, (_, i) => 430 + 8 * (i % bands)),
  );

export const shapeOf = (found: cuvis.Tensor | undefined): number[] => (found?.shape ?? []).map(Number);
export const rawOf = (found: cuvis.Tensor | undefined): Uint8Array =>
  new Uint8Array(found?.payload.case === "rawData" ? found.payload.value : []);

/** The elements of an answer's tensor, of the type that it must have. */
export function floatsOf(found: cuvis.Tensor | undefined): Float32Array {
  if (found?.dtype !== DType.FLOAT32) throw new Error(`no float32 tensor but ${found?.dtype}`);
  const bytes = rawOf(found);
  return new Float32Array(bytes.buffer, 0, bytes.byteLength / 4);
}

/** A NumPy file, version 1. */
export function npy(descriptor: "<u2" | "<f4" | "<i4", shape: readonly number[], data: Numbers): Uint8Array {
  const header = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const padded = header.padEnd(Math.ceil((10 + header.length + 1) / 64) * 64 - 11, " ");
  const head = Uint8Array.of(0x93, ...Buffer.from("NUMPY"), 1, 0, (padded.length + 1) & 0xff, (padded.length + 1) >> 8);
  const body = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return Buffer.concat([head, Buffer.from(`${padded}\n`), body]);
}

/** Writes scenes of [lines, samples, 61] with masks below the data folder. @returns a data configuration that names them */
export async function writeScenes(world: World, name: string, options: { scenes?: number; lines?: number } = {}) {
  const { scenes = 2, lines = 8 } = options;
  const paths = { cubes: [] as string[], masks: [] as string[] };
  for (let i = 0; i < scenes; i++) {
    const shape = [lines, lines, BANDS];
    paths.cubes.push(await world.write(`data/${name}_${i}.npy`, npy("<u2", shape, counts(shape, 100 + i))));
    const random = numbers(200 + i);
    const mask = Int32Array.from({ length: lines * lines }, () => Math.floor(random() * 4));
    paths.masks.push(await world.write(`data/${name}_mask_${i}.npy`, npy("<i4", [lines, lines], mask)));
  }
  return {
    data_module: "files",
    batch_size: 1,
    params: { cubes: paths.cubes, masks: paths.masks, wavelengths_nm: [...WAVELENGTHS] },
  };
}
