// Rules of overrides: the grammar of their values, and where they may be put.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations are what is tested
import { describe, expect, it } from "vitest";
import { applyOverride, parseOverride } from "./overrides.ts";
import { type ConfigMap, type ConfigValue, Float, fromPlain, toPlain } from "./values.ts";

const parsed = (text: string): ConfigValue => parseOverride(`k=${text}`).value;
const map = (value: Record<string, unknown>): ConfigMap => fromPlain(value) as ConfigMap;

describe("the value of an override", () => {
  it.each<[string, ConfigValue]>([
    ["1", 1],
    ["-12", -12],
    ["1_000", 1000],
    ["007", "007"],
    ["0.1", new Float(0.1)],
    ["5e-4", new Float(5e-4)],
    [".5", new Float(0.5)],
    ["2.", new Float(2)],
    ["1E3", new Float(1000)],
    ["inf", new Float(Number.POSITIVE_INFINITY)],
    ["-nan", new Float(Number.NaN)],
    ["true", true],
    ["False", false],
    ["null", null],
    ["Null", null],
    ["yes", "yes"],
    ["", ""],
    ["abc", "abc"],
    ["two words  here ", "two words  here"],
    ["/data/x:y.npy", "/data/x:y.npy"],
    ["1.2.3", "1.2.3"],
    ["'1'", "1"],
    ['"a, b"', "a, b"],
    ["'it\\'s'", "it's"],
    ["a\\,b", "a,b"],
    ["[1,2]", [1, 2]],
    ["[]", []],
    ["[ a b , 'c', [1.5, null] ]", ["a b", "c", [new Float(1.5), null]]],
    ["{a:1}", map({ a: 1 })],
    ["{a: x y, 'b c': [1], d: {}}", map({ a: "x y", "b c": [1], d: {} })],
    ["{}", map({})],
    ["${name}", "${name}"],
    ["out/${a.b}/${c}", "out/${a.b}/${c}"],
    ["[${a}, ${b.${c}}]", ["${a}", "${b.${c}}"]],
  ])("%j is %j", (text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each<[string, RegExp]>([
    ["k=a=b", /unexpected '='/],
    ["nodes[0].x=1", /'nodes\[0\]\.x' is no key/],
    ["=1", /'' is no key/],
    ["a b=1", /'a b' is no key/],
    ["k=1,2", /a sweep/],
    ["k=[1,2", /'\]' is missing/],
    ["k=[1 2 3]]", /unexpected '\]'/],
    ["k={a}", /needs ':' after 'a'/],
    ["k={:1}", /where a key belongs/],
    ["k='open", /never closed/],
    ["k=${a", /closing brace/],
    ["k=f(1)", /unexpected '\('/],
    ["k=[,]", /a value is missing/],
    ["k=#x", /unexpected '#'/],
    [`k=${"[".repeat(50_000)}`, /nested deeper than 100 levels/],
    ["nonsense", /has no '='/],
  ])("19. %j is refused by the grammar", (text, message) => {
    expect(() => parseOverride(text)).toThrow(message);
    expect(() => parseOverride(text)).toThrow(expect.objectContaining({ reason: "composition" }));
  });

  it.each(["+k=1", "++k=1", "~k", "~k=1"])("%s adds or deletes, which is not available", (text) => {
    expect(() => parseOverride(text)).toThrow(expect.objectContaining({ reason: "invalid-request" }));
  });
});

describe("an override", () => {
  const apply = (config: Record<string, unknown>, text: string, inner: string[] = []): unknown => {
    const target = map(config);
    applyOverride(target, inner, parseOverride(text));
    return toPlain(target);
  };

  it("replaces scalars, lists and elements of lists by number", () => {
    expect(apply({ a: { b: 1 } }, "a.b=x")).toEqual({ a: { b: "x" } });
    expect(apply({ l: [1, 2] }, "l=[3]")).toEqual({ l: [3] });
    expect(apply({ nodes: [{ hparams: { l: [1, 2] } }] }, "nodes.0.hparams.l.1=9")).toEqual({
      nodes: [{ hparams: { l: [1, 9] } }],
    });
    expect(apply({ a: null }, "a={b:1}")).toEqual({ a: { b: 1 } });
  });

  it("merges a mapping into a mapping, without new keys", () => {
    expect(apply({ o: { name: "adam", lr: 1 } }, "o={lr:2}")).toEqual({ o: { name: "adam", lr: 2 } });
    expect(() => apply({ o: { lr: 1 } }, "o={beta:2}")).toThrow("key 'beta' is not in the configuration");
  });

  it("finds its key within the part that will be the result", () => {
    expect(apply({ training: { seed: 1 } }, "seed=2", ["training"])).toEqual({ training: { seed: 2 } });
    expect(apply({ training: { seed: 1 } }, "training.seed=2", ["training"])).toEqual({ training: { seed: 2 } });
  });

  it.each([
    ["b=1", "key 'b'"],
    ["a.c=1", "key 'a.c'"],
    ["l.2=1", "key 'l.2'"],
    ["a.b.c=1", "key 'a.b.c'"],
  ])("of a key that does not exist is refused (%s)", (text, key) => {
    expect(() => apply({ a: { b: 1 }, l: [1, 2] }, text)).toThrow(
      `Could not override '${text.slice(0, -2)}': ${key} is not in the configuration (to append it would take +${text}`,
    );
  });
});
