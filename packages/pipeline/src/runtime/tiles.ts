// Row tiles of image tensors [B, H, ...]: views of rows, and results put together again.
import { Moments } from "../graph/moments.ts";
import { allocate, elements, scalar, type Tensor, type TypedArray, tensor, toFloat64 } from "../graph/tensor.ts";
import type { MomentsNames, Tiling } from "./messages.ts";

export interface RowRange {
  /** Its place among the ranges that cover the images. */
  readonly index: number;
  readonly image: number;
  readonly start: number;
  readonly rows: number;
}

/** The ranges that cover `images` images of `height` rows, at most `rows` rows each. */
export function* rowRanges(images: number, height: number, rows: number): Generator<RowRange> {
  let index = 0;
  for (let image = 0; image < images; image++) {
    for (let start = 0; start < height; start += rows) {
      yield { index: index++, image, start, rows: Math.min(rows, height - start) };
    }
  }
}

/** Consecutive ranges that can be tiles of one run: of one image, as many rows each, at most `most`. */
export function* tileRuns(ranges: Iterable<RowRange>, most: number): Generator<[RowRange, ...RowRange[]]> {
  let run: RowRange[] = [];
  for (const range of ranges) {
    const [first] = run;
    if (first && (first.image !== range.image || first.rows !== range.rows || run.length === most)) {
      yield run as [RowRange, ...RowRange[]];
      run = [];
    }
    run.push(range);
  }
  if (run.length > 0) yield run as [RowRange, ...RowRange[]];
}

/** The same memory as `tiles` tensors, stacked along a new first axis: [1, rows, ...] becomes [tiles, 1, rows/tiles, ...]. */
export function stacked(t: Tensor, tiles: number): Tensor {
  const [images, rows, ...rest] = t.shape as [number, number, ...number[]];
  return { ...t, shape: [tiles, images, rows / tiles, ...rest] } as Tensor;
}

/** Tensor `index` of a stack of them, over the same memory. */
export function unstacked(stack: Tensor, index: number): Tensor {
  const shape = stack.shape.slice(1);
  const size = elements(shape);
  return { ...stack, shape, data: stack.data.subarray(index * size, (index + 1) * size) } as Tensor;
}

/** Elements after which an address is aligned in the same way again, whatever their type. */
const GRAIN = 64;

/**
 * At most `rows` rows of `width` pixels, at least one; so many, where there is room, that every tile begins where it would
 * in the whole image as far as alignment goes: the order in which the runtime adds numbers up depends on it.
 */
export function alignedRows(rows: number, width: number): number {
  let grain = GRAIN;
  while (grain > 1 && ((grain / 2) * width) % GRAIN === 0) grain /= 2;
  return rows > grain ? rows - (rows % grain) : Math.max(1, rows);
}

const rowElements = (shape: readonly number[]): number => elements(shape.slice(2));

/** Rows of one image as a tensor [1, rows, ...] over the same memory. */
export function rowsOf(t: Tensor, { image, start, rows }: RowRange): Tensor {
  const size = rowElements(t.shape);
  const from = (image * (t.shape[1] as number) + start) * size;
  const data = t.data.subarray(from, from + rows * size) as TypedArray;
  return { dtype: t.dtype, shape: [1, rows, ...t.shape.slice(2)], data } as Tensor;
}

/** Puts results of tiles together: [1, rows, ...] each, [B, H, ...] as a whole. */
export class RowAssembly {
  readonly #images: number;
  readonly #height: number;
  #whole: Tensor | undefined;

  constructor(images: number, height: number) {
    this.#images = images;
    this.#height = height;
  }

  put(tile: Tensor, { image, start }: RowRange): void {
    const size = rowElements(tile.shape);
    if (!this.#whole) {
      const shape = [this.#images, this.#height, ...tile.shape.slice(2)];
      this.#whole = { dtype: tile.dtype, shape, data: allocate(tile.dtype, elements(shape)) };
    }
    (this.#whole.data as Float64Array).set(tile.data as Float64Array, (image * this.#height + start) * size);
  }

  /** @throws if no tile was put */
  whole(): Tensor {
    if (!this.#whole) throw new Error("a tiled run without rows");
    return this.#whole;
  }
}

type Values = ReadonlyMap<string, Tensor>;

/** Merges the moments of tiles, in the order of the tiles: how sums are rounded depends on it. */
class MomentsAssembly {
  readonly #names: MomentsNames;
  readonly #early = new Map<number, Values>();
  #next = 0;
  #merged: Moments | undefined;

  constructor(names: MomentsNames) {
    this.#names = names;
  }

  put(values: Values, { index }: RowRange): void {
    this.#early.set(index, values);
    for (let tile = this.#early.get(this.#next); tile; tile = this.#early.get(this.#next)) {
      this.#early.delete(this.#next++);
      const { count, mean, second } = this.#names;
      const means = toFloat64(tile.get(mean) as Tensor);
      this.#merged ??= new Moments(means.length, true);
      this.#merged.merge(Number(tile.get(count)?.data[0]), means, toFloat64(tile.get(second) as Tensor));
    }
  }

  /** @throws if no tile was put */
  whole(): Map<string, Tensor> {
    if (!this.#merged) throw new Error("a tiled run without rows");
    const { width, count, mean, second } = this.#merged;
    return new Map<string, Tensor>([
      [this.#names.count, scalar("float64", count)],
      [this.#names.mean, tensor("float64", [width], mean)],
      [this.#names.second, tensor("float64", [width, width], second)],
    ]);
  }
}

/** The results of a segment that runs in row tiles, in whatever order these come. */
export class TileResults {
  readonly #images: ReadonlyMap<string, RowAssembly>;
  readonly #moments: readonly MomentsAssembly[];
  /** Of everything else, each tile gives the same. */
  readonly #same = new Map<string, Tensor>();

  constructor(images: number, height: number, tiling: Pick<Tiling, "outputs" | "moments">) {
    this.#images = new Map(tiling.outputs.map((name) => [name, new RowAssembly(images, height)]));
    this.#moments = tiling.moments.map((names) => new MomentsAssembly(names));
  }

  put(values: Values, range: RowRange): void {
    for (const [name, value] of values) {
      const image = this.#images.get(name);
      if (image) image.put(value, range);
      else if (!this.#same.has(name)) this.#same.set(name, value);
    }
    for (const moments of this.#moments) moments.put(values, range);
  }

  whole(): Map<string, Tensor> {
    const whole = new Map(this.#same);
    for (const [name, image] of this.#images) whole.set(name, image.whole());
    for (const moments of this.#moments) for (const [name, value] of moments.whole()) whole.set(name, value);
    return whole;
  }
}
