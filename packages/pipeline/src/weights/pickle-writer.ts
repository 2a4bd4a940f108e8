// Writes plain values and tensors as a pickle that torch's restricted loader reads.
import { type DType, type NumericArray, stridesOf } from "../formats/array.ts";
import { PICKLE_OPCODES as OP, type Pickled, STORAGE_TYPES } from "./pickle.ts";

const STORAGE_OF = new Map<DType, string>(Object.entries(STORAGE_TYPES).map(([name, dtype]) => [dtype, name]));

/** A value to write; an OrderedDict is asked for by its own wrapper, as modules' state has it. */
export class Ordered {
  readonly entries: ReadonlyMap<string, NumericArray>;
  constructor(entries: ReadonlyMap<string, NumericArray>) {
    this.entries = entries;
  }
}

export type Picklable = Pickled<NumericArray | Ordered>;

/** The pickle and, in the order of their keys "0", "1", …, the arrays that it refers to. */
export interface PickledTensors {
  readonly pickle: Uint8Array<ArrayBuffer>;
  readonly storages: readonly NumericArray[];
}

/** @throws TypeError for a value that no pickle of ours can hold */
export function writePickle(value: Picklable): PickledTensors {
  const out = new Writer();
  out.bytes(OP.PROTO, 2);
  out.value(value);
  out.bytes(OP.STOP);
  return { pickle: out.done(), storages: out.storages };
}

class Writer {
  readonly storages: NumericArray[] = [];
  readonly #encoder = new TextEncoder();
  #buffer = new Uint8Array(1024);
  #length = 0;

  done(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  #room(count: number): number {
    const at = this.#length;
    if (at + count > this.#buffer.byteLength) {
      const larger = new Uint8Array(Math.max(2 * this.#buffer.byteLength, at + count));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#length += count;
    return at;
  }

  #view(): DataView {
    return new DataView(this.#buffer.buffer);
  }

  bytes(...values: number[]): void {
    const at = this.#room(values.length);
    this.#buffer.set(values, at);
  }

  #global(module: string, name: string): void {
    this.bytes(OP.GLOBAL);
    this.#raw(this.#encoder.encode(`${module}\n${name}\n`));
  }

  #raw(data: Uint8Array): void {
    const at = this.#room(data.byteLength);
    this.#buffer.set(data, at);
  }

  value(value: Picklable): void {
    if (value === null) this.bytes(OP.NONE);
    else if (value === true) this.bytes(OP.NEWTRUE);
    else if (value === false) this.bytes(OP.NEWFALSE);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "bigint") this.#long(value);
    else if (value instanceof Ordered) this.#ordered(value);
    else if (value instanceof Map) {
      this.bytes(OP.EMPTY_DICT);
      this.#items(value);
    } else if (Array.isArray(value)) {
      this.bytes(OP.EMPTY_LIST);
      if (value.length === 0) return;
      this.bytes(OP.MARK);
      for (const item of value) this.value(item);
      this.bytes(OP.APPENDS);
    } else this.#tensor(value);
  }

  #text(text: string): void {
    const data = this.#encoder.encode(text);
    this.bytes(OP.BINUNICODE);
    const at = this.#room(4);
    this.#view().setUint32(at, data.byteLength, true);
    this.#raw(data);
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.bytes(OP.BINFLOAT);
      const at = this.#room(8);
      this.#view().setFloat64(at, value, false);
    } else if (value >= 0 && value < 256) {
      this.bytes(OP.BININT1, value);
    } else if (value >= -0x80000000 && value <= 0x7fffffff) {
      this.bytes(OP.BININT);
      const at = this.#room(4);
      this.#view().setInt32(at, value, true);
    } else {
      this.#long(BigInt(value));
    }
  }

  #long(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw new TypeError(`${value} does not fit in 64 bits`);
    this.bytes(OP.LONG1, 8);
    const at = this.#room(8);
    this.#view().setBigInt64(at, value, true);
  }

  #items(entries: ReadonlyMap<string | number, Picklable>): void {
    if (entries.size === 0) return;
    this.bytes(OP.MARK);
    for (const [key, item] of entries) {
      this.value(key);
      this.value(item);
    }
    this.bytes(OP.SETITEMS);
  }

  #ordered(value: Ordered): void {
    this.#newOrderedDict();
    this.#items(value.entries);
  }

  #newOrderedDict(): void {
    this.#global("collections", "OrderedDict");
    this.bytes(OP.EMPTY_TUPLE, OP.REDUCE);
  }

  /** dtypes without a storage class of their own go through an untyped storage, which counts bytes. */
  #tensor(tensor: NumericArray): void {
    const storage = STORAGE_OF.get(tensor.dtype);
    this.#global("torch._utils", storage ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
    this.bytes(OP.MARK, OP.MARK);
    this.#text("storage");
    if (storage) this.#global("torch", storage);
    else this.#global("torch.storage", "UntypedStorage");
    this.#text(String(this.storages.length));
    this.#text("cpu");
    this.#number(storage ? tensor.data.length : tensor.data.byteLength);
    this.bytes(OP.TUPLE, OP.BINPERSID);
    this.#number(0);
    this.#tuple(tensor.shape);
    this.#tuple(stridesOf(tensor.shape));
    this.bytes(OP.NEWFALSE);
    this.#newOrderedDict();
    if (!storage) this.#global("torch", tensor.dtype);
    this.bytes(OP.TUPLE, OP.REDUCE);
    this.storages.push(tensor);
  }

  #tuple(items: readonly number[]): void {
    this.bytes(OP.MARK);
    for (const item of items) this.#number(item);
    this.bytes(OP.TUPLE);
  }
}
