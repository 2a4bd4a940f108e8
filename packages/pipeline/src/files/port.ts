// The files that clients name, wherever they lie: folders of this machine (local.ts) or objects of a store (stored.ts). One
// contract suite holds both to the same rules.
import type { ByteSource } from "../formats/source.ts";

/** Paths use slashes. Relative ones start at the working folder. Nothing outside the allowed roots exists. */
export interface Files {
  /** Absolute paths of the folders below which everything lies. */
  readonly roots: readonly string[];
  /** The absolute form of a path, dots resolved. */
  absolute(path: string): string;
  /** What is at this path, links followed; undefined if there is nothing, or if it is not allowed. */
  stat(path: string): Promise<FoundFile | undefined>;
  /** Reads parts of a file. @throws FileError "not-found" */
  open(path: string): Promise<ByteSource & AsyncDisposable>;
  /** @throws FileError "not-found" */
  read(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Replaces the file as a whole; folders are made. @throws FileError "not-allowed" */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /**
   * The files below a folder, relative to it, in order; undefined if there is no such folder.
   * @param levels how deep: 1 is the folder's own files. Default: all
   */
  list(folder: string, levels?: number): Promise<readonly string[] | undefined>;
}

export interface FoundFile {
  readonly kind: "file" | "folder";
  /** Absolute, links resolved. */
  readonly path: string;
}

export type FileReason =
  /** There is no such file among those that are allowed. */
  | "not-found"
  /** It may not be written there. */
  | "not-allowed";

export class FileError extends Error {
  override readonly name = "FileError";
  readonly reason: FileReason;

  constructor(reason: FileReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export const fileNotFound = (path: string): FileError => new FileError("not-found", `File not found: ${path}`);

/** A relative path without `.` and `..`, or undefined where it leads out of where it starts. */
export function normalizeRelative(path: string): string | undefined {
  const parts: string[] = [];
  for (const part of path.replaceAll("\\", "/").split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return path.includes("\0") ? undefined : parts.join("/");
}
