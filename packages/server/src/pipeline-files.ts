// The files that clients of the pipeline service name, on this machine: folders below the allowed roots, links followed.
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { invalid, notFound, type PipelineFiles } from "@sortie/rpc";

const slashed = (path: string): string => (sep === "/" ? path : path.replaceAll(sep, "/"));
const isMissing = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(String((error as NodeJS.ErrnoException).code));

export interface LocalPipelineFilesOptions {
  /** The configurations root. */
  readonly configs: string;
  /** Folders below which files may be read and written; the configurations root is always one. */
  readonly roots: readonly string[];
}

export class LocalPipelineFiles implements PipelineFiles {
  readonly configs: string;
  readonly #roots: readonly string[];

  constructor({ configs, roots }: LocalPipelineFilesOptions) {
    this.configs = slashed(resolve(configs));
    this.#roots = [configs, ...roots].map((root) => resolve(root));
  }

  absolute(path: string): string {
    return slashed(resolve(path));
  }

  async stat(path: string): Promise<{ readonly kind: "file" | "folder"; readonly path: string } | undefined> {
    const real = await this.#real(path);
    if (real === undefined) return undefined;
    const found = await stat(real);
    return found.isDirectory()
      ? { kind: "folder", path: slashed(real) }
      : found.isFile()
        ? { kind: "file", path: slashed(real) }
        : undefined;
  }

  async read(path: string): Promise<Uint8Array> {
    const real = await this.#real(path);
    const missing = () => notFound(`File not found: ${path}`);
    if (real === undefined) throw missing();
    try {
      return await readFile(real);
    } catch (error) {
      if (isMissing(error) || (error as NodeJS.ErrnoException).code === "EISDIR") throw missing();
      throw error;
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const wanted = resolve(path);
    // The nearest folder that exists decides: what is made below it cannot lead elsewhere.
    const anchor = await nearestFolder(dirname(wanted));
    const target = join(anchor, wanted.slice((await depthOf(dirname(wanted))).length));
    if (!(await this.#isAllowed(target))) {
      throw invalid(`${path} lies outside the folders that files may be written to: ${this.#roots.join(", ")}`);
    }
    await mkdir(dirname(target), { recursive: true });
    // Written aside and renamed: a reader sees the old file or the new one.
    const aside = join(dirname(target), `.${basename(target)}.${process.pid}.${crypto.randomUUID()}`);
    await writeFile(aside, bytes);
    try {
      await rename(aside, target);
    } catch (error) {
      await rm(aside, { force: true });
      if ((await stat(target).catch(() => undefined))?.isDirectory()) throw invalid(`${path} is a folder`);
      throw error;
    }
  }

  async list(folder: string): Promise<readonly string[] | undefined> {
    const real = await this.#real(folder);
    if (real === undefined) return undefined;
    try {
      const entries = await readdir(real, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => slashed(join(entry.parentPath, entry.name).slice(real.length + 1)))
        .sort();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #real(path: string): Promise<string | undefined> {
    try {
      const real = await realpath(resolve(path));
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
async function depthOf(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    if ((await stat(at).catch(() => undefined)) !== undefined || at === dirname(at)) return at;
  }
}

const nearestFolder = async (folder: string): Promise<string> => realpath(await depthOf(folder));
