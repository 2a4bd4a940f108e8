// Rules of name blobs.
import { describe, expect, it } from "vitest";
import { WireFormatError } from "./errors.ts";
import { joinNames, splitNames } from "./names.ts";

const blob = (text: string) => new TextEncoder().encode(text);

describe("a name blob", () => {
  it("ends every name with NUL, the last one too", () => {
    expect(joinNames(["x", "y"])).toEqual(blob("x\0y\0"));
    expect(splitNames(blob("x\0y\0"))).toEqual(["x", "y"]);
  });

  it("may lack the last NUL", () => {
    expect(splitNames(blob("x\0y"))).toEqual(["x", "y"]);
    expect(splitNames(blob("x"))).toEqual(["x"]);
  });

  it("tells empty names from no names", () => {
    expect(splitNames(blob(""))).toEqual([]);
    expect(splitNames(blob("\0"))).toEqual([""]);
    expect(splitNames(blob("\0\0a\0"))).toEqual(["", "", "a"]);
    expect(joinNames([])).toEqual(blob(""));
    expect(joinNames(["", ""])).toEqual(blob("\0\0"));
  });

  it("carries any text but NUL", () => {
    const names = ["größe", "変数", "🚚", "\ufeffmark", "with blank"];
    expect(splitNames(joinNames(names))).toEqual(names);
    expect(() => joinNames(["ok", "no\0t"], "row_names")).toThrow("row_names[1]: a name must not contain NUL");
  });

  it("is refused if it is not UTF-8", () => {
    expect(() => splitNames(Uint8Array.of(0x61, 0, 0xc3, 0x28, 0))).toThrow(WireFormatError);
  });

  it("is read in pieces when it is big, whatever the lengths of its names", () => {
    const long = `${"n".repeat(9_999)}\0`.repeat(7_000);
    const names = splitNames(blob(`${long}tail`));
    expect(names).toHaveLength(7_001);
    expect(names.slice(0, -1).every((name) => name.length === 9_999)).toBe(true);
    expect(names.at(-1)).toBe("tail");
  });
});
