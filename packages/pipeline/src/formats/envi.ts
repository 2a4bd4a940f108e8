// ENVI: a text header beside a file of raw elements, in BSQ, BIL or BIP.
import { allocate, type Cube, countElements, type DType, itemBytes } from "./array.ts";
import { FormatError } from "./errors.ts";
import { type FileElements, type Placement, readElements, readPlanes } from "./place.ts";
import { type ByteSource, plainReader, readAll } from "./source.ts";

export type Interleave = "bsq" | "bil" | "bip";

export interface EnviHeader extends FileElements {
  readonly lines: number;
  readonly samples: number;
  readonly bands: number;
  readonly interleave: Interleave;
  /** Bytes before the first element. */
  readonly headerOffset: number;
  readonly wavelengthsNm?: readonly number[];
  readonly bandNames?: readonly string[];
}

const DATA_TYPES: Readonly<Record<string, DType>> = {
  1: "uint8",
  2: "int16",
  3: "int32",
  4: "float32",
  5: "float64",
  12: "uint16",
  13: "uint32",
  14: "int64",
  15: "uint64",
};
const COMPLEX_TYPES = new Set(["6", "9"]);
const MAX_HEADER_BYTES = 16 << 20;

/** Nanometres per unit, by the names that headers use (lower case, with spaces removed). */
const NM_PER_UNIT: Readonly<Record<string, number>> = {
  nm: 1,
  nanometers: 1,
  nanometer: 1,
  nanometres: 1,
  nanometre: 1,
  um: 1e3,
  µm: 1e3,
  μm: 1e3,
  micron: 1e3,
  microns: 1e3,
  micrometers: 1e3,
  micrometer: 1e3,
  micrometres: 1e3,
  micrometre: 1e3,
  mm: 1e6,
  millimeters: 1e6,
  cm: 1e7,
  centimeters: 1e7,
  m: 1e9,
  meters: 1e9,
  angstrom: 0.1,
  angstroms: 0.1,
};

/**
 * Parses a header. Keys are compared without regard to case and inner spacing; a value in braces may span lines; lines
 * that start with a semicolon are comments. `byte order` and `header offset` default to 0. Wavelengths are converted to
 * nanometres; without a unit, values below 100 are taken as micrometres, others as nanometres. Units that are no lengths
 * (wavenumbers, frequencies, indices) give no wavelengths.
 * @throws FormatError naming the field
 */
export function parseEnviHeader(text: string, file: string): EnviHeader {
  const fields = parseFields(text, file);
  const fault = (what: string): FormatError => new FormatError(file, what);
  const size = (key: string, least: number, fallback?: number): number => {
    const value = fields.get(key);
    if (value === undefined && fallback !== undefined) return fallback;
    if (value === undefined) throw fault(`has no '${key}'`);
    if (!/^\d+$/.test(value) || Number(value) < least || !Number.isSafeInteger(Number(value))) {
      throw fault(`has '${key} = ${value}'; allowed are integers from ${least} on`);
    }
    return Number(value);
  };
  const lines = size("lines", 1);
  const samples = size("samples", 1);
  const bands = size("bands", 1);
  const type = fields.get("data type");
  if (type === undefined) throw fault("has no 'data type'");
  const dtype = Object.hasOwn(DATA_TYPES, type) ? DATA_TYPES[type] : undefined;
  if (!dtype) {
    const reason = COMPLEX_TYPES.has(type) ? ", complex numbers" : "";
    throw fault(`has 'data type = ${type}'${reason}; allowed are ${Object.keys(DATA_TYPES).join(", ")}`);
  }
  const interleave = fields.get("interleave")?.toLowerCase();
  if (interleave !== "bsq" && interleave !== "bil" && interleave !== "bip") {
    throw fault(
      interleave === undefined ? "has no 'interleave'" : `has 'interleave = ${interleave}'; allowed are bsq, bil, bip`,
    );
  }
  const order = size("byte order", 0, 0);
  if (order > 1) throw fault(`has 'byte order = ${order}'; allowed are 0 (little-endian) and 1 (big-endian)`);
  if (size("file compression", 0, 0) !== 0) throw fault("has 'file compression'; only uncompressed files are read");
  if (countElements([lines, samples, bands]) === undefined) throw fault("has sizes whose product is no possible size");
  const wavelengthsNm = wavelengths(fields, bands, file);
  const names = list(fields.get("band names"));
  return {
    lines,
    samples,
    bands,
    dtype,
    interleave,
    bigEndian: order === 1,
    headerOffset: size("header offset", 0, 0),
    ...(wavelengthsNm ? { wavelengthsNm } : {}),
    ...(names ? { bandNames: names } : {}),
  };
}

function parseFields(text: string, file: string): Map<string, string> {
  const rows = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  if (rows[0]?.trim() !== "ENVI") throw new FormatError(file, "is no ENVI header: its first line is not 'ENVI'");
  const fields = new Map<string, string>();
  for (let i = 1; i < rows.length; i++) {
    const row = rows[i]!;
    if (row.trim() === "" || row.trimStart().startsWith(";")) continue;
    const cut = row.indexOf("=");
    if (cut < 0)
      throw new FormatError(file, `line ${i + 1} is neither 'key = value' nor a comment: '${row.trim().slice(0, 60)}'`);
    const key = row.slice(0, cut).trim().toLowerCase().replace(/\s+/g, " ");
    let value = row.slice(cut + 1).trim();
    if (value.startsWith("{")) {
      const parts = [value.slice(1)];
      const start = i;
      while (!parts.at(-1)!.includes("}")) {
        if (++i >= rows.length)
          throw new FormatError(file, `line ${start + 1}: '${key}' opens a brace that is never closed`);
        if (!rows[i]!.trimStart().startsWith(";")) parts.push(rows[i]!);
      }
      const joined = parts.join(" ");
      value = joined.slice(0, joined.indexOf("}")).trim();
    }
    fields.set(key, value);
  }
  return fields;
}

function list(value: string | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  const items = value.split(",").map((item) => item.trim());
  if (items.at(-1) === "") items.pop();
  return items;
}

function wavelengths(fields: Map<string, string>, bands: number, file: string): number[] | undefined {
  const items = list(fields.get("wavelength"));
  if (!items) return undefined;
  if (items.length !== bands) {
    throw new FormatError(file, `has ${items.length} wavelengths for ${bands} bands; one for each is allowed`);
  }
  const values = items.map((item, i) => {
    const value = item === "" ? Number.NaN : Number(item);
    if (!Number.isFinite(value)) throw new FormatError(file, `wavelength ${i + 1} is '${item}', which is no number`);
    return value;
  });
  const unit = fields.get("wavelength units")?.toLowerCase().replace(/\s+/g, "");
  if (unit === undefined || unit === "" || unit === "unknown") {
    return values.every((value) => value < 100) ? values.map((value) => value * 1e3) : values;
  }
  if (!Object.hasOwn(NM_PER_UNIT, unit)) return undefined;
  const scale = NM_PER_UNIT[unit]!;
  return scale === 1 ? values : values.map((value) => value * scale);
}

export async function describeEnvi(header: ByteSource): Promise<EnviHeader> {
  if (header.size > MAX_HEADER_BYTES) {
    throw new FormatError(header.name, `has ${header.size} bytes; an ENVI header has at most ${MAX_HEADER_BYTES}`);
  }
  return parseEnviHeader(new TextDecoder().decode(await readAll(header)), header.name);
}

/**
 * @returns the cube as [lines, samples, bands]
 * @throws FormatError also where the data file is not exactly as long as the header says
 */
export async function readEnvi(header: ByteSource, data: ByteSource): Promise<Cube> {
  const info = await describeEnvi(header);
  const { lines, samples, bands, dtype, headerOffset } = info;
  const count = lines * samples * bands;
  const needed = headerOffset + count * itemBytes(dtype);
  if (data.size !== needed) {
    throw new FormatError(
      data.name,
      `has ${data.size} bytes, and ${header.name} describes ${needed} (offset ${headerOffset}, ${lines} lines, ${samples} samples, ${bands} bands of ${dtype})`,
    );
  }
  const elements = allocate(dtype, count);
  const target = { dtype, data: elements };
  if (info.interleave === "bsq" && !data.inOrder)
    await readPlanes(data, headerOffset, info, target, bands, lines * samples);
  else await readElements(plainReader(data, headerOffset), info, target, placementOf(info));
  return {
    dtype,
    shape: [lines, samples, bands],
    data: elements,
    ...(info.wavelengthsNm ? { wavelengthsNm: info.wavelengthsNm } : {}),
  };
}

function placementOf({ lines, samples, bands, interleave }: EnviHeader): Placement {
  const line = samples * bands;
  if (interleave === "bip") return { sizes: [lines, samples, bands], strides: [line, bands, 1] };
  if (interleave === "bil") return { sizes: [lines, bands, samples], strides: [line, 1, bands] };
  return { sizes: [bands, lines, samples], strides: [1, line, bands] };
}
