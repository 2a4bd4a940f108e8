// The example pipelines that need no outside model, and those of the core's own tests, run as clients expect.
import { afterAll, describe, expect, it } from "vitest";
import { isTensor, type Tensor, tensor, toFloat64, type Value } from "../graph/tensor.ts";
import { Engine } from "../runtime/engine.ts";
import { cube, measurement, node, wire } from "../testing/pipelines.ts";
import { emit, inputSpecs } from "./emit.ts";
import { Pipeline } from "./pipeline.ts";
import type { PipelineConfig } from "./wiring.ts";

const engine = new Engine();
afterAll(() => engine.close());

const SHAPE = [1, 6, 5, 61] as const;
const shapeAt = (values: Map<string, Value>, key: string): readonly number[] => (values.get(key) as Tensor).shape;

const channelSelector: PipelineConfig = {
  nodes: [
    node("LentilsAnomalyDataNode", "node.data.LentilsAnomalyDataNode", { normal_class_ids: [0, 1] }),
    node("MinMaxNormalizer", "node.normalization.MinMaxNormalizer"),
    node("SoftChannelSelector", "node.channel_selector.SoftChannelSelector", {
      n_select: 3,
      input_channels: 61,
      init_method: "variance",
    }),
    node("RXGlobal", "anomaly.rx_detector.RXGlobal", { num_channels: 61 }),
    node("ScoreToLogit", "node.conversion.ScoreToLogit"),
    node("bce", "node.losses.AnomalyBCEWithLogits", { weight: 10 }),
    node("entropy", "node.losses.SelectorEntropyRegularizer", { weight: 0.1 }),
    node("diversity", "node.losses.SelectorDiversityRegularizer", { weight: 0.01 }),
    node("BinaryDecider", "deciders.binary_decider.BinaryDecider"),
    node("metrics_anomaly", "node.metrics.AnomalyDetectionMetrics"),
    node("TensorBoardMonitorNode", "node.monitor.TensorBoardMonitorNode"),
    node("rgb", "node.pipeline_visualization.CubeRGBVisualizer"),
  ],
  connections: [
    "LentilsAnomalyDataNode.cube -> MinMaxNormalizer.data",
    "MinMaxNormalizer.normalized -> SoftChannelSelector.data",
    "SoftChannelSelector.selected -> RXGlobal.data",
    "RXGlobal.scores -> ScoreToLogit.scores",
    "ScoreToLogit.logits -> bce.predictions",
    "LentilsAnomalyDataNode.mask -> bce.targets",
    "SoftChannelSelector.weights -> entropy.weights",
    "SoftChannelSelector.weights -> diversity.weights",
    "ScoreToLogit.logits -> BinaryDecider.logits",
    "BinaryDecider.decisions -> metrics_anomaly.decisions",
    "LentilsAnomalyDataNode.mask -> metrics_anomaly.targets",
    "metrics_anomaly.metrics -> TensorBoardMonitorNode.metrics",
    "LentilsAnomalyDataNode.cube -> rgb.cube",
    "SoftChannelSelector.weights -> rgb.weights",
    "LentilsAnomalyDataNode.wavelengths -> rgb.wavelengths",
    "rgb.artifacts -> TensorBoardMonitorNode.artifacts",
  ].map(wire),
};

const deepSvdd: PipelineConfig = {
  nodes: [
    node("data", "node.data.LentilsAnomalyDataNode", { normal_class_ids: [0, 1] }),
    node("bandpass", "node.preprocessors.BandpassByWavelength", { min_wavelength_nm: 700 }),
    node("unit", "node.normalization.PerPixelUnitNorm", { eps: 1e-8 }),
    node("zscore", "anomaly.deep_svdd.ZScoreNormalizerGlobal", { num_channels: 27, hidden: 128 }),
    node("projection", "anomaly.deep_svdd.DeepSVDDProjection", {
      in_channels: 27,
      hidden: 128,
      rep_dim: 32,
      kernel: "linear",
    }),
    node("tracker", "anomaly.deep_svdd.DeepSVDDCenterTracker", { rep_dim: 32 }),
    node("loss", "node.losses.DeepSVDDSoftBoundaryLoss"),
    node("scores", "anomaly.deep_svdd.DeepSVDDScores"),
    node("decider", "deciders.binary_decider.QuantileBinaryDecider", { quantile: 0.995 }),
    node("metrics", "node.metrics.AnomalyDetectionMetrics"),
    node("heatmap", "node.anomaly_visualization.ScoreHeatmapVisualizer"),
    node("mask", "node.anomaly_visualization.AnomalyMask", { channel: 30 }),
    node("tb", "node.monitor.TensorBoardMonitorNode"),
  ],
  connections: [
    "data.cube -> bandpass.data",
    "data.wavelengths -> bandpass.wavelengths",
    "bandpass.filtered -> unit.data",
    "unit.normalized -> zscore.data",
    "zscore.normalized -> projection.data",
    "projection.embeddings -> tracker.embeddings",
    "projection.embeddings -> loss.embeddings",
    "projection.embeddings -> scores.embeddings",
    "tracker.center -> loss.center",
    "tracker.center -> scores.center",
    "scores.scores -> decider.logits",
    "scores.scores -> metrics.logits",
    "scores.scores -> heatmap.scores",
    "scores.scores -> mask.scores",
    "decider.decisions -> metrics.decisions",
    "decider.decisions -> mask.decisions",
    "data.mask -> metrics.targets",
    "data.mask -> mask.mask",
    "data.cube -> mask.cube",
    "metrics.metrics -> tb.metrics",
    "tracker.metrics -> tb.metrics",
    "heatmap.artifacts -> tb.artifacts",
    "mask.artifacts -> tb.artifacts",
  ].map(wire),
};

const gradientBased: PipelineConfig = {
  nodes: ["LentilsAnomalyDataNode", "SoftChannelSelector", "SimpleLossNode", "MockMetricNode"].map((name) =>
    node(name, `tests.fixtures.mock_nodes.${name}`),
  ),
  connections: [
    "LentilsAnomalyDataNode.cube -> SoftChannelSelector.data",
    "SoftChannelSelector.selected -> SimpleLossNode.predictions",
    "SoftChannelSelector.selected -> MockMetricNode.predictions",
    "LentilsAnomalyDataNode.cube -> SimpleLossNode.targets",
    "LentilsAnomalyDataNode.cube -> MockMetricNode.targets",
  ].map(wire),
};

const unlabelled = (batch: Record<string, Value>): Record<string, Value> => ({
  cube: batch["cube"] as Tensor,
  wavelengths: batch["wavelengths"] as Tensor,
});

describe("the channel selector example", () => {
  it("is fitted, infers without labels and computes its losses with them", async () => {
    const pipeline = new Pipeline(channelSelector);
    const batch = measurement([2, 12, 10, 61]);
    await pipeline.fit(() => [batch], { engine });
    const inference = await pipeline.run(unlabelled(measurement(SHAPE, 3)), { engine });
    expect(shapeAt(inference, "BinaryDecider.decisions")).toEqual([1, 6, 5, 1]);
    expect([...inference.keys()].some((key) => key.startsWith("bce") || key.startsWith("metrics"))).toBe(false);
    const train = await pipeline.run(batch, { engine, stage: "train" });
    for (const key of ["bce.loss", "entropy.loss", "diversity.loss"]) {
      const loss = train.get(key);
      expect(isTensor(loss) && loss.shape.length === 0 && Number.isFinite(toFloat64(loss)[0])).toBe(true);
    }
  });

  it("carries in its graph which values need gradients", () => {
    const pipeline = new Pipeline(channelSelector);
    for (const each of pipeline.nodes) each.fitted = true;
    const batch = new Map(Object.entries(measurement(SHAPE)));
    const ports = new Map(pipeline.openInputs().map(({ port }) => [port.name, port]));
    const nodes = pipeline.order().filter((each) => each.runsIn("train"));
    const graphOf = () =>
      emit({
        nodes,
        connections: pipeline.connections,
        inputs: inputSpecs(batch, ports),
        stage: "train",
        training: true,
        epoch: 0,
      });
    expect(graphOf().outputs.get("bce.loss")?.needsGradient).toBe(false);
    pipeline.unfreeze("RXGlobal");
    const { outputs } = graphOf();
    expect(outputs.get("bce.loss")?.needsGradient).toBe(true);
    expect(outputs.get("SoftChannelSelector.selected")?.needsGradient).toBe(false);
    expect(outputs.get("BinaryDecider.decisions")?.needsGradient).toBe(false);
  });
});

describe("the Deep SVDD example", () => {
  it("is fitted, infers without labels and measures with them", async () => {
    const pipeline = new Pipeline(deepSvdd);
    await pipeline.fit(() => [measurement([2, 12, 10, 61])], { engine });
    const center = pipeline.node("tracker").state("_tracked_center");
    const inference = await pipeline.run(unlabelled(measurement(SHAPE, 3)), { engine });
    expect(shapeAt(inference, "bandpass.filtered")).toEqual([1, 6, 5, 27]);
    expect(shapeAt(inference, "decider.decisions")).toEqual([1, 6, 5, 1]);
    expect(inference.get("data.wavelengths")).toMatchObject({ dtype: "int32", shape: [61], numpy: true });
    expect(pipeline.node("tracker").state("_tracked_center")).toBe(center);
    const validation = await pipeline.run(measurement(SHAPE, 3), { engine, stage: "val" });
    expect((validation.get("metrics.metrics") as { name: string }[]).map(({ name }) => name)).toContain(
      "average_precision",
    );
    await pipeline.run(measurement(SHAPE, 3), { engine, stage: "train" });
    expect(pipeline.node("tracker").state("_tracked_center").data).not.toEqual(center.data);
  });
});

describe("the core's test pipeline", () => {
  it("divides an unfitted cube evenly, and takes uint16 only", async () => {
    const pipeline = new Pipeline(gradientBased);
    const batch = unlabelled(measurement([1, 2, 2, 61]));
    const values = await pipeline.run(batch, { engine });
    expect([...values.keys()].sort()).toEqual([
      "LentilsAnomalyDataNode.cube",
      "LentilsAnomalyDataNode.mask",
      "LentilsAnomalyDataNode.wavelengths",
      "SoftChannelSelector.selected",
      "SoftChannelSelector.weights",
    ]);
    for (const weight of toFloat64(values.get("SoftChannelSelector.weights") as Tensor))
      expect(weight).toBeCloseTo(1 / 61, 7);
    await expect(pipeline.run({ ...batch, cube: cube([1, 2, 2, 61]) }, { engine })).rejects.toThrow(/Dtype mismatch/);
    const wide = { ...batch, cube: tensor("uint16", [1, 1, 1, 62], new Uint16Array(62)) };
    await expect(pipeline.run(wide, { engine })).rejects.toThrow(/mismatch/);
    const tall = await pipeline.run(unlabelled(measurement([2, 3, 2, 61])), { engine });
    expect(shapeAt(tall, "SoftChannelSelector.selected")).toEqual([2, 3, 2, 61]);
  });
});

describe("host steps with much input", () => {
  it("run on a thread with the same result, and their faults keep node and reason", async () => {
    const pipeline = new Pipeline({
      nodes: [node("rx", "anomaly.rx_detector.RXPerBatch", { eps: 1 })],
      connections: [],
    });
    const data = cube([1, 300, 300, 4]);
    const large = await pipeline.run({ data }, { engine });
    const [first] = toFloat64(large.get("rx.scores") as Tensor);
    const [expected] = toFloat64(pipeline.interpret({ data: data }).get("rx.scores") as Tensor);
    expect(Math.abs((first as number) - (expected as number))).toBeLessThan(1e-3);
    const pca = new Pipeline({
      nodes: [node("pca", "node.dimensionality_reduction.PCA", { n_components: 9 })],
      connections: [],
    });
    await expect(pca.run({ data }, { engine })).rejects.toMatchObject({ reason: "invalid-value", node: "pca" });
  });
});
