// Metrics: lists of named numbers, computed on the host because lists of mappings are no tensors.
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { at, isTensor, type Tensor, toFloat32, toFloat64, type Value } from "../graph/tensor.ts";
import { defineNode, FRAME, METRIC_STAGES, type Metric, optional, PIXELS, type PortSpec, port } from "./node-type.ts";
import { any, float } from "./params.ts";
import { averagePrecision, mean, quantileOfSorted } from "./statistics.ts";

const METRICS: readonly PortSpec[] = [port("metrics", "list", [])];
const METRIC_NODE = { role: "metric", outputs: METRICS, stages: METRIC_STAGES } as const;
const STAGES_PARAM = { execution_stages: any({ default: null }) };

/** A host step that turns tensors into metrics. */
export function metricStep(
  name: string,
  compute: (inputs: readonly Tensor[], attrs: Readonly<Record<string, unknown>>) => Metric[],
): string {
  return defineHostStep(name, {
    pure: true,
    run: (inputs, attrs) => [compute(inputs.filter(isTensor), attrs) as unknown as Value],
  });
}

export const metricList = (values: readonly GraphValue[]): GraphValue => values[0] as GraphValue;
const LIST = [{ dtype: "object" }] as const;
const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

const DETECTION = metricStep("metrics.detection", ([decisions, targets, logits]) => {
  let [tp, fp, fn] = [0, 0, 0];
  const [d, t] = [asTensor(decisions).data, asTensor(targets).data];
  for (let i = 0; i < d.length; i++) {
    if (d[i] && t[i]) tp++;
    else if (d[i]) fp++;
    else if (t[i]) fn++;
  }
  const metrics = [
    { name: "precision", value: ratio(tp, tp + fp) },
    { name: "recall", value: ratio(tp, tp + fn) },
    { name: "f1_score", value: ratio(2 * tp, 2 * tp + fp + fn) },
    { name: "iou", value: ratio(tp, tp + fp + fn) },
  ];
  if (logits) {
    // In float32 the sigmoid saturates, and tied thresholds are part of the definition.
    const scores = toFloat32(logits).map((x) => Math.fround(1 / Math.fround(1 + Math.fround(Math.exp(-x)))));
    metrics.push({ name: "average_precision", value: averagePrecision(scores, t as Uint8Array) });
  }
  return metrics;
});

const EXPLAINED = metricStep("metrics.explainedVariance", ([ratios]) => {
  const values = [...toFloat64(asTensor(ratios))];
  let sum = 0;
  const sums = values.map((value) => (sum += value));
  return [
    ...values.map((value, i) => ({ name: `explained_variance_pc${i + 1}`, value })),
    { name: "total_explained_variance", value: sum },
    ...sums.map((value, i) => ({ name: `cumulative_variance_pc${i + 1}`, value })),
  ];
});

const sampleDeviation = (values: ArrayLike<number>): number => {
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += ((values[i] as number) - centre) ** 2;
  return Math.sqrt(sum / (values.length - 1));
};

const SCORE_STATISTICS = metricStep("metrics.scoreStatistics", ([scores]) => {
  const values = toFloat32(asTensor(scores));
  const sorted = values.slice().sort();
  const n = sorted.length;
  const of = (name: string, value: number): Metric => ({ name: `scores/${name}`, value });
  return [
    of("mean", mean(values)),
    of("std", sampleDeviation(values)),
    of("min", sorted[0] as number),
    of("max", sorted[n - 1] as number),
    of("median", sorted[Math.floor((n - 1) / 2)] as number),
    of("q25", quantileOfSorted(sorted, 0.25)),
    of("q75", quantileOfSorted(sorted, 0.75)),
    of("q95", quantileOfSorted(sorted, 0.95)),
    of("q99", quantileOfSorted(sorted, 0.99)),
  ];
});

const ORTHOGONALITY = metricStep("metrics.orthogonality", ([components]) => {
  const rows = asTensor(components);
  const [n, width] = rows.shape as [number, number];
  const diagonal: number[] = [];
  let squares = 0;
  let absolute = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let product = 0;
      for (let c = 0; c < width; c++) product += at(rows, i * width + c) * at(rows, j * width + c);
      if (i === j) diagonal.push(product);
      const difference = product - (i === j ? 1 : 0);
      squares += difference ** 2;
      absolute += Math.abs(difference);
    }
  }
  return [
    { name: "orthogonality_error", value: Math.sqrt(squares) },
    { name: "avg_off_diagonal", value: absolute / (n * n) },
    { name: "diagonal_mean", value: mean(diagonal) },
    { name: "diagonal_std", value: sampleDeviation(diagonal) },
  ];
});

const ENTROPY = metricStep("metrics.selectorEntropy", ([weights], attrs) => {
  const values = toFloat64(asTensor(weights));
  const eps = attrs["eps"] as number;
  const sum = values.reduce((a, b) => a + b, 0) + eps;
  const entropy = values.reduce((h, w) => h - (w / sum) * Math.log(w / sum + eps), 0);
  return [{ name: "selector/entropy", value: entropy }];
});

const DIVERSITY = metricStep("metrics.selectorDiversity", ([weights]) => {
  const values = toFloat64(asTensor(weights)).slice().sort();
  const n = values.length;
  const centre = mean(values);
  const variance = mean(values.map((w) => (w - centre) ** 2));
  const total = values.reduce((a, b) => a + b, 0);
  const ranked = values.reduce((sum, w, i) => sum + (i + 1) * w, 0);
  return [
    { name: "weight_variance", value: variance },
    { name: "gini_coefficient", value: (2 * ranked) / (n * total) - (n + 1) / n },
  ];
});

const PIXEL_STATISTICS = metricStep("metrics.anomalyPixels", ([decisions]) => {
  const data = asTensor(decisions).data as Uint8Array;
  const anomalous = data.reduce((sum, d) => sum + (d ? 1 : 0), 0);
  return [
    { name: "anomaly/total_pixels", value: data.length },
    { name: "anomaly/anomalous_pixels", value: anomalous },
    { name: "anomaly/anomaly_percentage", value: ratio(anomalous * 100, data.length) },
  ];
});

/** A metric node whose inputs go to one host step. */
function metricNode(
  name: string,
  summary: string,
  inputs: readonly PortSpec[],
  step: string,
  params: Readonly<Record<string, ReturnType<typeof float>>> = {},
) {
  return defineNode({
    ...METRIC_NODE,
    className: `cuvis_ai.node.metrics.${name}`,
    summary,
    params: { ...STAGES_PARAM, ...params },
    inputs,
    emit({ g, h, in: input, has }) {
      const given = inputs.filter((spec) => has(spec.name)).map((spec) => input(spec.name));
      const attrs = Object.fromEntries(Object.keys(params).map((key) => [key, h.get(key)]));
      return { metrics: metricList(g.host(step, given, LIST, attrs)) };
    },
  });
}

const WEIGHTS = [port("weights", "float32", ["C"])];

export const metricNodes = [
  metricNode(
    "AnomalyDetectionMetrics",
    "Precision, recall, F1, intersection over union and average precision of decisions.",
    [port("decisions", "bool", PIXELS), port("targets", "bool", PIXELS), optional("logits", "float32", PIXELS)],
    DETECTION,
  ),
  metricNode(
    "ExplainedVarianceMetric",
    "Explained variance by component and in sum.",
    [port("explained_variance_ratio", "float32", ["K"])],
    EXPLAINED,
  ),
  metricNode(
    "ScoreStatisticsMetric",
    "Mean, deviation, extremes and quantiles of scores.",
    [port("scores", "float32", FRAME)],
    SCORE_STATISTICS,
  ),
  metricNode(
    "ComponentOrthogonalityMetric",
    "How far components are from orthonormal.",
    [port("components", "float32", ["K", "C"])],
    ORTHOGONALITY,
  ),
  metricNode("SelectorEntropyMetric", "Entropy of selector weights.", WEIGHTS, ENTROPY, {
    eps: float({ default: 1e-6 }),
  }),
  metricNode("SelectorDiversityMetric", "Variance and Gini coefficient of selector weights.", WEIGHTS, DIVERSITY),
  metricNode(
    "AnomalyPixelStatisticsMetric",
    "Number and share of anomalous pixels.",
    [port("decisions", "bool", PIXELS)],
    PIXEL_STATISTICS,
  ),
];
