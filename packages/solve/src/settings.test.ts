// Rules of the settings catalogue: what absent means, clamps, JSON, and the page made from it.
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ValidationError } from "./problem.ts";
import {
  changeSettings,
  defaultSettings,
  resolveSettings,
  settingsCatalogue,
  settingsFromJson,
  settingsToJson,
  settingsWithoutEffect,
} from "./settings.ts";
import { settingsDocument } from "./settings-document.ts";

const kinds = ["lp", "mip"] as const;
const resolved = (
  kind: "lp" | "mip",
  present: [number, number | boolean | bigint][],
  absent: "default" | "zero" = "default",
) => resolveSettings(kind, new Map(present), absent);

describe("the settings catalogue", () => {
  it("has every field number of the wire once", () => {
    const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);
    expect(settingsCatalogue.lp.map((spec) => spec.number)).toEqual(upTo(34));
    expect(settingsCatalogue.mip.map((spec) => spec.number)).toEqual(upTo(54));
  });

  it.each(kinds)("names each %s setting and parameter once", (kind) => {
    for (const part of ["name", "parameter"] as const) {
      const names = settingsCatalogue[kind].map((spec) => spec[part]).filter((name) => name !== undefined);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("is what docs/settings.md shows", async () => {
    const page = fileURLToPath(new URL("../../../docs/settings.md", import.meta.url));
    await expect(settingsDocument()).toMatchFileSnapshot(page);
  });
});

describe("resolving settings", () => {
  it("gives the library defaults when nothing was sent", () => {
    const { values, changed } = defaultSettings("mip");
    expect(changed).toEqual([]);
    expect(values).toMatchObject({ time_limit: 1e9, relative_mip_gap: 1e-4, node_limit: 2 ** 31 - 1, seed: -1 });
    expect(defaultSettings("lp").values).toMatchObject({ time_limit: Infinity, method: 0, presolver: -1 });
  });

  it("reads an absent field of a 26.04 client as zero, and later fields as their default", () => {
    const { values } = resolved("lp", [[9, 5]], "zero");
    expect(values).toMatchObject({ time_limit: 5, iteration_limit: 0, presolver: 0, dual_postsolve: false });
    expect(values).toMatchObject({ barrier_iterative_refinement: true, barrier_step_scale: 0.9 });
    expect(resolved("mip", [], "zero").values).toMatchObject({ time_limit: 1e9, seed: 0, probing: true });
  });

  it("keeps an explicit false and an explicit zero", () => {
    expect(
      resolved("lp", [
        [17, false],
        [16, 0],
      ]).values,
    ).toMatchObject({ dual_postsolve: false, presolver: 0 });
    expect(resolved("mip", [[29, false]]).values["probing"]).toBe(false);
  });

  it("clamps what the documentation clamps", () => {
    expect(
      resolved("lp", [
        [16, 7],
        [30, 5],
      ]).values,
    ).toMatchObject({ presolver: -1, pdlp_precision: -1 });
    expect(
      resolved("mip", [
        [13, 9],
        [12, 2],
        [33, 3],
      ]).values,
    ).toMatchObject({ mip_scaling: 1, presolver: 1, symmetry: -1 });
    expect(resolved("lp", [[10, 2n ** 40n]]).values["iteration_limit"]).toBe(2 ** 31 - 1);
    expect(resolved("lp", [[10, -1n]]).values["iteration_limit"]).toBe(2 ** 31 - 1);
    expect(resolved("mip", [[1, 0]]).values["time_limit"]).toBe(1e9);
    expect(resolved("mip", [[1, Infinity]]).values["time_limit"]).toBe(1e9);
  });

  it("refuses NaN and unknown members of an enumeration, and names the field", () => {
    expect(() => resolved("lp", [[9, Number.NaN]])).toThrow(/time_limit \(field 9\) is NaN/);
    expect(() => resolved("lp", [[15, 7]])).toThrow(/method \(field 15\) is 7; allowed are 0 to 3/);
    expect(() => resolved("lp", [[14, -1]])).toThrow(ValidationError);
  });

  it("calls changed what differs from the default, after clamps", () => {
    expect(
      resolved("mip", [
        [1, Infinity],
        [2, 0.5],
        [12, 9],
      ]).changed,
    ).toEqual(["relative_mip_gap"]);
  });

  it("ignores field numbers that no generation has", () => {
    expect(resolved("lp", [[99, 1]])).toEqual(defaultSettings("lp"));
  });

  it("tells which changed settings have no effect", () => {
    expect(
      settingsWithoutEffect(
        resolved("lp", [
          [14, 1],
          [9, 3],
          [11, false],
        ]),
      ),
    ).toEqual(["log_to_console", "pdlp_solver_mode"]);
    expect(settingsWithoutEffect(defaultSettings("mip"))).toEqual([]);
  });
});

describe("changing settings by name", () => {
  const change = (name: string, value: string) => changeSettings(defaultSettings("mip"), new Map([[name, value]]));

  it("takes parameter names and wire names, and text as well as values", () => {
    expect(change("mip_relative_gap", "1e-3").values["relative_mip_gap"]).toBe(1e-3);
    expect(change("node_limit", "5").values["node_limit"]).toBe(5);
    expect(change("time_limit", "inf").values["time_limit"]).toBe(1e9);
    expect(change("mip_heuristics_only", "t").values["heuristics_only"]).toBe(true);
  });

  it("keeps earlier changes", () => {
    const settings = changeSettings(change("random_seed", "3"), new Map([["time_limit", 7]]));
    expect(settings.changed).toEqual(["time_limit", "seed"]);
  });

  it.each([
    ["no_such_thing", "1", /no_such_thing is unknown/],
    ["random_seed", "1.5", /whole number/],
    ["random_seed", "", /whole number/],
    ["mip_heuristics_only", "yes", /true or false/],
    ["mip_relative_gap", "0.2", /allowed are 0 to 0.1/],
    ["mip_absolute_gap", "-1", /allowed are at least 0/],
  ])("refuses %s = %j", (name, value, message) => {
    expect(() => change(name, value)).toThrow(message);
  });
});

describe("settings as JSON", () => {
  it.each(kinds)("survive a round trip, infinities included (%s)", (kind) => {
    const settings = resolved(kind, [
      [1, 0.01],
      [9, Infinity],
      [14, 1],
    ]);
    expect(settingsFromJson(JSON.parse(JSON.stringify(settingsToJson(settings))))).toEqual(settings);
  });

  it("of another version lose unknown names and gain defaults", () => {
    const settings = settingsFromJson({ kind: "lp", values: { time_limit: 3, from_the_future: 1 }, changed: [] });
    expect(settings).toEqual(resolved("lp", [[9, 3]]));
  });

  it("that are no settings are refused", () => {
    expect(() => settingsFromJson({ kind: "qp", values: {} })).toThrow(ValidationError);
    expect(() => settingsFromJson({ kind: "lp", values: { time_limit: "soon" } })).toThrow(/time_limit is "soon"/);
  });
});
