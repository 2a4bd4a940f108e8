// ResolveConfig: finds a file in the search paths, composes it, applies overrides and interpolations, and validates.

import { normalizeRelative } from "../files/port.ts";
import { compose } from "./compose.ts";
import { ConfigError } from "./errors.ts";
import type { ConfigFiles } from "./files.ts";
import { type InterpolationContext, resolveInterpolations } from "./interpolate.ts";
import { applyOverride, parseOverride } from "./overrides.ts";
import { existingFolders } from "./search-paths.ts";
import { type ConfigType, type Dialect, fieldNames, isConfigType, unknownType, validated } from "./types.ts";
import { type ConfigMap, type ConfigValue, isMap, type PlainValue, toJson, toPlain } from "./values.ts";

export interface ResolveRequest {
  readonly configType: string;
  /** With or without `.yaml`; absolute, or relative to one of the search paths. */
  readonly path: string;
  readonly overrides: readonly string[];
}

export interface ResolveOptions extends InterpolationContext {
  readonly files: ConfigFiles;
  readonly searchPaths: readonly string[];
  readonly dialect?: Dialect;
}

export interface ResolvedConfig {
  readonly type: ConfigType;
  /** With all defaults, in the model's order. */
  readonly value: { readonly [key: string]: PlainValue };
  /** The same as JSON text, two spaces deep, ASCII only. */
  readonly json: string;
}

/** @throws ConfigError with the reason that tells the status; ConfigValidationError for violations of the model */
export async function resolveConfig(request: ResolveRequest, options: ResolveOptions): Promise<ResolvedConfig> {
  const { files, searchPaths, dialect = "current" } = options;
  const { configType: type, overrides } = request;
  const found = await findConfig(request.path, searchPaths, files);
  const { config, packagePath } = await compose(files, found.root, found.name);
  if (!isConfigType(type)) throw unknownType(type);
  const inner = innerPath(config, packagePath, type, dialect);
  for (const text of overrides) applyOverride(config, inner, parseOverride(text));
  const resolved = resolveInterpolations(config, options) as ConfigMap;
  const value = validated(type, valueAt(resolved, inner), dialect);
  return { type, value: toPlain(value) as { [key: string]: PlainValue }, json: toJson(value) };
}

/** The folder to compose in and the file's name within it. */
async function findConfig(
  path: string,
  searchPaths: readonly string[],
  files: ConfigFiles,
): Promise<{ root: string; name: string }> {
  if (path.trim() === "") throw new ConfigError("invalid-request", "path is empty");
  const withSuffix = /\.[^./\\]+$/.test(path) ? path : `${path}.yaml`;
  if (!/\.ya?ml$/i.test(withSuffix)) throw new ConfigError("invalid-request", `path '${path}' is no .yaml file`);
  const missing = new ConfigError(
    "file-not-found",
    `Config file not found: '${path}' (search paths: ${searchPaths.join(", ") || "none"})`,
  );
  const folders = await existingFolders(searchPaths, files);
  const absolute = /^(?:[\\/]|[A-Za-z]:)/.test(path);
  const candidates = absolute ? [withSuffix] : relativeCandidates(withSuffix, folders);
  for (const candidate of candidates) {
    const file = await files.file(candidate);
    if (file === undefined) continue;
    const root =
      folders.find((folder) => file.startsWith(folder === "/" ? "/" : `${folder}/`)) ??
      (file.replace(/\/[^/]*$/, "") || "/");
    const relative = file.slice(root === "/" ? 1 : root.length + 1);
    if (!relative.endsWith(".yaml")) throw new ConfigError("invalid-request", `'${path}' is no .yaml file`);
    return { root, name: relative.slice(0, -".yaml".length) };
  }
  throw missing;
}

function relativeCandidates(path: string, folders: readonly string[]): string[] {
  const inner = normalizeRelative(path);
  if (inner === undefined) throw new ConfigError("invalid-request", `path '${path}' leads out of the search paths`);
  return folders.map((folder) => `${folder === "/" ? "" : folder}/${inner}`);
}

/**
 * Where the configuration of this type stands in what was composed: at the top for files that say so, below the type's
 * name, or at the file's own package, however deep.
 */
function innerPath(
  config: ConfigMap,
  packagePath: readonly string[],
  type: ConfigType,
  dialect: Dialect,
): readonly string[] {
  const fields = (value: ConfigValue): number => {
    const names = fieldNames(type, value, dialect);
    return isMap(value) ? names.filter((name) => value.has(name)).length : -1;
  };
  let best: readonly string[] = [];
  const consider = (path: readonly string[]): void => {
    const candidate = valueAt(config, path);
    if (isMap(candidate) && fields(candidate) > fields(valueAt(config, best))) best = path;
  };
  consider([type]);
  consider(packagePath);
  // A chain of single keys, as folders above the composition's own leave it.
  const chain: string[] = [];
  for (let value: ConfigValue = config; isMap(value) && value.size === 1; ) {
    const [[name, next]] = [...value] as [[string, ConfigValue]];
    chain.push(name);
    consider([...chain]);
    value = next;
  }
  return best;
}

function valueAt(config: ConfigValue, path: readonly string[]): ConfigValue {
  let value: ConfigValue = config;
  for (const name of path) value = (isMap(value) ? value.get(name) : undefined) ?? null;
  return value;
}
