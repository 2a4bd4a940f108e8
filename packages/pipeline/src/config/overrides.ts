// Overrides: `key.path=value` in Hydra's grammar with its types, put into a composed configuration.
import { ConfigError } from "./errors.ts";
import { type ConfigMap, type ConfigValue, Float, isMap } from "./values.ts";

export interface Override {
  readonly text: string;
  readonly path: readonly string[];
  readonly value: ConfigValue;
}

const KEY = /^(?:[A-Za-z_][\w-]*|\d+)(?:\.[\w-]+)*$/;

/**
 * @throws ConfigError `composition` where the grammar has no such text, `invalid-request` for additions and deletions,
 * which no field of a closed model can take
 */
export function parseOverride(text: string): Override {
  if (/^(?:\+{1,2}|~)/.test(text)) {
    throw new ConfigError(
      "invalid-request",
      `override '${text}' adds or deletes a key, which is not available; allowed is key=value for keys that exist`,
    );
  }
  const equals = text.indexOf("=");
  const broken = (what: string): ConfigError =>
    new ConfigError("composition", `Error parsing override '${text}': ${what}`);
  if (equals < 0) throw broken("it has no '='");
  const key = text.slice(0, equals).trim();
  if (!KEY.test(key)) throw broken(`'${key}' is no key; allowed are names and numbers joined by dots`);
  const reader = new ValueReader(text.slice(equals + 1), broken);
  return { text, path: key.split("."), value: reader.whole() };
}

const MAX_DEPTH = 100;

/** What may stand in a bare text, besides letters, digits and blanks. */
const BARE = /[\w/\-\\+.$%*@?|:]/;

class ValueReader {
  readonly #text: string;
  readonly #broken: (what: string) => ConfigError;
  #at = 0;
  #depth = 0;

  constructor(text: string, broken: (what: string) => ConfigError) {
    this.#text = text;
    this.#broken = broken;
  }

  whole(): ConfigValue {
    if (this.#text.trim() === "") return "";
    const value = this.#element("");
    this.#blanks();
    if (this.#peek() === ",") throw this.#broken("several values (a sweep) are not allowed; a list is written [a,b]");
    if (this.#at < this.#text.length)
      throw this.#broken(`unexpected '${this.#peek()}' at position ${this.#at + 1} of the value`);
    return value;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #blanks(): void {
    while (/\s/.test(this.#peek())) this.#at++;
  }

  /** @param end characters that end a bare text here, besides the comma */
  #element(end: string): ConfigValue {
    this.#blanks();
    const first = this.#peek();
    if (first === "[") return this.#list();
    if (first === "{") return this.#mapping();
    if (first === '"' || first === "'") return this.#quoted(first);
    return this.#bare(end);
  }

  #list(): ConfigValue[] {
    const items: ConfigValue[] = [];
    this.#sequence("]", () => items.push(this.#element("]")));
    return items;
  }

  #mapping(): ConfigMap {
    const map: ConfigMap = new Map();
    this.#sequence("}", () => {
      this.#blanks();
      const quote = this.#peek();
      const key = quote === '"' || quote === "'" ? this.#quoted(quote) : this.#key();
      this.#blanks();
      if (this.#peek() !== ":") throw this.#broken(`a mapping needs ':' after '${key}'`);
      this.#at++;
      map.set(key, this.#element("}"));
    });
    return map;
  }

  #sequence(close: string, item: () => void): void {
    if (++this.#depth > MAX_DEPTH) throw this.#broken(`lists and mappings are nested deeper than ${MAX_DEPTH} levels`);
    this.#at++;
    this.#blanks();
    if (this.#peek() === close) {
      this.#at++;
      this.#depth--;
      return;
    }
    while (true) {
      item();
      this.#blanks();
      const next = this.#peek();
      this.#at++;
      if (next === close) {
        this.#depth--;
        return;
      }
      if (next !== ",")
        throw this.#broken(
          next === "" ? `'${close}' is missing` : `unexpected '${next}' where ',' or '${close}' belongs`,
        );
    }
  }

  #key(): string {
    const start = this.#at;
    while (/[\w/\-+.$%*@?|]/.test(this.#peek())) this.#at++;
    if (start === this.#at) throw this.#broken(`unexpected '${this.#peek()}' where a key belongs`);
    return this.#text.slice(start, this.#at);
  }

  #quoted(quote: string): string {
    let text = "";
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const character = this.#peek();
      if (character === quote) {
        this.#at++;
        return text;
      }
      const next = this.#text[this.#at + 1];
      if (character === "\\" && (next === quote || next === "\\")) {
        text += next;
        this.#at++;
      } else text += character;
    }
    throw this.#broken(`the quote ${quote} is never closed`);
  }

  #bare(end: string): ConfigValue {
    let text = "";
    // Position up to which blanks belong to the text; those that follow it do not.
    let kept = 0;
    let escaped = false;
    while (this.#at < this.#text.length) {
      const character = this.#peek();
      if (character === "," || (end !== "" && end.includes(character))) break;
      if (this.#text.startsWith("${", this.#at)) {
        text += this.#interpolation();
        kept = text.length;
        continue;
      }
      const next = this.#text[this.#at + 1] ?? "";
      if (character === "\\" && next !== "" && "\\()[]{}:=, \t".includes(next)) {
        text += next;
        kept = text.length;
        escaped = true;
        this.#at += 2;
        continue;
      }
      if (!BARE.test(character) && !/[ \t]/.test(character)) {
        throw this.#broken(`unexpected '${character}' in a bare text; quote it`);
      }
      text += character;
      if (!/[ \t]/.test(character)) kept = text.length;
      this.#at++;
    }
    text = text.slice(0, kept);
    if (text === "") throw this.#broken("a value is missing");
    return escaped ? text : typed(text);
  }

  #interpolation(): string {
    const start = this.#at;
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      if (this.#text.startsWith("${", this.#at)) depth++;
      if (this.#peek() === "}" && --depth === 0) {
        this.#at++;
        return this.#text.slice(start, this.#at);
      }
    }
    throw this.#broken("an interpolation lacks its closing brace");
  }
}

const INT = /^[+-]?(?:0|[1-9](?:_?\d)*)$/;
const FLOAT =
  /^[+-]?(?:(?:(?:0|[1-9](?:_?\d)*)?\.\d(?:_?\d)*|(?:0|[1-9](?:_?\d)*)\.)(?:e[+-]?\d(?:_?\d)*)?|(?:0|[1-9](?:_?\d)*)e[+-]?\d(?:_?\d)*)$/i;

function typed(text: string): ConfigValue {
  if (/^null$/i.test(text)) return null;
  if (/^true$/i.test(text)) return true;
  if (/^false$/i.test(text)) return false;
  const digits = text.replaceAll("_", "");
  if (INT.test(text)) return Number(digits);
  if (FLOAT.test(text)) return new Float(Number(digits));
  if (/^[+-]?inf$/i.test(text))
    return new Float(text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
  if (/^[+-]?nan$/i.test(text)) return new Float(Number.NaN);
  return text;
}

/**
 * Puts an override in its place, in the composed configuration or, where that has no such key, within `inner`, the part
 * of it that will be the result. Mappings merge into mappings; nothing gets keys that it does not have.
 * @throws ConfigError `composition`
 */
export function applyOverride(config: ConfigMap, inner: readonly string[], override: Override): void {
  const path = exists(config, override.path) ? override.path : [...inner, ...override.path];
  if (!exists(config, path)) {
    throw new ConfigError(
      "composition",
      `Could not override '${override.path.join(".")}': key '${missingPart(config, override.path)}' is not in the configuration (to append it would take +${override.text}, which is not available)`,
    );
  }
  const name = path.at(-1)!;
  const parent = lookUp(config, path.slice(0, -1))!;
  const before = lookUp(config, path);
  const value = isMap(before) && isMap(override.value) ? mergeKnown(before, override.value, override) : override.value;
  if (isMap(parent)) parent.set(name, value);
  else (parent as ConfigValue[])[Number(name)] = value;
}

function mergeKnown(target: ConfigMap, source: ConfigMap, override: Override): ConfigMap {
  for (const [key, value] of source) {
    const before = target.get(key);
    if (before === undefined) {
      throw new ConfigError(
        "composition",
        `Could not override '${override.path.join(".")}': key '${key}' is not in the configuration`,
      );
    }
    target.set(key, isMap(before) && isMap(value) ? mergeKnown(before, value, override) : value);
  }
  return target;
}

function lookUp(config: ConfigValue, path: readonly string[]): ConfigValue | undefined {
  let value: ConfigValue | undefined = config;
  for (const name of path) {
    if (isMap(value)) value = value.get(name);
    else if (Array.isArray(value) && /^\d+$/.test(name)) value = value[Number(name)];
    else return undefined;
  }
  return value;
}

const exists = (config: ConfigValue, path: readonly string[]): boolean => lookUp(config, path) !== undefined;

function missingPart(config: ConfigValue, path: readonly string[]): string {
  let length = 1;
  while (length < path.length && exists(config, path.slice(0, length))) length++;
  return path.slice(0, length).join(".");
}
