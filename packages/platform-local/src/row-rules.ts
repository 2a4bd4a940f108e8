// What conditions and changes mean for one stored row. Pure: no database here.
import type { Change, Condition, Key, Value } from "@sortie/core";

/** The parts of a row that conditions read and changes write, as they are stored. */
export interface RowContent {
  readonly attributes: Record<string, Value>;
  /** Members in the order of their addition, each once; no empty set. */
  readonly sets: Record<string, readonly string[]>;
}

/** The order of SQLite's BINARY collation: by UTF-8 bytes. */
export function compareText(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * The smallest text that sorts after every text that begins with `prefix`; undefined if there is none.
 */
export function endOfPrefix(prefix: string): string | undefined {
  const points = [...prefix].map((character) => character.codePointAt(0)!);
  while (points.length > 0) {
    const last = points.pop()!;
    if (last === 0x10ffff) continue;
    // Surrogates are no characters: after U+D7FF comes U+E000.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

/** @throws TypeError if a part of the key is empty or is not well-formed Unicode. */
export function checkKey(key: Key): void {
  for (const part of ["pk", "sk"] as const) {
    if (key[part] !== "" && key[part].isWellFormed()) continue;
    throw new TypeError(
      `${part} of a row must be well-formed text of at least one character, found ${JSON.stringify(key[part])}`,
    );
  }
}

function checkValue(path: string, value: Value | undefined): void {
  if (value === undefined) throw new TypeError(`attribute ${path} is undefined; use "unset" to remove an attribute`);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`attribute ${path} is ${value}; a table holds finite numbers only`);
  }
  if (!["string", "number", "boolean", "object"].includes(typeof value)) {
    throw new TypeError(`attribute ${path} is a ${typeof value}; a table holds plain data only`);
  }
  if (typeof value === "object" && value !== null) {
    for (const [name, inner] of Object.entries(value)) checkValue(`${path}.${name}`, inner);
  }
}

function checkOnce(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new TypeError(`one change names ${what} ${name} twice`);
    seen.add(name);
  }
}

/** @throws TypeError if a value cannot be stored, or if one attribute or one set is changed in two ways at once. */
export function checkChange(change: Change): void {
  const { set = {}, unset = [], increment = {}, addToSet = {}, removeFromSet = {}, index = {} } = change;
  checkOnce("attribute", [...Object.keys(set), ...unset, ...Object.keys(increment)]);
  checkOnce("set", [...Object.keys(addToSet), ...Object.keys(removeFromSet)]);
  for (const [name, value] of Object.entries(set)) checkValue(name, value);
  for (const [name, value] of Object.entries(increment)) checkValue(name, value);
  for (const position of Object.values(index)) if (position) checkKey(position);
}

/** Does the condition hold for this row (undefined: there is none)? */
export function conditionHolds(condition: Condition, row: RowContent | undefined): boolean {
  switch (condition.kind) {
    case "row-absent":
      return row === undefined;
    case "row-exists":
      return row !== undefined;
    case "absent":
      return row?.attributes[condition.name] === undefined;
    case "equals":
      return row?.attributes[condition.name] === condition.value;
    case "one-of": {
      const value = row?.attributes[condition.name];
      return condition.values.some((allowed) => allowed === value);
    }
    case "less-than": {
      const value = row?.attributes[condition.name];
      const { value: bound } = condition;
      if (typeof value === "string" && typeof bound === "string") return compareText(value, bound) < 0;
      return typeof value === "number" && typeof bound === "number" && value < bound;
    }
    case "set-smaller-than":
      return (row?.sets[condition.name]?.length ?? 0) < condition.size;
    case "set-contains":
      return row?.sets[condition.name]?.includes(condition.member) ?? false;
    case "set-lacks":
      return !row?.sets[condition.name]?.includes(condition.member);
  }
}

/**
 * The content after the change.
 * @throws TypeError if something that is not a number is incremented, or the sum is not finite
 */
export function changedContent(change: Change, before: RowContent | undefined): RowContent {
  const attributes = { ...before?.attributes, ...change.set };
  for (const name of change.unset ?? []) delete attributes[name];
  for (const [name, amount] of Object.entries(change.increment ?? {})) {
    const value = attributes[name] ?? 0;
    if (typeof value !== "number") throw new TypeError(`attribute ${name} is not a number and cannot be incremented`);
    const sum = value + amount;
    if (!Number.isFinite(sum))
      throw new TypeError(`attribute ${name} would become ${sum}; a table holds finite numbers`);
    attributes[name] = sum;
  }
  const sets = { ...before?.sets };
  for (const [name, members] of Object.entries(change.addToSet ?? {})) {
    sets[name] = [...new Set([...(sets[name] ?? []), ...members])];
  }
  for (const [name, members] of Object.entries(change.removeFromSet ?? {})) {
    const gone = new Set(members);
    sets[name] = (sets[name] ?? []).filter((member) => !gone.has(member));
  }
  for (const [name, members] of Object.entries(sets)) if (members.length === 0) delete sets[name];
  return { attributes, sets };
}
