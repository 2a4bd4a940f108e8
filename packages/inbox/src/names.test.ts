// What names say.
import { describe, expect, it } from "vitest";
import { inboxName, outputsOf } from "./names.ts";

describe("a file's name", () => {
  it.each([
    ["afiro.mps", "model", "afiro"],
    ["plans/week 1/AFIRO.MPS.GZ", "model", "plans/week 1/AFIRO"],
    ["plans/afiro.json", "settings", "plans/afiro"],
    ["afiro.lp", "model", "afiro"],
    ["afiro.lp.gz", "model", "afiro"],
    ["afiro.mps.bz2", "model", "afiro"],
    ["plans/afiro.qps", "model", "plans/afiro"],
    ["afiro.mps.xz", "foreign", "afiro"],
    ["afiro.nl", "foreign", "afiro"],
    ["afiro.mps.part", "other", "afiro.mps.part"],
    ["notes.txt", "other", "notes.txt"],
    [".mps", "other", ".mps"],
    ["plans/.mps.gz", "other", "plans/.mps.gz"],
  ])("%s is a %s of %s", (path, kind, stem) => {
    expect(inboxName(path)).toEqual({ kind, stem });
  });

  it("says where its answers go", () => {
    expect(outputsOf("plans/afiro.mps.gz")).toEqual({
      summary: "plans/afiro/afiro.json",
      solution: "plans/afiro/afiro.sol",
      log: "plans/afiro/afiro.log",
      error: "plans/afiro/afiro.error.json",
    });
  });
});
