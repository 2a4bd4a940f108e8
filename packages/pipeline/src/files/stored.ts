// Files as objects of a store: a path is text below the root, a folder is what keys have in common.
import { type ByteSource, readAll } from "../formats/source.ts";
import { FileError, type Files, type FoundFile, fileNotFound, normalizeRelative } from "./port.ts";
import { readAhead } from "./read-ahead.ts";

/** Objects by key: slashes between parts, none at the beginning, no part empty or made of dots. */
export interface ObjectStore {
  /** Bytes of an object; undefined if there is none. */
  size(key: string): Promise<number | undefined>;
  /** Fills the whole of `target` from `offset` on, of an object of `size` bytes. */
  readInto(key: string, size: number, offset: number, target: Uint8Array): Promise<void>;
  /** Replaces the object. @throws FileError "not-allowed" for a key that it does not take */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Keys that begin with the prefix, which is empty or ends in a slash. */
  keys(prefix: string): AsyncIterable<string>;
}

export class StoredFiles implements Files {
  readonly roots = ["/"];
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Dots cannot lead above the root. */
  absolute(path: string): string {
    const parts: string[] = [];
    for (const part of path.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== "" && part !== ".") parts.push(part);
    }
    return `/${parts.join("/")}`;
  }

  async stat(path: string): Promise<FoundFile | undefined> {
    const key = normalizeRelative(path);
    if (key === undefined) return undefined;
    if (key !== "" && (await this.#store.size(key)) !== undefined) return { kind: "file", path: `/${key}` };
    for await (const _ of this.#store.keys(prefixOf(key))) return { kind: "folder", path: `/${key}` };
    return undefined;
  }

  async open(path: string): Promise<ByteSource & AsyncDisposable> {
    const { key, size } = await this.#find(path);
    const source = readAhead({
      name: path,
      size,
      inOrder: true,
      readInto: (target, offset) => this.#store.readInto(key, size, offset, target),
    });
    return { ...source, [Symbol.asyncDispose]: async () => undefined };
  }

  async read(path: string): Promise<Uint8Array<ArrayBuffer>> {
    await using source = await this.open(path);
    return readAll(source);
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const key = normalizeRelative(path);
    if (key === undefined) {
      throw new FileError("not-allowed", `${path} lies outside the folders that files may be written to: /`);
    }
    const isFolder = (await this.stat(path))?.kind === "folder";
    if (key === "" || isFolder) throw new FileError("not-allowed", `${path} is a folder`);
    await this.#store.put(key, bytes);
  }

  async list(folder: string, levels = Number.POSITIVE_INFINITY): Promise<readonly string[] | undefined> {
    const at = normalizeRelative(folder);
    if (at === undefined) return undefined;
    const prefix = prefixOf(at);
    const names: string[] = [];
    let any = false;
    for await (const key of this.#store.keys(prefix)) {
      any = true;
      const name = key.slice(prefix.length);
      if (name.split("/").length <= levels) names.push(name);
    }
    return any ? names.sort() : undefined;
  }

  async #find(path: string): Promise<{ readonly key: string; readonly size: number }> {
    const key = normalizeRelative(path);
    const size = key === undefined || key === "" ? undefined : await this.#store.size(key);
    if (key === undefined || size === undefined) throw fileNotFound(path);
    return { key, size };
  }
}

const prefixOf = (folder: string): string => (folder === "" ? "" : `${folder}/`);
