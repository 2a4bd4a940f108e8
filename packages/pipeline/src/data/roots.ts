// Files that clients name: only below the folders that the operator allows, with links resolved.
import { readdir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, normalize, relative, resolve, sep } from "node:path";
import { type ByteSource, openFileSource } from "../formats/source.ts";
import { DataError } from "./errors.ts";
import { hasWildcards, matchesPattern } from "./wildcards.ts";

/** Where data sets lie: a folder tree here, a prefix of a blob store elsewhere. Paths use slashes. */
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

/** Folders of this machine; a relative path is looked up below each root in turn. */
export function localFiles(roots: readonly string[]): DataFiles {
  return new LocalFiles(roots);
}

class LocalFiles implements DataFiles {
  readonly #roots: readonly string[];

  constructor(roots: readonly string[]) {
    this.#roots = roots.map((root) => resolve(root));
  }

  async find(pattern: string): Promise<readonly string[]> {
    if (pattern === "" || pattern.includes("\0")) throw new DataError("invalid", "a path of a data file is empty");
    for (const { root, rest } of this.#places(pattern)) {
      const prefix = isAbsolute(pattern) ? root : "";
      const found = hasWildcards(rest) ? await expand(root, rest) : [rest];
      const files: string[] = [];
      for (const path of found) {
        const inside = await this.#inside(root, path);
        if (inside && (await stat(inside)).isFile()) files.push(prefix === "" ? path : join(prefix, path));
      }
      if (files.length > 0) return files.map(toSlashes);
    }
    throw new DataError("not-found", `data file '${pattern}' not found below ${this.#words()}`);
  }

  async exists(path: string): Promise<boolean> {
    return (await this.#locate(path)) !== undefined;
  }

  async open(path: string): Promise<ByteSource & AsyncDisposable> {
    const real = await this.#locate(path);
    if (!real) throw new DataError("not-found", `data file '${path}' not found below ${this.#words()}`);
    return await openFileSource(real, path);
  }

  async #locate(path: string): Promise<string | undefined> {
    for (const { root, rest } of this.#places(path)) {
      const real = await this.#inside(root, rest);
      if (real && (await stat(real)).isFile()) return real;
    }
    return undefined;
  }

  #words(): string {
    return this.#roots.length === 0 ? "any folder (no data folder is configured)" : `'${this.#roots.join("', '")}'`;
  }

  /** Roots that may hold the path, with the path below each. */
  #places(path: string): { root: string; rest: string }[] {
    const places = this.#roots.flatMap((root) => {
      const rest = isAbsolute(path) ? relative(root, normalize(path)) : normalize(path);
      return isAbsolute(rest) || rest === ".." || rest.startsWith(`..${sep}`) ? [] : [{ root, rest }];
    });
    if (places.length === 0) {
      throw new DataError(
        "outside-roots",
        `path '${path}' lies outside the folders for data; allowed are paths below ${this.#words()}`,
      );
    }
    return places;
  }

  /** The real path; undefined where there is nothing. Links must not lead out. */
  async #inside(root: string, path: string): Promise<string | undefined> {
    let real: string;
    let realRoot: string;
    try {
      real = await realpath(join(root, path));
      realRoot = await realpath(root);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined;
      throw error;
    }
    const within = relative(realRoot, real);
    if (within === ".." || within.startsWith(`..${sep}`) || isAbsolute(within)) {
      throw new DataError("outside-roots", `path '${path}' is a link that leads outside the folders for data`);
    }
    return real;
  }
}

const toSlashes = (path: string): string => (sep === "/" ? path : path.replaceAll(sep, "/"));

/** Paths below `root` that fit the pattern, sorted folder by folder. Links to folders are followed only where named. */
async function expand(root: string, pattern: string): Promise<string[]> {
  const found: string[] = [];
  const visited = { entries: 0 };
  await walk(root, "", pattern.split(/[/\\]/), found, visited);
  return [...new Set(found)];
}

async function walk(
  root: string,
  at: string,
  parts: readonly string[],
  found: string[],
  seen: { entries: number },
): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (part !== "**" && !hasWildcards(part)) {
    const next = join(at, part);
    if (rest.length === 0) found.push(next);
    else await walk(root, next, rest, found, seen);
    return;
  }
  const entries = await readdir(join(root, at), { withFileTypes: true }).catch(() => []);
  seen.entries += entries.length;
  if (seen.entries > MAX_FILES) {
    throw new DataError(
      "invalid",
      `a pattern looks through more than ${MAX_FILES} files; name the folder more closely`,
    );
  }
  if (part === "**") await walk(root, at, rest.length > 0 ? rest : ["*"], found, seen);
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    // As in a shell, a leading dot must be named.
    if (entry.name.startsWith(".") && !part.startsWith(".")) continue;
    const next = join(at, entry.name);
    if (part === "**") {
      if (entry.isDirectory()) await walk(root, next, parts, found, seen);
    } else if (matchesPattern(part, entry.name)) {
      if (rest.length === 0) {
        if (!entry.isDirectory()) found.push(next);
      } else await walk(root, next, rest, found, seen);
    }
  }
}
