// Deep SVDD: a projection to embeddings, the tracked centre of normal ones, and distance from it as score.
import { invalidValue } from "../errors.ts";
import { asTensor, type Graph, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { at, type Tensor, toFloat32 } from "../graph/tensor.ts";
import { normal } from "./channel-selection.ts";
import { CUBE, defineNode, PIXELS, port } from "./node-type.ts";
import { bool, float, int, text } from "./params.ts";
import { float32 } from "./statistics.ts";

const EMBEDDINGS = port("embeddings", "float32", ["B", "H", "W", "D"]);
const CENTER = port("center", "float32", ["D"]);

const uniform =
  (shape: readonly number[], bound: number) =>
  (random: () => number): Tensor => {
    const length = shape.reduce((a, b) => a * b, 1);
    return float32(
      shape,
      Float32Array.from({ length }, () => bound * (2 * random() - 1)),
    );
  };

/** The two-layer network's parameters below `prefix`. */
function networkStates(prefix: string, inputs: number, hidden: number, outputs: number) {
  const parameter = (name: string, initial: (random: () => number) => Tensor) => ({
    name: `${prefix}.${name}`,
    kind: "parameter" as const,
    initial,
  });
  return [
    parameter("fc1.weight", uniform([hidden, inputs], 1 / Math.sqrt(inputs))),
    parameter("fc1.bias", uniform([hidden], 1 / Math.sqrt(inputs))),
    parameter("fc2.weight", uniform([outputs, hidden], Math.sqrt(6 / (hidden + outputs)))),
  ];
}

/** W2 · relu(W1 x + b1). */
function network(g: Graph, x: GraphValue, prefix: string, state: (name: string) => GraphValue): GraphValue {
  const transposed = (name: string): GraphValue => g.transpose(state(`${prefix}.${name}`), [1, 0]);
  const hidden = g.relu(g.add(g.matmul(x, transposed("fc1.weight")), state(`${prefix}.fc1.bias`)));
  return g.matmul(hidden, transposed("fc2.weight"));
}

const CENTER_METRIC = defineHostStep("deepSvdd.centerMetric", {
  pure: true,
  run: ([norm]) => [[{ name: "deepsvdd_center/norm", value: at(asTensor(norm), 0) }]],
});

export const deepSvddNodes = [
  defineNode({
    className: "cuvis_ai.anomaly.deep_svdd.DeepSVDDProjection",
    role: "model",
    summary: "Projects spectra to embeddings by a small network, on request after random Fourier features.",
    params: {
      in_channels: int({ exclusiveMinimum: 0 }),
      rep_dim: int({ default: 32, exclusiveMinimum: 0 }),
      hidden: int({ default: 128, exclusiveMinimum: 0 }),
      kernel: text({ default: "linear", choices: ["linear", "rbf"] }),
      n_rff: int({ default: 2048, exclusiveMinimum: 0 }),
      gamma: float({ default: null }),
      mlp_forward_batch_size: int({ default: 65536, minimum: 1 }),
    },
    inputs: [port("data", "float32", CUBE)],
    outputs: [EMBEDDINGS],
    states(h) {
      const channels = h.num("in_channels");
      const [hidden, outputs] = [h.num("hidden"), h.num("rep_dim")];
      if (h.text("kernel") === "linear") return networkStates("net", channels, hidden, outputs);
      const features = h.num("n_rff");
      const gamma = h.numOrNull("gamma") ?? 1 / channels;
      return [
        {
          name: "net.0.W",
          kind: "buffer",
          initial: (random) =>
            float32(
              [channels, features],
              Float32Array.from({ length: channels * features }, () => Math.sqrt(2 * gamma) * normal(random)),
            ),
        },
        {
          name: "net.0.b",
          kind: "buffer",
          initial: (random) =>
            float32(
              [features],
              Float32Array.from({ length: features }, () => 2 * Math.PI * random()),
            ),
        },
        { name: "net.0.z_scale", kind: "buffer", initial: () => float32([], [Math.sqrt(2 / features)]) },
        ...networkStates("net.1", features, hidden, outputs),
      ];
    },
    emit({ g, h, in: input, state }) {
      const x = input("data");
      g.expectDim(x, -1, h.num("in_channels"), "data", "channels");
      if (h.text("kernel") === "linear") return { embeddings: network(g, x, "net", state) };
      const phase = g.add(g.matmul(x, state("net.0.W")), state("net.0.b"));
      const features = g.mul(g.unary("cos", phase), state("net.0.z_scale"));
      return { embeddings: network(g, features, "net.1", state) };
    },
  }),
  defineNode({
    className: "cuvis_ai.anomaly.deep_svdd.DeepSVDDCenterTracker",
    role: "model",
    summary: "The centre of normal embeddings, followed by a moving average while training.",
    params: {
      rep_dim: int({ exclusiveMinimum: 0 }),
      alpha: float({ default: 0.1, exclusiveMinimum: 0, maximum: 1 }),
      update_in_eval: bool({ default: false }),
    },
    inputs: [EMBEDDINGS],
    outputs: [CENTER, port("metrics", "list", [], { optional: true })],
    states: (h) => [
      {
        name: "_tracked_center",
        kind: "trainable",
        volatile: true,
        initial: () => float32([h.num("rep_dim")], new Float32Array(h.num("rep_dim"))),
      },
    ],
    needsFit: () => true,
    fit(h, node) {
      const width = h.num("rep_dim");
      const sums = new Float64Array(width);
      let count = 0;
      return {
        update(inputs) {
          const embeddings = asTensor(inputs["embeddings"]);
          if (embeddings.shape.at(-1) !== width) {
            throw invalidValue(`Node '${node}': embeddings have size ${embeddings.shape.at(-1)}, rep_dim is ${width}`, {
              node,
              port: "embeddings",
            });
          }
          const data = toFloat32(embeddings);
          for (let i = 0; i < data.length; i++) sums[i % width] = (sums[i % width] as number) + (data[i] as number);
          count += data.length / width;
        },
        finish() {
          if (count === 0) throw invalidValue(`Node '${node}': the data stream has no embeddings to fit on`, { node });
          return {
            _tracked_center: float32(
              [width],
              sums.map((sum) => sum / count),
            ),
          };
        },
      };
    },
    emit({ g, h, in: input, state, setState, stage }) {
      const x = input("embeddings");
      g.expectDim(x, -1, h.num("rep_dim"), "embeddings", "entries");
      let center = state("_tracked_center");
      const updates = stage === "train" || (h.flag("update_in_eval") && stage !== "inference");
      if (updates) {
        const alpha = h.num("alpha");
        center = g.add(g.mul(center, 1 - alpha), g.mul(g.mean(x, [0, 1, 2]), alpha));
        setState("_tracked_center", center);
      }
      const length = g.sqrt(g.total("sum", g.square(center)));
      const [metrics] = g.host(CENTER_METRIC, [length], [{ dtype: "object" }]) as [GraphValue];
      return { center, metrics };
    },
  }),
  defineNode({
    className: "cuvis_ai.anomaly.deep_svdd.DeepSVDDScores",
    role: "transform",
    summary: "Squared distance of embeddings from the centre.",
    params: {},
    inputs: [EMBEDDINGS, CENTER],
    outputs: [port("scores", "float32", PIXELS)],
    emit: ({ g, in: input }) => ({
      scores: g.sum(g.square(g.sub(input("embeddings"), input("center"))), [-1], true),
    }),
  }),
];
