// SetTrainRunConfig, Train, GetTrainStatus, GetTrainingCapabilities.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { CuOptRemoteService, cuvis, ElementType, InferenceService, JobKind, JobService, JobState } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { difference, FLOAT32, INVERSE } from "../../packages/pipeline/src/testing/vectors.ts";
import { refused, UNKNOWN_ID } from "../conformance/session.ts";
import { until } from "../conformance/until.ts";
import { bytesOf, type Cuvis, type Json } from "./client.ts";
import { ownWorld, scenarios, sharedWorld } from "./harness.ts";
import { readVectors, toFloats } from "./reference.ts";
import { BANDS, counts, cube, npy, rawOf, WAVELENGTHS, wavelengths, writeScenes } from "./tensors.ts";
import { readWeights } from "./weights.ts";

const { ExecutionStage, TrainerType, TrainStatus } = cuvis;
const shared = sharedWorld();
const scenario = scenarios(shared);

const dataOf = (value: Json) => ({ configBytes: bytesOf(value) });
const statusOf = async (client: Cuvis, sessionId: string) =>
  (await client.rpc.getTrainStatus({ sessionId })).latestProgress;

scenario(80, async (client, world) => {
  const data = await writeScenes(world, "k80");
  const train = (sessionId: string, value?: Json, trainerType = TrainerType.STATISTICAL) =>
    client.train({ sessionId, trainerType, ...(value ? { data: dataOf(value) } : {}) });
  await refused(train(UNKNOWN_ID, data), Code.NotFound, "not found");
  await refused(train(await client.session(), data), Code.FailedPrecondition, /pipeline/);
  const sessionId = await client.loaded("statistical_based");
  await refused(train(sessionId), Code.InvalidArgument, /data/i);
  await refused(train(sessionId, data, TrainerType.UNSPECIFIED), Code.InvalidArgument, /trainer_type/);
  await refused(train(sessionId, { ...data, data_module: "nobodys" }), Code.InvalidArgument, /nobodys.*files/);
  await refused(train(sessionId, { ...data, data_module: "cu3s" }), Code.InvalidArgument, /cu3s.*vendor/);
  const relative = { ...data, splits: { splits_path: "splits.json" } };
  await refused(train(sessionId, relative), Code.InvalidArgument, /splits_path/);
  // What the data module finds wrong is the caller's as well, and so are files that are not there.
  await refused(
    train(sessionId, { ...data, params: { ...data.params, cubes: ["data/none.npy"] } }),
    Code.InvalidArgument,
    /none\.npy/,
  );
  await refused(
    train(sessionId, { ...data, params: { ...data.params, nonsense: 1 } }),
    Code.InvalidArgument,
    /nonsense/,
  );
  await refused(
    train(sessionId, { ...data, params: { cubes: ["/etc/passwd"] } }),
    Code.InvalidArgument,
    /outside|not found/,
  );
  await refused(
    client.train({ sessionId, trainerType: TrainerType.STATISTICAL, data: { configBytes: new Uint8Array() } }),
    Code.InvalidArgument,
    "data.config_bytes",
  );
});

scenario(81, async (client, world) => {
  const sessionId = await client.loaded("anomaly/rx/rx_statistical");
  expect(await statusOf(client, sessionId)).toMatchObject({
    status: TrainStatus.UNSPECIFIED,
    message: "Training status query",
  });
  const messages = await client.fit(sessionId, await writeScenes(world, "k81"));
  expect(messages).toMatchObject([
    {
      context: { stage: ExecutionStage.TRAIN, epoch: 0, batchIdx: 0, globalStep: 0 },
      status: TrainStatus.RUNNING,
      message: "Starting statistical training",
      losses: {},
      metrics: {},
    },
    {
      context: { stage: ExecutionStage.TRAIN, epoch: 1, batchIdx: 0, globalStep: 1 },
      status: TrainStatus.COMPLETE,
      message: "Statistical training complete",
      losses: {},
      metrics: {},
    },
  ]);
  expect(await statusOf(client, sessionId)).toMatchObject({ status: TrainStatus.COMPLETE });
  const { outputs } = await client.inferCube(sessionId, cube(), wavelengths());
  expect(outputs["RXGlobal.scores"]).toBeDefined();
});

scenario(82, async (client, world) => {
  const { training } = readVectors();
  const nodes: [string, string, Json][] = [
    ["CU3SDataNode", "node.data.CU3SDataNode", {}],
    ["MinMaxNormalizer", "node.normalization.MinMaxNormalizer", {}],
    [
      "SoftChannelSelector",
      "node.channel_selector.SoftChannelSelector",
      { n_select: 2, input_channels: 5, init_method: "variance" },
    ],
    ["RXGlobal", "anomaly.rx_detector.RXGlobal", { num_channels: 5 }],
    ["ScoreToLogit", "node.conversion.ScoreToLogit", {}],
  ];
  const chain = [
    ["CU3SDataNode.outputs.cube", "MinMaxNormalizer.inputs.data"],
    ["MinMaxNormalizer.outputs.normalized", "SoftChannelSelector.inputs.data"],
    ["SoftChannelSelector.outputs.selected", "RXGlobal.inputs.data"],
    ["RXGlobal.outputs.scores", "ScoreToLogit.inputs.scores"],
  ];
  const sessionId = await client.loaded({
    nodes: nodes.map(([name, path, hparams]) => ({ name, class_name: `cuvis_ai.${path}`, hparams })),
    connections: chain.map(([source, target]) => ({ source, target })),
  });
  const cubes: string[] = [];
  for (const [i, batch] of training.batches.entries()) {
    const given = batch["cube"] as unknown as Parameters<typeof toFloats>[0];
    cubes.push(await world.write(`data/k82_${i}.npy`, npy("<f4", given.shape, toFloats(given))));
  }
  await client.fit(sessionId, {
    data_module: "files",
    batch_size: 2,
    params: { cubes, wavelengths_nm: [430, 438, 446, 454, 462] },
  });
  const pipelinePath = world.path("outputs/k82.yaml");
  const { weightsPath } = await client.rpc.savePipeline({ sessionId, pipelinePath });
  const { stateDict } = await readWeights(await world.read(weightsPath));
  for (const [node, tensors] of Object.entries(training.fitted_state)) {
    for (const [key, expected] of Object.entries(tensors)) {
      const tolerance = node === "RXGlobal" || node === "ScoreToLogit" ? INVERSE : FLOAT32;
      const found = stateDict!.get(node)?.get(key);
      expect(difference(found, expected, tolerance, `${node}.${key}`)).toBeUndefined();
    }
  }
});

const WAITING = /gradient training is not available/i;

async function gradientSession(client: Cuvis): Promise<string> {
  const sessionId = await client.loaded("gradient_based");
  const run = await client.resolve(sessionId, "trainrun", "trainrun/gradient_based");
  const { pipeline: _pipeline, ...config } = run;
  await client.rpc.setTrainRunConfig({ sessionId, config: { configBytes: bytesOf(config) } });
  return sessionId;
}

scenario(83, async (client, world) => {
  const sessionId = await gradientSession(client);
  const data = dataOf(await writeScenes(world, "k83"));
  await client.train({ sessionId, trainerType: TrainerType.STATISTICAL, data });
  // Until there is gradient training, it is declined in words, and the session goes on.
  await refused(client.train({ sessionId, trainerType: TrainerType.GRADIENT, data }), Code.Unimplemented, WAITING);
  expect(await statusOf(client, sessionId)).toMatchObject({ status: TrainStatus.COMPLETE });
  expect((await client.inferCube(sessionId, cube(), wavelengths())).outputs).not.toEqual({});
});

scenario(85, async (client, world) => {
  const data = dataOf(await writeScenes(world, "k85"));
  const train = (sessionId: string, training: Json = { max_epochs: 1 }) =>
    client.train({
      sessionId,
      trainerType: TrainerType.GRADIENT,
      data,
      training: { configBytes: bytesOf(training) },
    });
  const bare = await client.loaded("gradient_based");
  await refused(train(bare), Code.InvalidArgument, /loss_nodes/);
  const noTraining = client.train({ sessionId: bare, trainerType: TrainerType.GRADIENT, data });
  await refused(noTraining, Code.InvalidArgument, /training configuration/i);
  const sessionId = await gradientSession(client);
  await refused(train(sessionId, { max_epochs: 0 }), Code.InvalidArgument, /max_epochs/);
  await refused(train(sessionId, { scheduler: { name: "plateau" } }), Code.InvalidArgument, /plateau/);
  const withLists = async (lists: Json) => {
    const config = { name: "a run", data: {}, loss_nodes: ["SimpleLossNode"], ...lists };
    await client.rpc.setTrainRunConfig({ sessionId, config: { configBytes: bytesOf(config) } });
    return train(sessionId);
  };
  await refused(withLists({ loss_nodes: [] }), Code.InvalidArgument, /loss_nodes/);
  for (const list of ["loss_nodes", "metric_nodes", "unfreeze_nodes"]) {
    await refused(withLists({ [list]: ["Nobody"] }), Code.InvalidArgument, /Nobody/);
  }
  await refused(withLists({}), Code.InvalidArgument, /nothing to train/i);
  await refused(withLists({ unfreeze_nodes: ["SoftChannelSelector"] }), Code.Unimplemented, WAITING);
});

scenario(87, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const data = await writeScenes(world, "k87");
  const config = {
    name: "kept",
    data,
    training: { max_epochs: 7, seed: 9, optimizer: { name: "sgd", lr: 0.25 } },
    loss_nodes: ["SimpleLossNode"],
    metric_nodes: ["MockMetricNode"],
    unfreeze_nodes: ["SoftChannelSelector"],
  };
  await client.rpc.setTrainRunConfig({ sessionId, config: { configBytes: bytesOf(config) } });
  await client.train({ sessionId, trainerType: TrainerType.STATISTICAL });
  const trainrunPath = world.path("outputs/k87/run.yaml");
  await client.rpc.saveTrainRun({ sessionId, trainrunPath });
  expect(parse(await world.text(trainrunPath))).toMatchObject({
    name: "gradient_based",
    data,
    training: { max_epochs: 7, seed: 9, optimizer: { name: "sgd", lr: 0.25 } },
    loss_nodes: ["SimpleLossNode"],
    metric_nodes: ["MockMetricNode"],
    unfreeze_nodes: ["SoftChannelSelector"],
    freeze_nodes: [],
  });
});

scenario(88, async ({ rpc }) => {
  const found = await rpc.getTrainingCapabilities({});
  expect(found.supportedOptimizers).toEqual(["adam", "adamw", "sgd"]);
  expect(found.supportedSchedulers).toEqual(["reduce_on_plateau", "cosine", "step", "exponential", "plateau"]);
  expect(found.supportedCallbacks.map(({ type }) => type)).toEqual([
    "EarlyStopping",
    "ModelCheckpoint",
    "LearningRateMonitor",
  ]);
  for (const { type, description, parameters } of found.supportedCallbacks) {
    expect(type).not.toBe("");
    expect(description).not.toBe("");
    for (const parameter of parameters) {
      expect(parameter.name).not.toBe("");
      expect(parameter.type).not.toBe("");
    }
  }
  expect(found.optimizerParams?.parameters.map(({ name }) => name)).toEqual(["lr", "weight_decay", "betas"]);
  expect(found.schedulerParams?.parameters.map(({ name }) => name)).toEqual(["monitor", "factor", "patience"]);
});

scenario(89, async (client) => {
  const bare = await client.session();
  const loaded = await client.loaded("gradient_based");
  const set = (sessionId: string, config: unknown) =>
    client.rpc.setTrainRunConfig({ sessionId, config: { configBytes: bytesOf(config) } });
  const valid = { name: "a run", data: { data_module: "files", params: { cubes: ["data/x.npy"] } } };
  for (const sessionId of [bare, loaded]) {
    const named = set(sessionId, { ...valid, pipeline: "pipeline/gradient_based" });
    await refused(named, Code.FailedPrecondition, /pipeline/);
    await refused(set(sessionId, ""), Code.InvalidArgument, "config_bytes");
    await refused(set(sessionId, "{"), Code.InvalidArgument, "config_bytes");
    await refused(set(sessionId, { name: "no data" }), Code.InvalidArgument, /data[\s\S]*required/i);
  }
  await refused(set(bare, valid), Code.FailedPrecondition, /pipeline/);
  expect(await set(loaded, valid)).toMatchObject({ success: true, pipelineFromConfig: false });
});

scenario(90, async (client, world) => {
  const sessionId = await client.session();
  const searchPaths = [world.path("configs"), world.path("configs/trainrun"), world.path("configs/pipeline")];
  await client.rpc.setSessionSearchPaths({ sessionId, searchPaths, append: false });
  await client.registerPlugin(sessionId);
  await client.loadPipeline(sessionId, await client.resolve(sessionId, "pipeline", "pipeline/gradient_based"));
  const { pipeline, ...config } = await client.resolve(sessionId, "trainrun", "trainrun/gradient_based");
  expect(pipeline).toBe("pipeline/gradient_based");
  const answer = await client.rpc.setTrainRunConfig({ sessionId, config: { configBytes: bytesOf(config) } });
  expect(answer.success).toBe(true);
  const dummy = await world.write("data/k90.npy", "no array at all");
  const data = dataOf({ data_module: "files", params: { cubes: [dummy] } });
  const code = await client.train({ sessionId, trainerType: TrainerType.STATISTICAL, data }).then(
    () => "ok",
    (error) => Code[ConnectError.from(error).code],
  );
  expect(["InvalidArgument", "Internal"]).toContain(code);
  expect(await statusOf(client, sessionId)).toMatchObject({ status: TrainStatus.ERROR });
});

describe("beyond the scenarios", () => {
  it("a client that goes away finds its training again, and the training goes on", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("anomaly/rx/rx_statistical");
    const leave = new AbortController();
    const request = {
      sessionId,
      trainerType: TrainerType.STATISTICAL,
      data: dataOf(await writeScenes(world, "k-left")),
    };
    const seen: cuvis.TrainStatus[] = [];
    const stream = (async () => {
      for await (const message of client.rpc.train(request, { signal: leave.signal })) {
        seen.push(message.status);
        leave.abort();
      }
    })();
    await refused(stream, Code.Canceled).catch(() => undefined);
    expect(seen).toEqual([TrainStatus.RUNNING]);
    await until(
      async () => (await statusOf(client, sessionId))?.status === TrainStatus.COMPLETE,
      "the training is complete",
    );
    expect((await client.inferCube(sessionId, cube(), wavelengths())).outputs["RXGlobal.scores"]).toBeDefined();
  });

  it("a training is followed while it runs, and outlives the server", async () => {
    const world = await ownWorld();
    let client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("anomaly/rx/channel_selector");
    const data = dataOf(await writeScenes(world, "k-long", { scenes: 250, lines: 24 }));
    const left = client
      .train({ sessionId, trainerType: TrainerType.STATISTICAL, data })
      .then(() => undefined)
      .catch(() => undefined);
    await until(async () => {
      const now = await statusOf(client, sessionId);
      expect(now?.status).not.toBe(TrainStatus.COMPLETE);
      return now?.status === TrainStatus.RUNNING && now.message.startsWith("Fitting ");
    }, "the training says which node it fits");
    await world.server.kill();
    client.disconnect();
    await left;
    await world.server.start();
    client = world.connect();
    await until(
      async () => (await statusOf(client, sessionId))?.status === TrainStatus.COMPLETE,
      "the training is complete",
    );
    expect((await client.inferCube(sessionId, cube(), wavelengths())).outputs["RXGlobal.scores"]).toBeDefined();
  });

  it("a worker that dies is replaced", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("anomaly/rx/channel_selector");
    const training = client.fit(sessionId, await writeScenes(world, "k-dies", { scenes: 250, lines: 24 }));
    const jobs = createClient(JobService, client.transport);
    const filter = { kinds: [JobKind.TRAIN], states: [JobState.PROCESSING], pageSize: 1 };
    // Between two looks a job may end, or wait for its next attempt.
    const { job, pid } = await until(async () => {
      const found = (await jobs.listJobs(filter)).jobs[0];
      const worker = found && (await world.server.workerOf(found.id).catch(() => undefined));
      return worker === undefined ? undefined : { job: found!, pid: worker };
    }, "a worker has the training");
    process.kill(pid, "SIGKILL");
    expect((await training).at(-1)?.status).toBe(TrainStatus.COMPLETE);
    expect(await world.server.workerOf(job.id).catch(() => undefined)).not.toBe(pid);
  });

  it("in a cloud, data are found by a pattern, ENVI pairs among them, and an inference job reads one", async () => {
    const world = await shared.get("Lambda");
    const client = world.connect("connect");
    onTestFinished(() => client.disconnect());
    const shape = [6, 5, BANDS];
    const header = `ENVI\nlines = 6\nsamples = 5\nbands = ${BANDS}\ndata type = 12\ninterleave = bip\n`;
    for (const i of [0, 1]) {
      await world.write(`data/k-envi/field_${i}.hdr`, header);
      await world.write(`data/k-envi/field_${i}.img`, new Uint8Array(counts(shape, i).buffer));
    }
    const sessionId = await client.loaded("anomaly/rx/rx_statistical");
    const params = { cubes: ["data/k-envi/*.hdr"], wavelengths_nm: [...WAVELENGTHS] };
    await client.fit(sessionId, { data_module: "files", params });

    const inference = createClient(InferenceService, client.transport);
    const { uploadId } = await inference.startInputUpload({});
    const data = new Uint8Array(Int32Array.from(WAVELENGTHS).buffer);
    const totalBytes = BigInt(data.byteLength);
    await inference.sendInputChunk({ uploadId, input: "wavelengths", byteOffset: 0n, totalBytes, data });
    const { jobId } = await inference.submitInference({
      sessionId,
      uploadId,
      inputs: [
        { name: "cube", source: { case: "file", value: { path: "data/k-envi/field_0.hdr" } } },
        { name: "wavelengths", elementType: ElementType.INT32, shape: [1n, BigInt(BANDS)] },
      ],
      outputs: ["RXGlobal.scores"],
    });
    const jobs = createClient(JobService, client.transport);
    const isOver = ({ state }: { state: JobState }) => state !== JobState.QUEUED && state !== JobState.PROCESSING;
    const job = await until(async () => {
      const { job: now } = await jobs.getJob({ id: jobId });
      return now && isOver(now) ? now : undefined;
    }, "the job is over");
    expect(job).toMatchObject({ state: JobState.COMPLETED });
    const { downloadId } = await inference.startOutputDownload({ jobId });
    const chunk = await inference.getOutputChunk({ downloadId, output: "RXGlobal.scores", byteOffset: 0n });
    const { outputs } = await client.inferCube(sessionId, cube([1, ...shape], 0), wavelengths());
    expect(Buffer.compare(chunk.data, rawOf(outputs["RXGlobal.scores"]))).toBe(0);
  });

  it("trainings of one session that come at once run one after another", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("anomaly/rx/rx_statistical");
    const data = await writeScenes(world, "k-twice", { scenes: 30, lines: 24 });
    const first = client.fit(sessionId, data);
    // It may have ended before we look.
    await until(
      async () => (await statusOf(client, sessionId))?.status !== TrainStatus.UNSPECIFIED,
      "the first one is known",
    );
    const both = await Promise.all([first, client.fit(sessionId, data)]);
    expect(both.map((messages) => messages.at(-1)?.status)).toEqual([TrainStatus.COMPLETE, TrainStatus.COMPLETE]);
  });

  it("closing a session stops its training", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("anomaly/rx/channel_selector");
    const stream = client.fit(sessionId, await writeScenes(world, "k-closed", { scenes: 250, lines: 24 }));
    const outcome = stream.then(
      () => "ok",
      (error) => Code[ConnectError.from(error).code],
    );
    await until(async () => (await statusOf(client, sessionId))?.status === TrainStatus.RUNNING, "it runs");
    await client.rpc.closeSession({ sessionId });
    expect(["Canceled", "NotFound"]).toContain(await outcome);
  });

  it("the solve service has a clear word for a job that is a training", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.loaded("statistical_based");
    await client.fit(sessionId, await writeScenes(world, "k-job"));
    const jobs = await createClient(JobService, client.transport).listJobs({ kinds: [JobKind.TRAIN], pageSize: 1 });
    const jobId = jobs.jobs[0]!.id;
    const cuopt = createClient(CuOptRemoteService, client.transport);
    for (const call of [() => cuopt.getResult({ jobId }), () => cuopt.startChunkedDownload({ jobId })]) {
      await refused(call(), Code.FailedPrecondition, /kind train/);
    }
    expect((await cuopt.checkStatus({ jobId })).message).not.toBe("");
  });
});
