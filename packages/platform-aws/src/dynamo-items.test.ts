// Rows survive the way to an item and back.
import type { Value } from "@sortie/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromAttribute, rowOf, toAttribute } from "./dynamo-items.ts";

const number = fc.double({ noDefaultInfinity: true, noNaN: true }).map((n) => n || 0);
const value = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value")),
    fc.dictionary(fc.string(), tie("value"), { noNullPrototype: true }),
  ),
})).value;

describe("items", () => {
  it("return every value as it was, every number to its last bit", () => {
    fc.assert(
      fc.property(value, (one) => {
        expect(fromAttribute(toAttribute(one))).toEqual(one);
      }),
    );
  });

  it("keep to DynamoDB's numbers where they are numbers", () => {
    expect(toAttribute(1 / 3)).toEqual({ N: "0.3333333333333333" });
    expect(toAttribute(-0)).toEqual({ N: "0" });
    expect(toAttribute(1e126)).not.toHaveProperty("N");
    expect(toAttribute(1e-131)).not.toHaveProperty("N");
  });

  it("tell attributes, sets and what is ours apart, whatever their names", () => {
    const row = rowOf({
      pk: { S: "p" },
      sk: { S: "s" },
      revision: { N: "7" },
      mark1: { S: "x" },
      "a#pk": { S: "mine" },
      "a#revision": { N: "1" },
      "s#pk": { SS: ["m"] },
      due_pk: { S: "due#1" },
      due_sk: { S: "1" },
    });
    expect(row).toEqual({
      pk: "p",
      sk: "s",
      revision: 7,
      attributes: { pk: "mine", revision: 1 },
      sets: { pk: new Set(["m"]) },
      index: { due: { pk: "due#1", sk: "1" } },
    });
  });
});
