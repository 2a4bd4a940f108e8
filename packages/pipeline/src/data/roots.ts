// Data files among those that clients may name: paths and patterns, below each allowed folder in turn.
import { LocalFiles } from "../files/local.ts";
import { FileError, type Files, normalizeRelative } from "../files/port.ts";
import type { ByteSource } from "../formats/source.ts";
import { DataError } from "./errors.ts";
import { hasWildcards, matchesPattern } from "./wildcards.ts";

/** Where data sets lie. Paths use slashes; relative ones are looked up below each allowed folder in turn. */
export interface DataFiles {
  /**
   * The files that a path or pattern names, in order of their names; `*`, `?`, `[a-c]` match within one folder, `**` any
   * number of folders. Answers in the form that was asked for: relative for relative, absolute for absolute.
   * @throws DataError `not-found` where there is none, `outside-roots` where the path leads out
   */
  find(pattern: string): Promise<readonly string[]>;
  open(path: string): Promise<ByteSource & AsyncDisposable>;
  exists(path: string): Promise<boolean>;
}

const MAX_FILES = 100_000;

/** Folders of this machine. */
export const localFiles = (roots: readonly string[]): DataFiles => dataFiles(new LocalFiles({ roots }));

export const dataFiles = (files: Files): DataFiles => new FoundFiles(files);

/** A path or pattern below one of the folders. */
interface Place {
  readonly root: string;
  readonly rest: string;
}

class FoundFiles implements DataFiles {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  async find(pattern: string): Promise<readonly string[]> {
    if (pattern === "" || pattern.includes("\0")) throw new DataError("invalid", "a path of a data file is empty");
    for (const { root, rest } of this.#places(pattern)) {
      const names = hasWildcards(rest)
        ? await this.#expand(root, rest)
        : (await this.#isFile(join(root, rest)))
          ? [rest]
          : [];
      if (names.length > 0) return isAbsolute(pattern) ? names.map((name) => join(root, name)) : names;
    }
    throw this.#notFound(pattern);
  }

  async exists(path: string): Promise<boolean> {
    return (await this.#locate(path)) !== undefined;
  }

  async open(path: string): Promise<ByteSource & AsyncDisposable> {
    const found = await this.#locate(path);
    if (found === undefined) throw this.#notFound(path);
    try {
      const source = await this.#files.open(found);
      return { ...source, name: path };
    } catch (error) {
      // It was removed meanwhile.
      throw error instanceof FileError ? this.#notFound(path) : error;
    }
  }

  async #locate(path: string): Promise<string | undefined> {
    for (const { root, rest } of this.#places(path)) {
      if (await this.#isFile(join(root, rest))) return join(root, rest);
    }
    return undefined;
  }

  async #isFile(path: string): Promise<boolean> {
    return (await this.#files.stat(path))?.kind === "file";
  }

  #notFound(path: string): DataError {
    return new DataError("not-found", `data file '${path}' not found below ${this.#words()}`);
  }

  #words(): string {
    const { roots } = this.#files;
    return roots.length === 0 ? "any folder (no data folder is configured)" : `'${roots.join("', '")}'`;
  }

  #places(path: string): readonly Place[] {
    const { roots } = this.#files;
    const absolute = isAbsolute(path) ? this.#files.absolute(path) : undefined;
    const places = roots.flatMap((root): Place[] => {
      if (absolute !== undefined) {
        const folder = join(root, "");
        return absolute.startsWith(folder) ? [{ root, rest: absolute.slice(folder.length) }] : [];
      }
      const rest = normalizeRelative(path);
      return rest === undefined ? [] : [{ root, rest }];
    });
    if (places.length > 0) return places;
    throw new DataError(
      "outside-roots",
      `path '${path}' lies outside the folders for data; allowed are paths below ${this.#words()}`,
    );
  }

  /** Paths below `root` that fit the pattern, in order. */
  async #expand(root: string, pattern: string): Promise<string[]> {
    const parts = pattern.split("/");
    const first = parts.findIndex(hasWildcards);
    const [plain, wild] = [parts.slice(0, first), parts.slice(first)];
    const levels = wild.includes("**") ? Number.POSITIVE_INFINITY : wild.length;
    const names = (await this.#files.list(join(root, plain.join("/")), levels)) ?? [];
    if (names.length > MAX_FILES) {
      throw new DataError(
        "invalid",
        `a pattern looks through more than ${MAX_FILES} files; name the folder more closely`,
      );
    }
    const below = plain.length === 0 ? "" : `${plain.join("/")}/`;
    return names.filter((name) => fits(wild, name.split("/"))).map((name) => below + name);
  }
}

/** Whether a path fits a pattern, part by part. As in a shell, a leading dot must be named. */
function fits([part, ...pattern]: readonly string[], [name, ...names]: readonly string[]): boolean {
  if (part === undefined || name === undefined) return part === undefined && name === undefined;
  if (name.startsWith(".") && !part.startsWith(".")) return part === "**" && fits(pattern, [name, ...names]);
  // `**` is any number of folders; at the end of a pattern it is everything below.
  if (part === "**") {
    if (pattern.length === 0) return names.length === 0 || fits(["**"], names);
    return fits(pattern, [name, ...names]) || fits([part, ...pattern], names);
  }
  return matchesPattern(part, name) && fits(pattern, names);
}

const isAbsolute = (path: string): boolean => /^([\\/]|[A-Za-z]:[\\/])/.test(path);

/** A path below a folder; the root folder itself ends in a slash. */
const join = (folder: string, path: string): string => (folder.endsWith("/") ? folder + path : `${folder}/${path}`);
