// Rules of written YAML: it reads back as what it was, and texts never become something else.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations are texts that YAML must keep
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ConfigMap, type ConfigValue, Float, fromPlain } from "./values.ts";
import { parseYaml } from "./yaml.ts";
import { toYaml } from "./yaml-writer.ts";

const value: fc.Arbitrary<ConfigValue> = fc.letrec<{ any: ConfigValue }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double().map((number) => new Float(number)),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(
      "yes",
      "1e-3",
      "0x1",
      "null",
      "~",
      "- a",
      "a: b",
      "#c",
      "",
      " ",
      "2026-11-21",
      "1:30",
      "${a.b}",
      "*x",
      "08",
      "=",
      "<<",
      "a\nb",
      "…",
      "\u2028",
    ),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("any"), { maxKeys: 4 }).map((record) => new Map(Object.entries(record))),
  ),
})).any;

describe("written YAML", () => {
  it("78. has the keys of a pipeline in their order, in block style", () => {
    const pipeline = fromPlain({
      plugins: ["a"],
      nodes: [
        {
          name: "x-1",
          class_name: "cuvis_ai.node.X",
          hparams: { eps: 1e-6, n: 3, path: "a b", on: "yes", empty: {}, list: [1, [2]] },
        },
      ],
      connections: [],
      metadata: { name: "RX", created: "2026-11-21T10:00:00", tags: ["rx"], ratio: null },
    });
    expect(toYaml(pipeline as ConfigMap)).toBe(`plugins:
- a
nodes:
- name: x-1
  class_name: cuvis_ai.node.X
  hparams:
    eps: 1.0e-06
    n: 3
    path: a b
    "on": "yes"
    empty: {}
    list:
    - 1
    - - 2
connections: []
metadata:
  name: RX
  created: "2026-11-21T10:00:00"
  tags:
  - rx
  ratio: null
`);
  });

  it("reads back as what it was", () => {
    fc.assert(
      fc.property(value, (before) => {
        expect(parseYaml(toYaml(before), "t")).toEqual(before);
      }),
      { numRuns: 500 },
    );
  });
});
