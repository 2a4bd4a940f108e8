// ZIP archives read through their central directory (.npz and .pt), and written stored, with aligned entries.
import { crc32 } from "node:zlib";
import { FormatError } from "./errors.ts";
import {
  type ByteReader,
  type ByteSource,
  checkedReader,
  checkInflation,
  inflateReader,
  plainReader,
  readRange,
  sliceSource,
} from "./source.ts";

export interface ZipEntry {
  readonly name: string;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly method: "stored" | "deflated";
  readonly crc: number;
  readonly headerOffset: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64_LOCATOR = 0x07064b50;
const END64 = 0x06064b50;
const END_BYTES = 22;
const IN_EXTRA = 0xffffffff;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The entries by name, from the central directory; local headers may lack sizes and sums, as torch writes them. */
export async function readZipDirectory(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const { offset, size, count } = await findDirectory(source);
  if (offset + size > source.size) {
    throw new FormatError(source.name, `declares a directory that ends at byte ${offset + size} of ${source.size}`);
  }
  const bytes = await readRange(source, offset, size);
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== CENTRAL) {
      throw new FormatError(source.name, `declares ${count} entries in its directory, and entry ${i + 1} is not there`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const end = at + 46 + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (end > size) throw new FormatError(source.name, `entry ${i + 1} of its directory is cut off`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameBytes));
    const extra = bytes.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes);
    entries.set(name, entryFrom(source.name, name, view, at, extra));
    at = end;
  }
  return entries;
}

function entryFrom(file: string, name: string, view: DataView, at: number, extra: Uint8Array): ZipEntry {
  const method = view.getUint16(at + 10, true);
  if (method !== 0 && method !== 8) {
    throw new FormatError(file, `entry '${name}' uses ZIP method ${method}; allowed are 0 (stored) and 8 (deflated)`);
  }
  if (view.getUint16(at + 8, true) & 1)
    throw new FormatError(file, `entry '${name}' is encrypted, which is not allowed`);
  // ZIP64 keeps, in this order, only those values that did not fit.
  const wide = zip64Values(extra);
  const wideOr = (value: number): number => {
    if (value !== IN_EXTRA) return value;
    const found = wide.shift();
    if (found === undefined) throw new FormatError(file, `entry '${name}' lacks its 64-bit size`);
    return found;
  };
  const bytes = wideOr(view.getUint32(at + 24, true));
  const compressedBytes = wideOr(view.getUint32(at + 20, true));
  const headerOffset = wideOr(view.getUint32(at + 42, true));
  if (method === 0 && bytes !== compressedBytes) {
    throw new FormatError(file, `entry '${name}' is stored, yet declares ${bytes} bytes from ${compressedBytes}`);
  }
  if (method === 8) checkInflation(file, `entry '${name}'`, compressedBytes, bytes);
  const crc = view.getUint32(at + 16, true);
  return { name, bytes, compressedBytes, method: method === 0 ? "stored" : "deflated", crc, headerOffset };
}

function zip64Values(extra: Uint8Array): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      const values: number[] = [];
      for (let p = at + 4; p + 8 <= Math.min(at + 4 + length, extra.byteLength); p += 8) {
        values.push(Number(view.getBigUint64(p, true)));
      }
      return values;
    }
    at += 4 + length;
  }
  return [];
}

async function findDirectory(source: ByteSource): Promise<{ offset: number; size: number; count: number }> {
  const tail = Math.min(source.size, END_BYTES + 0xffff);
  const bytes = await readRange(source, source.size - tail, tail);
  const view = viewOf(bytes);
  for (let at = tail - END_BYTES; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const count = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 12, true);
    const offset = view.getUint32(at + 16, true);
    if (count !== 0xffff && size !== IN_EXTRA && offset !== IN_EXTRA) return { offset, size, count };
    return findDirectory64(source, source.size - tail + at);
  }
  throw new FormatError(source.name, "is no ZIP archive: it has no end-of-directory record (cut off?)");
}

async function findDirectory64(source: ByteSource, end: number) {
  const broken = () => new FormatError(source.name, "has a broken ZIP64 end-of-directory record");
  if (end < 20) throw broken();
  const locator = viewOf(await readRange(source, end - 20, 20));
  if (locator.getUint32(0, true) !== END64_LOCATOR) throw broken();
  const at = Number(locator.getBigUint64(8, true));
  if (at + 56 > source.size) throw broken();
  const record = viewOf(await readRange(source, at, 56));
  if (record.getUint32(0, true) !== END64) throw broken();
  return {
    count: Number(record.getBigUint64(32, true)),
    size: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
  };
}

/** Where an entry's bytes lie. */
async function entrySource(source: ByteSource, entry: ZipEntry): Promise<ByteSource> {
  const where = `entry '${entry.name}'`;
  if (entry.headerOffset + 30 > source.size) {
    throw new FormatError(source.name, `${where} starts at byte ${entry.headerOffset} of ${source.size}`);
  }
  const header = viewOf(await readRange(source, entry.headerOffset, 30));
  if (header.getUint32(0, true) !== LOCAL) {
    throw new FormatError(source.name, `${where} has no header at byte ${entry.headerOffset}`);
  }
  const start = entry.headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + entry.compressedBytes > source.size) {
    throw new FormatError(
      source.name,
      `${where} declares ${entry.compressedBytes} bytes from byte ${start}, and the file ends at ${source.size}`,
    );
  }
  return sliceSource(source, start, entry.compressedBytes);
}

/** An entry's bytes in order, inflated where needed; `verify` after the last byte compares the CRC-32. */
export async function openZipEntry(source: ByteSource, entry: ZipEntry): Promise<ByteReader & { verify(): void }> {
  const packed = await entrySource(source, entry);
  const reader = entry.method === "stored" ? plainReader(packed) : inflateReader(packed, { raw: true });
  return checkedReader(reader, source.name, `entry '${entry.name}'`, entry.crc);
}

/** A whole entry, inflated and compared with its CRC-32. */
export async function readZipEntry(source: ByteSource, entry: ZipEntry): Promise<Uint8Array<ArrayBuffer>> {
  const reader = await openZipEntry(source, entry);
  try {
    const bytes = new Uint8Array(entry.bytes);
    await reader.fill(bytes);
    reader.verify();
    return bytes;
  } finally {
    reader.close();
  }
}

/**
 * A stored archive whose entries' bytes start at multiples of `alignment`, padded in the extra field the way torch does.
 * @throws RangeError beyond 4 GiB or 65535 entries, which would need ZIP64
 */
export function writeStoredZip(
  entries: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  alignment: number,
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const rows: { name: Uint8Array; bytes: Uint8Array; offset: number; padding: number; crc: number }[] = [];
  let position = 0;
  for (const entry of entries) {
    const name = encoder.encode(entry.name);
    const start = position + 30 + name.byteLength + 4;
    const padding = (alignment - (start % alignment)) % alignment;
    rows.push({ name, bytes: entry.bytes, offset: position, padding, crc: crc32(entry.bytes) });
    position = start + padding + entry.bytes.byteLength;
  }
  const directory = position;
  const directoryBytes = rows.reduce((sum, row) => sum + 46 + row.name.byteLength, 0);
  if (directory + directoryBytes + END_BYTES > 0xffffffff || rows.length > 0xffff) {
    throw new RangeError(`an archive of ${directory} bytes and ${rows.length} entries exceeds 4 GiB or 65535 entries`);
  }
  const out = new Uint8Array(directory + directoryBytes + END_BYTES);
  const view = viewOf(out);
  // Version, flags (names are UTF-8), method and a fixed date, so that equal contents give equal files.
  const common = (at: number, row: (typeof rows)[number]): void => {
    view.setUint16(at, 20, true);
    view.setUint16(at + 2, 0x0800, true);
    view.setUint16(at + 8, 0x21, true);
    view.setUint32(at + 10, row.crc, true);
    view.setUint32(at + 14, row.bytes.byteLength, true);
    view.setUint32(at + 18, row.bytes.byteLength, true);
    view.setUint16(at + 22, row.name.byteLength, true);
  };
  let at = directory;
  for (const row of rows) {
    const nameAt = row.offset + 30;
    const extraAt = nameAt + row.name.byteLength;
    view.setUint32(row.offset, LOCAL, true);
    common(row.offset + 4, row);
    view.setUint16(row.offset + 28, 4 + row.padding, true);
    out.set(row.name, nameAt);
    out.set([0x46, 0x42], extraAt);
    view.setUint16(extraAt + 2, row.padding, true);
    out.fill(0x5a, extraAt + 4, extraAt + 4 + row.padding);
    out.set(row.bytes, extraAt + 4 + row.padding);
    view.setUint32(at, CENTRAL, true);
    view.setUint16(at + 4, 20, true);
    common(at + 6, row);
    view.setUint32(at + 42, row.offset, true);
    out.set(row.name, at + 46);
    at += 46 + row.name.byteLength;
  }
  view.setUint32(at, END, true);
  view.setUint16(at + 8, rows.length, true);
  view.setUint16(at + 10, rows.length, true);
  view.setUint32(at + 12, directoryBytes, true);
  view.setUint32(at + 16, directory, true);
  return out;
}
