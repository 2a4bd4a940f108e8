// Conditions, changes and ranges in DynamoDB's expression language. Pure: nothing is sent here.
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import {
  type Change,
  type Condition,
  compareText,
  endOfPrefix,
  type IndexName,
  type QueryRange,
  type Value,
} from "@sortie/core";
import { toAttribute } from "./dynamo-items.ts";
import { ATTRIBUTE_PREFIX, EXPIRY, INDEX_KEYS, MARKS, REVISION, SET_PREFIX } from "./dynamo-schema.ts";

/** IN takes this many operands. */
const IN_OPERANDS = 100;
/** True for no item. */
const NEVER = "(attribute_exists(pk) AND attribute_not_exists(pk))";

/** Hands out the placeholders of one request. Names never appear in an expression: many are reserved words. */
export class Placeholders {
  readonly #names = new Map<string, string>();
  readonly #values: Record<string, AttributeValue> = {};
  #count = 0;

  name(name: string): string {
    let placeholder = this.#names.get(name);
    if (!placeholder) {
      placeholder = `#n${this.#names.size}`;
      this.#names.set(name, placeholder);
    }
    return placeholder;
  }

  attribute(name: string): string {
    return this.name(ATTRIBUTE_PREFIX + name);
  }

  set(name: string): string {
    return this.name(SET_PREFIX + name);
  }

  raw(value: AttributeValue): string {
    const placeholder = `:v${this.#count++}`;
    this.#values[placeholder] = value;
    return placeholder;
  }

  value(value: Value): string {
    return this.raw(toAttribute(value));
  }

  /** The parts of the request's input; absent where empty, as DynamoDB wants them. */
  get input(): {
    ExpressionAttributeNames?: Record<string, string>;
    ExpressionAttributeValues?: Record<string, AttributeValue>;
  } {
    const names = Object.fromEntries([...this.#names].map(([name, placeholder]) => [placeholder, name]));
    return {
      ...(this.#names.size > 0 && { ExpressionAttributeNames: names }),
      ...(this.#count > 0 && { ExpressionAttributeValues: this.#values }),
    };
  }
}

export function conditionExpression(condition: Condition, places: Placeholders): string {
  switch (condition.kind) {
    case "row-absent":
      return "attribute_not_exists(pk)";
    case "row-exists":
      return "attribute_exists(pk)";
    case "absent":
      return `attribute_not_exists(${places.attribute(condition.name)})`;
    case "equals":
      return `${places.attribute(condition.name)} = ${places.value(condition.value)}`;
    case "one-of": {
      if (condition.values.length === 0) return NEVER;
      const name = places.attribute(condition.name);
      const lists: string[] = [];
      for (let at = 0; at < condition.values.length; at += IN_OPERANDS) {
        const values = condition.values.slice(at, at + IN_OPERANDS).map((value) => places.value(value));
        lists.push(`${name} IN (${values.join(", ")})`);
      }
      return `(${lists.join(" OR ")})`;
    }
    case "less-than":
      // Values of two types are never one less than the other.
      return `${places.attribute(condition.name)} < ${places.value(condition.value)}`;
    case "set-smaller-than": {
      if (condition.size <= 0) return NEVER;
      const name = places.set(condition.name);
      return `(attribute_not_exists(${name}) OR size(${name}) < ${places.value(condition.size)})`;
    }
    case "set-contains":
      return `contains(${places.set(condition.name)}, ${places.value(condition.member)})`;
    case "set-lacks": {
      const name = places.set(condition.name);
      return `(attribute_not_exists(${name}) OR NOT contains(${name}, ${places.value(condition.member)}))`;
    }
  }
}

/** True unless this write was done already: then its mark is among the last ones. */
export function unmarkedExpression(mark: string, places: Placeholders): string {
  const value = places.raw({ S: mark });
  const others = MARKS.map((name) => `${places.name(name)} <> ${value}`);
  return `(attribute_not_exists(${places.name(MARKS[0])}) OR (${others.join(" AND ")}))`;
}

/**
 * @param mark what the row is to remember of this write
 * @param firstRevision the revision of a row that does not exist yet, less one
 */
export function updateExpression(change: Change, mark: string, firstRevision: number, places: Placeholders): string {
  const { set = {}, unset = [], increment = {}, addToSet = {}, removeFromSet = {}, index = {} } = change;
  const sets: string[] = [];
  const removed: string[] = unset.map((name) => places.attribute(name));
  const added: string[] = [];
  const deleted: string[] = [];

  const revision = places.name(REVISION);
  sets.push(`${revision} = if_not_exists(${revision}, ${places.value(firstRevision)}) + ${places.value(1)}`);
  // Right-hand sides are the row as it was: each mark moves one place on.
  const none = places.raw({ S: "none" });
  MARKS.forEach((name, at) => {
    const from = at === 0 ? places.raw({ S: mark }) : `if_not_exists(${places.name(MARKS[at - 1]!)}, ${none})`;
    sets.push(`${places.name(name)} = ${from}`);
  });
  for (const [name, value] of Object.entries(set)) sets.push(`${places.attribute(name)} = ${places.value(value)}`);
  for (const [name, amount] of Object.entries(increment)) {
    const place = places.attribute(name);
    sets.push(`${place} = if_not_exists(${place}, ${places.value(0)}) + ${places.value(amount)}`);
  }
  for (const [name, members] of Object.entries(addToSet)) {
    if (members.length > 0) added.push(`${places.set(name)} ${places.raw({ SS: [...new Set(members)] })}`);
  }
  for (const [name, members] of Object.entries(removeFromSet)) {
    if (members.length > 0) deleted.push(`${places.set(name)} ${places.raw({ SS: [...new Set(members)] })}`);
  }
  for (const [name, position] of Object.entries(index) as [IndexName, (typeof index)[IndexName]][]) {
    if (position === undefined) continue;
    const [pk, sk] = [places.name(INDEX_KEYS[name].pk), places.name(INDEX_KEYS[name].sk)];
    if (position) sets.push(`${pk} = ${places.value(position.pk)}`, `${sk} = ${places.value(position.sk)}`);
    else removed.push(pk, sk);
  }
  if (change.backstopExpiry !== undefined) {
    sets.push(`${places.name(EXPIRY)} = ${places.value(Math.ceil(change.backstopExpiry))}`);
  }
  return [
    `SET ${sets.join(", ")}`,
    ...(removed.length > 0 ? [`REMOVE ${removed.join(", ")}`] : []),
    ...(added.length > 0 ? [`ADD ${added.join(", ")}`] : []),
    ...(deleted.length > 0 ? [`DELETE ${deleted.join(", ")}`] : []),
  ].join(" ");
}

export interface KeyCondition {
  readonly expression: string;
  /** BETWEEN includes its upper end: a row with this sort key does not belong to the range. */
  readonly beyond: string | undefined;
}

/**
 * The key condition of a range over (partition, sort) named `keys`; undefined if no row can lie in it.
 * DynamoDB takes one condition on the sort key, so the three bounds of a range become one interval.
 */
export function keyCondition(
  keys: { readonly pk: string; readonly sk: string },
  pk: string,
  { prefix = "", from = "", before }: QueryRange,
  places: Placeholders,
): KeyCondition | undefined {
  const partition = `${places.name(keys.pk)} = ${places.value(pk)}`;
  const lower = compareText(prefix, from) < 0 ? from : prefix;
  const end = prefix === "" ? undefined : endOfPrefix(prefix);
  const upper = before !== undefined && (end === undefined || compareText(before, end) < 0) ? before : end;
  if (upper !== undefined && compareText(lower, upper) >= 0) return undefined;
  const sort = () => places.name(keys.sk);
  if (lower === "" && upper === undefined) return { expression: partition, beyond: undefined };
  if (upper === undefined) {
    return { expression: `${partition} AND ${sort()} >= ${places.value(lower)}`, beyond: undefined };
  }
  if (lower === "") return { expression: `${partition} AND ${sort()} < ${places.value(upper)}`, beyond: undefined };
  if (lower === prefix && upper === end) {
    return { expression: `${partition} AND begins_with(${sort()}, ${places.value(prefix)})`, beyond: undefined };
  }
  return {
    expression: `${partition} AND ${sort()} BETWEEN ${places.value(lower)} AND ${places.value(upper)}`,
    beyond: upper,
  };
}
