// The seven types of configurations in their two dialects: validation, schema, and what clients are told about faults.
import { ConfigError, ConfigValidationError, type Violation } from "./errors.ts";
import { jsonSchema } from "./json-schema.ts";
import { type Model, validateModel } from "./model.ts";
import { CALLBACKS, DATA, OPTIMIZER, PIPELINE, SCHEDULER, TRAIN_RUN, TRAINING } from "./models.ts";
import {
  isLegacyData,
  isLegacyTraining,
  isLegacyTrainRun,
  LEGACY_DATA,
  LEGACY_PIPELINE,
  LEGACY_TRAIN_RUN,
  LEGACY_TRAINING,
} from "./models-legacy.ts";
import { type ConfigMap, type ConfigValue, fromPlain, isMap, toJson } from "./values.ts";

export const CONFIG_TYPES = [
  "training",
  "optimizer",
  "scheduler",
  "callbacks",
  "data",
  "pipeline",
  "trainrun",
] as const;
export type ConfigType = (typeof CONFIG_TYPES)[number];
/** `auto` takes the legacy model where a value has fields that only it has. */
export type Dialect = "current" | "legacy" | "auto";

export const isConfigType = (type: string): type is ConfigType => (CONFIG_TYPES as readonly string[]).includes(type);

export function unknownType(type: string): ConfigError {
  return new ConfigError("unknown-type", `Unknown config type '${type}'; allowed are ${CONFIG_TYPES.join(", ")}`);
}

const CURRENT: Readonly<Record<ConfigType, Model>> = {
  training: TRAINING,
  optimizer: OPTIMIZER,
  scheduler: SCHEDULER,
  callbacks: CALLBACKS,
  data: DATA,
  pipeline: PIPELINE,
  trainrun: TRAIN_RUN,
};

const LEGACY: Readonly<Record<ConfigType, Model>> = {
  ...CURRENT,
  training: LEGACY_TRAINING,
  data: LEGACY_DATA,
  pipeline: LEGACY_PIPELINE,
  trainrun: LEGACY_TRAIN_RUN,
};

const LOOKS_LEGACY: Readonly<Partial<Record<ConfigType, (value: ConfigValue) => boolean>>> = {
  training: isLegacyTraining,
  data: isLegacyData,
  trainrun: isLegacyTrainRun,
};

export function modelFor(type: ConfigType, value: ConfigValue, dialect: Dialect): Model {
  if (dialect === "auto") return LOOKS_LEGACY[type]?.(value) ? LEGACY[type] : CURRENT[type];
  return (dialect === "legacy" ? LEGACY : CURRENT)[type];
}

/** Names of the fields that a type has at its top. */
export const fieldNames = (type: ConfigType, value: ConfigValue, dialect: Dialect): readonly string[] =>
  Object.keys(modelFor(type, value, dialect).fields);

/**
 * The value with every default filled in, in the model's order.
 * @throws ConfigValidationError with one violation per fault
 */
export function validated(type: ConfigType, value: ConfigValue, dialect: Dialect = "current"): ConfigMap {
  const model = modelFor(type, value, dialect);
  const result = validateModel(model, value);
  if (result.violations.length > 0) throw new ConfigValidationError(model.name, result.violations);
  return result.value;
}

/**
 * JSON bytes of a request as a validated configuration.
 * @throws ConfigError `invalid-request` for what is no JSON, ConfigValidationError
 */
export function parseConfig(type: ConfigType, bytes: Uint8Array, dialect: Dialect = "current"): ConfigMap {
  return validated(type, parseJson(bytes), dialect);
}

/**
 * A pipeline as a client sends it to be loaded: a top-level `version` is dropped before validation.
 * @throws ConfigError `invalid-request` for empty bytes, bad JSON or no object; ConfigValidationError
 */
export function parsePipeline(bytes: Uint8Array, dialect: Dialect = "current"): ConfigMap {
  if (bytes.byteLength === 0) throw new ConfigError("invalid-request", "pipeline.config_bytes is empty");
  const value = parseJson(bytes);
  if (!isMap(value))
    throw new ConfigError("invalid-request", "the pipeline config in config_bytes must be a JSON object");
  value.delete("version");
  return validated("pipeline", value, dialect);
}

export function parseJson(bytes: Uint8Array): ConfigValue {
  try {
    const value = fromPlain(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    if (value === undefined) throw new SyntaxError("a value of no kind that JSON has");
    return value;
  } catch (cause) {
    throw new ConfigError("invalid-request", `Invalid JSON: ${(cause as Error).message}`, { cause });
  }
}

/** JSON Schema (draft 2020-12) of a type as text. */
export function parameterSchema(type: ConfigType, dialect: Exclude<Dialect, "auto"> = "current"): string {
  return toJson(jsonSchema((dialect === "legacy" ? LEGACY : CURRENT)[type]));
}

export interface ConfigReport {
  readonly valid: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

const OPTIMIZERS = ["adam", "adamw", "sgd"];
const SCHEDULERS = ["cosine", "exponential", "plateau", "reduce_on_plateau", "step"];

/** What is wrong with a configuration, one line per fault; never fails for bad content. */
export function reportConfig(type: ConfigType, bytes: Uint8Array, dialect: Dialect = "current"): ConfigReport {
  const refused = (errors: readonly string[]): ConfigReport => ({ valid: false, errors, warnings: [] });
  if (bytes.byteLength === 0) return refused(["config_bytes is empty"]);
  let value: ConfigValue;
  try {
    value = parseJson(bytes);
  } catch (error) {
    return refused([(error as Error).message]);
  }
  const result = validateModel(modelFor(type, value, dialect), value);
  if (result.violations.length > 0) return refused(result.violations.map(violationLine));
  return type === "training" ? reportTraining(result.value) : { valid: true, errors: [], warnings: [] };
}

const violationLine = ({ location, message }: Violation): string => `${location}: ${message}`;

function reportTraining(value: ConfigMap): ConfigReport {
  const errors: string[] = [];
  const warnings: string[] = [];
  const named = (part: ConfigValue | undefined): string => {
    const name = isMap(part) ? part.get("name") : null;
    return typeof name === "string" ? name : "";
  };
  const optimizer = named(value.get("optimizer"));
  if (!OPTIMIZERS.includes(optimizer.toLowerCase())) {
    errors.push(`Unsupported optimizer '${optimizer}'. Supported: ${listText(OPTIMIZERS)}`);
  }
  const scheduler = value.get("scheduler");
  const name = named(scheduler).toLowerCase();
  if (name !== "" && name !== "none") {
    if (!SCHEDULERS.includes(name))
      errors.push(`Unsupported scheduler '${named(scheduler)}'. Supported: ${listText(SCHEDULERS)}`);
    const monitor = isMap(scheduler) ? scheduler.get("monitor") : null;
    if ((name === "plateau" || name === "reduce_on_plateau") && !monitor) {
      warnings.push(`Scheduler '${name}' has no 'monitor'; it will watch val_loss`);
    }
  }
  return { valid: errors.length === 0, errors, warnings };
}

const listText = (words: readonly string[]): string => `[${words.map((word) => `'${word}'`).join(", ")}]`;
