// torch's `.pt` files: a stored ZIP of one pickle and its storages. Reading executes nothing; see pickle.ts.
import {
  allocate,
  bytesOf,
  countElements,
  type DType,
  itemBytes,
  type NumericArray,
  stridesOf,
  swapBytes,
  type TypedArray,
  viewAs,
} from "../formats/array.ts";
import { FormatError } from "../formats/errors.ts";
import type { ByteSource } from "../formats/source.ts";
import { readZipDirectory, readZipEntry, writeStoredZip, type ZipEntry } from "../formats/zip.ts";
import { type Pickled, readPickle, type StorageRef, TensorRef } from "./pickle.ts";
import { type Picklable, writePickle } from "./pickle-writer.ts";

/** torch's own alignment of storages within the archive. */
const ALIGNMENT = 64;

/**
 * Reads a file written by torch.save. Contiguous tensors are views of their storage, shared as in the file; others are
 * gathered in row-major order.
 * @throws FormatError naming the entry, the global or the tensor that is wrong
 */
export async function readTorch(source: ByteSource): Promise<Pickled<NumericArray>> {
  const entries = await readZipDirectory(source);
  const pickleName = [...entries.keys()].find((name) => name.endsWith("/data.pkl") || name === "data.pkl");
  if (pickleName === undefined) throw new FormatError(source.name, "is no torch file: it has no entry 'data.pkl'");
  const top = pickleName.slice(0, -"data.pkl".length);
  const bigEndian = await readByteOrder(source, entries.get(`${top}byteorder`));
  const value = readPickle(await readZipEntry(source, entries.get(pickleName)!), source.name);
  const storages = await readStorages(source, entries, top, value, bigEndian);
  return materialise(value, storages, source);
}

async function readByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<boolean> {
  if (!entry) return false;
  const order = entry.bytes <= 16 ? new TextDecoder().decode(await readZipEntry(source, entry)).trim() : "";
  if (order !== "little" && order !== "big") {
    throw new FormatError(source.name, `entry 'byteorder' says '${order}'; allowed are 'little' and 'big'`);
  }
  return order === "big";
}

function visitTensors(value: Pickled<TensorRef>, visit: (tensor: TensorRef) => void): void {
  if (value instanceof TensorRef) visit(value);
  else if (Array.isArray(value)) for (const item of value) visitTensors(item, visit);
  else if (value instanceof Map) for (const item of value.values()) visitTensors(item, visit);
}

/** The bytes of every storage that a tensor uses, each read once, in the host's byte order (little-endian). */
async function readStorages(
  source: ByteSource,
  entries: ReadonlyMap<string, ZipEntry>,
  top: string,
  value: Pickled<TensorRef>,
  bigEndian: boolean,
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const used = new Map<string, { storage: StorageRef; dtype: DType }>();
  visitTensors(value, ({ storage, dtype }) => {
    const other = used.get(storage.key);
    if (other && itemBytes(other.dtype) !== itemBytes(dtype)) {
      throw new FormatError(source.name, `storage '${storage.key}' is used as ${other.dtype} and as ${dtype}`);
    }
    used.set(storage.key, { storage, dtype });
  });
  const storages = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const [key, { storage, dtype }] of used) {
    const entry = entries.get(`${top}data/${key}`);
    if (!entry) throw new FormatError(source.name, `storage '${key}' has no entry 'data/${key}'`);
    const declared = storage.dtype ? storage.length * itemBytes(storage.dtype) : storage.length;
    if (entry.bytes !== declared) {
      throw new FormatError(
        source.name,
        `storage '${key}' declares ${storage.length} ${storage.dtype ?? "bytes"} (${declared} bytes), and its entry has ${entry.bytes}`,
      );
    }
    const bytes = await readZipEntry(source, entry);
    if (bigEndian) swapBytes(bytes, itemBytes(dtype));
    storages.set(key, bytes);
  }
  return storages;
}

function materialise(
  value: Pickled<TensorRef>,
  storages: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  source: ByteSource,
): Pickled<NumericArray> {
  // Strides of zero let a small storage pose as a large tensor, so what is copied has a budget.
  const budget = { bytes: 4 * source.size + (64 << 20) };
  const done = new Map<TensorRef, NumericArray>();
  const walk = (item: Pickled<TensorRef>): Pickled<NumericArray> => {
    if (item instanceof TensorRef) {
      let tensor = done.get(item);
      if (!tensor) {
        tensor = tensorFrom(item, storages.get(item.storage.key)!, budget, source.name);
        done.set(item, tensor);
      }
      return tensor;
    }
    if (Array.isArray(item)) return item.map(walk);
    if (item instanceof Map) return new Map([...item].map(([key, child]) => [key, walk(child)]));
    return item;
  };
  return walk(value);
}

function tensorFrom(
  ref: TensorRef,
  bytes: Uint8Array<ArrayBuffer>,
  budget: { bytes: number },
  file: string,
): NumericArray {
  const { dtype, shape, strides, offset } = ref;
  const size = itemBytes(dtype);
  const available = Math.floor(bytes.byteLength / size);
  const count = countElements(shape);
  const last = shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, offset);
  if (count === undefined || (count > 0 && last >= available) || offset > available) {
    throw new FormatError(
      file,
      `a tensor of shape [${shape.join(", ")}], strides [${strides.join(", ")}] and offset ${offset} reaches beyond the ${available} elements of storage '${ref.storage.key}'`,
    );
  }
  const dense = stridesOf(shape);
  const contiguous = count === 0 || shape.every((extent, axis) => extent === 1 || strides[axis] === dense[axis]);
  if (contiguous) return { dtype, shape, data: viewAs(dtype, bytes.buffer, count === 0 ? 0 : offset * size, count) };
  budget.bytes -= count * size;
  if (budget.bytes < 0) {
    throw new FormatError(
      file,
      `a tensor of shape [${shape.join(", ")}] repeats its storage beyond any reasonable size`,
    );
  }
  const data = allocate(dtype, count) as TypedArray;
  gather(viewAs(dtype, bytes.buffer, 0, available), data, ref);
  return { dtype, shape, data };
}

function gather(from: TypedArray, to: TypedArray, { shape, strides, offset }: TensorRef): void {
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = offset; i < to.length; i++) {
    to[i] = from[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

/**
 * A file that torch.load reads, also with `weights_only=True`, bit for bit.
 * @param top name of the folder within the archive; torch uses the stem of the file's name
 */
export function writeTorch(value: Picklable, top = "archive"): Uint8Array<ArrayBuffer> {
  const { pickle, storages } = writePickle(value);
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  return writeStoredZip(
    [
      { name: `${top}/data.pkl`, bytes: pickle },
      { name: `${top}/.format_version`, bytes: text("1") },
      { name: `${top}/.storage_alignment`, bytes: text(String(ALIGNMENT)) },
      { name: `${top}/byteorder`, bytes: text("little") },
      ...storages.map((tensor, key) => ({ name: `${top}/data/${key}`, bytes: bytesOf(tensor.data) })),
      { name: `${top}/version`, bytes: text("3\n") },
    ],
    ALIGNMENT,
  );
}
