// Solver settings as options and in parameter files.
import { settingsCatalogue } from "@sortie/solve";
import { describe, expect, it } from "vitest";
import {
  type GivenSetting,
  optionOfWireName,
  PARAMETER_OPTIONS,
  parameterLines,
  parameterName,
  readParameters,
  settingOfPair,
  settingsOf,
  settingsOfOptions,
} from "./solver-parameters.ts";

const set = (...pairs: string[]): GivenSetting[] => pairs.map(settingOfPair);

describe("the options of solver settings", () => {
  it("are there for every parameter of both kinds, with hyphens", () => {
    for (const spec of [...settingsCatalogue.lp, ...settingsCatalogue.mip]) {
      expect(PARAMETER_OPTIONS).toHaveProperty(parameterName(spec).replaceAll("_", "-"));
    }
    expect(PARAMETER_OPTIONS).toHaveProperty("mip-relative-gap");
  });

  it("give their settings under the parameter's name", () => {
    expect(settingsOfOptions({ "mip-relative-gap": "0.01", server: "x" })).toEqual([
      { name: "mip_relative_gap", text: "0.01", where: "--mip-relative-gap", isDeliberate: true },
    ]);
  });

  it("are found by the name on the wire", () => {
    expect(optionOfWireName("relative-mip-gap")).toBe("mip-relative-gap");
    expect(optionOfWireName("seed")).toBe("random-seed");
    expect(optionOfWireName("nothing")).toBeUndefined();
  });
});

describe("settings that were given", () => {
  it("go by the parameter's name or the wire's, and the last one counts", async () => {
    const { settings } = await settingsOf("mip", set("relative_mip_gap=0.05", "mip_relative_gap=0.01", "time-limit=7"));
    expect(settings.values["relative_mip_gap"]).toBe(0.01);
    expect(settings.values["time_limit"]).toBe(7);
    expect([...settings.changed].sort()).toEqual(["relative_mip_gap", "time_limit"]);
  });

  it.each(["true", "True", "TRUE", "1", "t", "T"])("take %s for true", async (word) => {
    expect((await settingsOf("lp", set(`crossover=${word}`))).settings.values["crossover"]).toBe(true);
  });

  it.each(["false", "False", "FALSE", "0", "f", "F"])("take %s for false", async (word) => {
    expect((await settingsOf("lp", set(`dual_postsolve=${word}`))).settings.values["dual_postsolve"]).toBe(false);
  });

  it.each([
    ["pdlp_precision=single", "pdlp_precision", 0],
    ["pdlp_precision=mixed", "pdlp_precision", 2],
    ["presolve=off", "presolver", 0],
    ["presolve=PSLP", "presolver", 2],
    ["presolve=-1", "presolver", -1],
  ])("know %s by its word", async (pair, name, value) => {
    expect((await settingsOf("lp", set(pair))).settings.values[name]).toBe(value);
  });

  it.each([
    ["tme_limit=3", "--set tme_limit=3: setting tme_limit is unknown; did you mean time_limit?"],
    ["zzz=3", "--set zzz=3: setting zzz is unknown (docs/settings.md lists them)"],
    ["mip_relative_gap=7", "--set mip_relative_gap=7: setting mip_relative_gap is 7; allowed are 0 to 0.1"],
    ["crossover=yes", '--set crossover=yes: setting crossover is "yes"; true or false is expected'],
    ["iteration_limit=1.5", '--set iteration_limit=1.5: setting iteration_limit is "1.5"; a whole number is expected'],
    [
      "pdlp_precision=half",
      '--set pdlp_precision=half: setting pdlp_precision is "half"; a whole number is expected, or one of the words default, single, double, mixed',
    ],
    ["time_limit", "--set time_limit: expected NAME=VALUE"],
  ])("are refused where they are wrong: %s", async (pair, message) => {
    await expect(async () => await settingsOf("lp", set(pair))).rejects.toThrow(message);
  });

  it("are checked and left out where only the other kind of model has them", async () => {
    const given = set("mip_relative_gap=0.05");
    expect(await settingsOf("lp", given)).toMatchObject({ settings: { changed: [] }, leftOut: given });
  });
});

describe("a parameter file", () => {
  it("has a setting on each line, with comments, blanks and quotes", () => {
    const text = "# mine\n\n time_limit = 60 # seconds\r\nmethod=\"2\"\npdlp_precision = 'double'\n";
    expect(readParameters(text, "p.txt").map(({ name, text }) => [name, text])).toEqual([
      ["time_limit", "60"],
      ["method", "2"],
      ["pdlp_precision", "double"],
    ]);
  });

  it.each([
    ["time_limit 60", 'p.txt line 2: found "time_limit 60"; expected NAME = VALUE'],
    ["time_limit =", "p.txt line 2: time_limit has no value"],
    ["= 4", 'p.txt line 2: found "= 4"; expected NAME = VALUE'],
  ])("is refused with its line: %s", (line, message) => {
    expect(() => readParameters(`# x\n${line}\n`, "p.txt")).toThrow(message);
  });

  it("is read back as it was written", async () => {
    const given = set("time_limit=60", "presolve=0", "mip_hyper_heuristic_population_size=5", "mip_scaling=1");
    const chosen = { lp: (await settingsOf("lp", given)).settings, mip: (await settingsOf("mip", given)).settings };
    const text = [...parameterLines(chosen, "parameters"), ...parameterLines(chosen, "hyper-parameters")].join("");
    expect(text).toMatch(/^time_limit = 60$/m);
    expect(text).toMatch(/^work_limit = inf$/m);
    for (const kind of ["lp", "mip"] as const) {
      expect((await settingsOf(kind, readParameters(text, "p"))).settings).toEqual(chosen[kind]);
    }
  });

  it("has the settings of heuristics apart", async () => {
    const chosen = { lp: (await settingsOf("lp", [])).settings, mip: (await settingsOf("mip", [])).settings };
    expect([...parameterLines(chosen, "parameters")].join("")).not.toContain("mip_hyper_");
    expect([...parameterLines(chosen, "hyper-parameters")].join("")).not.toMatch(/^time_limit =/m);
  });
});
