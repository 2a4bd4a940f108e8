// safetensors: an eight-byte length, a JSON header, then the tensors' bytes without holes.
import { bytesOf, countElements, type DType, itemBytes, type NumericArray, viewAs } from "../formats/array.ts";
import { FormatError } from "../formats/errors.ts";
import { type ByteSource, readRange } from "../formats/source.ts";

const NAMES: Readonly<Record<string, DType>> = {
  BOOL: "bool",
  U8: "uint8",
  I8: "int8",
  U16: "uint16",
  I16: "int16",
  U32: "uint32",
  I32: "int32",
  U64: "uint64",
  I64: "int64",
  F16: "float16",
  BF16: "bfloat16",
  F32: "float32",
  F64: "float64",
};
const NAME_OF = new Map<DType, string>(Object.entries(NAMES).map(([name, dtype]) => [dtype, name]));

/** The format's own limit on its header. */
const MAX_HEADER_BYTES = 100_000_000;

export interface SafeTensors {
  readonly tensors: ReadonlyMap<string, NumericArray>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Row {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** @throws FormatError naming the tensor and the fault */
export async function readSafeTensors(source: ByteSource): Promise<SafeTensors> {
  const fault = (text: string, cause?: unknown): FormatError => new FormatError(source.name, text, { cause });
  if (source.size < 8) throw fault(`has ${source.size} bytes, and a safetensors file has at least 8`);
  const length = Number(new DataView((await readRange(source, 0, 8)).buffer).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || 8 + length > source.size) {
    throw fault(
      `declares a header of ${length} bytes; the file has ${source.size}, and ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await readRange(source, 8, length)));
  } catch (cause) {
    throw fault("has a header that is no JSON", cause);
  }
  if (!isRecord(header)) throw fault("has a header that is no JSON object");
  const body = source.size - 8 - length;
  const rows = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => rowFrom(source.name, name, entry, body));
  checkCover(source.name, rows, body);
  const tensors = new Map<string, NumericArray>();
  for (const { name, dtype, shape, start, end } of rows) {
    const bytes = await readRange(source, 8 + length + start, end - start);
    tensors.set(name, { dtype, shape, data: viewAs(dtype, bytes.buffer, 0, (end - start) / itemBytes(dtype)) });
  }
  const notes = isRecord(header["__metadata__"]) ? header["__metadata__"] : {};
  const metadata = Object.fromEntries(Object.entries(notes).map(([key, value]) => [key, String(value)]));
  return { tensors, metadata };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function rowFrom(file: string, name: string, entry: unknown, body: number): Row {
  const fault = (text: string): FormatError => new FormatError(file, `tensor '${name}' ${text}`);
  if (!isRecord(entry)) throw fault("is not described by an object");
  const { dtype: word, shape, data_offsets: offsets } = entry;
  const dtype = typeof word === "string" && Object.hasOwn(NAMES, word) ? NAMES[word] : undefined;
  if (!dtype) throw fault(`has dtype '${String(word)}'; allowed are ${Object.keys(NAMES).join(", ")}`);
  const count = Array.isArray(shape) ? countElements(shape as number[]) : undefined;
  if (count === undefined) throw fault("has a shape that is no list of sizes");
  const [start, end] = Array.isArray(offsets) ? (offsets as unknown[]) : [];
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) throw fault("has no pair of offsets");
  const from = start as number;
  const to = end as number;
  if (from < 0 || to < from || to > body) throw fault(`lies at bytes ${from} to ${to} of ${body}`);
  if (to - from !== count * itemBytes(dtype)) {
    throw fault(`has ${to - from} bytes; its shape and dtype need ${count * itemBytes(dtype)}`);
  }
  return { name, dtype, shape: shape as number[], start: from, end: to };
}

function checkCover(file: string, rows: readonly Row[], body: number): void {
  let at = 0;
  for (const row of rows.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (row.start !== at) {
      throw new FormatError(
        file,
        `tensor '${row.name}' starts at byte ${row.start}; without holes or overlaps it starts at ${at}`,
      );
    }
    at = row.end;
  }
  if (at !== body) throw new FormatError(file, `its tensors end at byte ${at} of ${body}; nothing may follow them`);
}

/** The file; tensors are sorted by element size so that each is aligned, and the header is padded to eight bytes. */
export function writeSafeTensors({ tensors, metadata }: SafeTensors): Uint8Array<ArrayBuffer> {
  const order = [...tensors].toSorted(([, a], [, b]) => itemBytes(b.dtype) - itemBytes(a.dtype));
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header["__metadata__"] = metadata;
  let end = 0;
  for (const [name, { dtype, shape, data }] of order) {
    header[name] = { dtype: NAME_OF.get(dtype), shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.byteLength / 8) * 8;
  const out = new Uint8Array(8 + length + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.fill(0x20, 8, 8 + length);
  out.set(json, 8);
  let at = 8 + length;
  for (const [, { data }] of order) {
    out.set(bytesOf(data), at);
    at += data.byteLength;
  }
  return out;
}
