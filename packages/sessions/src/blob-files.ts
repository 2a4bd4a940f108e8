// The files that clients name, as blobs of their tenant: what is a folder on one machine is a prefix here. The file `a/b.npy`
// of the tenant `alice` is the blob `files/alice/a/b.npy`, so that people put files there, and fetch them, by any tool.
//
// Files are the one kind of blob that is replaced and that others write. They are read as they are, like files of a disk.
import { type Blobs, type Caller, checkBlobKey } from "@sortie/core";
import { FileError, StoredFiles } from "@sortie/pipeline";

/** Where the files of all tenants are. */
const ROOT = "files/";

/** The configurations root of every tenant. */
export const BLOB_CONFIGS = "/configs";

/** What keys do not take is `=` and two digits for each byte, as in quoted-printable texts. */
const escaped = (text: string): string =>
  [...new TextEncoder().encode(text)].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");

const toSegment = (name: string): string => name.replace(/[^\w=.-]|^\.|=(?=[0-9A-F]{2})/gu, escaped);

const fromSegment = (segment: string): string =>
  segment.replace(/(?:=[0-9A-F]{2})+/g, (text) =>
    new TextDecoder().decode(Uint8Array.from(text.slice(1).split("="), (byte) => Number.parseInt(byte, 16))),
  );

const toKey = (path: string): string => path.split("/").map(toSegment).join("/");
const fromKey = (key: string): string => key.split("/").map(fromSegment).join("/");

/** A caller's files. Other tenants' do not exist for it. */
export function blobFiles(blobs: Blobs, { tenant }: Caller): StoredFiles {
  const root = `${ROOT}${toSegment(tenant)}/`;

  /** Undefined for a name that no key can have. */
  const keyOf = (path: string): string | undefined => {
    const key = root + toKey(path);
    try {
      checkBlobKey(key);
      return key;
    } catch {
      return undefined;
    }
  };

  return new StoredFiles({
    async size(path) {
      const key = keyOf(path);
      return key === undefined ? undefined : blobs.stat(key);
    },
    readInto: (path, bytes, offset, target) =>
      blobs.readInto({ key: root + toKey(path), bytes, digests: [], unverified: true }, offset, target),
    async put(path, bytes) {
      const key = keyOf(path);
      if (key === undefined) throw new FileError("not-allowed", `/${path} is too long for the name of a file`);
      await blobs.put(key, [bytes]);
    },
    async *keys(prefix) {
      const parent = keyOf(`${prefix}x`)?.slice(0, -1);
      if (parent === undefined) return;
      for await (const { key } of blobs.list(parent)) yield fromKey(key.slice(root.length));
    },
  });
}
