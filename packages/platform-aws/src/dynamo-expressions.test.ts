// Ranges of sort keys as the one condition that DynamoDB takes.

import { compareText } from "@sortie/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyCondition, Placeholders } from "./dynamo-expressions.ts";

const KEYS = { pk: "pk", sk: "sk" };

/** Does the range of the condition hold this sort key? Reads the expression as DynamoDB does. */
function holds(range: Parameters<typeof keyCondition>[2], sk: string): boolean {
  const places = new Placeholders();
  const condition = keyCondition(KEYS, "p", range, places);
  if (!condition || sk === condition.beyond) return false;
  const values = places.input.ExpressionAttributeValues!;
  const [, sort] = /^#n0 = :v0(?: AND (.*))?$/.exec(condition.expression)!;
  if (sort === undefined) return true;
  const [low = "", high = ""] = [...sort.matchAll(/:v\d+/g)].map(([place]) => values[place]!.S!);
  if (sort.startsWith("begins_with")) return sk.startsWith(low);
  if (sort.includes("BETWEEN")) {
    expect(compareText(low, high)).toBeLessThan(0);
    return compareText(sk, low) >= 0 && compareText(sk, high) <= 0;
  }
  return sort.includes(">=") ? compareText(sk, low) >= 0 : compareText(sk, low) < 0;
}

describe("a range of sort keys", () => {
  it("means the same in one condition as in its three bounds", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "#", "\u{10FFFF}", "é"), maxLength: 3 });
    const bound = fc.option(text, { nil: undefined });
    const sortKey = text.filter((one) => one !== "");
    fc.assert(
      fc.property(bound, bound, bound, sortKey, (prefix, from, before, sk) => {
        const expected =
          sk.startsWith(prefix ?? "") &&
          !(from !== undefined && compareText(sk, from) < 0) &&
          !(before !== undefined && compareText(sk, before) >= 0);
        expect(holds({ prefix, from, before }, sk)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
