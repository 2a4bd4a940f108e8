// Configurations: composition, overrides, interpolation, models and schemas, search paths.
export { ConfigError, type ConfigReason, ConfigValidationError, type Violation } from "./errors.ts";
export { type ConfigFiles, configFiles } from "./files.ts";
export { type InterpolationContext, resolveInterpolations, resolveWithin } from "./interpolate.ts";
export { SCHEMAS_VERSION } from "./models.ts";
export { type ResolvedConfig, type ResolveOptions, type ResolveRequest, resolveConfig } from "./resolve.ts";
export { existingFolders, INITIAL_SEARCH_PATHS, type SearchPathsUpdate, updateSearchPaths } from "./search-paths.ts";
export {
  CONFIG_TYPES,
  type ConfigReport,
  type ConfigType,
  type Dialect,
  isConfigType,
  parameterSchema,
  parseConfig,
  parseJson,
  parsePipeline,
  reportConfig,
  unknownType,
  validated,
} from "./types.ts";
export {
  type ConfigMap,
  type ConfigValue,
  Float,
  fromPlain,
  isMap,
  type PlainValue,
  toJson,
  toPlain,
} from "./values.ts";
export { parseYaml } from "./yaml.ts";
export { toYaml } from "./yaml-writer.ts";
