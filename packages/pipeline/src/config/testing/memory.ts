// Configuration files in memory: a store of texts by key, as blobs are.
import { type ConfigFiles, storedConfigFiles } from "../files.ts";
import { type ResolvedConfig, resolveConfig } from "../resolve.ts";

export function memoryFiles(texts: Readonly<Record<string, string>>, prefix = ""): ConfigFiles {
  const base = prefix === "" ? "" : `${prefix}/`;
  const keys = new Map(Object.entries(texts).map(([key, text]) => [base + key, text]));
  return storedConfigFiles(
    {
      read: async (key) => keys.get(key),
      list: async (start) => [...keys.keys()].filter((key) => key.startsWith(start)),
    },
    prefix,
  );
}

export interface ResolveCase {
  readonly type?: string;
  readonly overrides?: readonly string[];
  readonly searchPaths?: readonly string[];
  readonly dialect?: "current" | "legacy" | "auto";
  readonly env?: Readonly<Record<string, string>>;
  readonly now?: Date;
}

/** Resolves `path` among these texts; the search path is the folder `configs` unless told otherwise. */
export async function resolveIn(
  texts: Readonly<Record<string, string>>,
  path: string,
  more: ResolveCase = {},
): Promise<ResolvedConfig> {
  return resolveConfig(
    { configType: more.type ?? "trainrun", path, overrides: more.overrides ?? [] },
    {
      files: memoryFiles(texts),
      searchPaths: more.searchPaths ?? ["./configs"],
      ...(more.dialect ? { dialect: more.dialect } : {}),
      ...(more.env ? { env: (name) => more.env?.[name] } : {}),
      ...(more.now ? { now: more.now } : {}),
    },
  );
}
