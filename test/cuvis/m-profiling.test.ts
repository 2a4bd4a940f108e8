// SetProfiling and GetProfilingSummary.
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { refused, UNKNOWN_ID } from "../conformance/session.ts";
import type { Cuvis } from "./client.ts";
import { ownWorld, scenarios, sharedWorld } from "./harness.ts";
import { cube, wavelengths } from "./tensors.ts";

const { ExecutionStage } = cuvis;
const scenario = scenarios(sharedWorld());

async function inferTimes(client: Cuvis, sessionId: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await client.inferCube(sessionId, cube(), wavelengths());
}

scenario(97, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  expect((await client.rpc.setProfiling({ sessionId, enabled: true })).profilingEnabled).toBe(true);
  await inferTimes(client, sessionId, 7);
  const stats = await client.profile(sessionId);
  expect(stats.map(({ nodeName }) => nodeName)).toEqual(["LentilsAnomalyDataNode", "SoftChannelSelector"]);
  for (const { stage, count, meanMs, medianMs, stdMs, minMs, maxMs, totalMs, lastMs } of stats) {
    expect(stage).toBe(ExecutionStage.INFERENCE);
    expect(count).toBe(7n);
    expect(minMs).toBeGreaterThanOrEqual(0);
    expect(medianMs).toBeGreaterThanOrEqual(minMs);
    expect(medianMs).toBeLessThanOrEqual(maxMs);
    expect(lastMs).toBeGreaterThanOrEqual(minMs);
    expect(lastMs).toBeLessThanOrEqual(maxMs);
    expect(stdMs).toBeLessThanOrEqual(maxMs - minMs);
    expect(totalMs).toBeCloseTo(Number(count) * meanMs, 6);
  }
});

scenario(98, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const set = (settings: { enabled: boolean; skipFirstN?: number; reset?: boolean }) =>
    client.rpc.setProfiling({ sessionId, ...settings });
  const countsNow = async (stage?: cuvis.ExecutionStage) =>
    (await client.profile(sessionId, stage)).map(({ count }) => Number(count));
  await inferTimes(client, sessionId, 1);
  expect(await countsNow()).toEqual([]);
  await refused(set({ enabled: true, skipFirstN: -1 }), Code.InvalidArgument, "skip_first_n");
  await set({ enabled: true, skipFirstN: 2 });
  await inferTimes(client, sessionId, 1);
  // Entries with nothing but skipped samples are there, and empty.
  expect(await client.profile(sessionId)).toMatchObject([
    { count: 0n, meanMs: 0, medianMs: 0, maxMs: 0, lastMs: 0 },
    { count: 0n },
  ]);
  await inferTimes(client, sessionId, 4);
  expect(await countsNow()).toEqual([3, 3]);
  expect(await countsNow(ExecutionStage.TRAIN)).toEqual([]);
  expect(await countsNow(ExecutionStage.INFERENCE)).toEqual([3, 3]);
  expect(await countsNow(ExecutionStage.UNSPECIFIED)).toEqual([3, 3]);
  expect((await set({ enabled: false, skipFirstN: 2 })).profilingEnabled).toBe(false);
  await inferTimes(client, sessionId, 2);
  expect(await countsNow()).toEqual([3, 3]);
  await set({ enabled: true, skipFirstN: 2 });
  await inferTimes(client, sessionId, 1);
  expect(await countsNow()).toEqual([4, 4]);
  await set({ enabled: true, skipFirstN: 2, reset: true });
  expect(await countsNow()).toEqual([]);
  await set({ enabled: true });
  await inferTimes(client, sessionId, 1);
  expect(await countsNow()).toEqual([1, 1]);
});

scenario(99, async (client) => {
  const sessionId = await client.session();
  await refused(client.rpc.setProfiling({ sessionId, enabled: true }), Code.FailedPrecondition, /pipeline/);
  await refused(client.profile(sessionId), Code.FailedPrecondition, /pipeline/);
  await refused(client.rpc.setProfiling({ sessionId: UNKNOWN_ID, enabled: true }), Code.NotFound, "not found");
  await refused(client.profile(UNKNOWN_ID), Code.NotFound, "not found");
});

describe("beyond the scenarios", () => {
  it("times of calls at once are all counted, and a restart loses none", async () => {
    const world = await ownWorld();
    let client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("gradient_based");
    await client.rpc.setProfiling({ sessionId, enabled: true });
    await Promise.all(Array.from({ length: 6 }, () => client.inferCube(sessionId, cube(), wavelengths())));
    client.disconnect();
    await world.server.kill();
    await world.server.start();
    client = world.connect();
    await client.inferCube(sessionId, cube(), wavelengths());
    expect((await client.profile(sessionId)).map(({ count }) => count)).toEqual([7n, 7n]);
  });
});
