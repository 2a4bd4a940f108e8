// Lists of numbers that grow while a file of unknown size is read. They are kept in blocks, so that growing copies little,
// and are given back block by block, so that the same numbers hardly ever lie in memory twice.
//
// A block has 32 MiB: from that size on memory comes straight from the system, page by page as it is touched, and goes
// back to it when it is freed; smaller pieces would stay with the allocator. Small lists begin with less.

const blockBytes = 1 << 25;
/** Lengths of the first block before it has its full one. */
const firstLengths = [256, 1 << 14, 1 << 18] as const;

abstract class Growing<A extends Float64Array | Int32Array | Uint8Array> {
  length = 0;
  #blocks: A[] = [];
  #last: A;
  readonly #bits: number;
  readonly #mask: number;

  constructor(bytesPerElement: number) {
    this.#bits = Math.log2(blockBytes / bytesPerElement);
    this.#mask = 2 ** this.#bits - 1;
    this.#last = this.make(0);
  }

  protected abstract make(length: number): A;

  push(value: number): void {
    const at = this.length & this.#mask;
    if (at === this.#last.length || at === 0) this.#grow(at);
    this.#last[at] = value;
    this.length++;
  }

  get(index: number): number {
    return (this.#blocks[index >>> this.#bits] as A)[index & this.#mask] as number;
  }

  set(index: number, value: number): void {
    (this.#blocks[index >>> this.#bits] as A)[index & this.#mask] = value;
  }

  /** Forgets the elements from `length` on. */
  shorten(length: number): void {
    this.length = length;
    const blocks = Math.ceil(length / (this.#mask + 1));
    for (const block of this.#blocks.splice(blocks)) free(block);
    this.#last = this.#blocks.at(-1) ?? this.make(0);
  }

  /** Exactly what was pushed, in one array. The list is empty afterwards. */
  take(): A {
    const whole = this.make(this.length);
    for (let at = 0; at < whole.length; at += this.#mask + 1) {
      const block = this.#blocks.shift() as A;
      whole.set(block.subarray(0, Math.min(block.length, whole.length - at)), at);
      free(block);
    }
    this.clear();
    return whole;
  }

  /** Forgets everything, and frees its memory at once. */
  clear(): void {
    this.shorten(0);
  }

  #grow(at: number): void {
    if (at === 0) {
      this.#last = this.make(this.#blocks.length === 0 ? firstLengths[0] : this.#mask + 1);
      this.#blocks.push(this.#last);
      return;
    }
    const small = this.#last;
    const larger = this.make(firstLengths.find((length) => length > small.length) ?? this.#mask + 1);
    larger.set(small);
    free(small);
    this.#last = larger;
    this.#blocks[0] = larger;
  }
}

/** 64-bit numbers. */
export class GrowingFloats extends Growing<Float64Array> {
  constructor() {
    super(8);
  }

  protected make(length: number): Float64Array {
    return new Float64Array(length);
  }

  /**
   * Moves each element i to place `targets[i]`, without a second array; `targets` must be a permutation, and becomes its
   * inverse, complemented: element j then came from place `~targets[j]`.
   */
  permute(targets: GrowingInts): void {
    for (let start = 0; start < this.length; start++) {
      let to = targets.get(start);
      if (to < 0) continue;
      let from = start;
      let moved = this.get(start);
      for (;;) {
        const next = targets.get(to);
        const found = this.get(to);
        targets.set(to, ~from);
        this.set(to, moved);
        if (to === start) break;
        from = to;
        to = next;
        moved = found;
      }
    }
  }
}

/** 32-bit integers. */
export class GrowingInts extends Growing<Int32Array> {
  constructor() {
    super(4);
  }

  protected make(length: number): Int32Array {
    return new Int32Array(length);
  }
}

/** Integers from 0 to 255. */
export class GrowingBytes extends Growing<Uint8Array> {
  constructor() {
    super(1);
  }

  protected make(length: number): Uint8Array {
    return new Uint8Array(length);
  }
}

/** A detached buffer's memory is given back at once, not when the collector comes by. */
export function free(array: Float64Array | Int32Array | Uint8Array): void {
  if (array.buffer.byteLength > 0) (array.buffer as ArrayBuffer).transfer(0);
}
