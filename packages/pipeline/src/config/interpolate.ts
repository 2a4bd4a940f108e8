// Interpolations: ${key}, ${a.b}, ${.sibling}, ${oc.env:NAME,default}, ${now:%Y}, nested and within texts.
import { ConfigError } from "./errors.ts";
import { type ConfigMap, type ConfigValue, isMap, scalarText } from "./values.ts";

export interface InterpolationContext {
  /** What `oc.env` may see. Nothing by default: a client must not read the server's environment. */
  readonly env?: (name: string) => string | undefined;
  /** For `now`; local time. */
  readonly now?: Date;
}

const MAX_VALUES = 200_000;
const MAX_TEXT = 1 << 20;

type Path = readonly string[];

/** A piece of a text: literal, or an interpolation whose inside may hold pieces again. */
type Piece = string | { readonly inside: readonly Piece[] };

export const hasInterpolation = (text: string): boolean => text.includes("${");

/**
 * All interpolations resolved against the whole. A text that is one interpolation takes the value with its type; within a
 * longer text values become text.
 * @throws ConfigError `interpolation` naming the place and the key
 */
export function resolveInterpolations(root: ConfigValue, context: InterpolationContext = {}): ConfigValue {
  return run(() => new Resolver(root, context).resolve(root, []));
}

/** Chains and nests that exceed the stack are refused like any other that lead nowhere. */
function run<T>(resolve: () => T): T {
  try {
    return resolve();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ConfigError("interpolation", "interpolations are nested too deeply", { cause });
  }
}

class Resolver {
  readonly #root: ConfigValue;
  readonly #context: InterpolationContext;
  readonly #active = new Set<string>();
  #count = 0;

  constructor(root: ConfigValue, context: InterpolationContext) {
    this.#root = root;
    this.#context = { now: new Date(), ...context };
  }

  resolve(value: ConfigValue, path: Path): ConfigValue {
    if (++this.#count > MAX_VALUES) {
      throw new ConfigError("interpolation", `interpolations give more than ${MAX_VALUES} values (at ${words(path)})`);
    }
    if (typeof value === "string") return hasInterpolation(value) ? this.#text(value, path) : unescaped(value);
    if (Array.isArray(value)) return value.map((item, i) => this.resolve(item, [...path, String(i)]));
    if (isMap(value)) return new Map([...value].map(([key, item]) => [key, this.resolve(item, [...path, key])]));
    return value;
  }

  #text(text: string, path: Path): ConfigValue {
    const key = JSON.stringify(path);
    if (this.#active.has(key)) {
      throw new ConfigError("interpolation", `the interpolation '${text}' at ${words(path)} leads back to itself`);
    }
    this.#active.add(key);
    try {
      const pieces = parse(text, path);
      const [only] = pieces;
      if (pieces.length === 1 && typeof only === "object") return this.#value(only.inside, path);
      return this.#join(pieces, path);
    } finally {
      this.#active.delete(key);
    }
  }

  #join(pieces: readonly Piece[], path: Path): string {
    let text = "";
    for (const piece of pieces) {
      if (typeof piece === "string") text += piece;
      else {
        const value = this.#value(piece.inside, path);
        if (Array.isArray(value) || isMap(value)) {
          throw new ConfigError("interpolation", `a list or mapping cannot become part of a text (at ${words(path)})`);
        }
        text += scalarText(value);
      }
      if (text.length > MAX_TEXT)
        throw new ConfigError("interpolation", `the text at ${words(path)} exceeds ${MAX_TEXT} characters`);
    }
    return text;
  }

  #value(inside: readonly Piece[], path: Path): ConfigValue {
    const text = this.#join(inside, path).trim();
    const colon = text.indexOf(":");
    if (colon >= 0) return this.#call(text.slice(0, colon), text.slice(colon + 1), path);
    return this.#select(text, path);
  }

  #call(resolver: string, argument: string, path: Path): ConfigValue {
    if (resolver === "oc.env") {
      const comma = argument.indexOf(",");
      const name = (comma < 0 ? argument : argument.slice(0, comma)).trim();
      const found = this.#context.env?.(name);
      if (found !== undefined) return found;
      if (comma < 0)
        throw new ConfigError("interpolation", `environment variable '${name}' not found (at ${words(path)})`);
      const fallback = argument.slice(comma + 1).trim();
      return fallback === "null" ? null : fallback.replace(/^(["'])(.*)\1$/s, "$2");
    }
    if (resolver === "now") return strftime(this.#context.now!, argument);
    throw new ConfigError(
      "interpolation",
      `interpolation type '${resolver}' is not supported; allowed are oc.env and now (at ${words(path)})`,
    );
  }

  #select(text: string, from: Path): ConfigValue {
    const lost = () => new ConfigError("interpolation", `interpolation key '${text}' not found (at ${words(from)})`);
    const dots = /^\.*/.exec(text)![0].length;
    // One dot is the mapping that holds the value, each further one the level above.
    if (dots > from.length) throw lost();
    const start = dots === 0 ? [] : from.slice(0, from.length - dots);
    const names = text
      .slice(dots)
      .replace(/\[([^\]]*)\]/g, ".$1")
      .split(".");
    if (text.slice(dots) === "" || names.includes("")) throw lost();
    let value = this.#root;
    const path: string[] = [];
    for (const name of [...start, ...names]) {
      // A mapping may itself be reached through an interpolation.
      if (typeof value === "string" && hasInterpolation(value)) value = this.#text(value, path);
      const next = isMap(value)
        ? value.get(name)
        : Array.isArray(value) && /^\d+$/.test(name)
          ? value[Number(name)]
          : undefined;
      if (next === undefined) throw lost();
      value = next;
      path.push(name);
    }
    if (value === "???")
      throw new ConfigError("interpolation", `interpolation key '${text}' has no value yet (at ${words(from)})`);
    return this.resolve(value, path);
  }
}

const words = (path: Path): string => (path.length === 0 ? "the top" : `'${path.join(".")}'`);
const unescaped = (text: string): string => text.replaceAll("\\${", "${");

function parse(text: string, path: Path): readonly Piece[] {
  let at = 0;
  const pieces = (nested: boolean): Piece[] => {
    const found: Piece[] = [];
    let literal = "";
    const flush = (): void => {
      if (literal !== "") found.push(literal);
      literal = "";
    };
    while (at < text.length) {
      if (text.startsWith("\\${", at)) {
        literal += "${";
        at += 3;
      } else if (text.startsWith("${", at)) {
        flush();
        at += 2;
        found.push({ inside: pieces(true) });
      } else if (nested && text[at] === "}") {
        at++;
        flush();
        return found;
      } else {
        literal += text[at++];
      }
    }
    if (nested)
      throw new ConfigError("interpolation", `the interpolation '${text}' at ${words(path)} lacks its closing brace`);
    flush();
    return found;
  };
  return pieces(false);
}

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** The usual directives of strftime; others stay as they are. */
export function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const start = new Date(date.getFullYear(), 0, 1);
  const day =
    Math.round(
      (new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() - start.getTime()) / 86_400_000,
    ) + 1;
  const fields: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    f: String(date.getMilliseconds()).padStart(3, "0").padEnd(6, "0"),
    j: String(day).padStart(3, "0"),
    p: date.getHours() < 12 ? "AM" : "PM",
    B: MONTHS[date.getMonth()]!,
    b: MONTHS[date.getMonth()]!.slice(0, 3),
    A: DAYS[date.getDay()]!,
    a: DAYS[date.getDay()]!.slice(0, 3),
    "%": "%",
  };
  return format.replace(/%([A-Za-z%])/g, (all, letter: string) => fields[letter] ?? all);
}

/** Interpolations of one mapping of a larger document, as a node's parameters within their pipeline. */
export function resolveWithin(root: ConfigMap, path: Path, context: InterpolationContext = {}): ConfigValue {
  let value: ConfigValue = root;
  for (const name of path) {
    const next: ConfigValue | undefined = isMap(value)
      ? value.get(name)
      : Array.isArray(value)
        ? value[Number(name)]
        : undefined;
    if (next === undefined) throw new ConfigError("interpolation", `there is nothing at ${words(path)}`);
    value = next;
  }
  const start = value;
  return run(() => new Resolver(root, context).resolve(start, path));
}
