// Row tiles of image tensors [B, H, ...]: views of rows, and results put together again.
import { allocate, elements, type Tensor, type TypedArray } from "../graph/tensor.ts";

export interface RowRange {
  readonly image: number;
  readonly start: number;
  readonly rows: number;
}

/** The ranges that cover `images` images of `height` rows, at most `rows` rows each. */
export function* rowRanges(images: number, height: number, rows: number): Generator<RowRange> {
  for (let image = 0; image < images; image++) {
    for (let start = 0; start < height; start += rows) yield { image, start, rows: Math.min(rows, height - start) };
  }
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
