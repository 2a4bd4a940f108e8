// Writes configurations as YAML that every reader of version 1.1 or 1.2 understands alike.
import { type ConfigValue, Float, floatText, isMap } from "./values.ts";
import { resolvePlain } from "./yaml.ts";

/** Block style, two spaces, keys in their order, no anchors. */
export function toYaml(value: ConfigValue): string {
  if (isMap(value) && value.size > 0) return mapping(value, "");
  if (Array.isArray(value) && value.length > 0) return sequence(value, "");
  return `${scalar(value)}\n`;
}

function mapping(value: ReadonlyMap<string, ConfigValue>, indent: string): string {
  return [...value].map(([key, item]) => `${indent}${text(key)}:${child(item, indent)}`).join("");
}

/** Lists stand at the level of their key, as they usually do in such files. */
function sequence(items: readonly ConfigValue[], indent: string): string {
  return items
    .map((item) => {
      const nested = (isMap(item) && item.size > 0) || (Array.isArray(item) && item.length > 0);
      if (!nested) return `${indent}- ${scalar(item)}\n`;
      const inner = `${indent}  `;
      const block = isMap(item) ? mapping(item, inner) : sequence(item as ConfigValue[], inner);
      return `${indent}- ${block.slice(inner.length)}`;
    })
    .join("");
}

function child(item: ConfigValue, indent: string): string {
  if (isMap(item) && item.size > 0) return `\n${mapping(item, `${indent}  `)}`;
  if (Array.isArray(item) && item.length > 0) return `\n${sequence(item, indent)}`;
  return ` ${scalar(item)}\n`;
}

function scalar(value: ConfigValue): string {
  if (isMap(value)) return "{}";
  if (Array.isArray(value)) return "[]";
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value).toString() : float(value);
  if (value instanceof Float) return float(value.value);
  return text(value);
}

function float(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
  // Version 1.1 wants a point before an exponent.
  return floatText(value).replace(/^(-?\d+)e/, "$1.0e");
}

/** Plain where that is safe beyond doubt, in double quotes as JSON has them otherwise. */
function text(value: string): string {
  const plain = /^[\p{L}\p{N}_./$(][\p{L}\p{N}_./${}()+*=<>| -]*$/u.test(value) && !/ $|^[.-]+$/.test(value);
  if (plain && resolvePlain(value) === value && !/^\d|^=$|^<<$/.test(value)) return value;
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ud800-\udfff]/g, (unit) => {
    const code = unit.charCodeAt(0);
    return code >= 0xd800 && code <= 0xdfff ? unit : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
