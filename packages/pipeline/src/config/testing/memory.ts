// Configuration files in memory: a store of texts by key, as blobs are.
import { memoryFiles } from "../../files/testing/memory.ts";
import { configFiles } from "../files.ts";
import { type ResolvedConfig, resolveConfig } from "../resolve.ts";

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
      files: configFiles(memoryFiles(texts)),
      searchPaths: more.searchPaths ?? ["./configs"],
      ...(more.dialect ? { dialect: more.dialect } : {}),
      ...(more.env ? { env: (name) => more.env?.[name] } : {}),
      ...(more.now ? { now: more.now } : {}),
    },
  );
}
