// Reads the pickles that torch writes for tensors and plain values, and refuses every other opcode and global.
// A pickle is a program: what it may name is listed here, and nothing it says is ever looked up, imported or called.
import type { DType } from "../formats/array.ts";
import { FormatError } from "../formats/errors.ts";

/** A storage as a pickle names it: the bytes lie in the archive under `data/<key>`. */
export interface StorageRef {
  readonly key: string;
  /** undefined for untyped storages, which count bytes. */
  readonly dtype: DType | undefined;
  readonly length: number;
}

/** A tensor as a pickle describes it: a strided look at a storage. Offset and strides count elements. */
export class TensorRef {
  readonly storage: StorageRef;
  readonly dtype: DType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: StorageRef, dtype: DType, offset: number, shape: number[], strides: number[]) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** What a pickle may hold, with tensors of type T. Mappings keep their order; tuples and lists are both arrays. */
export type Pickled<T> =
  | null
  | boolean
  | number
  | bigint
  | string
  | T
  | Pickled<T>[]
  | Map<string | number, Pickled<T>>;

/** Storage classes of torch and what they hold. */
export const STORAGE_TYPES: Readonly<Record<string, DType>> = {
  FloatStorage: "float32",
  DoubleStorage: "float64",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};

/** dtypes that torch writes by name, because no storage class of their own exists (and those that have one). */
const TORCH_DTYPES: Readonly<Record<string, DType>> = {
  ...Object.fromEntries([...Object.values(STORAGE_TYPES)].map((dtype) => [dtype, dtype])),
  uint16: "uint16",
  uint32: "uint32",
  uint64: "uint64",
};

/** A name that a pickle may use; it never becomes part of a result. */
class Global {
  readonly path: string;
  readonly use: "mapping" | "tensor2" | "tensor3" | "storage" | "untyped" | "dtype";
  readonly dtype: DType | undefined;

  constructor(path: string, use: Global["use"], dtype?: DType) {
    this.path = path;
    this.use = use;
    this.dtype = dtype;
  }
}

class Storage {
  readonly ref: StorageRef;
  constructor(ref: StorageRef) {
    this.ref = ref;
  }
}

type Item =
  | null
  | boolean
  | number
  | bigint
  | string
  | TensorRef
  | Global
  | Storage
  | Item[]
  | Map<string | number, Item>;

const MAX_DEPTH = 64;
const MAX_VALUES = 4_000_000;

const OP = {
  PROTO: 0x80,
  MARK: 0x28,
  STOP: 0x2e,
  EMPTY_DICT: 0x7d,
  EMPTY_LIST: 0x5d,
  EMPTY_TUPLE: 0x29,
  TUPLE: 0x74,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  SETITEM: 0x73,
  SETITEMS: 0x75,
  APPEND: 0x61,
  APPENDS: 0x65,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  BINUNICODE: 0x58,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  LONG1: 0x8a,
  BINFLOAT: 0x47,
  NONE: 0x4e,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  GLOBAL: 0x63,
  REDUCE: 0x52,
  BUILD: 0x62,
  BINPERSID: 0x51,
} as const;

export { OP as PICKLE_OPCODES };

/**
 * Reads one pickle of protocol 2.
 * @param file how errors call the file
 * @throws FormatError for any opcode, global, call or shape of data that torch's plain weights files do not have
 */
export function readPickle(bytes: Uint8Array, file: string): Pickled<TensorRef> {
  const machine = new Machine(bytes, file);
  const value = machine.run();
  checkPlain(value, file);
  return value as Pickled<TensorRef>;
}

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #memo = new Map<number, Item>();
  #stack: Item[] = [];
  readonly #marks: Item[][] = [];
  #at = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  #fault(text: string): FormatError {
    return new FormatError(this.#file, `its pickle ${text} (at byte ${this.#at})`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.byteLength)
      throw this.#fault(`is cut off: it ends after ${this.#bytes.byteLength} bytes`);
    this.#at += count;
    return at;
  }

  #pop(): Item {
    const item = this.#stack.pop();
    if (item === undefined) throw this.#fault("takes a value from an empty stack");
    return item;
  }

  #popMark(): Item[] {
    const items = this.#stack;
    const outer = this.#marks.pop();
    if (!outer) throw this.#fault("closes a group that was never opened");
    this.#stack = outer;
    return items;
  }

  #top(): Item {
    const item = this.#stack.at(-1);
    if (item === undefined) throw this.#fault("looks at an empty stack");
    return item;
  }

  run(): Item {
    if (this.#bytes[0] !== OP.PROTO || this.#bytes[1] !== 2) {
      throw this.#fault("does not start as protocol 2, which alone is allowed");
    }
    while (true) {
      const op = this.#bytes[this.#take(1)]!;
      if (op === OP.STOP) {
        const value = this.#pop();
        if (this.#stack.length > 0 || this.#marks.length > 0) throw this.#fault("leaves values behind at its end");
        return value;
      }
      this.#step(op);
    }
  }

  #step(op: number): void {
    const stack = this.#stack;
    switch (op) {
      case OP.PROTO: {
        const version = this.#bytes[this.#take(1)];
        if (version !== 2) throw this.#fault(`has protocol ${version}; allowed is 2`);
        return;
      }
      case OP.MARK:
        this.#marks.push(stack);
        this.#stack = [];
        return;
      case OP.EMPTY_DICT:
        stack.push(new Map());
        return;
      case OP.EMPTY_LIST:
      case OP.EMPTY_TUPLE:
        stack.push([]);
        return;
      case OP.TUPLE: {
        const items = this.#popMark();
        this.#stack.push(items);
        return;
      }
      case OP.TUPLE1:
      case OP.TUPLE2:
      case OP.TUPLE3: {
        const count = op - OP.TUPLE1 + 1;
        if (stack.length < count) throw this.#fault("takes a value from an empty stack");
        stack.push(stack.splice(-count));
        return;
      }
      case OP.SETITEM: {
        const value = this.#pop();
        const key = this.#pop();
        this.#set([key, value]);
        return;
      }
      case OP.SETITEMS:
        this.#set(this.#popMark());
        return;
      case OP.APPEND:
        this.#append([this.#pop()]);
        return;
      case OP.APPENDS:
        this.#append(this.#popMark());
        return;
      case OP.BINPUT:
        this.#memo.set(this.#bytes[this.#take(1)]!, this.#top());
        return;
      case OP.LONG_BINPUT:
        this.#memo.set(this.#view.getUint32(this.#take(4), true), this.#top());
        return;
      case OP.BINGET:
        stack.push(this.#recall(this.#bytes[this.#take(1)]!));
        return;
      case OP.LONG_BINGET:
        stack.push(this.#recall(this.#view.getUint32(this.#take(4), true)));
        return;
      case OP.BINUNICODE: {
        const length = this.#view.getUint32(this.#take(4), true);
        const start = this.#take(length);
        stack.push(this.#text(start, start + length));
        return;
      }
      case OP.BININT:
        stack.push(this.#view.getInt32(this.#take(4), true));
        return;
      case OP.BININT1:
        stack.push(this.#bytes[this.#take(1)]!);
        return;
      case OP.BININT2:
        stack.push(this.#view.getUint16(this.#take(2), true));
        return;
      case OP.LONG1:
        stack.push(this.#long());
        return;
      case OP.BINFLOAT:
        stack.push(this.#view.getFloat64(this.#take(8), false));
        return;
      case OP.NONE:
        stack.push(null);
        return;
      case OP.NEWTRUE:
        stack.push(true);
        return;
      case OP.NEWFALSE:
        stack.push(false);
        return;
      case OP.GLOBAL:
        stack.push(this.#global());
        return;
      case OP.REDUCE: {
        const args = this.#pop();
        const callee = this.#pop();
        stack.push(this.#call(callee, args));
        return;
      }
      case OP.BUILD: {
        // torch attaches `_metadata` to the mappings of modules; it says nothing about the weights.
        this.#pop();
        if (!(this.#top() instanceof Map)) throw this.#fault("attaches state to something that is no mapping");
        return;
      }
      case OP.BINPERSID:
        stack.push(this.#storage(this.#pop()));
        return;
      default:
        throw this.#fault(
          `has opcode 0x${op.toString(16).padStart(2, "0")}, which weights files do not need and is refused`,
        );
    }
  }

  #text(start: number, end: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes.subarray(start, end));
    } catch (cause) {
      throw new FormatError(this.#file, `its pickle holds text that is no UTF-8 (at byte ${start})`, { cause });
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#fault("is cut off within a name");
    const text = this.#text(this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #long(): number | bigint {
    const length = this.#bytes[this.#take(1)]!;
    if (length > 8) throw this.#fault(`holds an integer of ${length} bytes; allowed are 8`);
    const start = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[start + i]!);
    value = BigInt.asIntN(length * 8, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  #recall(key: number): Item {
    const item = this.#memo.get(key);
    if (item === undefined) throw this.#fault(`recalls memo ${key}, which was never stored`);
    return item;
  }

  #set(pairs: Item[]): void {
    const target = this.#top();
    if (!(target instanceof Map)) throw this.#fault("sets an item of something that is no mapping");
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i]!;
      if (typeof key !== "string" && typeof key !== "number")
        throw this.#fault("has a key that is neither text nor number");
      const value = pairs[i + 1];
      if (value === undefined) throw this.#fault("has a key without a value");
      target.set(key, value);
    }
  }

  #append(items: Item[]): void {
    const target = this.#top();
    if (!Array.isArray(target)) throw this.#fault("appends to something that is no list");
    for (const item of items) target.push(item);
  }

  #global(): Global {
    const module = this.#line();
    const name = this.#line();
    const path = `${module}.${name}`;
    if (path === "collections.OrderedDict") return new Global(path, "mapping");
    if (path === "torch._utils._rebuild_tensor_v2") return new Global(path, "tensor2");
    if (path === "torch._utils._rebuild_tensor_v3") return new Global(path, "tensor3");
    if (path === "torch.storage.UntypedStorage") return new Global(path, "untyped");
    if (module === "torch") {
      if (Object.hasOwn(STORAGE_TYPES, name)) return new Global(path, "storage", STORAGE_TYPES[name]);
      if (Object.hasOwn(TORCH_DTYPES, name)) return new Global(path, "dtype", TORCH_DTYPES[name]);
    }
    throw this.#fault(
      `names the global '${path}', which is refused; allowed are OrderedDict, torch's tensor rebuilding and its storage types`,
    );
  }

  #call(callee: Item, args: Item): Item {
    if (!(callee instanceof Global) || !Array.isArray(args)) throw this.#fault("calls something that cannot be called");
    if (callee.use === "mapping") {
      if (args.length > 0) throw this.#fault("makes a mapping with arguments, which is refused");
      return new Map();
    }
    if (callee.use === "tensor2" || callee.use === "tensor3") return this.#tensor(callee, args);
    throw this.#fault(`calls '${callee.path}', which is refused`);
  }

  #tensor(callee: Global, args: Item[]): TensorRef {
    const [storage, offset, shape, strides, , hooks, named] = args;
    const wrong = (what: string): FormatError => this.#fault(`rebuilds a tensor with a wrong ${what}`);
    if (!(storage instanceof Storage)) throw wrong("storage");
    if (args.length < (callee.use === "tensor3" ? 7 : 6)) throw wrong("number of arguments");
    if (hooks instanceof Map && hooks.size > 0) throw wrong("set of hooks (there may be none)");
    const dtype = callee.use === "tensor2" ? storage.ref.dtype : named instanceof Global ? named.dtype : undefined;
    if (!dtype) throw wrong("dtype");
    if (!isSize(offset)) throw wrong("offset");
    if (!isSizes(shape)) throw wrong("size");
    if (!isSizes(strides) || strides.length !== shape.length) throw wrong("stride");
    return new TensorRef(storage.ref, dtype, offset, shape, strides);
  }

  #storage(id: Item): Storage {
    const [tag, type, key, device, length] = Array.isArray(id) ? id : [];
    if (tag !== "storage" || !(type instanceof Global) || typeof key !== "string" || typeof device !== "string") {
      throw this.#fault("has a persistent id that is no storage");
    }
    if (type.use !== "storage" && type.use !== "untyped") throw this.#fault(`has a storage of type '${type.path}'`);
    if (!isSize(length)) throw this.#fault(`has a storage '${key}' without a length`);
    return new Storage({ key, dtype: type.use === "storage" ? type.dtype : undefined, length });
  }
}

const isSize = (item: Item | undefined): item is number => Number.isSafeInteger(item) && (item as number) >= 0;
const isSizes = (item: Item | undefined): item is number[] => Array.isArray(item) && item.every(isSize);

/** Holds that only plain values remain, none within itself, and that writing them out would take a bounded time. */
function checkPlain(root: Item, file: string): void {
  let count = 0;
  const visit = (item: Item, depth: number): void => {
    if (item instanceof Global || item instanceof Storage) {
      throw new FormatError(file, "its pickle has a class or a storage where a value belongs");
    }
    if (++count > MAX_VALUES || depth > MAX_DEPTH) {
      throw new FormatError(
        file,
        `its pickle is nested deeper than ${MAX_DEPTH} levels or holds more than ${MAX_VALUES} values`,
      );
    }
    if (Array.isArray(item)) for (const child of item) visit(child, depth + 1);
    else if (item instanceof Map) for (const child of item.values()) visit(child, depth + 1);
  };
  visit(root, 0);
}
