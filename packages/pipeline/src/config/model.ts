// Models of configurations: one description from which validation, defaults and JSON Schema follow.
import { durationSeconds, durationText } from "./duration.ts";
import type { Violation } from "./errors.ts";
import { type ConfigMap, type ConfigValue, Float, isMap, toPlain } from "./values.ts";

export interface Bounds {
  readonly ge?: number;
  readonly le?: number;
  readonly gt?: number;
}

export type FieldType =
  | ({ readonly kind: "int" | "float" } & Bounds)
  | { readonly kind: "bool" | "text" | "any" | "object" | "duration" }
  | { readonly kind: "literal"; readonly values: readonly string[] }
  | { readonly kind: "nullable"; readonly of: FieldType }
  | { readonly kind: "list"; readonly of: FieldType }
  | { readonly kind: "tuple"; readonly of: readonly FieldType[] }
  | { readonly kind: "texts" }
  | { readonly kind: "union"; readonly of: readonly FieldType[] }
  /** By function, so that models may refer to themselves. */
  | { readonly kind: "model"; readonly of: () => Model }
  /** A text or value with a rule of its own; the rule answers what is wrong. */
  | { readonly kind: "checked"; readonly of: FieldType; readonly rule: (value: ConfigValue) => string | undefined }
  /** Refuses mappings with a text of its own before anything else. */
  | { readonly kind: "noMapping"; readonly of: FieldType; readonly message: string }
  /** Chooses by the value, for dialects. */
  | { readonly kind: "choose"; readonly by: (value: ConfigValue) => FieldType; readonly shown: FieldType };

export interface Field {
  readonly type: FieldType;
  readonly description: string;
  /** undefined makes the field required; functions make a fresh one and do not appear in the schema. */
  readonly default?: ConfigValue | (() => ConfigValue);
  /** Further keywords for the schema, which validation does not enforce. */
  readonly hints?: Readonly<Record<string, ConfigValue>>;
}

export interface Model {
  readonly name: string;
  readonly description: string;
  readonly fields: Readonly<Record<string, Field>>;
  readonly examples?: readonly ConfigValue[];
  /** A rule over the fields together; answers what is wrong. */
  readonly rule?: (value: ConfigMap, given: ReadonlySet<string>) => string | undefined;
  /** A last change to the validated value. */
  readonly finish?: (value: ConfigMap, given: ReadonlySet<string>) => void;
}

export const int = (bounds: Bounds = {}): FieldType => ({ kind: "int", ...bounds });
export const float = (bounds: Bounds = {}): FieldType => ({ kind: "float", ...bounds });
export const bool: FieldType = { kind: "bool" };
export const text: FieldType = { kind: "text" };
export const any: FieldType = { kind: "any" };
export const object: FieldType = { kind: "object" };
export const nullable = (of: FieldType): FieldType => ({ kind: "nullable", of });
export const list = (of: FieldType): FieldType => ({ kind: "list", of });
export const union = (...of: FieldType[]): FieldType => ({ kind: "union", of });
export const literal = (...values: string[]): FieldType => ({ kind: "literal", values });
export const model = (of: () => Model): FieldType => ({ kind: "model", of });

type Report = (location: string, type: string, message: string, input: ConfigValue) => void;

/** What a value becomes under a type; undefined where it does not fit, which has been reported. */
export function validateModel(root: Model, value: ConfigValue): { value: ConfigMap; violations: Violation[] } {
  const violations: Violation[] = [];
  const report: Report = (location, type, message, input) =>
    violations.push({ location, type, message, input: toPlain(input) });
  const result = modelValue(root, value, "", report);
  return { value: result ?? new Map(), violations };
}

const inside = (location: string, part: string | number): string =>
  location === "" ? String(part) : `${location}.${part}`;

function modelValue(target: Model, value: ConfigValue, location: string, report: Report): ConfigMap | undefined {
  if (!isMap(value)) {
    report(location, "model_type", `Input should be a valid dictionary or instance of ${target.name}`, value);
    return undefined;
  }
  const result: ConfigMap = new Map();
  let sound = true;
  for (const [name, field] of Object.entries(target.fields)) {
    const given = value.get(name);
    if (given === undefined) {
      if (field.default === undefined) {
        report(inside(location, name), "missing", "Field required", value);
        sound = false;
      } else {
        result.set(name, typeof field.default === "function" ? field.default() : field.default);
      }
      continue;
    }
    const checked = typedValue(field.type, given, inside(location, name), report);
    if (checked === undefined) sound = false;
    else result.set(name, checked);
  }
  for (const [name, extra] of value) {
    if (Object.hasOwn(target.fields, name)) continue;
    report(inside(location, name), "extra_forbidden", "Extra inputs are not permitted", extra);
    sound = false;
  }
  if (!sound) return undefined;
  const given = new Set(value.keys());
  const wrong = target.rule?.(result, given);
  if (wrong !== undefined) {
    report(location, "value_error", `Value error, ${wrong}`, value);
    return undefined;
  }
  target.finish?.(result, given);
  return result;
}

function typedValue(type: FieldType, value: ConfigValue, location: string, report: Report): ConfigValue | undefined {
  const refuse = (kind: string, message: string): undefined => {
    report(location, kind, message, value);
    return undefined;
  };
  switch (type.kind) {
    case "any":
      return value;
    case "int":
      return intValue(type, value, refuse);
    case "float":
      return floatValue(type, value, refuse);
    case "bool":
      return boolValue(value, refuse);
    case "text":
      return typeof value === "string" ? value : refuse("string_type", "Input should be a valid string");
    case "duration":
      return durationValue(value, refuse);
    case "literal": {
      if (typeof value === "string" && type.values.includes(value)) return value;
      return refuse("literal_error", `Input should be ${alternatives(type.values.map((word) => `'${word}'`))}`);
    }
    case "object":
      return isMap(value) ? value : refuse("dict_type", "Input should be a valid dictionary");
    case "texts": {
      if (!isMap(value)) return refuse("dict_type", "Input should be a valid dictionary");
      let sound = true;
      for (const [key, item] of value) {
        if (typeof item !== "string") {
          report(inside(location, key), "string_type", "Input should be a valid string", item);
          sound = false;
        }
      }
      return sound ? value : undefined;
    }
    case "nullable":
      return value === null ? null : typedValue(type.of, value, location, report);
    case "list": {
      if (!Array.isArray(value)) return refuse("list_type", "Input should be a valid list");
      const items = value.map((item, i) => typedValue(type.of, item, inside(location, i), report));
      return items.includes(undefined) ? undefined : (items as ConfigValue[]);
    }
    case "tuple":
      return tupleValue(type.of, value, location, report, refuse);
    case "union":
      return unionValue(type.of, value, location, report);
    case "model":
      return modelValue(type.of(), value, location, report);
    case "noMapping":
      return isMap(value)
        ? refuse("value_error", `Value error, ${type.message}`)
        : typedValue(type.of, value, location, report);
    case "choose":
      return typedValue(type.by(value), value, location, report);
    case "checked": {
      const checked = typedValue(type.of, value, location, report);
      if (checked === undefined) return undefined;
      const wrong = type.rule(checked);
      return wrong === undefined ? checked : refuse("value_error", `Value error, ${wrong}`);
    }
  }
}

type Refuse = (kind: string, message: string) => undefined;

const alternatives = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

const plainNumber = (value: number): string => String(value);

function inBounds({ ge, le, gt }: Bounds, value: number, refuse: Refuse): true | undefined {
  if (ge !== undefined && !(value >= ge))
    return refuse("greater_than_equal", `Input should be greater than or equal to ${plainNumber(ge)}`);
  if (le !== undefined && !(value <= le))
    return refuse("less_than_equal", `Input should be less than or equal to ${plainNumber(le)}`);
  if (gt !== undefined && !(value > gt))
    return refuse("greater_than", `Input should be greater than ${plainNumber(gt)}`);
  return true;
}

/** Whole floats, booleans and texts of digits are integers too. */
function intValue(bounds: Bounds, value: ConfigValue, refuse: Refuse): number | undefined {
  let number: number;
  if (typeof value === "number") number = value;
  else if (typeof value === "boolean") number = value ? 1 : 0;
  else if (value instanceof Float) {
    if (!Number.isFinite(value.value)) return refuse("finite_number", "Input should be a finite number");
    if (!Number.isInteger(value.value)) {
      return refuse("int_from_float", "Input should be a valid integer, got a number with a fractional part");
    }
    number = value.value;
  } else if (typeof value === "string") {
    if (!/^\s*[+-]?\d+(?:_\d+)*(?:\.0*)?\s*$/.test(value)) {
      return refuse("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
    }
    number = Number(value.replaceAll("_", ""));
  } else return refuse("int_type", "Input should be a valid integer");
  return inBounds(bounds, number, refuse) && number;
}

function floatValue(bounds: Bounds, value: ConfigValue, refuse: Refuse): Float | undefined {
  let number: number;
  if (typeof value === "number") number = value;
  else if (typeof value === "boolean") number = value ? 1 : 0;
  else if (value instanceof Float) number = value.value;
  else if (typeof value === "string") {
    const word = value.trim().toLowerCase();
    if (/^[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(word)) number = Number(word.replaceAll("_", ""));
    else if (/^[+-]?(?:inf|infinity)$/.test(word))
      number = word.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    else if (/^[+-]?nan$/.test(word)) number = Number.NaN;
    else return refuse("float_parsing", "Input should be a valid number, unable to parse string as a number");
  } else return refuse("float_type", "Input should be a valid number");
  return inBounds(bounds, number, refuse) && new Float(number);
}

function boolValue(value: ConfigValue, refuse: Refuse): boolean | undefined {
  if (typeof value === "boolean") return value;
  const number = value instanceof Float ? value.value : value;
  if (number === 1 || number === 0) return number === 1;
  if (typeof value === "string") {
    if (/^(?:true|t|yes|y|on|1)$/i.test(value)) return true;
    if (/^(?:false|f|no|n|off|0)$/i.test(value)) return false;
  }
  if (typeof value === "string" || typeof value === "number" || value instanceof Float) {
    return refuse("bool_parsing", "Input should be a valid boolean, unable to interpret input");
  }
  return refuse("bool_type", "Input should be a valid boolean");
}

/** Seconds, an ISO 8601 duration or [days] hours:minutes[:seconds]; kept as ISO 8601. */
function durationValue(value: ConfigValue, refuse: Refuse): string | undefined {
  if (typeof value !== "string" && typeof value !== "number" && !(value instanceof Float)) {
    return refuse("time_delta_type", "Input should be a valid timedelta");
  }
  const seconds =
    typeof value === "string" ? durationSeconds(value) : Number(value instanceof Float ? value.value : value);
  if (seconds === undefined || !Number.isFinite(seconds)) {
    return refuse("time_delta_parsing", "Input should be a valid timedelta, unable to parse text as a duration");
  }
  return durationText(seconds);
}

function tupleValue(
  types: readonly FieldType[],
  value: ConfigValue,
  location: string,
  report: Report,
  refuse: Refuse,
): ConfigValue | undefined {
  if (!Array.isArray(value)) return refuse("tuple_type", "Input should be a valid tuple");
  if (value.length > types.length) {
    return refuse("too_long", `Tuple should have at most ${types.length} items after validation, not ${value.length}`);
  }
  const items = types.map((type, i) => {
    const item = value[i];
    if (item !== undefined) return typedValue(type, item, inside(location, i), report);
    report(inside(location, i), "missing", "Field required", value);
    return undefined;
  });
  return items.includes(undefined) ? undefined : (items as ConfigValue[]);
}

/** A member whose type the value has exactly comes first; then, in order, those that it can be turned into. */
function unionValue(
  types: readonly FieldType[],
  value: ConfigValue,
  location: string,
  report: Report,
): ConfigValue | undefined {
  const exact = types.find((type) => hasType(type, value));
  // What can still be wrong then is a bound, which belongs to the field as a whole.
  if (exact) return typedValue(exact, value, location, report);
  const reports: (() => void)[] = [];
  for (const type of types) {
    const result = typedValue(type, value, inside(location, shortName(type)), (...fault) =>
      reports.push(() => report(...fault)),
    );
    if (result !== undefined) return result;
  }
  for (const pending of reports) pending();
  return undefined;
}

function hasType(type: FieldType, value: ConfigValue): boolean {
  switch (type.kind) {
    case "int":
      return typeof value === "number";
    case "float":
      return value instanceof Float;
    case "bool":
      return typeof value === "boolean";
    case "text":
      return typeof value === "string";
    case "literal":
      return typeof value === "string" && type.values.includes(value);
    default:
      return false;
  }
}

function shortName(type: FieldType): string {
  const names: Readonly<Record<string, string>> = { text: "str", literal: "literal" };
  return type.kind === "literal"
    ? `literal[${type.values.map((word) => `'${word}'`).join(",")}]`
    : (names[type.kind] ?? type.kind);
}
