// Archives for tests: any pickle as a torch file, and an existing file with single entries changed.

import { bytesSource } from "../../formats/source.ts";
import { readZipDirectory, readZipEntry, writeStoredZip } from "../../formats/zip.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Bytes from numbers and Latin-1 text, to spell pickles out. */
export function spell(...parts: (number | string)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === "number" ? [part] : [...Buffer.from(part, "latin1")])),
  );
}

/** A torch file of this pickle and these storages, named "0", "1", … */
export function torchFileOf(pickle: Uint8Array, storages: readonly Uint8Array[] = [], byteOrder?: string): Uint8Array {
  return writeStoredZip(
    [
      { name: "t/data.pkl", bytes: pickle },
      ...(byteOrder === undefined ? [] : [{ name: "t/byteorder", bytes: text(byteOrder) }]),
      ...storages.map((bytes, key) => ({ name: `t/data/${key}`, bytes })),
      { name: "t/version", bytes: text("3\n") },
    ],
    64,
  );
}

/** The same archive with some entries' bytes replaced; an entry that becomes undefined is left out. */
export async function changeEntries(
  file: Uint8Array,
  change: (name: string, bytes: Uint8Array) => Uint8Array | undefined,
): Promise<Uint8Array> {
  const source = bytesSource("before", file);
  const entries: { name: string; bytes: Uint8Array }[] = [];
  for (const entry of (await readZipDirectory(source)).values()) {
    const bytes = change(entry.name, await readZipEntry(source, entry));
    if (bytes) entries.push({ name: entry.name, bytes });
  }
  return writeStoredZip(entries, 64);
}
