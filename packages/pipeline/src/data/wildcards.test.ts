// Rules of shell patterns.
import { describe, expect, it } from "vitest";
import { matchesPattern } from "./wildcards.ts";

describe("a shell pattern", () => {
  it.each<[string, string, boolean]>([
    ["*", "", true],
    ["*.npy", "a.npy", true],
    ["*.npy", "a.npz", false],
    ["a*b*c", "a-xx-b-c-bc", true],
    ["a*b*c", "a-xx-b-d", false],
    ["?at", "cat", true],
    ["?at", "at", false],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["[!a-c]x", "dx", true],
    ["[]]", "]", true],
    ["[", "[", true],
    ["*", "a/b", true],
    ["a.b", "axb", false],
    ["scene_0?", "scene_07", true],
    ["[-a]", "-", true],
  ])("%j against %j is %s", (pattern, text, expected) => {
    expect(matchesPattern(pattern, text)).toBe(expected);
  });

  it("of many stars ends in reasonable time", () => {
    expect(matchesPattern(`${"*a".repeat(30)}b`, "a".repeat(20_000))).toBe(false);
  });
});
