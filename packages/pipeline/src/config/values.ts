// Values of configurations: what YAML holds, with floats kept apart from integers, as they print differently.

/** A float; integers are plain numbers. `1.0` in a text stays "1.0". */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  toJSON(): number {
    return this.value;
  }
}

export type ConfigValue = null | boolean | number | string | Float | ConfigValue[] | ConfigMap;
/** Mappings keep their order; keys are texts. */
export type ConfigMap = Map<string, ConfigValue>;

/** The same without marks, as JSON has it. */
export type PlainValue = null | boolean | number | string | PlainValue[] | { [key: string]: PlainValue };

export const isMap = (value: ConfigValue | undefined): value is ConfigMap => value instanceof Map;

/** Floats as Python writes them: always with a point or an exponent, the latter below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** A scalar within a longer text, as Python's str has it. */
export function scalarText(value: null | boolean | number | string | Float): string {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  return value instanceof Float ? floatText(value.value) : String(value);
}

export function toPlain(value: ConfigValue): PlainValue {
  if (value instanceof Float) return value.value;
  if (Array.isArray(value)) return value.map(toPlain);
  if (!isMap(value)) return value;
  const record: { [key: string]: PlainValue } = {};
  for (const [key, item] of value) {
    // A key "__proto__" must become a key, not a prototype.
    Object.defineProperty(record, key, { value: toPlain(item), enumerable: true, configurable: true, writable: true });
  }
  return record;
}

const MAX_DEPTH = 500;

/**
 * From parsed JSON; undefined where a value is none of JSON's.
 * @throws RangeError for what is nested deeper than any configuration
 */
export function fromPlain(value: unknown, depth = 0): ConfigValue | undefined {
  if (depth > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? value : new Float(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => fromPlain(item, depth + 1));
    return items.includes(undefined) ? undefined : (items as ConfigValue[]);
  }
  if (typeof value !== "object") return undefined;
  const map: ConfigMap = new Map();
  for (const [key, item] of Object.entries(value)) {
    const converted = fromPlain(item, depth + 1);
    if (converted === undefined) return undefined;
    map.set(key, converted);
  }
  return map;
}

/** JSON with two spaces, everything beyond ASCII escaped, floats with their point. */
export function toJson(value: ConfigValue, indent = ""): string {
  if (value instanceof Float) return Number.isFinite(value.value) ? floatText(value.value) : "null";
  if (typeof value === "string") return asciiText(value);
  if (!Array.isArray(value) && !isMap(value)) return JSON.stringify(value);
  const inner = `${indent}  `;
  const rows = isMap(value)
    ? [...value].map(([key, item]) => `${inner}${asciiText(key)}: ${toJson(item, inner)}`)
    : value.map((item) => inner + toJson(item, inner));
  const [open, close] = isMap(value) ? ["{", "}"] : ["[", "]"];
  return rows.length === 0 ? open + close : `${open}\n${rows.join(",\n")}\n${indent}${close}`;
}

const asciiText = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A deep copy, so that what one place changes stays its own. */
export function copy(value: ConfigValue): ConfigValue {
  if (Array.isArray(value)) return value.map(copy);
  if (isMap(value)) return new Map([...value].map(([key, item]) => [key, copy(item)]));
  return value;
}
