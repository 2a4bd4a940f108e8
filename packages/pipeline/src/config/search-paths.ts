// The search paths of a session: which folders are looked through for configurations and weights, in order.
import type { ConfigFiles } from "./files.ts";

/** Of a new session; kept as this text and looked up when needed. */
export const INITIAL_SEARCH_PATHS: readonly string[] = ["./configs"];
/** When a replacement leaves nothing. */
const FALLBACK_SEARCH_PATHS: readonly string[] = ["./configs", "./configs/pipeline"];

export interface SearchPathsUpdate {
  readonly paths: readonly string[];
  /** As sent: what is no folder, or none that is allowed. */
  readonly rejected: readonly string[];
}

/**
 * @param append true adds at the end what is not listed yet; false replaces the list, duplicates kept
 */
export async function updateSearchPaths(
  current: readonly string[],
  given: readonly string[],
  append: boolean,
  files: ConfigFiles,
): Promise<SearchPathsUpdate> {
  const accepted: string[] = [];
  const rejected: string[] = [];
  for (const path of given) {
    const folder = path === "" ? undefined : await files.folder(path);
    if (folder === undefined) rejected.push(path);
    else accepted.push(folder);
  }
  if (!append) return { paths: accepted.length > 0 ? accepted : FALLBACK_SEARCH_PATHS, rejected };
  const paths = [...current];
  for (const folder of accepted) if (!paths.includes(folder)) paths.push(folder);
  return { paths, rejected };
}

/** The folders that exist now, in order. */
export async function existingFolders(searchPaths: readonly string[], files: ConfigFiles): Promise<readonly string[]> {
  const found = await Promise.all(searchPaths.map((path) => files.folder(path)));
  return found.filter((folder) => folder !== undefined);
}
