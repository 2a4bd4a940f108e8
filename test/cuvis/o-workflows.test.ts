// What the example clients do, from the first call to the last, in the older dialect.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { areaUnderCurve } from "@sortie/pipeline";
import { cuvis } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { refused } from "../conformance/session.ts";
import { bytesOf, type Cuvis, type Json, jsonOf } from "./client.ts";
import { scenarios, sharedData, sharedWorld, type World } from "./harness.ts";
import { cube, floatsOf, rawOf, shapeOf, tensor, wavelengths, writeScenes } from "./tensors.ts";

const { DType, TrainerType, TrainStatus } = cuvis;
const shared = sharedWorld();
const scenario = scenarios(shared);

/** The search paths that the example clients set. */
async function exampleSession(client: Cuvis, world: World): Promise<string> {
  const sessionId = await client.session();
  const searchPaths = ["configs", "configs/trainrun", "configs/pipeline", "configs/data", "configs/training"].map(
    (path) => world.path(path),
  );
  await client.rpc.setSessionSearchPaths({ sessionId, searchPaths, append: false });
  return sessionId;
}

const setTrainRun = (client: Cuvis, sessionId: string, config: Json) =>
  client.rpc.setTrainRunConfig({ sessionId, config: { configBytes: bytesOf(config) } });
const WAITING = /gradient training is not available/i;
const lastStatus = (messages: readonly cuvis.TrainResponse[]) => messages.at(-1)?.status;

scenario(104, async (client, world) => {
  const sessionId = await exampleSession(client, world);
  const config = await client.resolve(sessionId, "trainrun", "trainrun/deep_svdd", "training.trainer.max_epochs=2");
  expect(config).toMatchObject({
    name: "deep_svdd",
    output_dir: "outputs/deep_svdd",
    pipeline: { metadata: { name: "DeepSVDD" } },
    training: { max_epochs: 2, trainer: { max_epochs: 2 } },
  });
  const data = await writeScenes(world, "o104");
  const run = { ...config, data };
  expect(await setTrainRun(client, sessionId, run)).toMatchObject({ success: true, pipelineFromConfig: true });
  await refused(setTrainRun(client, sessionId, run), Code.FailedPrecondition, /pipeline/);
  expect(lastStatus(await client.train({ sessionId, trainerType: TrainerType.STATISTICAL }))).toBe(
    TrainStatus.COMPLETE,
  );
  await refused(client.train({ sessionId, trainerType: TrainerType.GRADIENT }), Code.Unimplemented, WAITING);
  const pipelinePath = world.path("outputs/o104/deep_svdd.yaml");
  expect((await client.rpc.savePipeline({ sessionId, pipelinePath })).success).toBe(true);
  const trainrunPath = world.path("outputs/o104/trainrun.yaml");
  expect((await client.rpc.saveTrainRun({ sessionId, trainrunPath })).success).toBe(true);
  const { outputs } = await client.inferCube(sessionId, cube([1, 16, 16, 61]), wavelengths());
  expect(shapeOf(outputs["decider.decisions"])).toEqual([1, 16, 16, 1]);
  expect((await client.rpc.closeSession({ sessionId })).success).toBe(true);
});

scenario(105, async (client, world) => {
  const sessionId = await exampleSession(client, world);
  const config = await client.resolve(
    sessionId,
    "trainrun",
    "trainrun/rx_statistical",
    "data.batch_size=4",
    "training.trainer.max_epochs=3",
    "training.seed=123",
  );
  expect(config).toMatchObject({ data: { batch_size: 4 }, training: { seed: 123, max_epochs: 3 } });
  const data = { ...(await writeScenes(world, "o105", { scenes: 4 })), batch_size: 4 };
  await setTrainRun(client, sessionId, { ...config, data });
  expect(lastStatus(await client.train({ sessionId, trainerType: TrainerType.STATISTICAL }))).toBe(
    TrainStatus.COMPLETE,
  );
  const { latestProgress } = await client.rpc.getTrainStatus({ sessionId });
  expect(latestProgress?.status).toBe(TrainStatus.COMPLETE);
  const { outputs } = await client.inferCube(sessionId, cube([1, 8, 8, 61]), wavelengths());
  expect(outputs["ScoreToLogit.logits"]).toBeDefined();
});

scenario(106, async (client, world) => {
  const sessionId = await exampleSession(client, world);
  const config = await client.resolve(sessionId, "trainrun", "trainrun/channel_selector");
  const data = await writeScenes(world, "o106");
  await setTrainRun(client, sessionId, { ...config, data });
  await client.train({ sessionId, trainerType: TrainerType.STATISTICAL });
  await refused(client.train({ sessionId, trainerType: TrainerType.GRADIENT }), Code.Unimplemented, WAITING);
  const pipelinePath = world.path("outputs/o106.yaml");
  const { weightsPath } = await client.rpc.savePipeline({ sessionId, pipelinePath });
  const again = await exampleSession(client, world);
  await client.loadPipeline(again, await client.resolve(again, "pipeline", pipelinePath));
  await client.rpc.loadPipelineWeights({
    sessionId: again,
    weightsSource: { case: "weightsPath", value: weightsPath },
  });
  const scores = async (id: string) =>
    rawOf((await client.inferCube(id, cube([1, 5, 5, 61]), wavelengths())).outputs["RXGlobal.scores"]);
  expect(await scores(again)).toEqual(await scores(sessionId));
  const { pipeline: _pipeline, ...resumed } = config;
  await setTrainRun(client, again, { ...resumed, data, training: { optimizer: { name: "adamw", lr: 1e-4 } } });
  await refused(client.train({ sessionId: again, trainerType: TrainerType.GRADIENT }), Code.Unimplemented, WAITING);
});

scenario(107, async (client, world, test) => {
  const published = sharedData(test);
  const shipped = readFileSync(join(published, "weights", "channel_selector.pt"));
  await world.write("configs/pipeline/anomaly/rx/channel_selector.pt", shipped);
  const sessionId = await exampleSession(client, world);
  const config = await client.resolve(sessionId, "pipeline", "anomaly/rx/channel_selector");
  expect(config).toMatchObject({ metadata: { name: "Channel_Selector" } });
  await client.loadPipeline(sessionId, config);
  const weightsSource = { case: "weightsPath" as const, value: "anomaly/rx/channel_selector.pt" };
  expect((await client.rpc.loadPipelineWeights({ sessionId, weightsSource, strict: true })).success).toBe(true);
  expect((await client.rpc.getPipelineInputs({ sessionId })).inputNames).toContain("cube");
  expect((await client.rpc.getPipelineOutputs({ sessionId })).outputNames).not.toEqual([]);
  for (const seed of [1, 2, 3]) {
    const mesuIndex = tensor(DType.INT64, [1], BigInt64Array.of(BigInt(seed)));
    const inputs = { cube: cube([1, 4, 4, 61], seed), wavelengths: wavelengths(), mesuIndex };
    const { outputs } = await client.infer(sessionId, inputs, "BinaryDecider.decisions", "ScoreToLogit.logits");
    expect(Object.keys(outputs).sort()).toEqual(["BinaryDecider.decisions", "ScoreToLogit.logits"]);
  }
});

scenario(108, async (client, world) => {
  const sessionId = await client.loaded("anomaly/rx/channel_selector");
  const { inputNames, inputSpecs } = await client.rpc.getPipelineInputs({ sessionId });
  expect(inputNames.map((name) => [name, cuvis.DType[inputSpecs[name]!.dtype], inputSpecs[name]!.required])).toEqual([
    ["cube", "FLOAT32", true],
    ["wavelengths", "INT32", true],
    ["mask", "INT32", false],
    ["mesu_index", "INT64", false],
    ["logits", "FLOAT32", false],
    ["scores", "FLOAT32", false],
  ]);
  expect((await client.rpc.getPipelineOutputs({ sessionId })).outputNames).toContain("bce.loss");
  const { imageData } = await client.rpc.getPipelineVisualization({ sessionId, format: "png" });
  const path = await world.write("outputs/o108.png", imageData);
  expect(
    Buffer.from(await world.read(path))
      .subarray(1, 4)
      .toString(),
  ).toBe("PNG");
});

scenario(109, async ({ rpc }) => {
  const { pipelines } = await rpc.listAvailablePipelines({});
  expect(pipelines.length).toBeGreaterThan(3);
  const tagged = await rpc.listAvailablePipelines({ filterTag: "anomaly" });
  expect(tagged.pipelines.length).toBeGreaterThan(1);
  const { pipelineInfo } = await rpc.getPipelineInfo({ pipelinePath: tagged.pipelines[0]!.pipelinePath });
  expect(pipelineInfo?.yamlContent).toContain("nodes:");
  const found = await rpc.getTrainingCapabilities({});
  expect(found.supportedOptimizers).toContain("adamw");
  expect(JSON.parse((await rpc.getParameterSchema({ configType: "training" })).jsonSchema)).toHaveProperty(
    "properties",
  );
});

scenario(110, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const { PointType } = cuvis;
  const { outputs } = await client.infer(sessionId, {
    cube: cube(),
    wavelengths: wavelengths(),
    bboxes: {
      boxes: [
        { elementId: 0, xMin: 0, yMin: 0, xMax: 1, yMax: 1, objectId: 0 },
        { elementId: 0, xMin: 1, yMin: 1, xMax: 2, yMax: 2 },
      ],
    },
    points: {
      points: [PointType.POSITIVE, PointType.NEGATIVE, PointType.NEUTRAL].map((type) => ({ x: 1, y: 1, type })),
    },
    textPrompt: "find the lentils",
  });
  expect(outputs["SoftChannelSelector.selected"]).toBeDefined();
});

scenario(111, async (client, world) => {
  const built = await exampleSession(client, world);
  const config = await client.resolve(built, "trainrun", "trainrun/rx_statistical");
  await setTrainRun(client, built, { ...config, data: await writeScenes(world, "o111") });
  const saved = world.path("outputs/o111/run.yaml");
  await client.rpc.saveTrainRun({ sessionId: built, trainrunPath: saved });
  const { sessionId } = await client.rpc.restoreTrainRun({ trainrunPath: saved });
  expect((await client.rpc.getPipelineInputs({ sessionId })).inputNames).toContain("cube");
  expect((await client.rpc.getPipelineOutputs({ sessionId })).outputNames).not.toEqual([]);
  expect(lastStatus(await client.train({ sessionId, trainerType: TrainerType.STATISTICAL }))).toBe(
    TrainStatus.COMPLETE,
  );
  // An older train run has its pipeline inside.
  const inline = await world.write("outputs/o111/inline.yaml", JSON.stringify({ ...config, data: {} }));
  const older = await client.rpc.restoreTrainRun({ trainrunPath: inline });
  expect(jsonOf(older.trainrun!.configBytes)).toMatchObject({ name: "rx_statistical" });
  expect((await client.rpc.getPipelineInputs({ sessionId: older.sessionId })).inputNames).toContain("cube");
  // The clients of the large detectors declare them by a git manifest; their code is not run here.
  const plugins = {
    sam3: { repo: "git@example.invalid:sam3.git", tag: "v1", provides: ["sam3.node.SAM3TextPropagation"] },
  };
  const declared = await client.rpc.loadPlugins({ sessionId, manifest: { configBytes: bytesOf({ plugins }) } });
  expect(declared.loadedPlugins).toEqual(["sam3"]);
  // Frames come with their number, and with their picture in its own field or among the extra inputs.
  const frames = await client.loaded({
    nodes: [{ name: "frame", class_name: "cuvis_ai.node.video.VideoFrameNode", hparams: {} }],
    connections: [],
  });
  const rgbImage = tensor(
    DType.FLOAT32,
    [1, 2, 2, 3],
    Float32Array.from({ length: 12 }, (_, i) => i / 12),
  );
  for (let frame = 0; frame < 3; frame++) {
    const frameId = tensor(DType.INT64, [1], BigInt64Array.of(BigInt(frame)));
    for (const inputs of [
      { rgbImage, frameId },
      { frameId, extraInputs: { rgb_image: rgbImage } },
    ]) {
      const { outputs } = await client.infer(frames, inputs);
      expect(rawOf(outputs["frame.frame_id"])[0]).toBe(frame);
      expect(floatsOf(outputs["frame.rgb_image"])[1]).toBeCloseTo(1 / 12, 6);
    }
  }
});

describe("beyond the scenarios", () => {
  it("the five phases on a published scene find its anomalies", async (test) => {
    const published = sharedData(test);
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const scene = "sandiego_r0-64_c0-64";
    const copy = (name: string) => world.write(`data/${name}.npy`, readFileSync(join(published, "hsi", `${name}.npy`)));
    const [pixels, mask] = [await copy(scene), await copy(`${scene}_mask`)];
    const bands = 189;
    const config = await client.resolve(await client.session(), "pipeline", "pipeline/anomaly/rx/rx_statistical");
    const nodes = (config["nodes"] as Json[]).map((node) =>
      node["name"] === "RXGlobal" ? { ...node, hparams: { num_channels: bands } } : node,
    );
    const sessionId = await client.loaded({ ...config, nodes });
    const wavelengths_nm = Array.from({ length: bands }, (_, i) => 400 + 10 * i);
    await client.fit(sessionId, { data_module: "files", params: { cubes: [pixels], masks: [mask], wavelengths_nm } });
    const data = new Uint16Array(new Uint8Array(readFileSync(pixels)).slice(-64 * 64 * bands * 2).buffer);
    const { outputs } = await client.infer(sessionId, {
      cube: tensor(DType.UINT16, [1, 64, 64, bands], data),
      wavelengths: wavelengths(1, bands),
    });
    const labels = new Uint8Array(readFileSync(mask)).slice(-64 * 64);
    const area = areaUnderCurve(floatsOf(outputs["RXGlobal.scores"]), labels);
    console.log(`area under the curve of ${scene}: ${area.toFixed(6)}`);
    expect(area).toBeGreaterThan(0.8);
    await client.rpc.savePipeline({ sessionId, pipelinePath: world.path("outputs/five/rx.yaml") });
    expect(readdirSync(world.path("outputs/five")).sort()).toEqual(["rx.pt", "rx.yaml"]);
    await client.rpc.closeSession({ sessionId });
  });

  it("a browser needs nothing but JSON over HTTP", async () => {
    const world = await shared.get();
    const call = async (name: string, request: Json): Promise<Json> => {
      const answer = await fetch(`${world.server.url()}/cuvis_ai.v1.CuvisAIService/${name}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request),
      });
      const text = await answer.text();
      expect(answer.status, text).toBe(200);
      return JSON.parse(text) as Json;
    };
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
    const { sessionId } = await call("CreateSession", {});
    const { configBytes } = await call("ResolveConfig", {
      sessionId,
      configType: "pipeline",
      path: "pipeline/gradient_based",
    });
    await call("LoadPipeline", { sessionId, pipeline: { configBytes } });
    const { outputs } = await call("Inference", {
      sessionId,
      inputs: {
        cube: { dtype: "D_TYPE_UINT16", shape: [1, 1, 1, 61], rawData: base64(new Uint8Array(122)) },
        wavelengths: { dtype: "D_TYPE_INT32", shape: [1, 61], rawData: base64(new Uint8Array(244)) },
      },
      outputSpecs: ["weights"],
    });
    expect(outputs).toMatchObject({ "SoftChannelSelector.weights": { dtype: "D_TYPE_FLOAT32", shape: ["61"] } });
    expect(await call("CloseSession", { sessionId })).toEqual({ success: true });
  });

  it("a call that its client gives up does not hold up the session", async () => {
    const client = (await shared.get()).connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("gradient_based");
    const request = { sessionId, inputs: { cube: cube([1, 64, 64, 61]), wavelengths: wavelengths() } };
    const given = Array.from({ length: 5 }, () =>
      client.rpc.inference(request, { timeoutMs: 1 }).catch(() => undefined),
    );
    await Promise.all(given);
    expect((await client.inferCube(sessionId, cube(), wavelengths())).outputs).not.toEqual({});
  });
});
