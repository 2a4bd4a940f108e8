// Files in memory for tests, as a store of objects has them.
import { StoredFiles } from "../stored.ts";

export function memoryFiles(texts: Readonly<Record<string, string | Uint8Array>> = {}): StoredFiles {
  const objects = new Map(
    Object.entries(texts).map(([key, value]) => [
      key,
      typeof value === "string" ? new TextEncoder().encode(value) : value,
    ]),
  );
  return new StoredFiles({
    size: async (key) => objects.get(key)?.byteLength,
    readInto: async (key, _size, offset, target) =>
      target.set(objects.get(key)?.subarray(offset, offset + target.byteLength) ?? []),
    put: async (key, bytes) => void objects.set(key, bytes.slice()),
    async *keys(prefix) {
      for (const key of objects.keys()) if (key.startsWith(prefix)) yield key;
    },
  });
}
