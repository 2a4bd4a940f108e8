// Where configurations come from: folders of this machine, or any store of texts by key such as a prefix of blobs.
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { ConfigError } from "./errors.ts";

/** Paths are absolute, with slashes, unless said otherwise. Whatever lies outside what is allowed does not exist. */
export interface ConfigFiles {
  /** The canonical path of a folder, relative ones against the server's own; undefined where there is no such folder. */
  folder(path: string): Promise<string | undefined>;
  /** The canonical path of a file; undefined where there is none. */
  file(path: string): Promise<string | undefined>;
  read(file: string): Promise<string>;
  /** Relative paths of all files below a folder, in no particular order. */
  list(folder: string): Promise<readonly string[]>;
}

/** Files larger than this are no configuration. */
const MAX_FILE_BYTES = 16 << 20;

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

export interface LocalConfigOptions {
  /** Against which relative paths are taken. */
  readonly workingFolder: string;
  /** Folders below which everything must lie, links resolved. undefined allows the whole machine. */
  readonly roots?: readonly string[];
}

export function localConfigFiles({ workingFolder, roots }: LocalConfigOptions): ConfigFiles {
  /** The real path, if it is of the kind and allowed. */
  const real = async (path: string, kind: "file" | "folder"): Promise<string | undefined> => {
    if (path.includes("\0")) return undefined;
    try {
      const found = await realpath(resolve(workingFolder, path));
      const info = await stat(found);
      if (kind === "file" ? !info.isFile() : !info.isDirectory()) return undefined;
      return (await allowed(found)) ? found : undefined;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP" || code === "EACCES" || code === "ENAMETOOLONG")
        return undefined;
      throw error;
    }
  };
  const allowed = async (path: string): Promise<boolean> => {
    if (!roots) return true;
    for (const root of roots) {
      const within = relative(
        await realpath(resolve(workingFolder, root)).catch(() => resolve(workingFolder, root)),
        path,
      );
      if (within !== ".." && !within.startsWith(`..${sep}`) && !isAbsolute(within)) return true;
    }
    return false;
  };
  const slashes = (path: string): string => (sep === "/" ? path : path.replaceAll(sep, "/"));
  return {
    folder: async (path) => {
      const found = await real(path, "folder");
      return found === undefined ? undefined : slashes(found);
    },
    file: async (path) => {
      const found = await real(path, "file");
      return found === undefined ? undefined : slashes(found);
    },
    read: async (path) => {
      const found = await real(path, "file");
      if (found === undefined) throw new ConfigError("file-not-found", `configuration '${path}' not found`);
      const { size } = await stat(found);
      if (size > MAX_FILE_BYTES)
        throw new ConfigError(
          "composition",
          `'${path}' has ${size} bytes; a configuration has at most ${MAX_FILE_BYTES}`,
        );
      return await readFile(found, "utf8");
    },
    list: async (folder) => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => slashes(relative(folder, resolve(entry.parentPath, entry.name))));
    },
  };
}

/** Texts by key, as a blob store has them: keys are paths with slashes, folders are prefixes. */
export interface TextStore {
  read(key: string): Promise<string | undefined>;
  /** Keys that start with the prefix. */
  list(prefix: string): Promise<readonly string[]>;
}

/** A store below `prefix` as configuration files. Paths are absolute from the prefix on; relative ones are the same. */
export function storedConfigFiles(store: TextStore, prefix = ""): ConfigFiles {
  const base = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  const keyOf = (path: string): string | undefined => {
    const inner = normalizeRelative(path);
    return inner === undefined ? undefined : base + inner;
  };
  return {
    folder: async (path) => {
      const key = keyOf(path);
      if (key === undefined) return undefined;
      const start = key === base || key === "" ? key : `${key}/`;
      return (await store.list(start)).length > 0 ? `/${key.slice(base.length)}`.replace(/\/$/, "") || "/" : undefined;
    },
    file: async (path) => {
      const key = keyOf(path);
      if (key === undefined || key === base) return undefined;
      return (await store.read(key)) === undefined ? undefined : `/${key.slice(base.length)}`;
    },
    read: async (path) => {
      const key = keyOf(path);
      const text = key === undefined ? undefined : await store.read(key);
      if (text === undefined) throw new ConfigError("file-not-found", `configuration '${path}' not found`);
      return text;
    },
    list: async (folder) => {
      const key = keyOf(folder) ?? base;
      const start = key === base || key === "" ? key : `${key}/`;
      return (await store.list(start)).map((found) => found.slice(start.length));
    },
  };
}
