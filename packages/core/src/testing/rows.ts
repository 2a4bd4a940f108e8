// The meaning of conditions and changes on one row, written as plainly as possible: the in-memory table stands on it,
// and the contract suite compares every other table with it.
import type { Change, Condition, Key, Value } from "../ports.ts";

/** A row while it is being changed. */
export interface Draft {
  readonly attributes: Record<string, Value>;
  readonly sets: Record<string, Set<string>>;
}

/**
 * Compares two texts as their UTF-8 bytes compare (the order of code points).
 * @returns negative, 0 or positive
 */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** @throws TypeError if a part of the key is empty or is not well-formed Unicode. */
export function checkKey(key: Key): void {
  for (const [name, text] of [["pk", key.pk] as const, ["sk", key.sk] as const]) {
    if (text === "" || !text.isWellFormed()) {
      throw new TypeError(
        `${name} of a row must be well-formed text of at least one character, found ${JSON.stringify(text)}`,
      );
    }
  }
}

function checkValue(path: string, value: Value | undefined): void {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`attribute ${path} is ${value}; a table holds finite numbers only`);
  }
  if (value === undefined) throw new TypeError(`attribute ${path} is undefined; use "unset" to remove an attribute`);
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) checkValue(`${path}.${name}`, inner);
}

/** @throws TypeError if a value cannot be stored, or if one attribute or one set is changed in two ways at once. */
export function checkChange(change: Change): void {
  const attributes = [
    ...Object.keys(change.set ?? {}),
    ...(change.unset ?? []),
    ...Object.keys(change.increment ?? {}),
  ];
  const sets = [...Object.keys(change.addToSet ?? {}), ...Object.keys(change.removeFromSet ?? {})];
  for (const [what, names] of [["attribute", attributes] as const, ["set", sets] as const]) {
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) throw new TypeError(`one change names ${what} ${twice} twice`);
  }
  for (const [name, value] of Object.entries({ ...change.set, ...change.increment })) checkValue(name, value);
  for (const position of Object.values(change.index ?? {})) if (position) checkKey(position);
}

/** Does the condition hold for this row (undefined: there is none)? */
export function holds(condition: Condition, row: Draft | undefined): boolean {
  if (condition.kind === "row-absent") return row === undefined;
  if (condition.kind === "row-exists") return row !== undefined;
  const value = row?.attributes[condition.name];
  const set = row?.sets[condition.name];
  switch (condition.kind) {
    case "absent":
      return value === undefined;
    case "equals":
      return value === condition.value;
    case "one-of":
      return condition.values.some((allowed) => allowed === value);
    case "less-than":
      if (typeof value === "number" && typeof condition.value === "number") return value < condition.value;
      if (typeof value === "string" && typeof condition.value === "string")
        return compareText(value, condition.value) < 0;
      return false;
    case "set-smaller-than":
      return (set?.size ?? 0) < condition.size;
    case "set-contains":
      return set?.has(condition.member) ?? false;
    case "set-lacks":
      return !set?.has(condition.member);
  }
}

/**
 * Applies the change to the draft, in place.
 * @throws TypeError if something that is not a number is incremented, or the sum is not finite; the draft is then void
 */
export function apply(change: Change, draft: Draft): void {
  Object.assign(draft.attributes, change.set);
  for (const name of change.unset ?? []) delete draft.attributes[name];
  for (const [name, amount] of Object.entries(change.increment ?? {})) {
    const value = draft.attributes[name] ?? 0;
    if (typeof value !== "number") throw new TypeError(`attribute ${name} is not a number and cannot be incremented`);
    if (!Number.isFinite(value + amount)) throw new TypeError(`attribute ${name} would become ${value + amount}`);
    draft.attributes[name] = value + amount;
  }
  for (const [name, members] of Object.entries(change.addToSet ?? {})) {
    draft.sets[name] = new Set([...(draft.sets[name] ?? []), ...members]);
  }
  for (const [name, members] of Object.entries(change.removeFromSet ?? {})) {
    draft.sets[name] = new Set([...(draft.sets[name] ?? [])].filter((member) => !members.includes(member)));
  }
  for (const [name, members] of Object.entries(draft.sets)) if (members.size === 0) delete draft.sets[name];
}
