// Sessions: their ids, their end, what others see of them, and what survives the server.
import { globSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { refused, UNKNOWN_ID, UUID } from "../conformance/session.ts";
import { until } from "../conformance/until.ts";
import { everyCallOf } from "./calls.ts";
import { type Cuvis, TEST_NODES } from "./client.ts";
import { anotherWorld, ownWorld, scenarios, sharedWorld } from "./harness.ts";
import { cube, floatsOf, rawOf, wavelengths, writeScenes } from "./tensors.ts";
import { checkpoint } from "./weights.ts";
import type { EmbeddedWorld } from "./worlds.ts";

const shared = sharedWorld();
const scenario = scenarios(shared);
const SELECTED = "SoftChannelSelector.selected";

scenario(1, async (client) => {
  const [first, second] = [await client.session(), await client.session()];
  expect(first).toMatch(UUID);
  expect(second).toMatch(UUID);
  expect(second).not.toBe(first);
});

scenario(2, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  expect((await client.rpc.closeSession({ sessionId })).success).toBe(true);
  await refused(client.rpc.closeSession({ sessionId }), Code.NotFound, "not found");
});

scenario(3, async (client) => {
  for (const sessionId of [UNKNOWN_ID, "missing", ""]) {
    for (const [name, call] of Object.entries(everyCallOf(client.rpc, sessionId))) {
      await refused(call(), Code.NotFound, /session .*not found/i).catch((error) => {
        throw new Error(`${name} with '${sessionId}': ${error.message}`);
      });
    }
  }
});

scenario(4, async (client) => {
  const sessionId = await client.session();
  await client.registerPlugin(sessionId);
  await client.rpc.closeSession({ sessionId });
  await refused(client.rpc.listLoadedPlugins({ sessionId }), Code.NotFound, sessionId);
});

scenario(5, async (client) => {
  const [changed, other] = [await client.loaded("gradient_based"), await client.loaded("gradient_based")];
  const before = await client.inferCube(other, cube(), wavelengths(), SELECTED);
  const weightsBytes = checkpoint({
    SoftChannelSelector: { channel_logits: Float32Array.from({ length: 61 }, (_, i) => i / 10) },
  });
  await client.rpc.loadPipelineWeights({
    sessionId: changed,
    weightsSource: { case: "weightsBytes", value: weightsBytes },
  });
  const after = await client.inferCube(other, cube(), wavelengths(), SELECTED);
  const own = await client.inferCube(changed, cube(), wavelengths(), SELECTED);
  expect(rawOf(after.outputs[SELECTED])).toEqual(rawOf(before.outputs[SELECTED]));
  expect(floatsOf(own.outputs[SELECTED])).not.toEqual(floatsOf(before.outputs[SELECTED]));
});

scenario(6, async (_, shared, _test, connect) => {
  const world = await anotherWorld(shared);
  const data = await writeScenes(world, "kept");
  let client = connect(world);
  const restarted = async () => {
    client.disconnect();
    await world.server.kill();
    await world.server.start();
    client = connect(world);
  };
  const scores = async (sessionId: string) =>
    rawOf((await client.inferCube(sessionId, cube([1, 4, 4, 61]), wavelengths())).outputs["RXGlobal.scores"]);

  const sessionId = await client.session();
  await restarted();
  const config = await client.resolve(sessionId, "pipeline", "pipeline/anomaly/rx/rx_statistical");
  await client.loadPipeline(sessionId, config);
  await restarted();
  await client.fit(sessionId, data);
  await restarted();
  const first = await scores(sessionId);
  await restarted();
  expect(await scores(sessionId)).toEqual(first);
  const status = await client.rpc.getTrainStatus({ sessionId });
  expect(status.latestProgress?.status).toBe(cuvis.TrainStatus.COMPLETE);
  await client.rpc.savePipeline({ sessionId, pipelinePath: world.path("outputs", "kept.yaml") });
  await restarted();
  expect((await client.rpc.closeSession({ sessionId })).success).toBe(true);
  await restarted();
  await refused(client.rpc.getPipelineInputs({ sessionId }), Code.NotFound);
  expect(await world.names("outputs")).toEqual(["kept.pt", "kept.yaml"]);
});

scenario(7, async (client) => {
  await client.loaded("statistical_based"); // The first one loads code as well.
  const started = performance.now();
  for (let i = 0; i < 5; i++) {
    const sessionId = await client.loaded("statistical_based");
    await client.rpc.closeSession({ sessionId });
  }
  // The bound of the original's own test; its point is that no process and no environment is made for each.
  expect((performance.now() - started) / 5).toBeLessThan(1000);
});

/** Every file that holds something of a session. */
const filesOf = (world: EmbeddedWorld, sessionId: string): string[] =>
  globSync(`**/*${sessionId}*/**/*`, { cwd: world.server.dataDir });

describe("beyond the scenarios", () => {
  const opened = async (): Promise<{ client: Cuvis; world: EmbeddedWorld }> => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    return { client, world };
  };

  it("closing frees what a session stored, at once", async () => {
    const { client, world } = await opened();
    const sessionId = await client.loaded("gradient_based");
    const weightsBytes = checkpoint({ SoftChannelSelector: { channel_logits: new Float32Array(61) } });
    await client.rpc.loadPipelineWeights({ sessionId, weightsSource: { case: "weightsBytes", value: weightsBytes } });
    expect(filesOf(world, sessionId)).not.toEqual([]);
    await client.rpc.closeSession({ sessionId });
    expect(filesOf(world, sessionId)).toEqual([]);
  });

  it("calls on one session at once leave it whole", async () => {
    const { client } = await opened();
    const sessionId = await client.session();
    const names = Array.from({ length: 12 }, (_, i) => `plugin_${i}`);
    await Promise.all(names.map((name) => client.registerPlugin(sessionId, { ...TEST_NODES, name })));
    const { plugins } = await client.rpc.listLoadedPlugins({ sessionId });
    expect(plugins.map(({ name }) => name).sort()).toEqual(names.sort());
  });

  it("a session that nobody uses ends after the time that is set", async () => {
    const world = await ownWorld(["--session-idle-seconds", "1"]);
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("gradient_based");
    // Asking would keep it alive, so its files are watched instead: nothing else of it can be seen from outside.
    const weightsBytes = checkpoint({ SoftChannelSelector: { channel_logits: new Float32Array(61) } });
    await client.rpc.loadPipelineWeights({ sessionId, weightsSource: { case: "weightsBytes", value: weightsBytes } });
    expect(filesOf(world, sessionId)).not.toEqual([]);
    await until(() => filesOf(world, sessionId).length === 0, "the session's blobs are gone");
    await refused(client.rpc.listLoadedPlugins({ sessionId }), Code.NotFound, "not found");
  });
});
