// Group M: settings, problems and solutions between the client's types and the wire.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type LpSettings,
  type LpSolution,
  type MipSettings,
  type MipSolution,
  Model,
  type ProblemMessage,
  problemMessage,
  settingFields,
  settingValues,
  typedSolution,
} from "@sortie/client";
import { solutionFromWire } from "@sortie/inbox";
import { numberOf, resolveSettings, settingsCatalogue } from "@sortie/solve";
import {
  ArrayFieldId,
  classifySettings,
  decodeStartChunkedUploadRequest,
  decodeSubmitJobRequest,
  type EncodedSolution,
  FieldScanner,
  LPSolutionSchema,
  type LPSolutionSchema as LpSchema,
  MIPSolutionSchema,
  ResultFieldId,
  SETTINGS_DEFAULTS,
  type SendArrayChunkRequest,
  SendArrayChunkRequestSchema,
  type SettingValues,
  StartChunkedUploadRequestSchema,
  StatusRequestSchema,
  SubmitJobRequestSchema,
  splitNames,
} from "@sortie/wire";
import { describe, expect } from "vitest";
import {
  CONNECTION_PROBE,
  LP_DEFAULTS,
  MIP_DEFAULTS,
  NAMES_CHUNK,
  ROW_OFFSETS_CHUNK,
  toHex,
} from "../../packages/wire/src/testing/golden.ts";
import { clientOf, scenario } from "./harness.ts";
import { COMPLETED, sliced, submits, uploads, whole } from "./messages.ts";
import { scriptedServer } from "./scripted-server.ts";

type Kind = "lp" | "mip";
const KINDS: readonly Kind[] = ["lp", "mip"];
/** The last setting that 26.04 has, by number. */
const FIRST_RELEASE = { lp: 30, mip: 28 } as const;

/** x + 2y with one row. */
function small(kind: Kind): Model {
  const model = new Model("small");
  const x = model.variable("x", kind === "mip" ? { type: "integer", upper: 9 } : {});
  const y = model.variable("y");
  model.constraint("row", { x: 1, y: 1 }, "<=", 4);
  model.maximize([
    [x, 1],
    [y, 2],
  ]);
  return model;
}

const messageWith = (kind: Kind, settings?: LpSettings | MipSettings): ProblemMessage =>
  problemMessage(small(kind).toProblem(), { kind, settings } as Parameters<typeof problemMessage>[1]);

/** The encoded settings message that a server gets with a problem, sent in one message and sent in chunks: both alike. */
async function settingsSent(problem: ProblemMessage): Promise<Uint8Array> {
  const server = await scriptedServer({ ...submits, ...uploads() });
  await (await clientOf(server)).submit(problem);
  await (await clientOf(server, { unaryUpToBytes: 0 })).submit(problem);
  const [submission] = server.requestsOf("submitJob");
  const [start] = server.requestsOf("startChunkedUpload");
  const unary = decodeSubmitJobRequest(toBinary(SubmitJobRequestSchema, submission!)).settings;
  const chunked = decodeStartChunkedUploadRequest(toBinary(StartChunkedUploadRequestSchema, start!)).settings;
  expect(toHex(chunked!)).toBe(toHex(unary!));
  return unary!;
}

/** Settings as a server of Sortie uses them. */
function used(kind: Kind, bytes: Uint8Array) {
  const { values, absentMeans } = classifySettings(kind, bytes);
  return resolveSettings(kind, values, absentMeans);
}

/** A value other than the default for every typed setting. */
function allChanged(kind: Kind): Record<string, number | boolean> {
  const changed = settingFields(kind).map(({ property, name, type, range }): [string, number | boolean] => {
    const standard = SETTINGS_DEFAULTS[kind][name];
    if (type === "bool") return [property, standard !== true];
    if (type === "int") return [property, standard === 1 ? 2 : 1];
    const [least, most] = range ?? [0, 100];
    return [property, most === Infinity ? least + 3.5 : (least + most) / 2 + 0.01];
  });
  return Object.fromEntries(changed);
}

/** Every setting changed: what arrives is what was given, by the numbers that the solver's own catalogue has. */
async function everySetting(kind: Kind): Promise<void> {
  const catalogue = settingsCatalogue[kind];
  expect(settingFields(kind).map(({ name, type }) => [name, type])).toEqual(catalogue.map((s) => [s.name, s.type]));
  const given = allChanged(kind);
  const { values } = classifySettings(kind, await settingsSent(messageWith(kind, given)));
  const arrived = catalogue.map(({ number }, at) => [settingFields(kind)[at]!.property, values.get(number)]);
  expect(Object.fromEntries(arrived)).toEqual(given);
  const known = Object.entries(SETTINGS_DEFAULTS[kind]);
  const byName = settingValues(kind, given);
  expect(known.filter(([name, standard]) => byName[name] === standard)).toEqual([]);
}

scenario("M1", () => everySetting("lp"));

scenario("M2", async () => {
  for (const iterationLimit of [undefined, Infinity, -1]) {
    const bytes = await settingsSent(messageWith("lp", { iterationLimit }));
    expect(classifySettings("lp", bytes).values.get(10)).toBe(-1);
    expect(numberOf(used("lp", bytes), "iteration_limit")).toBe(2 ** 31 - 1);
  }
  expect(numberOf(used("lp", await settingsSent(messageWith("lp", { iterationLimit: 17 }))), "iteration_limit")).toBe(
    17,
  );
});

scenario("M3", () => everySetting("mip"));

scenario("M4", async () => {
  for (const nodeLimit of [undefined, Infinity, -1]) {
    const bytes = await settingsSent(messageWith("mip", { nodeLimit }));
    expect(classifySettings("mip", bytes).values.get(15)).toBe(-1);
    expect(numberOf(used("mip", bytes), "node_limit")).toBe(2 ** 31 - 1);
  }
  expect(numberOf(used("mip", await settingsSent(messageWith("mip", { nodeLimit: 0 }))), "node_limit")).toBe(0);
});

/** Chunks put together: the arrays by id, as bytes. */
function assembled(requests: readonly SendArrayChunkRequest[]) {
  const parts = new Map<number, { at: bigint; data: Uint8Array }[]>();
  for (const { chunk } of requests) {
    const list = parts.get(chunk!.fieldId) ?? [];
    list.push({ at: chunk!.elementOffset, data: chunk!.data });
    parts.set(chunk!.fieldId, list);
  }
  return new Map(
    [...parts].map(([id, list]) => {
      list.sort((a, b) => Number(a.at - b.at));
      return [id, Buffer.concat(list.map(({ data }) => data))] as const;
    }),
  );
}

scenario("M5", async () => {
  const arrays = new Map<ArrayFieldId, Float64Array | Int32Array | Uint8Array>([
    [ArrayFieldId.FIELD_A_VALUES, Float64Array.of(1.5, -2, 5e-324)],
    [ArrayFieldId.FIELD_A_INDICES, Int32Array.of(0, 1, 1)],
    [ArrayFieldId.FIELD_A_OFFSETS, Int32Array.of(0, 2, 3)],
    [ArrayFieldId.FIELD_C, Float64Array.of(1, 2)],
    [ArrayFieldId.FIELD_B, Float64Array.of(4, 6)],
    [ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS, Float64Array.of(-Infinity, -0)],
    [ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS, Float64Array.of(1, Infinity)],
    [ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS, Float64Array.of(4, 0)],
    [ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS, Float64Array.of(4, 6)],
    [ArrayFieldId.FIELD_ROW_TYPES, Uint8Array.from(Buffer.from("EL"))],
    [ArrayFieldId.FIELD_VARIABLE_TYPES, Int32Array.of(1, 0)],
    [ArrayFieldId.FIELD_INITIAL_PRIMAL_SOLUTION, Float64Array.of(1, 0.5)],
    [ArrayFieldId.FIELD_Q_VALUES, Float64Array.of(2)],
    [ArrayFieldId.FIELD_Q_INDICES, Int32Array.of(1)],
    [ArrayFieldId.FIELD_Q_OFFSETS, Int32Array.of(0, 0, 1)],
  ]);
  const scalars = {
    maximize: true,
    objectiveScalingFactor: -2,
    objectiveOffset: 0.5,
    problemName: "mixed",
    objectiveName: "cost",
  };
  const names = { variableNames: ["größe", "y"], rowNames: ["", "r"] };
  const problem = { kind: "mip", ...scalars, ...names, arrays, enableIncumbents: false } as const;
  const server = await scriptedServer({ ...submits, ...uploads() });

  await (await clientOf(server)).submit(problem);
  const [submission] = server.requestsOf("submitJob");
  const unary = decodeSubmitJobRequest(toBinary(SubmitJobRequestSchema, submission!));
  expect(unary).toMatchObject({ arm: "mip", enableIncumbents: false, problem: { ...scalars, ...names } });
  expect(new Map(unary.problem?.arrays)).toEqual(arrays);

  // Chunks of one element, so that every array and every name is cut.
  await (await clientOf(server, { unaryUpToBytes: 0, chunkBytes: 8 })).submit(problem);
  const [start] = server.requestsOf("startChunkedUpload");
  const header = decodeStartChunkedUploadRequest(toBinary(StartChunkedUploadRequestSchema, start!));
  expect(header).toMatchObject({ kind: "mip", enableIncumbents: false, ...scalars });
  const received = assembled(server.requestsOf("sendArrayChunk"));
  expect(splitNames(received.get(ArrayFieldId.FIELD_VARIABLE_NAMES)!)).toEqual(names.variableNames);
  expect(splitNames(received.get(ArrayFieldId.FIELD_ROW_NAMES)!)).toEqual(names.rowNames);
  expect(received.size).toBe(arrays.size + 2);
  for (const [id, array] of arrays) {
    expect(received.get(id), `array ${id}`).toEqual(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  }
});

/** The solution as the client gives it, from one message and from slices. */
async function received(solution: EncodedSolution) {
  const server = await scriptedServer({
    // Larger than any client takes at once, then small.
    checkStatus: [{ ...COMPLETED, resultSizeBytes: 2n ** 40n }, COMPLETED],
    ...sliced(solution),
    getResult: () => whole(solution),
  });
  const client = await clientOf(server);
  const results = [await client.result("job-1"), await client.result("job-1")];
  expect(server.callsOf("startChunkedDownload")).toHaveLength(1);
  expect(server.callsOf("getResult")).toHaveLength(1);
  return results;
}

const ODD = [1.5, Number.NaN, -0, Infinity, -Infinity];
const odd = (first: number) => Float64Array.of(first, ...ODD);

scenario("M6", async () => {
  const scalars = {
    lpTerminationStatus: 8,
    errorMessage: "größe",
    l2PrimalResidual: 1e-9,
    l2DualResidual: Number.NaN,
    primalObjective: -464.75,
    dualObjective: -Infinity,
    gap: -0,
    nbIterations: 7,
    solveTime: 0.25,
    solvedBy: 1,
    warmStartData: {
      initialPrimalWeight: 1.5,
      initialStepSize: 0.5,
      totalPdlpIterations: 3,
      totalPdhgIterations: 4,
      lastCandidateKktScore: 5.5,
      lastRestartKktScore: 6.5,
      sumSolutionWeight: 7.5,
      iterationsSinceLastRestart: 8,
    },
  } satisfies MessageInitShape<typeof LpSchema>;
  const arrays = new Map(Array.from({ length: 12 }, (_, id) => [id as ResultFieldId, odd(id)]));
  const message = toBinary(LPSolutionSchema, create(LPSolutionSchema, scalars));
  for (const result of await received({ kind: "lp", message, arrays })) {
    const solution = typedSolution(result) as LpSolution;
    expect(solution).toMatchObject({
      kind: "lp",
      status: "primal-feasible",
      message: "größe",
      objective: -464.75,
      dualObjective: -Infinity,
      gap: -0,
      primal: odd(0),
      dual: odd(1),
      reducedCosts: odd(2),
      l2PrimalResidual: 1e-9,
      l2DualResidual: Number.NaN,
      iterations: 7,
      solveSeconds: 0.25,
      solvedBy: "pdlp",
    });
    expect(solution.warmStart).toEqual({
      ...scalars.warmStartData,
      currentPrimal: odd(3),
      currentDual: odd(4),
      initialPrimalAverage: odd(5),
      initialDualAverage: odd(6),
      currentATY: odd(7),
      sumPrimal: odd(8),
      sumDual: odd(9),
      lastRestartGapPrimal: odd(10),
      lastRestartGapDual: odd(11),
    });
  }
});

scenario("M7", async () => {
  const scalars = {
    mipTerminationStatus: 5,
    mipErrorMessage: "text",
    mipObjective: 7615,
    mipGap: Infinity,
    solutionBound: -Infinity,
    totalSolveTime: 1.5,
    presolveTime: 0.5,
    maxConstraintViolation: 1e-9,
    maxIntViolation: 1e-10,
    maxVariableBoundViolation: -0,
    nodes: 12,
    simplexIterations: 345,
  };
  const arrays = new Map([[ResultFieldId.RESULT_MIP_SOLUTION, odd(12)]]);
  const message = toBinary(MIPSolutionSchema, create(MIPSolutionSchema, scalars));
  for (const result of await received({ kind: "mip", message, arrays })) {
    expect(typedSolution(result) as MipSolution).toMatchObject({
      kind: "mip",
      status: "time-limit",
      message: "text",
      objective: 7615,
      gap: Infinity,
      bound: -Infinity,
      solution: odd(12),
      solveSeconds: 1.5,
      presolveSeconds: 0.5,
      maxConstraintViolation: 1e-9,
      maxIntegralityViolation: 1e-10,
      maxVariableBoundViolation: -0,
      nodes: 12,
      simplexIterations: 345,
    });
  }
});

describe("the words of solutions", () => {
  scenario("M6", "status and method are called as the solver calls them", async () => {
    for (let number = 0; number <= 9; number++) {
      const message = toBinary(
        LPSolutionSchema,
        create(LPSolutionSchema, { lpTerminationStatus: number, solvedBy: number % 5 }),
      );
      const [result] = await received({ kind: "lp", message, arrays: new Map() });
      const own = solutionFromWire(result!);
      expect(typedSolution(result!)).toMatchObject({
        status: own.termination,
        solvedBy: "solvedBy" in own && own.solvedBy,
      });
    }
  });

  scenario("M7", "the status is called as the solver calls it", async () => {
    for (let number = 0; number <= 7; number++) {
      const message = toBinary(MIPSolutionSchema, create(MIPSolutionSchema, { mipTerminationStatus: number }));
      const [result] = await received({ kind: "mip", message, arrays: new Map() });
      expect(typedSolution(result!).status).toBe(solutionFromWire(result!).termination);
    }
  });
});

/** A problem whose settings are given by wire name. */
const raw = (kind: Kind, settings: SettingValues): ProblemMessage => ({ ...messageWith(kind), settings });

scenario("M8", async () => {
  expect(() => settingValues("lp", { presolver: 7 })).toThrow(
    /^presolver is 7; allowed: "automatic" \(-1\), "off" \(0\)/,
  );
  expect(() => settingValues("lp", { pdlpPrecision: 5 })).toThrow(/^pdlpPrecision is 5; allowed: /);
  expect(() => settingValues("mip", { mipScaling: 9 })).toThrow(/^mipScaling is 9; allowed: "off" \(0\), "on" \(1\)/);
  const lp = await settingsSent(raw("lp", { presolver: 7, pdlp_precision: 5 }));
  const { values } = classifySettings("lp", lp);
  expect([values.get(16), values.get(30)]).toEqual([7, 5]);
  expect(used("lp", lp).values).toMatchObject({ presolver: -1, pdlp_precision: -1 });
  const mip = await settingsSent(raw("mip", { presolver: 7, mip_scaling: 9 }));
  expect(used("mip", mip).values).toMatchObject({ presolver: -1, mip_scaling: 1 });
});

/** A settings message without its zeros, as a client sends it that cannot send them. */
function withoutZeros(kind: Kind, bytes: Uint8Array): string {
  const field = new FieldScanner(bytes, "settings");
  const kept: Uint8Array[] = [];
  while (field.next()) if (field.view().some((byte) => byte !== 0)) kept.push(field.whole());
  expect(classifySettings(kind, bytes).values.size).toBe(FIRST_RELEASE[kind]);
  return toHex(Buffer.concat(kept));
}

scenario("M9", async () => {
  expect(withoutZeros("lp", await settingsSent(messageWith("lp")))).toBe(LP_DEFAULTS);
  expect(withoutZeros("mip", await settingsSent(messageWith("mip")))).toBe(MIP_DEFAULTS);

  const server = await scriptedServer({ ...uploads(), startChunkedUpload: () => ({ uploadId: "u" }) });
  const client = await clientOf(server, { unaryUpToBytes: 0 });
  expect(toHex(toBinary(StatusRequestSchema, server.calls[0]!.request as never))).toBe(CONNECTION_PROBE);
  const model = new Model();
  const [x, y] = [model.variable("x"), model.variable("y")];
  model.constraint(
    "first",
    [
      [x, 1],
      [y, 1],
    ],
    "<=",
    1,
  );
  model.constraint(
    "second",
    [
      [x, 1],
      [y, 1],
    ],
    "<=",
    1,
  );
  await client.submit(problemMessage(model.toProblem(), { kind: "lp" }));
  const chunks = server.requestsOf("sendArrayChunk");
  const sent = (id: ArrayFieldId) =>
    toHex(toBinary(SendArrayChunkRequestSchema, chunks.find(({ chunk }) => chunk?.fieldId === id)!));
  expect(sent(ArrayFieldId.FIELD_A_OFFSETS)).toBe(ROW_OFFSETS_CHUNK);
  expect(sent(ArrayFieldId.FIELD_VARIABLE_NAMES)).toBe(NAMES_CHUNK);
});

scenario("M10", async () => {
  const settings: LpSettings = { presolver: "off", pdlpSolverMode: "stable1", dualPostsolve: false, timeLimit: 0 };
  const { values } = classifySettings("lp", await settingsSent(messageWith("lp", settings)));
  expect([values.get(16), values.get(14), values.get(17), values.get(9)]).toEqual([0, 0, false, 0]);
});

/** What an old server reads: absent is zero. What a new one reads: absent is the default. Both must see the same. */
function readAlike(kind: Kind, bytes: Uint8Array, changes: SettingValues): void {
  const { values } = classifySettings(kind, bytes);
  for (const absentMeans of ["zero", "default"] as const) {
    const { changed, values: read } = resolveSettings(kind, values, absentMeans);
    expect(changed.toSorted()).toEqual(Object.keys(changes).toSorted());
    expect(read).toMatchObject(changes);
  }
}

scenario("M11", async () => {
  readAlike("lp", await settingsSent(messageWith("lp", { timeLimit: 10 })), { time_limit: 10 });
  readAlike("mip", await settingsSent(messageWith("mip", { timeLimit: 10 })), { time_limit: 10 });
});

scenario("M12", async () => {
  const lp = await settingsSent(messageWith("lp", { dualPostsolve: false, barrierIterativeRefinement: false }));
  readAlike("lp", lp, { dual_postsolve: false, barrier_iterative_refinement: false });
  readAlike("mip", await settingsSent(messageWith("mip", { probing: false })), { probing: false });
});

scenario("M13", async () => {
  for (const kind of KINDS) {
    const bytes = await settingsSent(messageWith(kind));
    readAlike(kind, bytes, {});
    const numbers = [...classifySettings(kind, bytes).values.keys()];
    expect(numbers).toEqual(Array.from({ length: FIRST_RELEASE[kind] }, (_, at) => at + 1));
  }
});

scenario("M14", async () => {
  for (const symmetry of [-2, 3]) {
    expect(() => settingValues("mip", { symmetry })).toThrow(/^symmetry is -?\d; allowed: .* from -1 to 2$/);
    expect(used("mip", await settingsSent(raw("mip", { symmetry }))).values["symmetry"]).toBe(-1);
  }
  expect(used("mip", await settingsSent(messageWith("mip", { symmetry: 2 }))).values["symmetry"]).toBe(2);
});

scenario("M15", async () => {
  for (const kind of KINDS) {
    // Whatever is changed, a zero is among what is sent, which no client of 26.04 sends.
    for (const settings of [{}, { timeLimit: 10 }, allChanged(kind)]) {
      const { generation, absentMeans } = classifySettings(kind, await settingsSent(messageWith(kind, settings)));
      expect([generation, absentMeans]).toEqual(["26.06", "default"]);
    }
  }
});
