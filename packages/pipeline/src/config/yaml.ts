// YAML as Hydra's loader reads it: version 1.1, floats like 1e-3 without a point, dates as text, no key twice.
import {
  type Alias,
  type Document,
  isAlias,
  isNode,
  isScalar,
  isSeq,
  isMap as isYamlMap,
  type Node,
  parseDocument,
  Scalar,
  visit,
} from "yaml";
import { ConfigError } from "./errors.ts";
import { type ConfigMap, type ConfigValue, Float } from "./values.ts";

/** Aliases can make a small text large. */
const MAX_NODES = 200_000;
const MAX_DEPTH = 200;

/** YAML's own types; others would name classes. */
const KNOWN_TAGS = new Set([
  "!",
  ...["str", "int", "float", "bool", "null", "map", "seq"].map((type) => `tag:yaml.org,2002:${type}`),
]);

/**
 * @param name how errors call the text
 * @throws ConfigError `composition` for broken YAML
 */
export function parseYaml(text: string, name: string): ConfigValue {
  const document = readDocument(text, name);
  const [fault] = document.errors;
  if (fault) throw new ConfigError("composition", `${name}: invalid YAML: ${fault.message.trim()}`, { cause: fault });
  const broken = (what: string): ConfigError => new ConfigError("composition", `${name}: invalid YAML: ${what}`);
  const targets = aliasTargets(document);
  let count = 0;
  const convert = (node: Node | null, depth: number): ConfigValue => {
    if (++count > MAX_NODES || depth > MAX_DEPTH) {
      throw broken(`more than ${MAX_NODES} values or ${MAX_DEPTH} levels, aliases counted`);
    }
    if (node === null) return null;
    if (isAlias(node)) {
      const target = targets.get(node);
      if (!target) throw broken(`alias '*${node.source}' has no anchor`);
      return convert(target, depth + 1);
    }
    if (node.tag !== undefined && !KNOWN_TAGS.has(node.tag)) throw broken(`the tag '${node.tag}' is not allowed`);
    if (isScalar(node)) return scalar(node);
    if (isSeq(node)) return node.items.map((item) => convert(item as Node | null, depth + 1));
    if (!isYamlMap(node)) throw broken("a kind of value that configurations do not have");
    const map: ConfigMap = new Map();
    const merged: ConfigValue[] = [];
    for (const { key, value } of node.items) {
      if (!isScalar(key)) throw broken("a key that is no plain text");
      const item = convert(value as Node | null, depth + 1);
      if (key.source === "<<" && key.type === Scalar.PLAIN) merged.push(...(Array.isArray(item) ? item : [item]));
      else map.set(keyText(key), item);
    }
    // Keys of the mapping itself win over merged ones, and earlier merged ones over later.
    for (const other of merged) {
      if (!(other instanceof Map)) throw broken("'<<' merges only mappings");
      for (const [key, item] of other) if (!map.has(key)) map.set(key, item);
    }
    return map;
  };
  return convert(document.contents as Node | null, 0);
}

function readDocument(text: string, name: string): Document {
  try {
    return parseDocument(text, {
      schema: "failsafe",
      version: "1.1",
      uniqueKeys: true,
      logLevel: "error",
      strict: true,
    });
  } catch (cause) {
    // The parser runs out of stack on what is nested beyond all reason.
    throw new ConfigError("composition", `${name}: invalid YAML: ${(cause as Error).message}`, { cause });
  }
}

/** What each alias stands for: the last node before it that has the anchor. */
function aliasTargets(document: Document): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, (_, node) => {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target) targets.set(node, target);
    } else if (isNode(node) && node.anchor) {
      anchors.set(node.anchor, node);
    }
  });
  return targets;
}

const keyText = (key: Scalar): string => String(key.value ?? key.source ?? "");

function scalar(node: Scalar): ConfigValue {
  const text = String(node.value ?? "");
  const tag = node.tag;
  const plain = node.type === Scalar.PLAIN || node.type === undefined;
  if (tag === "tag:yaml.org,2002:str" || tag === "!" || (tag === undefined && !plain)) return text;
  return resolvePlain(text);
}

const INT = /^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*(?::[0-5]?[0-9])*)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** What a plain scalar means in YAML 1.1 with the widened rule for floats. */
export function resolvePlain(text: string): null | boolean | number | string | Float {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(text)) return true;
  if (/^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(text)) return false;
  if (INT.test(text)) return integer(text.replaceAll("_", ""));
  if (FLOAT.test(text)) return new Float(float(text.replaceAll("_", "").toLowerCase()));
  return text;
}

function integer(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[-+]/, "");
  if (digits.startsWith("0b")) return sign * Number.parseInt(digits.slice(2), 2);
  if (digits.startsWith("0x")) return sign * Number.parseInt(digits.slice(2), 16);
  if (digits.length > 1 && digits.startsWith("0")) return sign * Number.parseInt(digits, 8);
  return sign * sexagesimal(digits);
}

function float(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[-+]/, "");
  if (digits === ".inf") return sign * Number.POSITIVE_INFINITY;
  if (digits === ".nan") return Number.NaN;
  return sign * sexagesimal(digits);
}

const sexagesimal = (digits: string): number => digits.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
