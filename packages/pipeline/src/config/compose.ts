// Composition: a file, its defaults list and those of what it names, merged in order, each at its package.
// The rules are Hydra 1.3's, as far as configurations of pipelines use them.
import { normalizeRelative } from "../files/port.ts";
import { ConfigError } from "./errors.ts";
import type { ConfigFiles } from "./files.ts";
import { type ConfigMap, type ConfigValue, copy, isMap } from "./values.ts";
import { parseYaml } from "./yaml.ts";

export interface Composition {
  readonly config: ConfigMap;
  /** Where the primary file's own content stands in it. */
  readonly packagePath: readonly string[];
}

interface LoadedFile {
  /** Relative to the root, without suffix. */
  readonly path: string;
  readonly content: ConfigMap;
  readonly defaults: readonly ConfigValue[] | undefined;
  readonly header: string | undefined;
}

/** One entry of a defaults list, read. */
type Entry =
  | { readonly kind: "self" }
  | {
      readonly kind: "file";
      /** Folder relative to the root, and the groups' part of it that makes the default package. */
      readonly group: string;
      readonly ownGroup: string;
      readonly options: readonly string[];
      readonly package: string | undefined;
      readonly optional: boolean;
      readonly override: boolean;
      readonly text: string;
    };

const MAX_DEPTH = 32;
const MAX_FILES = 500;

/**
 * @param root folder of the composition
 * @param name path of the primary file relative to it, without suffix
 * @throws ConfigError `composition` for broken files, unknown entries and circles
 */
export async function compose(files: ConfigFiles, root: string, name: string): Promise<Composition> {
  const composer = new Composer(files, root);
  const primary = await composer.load(name);
  if (!primary) throw new ConfigError("file-not-found", `configuration '${name}' not found below '${root}'`);
  const own = packageOf("", primary.header ?? groupOf(name).replaceAll("/", "."), name);
  await composer.add(primary, own, [], true);
  composer.checkOverrides();
  return { config: composer.result, packagePath: own === "" ? [] : own.split(".") };
}

const groupOf = (path: string): string => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const joinPath = (...parts: string[]): string => parts.filter((part) => part !== "").join("/");

/** A package relative to its parent's; `_global_` starts over from the top, `_group_` and `_name_` stand for the file's. */
function packageOf(parent: string, relative: string, path: string): string {
  const filled = relative
    .replaceAll("_group_", groupOf(path).replaceAll("/", "."))
    .replaceAll("_name_", nameOf(path))
    .replace(/^_here_\.?/, "");
  const joined = [parent, filled].filter((part) => part !== "").join(".");
  const global = joined.lastIndexOf("_global_");
  return global < 0 ? joined : joined.slice(global + "_global_".length).replace(/^\./, "");
}

class Composer {
  readonly result: ConfigMap = new Map();
  readonly #files: ConfigFiles;
  readonly #root: string;
  /** Options that `override` entries choose, by group and package; what is left at the end had nothing to override. */
  readonly #overrides = new Map<string, { option: readonly string[]; used: boolean; text: string }>();
  #count = 0;

  constructor(files: ConfigFiles, root: string) {
    this.#files = files;
    this.#root = root;
  }

  async load(path: string): Promise<LoadedFile | undefined> {
    const file = await this.#files.file(`${this.#root === "/" ? "" : this.#root}/${path}.yaml`);
    if (file === undefined) return undefined;
    if (++this.#count > MAX_FILES)
      throw new ConfigError("composition", `more than ${MAX_FILES} files take part in one configuration`);
    const text = await this.#files.read(file);
    const value = parseYaml(text, `${path}.yaml`) ?? new Map();
    if (!isMap(value))
      throw new ConfigError("composition", `${path}.yaml: invalid configuration: its top is no mapping`);
    const content: ConfigMap = new Map(value);
    const defaults = content.get("defaults");
    content.delete("defaults");
    if (defaults !== undefined && defaults !== null && !Array.isArray(defaults)) {
      throw new ConfigError("composition", `${path}.yaml: 'defaults' must be a list`);
    }
    return { path, content, defaults: Array.isArray(defaults) ? defaults : undefined, header: packageHeader(text) };
  }

  /** Merges a file and everything that it names, in order of its defaults list. */
  async add(file: LoadedFile, at: string, trail: readonly string[], primary: boolean): Promise<void> {
    if (trail.length > MAX_DEPTH || trail.includes(file.path)) {
      throw new ConfigError("composition", `defaults lead in a circle: ${[...trail, file.path].join(" > ")}`);
    }
    const entries = (file.defaults ?? []).map((entry) => readEntry(entry, file.path));
    for (const entry of entries) {
      if (entry.kind !== "file" || !entry.override || isHydras(entry.group)) continue;
      const key = overrideKey(entry, at);
      // The outermost file decides.
      if (!this.#overrides.has(key)) this.#overrides.set(key, { option: entry.options, used: false, text: entry.text });
    }
    const selves = entries.filter(({ kind }) => kind === "self").length;
    if (selves > 1)
      throw new ConfigError("composition", `${file.path}.yaml: '_self_' stands twice in its defaults list`);
    const content = new Map(file.content);
    if (primary) content.delete("hydra");
    if (selves === 0) entries.push({ kind: "self" });
    for (const entry of entries) {
      if (entry.kind === "self") this.#merge(content, at);
      else if (!entry.override && !isHydras(entry.group)) await this.#addEntry(entry, file, at, trail);
    }
  }

  async #addEntry(
    entry: Extract<Entry, { kind: "file" }>,
    from: LoadedFile,
    parent: string,
    trail: readonly string[],
  ): Promise<void> {
    const chosen = this.#overrides.get(overrideKey(entry, parent));
    if (chosen) chosen.used = true;
    for (const option of chosen?.option ?? entry.options) {
      const path = normalizeRelative(joinPath(entry.group, option));
      if (path === undefined)
        throw new ConfigError(
          "composition",
          `${from.path}.yaml: the default '${entry.text}' leads out of '${this.#root}'`,
        );
      const file = await this.load(path);
      if (!file) {
        if (entry.optional) continue;
        throw new ConfigError(
          "composition",
          `${from.path}.yaml: could not find '${path}', named by its default '${entry.text}'`,
        );
      }
      // Options may have folders of their own, which belong to the default package.
      const own = joinPath(entry.ownGroup, groupOf(option)).replaceAll("/", ".");
      await this.add(file, packageOf(parent, entry.package ?? file.header ?? own, path), [...trail, from.path], false);
    }
  }

  checkOverrides(): void {
    for (const { used, text } of this.#overrides.values()) {
      if (!used)
        throw new ConfigError(
          "composition",
          `the default '${text}' overrides nothing: no such group was chosen before`,
        );
    }
  }

  #merge(content: ConfigMap, at: string): void {
    let target = this.result;
    for (const name of at === "" ? [] : at.split(".")) {
      const next = target.get(name);
      if (isMap(next)) {
        target = next;
      } else {
        const created: ConfigMap = new Map();
        target.set(name, created);
        target = created;
      }
    }
    mergeInto(target, content);
  }
}

/** Mappings merge key by key; lists and scalars are replaced, except by a value that is still missing. */
function mergeInto(target: ConfigMap, source: ConfigMap): void {
  for (const [key, value] of source) {
    const before = target.get(key);
    if (isMap(before) && isMap(value)) mergeInto(before, value);
    else if (before === undefined || value !== "???") target.set(key, copy(value));
  }
}

/** Entries for Hydra itself (its launchers, its help) have no meaning here. */
const isHydras = (group: string): boolean => group === "hydra" || group.startsWith("hydra/");

const overrideKey = (entry: Extract<Entry, { kind: "file" }>, parent: string): string =>
  `${entry.group}@${packageOf(parent, entry.package ?? entry.ownGroup.replaceAll("/", "."), "")}`;

/** `# @package x` among the comment lines at the top. */
function packageHeader(text: string): string | undefined {
  for (const line of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    if (line.trim() === "") continue;
    if (!line.trimStart().startsWith("#")) return undefined;
    const found = /^\s*#\s*@package\s+(\S+)\s*$/.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

function readEntry(entry: ConfigValue, path: string): Entry {
  const fault = (what: string): ConfigError => new ConfigError("composition", `${path}.yaml: ${what}`);
  const folder = groupOf(path);
  if (typeof entry === "string") {
    const { words, optional, override } = flags(entry);
    if (words === "_self_") return { kind: "self" };
    const [target, at] = splitPackage(words, fault);
    const plain = target.replace(/\.ya?ml$/, "");
    const group = groupOf(plain);
    return {
      kind: "file",
      ...place(folder, group, plain.startsWith("/"), fault),
      options: [nameOf(plain)],
      package: at,
      optional,
      override,
      text: entry,
    };
  }
  if (!isMap(entry) || entry.size !== 1)
    throw fault("a defaults list holds names and single pairs of group and option");
  const [[key, value]] = [...entry] as [[string, ConfigValue]];
  const { words, optional, override } = flags(key);
  const [target, at] = splitPackage(words, fault);
  const options = (Array.isArray(value) ? value : value === null ? [] : [value]).map((option) => {
    if (typeof option !== "string" && typeof option !== "number")
      throw fault(`the option of '${key}' is neither a name nor null`);
    const text = String(option).replace(/\.ya?ml$/, "");
    if (text === "???" || text.includes("${")) throw fault(`the option of '${key}' must be named, not '${text}'`);
    return text;
  });
  return {
    kind: "file",
    ...place(folder, target, target.startsWith("/"), fault),
    options,
    package: at,
    optional,
    override,
    text: `${key}: ${value === null ? "null" : options.join(", ")}`,
  };
}

function flags(text: string): { words: string; optional: boolean; override: boolean } {
  let words = text.trim();
  let optional = false;
  let override = false;
  for (let match = /^(optional|override)\s+/.exec(words); match; match = /^(optional|override)\s+/.exec(words)) {
    if (match[1] === "optional") optional = true;
    else override = true;
    words = words.slice(match[0].length);
  }
  return { words, optional, override };
}

function splitPackage(text: string, fault: (what: string) => ConfigError): [string, string | undefined] {
  const cut = text.indexOf("@");
  const target = cut < 0 ? text : text.slice(0, cut);
  const at = cut < 0 ? undefined : text.slice(cut + 1);
  if (target === "" || (at !== undefined && !/^[\w.-]*$/.test(at)))
    throw fault(`the default '${text}' is no group or name with an optional @package`);
  return [target, at];
}

function place(folder: string, group: string, absolute: boolean, fault: (what: string) => ConfigError) {
  const ownGroup = group.replace(/^\/+/, "");
  const found = normalizeRelative(absolute ? ownGroup : joinPath(folder, ownGroup));
  if (found === undefined) throw fault(`the group '${group}' leads out of the configurations' folder`);
  return {
    group: found,
    ownGroup: ownGroup
      .split("/")
      .filter((part) => part !== ".." && part !== ".")
      .join("/"),
  };
}
