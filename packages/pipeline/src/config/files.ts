// Where configurations come from: texts among the files that clients may name.
import { FileError, type Files } from "../files/port.ts";
import { readAll } from "../formats/source.ts";
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

/** The folders and texts that configurations are composed of. */
export function configFiles(files: Files): ConfigFiles {
  const real = async (path: string, kind: "file" | "folder"): Promise<string | undefined> => {
    const found = await files.stat(path);
    return found?.kind === kind ? found.path : undefined;
  };
  return {
    folder: (path) => real(path, "folder"),
    file: (path) => real(path, "file"),
    read: async (path) => {
      try {
        await using source = await files.open(path);
        const { size } = source;
        if (size <= MAX_FILE_BYTES) return new TextDecoder().decode(await readAll(source));
        throw new ConfigError(
          "composition",
          `'${path}' has ${size} bytes; a configuration has at most ${MAX_FILE_BYTES}`,
        );
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        throw new ConfigError("file-not-found", `configuration '${path}' not found`, { cause: error });
      }
    },
    list: async (folder) => (await files.list(folder)) ?? [],
  };
}
