// Settings beside a model: by every name of the catalogue, and with a word for every mistake.
import { describe, expect, it } from "vitest";
import { readSettingsFile } from "./settings-file.ts";

const read = (kind: "lp" | "mip", content: unknown) =>
  readSettingsFile(kind, "plans/a.json", typeof content === "string" ? content : JSON.stringify(content));

describe("a settings file", () => {
  it("changes settings by their parameter names and by their names on the wire", () => {
    expect(read("mip", { mip_relative_gap: 0.01, time_limit: "inf" }).values).toMatchObject({
      relative_mip_gap: 0.01,
      time_limit: 1e9,
    });
    expect(read("mip", { relative_mip_gap: 0.02, heuristics_only: true }).values).toMatchObject({
      relative_mip_gap: 0.02,
      heuristics_only: true,
    });
    expect(read("lp", "\uFEFF{}").changed).toEqual([]);
  });

  it.each([
    ["lp", "{", "plans/a.json is not JSON"],
    ["lp", [], "must hold one JSON object"],
    ["lp", { time_limt: 3 }, 'setting "time_limt" is unknown for an LP; did you mean time_limit?'],
    ["lp", { nonsense_of_mine: 3 }, /setting "nonsense_of_mine" is unknown for an LP$/],
    ["lp", { mip_relative_gap: 0.1 }, "setting mip_relative_gap belongs to a MIP, and the model is an LP"],
    ["mip", { mip_relative_gap: 7 }, "allowed are 0 to 0.1"],
    ["mip", { mip_relative_gap: true }, "a number is expected"],
    ["mip", { node_limit: 1.5 }, "a whole number is expected"],
    ["mip", { node_limit: null }, "a whole number is expected"],
    ["lp", { crossover: 1 }, "true or false is expected"],
    ["lp", { method: "fast" }, "a whole number is expected"],
  ] as const)("%s %j is refused in words", (kind, content, why) => {
    expect(() => read(kind, content)).toThrow(why);
    expect(() => read(kind, content)).toThrow("plans/a.json");
  });

  it("tells every fault at once", () => {
    expect(() => read("lp", { time_limt: 3, crossover: 1 })).toThrow(/time_limt.*; setting crossover/);
  });
});
