// Puts elements that arrive in any axis order, byte order or narrower type into a row-major array, strip by strip.
import { allocate, bytesOf, convertArray, type DType, itemBytes, swapBytes, type TypedArray, viewAs } from "./array.ts";
import type { ByteReader, ByteSource } from "./source.ts";

/** How a file lies on the target: the axes from slowest to fastest as the file has them, with their steps in the target. */
export interface Placement {
  readonly sizes: readonly number[];
  /** Steps in elements of the target, one per axis. */
  readonly strides: readonly number[];
}

export interface FileElements {
  readonly dtype: DType;
  readonly bigEndian: boolean;
}

const STRIP_BYTES = 1 << 18;
const bigEndianHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

/** Whether the file's order is the target's order already. */
function inOrder({ sizes, strides }: Placement): boolean {
  let step = 1;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    if (sizes[axis] !== 1 && strides[axis] !== step) return false;
    step *= sizes[axis]!;
  }
  return true;
}

/**
 * Reads product(placement.sizes) elements. Bytes go straight into the target where order and type agree; otherwise they
 * pass through a strip of 256 KiB, so that no second copy of the array ever exists.
 */
export async function readElements(
  reader: ByteReader,
  file: FileElements,
  target: { readonly dtype: DType; readonly data: TypedArray },
  placement: Placement,
): Promise<void> {
  const size = itemBytes(file.dtype);
  const swap = size > 1 && file.bigEndian !== bigEndianHost;
  if (file.dtype === target.dtype && inOrder(placement)) {
    const bytes = bytesOf(target.data);
    await reader.fill(bytes);
    if (swap) swapBytes(bytes, size);
    return;
  }
  const place = placer(target, placement);
  const perStrip = STRIP_BYTES / size;
  const strip = allocate(file.dtype, Math.min(perStrip, target.data.length));
  for (let left = target.data.length; left > 0; ) {
    const count = Math.min(left, perStrip);
    const elements = strip.subarray(0, count) as TypedArray;
    const bytes = bytesOf(elements);
    await reader.fill(bytes);
    if (swap) swapBytes(bytes, size);
    place(convertArray({ dtype: file.dtype, shape: [count], data: elements }, target.dtype).data);
    left -= count;
  }
}

/** Scatters bit patterns, so that one loop per element size serves every type and no NaN loses its payload. */
function placer(target: { readonly dtype: DType; readonly data: TypedArray }, placement: Placement) {
  const size = itemBytes(target.dtype);
  const words = size === 8 ? 2 : 1;
  const out = wordsOf(target.data, size);
  const last = placement.sizes.length - 1;
  const index = new Array<number>(placement.sizes.length).fill(0);
  const lastSize = placement.sizes[last] ?? 1;
  const lastStride = placement.strides[last] ?? 1;
  let base = 0;
  const nextRun = (): void => {
    for (let axis = last - 1; axis >= 0; axis--) {
      base += placement.strides[axis]!;
      index[axis]! += 1;
      if (index[axis] !== placement.sizes[axis]) return;
      base -= placement.strides[axis]! * placement.sizes[axis]!;
      index[axis] = 0;
    }
  };
  let at = 0;
  return (strip: TypedArray): void => {
    const from = wordsOf(strip, size);
    for (let i = 0; i < strip.length; ) {
      const run = Math.min(strip.length - i, lastSize - at);
      let to = base + at * lastStride;
      if (words === 1) {
        for (let end = i + run; i < end; i++, to += lastStride) out[to] = from[i]!;
      } else {
        for (let end = i + run; i < end; i++, to += lastStride) {
          out[2 * to] = from[2 * i]!;
          out[2 * to + 1] = from[2 * i + 1]!;
        }
      }
      at += run;
      if (at === lastSize) {
        at = 0;
        nextRun();
      }
    }
  };
}

function wordsOf(data: TypedArray, size: number): Words {
  if (size === 1) return bytesOf(data);
  const dtype = size === 2 ? "uint16" : "uint32";
  return viewAs(dtype, data.buffer, data.byteOffset, data.byteLength / (size === 2 ? 2 : 4));
}

/** Bytes of planes that are turned together, and pixels that are turned at a time: what the processor's caches hold. */
const BLOCK_BYTES = 16 << 20;
const TILE_PIXELS = 64;

/**
 * Reads `planes` planes of `pixels` elements each, one behind the other from `offset` on, into [pixels, planes]. Instead of
 * scattering each plane over the whole array, it reads the same stretch of all planes and turns that.
 */
export async function readPlanes(
  source: ByteSource,
  offset: number,
  file: FileElements,
  target: { readonly dtype: DType; readonly data: TypedArray },
  planes: number,
  pixels: number,
): Promise<void> {
  const size = itemBytes(file.dtype);
  const swap = size > 1 && file.bigEndian !== bigEndianHost;
  const perBlock = Math.max(1, Math.min(pixels, Math.floor(BLOCK_BYTES / (planes * size))));
  const block = allocate(file.dtype, perBlock * planes);
  const bytes = bytesOf(block);
  const from = wordsOf(block, size);
  const out = wordsOf(target.data, size);
  const words = size === 8 ? 2 : 1;
  for (let first = 0; first < pixels; first += perBlock) {
    const count = Math.min(perBlock, pixels - first);
    for (let plane = 0; plane < planes; plane++) {
      const start = plane * count * size;
      await source.readInto(bytes.subarray(start, start + count * size), offset + (plane * pixels + first) * size);
    }
    if (swap) swapBytes(bytes.subarray(0, planes * count * size), size);
    turn(from, out, { planes, count, first, words });
  }
}

type Words = Uint8Array | Uint16Array | Uint32Array;

/** Planes of `count` pixels become pixels of `planes` elements, tile by tile. */
function turn(
  from: Words,
  out: Words,
  {
    planes,
    count,
    first,
    words,
  }: { readonly planes: number; readonly count: number; readonly first: number; readonly words: number },
): void {
  const step = planes * words;
  for (let tile = 0; tile < count; tile += TILE_PIXELS) {
    const pixels = Math.min(TILE_PIXELS, count - tile);
    for (let plane = 0; plane < planes; plane++) {
      let at = words * (plane * count + tile);
      let to = words * ((first + tile) * planes + plane);
      for (let i = 0; i < pixels; i++, at += words, to += step) {
        out[to] = from[at]!;
        if (words === 2) out[to + 1] = from[at + 1]!;
      }
    }
  }
}
