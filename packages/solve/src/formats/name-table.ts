// Names of a model as bytes: numbered in the order of arrival and found again without making strings.
import { free, GrowingInts } from "./growing.ts";

/** Positions are kept as 32-bit integers. */
const maxBytes = 2 ** 31 - 1;

/** How many bytes of names are turned into text at once. */
const decodedBytes = 1 << 16;

/**
 * A hash table with open addressing. The bytes of all names stand one behind the other in one buffer; the slots hold
 * the number of a name plus 1 (0 is a free slot) and are at most half full.
 */
export class NameTable {
  #slots = new Int32Array(2048);
  /** Where each name ends in `#bytes`; it starts where the one before ends. */
  readonly #ends = new GrowingInts();
  #bytes = new Uint8Array(16384);

  get size(): number {
    return this.#ends.length;
  }

  /** The number of the name `bytes[start, end)`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const index = (this.#slots[slot] as number) - 1;
      if (index < 0) return -1;
      if (this.is(index, bytes, start, end)) return index;
    }
  }

  /** Whether `bytes[start, end)` is the name with this number. */
  is(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#start(index);
    const length = end - start;
    if (this.#ends.get(index) - from !== length) return false;
    // From behind: the names of a file mostly begin alike.
    for (let i = length - 1; i >= 0; i--) {
      if (this.#bytes[from + i] !== bytes[start + i]) return false;
    }
    return true;
  }

  /** Adds a name that `find` does not know, and gives its number. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const index = this.size;
    const from = index === 0 ? 0 : this.#ends.get(index - 1);
    const to = from + (end - start);
    if (to > maxBytes) throw new RangeError(`the names are longer than ${maxBytes} bytes in all`);
    if (to > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(to, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      free(this.#bytes);
      this.#bytes = larger;
    }
    for (let i = 0; i < end - start; i++) this.#bytes[from + i] = bytes[start + i] as number;
    this.#ends.push(to);
    if (2 * (index + 1) > this.#slots.length) this.#rehash(2 * this.#slots.length);
    else this.#place(index);
    return index;
  }

  name(index: number): string {
    return textOf(this.#bytes, this.#start(index), this.#ends.get(index));
  }

  /** All names in order. */
  names(): string[] {
    const names = new Array<string>(this.size);
    let text = "";
    let from = 0;
    let to = 0;
    for (let index = 0; index < names.length; index++) {
      const start = this.#start(index);
      const end = this.#ends.get(index);
      if (end > to) {
        // Many names are decoded at once and cut out; that is only right where each byte is one character.
        from = start;
        to = Math.max(end, Math.min(start + decodedBytes, this.#start(this.size)));
        text = isAscii(this.#bytes, from, to) ? textOf(this.#bytes, from, to) : "";
      }
      names[index] = text === "" ? this.name(index) : text.slice(start - from, end - from);
    }
    return names;
  }

  /** As `names`, and frees everything: the table is of no use afterwards. */
  takeNames(): string[] {
    const names = this.names();
    this.forgetSlots();
    free(this.#bytes);
    this.#ends.clear();
    return names;
  }

  /** Frees what only `find` and `add` need; neither may be called afterwards. */
  forgetSlots(): void {
    free(this.#slots);
  }

  #start(index: number): number {
    return index === 0 ? 0 : this.#ends.get(index - 1);
  }

  #place(index: number): void {
    const mask = this.#slots.length - 1;
    let slot = hashOf(this.#bytes, this.#start(index), this.#ends.get(index)) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = index + 1;
  }

  #rehash(slots: number): void {
    free(this.#slots);
    this.#slots = new Int32Array(slots);
    for (let index = 0; index < this.size; index++) this.#place(index);
  }
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo), with the upper half folded into the lower, which picks the slot. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const latin1 = new TextDecoder("latin1");

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) >= 0x80) return false;
  return true;
}

/** Text of bytes that are UTF-8, or else one character for each byte. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (isAscii(bytes, start, end))
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
  const view = bytes.subarray(start, end);
  try {
    return utf8.decode(view);
  } catch {
    return latin1.decode(view);
  }
}
