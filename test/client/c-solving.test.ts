// Group C: solving, with Sortie's own server on the other side.

import { create, toBinary } from "@bufbuild/protobuf";
import type { SolveResult, SortieClient } from "@sortie/client";
import { RemoteError, TimeoutError, typedSolution } from "@sortie/client";
import {
  asBytes,
  type EncodedSolution,
  LPSolutionSchema,
  PDLPTerminationStatus,
  PDLPWarmStartDataSchema,
  type ResultFieldId,
} from "@sortie/wire";
import { describe, expect, onTestFinished } from "vitest";
import {
  AFIRO_OBJECTIVE,
  type Arrays,
  afiro,
  instance,
  longMip,
  type Model,
  smallModel,
  TINY_LP_OBJECTIVE,
  tinyLp,
  tinyMip,
  withArrays,
} from "../conformance/models.ts";
import { clientOf, faultOf, PROTOCOLS, scenario, until } from "./harness.ts";
import {
  COMPLETED,
  deletes,
  lpSolution,
  type MessageOptions,
  messageOf,
  PROCESSING,
  sliced,
  submits,
  whole,
} from "./messages.ts";
import { realServer } from "./real-server.ts";
import { scriptedServer } from "./scripted-server.ts";

const server = realServer();
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function expectAfiro(result: SolveResult): void {
  const solution = typedSolution(result);
  expect(solution).toMatchObject({ kind: "lp", status: "optimal" });
  expect(solution.objective / AFIRO_OBJECTIVE).toBeCloseTo(1, 9);
  expect([...result.arrays].map(([id, array]) => [id, array.length])).toEqual([
    [0, 32],
    [1, 27],
    [2, 32],
  ]);
}

/** A job that is deleted, and so stopped, after the test. */
async function submitted(client: SortieClient, model: Model, options?: MessageOptions): Promise<string> {
  const jobId = await client.submit(messageOf(model, options));
  onTestFinished(async () => {
    await client.delete(jobId).catch(() => undefined);
  });
  return jobId;
}

const solved = async (client: SortieClient, model: Model, options?: MessageOptions) =>
  typedSolution((await client.solve(messageOf(model, options))).result);

/** Minutes of work, but not for ever. */
const long = { settings: { time_limit: 300 } };

describe.each(PROTOCOLS)("over %s", (protocol) => {
  const connected = async () => {
    const { address } = await server();
    return clientOf({ address: protocol === "connect" ? `http://${address}` : address });
  };

  scenario("C1", async () => {
    const client = await connected();
    const jobId = await submitted(client, afiro());
    await until(async () => (await client.status(jobId)).state === "completed", "the job is completed");
    expectAfiro(await client.result(jobId));
  });

  scenario("C2", async () => {
    const client = await connected();
    const jobId = await submitted(client, afiro());
    const report = await client.waitForCompletion(jobId);
    expect(report).toMatchObject({ state: "completed", message: "" });
    expect(report.resultSizeBytes).toBe(8 * (32 + 27 + 32));
    expectAfiro(await client.result(jobId));
  });

  scenario("C3", async () => {
    const client = await connected();
    const { jobId, result } = await client.solve(messageOf(afiro()));
    expectAfiro(result);
    expect(await client.status(jobId)).toMatchObject({ state: "not-found" });
  });

  scenario("C4", async () => {
    const client = await connected();
    const jobId = await submitted(client, tinyLp());
    expect(jobId).toMatch(UUID);
    expect(await client.wait(jobId, { style: "polling", pollMs: 20 })).toMatchObject({ state: "completed" });
    expect(typedSolution(await client.result(jobId)).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
    expect(await client.delete(jobId)).toMatchObject({ deleted: true });
    expect(await client.status(jobId)).toMatchObject({ state: "not-found", resultSizeBytes: 0 });
  });

  scenario("C5", async () => {
    const client = await connected();
    const jobId = await submitted(client, longMip(), long);
    const error = await faultOf(client.result(jobId));
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toContain("Result not ready");
  });

  scenario("C6", async () => {
    const client = await connected();
    const crossed = smallModel({ c: [1], lower: [2], upper: [1] });
    expect(crossed.arrays.A_offsets).toEqual(Int32Array.of(0));
    expect(await solved(client, crossed)).toMatchObject({ kind: "lp", status: "primal-infeasible" });
    const crossedRow = smallModel({ c: [1], rows: [[[1], 2, 1]] });
    expect(await solved(client, crossedRow)).toMatchObject({ kind: "lp", status: "primal-infeasible" });
    expect(await solved(client, { ...crossed, kind: "mip" })).toMatchObject({ kind: "mip", status: "infeasible" });
  });

  scenario("C7", async () => {
    const client = await connected();
    for (const optimum of [1, 2]) {
      const solution = await solved(client, tinyMip(optimum));
      expect(solution).toMatchObject({ kind: "mip", status: "optimal" });
      expect(solution.objective).toBeCloseTo(optimum, 6);
    }
  });

  scenario("C8", async () => {
    const client = await connected();
    const ids = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const { jobId, result } = await client.solve(messageOf(afiro()));
      expectAfiro(result);
      ids.add(jobId);
    }
    expect(ids.size).toBe(3);
  });

  scenario("C9", async () => {
    const models = [
      [afiro(), AFIRO_OBJECTIVE],
      [tinyLp(), TINY_LP_OBJECTIVE],
      [tinyLp({ objectiveOffset: 10 }), 12.8],
    ] as const;
    const clients = [await connected(), await connected()];
    const solves = clients.flatMap((client) =>
      models.map(async ([model, objective]) => ({ objective, ...(await client.solve(messageOf(model))) })),
    );
    const all = await Promise.all(solves);
    expect(new Set(all.map(({ jobId }) => jobId)).size).toBe(6);
    for (const { result, objective } of all) {
      const solution = typedSolution(result);
      expect(solution.status).toBe("optimal");
      expect(solution.objective / objective).toBeCloseTo(1, 6);
    }
  });

  scenario("C11", async () => {
    const inOne = await connected();
    // A digest of what is transferred is for slices only, so every result comes in slices.
    const { address } = await server();
    const sliceWise = await clientOf(
      { address: protocol === "connect" ? `http://${address}` : address },
      { chunkBytes: 56, transferHash: true },
    );
    for (const model of [afiro(), instance("flugpl")]) {
      const jobId = await submitted(inOne, model);
      await inOne.wait(jobId);
      const first = await inOne.result(jobId);
      expectSame(first, await inOne.result(jobId));
      expectSame(first, await sliceWise.result(jobId));
    }
  });

  scenario("C12", async () => {
    const integers = withArrays(tinyLp(), { variable_types: Int32Array.of(1, 1) });
    const solution = await solved(await connected(), integers);
    expect(solution.kind).toBe("lp");
    expect(solution.objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("C13", async () => {
    const client = await connected();
    const objective = async (model: Model) => (await solved(client, model)).objective;
    expect(await objective(tinyLp())).toBeCloseTo(2.8, 6);
    expect(await objective(tinyLp({ objectiveOffset: 10 }))).toBeCloseTo(12.8, 6);
    expect(await objective(tinyLp({ objectiveScalingFactor: 2 }))).toBeCloseTo(5.6, 6);
    expect(await objective({ ...tinyMip(2), objectiveOffset: -1, objectiveScalingFactor: 3 })).toBeCloseTo(3, 6);
    // The usual way to turn a maximum around: minimise the negative, report the negative of that.
    const turned = withArrays(tinyLp({ maximize: false, objectiveScalingFactor: -1 }), { c: Float64Array.of(-1, -1) });
    expect(await objective(turned)).toBeCloseTo(2.8, 6);
  });

  scenario("C14", async () => {
    // The client's own time-out is two minutes later: a solve that ran into it would fail.
    const solution = await solved(await connected(), longMip(), { settings: { time_limit: 1 } });
    expect(["time-limit", "feasible-found"]).toContain(solution.status);
  });

  scenario("C16", async () => {
    const client = await connected();
    const faults: readonly [Arrays, RegExp][] = [
      [{ A_offsets: Int32Array.of(0, 2, 5) }, /A_offsets\[2\] is 5/],
      [{ A_indices: Int32Array.of(0, 1, 0, 2) }, /A_indices\[3\] is 2/],
      [{ variable_upper_bounds: Float64Array.of(1) }, /variable_upper_bounds has 1/],
    ];
    for (const [arrays, text] of faults) {
      const error = await faultOf(client.solve(messageOf(withArrays(tinyLp(), arrays))));
      expect(error).toMatchObject({ code: "invalid-argument" });
      expect(error.message).toMatch(text);
    }
    expect((await solved(client, tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("C17", async () => {
    const client = await connected();
    const noObjective = withArrays(tinyLp(), { c: undefined });
    const wrongType = withArrays(tinyMip(), { variable_types: Int32Array.of(7) });
    for (const bad of [noObjective, wrongType]) {
      expect(await faultOf(client.solve(messageOf(bad)))).toMatchObject({ code: "invalid-argument" });
    }
    expect((await solved(client, tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  const unit = [
    [1, 0],
    [0, 1],
  ];

  scenario("C18", async () => {
    // x² + y² − 2x − 4y over a box: −5 at (1, 2); with a half it would be −10 at (2, 4).
    const box = { c: [-2, -4], rows: [[[1, 1], -10, 10]], lower: [-5, -5], upper: [5, 5] } as const;
    const solution = await solved(await connected(), smallModel({ ...box, quadratic: unit }));
    expect(solution).toMatchObject({ kind: "lp", status: "optimal" });
    expect(solution.objective).toBeCloseTo(-5, 4);
  });

  scenario("C19", async () => {
    const box = { c: [0, 0], rows: [[[1, 1], -10, 10]], lower: [-1, -1], upper: [2, 2], maximize: true } as const;
    const solution = await solved(await connected(), smallModel({ ...box, quadratic: unit }));
    expect(solution).toMatchObject({ kind: "lp", status: "numerical-error" });
  });

  scenario("B2", async () => {
    const client = await connected();
    expect(await client.cancel("no-such-job")).toEqual({
      cancelled: false,
      state: "not-found",
      message: "Job ID not found",
    });
  });

  scenario("B3", async () => {
    const report = await (await connected()).delete("no-such-job");
    expect(report.deleted).toBe(false);
    expect(report.message).toMatch(/not found/);
  });

  scenario("J16", "on a real job", async () => {
    const client = await connected();
    const jobId = await submitted(client, longMip(), long);
    expect(await faultOf(client.wait(jobId, { timeoutMs: 300 }))).toBeInstanceOf(TimeoutError);
    expect(["queued", "processing"]).toContain((await client.status(jobId)).state);
    expect(await client.cancel(jobId)).toMatchObject({ cancelled: true, state: "cancelled" });
    expect(await client.status(jobId)).toMatchObject({ state: "cancelled" });
  });
});

/** The same bits in both, scalars and arrays. */
function expectSame(a: SolveResult, b: SolveResult): void {
  expect(b.kind).toBe(a.kind);
  expect(b.scalars).toEqual(a.scalars);
  expect([...b.arrays.keys()].sort()).toEqual([...a.arrays.keys()].sort());
  for (const [id, array] of a.arrays) expect(asBytes(b.arrays.get(id)!), `array ${id}`).toEqual(asBytes(array));
}

/** Nine arrays and eight scalars, as cuOpt's PDLP leaves them. */
function withWarmStart(): EncodedSolution {
  const base = lpSolution([1, 2, 3]);
  const scalars = create(LPSolutionSchema, {
    lpTerminationStatus: PDLPTerminationStatus.PDLP_OPTIMAL,
    warmStartData: create(PDLPWarmStartDataSchema, {
      initialPrimalWeight: 0.5,
      initialStepSize: 0.25,
      totalPdlpIterations: 40,
      totalPdhgIterations: 41,
      lastCandidateKktScore: 1e-3,
      lastRestartKktScore: 2e-3,
      sumSolutionWeight: 3,
      iterationsSinceLastRestart: 7,
    }),
  });
  const warm = Array.from({ length: 9 }, (_, i) => [(i + 3) as ResultFieldId, Float64Array.of(i, -i, i / 2)] as const);
  return { ...base, message: toBinary(LPSolutionSchema, scalars), arrays: new Map([...base.arrays, ...warm]) };
}

for (const way of ["one message", "slices"] as const) {
  scenario("C10", way, async () => {
    const solution = withWarmStart();
    const size = way === "slices" ? { resultSizeBytes: 20_000n, maxMessageBytes: 10_000n } : {};
    const scripted = await scriptedServer({
      checkStatus: () => ({ ...COMPLETED, ...size }),
      getResult: () => whole(solution),
      ...sliced(solution),
    });
    const result = await (await clientOf(scripted)).result("job-1");
    expect(scripted.methods.includes("startChunkedDownload")).toBe(way === "slices");
    const typed = typedSolution(result);
    if (typed.kind !== "lp") throw new Error("not an LP");
    expect(typed.warmStart).toEqual({
      currentPrimal: Float64Array.of(0, -0, 0),
      currentDual: Float64Array.of(1, -1, 0.5),
      initialPrimalAverage: Float64Array.of(2, -2, 1),
      initialDualAverage: Float64Array.of(3, -3, 1.5),
      currentATY: Float64Array.of(4, -4, 2),
      sumPrimal: Float64Array.of(5, -5, 2.5),
      sumDual: Float64Array.of(6, -6, 3),
      lastRestartGapPrimal: Float64Array.of(7, -7, 3.5),
      lastRestartGapDual: Float64Array.of(8, -8, 4),
      initialPrimalWeight: 0.5,
      initialStepSize: 0.25,
      totalPdlpIterations: 40,
      totalPdhgIterations: 41,
      lastCandidateKktScore: 1e-3,
      lastRestartKktScore: 2e-3,
      sumSolutionWeight: 3,
      iterationsSinceLastRestart: 7,
    });
  });
}

scenario("C15", async () => {
  let polls = 0;
  const scripted = await scriptedServer({
    ...submits,
    ...deletes,
    checkStatus: () => (polls++ < 100 ? PROCESSING : COMPLETED),
    getResult: [whole(lpSolution([1]))],
  });
  const client = await clientOf(scripted);
  await client.solve(messageOf(tinyLp()), { style: "polling", pollMs: 1 });
  expect(polls).toBeGreaterThan(100);
  expect(scripted.requestsOf("submitJob")[0]?.jobData.value).toMatchObject({
    settings: { timeLimit: Number.POSITIVE_INFINITY, iterationLimit: -1n },
  });
});
