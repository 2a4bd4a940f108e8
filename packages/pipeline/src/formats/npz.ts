// NumPy's `.npz`: a ZIP of `.npy` entries, stored or deflated.
import type { NumericArray } from "./array.ts";
import { FormatError } from "./errors.ts";
import { type NpyHeader, readNpyFrom, readNpyHeader } from "./npy.ts";
import type { ByteSource } from "./source.ts";
import { openZipEntry, readZipDirectory } from "./zip.ts";

const SUFFIX = ".npy";

/** The headers of the arrays by name; entries that are no arrays are left out. */
export async function describeNpz(source: ByteSource): Promise<ReadonlyMap<string, NpyHeader>> {
  const headers = new Map<string, NpyHeader>();
  for (const entry of (await readZipDirectory(source)).values()) {
    if (!entry.name.endsWith(SUFFIX)) continue;
    const reader = await openZipEntry(source, entry);
    try {
      const name = entry.name.slice(0, -SUFFIX.length);
      headers.set(name, await readNpyHeader(reader, `${source.name}(${name})`, entry.bytes));
    } finally {
      reader.close();
    }
  }
  return headers;
}

/** @throws FormatError where the archive is broken or has no array of this name */
export async function readNpz(source: ByteSource, name: string): Promise<NumericArray> {
  const entries = await readZipDirectory(source);
  const entry = entries.get(name + SUFFIX);
  if (!entry) {
    const names = [...entries.keys()].filter((other) => other.endsWith(SUFFIX)).map((other) => other.slice(0, -4));
    throw new FormatError(source.name, `has no array '${name}'; it has ${names.join(", ") || "none"}`);
  }
  const reader = await openZipEntry(source, entry);
  try {
    const array = await readNpyFrom(reader, `${source.name}(${name})`, entry.bytes);
    reader.verify();
    return array;
  } finally {
    reader.close();
  }
}
