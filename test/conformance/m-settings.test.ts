// Group M: settings and mapping. The codecs alone where the wire is meant, a server where its reading of it is.
import { clearField, create, fromBinary, type MessageInitShape, ScalarType, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { numberOf, resolveSettings } from "@sortie/solve";
import {
  ArrayFieldId,
  classifySettings,
  decodeResultResponse,
  decodeSubmitJobRequest,
  type EncodedSolution,
  encodeResultResponse,
  encodeSettings,
  encodeSubmitJobRequest,
  LPSolutionSchema,
  MessageBuilder,
  MIPSolutionSchema,
  MIPSolverSettingsSchema,
  PDLPSolverSettingsSchema,
  ResultFieldId,
  SETTINGS_DEFAULTS,
  type SettingValues,
  SubmitJobRequestSchema,
  settingFields,
} from "@sortie/wire";
import { expect } from "vitest";
import { hex, LP_DEFAULTS, MIP_DEFAULTS, MIP_SUBMISSION, toHex } from "../../packages/wire/src/testing/golden.ts";
import { codecScenario, overEveryTransport, sharedServer } from "./harness.ts";
import { afiro, tinyLp, tinyMip } from "./models.ts";
import { refused, type Session, type SubmitOptions, submissionOf } from "./session.ts";

type Kind = "lp" | "mip";
const SCHEMAS = { lp: PDLPSolverSettingsSchema, mip: MIPSolverSettingsSchema } as const;

/** Settings as the server uses them. */
function read(kind: Kind, bytes: Uint8Array | undefined) {
  const { values, absentMeans } = classifySettings(kind, bytes);
  return resolveSettings(kind, values, absentMeans);
}

/** A value other than the default for every setting, as its type allows. */
function allChanged(kind: Kind): SettingValues {
  const changed = settingFields(kind).map((field): [string, number | boolean] => {
    const standard = SETTINGS_DEFAULTS[kind][field.name];
    if (field.scalar === ScalarType.BOOL) return [field.name, standard !== true];
    if (field.scalar === ScalarType.DOUBLE) return [field.name, 0.0625 + field.number];
    return [field.name, standard === 1 ? 0 : 1];
  });
  return Object.fromEntries(changed);
}

function roundTrip(kind: Kind): void {
  const sent = allChanged(kind);
  const bytes = encodeSettings(kind, sent);
  const { values } = classifySettings(kind, bytes);
  expect(Object.fromEntries(settingFields(kind).map((field) => [field.name, values.get(field.number)]))).toEqual(sent);
  // The generic codec reads and writes the same.
  const message = fromBinary(SCHEMAS[kind] as typeof PDLPSolverSettingsSchema, bytes);
  const again = toBinary(SCHEMAS[kind] as typeof PDLPSolverSettingsSchema, message);
  expect(classifySettings(kind, again).values).toEqual(values);
  // What was changed is used, unless a range brings it back.
  const used = read(kind, bytes);
  for (const field of settingFields(kind)) {
    if (field.scalar === ScalarType.BOOL || field.scalar === ScalarType.DOUBLE) {
      expect(used.values[field.name], field.name).toBe(sent[field.name]);
    }
  }
}

codecScenario("M1", () => roundTrip("lp"));

codecScenario("M2", () => {
  const standard = classifySettings("lp", hex(LP_DEFAULTS));
  expect(standard.values.get(10)).toBe(-1);
  expect(numberOf(read("lp", hex(LP_DEFAULTS)), "iteration_limit")).toBe(2 ** 31 - 1);
  expect(numberOf(read("lp", encodeSettings("lp", { iteration_limit: 2 ** 40 })), "iteration_limit")).toBe(2 ** 31 - 1);
  expect(numberOf(read("lp", encodeSettings("lp", { iteration_limit: 17 })), "iteration_limit")).toBe(17);
});

codecScenario("M3", () => roundTrip("mip"));

codecScenario("M4", () => {
  expect(classifySettings("mip", hex(MIP_DEFAULTS)).values.get(15)).toBe(-1);
  expect(numberOf(read("mip", hex(MIP_DEFAULTS)), "node_limit")).toBe(2 ** 31 - 1);
  expect(numberOf(read("mip", encodeSettings("mip", { node_limit: 17 })), "node_limit")).toBe(17);
});

codecScenario("M5", () => {
  const arrays = new Map<ArrayFieldId, Float64Array | Int32Array | Uint8Array>([
    [ArrayFieldId.FIELD_A_VALUES, Float64Array.of(1.5, -2, 5e-324)],
    [ArrayFieldId.FIELD_A_INDICES, Int32Array.of(0, 1, 1)],
    [ArrayFieldId.FIELD_A_OFFSETS, Int32Array.of(0, 2, 3)],
    [ArrayFieldId.FIELD_C, Float64Array.of(1, 2)],
    [ArrayFieldId.FIELD_B, Float64Array.of(4, 6)],
    [ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS, Float64Array.of(Number.NEGATIVE_INFINITY, -0)],
    [ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS, Float64Array.of(1, Number.POSITIVE_INFINITY)],
    [ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS, Float64Array.of(4, 0)],
    [ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS, Float64Array.of(4, 6)],
    [ArrayFieldId.FIELD_ROW_TYPES, Uint8Array.from(Buffer.from("EL"))],
    [ArrayFieldId.FIELD_VARIABLE_TYPES, Int32Array.of(1, 0)],
  ]);
  const problem = {
    maximize: true,
    objectiveScalingFactor: -2,
    objectiveOffset: 0.5,
    problemName: "mixed",
    objectiveName: "cost",
    variableNames: ["größe", "y"],
    rowNames: ["", "r"],
    arrays,
  };
  const bytes = encodeSubmitJobRequest({ kind: "mip", problem, enableIncumbents: false });
  const submission = decodeSubmitJobRequest(bytes);
  expect(submission).toMatchObject({ arm: "mip", enableIncumbents: false });
  const { arrays: sent, ...scalars } = problem;
  expect(submission.problem).toMatchObject({ ...scalars, quadraticConstraints: 0 });
  expect(new Map(submission.problem?.arrays)).toEqual(sent);
  // The generic codec writes the same model.
  const generic = toBinary(SubmitJobRequestSchema, fromBinary(SubmitJobRequestSchema, bytes));
  expect(new Map(decodeSubmitJobRequest(generic).problem?.arrays)).toEqual(arrays);
});

function solutionRoundTrip(solution: EncodedSolution): void {
  const { status, solution: decoded } = decodeResultResponse(encodeResultResponse(solution));
  expect(status).toBe(0);
  expect(decoded?.kind).toBe(solution.kind);
  expect(decoded?.message).toEqual(solution.message);
  expect(new Map(decoded?.arrays)).toEqual(new Map(solution.arrays));
}

codecScenario("M6", () => {
  const scalars: MessageInitShape<typeof LPSolutionSchema> = {
    lpTerminationStatus: 2,
    errorMessage: "größe",
    l2PrimalResidual: 1e-9,
    l2DualResidual: Number.NaN,
    primalObjective: -464.75,
    dualObjective: Number.NEGATIVE_INFINITY,
    gap: -0,
    nbIterations: -7,
    solveTime: 0.25,
    solvedBy: 4,
    warmStartData: { initialPrimalWeight: 1.5, totalPdlpIterations: 3 },
  };
  const ids = Array.from({ length: 12 }, (_, id) => id as ResultFieldId);
  solutionRoundTrip({
    kind: "lp",
    message: toBinary(LPSolutionSchema, create(LPSolutionSchema, scalars)),
    arrays: new Map(ids.map((id) => [id, Float64Array.of(id, Number.NaN, -0, Number.POSITIVE_INFINITY)])),
  });
});

codecScenario("M7", () => {
  const scalars: MessageInitShape<typeof MIPSolutionSchema> = {
    mipTerminationStatus: 5,
    mipErrorMessage: "text",
    mipObjective: 7615,
    mipGap: Number.POSITIVE_INFINITY,
    solutionBound: Number.NEGATIVE_INFINITY,
    totalSolveTime: 1.5,
    presolveTime: 0.5,
    maxConstraintViolation: 1e-9,
    maxIntViolation: 1e-10,
    maxVariableBoundViolation: -0,
    nodes: 12,
    simplexIterations: 345,
  };
  solutionRoundTrip({
    kind: "mip",
    message: toBinary(MIPSolutionSchema, create(MIPSolutionSchema, scalars)),
    arrays: new Map([[ResultFieldId.RESULT_MIP_SOLUTION, Float64Array.of(1, -0, Number.NaN)]]),
  });
});

codecScenario("M8", () => {
  const lp = read("lp", encodeSettings("lp", { presolver: 7, pdlp_precision: 5 }));
  expect(numberOf(lp, "presolver")).toBe(-1);
  expect(numberOf(lp, "pdlp_precision")).toBe(-1);
  const mip = read("mip", encodeSettings("mip", { presolver: 7, mip_scaling: 9 }));
  expect(numberOf(mip, "presolver")).toBe(-1);
  expect(numberOf(mip, "mip_scaling")).toBe(1);
});

codecScenario("M9", () => {
  for (const [kind, golden] of [
    ["lp", LP_DEFAULTS],
    ["mip", MIP_DEFAULTS],
  ] as const) {
    expect(toHex(firstRelease(kind))).toBe(golden);
    expect(read(kind, hex(golden)).changed).toEqual([]);
  }
  expect(decodeSubmitJobRequest(hex(MIP_SUBMISSION))).toMatchObject({ arm: "mip", enableIncumbents: false });
});

codecScenario("M14", () => {
  const symmetry = (value: number) => numberOf(read("mip", encodeSettings("mip", { symmetry: value })), "symmetry");
  expect([-2, -1, 0, 1, 2, 3].map(symmetry)).toEqual([-1, -1, 0, 1, 2, -1]);
});

/** Settings as a 26.04 client sends them: all that it knows, but never a zero. */
function firstRelease(kind: Kind, changes: SettingValues = {}): Uint8Array {
  const last = kind === "lp" ? 30 : 28;
  const builder = new MessageBuilder();
  for (const field of settingFields(kind).filter(({ number }) => number <= last)) {
    const value = changes[field.name] ?? SETTINGS_DEFAULTS[kind][field.name] ?? 0;
    if (!value) continue;
    if (field.scalar === ScalarType.DOUBLE) builder.double(field.number, Number(value));
    else builder.varint(field.number, value);
  }
  return builder.finish();
}

const lpSettings = (bytes: Uint8Array): SubmitOptions => ({ lp: fromBinary(PDLPSolverSettingsSchema, bytes) });
const mipSettings = (bytes: Uint8Array): SubmitOptions => ({ mip: fromBinary(MIPSolverSettingsSchema, bytes) });

/** All switches at zero that a user can put there. */
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

const server = sharedServer("--workers", "2");

/** What the server made of the settings: those it was given a value for that has no effect here, and the log. */
async function understood(session: Session, options: SubmitOptions) {
  const jobId = await session.completed(await session.submit(options.mip ? tinyMip() : afiro(), options));
  const { job } = await session.jobs.getJob({ id: jobId });
  const log = (await session.log(jobId)).lines.map(({ line }) => line).join("\n");
  return { withoutEffect: job?.settingsWithoutEffect ?? [], presolved: /Presolving model/.test(log) };
}

overEveryTransport((scenario) => {
  scenario("M10", async ({ connect }) => {
    const session = await connect(server);
    expect(await understood(session, lpSettings(firstRelease("lp")))).toEqual({ withoutEffect: [], presolved: true });
    const off = await understood(session, lpSettings(firstRelease("lp", { presolver: 0, dual_postsolve: false })));
    expect(off).toEqual({ withoutEffect: ["dual_postsolve"], presolved: false });
  });

  scenario("M11", async ({ connect }) => {
    const session = await connect(server);
    expect(await understood(session, { lp: { timeLimit: 10 } })).toEqual({ withoutEffect: [], presolved: true });
    expect((await understood(session, { mip: { timeLimit: 10 } })).withoutEffect).toEqual([]);
  });

  scenario("M12", async ({ connect }) => {
    const session = await connect(server);
    const lp = { dualPostsolve: false, barrierIterativeRefinement: false };
    expect((await understood(session, { lp })).withoutEffect).toEqual([
      "dual_postsolve",
      "barrier_iterative_refinement",
    ]);
    expect((await understood(session, { mip: { probing: false } })).withoutEffect).toEqual(["probing"]);
  });

  scenario("M13", async ({ connect }) => {
    const session = await connect(server);
    expect(await understood(session, { lp: {} })).toEqual({ withoutEffect: [], presolved: true });
    expect((await understood(session, { mip: {} })).withoutEffect).toEqual([]);
  });

  scenario("M15", async ({ connect }) => {
    const session = await connect(server);
    // 26.04 with everything off: what is absent is off.
    const off = await understood(session, lpSettings(firstRelease("lp", LP_OFF)));
    expect(off.withoutEffect).toEqual(
      expect.arrayContaining(["log_to_console", "pdlp_solver_mode", "dual_postsolve", "pdlp_precision"]),
    );
    expect(off.presolved).toBe(false);
    expect((await understood(session, mipSettings(firstRelease("mip", { mip_scaling: 0 })))).withoutEffect).toEqual([
      "mip_scaling",
    ]);
    // 26.06 sends the same and two numbers more: what is absent is the default.
    const newer = fromBinary(PDLPSolverSettingsSchema, firstRelease("lp"));
    Object.assign(newer, { barrierIterativeRefinement: true, barrierStepScale: 0.9 });
    for (const field of ["dualPostsolve", "presolver"] as const) {
      clearField(newer, PDLPSolverSettingsSchema.field[field]);
    }
    expect(await understood(session, { lp: newer })).toEqual({ withoutEffect: [], presolved: true });
    // The wire before the first release had other numbers; nothing of it may be guessed.
    const before = { lp: { postsolveInfo: 1, barrierAdaptiveRegularization: 1 } };
    const text = await refused(session.rpc.submitJob(submissionOf(tinyLp(), before)), Code.InvalidArgument);
    expect(text).toMatch(/26\.04/);
  });
});
