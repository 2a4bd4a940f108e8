// Rules that tell client generations apart (scenarios M10 to M15).
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MessageBuilder } from "./builder.ts";
import { UnsupportedGenerationError, WireFormatError } from "./errors.ts";
import {
  classifySettings,
  encodeSettings,
  MIPSolverSettingsSchema,
  PDLPSolverSettingsSchema,
  SETTINGS_DEFAULTS,
  settingFields,
} from "./index.ts";
import { hex, LP_DEFAULTS, MIP_DEFAULTS } from "./testing/golden.ts";

const lp = (init: MessageInitShape<typeof PDLPSolverSettingsSchema>) =>
  toBinary(PDLPSolverSettingsSchema, create(PDLPSolverSettingsSchema, init));
const mip = (init: MessageInitShape<typeof MIPSolverSettingsSchema>) =>
  toBinary(MIPSolverSettingsSchema, create(MIPSolverSettingsSchema, init));

/** Settings as a writer without presence sends them: zeros are left out. */
function withoutPresence(kind: "lp" | "mip", changes: Record<string, number | boolean> = {}): Uint8Array {
  const settings = new MessageBuilder();
  for (const field of settingFields(kind)) {
    if (field.number > (kind === "lp" ? 30 : 28)) continue;
    const value = changes[field.name] ?? SETTINGS_DEFAULTS[kind][field.name]!;
    if (!value) continue;
    // ScalarType.DOUBLE
    if (field.scalar === 1) settings.double(field.number, Number(value));
    else settings.varint(field.number, value);
  }
  return settings.finish();
}

/** What a user can switch off: everything whose default is not a tolerance, a limit or a count of devices. */
const LP_OFF = {
  log_to_console: false,
  pdlp_solver_mode: 0,
  presolver: 0,
  dual_postsolve: false,
  folding: 0,
  augmented: 0,
  dualize: 0,
  ordering: 0,
  barrier_dual_initial_point: 0,
  eliminate_dense_columns: false,
  pdlp_precision: 0,
};
const MIP_OFF = {
  log_to_console: false,
  presolver: 0,
  mip_scaling: 0,
  reliability_branching: 0,
  max_cut_passes: 0,
  mir_cuts: 0,
  mixed_integer_gomory_cuts: 0,
  knapsack_cuts: 0,
  clique_cuts: 0,
  strong_chvatal_gomory_cuts: 0,
  reduced_cost_strengthening: 0,
  cut_min_orthogonality: 0,
  seed: 0,
};

describe("a stock 26.04 client", () => {
  it("is known by its defaults: what it leaves out is zero", () => {
    for (const [kind, bytes] of [
      ["lp", hex(LP_DEFAULTS)],
      ["mip", hex(MIP_DEFAULTS)],
    ] as const) {
      expect(classifySettings(kind, bytes)).toMatchObject({
        generation: "26.04",
        absentMeans: "zero",
        warmStart: false,
      });
    }
    expect(withoutPresence("lp")).toEqual(hex(LP_DEFAULTS));
    expect(withoutPresence("mip")).toEqual(hex(MIP_DEFAULTS));
  });

  it("with presolve off is read as off", () => {
    const settings = classifySettings("lp", withoutPresence("lp", { presolver: 0 }));
    expect(settings).toMatchObject({ generation: "26.04", absentMeans: "zero" });
    expect(settings.values.has(16)).toBe(false);
  });

  it("with everything switched off is still known", () => {
    expect(classifySettings("lp", withoutPresence("lp", LP_OFF)).generation).toBe("26.04");
    expect(classifySettings("mip", withoutPresence("mip", MIP_OFF)).generation).toBe("26.04");
  });
});

describe("a 26.06 client", () => {
  it("is known by numbers that 26.04 does not define", () => {
    const lpDefaults = { ...SETTINGS_DEFAULTS.lp };
    const mipDefaults = { ...SETTINGS_DEFAULTS.mip };
    expect(classifySettings("lp", encodeSettings("lp", lpDefaults))).toMatchObject({
      generation: "26.06",
      absentMeans: "default",
    });
    expect(classifySettings("mip", encodeSettings("mip", mipDefaults)).generation).toBe("26.06");
    // As the stock client: without presence where 26.06 has none.
    const stock = withoutPresence("lp");
    const extra = new MessageBuilder().raw(stock).varint(31, true).double(32, 0.9).finish();
    expect(classifySettings("lp", extra)).toMatchObject({ generation: "26.06", absentMeans: "default" });
    expect(
      classifySettings("mip", new MessageBuilder().raw(withoutPresence("mip")).varint(29, true).finish()),
    ).toMatchObject({ generation: "26.06" });
  });

  it("is known by a zero that it sends all the same, and the zero stays", () => {
    const settings = classifySettings("lp", lp({ dualPostsolve: false, barrierIterativeRefinement: false }));
    expect(settings).toMatchObject({ generation: "26.06", absentMeans: "default" });
    expect(settings.values).toEqual(
      new Map([
        [17, false],
        [31, false],
      ]),
    );
    expect(classifySettings("mip", mip({ probing: false })).values).toEqual(new Map([[29, false]]));
    expect(classifySettings("lp", lp({ timeLimit: 0 }))).toMatchObject({
      generation: "26.06",
      values: new Map([[9, 0]]),
    });
    expect(classifySettings("lp", lp({ pdlpSolverMode: 0 })).generation).toBe("26.06");
  });

  it("is known by the rest of its request", () => {
    const signs = { newer: ["OptimizationProblem 25 (quadratic_constraints)"], unreleased: [] };
    expect(classifySettings("lp", hex(LP_DEFAULTS), signs)).toMatchObject({
      generation: "26.06",
      absentMeans: "default",
    });
  });

  it("may leave out everything: an empty message keeps every default", () => {
    const settings = classifySettings("mip", new Uint8Array(0));
    expect(settings).toMatchObject({ absentMeans: "default", values: new Map() });
  });
});

describe("a hand-written client", () => {
  it("that sets a few fields means defaults by the others", () => {
    const settings = classifySettings("lp", lp({ timeLimit: 10 }));
    expect(settings).toEqual({
      generation: "sparse",
      absentMeans: "default",
      values: new Map([[9, 10]]),
      warmStart: false,
    });
    expect(classifySettings("mip", mip({ timeLimit: 10 })).generation).toBe("sparse");
  });

  it("that sends no settings means defaults", () => {
    expect(classifySettings("lp", undefined)).toMatchObject({ generation: "none", absentMeans: "default" });
  });

  it("may send warm-start data, which is told", () => {
    const settings = classifySettings("lp", lp({ warmStartData: { initialStepSize: 1 } }));
    expect(settings).toMatchObject({ generation: "sparse", warmStart: true });
  });
});

describe("the development wire before 26.04", () => {
  it.each([
    ["lp", "time limit in 10", new MessageBuilder().double(10, 60)],
    ["lp", "moved settings without 9", new MessageBuilder().varint(33, 1).varint(40, 1)],
    ["mip", "14 as a varint", new MessageBuilder().double(1, 60).varint(14, 1)],
  ] as const)("is refused: %s, %s", (kind, _what, settings) => {
    expect(() => classifySettings(kind, settings.finish())).toThrow(UnsupportedGenerationError);
  });

  it("is refused on signs from the rest of the request", () => {
    const signs = { newer: [], unreleased: ["OptimizationProblem has a field 6"] };
    expect(() => classifySettings("lp", undefined, signs)).toThrow(/field 6/);
  });

  it("is not suspected when a newer client sends those numbers with its time limit", () => {
    expect(classifySettings("lp", lp({ timeLimit: 1, postsolveInfo: 1 })).generation).toBe("26.06");
  });
});

describe("settings values", () => {
  it("of every field survive the round trip, in both kinds", () => {
    for (const kind of ["lp", "mip"] as const) {
      const sent: Record<string, number | boolean> = {};
      for (const field of settingFields(kind)) {
        // ScalarType.BOOL, ScalarType.DOUBLE; enums have few values.
        if (field.scalar === 8) sent[field.name] = SETTINGS_DEFAULTS[kind][field.name] !== true;
        else if (field.scalar === 1) sent[field.name] = field.number + 0.25;
        else sent[field.name] = field.fieldKind === "enum" ? 2 : -field.number - 1000;
      }
      const { values } = classifySettings(kind, encodeSettings(kind, sent));
      const expected = new Map(settingFields(kind).map((field) => [field.number, sent[field.name]]));
      expect(values).toEqual(expected);
    }
  });

  it("carry the sentinel for no limit, and clamp what a number cannot hold", () => {
    expect(classifySettings("lp", hex(LP_DEFAULTS)).values.get(10)).toBe(-1);
    expect(classifySettings("mip", hex(MIP_DEFAULTS)).values.get(15)).toBe(-1);
    expect(classifySettings("lp", lp({ iterationLimit: 2n ** 63n - 1n })).values.get(10)).toBe(2 ** 53);
    expect(classifySettings("lp", lp({ iterationLimit: -(2n ** 63n) })).values.get(10)).toBe(-(2 ** 53));
  });

  it("of the last occurrence count", () => {
    const twice = new MessageBuilder().double(9, 1).double(9, 2).finish();
    expect(classifySettings("lp", twice).values.get(9)).toBe(2);
  });

  it("of the wrong wire type are refused by name", () => {
    const settings = new MessageBuilder().varint(9, 1).finish();
    expect(() => classifySettings("lp", settings)).toThrow(WireFormatError);
    expect(() => classifySettings("lp", settings)).toThrow(/PDLPSolverSettings\.time_limit/);
  });
});

describe("encoding settings", () => {
  it("sends all of 26.04 explicitly, zeros included, and nothing later unasked", () => {
    for (const [kind, count] of [
      ["lp", 30],
      ["mip", 28],
    ] as const) {
      const { values } = classifySettings(kind, encodeSettings(kind));
      expect([...values.keys()]).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    }
    expect(classifySettings("mip", encodeSettings("mip", { symmetry: 1 })).values.get(33)).toBe(1);
  });

  it("refuses names and values that do not exist", () => {
    expect(() => encodeSettings("lp", { symmetry: 1 })).toThrow("symmetry is not a setting of a linear program");
    expect(() => encodeSettings("mip", { symmetry: 1.5 })).toThrow("symmetry is 1.5, must be an integer");
    expect(() => encodeSettings("mip", { probing: 1 })).toThrow("probing is a number (1), must be a boolean");
  });
});
