// SaveTrainRun and RestoreTrainRun.
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { refused } from "../conformance/session.ts";
import { bytesOf, type Cuvis, type Json, jsonOf } from "./client.ts";
import { scenarios, sharedWorld, type World } from "./harness.ts";
import { cube, rawOf, wavelengths, writeScenes } from "./tensors.ts";
import { readWeights } from "./weights.ts";

const shared = sharedWorld();
const scenario = scenarios(shared);
const restore = (client: Cuvis, trainrunPath: string, more: { weightsPath?: string; strict?: boolean } = {}) =>
  client.rpc.restoreTrainRun({ trainrunPath, ...more });

scenario(91, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const trainrunPath = world.path("outputs/l91/run.yaml");
  const answer = await client.rpc.saveTrainRun({ sessionId, trainrunPath });
  expect(answer).toMatchObject({
    success: true,
    trainrunPath,
    pipelinePath: world.path("outputs/l91/run_pipeline.yaml"),
    weightsPath: "",
  });
  expect(parse(await world.text(trainrunPath))).toMatchObject({
    name: "gradient_based",
    output_dir: "./outputs",
    data: { batch_size: 1 },
  });
  await refused(client.rpc.saveTrainRun({ sessionId, trainrunPath: "" }), Code.InvalidArgument, "trainrun_path");
  const bare = await client.session();
  await refused(client.rpc.saveTrainRun({ sessionId: bare, trainrunPath }), Code.FailedPrecondition, /pipeline/);
});

scenario(92, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const trainrunPath = world.path("outputs/l92/run.yaml");
  const { weightsPath, pipelinePath } = await client.rpc.saveTrainRun({ sessionId, trainrunPath, saveWeights: true });
  expect(weightsPath).toBe(world.path("outputs/l92/run.pt"));
  const { stateDict, metadata } = await readWeights(await world.read(weightsPath));
  expect([...stateDict!.keys()]).toContain("SoftChannelSelector");
  expect(Object.keys(metadata)).toEqual(["name", "created"]);
  expect(parse(await world.text(trainrunPath)).pipeline).toBe("run_pipeline.yaml");
  // The pipeline is written as it was loaded.
  expect(parse(await world.text(pipelinePath)).metadata).toEqual(
    parse(await world.text("configs/pipeline/gradient_based.yaml")).metadata,
  );
  const without = await client.rpc.saveTrainRun({
    sessionId,
    trainrunPath: world.path("outputs/l92-without/run.yaml"),
  });
  expect(without.weightsPath).toBe("");
  expect(await world.exists("outputs/l92-without/run.pt")).toBe(false);
  expect((await world.text(trainrunPath)).match(/^[a-z_]+(?=:)/gm)).toEqual([
    "name",
    "pipeline",
    "data",
    "training",
    "loss_nodes",
    "metric_nodes",
    "freeze_nodes",
    "unfreeze_nodes",
    "output_dir",
    "tags",
  ]);
});

const RUN = "name: restored\ndata:\n  data_module: files\n";

async function writeRun(world: World, folder: string, text: string): Promise<string> {
  const pipeline = await world.text("configs/pipeline/gradient_based.yaml");
  await world.write(`outputs/${folder}/pipe.yaml`, pipeline);
  return await world.write(`outputs/${folder}/run.yaml`, text);
}

scenario(93, async (client, world) => {
  for (const [i, reference] of ["pipe.yaml", "pipe", world.path("outputs/l93-2/pipe.yaml"), "l93-3/pipe"].entries()) {
    const text = `${RUN}pipeline: ${reference}\ntraining:\n  max_epochs: 6\n`;
    const { sessionId, trainrun } = await restore(client, await writeRun(world, `l93-${i}`, text));
    expect(jsonOf(trainrun!.configBytes)).toMatchObject({ name: "restored", training: { max_epochs: 6 } });
    const { outputs } = await client.inferCube(sessionId, cube(), wavelengths());
    expect(outputs["SoftChannelSelector.selected"]).toBeDefined();
  }
});

scenario(94, async (client, world) => {
  await refused(restore(client, world.path("outputs/none.yaml")), Code.NotFound, /not found.*none\.yaml/);
  await refused(restore(client, ""), Code.InvalidArgument, "trainrun_path");
  const good = await writeRun(world, "l94", `${RUN}pipeline: pipe\n`);
  const weightsPath = world.path("outputs/l94/none.pt");
  await refused(restore(client, good, { weightsPath }), Code.NotFound, /not found.*none\.pt/);
  const bad = async (folder: string, text: string) => restore(client, await writeRun(world, folder, text));
  await refused(bad("l94-a", `defaults: [_self_]\n${RUN}pipeline: pipe\n`), Code.InvalidArgument, /defaults/);
  await refused(bad("l94-b", RUN), Code.InvalidArgument, /pipeline/);
  await refused(bad("l94-c", "name: no data\npipeline: pipe\n"), Code.InvalidArgument, /data[\s\S]*required/i);
  await refused(bad("l94-d", `${RUN}pipeline: nowhere\n`), Code.NotFound, /l94-d\/nowhere.*nowhere\.yaml/);
  await refused(bad("l94-e", "{ broken: ["), Code.Internal, /^Failed to restore train run: /);
  await refused(bad("l94-f", "- a list"), Code.InvalidArgument, /mapping/);
  // Without a reference, the pipeline beside it counts.
  await world.write("outputs/l94-g/run_pipeline.yaml", await world.text("configs/pipeline/gradient_based.yaml"));
  expect((await bad("l94-g", RUN)).sessionId).not.toBe("");
});

scenario(95, async (client, world) => {
  const path = await writeRun(world, "l95", `${RUN}pipeline: empty\n`);
  await world.write(
    "outputs/l95/empty.yaml",
    "connections:\n  - {source: a.outputs.x, target: b.inputs.y}\nmetadata: {name: x}\n",
  );
  await refused(restore(client, path), Code.InvalidArgument, /there is no node 'a'/);
});

scenario(96, async (client, world) => {
  const sessionId = await client.loaded("anomaly/rx/rx_statistical");
  const data = await writeScenes(world, "l96");
  await client.fit(sessionId, data);
  const given = [cube([1, 3, 3, 61], 7), wavelengths()] as const;
  const scores = async (id: string) => rawOf((await client.inferCube(id, ...given)).outputs["RXGlobal.scores"]);
  const trainrunPath = world.path("outputs/l96/run.yaml");
  const { weightsPath } = await client.rpc.saveTrainRun({ sessionId, trainrunPath, saveWeights: true });
  for (const strict of [true, false]) {
    const restored = await restore(client, trainrunPath, { weightsPath, strict });
    expect(restored.sessionId).not.toBe(sessionId);
    expect(await scores(restored.sessionId)).toEqual(await scores(sessionId));
    // It has the data of its train run, and can be fitted again.
    const again = await client.train({
      sessionId: restored.sessionId,
      trainerType: cuvis.TrainerType.STATISTICAL,
    });
    expect(again.at(-1)?.status).toBe(cuvis.TrainStatus.COMPLETE);
  }
  const unfitted = await restore(client, trainrunPath);
  await refused(client.inferCube(unfitted.sessionId, ...given), Code.Internal, /fit/);
});

describe("beyond the scenarios", () => {
  it("a relative splits file belongs to the train run's folder", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const data = await writeScenes(world, "l-splits", { scenes: 3 });
    await world.write(
      "outputs/l-splits/splits.json",
      JSON.stringify({ train: [{ kind: "stems", stems: ["l-splits_0"] }] }),
    );
    const run: Json = { name: "split", pipeline: "pipe", data: { ...data, splits: { splits_path: "splits.json" } } };
    const path = await writeRun(world, "l-splits", JSON.stringify(run));
    const { sessionId, trainrun } = await restore(client, path);
    expect(jsonOf(trainrun!.configBytes)).toMatchObject({
      data: { splits: { splits_path: world.path("outputs/l-splits/splits.json") } },
    });
    const messages = await client.train({ sessionId, trainerType: cuvis.TrainerType.STATISTICAL });
    expect(messages.at(-1)?.status).toBe(cuvis.TrainStatus.COMPLETE);
  });

  it("what a session is told of its train run is checked before a pipeline is built of it", async () => {
    const client = (await shared.get()).connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.session();
    const config = { configBytes: bytesOf({ name: "x", data: {}, pipeline: { nodes: 1 } }) };
    await refused(client.rpc.setTrainRunConfig({ sessionId, config }), Code.InvalidArgument, /nodes/);
    await refused(client.rpc.getPipelineInputs({ sessionId }), Code.FailedPrecondition, /pipeline/);
  });
});
