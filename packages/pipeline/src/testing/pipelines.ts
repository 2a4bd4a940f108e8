// Small pipelines and batches for tests.
import { type Tensor, tensor, type Value } from "../graph/tensor.ts";
import type { ConnectionConfig, NodeConfig, PipelineConfig } from "../pipeline/wiring.ts";

/** A node by class path below `cuvis_ai.` */
export const node = (name: string, path: string, hparams: Record<string, unknown> = {}): NodeConfig => ({
  name,
  class_name: path.startsWith("tests.") ? path : `cuvis_ai.${path}`,
  hparams,
});

/** "a.x -> b.y" */
export function wire(text: string): ConnectionConfig {
  const [from, to] = text.split(" -> ") as [string, string];
  return { source: from.replace(".", ".outputs."), target: to.replace(".", ".inputs.") };
}

/** Detection of anomalies by statistics: normalise, RX, logit, decide, measure, draw. */
export function rxPipeline(channels: number): PipelineConfig {
  return {
    nodes: [
      node("data", "node.data.LentilsAnomalyDataNode", { normal_class_ids: [0, 1] }),
      node("minmax", "node.normalization.MinMaxNormalizer"),
      node("rx", "anomaly.rx_detector.RXGlobal", { num_channels: channels }),
      node("logit", "node.conversion.ScoreToLogit"),
      node("decider", "deciders.binary_decider.BinaryDecider"),
      node("metrics", "node.metrics.AnomalyDetectionMetrics"),
      node("mask", "node.anomaly_visualization.AnomalyMask", { channel: 1, up_to: 5 }),
      node("tb", "node.monitor.TensorBoardMonitorNode", { output_dir: "runs" }),
    ],
    connections: [
      "data.cube -> minmax.data",
      "minmax.normalized -> rx.data",
      "rx.scores -> logit.scores",
      "logit.logits -> decider.logits",
      "decider.decisions -> metrics.decisions",
      "decider.decisions -> mask.decisions",
      "data.mask -> metrics.targets",
      "data.mask -> mask.mask",
      "data.cube -> mask.cube",
      "metrics.metrics -> tb.metrics",
      "mask.artifacts -> tb.artifacts",
    ].map(wire),
    metadata: { name: "RX" },
  };
}

/** Numbers 0..1 that are the same in every run. */
export function numbers(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

export function cube(shape: readonly [number, number, number, number], seed = 1): Tensor<"float32"> {
  const random = numbers(seed);
  const length = shape.reduce((a, b) => a * b, 1);
  return tensor(
    "float32",
    shape,
    Float32Array.from({ length }, () => Math.round(random() * 4000) / 8),
  );
}

/** A cube as a measurement gives it, with wavelengths and class ids. */
export function measurement(shape: readonly [number, number, number, number], seed = 1): Record<string, Value> {
  const [b, h, w, c] = shape;
  const random = numbers(seed + 7);
  return {
    cube: tensor("uint16", shape, cube(shape, seed).data),
    wavelengths: tensor(
      "int32",
      [b, c],
      Int32Array.from({ length: b * c }, (_, i) => 430 + 8 * (i % c)),
    ),
    mask: tensor(
      "int32",
      [b, h, w],
      Int32Array.from({ length: b * h * w }, () => Math.floor(random() * 4)),
    ),
  };
}
