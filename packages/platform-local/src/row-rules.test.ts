// Rules of single rows; the contract suite has the rest of them.
import { describe, expect, it } from "vitest";
import { checkChange, compareText, endOfPrefix } from "./row-rules.ts";

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
