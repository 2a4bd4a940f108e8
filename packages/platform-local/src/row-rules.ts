// What conditions and changes mean for one stored row. Pure: no database here.
import { type Change, type Condition, compareText, type Value } from "@sortie/core";

/** The parts of a row that conditions read and changes write, as they are stored. */
export interface RowContent {
  readonly attributes: Record<string, Value>;
  /** Members in the order of their addition, each once; no empty set. */
  readonly sets: Record<string, readonly string[]>;
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
