// Rules of typed settings: names, words, ranges, and what errors say.
import { encodeSettings } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { InvalidSettingError } from "./input-errors.ts";
import { type LpSettings, type MipSettings, settingFields, settingValues } from "./settings.ts";

const faultOf = (kind: "lp" | "mip", settings: object): string => {
  try {
    settingValues(kind, settings);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidSettingError);
    return (error as Error).message;
  }
  throw new Error("no fault was found");
};

describe("typed settings", () => {
  it("go by their names on the wire, words as numbers", () => {
    const lp: LpSettings = { timeLimit: 10, method: "barrier", presolver: "off", crossover: true, pdlpPrecision: 2 };
    expect(settingValues("lp", lp)).toEqual({
      time_limit: 10,
      method: 3,
      presolver: 0,
      crossover: true,
      pdlp_precision: 2,
    });
    const mip: MipSettings = { relativeMipGap: 0, cliqueCuts: "on", determinismMode: "deterministic" };
    expect(settingValues("mip", mip)).toEqual({ relative_mip_gap: 0, clique_cuts: 1, determinism_mode: 1 });
  });

  it("leave out what is undefined", () => {
    expect(settingValues("lp", { timeLimit: undefined, method: undefined })).toEqual({});
  });

  it("take Infinity for a count without limit", () => {
    expect(settingValues("lp", { iterationLimit: Infinity, timeLimit: Infinity })).toEqual({
      iteration_limit: -1,
      time_limit: Infinity,
    });
    expect(settingValues("mip", { nodeLimit: Infinity })).toEqual({ node_limit: -1 });
  });

  it.each(["lp", "mip"] as const)("have names and words that the wire takes (%s)", (kind) => {
    for (const { property, name, words = {} } of settingFields(kind)) {
      for (const [word, number] of Object.entries(words)) {
        const values = settingValues(kind, { [property]: word });
        expect(values).toEqual({ [name]: number });
        expect(() => encodeSettings(kind, values)).not.toThrow();
      }
    }
  });

  it("suggest what a misspelt name stands for", () => {
    expect(faultOf("lp", { timeLimt: 3 })).toBe("timeLimt is not a setting of an LP or QP; did you mean timeLimit?");
    expect(faultOf("mip", { TIMELIMIT: 3 })).toMatch(/did you mean timeLimit\?/);
  });

  it("know the names that the wire and cuOpt's own tools use", () => {
    expect(faultOf("mip", { relative_mip_gap: 0.1 })).toMatch(/did you mean relativeMipGap\?/);
    expect(faultOf("mip", { mip_relative_gap: 0.1 })).toMatch(/did you mean relativeMipGap\?/);
  });

  it("say when a setting belongs to the other kind of problem", () => {
    expect(faultOf("lp", { relativeMipGap: 0.1 })).toBe("relativeMipGap is not a setting of an LP or QP, but of a MIP");
    expect(faultOf("lp", { zzzzzz: 0.1 })).toBe("zzzzzz is not a setting of an LP or QP");
  });

  it("name the setting, what was found and what is allowed", () => {
    expect(faultOf("lp", { absoluteGapTolerance: 0.5 })).toBe(
      "absoluteGapTolerance is 0.5; allowed: a number from 0 to 0.1",
    );
    expect(faultOf("lp", { timeLimit: -1 })).toBe("timeLimit is -1; allowed: a number of at least 0");
    expect(faultOf("lp", { timeLimit: Number.NaN })).toMatch(/^timeLimit is NaN; /);
    expect(faultOf("lp", { method: "simplex" })).toBe(
      'method is "simplex"; allowed: "concurrent" (0), "pdlp" (1), "dual-simplex" (2), "barrier" (3), ' +
        "a whole number from 0 to 3",
    );
    expect(faultOf("lp", { method: "toString" })).toMatch(/^method is "toString"; /);
    expect(faultOf("lp", { iterationLimit: 1.5 })).toMatch(/^iterationLimit is 1\.5; .*Infinity for no limit$/);
    expect(faultOf("lp", { crossover: 1 })).toBe("crossover is 1; allowed: true or false");
    expect(faultOf("lp", { timeLimit: true })).toMatch(/^timeLimit is true; /);
    expect(faultOf("mip", { nodeLimit: 2 ** 31 })).toMatch(/^nodeLimit is 2147483648; .* to 2147483647/);
    expect(faultOf("mip", { seed: null })).toMatch(/^seed is null; /);
  });
});
