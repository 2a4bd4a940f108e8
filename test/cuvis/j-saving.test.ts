// SavePipeline, and what comes back from it.
import { existsSync, readdirSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { refused, UNKNOWN_ID } from "../conformance/session.ts";
import type { Cuvis } from "./client.ts";
import { scenarios, sharedWorld } from "./harness.ts";
import { cube, rawOf, tensor, wavelengths, writeScenes } from "./tensors.ts";
import { readWeights } from "./weights.ts";

const shared = sharedWorld();
const scenario = scenarios(shared);

const loadWeights = (client: Cuvis, sessionId: string, path: string) =>
  client.rpc.loadPipelineWeights({ sessionId, weightsSource: { case: "weightsPath", value: path }, strict: true });

scenario(75, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const pipelinePath = world.path("outputs/j75/new/saved.yaml");
  const answer = await client.rpc.savePipeline({
    sessionId,
    pipelinePath,
    metadata: { name: "my name", description: "my words", tags: ["one", "two"], author: "me" },
  });
  expect(answer).toMatchObject({ success: true, pipelinePath, weightsPath: world.path("outputs/j75/new/saved.pt") });
  expect(await world.exists(answer.weightsPath)).toBe(true);
  expect(parse(await world.text(pipelinePath)).metadata).toMatchObject({
    name: "my name",
    description: "my words",
    tags: ["one", "two"],
    author: "me",
    created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
  });
  const unnamed = world.path("outputs/j75/unnamed.yaml");
  await client.rpc.savePipeline({ sessionId, pipelinePath: unnamed });
  expect(parse(await world.text(unnamed)).metadata).toMatchObject({ name: "unnamed", description: "", tags: [] });
  // The loaded pipeline keeps its own name.
  const { imageData } = await client.rpc.getPipelineVisualization({ sessionId, format: "dot" });
  expect(new TextDecoder().decode(imageData)).toContain("gradient_based");
});

scenario(76, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const pipelinePath = world.path("outputs/j76.yaml");
  const { weightsPath } = await client.rpc.savePipeline({ sessionId, pipelinePath });
  const again = await client.session();
  await client.rpc.setSessionSearchPaths({ sessionId: again, searchPaths: [world.path("outputs")] });
  await client.loadPipeline(again, await client.resolve(again, "pipeline", "j76"));
  expect((await loadWeights(client, again, weightsPath)).success).toBe(true);
  expect((await client.rpc.getPipelineInputs({ sessionId: again })).inputNames).toEqual(["cube", "wavelengths"]);
});

scenario(77, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const answer = await client.rpc.savePipeline({ sessionId, pipelinePath: "saved/relative.yaml" });
  expect(answer.pipelinePath).toBe(world.path("configs/pipeline/saved/relative.yaml"));
  expect(await world.exists("configs/pipeline/saved/relative.pt")).toBe(true);
  const save = (id: string, pipelinePath: string) => client.rpc.savePipeline({ sessionId: id, pipelinePath });
  await refused(save(sessionId, ""), Code.InvalidArgument, "pipeline_path");
  await refused(save(UNKNOWN_ID, "x.yaml"), Code.NotFound, "not found");
  await refused(save(await client.session(), ""), Code.FailedPrecondition, /pipeline/);
  // Nothing is written outside of the allowed folders, whichever way it is named.
  const beside = world.host === "embedded" ? ["/tmp/sortie-outside.yaml"] : [];
  for (const outside of [...beside, "../../../sortie-outside.yaml"]) {
    await refused(save(sessionId, outside), Code.InvalidArgument, /outside the folders/);
  }
  await refused(save(sessionId, await world.folder("outputs")), Code.InvalidArgument, "folder");
});

scenario(78, async (client, world) => {
  const sessionId = await client.loaded("anomaly/rx/channel_selector");
  const pipelinePath = world.path("outputs/j78.yaml");
  const { weightsPath } = await client.rpc.savePipeline({ sessionId, pipelinePath, metadata: { name: "ordered" } });
  const text = await world.text(pipelinePath);
  expect(text.match(/^[a-z]+(?=:)/gm)).toEqual(["plugins", "nodes", "connections", "metadata"]);
  const { stateDict, metadata } = await readWeights(await world.read(weightsPath));
  expect([...stateDict!.keys()]).toEqual(parse(text).nodes.map(({ name }: { name: string }) => name));
  expect([...stateDict!.get("bce")!.keys()]).toEqual([]);
  expect(metadata).toMatchObject({ name: "ordered" });
});

scenario(79, async (client, world) => {
  const sessionId = await client.loaded("anomaly/rx/channel_selector");
  await client.fit(sessionId, await writeScenes(world, "j79"));
  const given = [cube([1, 6, 6, 61], 5), wavelengths()] as const;
  const before = await client.inferCube(sessionId, ...given);
  const pipelinePath = world.path("outputs/j79.yaml");
  const { weightsPath } = await client.rpc.savePipeline({ sessionId, pipelinePath });
  const again = await client.session();
  await client.loadPipeline(again, await client.resolve(again, "pipeline", pipelinePath));
  await loadWeights(client, again, weightsPath);
  const after = await client.inferCube(again, ...given);
  expect(Object.keys(after.outputs).sort()).toEqual(Object.keys(before.outputs).sort());
  for (const [key, value] of Object.entries(before.outputs)) {
    expect(Buffer.compare(rawOf(after.outputs[key]), rawOf(value)), key).toBe(0);
  }
  // Saving what was loaded writes the same tensors.
  const second = await client.rpc.savePipeline({
    sessionId: again,
    pipelinePath: world.path("outputs/j79-again.yaml"),
  });
  const [first, copy] = await Promise.all(
    [weightsPath, second.weightsPath].map(async (path) => readWeights(await world.read(path))),
  );
  expect(copy!.stateDict).toEqual(first!.stateDict);
});

describe("beyond the scenarios", () => {
  it("nodes that write files do so below the allowed folders, and nowhere else", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const writer = (folder: string) => ({
      nodes: [
        { name: "w", class_name: "cuvis_ai.node.numpy_writer.NumpyFeatureWriterNode", hparams: { output_dir: folder } },
      ],
      connections: [],
    });
    const extraInputs = {
      features: tensor(
        cuvis.DType.FLOAT32,
        [1, 4, 3],
        Float32Array.from({ length: 12 }, (_, i) => i),
      ),
      frame_id: tensor(cuvis.DType.INT64, [1], BigInt64Array.of(4n)),
    };
    const inside = await client.loaded(writer(world.path("outputs/features")));
    await client.infer(inside, { extraInputs });
    expect(readdirSync(world.path("outputs/features"))).toHaveLength(1);
    const outside = await client.loaded(writer("/tmp/sortie-outside"));
    await refused(client.infer(outside, { extraInputs }), Code.InvalidArgument, /outside the folders/);
    expect(existsSync("/tmp/sortie-outside")).toBe(false);
  });
});
