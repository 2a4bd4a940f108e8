// Rows as DynamoDB items and back. Pure: nothing is sent here.
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { IndexName, IndexPosition, Row, Value } from "@sortie/core";
import { ATTRIBUTE_PREFIX, INDEX_KEYS, INDEX_NAMES, REVISION, SET_PREFIX } from "./dynamo-schema.ts";

export type Item = Record<string, AttributeValue>;

/** DynamoDB's numbers have 38 digits, which holds every double exactly, but end at these magnitudes. */
const SMALLEST = 1e-130;
const LARGEST = 9.99e125;
/** A number beyond them is a map with this one name and its text. */
const WIDE_NUMBER = "\u0000number";

export function toAttribute(value: Value): AttributeValue {
  if (value === null) return { NULL: true };
  if (typeof value === "string") return { S: value };
  if (typeof value === "boolean") return { BOOL: value };
  if (typeof value === "number") {
    const size = Math.abs(value);
    if (size === 0 || (size >= SMALLEST && size <= LARGEST)) return { N: String(value) };
    return { M: { [WIDE_NUMBER]: { S: String(value) } } };
  }
  if (Array.isArray(value)) return { L: value.map(toAttribute) };
  return { M: Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toAttribute(inner)])) };
}

export function fromAttribute(attribute: AttributeValue): Value {
  if (attribute.S !== undefined) return attribute.S;
  if (attribute.N !== undefined) return Number(attribute.N);
  if (attribute.BOOL !== undefined) return attribute.BOOL;
  if (attribute.NULL !== undefined) return null;
  if (attribute.L !== undefined) return attribute.L.map(fromAttribute);
  if (attribute.M !== undefined) {
    const wide = attribute.M[WIDE_NUMBER]?.S;
    if (wide !== undefined) return Number(wide);
    return Object.fromEntries(Object.entries(attribute.M).map(([name, inner]) => [name, fromAttribute(inner)]));
  }
  throw new TypeError(`an item holds a value of type ${Object.keys(attribute).join()}, which no row has`);
}

/** An item found by an index has keys only: no attributes, no sets, revision 0. */
export function rowOf(item: Item): Row {
  const attributes: Record<string, Value> = {};
  const sets: Record<string, ReadonlySet<string>> = {};
  for (const [name, value] of Object.entries(item)) {
    if (name.startsWith(ATTRIBUTE_PREFIX)) attributes[name.slice(ATTRIBUTE_PREFIX.length)] = fromAttribute(value);
    if (name.startsWith(SET_PREFIX)) sets[name.slice(SET_PREFIX.length)] = new Set(value.SS);
  }
  const index: Partial<Record<IndexName, IndexPosition>> = {};
  for (const name of INDEX_NAMES) {
    const [pk, sk] = [item[INDEX_KEYS[name].pk]?.S, item[INDEX_KEYS[name].sk]?.S];
    if (pk !== undefined && sk !== undefined) index[name] = { pk, sk };
  }
  return { pk: item["pk"]!.S!, sk: item["sk"]!.S!, attributes, sets, index, revision: Number(item[REVISION]?.N ?? 0) };
}
