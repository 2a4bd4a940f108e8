// Rules of keys and changes that are checked before anything is sent.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkChange, checkKey, compareText, endOfPrefix } from "./port-rules.ts";

describe("the order of texts", () => {
  it("is that of their code points, not of UTF-16", () => {
    expect(compareText("\uFFFD", "\u{1F9C0}")).toBeLessThan(0);
    expect(compareText("a", "a")).toBe(0);
  });

  it("the end of a prefix lies above every text that begins with it, and below the next", () => {
    const wellFormed = fc.string({ unit: "binary", minLength: 1, maxLength: 4 }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(wellFormed, wellFormed, (prefix, rest) => {
        const end = endOfPrefix(prefix);
        if (end !== undefined) expect(compareText(prefix + rest, end)).toBeLessThan(0);
      }),
    );
    expect(endOfPrefix("a")).toBe("b");
    expect(endOfPrefix("\uD7FF")).toBe("\uE000");
    expect(endOfPrefix("\u{10FFFF}")).toBeUndefined();
  });
});

describe("keys", () => {
  it.each([
    [{ pk: "", sk: "a" }, /pk .* at least one character/],
    [{ pk: "a", sk: "\uD800" }, /sk .* well-formed/],
    [{ pk: "ä".repeat(1025), sk: "a" }, /pk of a row has 2050 bytes; at most 2048/],
    [{ pk: "a", sk: "x".repeat(1025) }, /sk of a row has 1025 bytes; at most 1024/],
  ])("%j is refused", (key, text) => {
    expect(() => checkKey(key)).toThrow(text);
  });
});

describe("changes", () => {
  it("are refused with the path of what cannot be stored", () => {
    expect(() => checkChange({ set: { a: { b: [1, Number.NaN] } } })).toThrow(/attribute a\.b\.1 is NaN/);
    expect(() => checkChange({ set: { a: undefined as never } })).toThrow(/attribute a is undefined/);
    expect(() => checkChange({ increment: { n: Number.POSITIVE_INFINITY } })).toThrow(/attribute n is Infinity/);
    expect(() => checkChange({ addToSet: { live: ["a", ""] } })).toThrow(/set live cannot have the empty text/);
  });

  it("nest as deep as DynamoDB does and no deeper", () => {
    const nested = (depth: number): never => (depth === 0 ? 1 : [nested(depth - 1)]) as never;
    expect(() => checkChange({ set: { a: nested(31) } })).not.toThrow();
    expect(() => checkChange({ set: { a: nested(32) } })).toThrow(/nested deeper than 31/);
  });

  it("name an attribute or a set once", () => {
    expect(() => checkChange({ set: { a: 1 }, increment: { a: 1 } })).toThrow(/names attribute a twice/);
    expect(() => checkChange({ addToSet: { s: ["a"] }, removeFromSet: { s: ["a"] } })).toThrow(/names set s twice/);
  });
});

describe("endOfPrefix", () => {
  it("sorts after everything that begins with the prefix, and before everything else above", () => {
    for (const prefix of ["a", "log#", "é", "\ud7ff", "\uffff", "a\u{10FFFF}", "😀"]) {
      const end = endOfPrefix(prefix)!;
      for (const tail of ["", "\u0000", "z", "\uffff", "\u{10FFFF}\u{10FFFF}"]) {
        expect(compareText(prefix + tail, end)).toBeLessThan(0);
      }
      expect(end.isWellFormed()).toBe(true);
    }
    expect(endOfPrefix("a")).toBe("b");
    expect(endOfPrefix("a\u{10FFFF}")).toBe("b");
    expect(endOfPrefix("\ud7ff")).toBe("\ue000");
  });

  it("is undefined where nothing can sort after", () => {
    expect(endOfPrefix("")).toBeUndefined();
    expect(endOfPrefix("\u{10FFFF}")).toBeUndefined();
  });
});

describe("checkChange", () => {
  it.each([undefined, () => 1, Symbol("s"), 1n])("refuses %s, which is not plain data", (value) => {
    expect(() => checkChange({ set: { a: { b: value as never } } })).toThrow(/attribute a\.b/);
  });
});
