// Keys as paths, walks over folders, and file faults in a person's words: the plumbing of the blob store.
import type { Dirent } from "node:fs";
import { copyFile, type FileHandle, link, mkdir, open, opendir, rmdir } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { DomainError } from "@sortie/core";

/** Where files are written before they get their names; no key begins with a dot. */
export const ASIDE = ".tmp";

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

/** The fault of a file operation as the domain knows it. `what` begins the message: "blob a/b". */
export function fileFault(error: unknown, what: string): Error {
  if (error instanceof DomainError) return error;
  const code = codeOf(error);
  if (code === undefined) return error as Error;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new DomainError("disk-full", `${what}: no space left on the disk`, { cause: error });
  }
  if (code === "EIO")
    return new DomainError("stored-object-corrupt", `${what}: the disk failed (${code})`, { cause: error });
  return new DomainError("unavailable", `${what}: the file system refused (${code})`, { cause: error });
}

async function* entriesOf(folder: string): AsyncIterable<Dirent> {
  try {
    for await (const entry of await opendir(folder, { bufferSize: 256 })) yield entry;
  } catch (error) {
    // The folder was never made, or was removed while being read: it has no (more) entries.
    if (codeOf(error) !== "ENOENT" && codeOf(error) !== "ENOTDIR") throw error;
  }
}

/**
 * Every file whose key begins with `prefix`, in no order, a folder at a time.
 * @param root the blobs' folder
 */
export async function* walkKeys(root: string, prefix: string, signal: AbortSignal | undefined): AsyncIterable<string> {
  const folders = [join(root, prefix.slice(0, prefix.lastIndexOf("/") + 1))];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of entriesOf(folder)) {
      signal?.throwIfAborted();
      if (entry.name === ASIDE) continue;
      const path = join(folder, entry.name);
      const key = relative(root, path).split(sep).join("/");
      if (entry.isDirectory()) {
        const inside = `${key}/`;
        if (inside.startsWith(prefix) || prefix.startsWith(inside)) folders.push(path);
      } else if (key.startsWith(prefix)) {
        yield key;
      }
    }
  }
}

/** Removes the folder and those above it, up to `root`, as long as they are empty. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let at = folder; at !== root && at.startsWith(root + sep); at = dirname(at)) {
    try {
      await rmdir(at);
    } catch (error) {
      // Gone already: go on with the one above. Anything else (not empty, in use): it stays.
      if (codeOf(error) !== "ENOENT") return;
    }
  }
}

/** Writes all parts one after another. */
export async function writeParts(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let rest = parts.filter((part) => part.byteLength > 0);
  while (rest.length > 0) {
    signal?.throwIfAborted();
    let { bytesWritten } = await handle.writev(rest);
    // A write may be cut short; what is left of the part that it ended in comes first in the next one.
    rest = rest.flatMap((part) => {
      const done = Math.min(bytesWritten, part.byteLength);
      bytesWritten -= done;
      return done === part.byteLength ? [] : [part.subarray(done)];
    });
  }
}

/** Reads until `target` is full; returns how many bytes there were. */
export async function readFully(handle: FileHandle, position: number, target: Uint8Array): Promise<number> {
  let done = 0;
  while (done < target.byteLength) {
    const { bytesRead } = await handle.read(target, done, target.byteLength - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** Makes the entries of `folder` and of the folders above it, up to `root`, survive a loss of power. */
export async function syncFolders(root: string, folder: string): Promise<void> {
  // Windows cannot open a folder; its file system journals names by itself.
  if (process.platform === "win32") return;
  for (let at = folder; ; at = dirname(at)) {
    const handle = await open(at, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (at === root || dirname(at) === at) return;
  }
}

/** Gives a file that never changes a second name; copies it where the target is on another disk. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  try {
    await link(from, to);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "EEXIST" || codeOf(error) === "ENOSPC") throw error;
    await copyFile(from, to);
  }
}
