// Rules of pipelines: names, checks of connections and inputs, stages, partial runs, fitting, weights, profiles.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { PipelineError, type PipelineReason } from "../errors.ts";
import { bytesSource } from "../formats/source.ts";
import { isTensor, type Tensor, tensor, type Value } from "../graph/tensor.ts";
import { isArtifacts, pngOfArtifact } from "../nodes/drawing.ts";
import { Engine } from "../runtime/engine.ts";
import { cube, measurement, node, rxPipeline, wire } from "../testing/pipelines.ts";
import { difference, FLOAT32, INVERSE, readVectors, toBatch, toTensor } from "../testing/vectors.ts";
import { readCheckpoint } from "../weights/checkpoint.ts";
import { Pipeline, type StateDict } from "./pipeline.ts";
import type { PipelineConfig } from "./wiring.ts";

const engine = new Engine();
afterAll(() => engine.close());

const reasonOf = async (call: () => unknown): Promise<{ reason: PipelineReason; message: string }> => {
  try {
    await call();
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
};

const tensorAt = (values: Map<string, Value>, key: string): Tensor => {
  const value = values.get(key);
  if (!isTensor(value)) throw new Error(`${key} is no tensor`);
  return value;
};

async function fitted(channels = 5): Promise<Pipeline> {
  const pipeline = new Pipeline(rxPipeline(channels));
  await pipeline.fit(() => [measurement([2, 4, 3, channels], 1), measurement([1, 4, 3, channels], 2)], { engine });
  return pipeline;
}

describe("building a pipeline", () => {
  const two = (connections: readonly string[], second = "node.normalization.SigmoidTransform"): PipelineConfig => ({
    nodes: [node("a", "node.normalization.IdentityNormalizer"), node("b", second)],
    connections: connections.map(wire),
  });

  it("numbers nodes of one name and binds connections to the first", async () => {
    const config: PipelineConfig = {
      nodes: [node("x", "node.normalization.IdentityNormalizer"), node("x", "node.normalization.IdentityNormalizer")],
      connections: [],
    };
    const pipeline = new Pipeline(config);
    expect(pipeline.nodes.map(({ name }) => name)).toEqual(["x", "x-1"]);
    const values = await pipeline.run({ data: cube([1, 2, 2, 3]) }, { engine });
    expect([...values.keys()]).toEqual(["x.normalized", "x-1.normalized"]);
  });

  it.each<[string, PipelineConfig, PipelineReason, RegExp]>([
    [
      "an unknown class",
      { nodes: [node("a", "nowhere.Node")], connections: [] },
      "unknown-class",
      /cuvis_ai.nowhere.Node/,
    ],
    ["an unknown node", two(["a.normalized -> c.data"]), "unknown-node", /'c'/],
    ["an unknown port", two(["a.nothing -> b.data"]), "unknown-port", /'nothing'.*normalized/],
    [
      "a dtype clash",
      two(["a.normalized -> b.decisions"], "node.metrics.AnomalyPixelStatisticsMetric"),
      "incompatible-ports",
      /Dtype mismatch/,
    ],
    [
      "a rank clash",
      two(["a.normalized -> b.scores"], "node.metrics.ScoreStatisticsMetric"),
      "incompatible-ports",
      /rank mismatch/,
    ],
    [
      "a connection of two parts",
      { nodes: [], connections: [{ source: "a.b", target: "c.inputs.d" }] },
      "invalid-value",
      /<node>.outputs.<port>/,
    ],
    [
      "a missing hyper-parameter",
      { nodes: [node("rx", "anomaly.rx_detector.RXGlobal")], connections: [] },
      "invalid-argument",
      /num_channels/,
    ],
    [
      "a hyper-parameter out of bounds",
      { nodes: [node("q", "deciders.binary_decider.QuantileBinaryDecider", { quantile: 2 })], connections: [] },
      "invalid-value",
      /'quantile' is 2; it must be at most 1/,
    ],
  ])("refuses %s", async (_, config, reason, words) => {
    const error = await reasonOf(() => new Pipeline(config));
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(words);
  });

  it("keeps unknown hyper-parameters", () => {
    const hparams = { hidden: 128, num_channels: 4 };
    const pipeline = new Pipeline({
      nodes: [node("z", "anomaly.deep_svdd.ZScoreNormalizerGlobal", hparams)],
      connections: [],
    });
    expect(pipeline.node("z").hparams).toEqual(hparams);
  });

  it("accepts a cycle and refuses to run it", async () => {
    const pipeline = new Pipeline(two(["a.normalized -> b.data", "b.transformed -> a.data"]));
    expect((await reasonOf(() => pipeline.run({}, { engine }))).reason).toBe("cycle");
  });

  it("starts with the same weights in every process", () => {
    const build = (): Tensor | undefined =>
      new Pipeline({ nodes: [node("p", "anomaly.deep_svdd.DeepSVDDProjection", { in_channels: 3 })], connections: [] })
        .stateDict()
        .get("p")
        ?.get("net.fc1.weight");
    expect(build()).toEqual(build());
  });

  it("lists open inputs and outputs", () => {
    const pipeline = new Pipeline(rxPipeline(5));
    expect(pipeline.openInputs().map(({ node: name, port, required }) => [name, port.name, required])).toEqual([
      ["data", "cube", true],
      ["data", "wavelengths", true],
      ["data", "mask", false],
      ["data", "mesu_index", false],
      ["metrics", "logits", false],
      ["mask", "scores", false],
    ]);
    expect(pipeline.openOutputs().map(({ node: name, port }) => `${name}.${port.name}`)).toEqual([
      "data.wavelengths",
      "data.mesu_index",
    ]);
  });
});

describe("running a pipeline", () => {
  it("needs fitted nodes to be fitted", async () => {
    const pipeline = new Pipeline(rxPipeline(5));
    const error = await reasonOf(() => pipeline.run(measurement([1, 2, 2, 5]), { engine }));
    expect(error.reason).toBe("not-fitted");
    expect(error.message).toContain("'minmax'");
  });

  it("names missing inputs like the reference does", async () => {
    const pipeline = await fitted();
    const error = await reasonOf(() => pipeline.run({}, { engine }));
    expect(error.reason).toBe("missing-input");
    expect(error.message).toBe("Node 'data' missing required inputs: ['cube', 'wavelengths']");
  });

  it("runs in a stage what belongs to it, and tensors agree with the interpreter", async () => {
    const pipeline = await fitted();
    const batch = measurement([2, 3, 4, 5], 3);
    const inference = await pipeline.run(
      { cube: batch["cube"] as Tensor, wavelengths: batch["wavelengths"] as Tensor },
      { engine },
    );
    expect([...inference.keys()].sort()).toEqual([
      "data.cube",
      "data.wavelengths",
      "decider.decisions",
      "logit.logits",
      "mask.artifacts",
      "minmax.normalized",
      "rx.scores",
    ]);
    const validation = await pipeline.run(batch, { engine, stage: "val" });
    expect(validation.has("metrics.metrics")).toBe(true);
    const plain = pipeline.interpret(batch, { stage: "val" });
    for (const key of ["rx.scores", "logit.logits", "decider.decisions", "data.mask"]) {
      const expected = tensorAt(plain, key);
      const wanted = { dtype: expected.dtype, shape: expected.shape, data: Array.from(expected.data as Float32Array) };
      expect(difference(tensorAt(validation, key), wanted, INVERSE, key)).toBeUndefined();
    }
  });

  it("computes only what wanted outputs need", async () => {
    const pipeline = new Pipeline(rxPipeline(5));
    const state = new Map([
      ["running_min", tensor("float32", [], [0])],
      ["running_max", tensor("float32", [], [500])],
    ]);
    pipeline.loadStateDict(new Map([["minmax", state]]));
    // RX is not fitted, and nobody asks for it.
    const values = await pipeline.run(measurement([1, 2, 2, 5]), {
      engine,
      outputs: ["minmax.normalized", "nobody.nothing"],
    });
    expect([...values.keys()]).toEqual(["minmax.normalized"]);
  });

  it.each<[string, Record<string, Value>, RegExp]>([
    ["rank", { cube: tensor("float32", [2, 2, 5], new Float32Array(20)) }, /Shape rank mismatch/],
    ["dtype", { wavelengths: tensor("float32", [1, 5], [1, 2, 3, 4, 5]) }, /Dtype mismatch/],
    ["channels", { cube: cube([1, 2, 2, 6]) }, /6 channels, expected 5 \(Dimension mismatch\)/],
  ])("refuses a batch of the wrong %s, naming node and port", async (_, change, words) => {
    const pipeline = await fitted();
    const error = await reasonOf(() => pipeline.run({ ...measurement([1, 2, 2, 5]), ...change }, { engine }));
    expect(error.message).toMatch(words);
    expect(error.message).toMatch(/Node '(data|rx)'.*port '(cube|wavelengths|data)'/);
  });

  it("gives empty results for an image without rows", async () => {
    const pipeline = new Pipeline({ nodes: [node("s", "node.normalization.SigmoidTransform")], connections: [] });
    const values = await pipeline.run({ data: cube([1, 0, 4, 5]) }, { engine });
    expect(tensorAt(values, "s.transformed").shape).toEqual([1, 0, 4, 5]);
  });

  it("offers a batch entry to every open port of its name, and a connection wins", async () => {
    const pipeline = new Pipeline({
      nodes: [
        node("a", "node.normalization.SigmoidTransform"),
        node("b", "node.normalization.IdentityNormalizer"),
        node("c", "node.normalization.IdentityNormalizer"),
      ],
      connections: [wire("a.transformed -> b.data")],
    });
    const data = tensor("float32", [1, 1, 1, 2], [0, 0]);
    const values = await pipeline.run({ data }, { engine });
    expect([...(tensorAt(values, "b.normalized").data as Float32Array)]).toEqual([0.5, 0.5]);
    expect([...(tensorAt(values, "c.normalized").data as Float32Array)]).toEqual([0, 0]);
  });

  it("draws artefacts that are PNG files", async () => {
    const pipeline = await fitted();
    const values = await pipeline.run(measurement([2, 3, 4, 5]), { engine, stage: "val" });
    const drawn = values.get("mask.artifacts");
    if (!isArtifacts(drawn)) throw new Error("no artefacts");
    expect(drawn.map(({ name }) => name)).toEqual(["anomaly_mask_img00", "anomaly_mask_img01"]);
    expect(
      [...pngOfArtifact(drawn[0] as (typeof drawn)[number]).subarray(1, 4)].map((c) => String.fromCharCode(c)).join(""),
    ).toBe("PNG");
  });

  it("stops when its signal is aborted", async () => {
    const pipeline = await fitted();
    await expect(pipeline.run(measurement([1, 2, 2, 5]), { engine, signal: AbortSignal.abort() })).rejects.toThrow(
      /abort/i,
    );
  });
});

describe("large cubes", () => {
  it("give in row tiles what they give as a whole", async () => {
    const pipeline = await fitted();
    const shape = [1, 300, 90, 5] as const;
    const whole = measurement(shape, 4);
    // Three times the rows is beyond the size from which tiles are used.
    const stacked = measurement([3, 800, 90, 5], 9);
    const values = await pipeline.run(stacked, { engine, outputs: ["rx.scores", "decider.decisions"] });
    const scores = tensorAt(values, "rx.scores");
    expect(scores.shape).toEqual([3, 800, 90, 1]);
    const cubeData = (stacked["cube"] as Tensor).data as Uint16Array;
    const part = cubeData.slice(2 * 800 * 90 * 5, 2 * 800 * 90 * 5 + 300 * 90 * 5);
    const small = { ...whole, cube: tensor("uint16", shape, part) };
    const direct = tensorAt(await pipeline.run(small, { engine, outputs: ["rx.scores"] }), "rx.scores");
    const tiled = (scores.data as Float32Array).subarray(2 * 800 * 90, 2 * 800 * 90 + 300 * 90);
    expect(Buffer.from(direct.data.buffer as ArrayBuffer).equals(Buffer.from(tiled.slice().buffer))).toBe(true);
  });

  it("that are not given away are copied in parts, on as many threads as there are, to the same result", async () => {
    const pipeline = new Pipeline({
      nodes: [
        node("unit", "node.normalization.PerPixelUnitNorm"),
        node("best", "deciders.two_stage_decider.TwoStageBinaryDecider", { quantile: 0.9, image_threshold: 0 }),
      ],
      connections: [wire("unit.normalized -> best.logits")],
    });
    await using threads = new Engine({ threads: 2 });
    const data = cube([1, 1100, 1000, 4], 5);
    const parts = await pipeline.run({ data }, { engine: threads });
    const copy = { ...data, data: data.data.slice() };
    const given = await pipeline.run({ data: copy }, { engine, giveInputs: true });
    for (const key of ["unit.normalized", "best.decisions"]) {
      const [a, b] = [tensorAt(parts, key), tensorAt(given, key)];
      expect(a.shape).toEqual(b.shape);
      expect(Buffer.compare(Buffer.from(a.data.buffer as ArrayBuffer), Buffer.from(b.data.buffer as ArrayBuffer))).toBe(
        0,
      );
    }
  });

  it("are left as they were unless the caller gives them away", async () => {
    const pipeline = new Pipeline({ nodes: [node("s", "node.normalization.SigmoidTransform")], connections: [] });
    const kept = cube([1, 600, 600, 3]);
    await pipeline.run({ data: kept }, { engine });
    expect(kept.data.length).toBe(600 * 600 * 3);
    const given = cube([1, 600, 600, 3]);
    await pipeline.run({ data: given }, { engine, giveInputs: true });
    expect(given.data.length).toBe(0);
  });
});

describe("statistical fitting", () => {
  it("gives the reference's states, node after node", async () => {
    const { training } = readVectors();
    const pipeline = new Pipeline({
      nodes: [
        node("MinMaxNormalizer", "node.normalization.MinMaxNormalizer"),
        node("SoftChannelSelector", "node.channel_selector.SoftChannelSelector", {
          n_select: 2,
          input_channels: 5,
          init_method: "variance",
        }),
        node("RXGlobal", "anomaly.rx_detector.RXGlobal", { num_channels: 5 }),
        node("ScoreToLogit", "node.conversion.ScoreToLogit"),
      ],
      connections: [
        "MinMaxNormalizer.normalized -> SoftChannelSelector.data",
        "SoftChannelSelector.selected -> RXGlobal.data",
        "RXGlobal.scores -> ScoreToLogit.scores",
      ].map(wire),
    });
    const batches = training.batches.map((batch) => ({ data: toBatch(batch)["cube"] as Tensor }));
    const seen: string[] = [];
    await pipeline.fit(() => batches, {
      engine,
      onProgress: ({ node: name, batches: count, done }) => done && seen.push(`${name} ${count}`),
    });
    expect(seen).toEqual(["MinMaxNormalizer 2", "SoftChannelSelector 2", "RXGlobal 2", "ScoreToLogit 2"]);
    const state = pipeline.stateDict();
    for (const [name, tensors] of Object.entries(training.fitted_state)) {
      for (const [key, expected] of Object.entries(tensors)) {
        const tolerance = name === "RXGlobal" || name === "ScoreToLogit" ? INVERSE : FLOAT32;
        expect(difference(state.get(name)?.get(key), expected, tolerance, `${name}.${key}`)).toBeUndefined();
      }
    }
    for (const [i, expected] of training.logits_after_fit.entries()) {
      const values = await pipeline.run(batches[i] as Record<string, Value>, {
        engine,
        outputs: ["ScoreToLogit.logits"],
      });
      expect(difference(values.get("ScoreToLogit.logits"), expected, INVERSE, `logits ${i}`)).toBeUndefined();
    }
  });

  it("refuses a stream without data", async () => {
    const pipeline = new Pipeline(rxPipeline(5));
    expect((await reasonOf(() => pipeline.fit(() => [], { engine }))).reason).toBe("invalid-value");
  });
});

describe("weights", () => {
  it("make a new pipeline give the same bits", async () => {
    const first = await fitted();
    const second = new Pipeline(rxPipeline(5));
    second.loadStateDict(first.stateDict());
    const batch = measurement([1, 4, 4, 5], 5);
    const [a, b] = [await first.run(batch, { engine }), await second.run(batch, { engine })];
    expect(tensorAt(b, "logit.logits").data).toEqual(tensorAt(a, "logit.logits").data);
  });

  it("must have exactly the node's names when strict, and its shapes always", async () => {
    const pipeline = new Pipeline(rxPipeline(5));
    const load = (names: Record<string, Tensor>, strict: boolean) => () =>
      pipeline.loadStateDict(new Map([["logit", new Map(Object.entries(names))]]), strict);
    const scale = tensor("float64", [], [2]);
    expect((await reasonOf(load({ scale }, true))).message).toMatch(/missing weights: 'bias'/);
    load({ scale, other: scale }, false)();
    expect(pipeline.stateDict().get("logit")?.get("scale")).toEqual(tensor("float32", [], [2]));
    expect((await reasonOf(load({ scale: tensor("float32", [1], [2]) }, false))).reason).toBe("state-mismatch");
  });

  it("of unknown nodes are ignored, and nodes without any stay as they are", () => {
    const pipeline = new Pipeline(rxPipeline(5));
    pipeline.loadStateDict(new Map([["stranger", new Map([["w", tensor("float32", [], [1])]])]]));
    expect(pipeline.node("rx").fitted).toBe(false);
  });

  it("that are trainable become parameters by unfreezing", () => {
    const pipeline = new Pipeline(rxPipeline(5));
    expect(pipeline.trainable()).toEqual([]);
    pipeline.unfreeze("logit");
    expect(pipeline.trainable()).toEqual([
      { node: "logit", state: "scale" },
      { node: "logit", state: "bias" },
    ]);
    pipeline.freeze("logit");
    expect(pipeline.trainable()).toEqual([]);
  });

  it("as shipped with the channel selector give the reference's scores", async () => {
    const { shipped } = readVectors();
    const pipeline = new Pipeline({
      nodes: [
        node("MinMaxNormalizer", "node.normalization.MinMaxNormalizer"),
        node("SoftChannelSelector", "node.channel_selector.SoftChannelSelector", {
          n_select: 3,
          input_channels: 61,
          init_method: "variance",
        }),
        node("RXGlobal", "anomaly.rx_detector.RXGlobal", { num_channels: 61 }),
        node("ScoreToLogit", "node.conversion.ScoreToLogit"),
      ],
      connections: [
        "MinMaxNormalizer.normalized -> SoftChannelSelector.data",
        "SoftChannelSelector.selected -> RXGlobal.data",
        "RXGlobal.scores -> ScoreToLogit.scores",
      ].map(wire),
    });
    const state = await shippedWeights();
    if (!state) return;
    pipeline.loadStateDict(state, true);
    const values = await pipeline.run({ data: toTensor(shipped["cube"] as never) }, { engine });
    for (const key of ["SoftChannelSelector.weights", "RXGlobal.scores", "ScoreToLogit.logits"]) {
      expect(difference(values.get(key), shipped[key], { relative: 1e-4, absolute: 1e-4 }, key)).toBeUndefined();
    }
  });
});

/** The state of the shipped checkpoint, where test data are there. */
async function shippedWeights(): Promise<StateDict | undefined> {
  const root = process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
  const file = `${root}/weights/channel_selector.pt`;
  if (!existsSync(file)) return undefined;
  const checkpoint = await readCheckpoint(bytesSource(file, new Uint8Array(readFileSync(file))));
  return checkpoint.stateDict as StateDict | undefined;
}

describe("profiling", () => {
  it("counts every executed node, and leaves out the first runs when asked to", async () => {
    const pipeline = await fitted();
    pipeline.profiler.configure({ enabled: true, skipFirst: 1 });
    for (let i = 0; i < 4; i++) await pipeline.run(measurement([1, 4, 4, 5], i), { engine });
    const summary = pipeline.profiler.summary("inference");
    expect(summary.map((entry) => entry.node)).toEqual(["data", "minmax", "rx", "logit", "decider", "mask", "tb"]);
    for (const entry of summary) {
      expect(entry.count).toBe(3);
      expect(entry.totalMs).toBeCloseTo(entry.meanMs * 3, 9);
      expect(entry.minMs).toBeLessThanOrEqual(entry.medianMs);
      expect(entry.medianMs).toBeLessThanOrEqual(entry.maxMs);
    }
    expect(summary.find((entry) => entry.node === "rx")?.provider).toBe("cpu");
    expect(pipeline.profiler.summary("train")).toEqual([]);
    pipeline.profiler.configure({ enabled: false, skipFirst: 1 });
    await pipeline.run(measurement([1, 4, 4, 5]), { engine });
    expect(pipeline.profiler.summary()[0]?.count).toBe(3);
    pipeline.profiler.configure({ enabled: true, reset: true, skipFirst: 1 });
    expect(pipeline.profiler.summary()).toEqual([]);
  });

  it("changes no result", async () => {
    const pipeline = await fitted();
    const batch = measurement([1, 4, 4, 5], 6);
    const fused = await pipeline.run(batch, { engine });
    pipeline.profiler.configure({ enabled: true });
    const unfused = await pipeline.run(batch, { engine });
    expect(tensorAt(unfused, "decider.decisions").data).toEqual(tensorAt(fused, "decider.decisions").data);
  });
});
