// Name blobs: how names of variables and rows travel in chunks. UTF-8, a NUL after every name, the last one too.
import { WireFormatError } from "./errors.ts";
import { decodeUtf8 } from "./fields.ts";

// A JavaScript string cannot hold a blob of any size, so a big one is decoded in pieces of about this many bytes.
const PIECE_BYTES = 64 * 1024 * 1024;

/**
 * The names in a blob. A missing last NUL is tolerated; two NULs in a row are an empty name; an empty blob has no names.
 * @throws WireFormatError if the blob is not UTF-8
 */
export function splitNames(blob: Uint8Array, path = "names"): string[] {
  const names: string[] = [];
  let start = 0;
  while (start < blob.length) {
    // A piece ends with a NUL, or where the blob ends.
    const nul = start + PIECE_BYTES < blob.length ? blob.indexOf(0, start + PIECE_BYTES) : blob.lastIndexOf(0);
    const end = nul < start ? blob.length : nul;
    for (const name of decodeUtf8(blob, start, end, path).split("\0")) names.push(name);
    start = end + 1;
  }
  return names;
}

/**
 * The blob of some names; for no names an empty one.
 * @throws WireFormatError if a name contains NUL, which the blob could not tell from the end of the name
 */
export function joinNames(names: readonly string[], path = "names"): Uint8Array {
  names.forEach((name, index) => {
    if (name.includes("\0")) throw new WireFormatError(`${path}[${index}]`, 0, "a name must not contain NUL");
  });
  return names.length === 0 ? new Uint8Array(0) : new TextEncoder().encode(`${names.join("\0")}\0`);
}
