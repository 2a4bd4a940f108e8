// Files on this machine: folders below the allowed roots, links followed.
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { type ByteSource, openFileSource } from "../formats/source.ts";
import { FileError, type Files, type FoundFile, fileNotFound } from "./port.ts";

const slashed = (path: string): string => (sep === "/" ? path : path.replaceAll(sep, "/"));
const MISSING = ["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "EACCES", "ERR_INVALID_ARG_VALUE"];
const isMissing = (error: unknown): boolean => MISSING.includes(String((error as NodeJS.ErrnoException).code));

export interface LocalFilesOptions {
  /** Folders below which files may be read and written. */
  readonly roots: readonly string[];
  /** Where relative paths start. Default: the process's own. */
  readonly workingFolder?: string | undefined;
}

export class LocalFiles implements Files {
  readonly roots: readonly string[];
  readonly #workingFolder: string;
  readonly #roots: readonly string[];

  constructor({ roots, workingFolder = "" }: LocalFilesOptions) {
    this.#workingFolder = workingFolder;
    this.#roots = roots.map((root) => resolve(workingFolder, root));
    this.roots = this.#roots.map(slashed);
  }

  absolute(path: string): string {
    return slashed(this.#resolve(path));
  }

  async stat(path: string): Promise<FoundFile | undefined> {
    const real = await this.#real(path);
    if (real === undefined) return undefined;
    const found = await stat(real);
    return found.isDirectory()
      ? { kind: "folder", path: slashed(real) }
      : found.isFile()
        ? { kind: "file", path: slashed(real) }
        : undefined;
  }

  async open(path: string): Promise<ByteSource & AsyncDisposable> {
    return openFileSource(await this.#file(path), path);
  }

  async read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return readFile(await this.#file(path));
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const wanted = this.#resolve(path);
    // The nearest folder that exists decides: what is made below it cannot lead elsewhere.
    const existing = await longestExisting(dirname(wanted));
    const target = join(await realpath(existing), wanted.slice(existing.length));
    if (!(await this.#isAllowed(target))) {
      const allowed = this.roots.join(", ");
      throw new FileError("not-allowed", `${path} lies outside the folders that files may be written to: ${allowed}`);
    }
    await mkdir(dirname(target), { recursive: true });
    // Written aside and renamed: a reader sees the old file or the new one.
    const aside = join(dirname(target), `.${basename(target)}.${process.pid}.${crypto.randomUUID()}`);
    await writeFile(aside, bytes);
    try {
      await rename(aside, target);
    } catch (error) {
      await rm(aside, { force: true });
      const isFolder = (await stat(target).catch(() => undefined))?.isDirectory();
      if (isFolder) throw new FileError("not-allowed", `${path} is a folder`, { cause: error });
      throw error;
    }
  }

  async list(folder: string, levels = Number.POSITIVE_INFINITY): Promise<readonly string[] | undefined> {
    const real = await this.#real(folder);
    if (real === undefined) return undefined;
    const found: string[] = [];
    try {
      await this.#walk(real, "", levels, found);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    return found.sort();
  }

  /** Links to files count where they lead to something allowed; links to folders are not gone through. */
  async #walk(root: string, at: string, levels: number, found: string[]): Promise<void> {
    for (const entry of await readdir(join(root, at), { withFileTypes: true })) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) {
        if (levels > 1) await this.#walk(root, path, levels - 1, found);
      } else if (entry.isFile() || (entry.isSymbolicLink() && (await this.stat(join(root, path)))?.kind === "file")) {
        found.push(path);
      }
    }
  }

  #resolve(path: string): string {
    return resolve(this.#workingFolder, path);
  }

  async #file(path: string): Promise<string> {
    const real = await this.#real(path);
    if (real === undefined || !(await stat(real)).isFile()) throw fileNotFound(path);
    return real;
  }

  async #real(path: string): Promise<string | undefined> {
    try {
      const real = await realpath(this.#resolve(path));
      return (await this.#isAllowed(real)) ? real : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #isAllowed(real: string): Promise<boolean> {
    for (const root of this.#roots) {
      const folder = await realpath(root).catch(() => root);
      if (real === folder || real.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return true;
    }
    return false;
  }
}

/** The longest leading part of `folder` that exists. */
async function longestExisting(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    if ((await stat(at).catch(() => undefined)) !== undefined || at === dirname(at)) return at;
  }
}
