// Learned selection of channels: soft weights over all channels, and the indices of the largest.
import { invalidValue } from "../errors.ts";
import { asTensor, type Graph, type GraphValue } from "../graph/graph.ts";
import { Moments } from "../graph/moments.ts";
import { toFloat32 } from "../graph/tensor.ts";
import { CUBE, defineNode, port } from "./node-type.ts";
import { bool, float, int, text } from "./params.ts";
import { float32 } from "./statistics.ts";

/** Weight 1 for the `count` largest entries of a vector [channels], else 0. */
function hardWeights(g: Graph, logits: GraphValue, count: number, channels: number): GraphValue {
  const [, best] = g.topK(logits, count, 0, true);
  const range = g.list("int64", [...Array(channels).keys()]);
  const hits = g.equal(g.unsqueeze(best, [1]), g.unsqueeze(range, [0]));
  return g.sum(g.cast(hits, "float32"), [0]);
}

/** log(sample variance + eps) per channel over all pixels. */
export function logVarianceFitter(channels: number, eps: number, node: string) {
  const moments = new Moments(channels, false);
  return {
    update(inputs: Readonly<Record<string, unknown>>) {
      const data = asTensor(inputs["data"] as never);
      if (data.shape.at(-1) !== channels) {
        throw invalidValue(`Node '${node}': data has ${data.shape.at(-1)} channels, input_channels is ${channels}`, {
          node,
          port: "data",
        });
      }
      return moments.absorb(toFloat32(data));
    },
    finish() {
      const variance = moments.covariance(node);
      return {
        channel_logits: float32(
          [channels],
          variance.map((v) => Math.log(Math.fround(v) + Math.fround(eps))),
        ),
      };
    },
  };
}

/** Small random numbers: normal by Box and Muller. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export const channelSelectionNodes = [
  defineNode({
    className: "cuvis_ai.node.channel_selector.SoftChannelSelector",
    role: "model",
    summary: "Weights every channel by a softmax over learned logits.",
    params: {
      n_select: int({ minimum: 1 }),
      input_channels: int({ minimum: 1 }),
      init_method: text({ default: "uniform", choices: ["uniform", "variance"] }),
      temperature_init: float({ default: 5 }),
      temperature_min: float({ default: 0.1 }),
      temperature_decay: float({ default: 0.9 }),
      hard: bool({ default: false }),
      eps: float({ default: 1e-6 }),
    },
    inputs: [port("data", "float32", CUBE)],
    outputs: [port("selected", "float32", CUBE), port("weights", "float32", ["C"])],
    validate(h, node) {
      if (h.num("n_select") > h.num("input_channels")) {
        throw invalidValue(
          `Node '${node}': n_select ${h.num("n_select")} exceeds input_channels ${h.num("input_channels")}`,
          { node },
        );
      }
    },
    states: (h) => {
      const n = h.num("input_channels");
      const spread = h.text("init_method") === "variance" ? 0.01 : 0;
      return [
        {
          name: "channel_logits",
          kind: "trainable",
          initial: (random) =>
            float32(
              [n],
              Float32Array.from({ length: n }, () => spread * normal(random)),
            ),
        },
      ];
    },
    needsFit: () => true,
    usableUnfitted: true,
    fit(h, node) {
      const n = h.num("input_channels");
      if (h.text("init_method") === "variance") return logVarianceFitter(n, h.num("eps"), node);
      return { update: () => {}, finish: () => ({ channel_logits: float32([n], new Float32Array(n)) }) };
    },
    emit({ g, h, in: input, state, training }) {
      const x = input("data");
      const n = h.num("input_channels");
      g.expectDim(x, -1, n, "data", "channels");
      const logits = state("channel_logits");
      const weights =
        h.flag("hard") && !training
          ? hardWeights(g, logits, h.num("n_select"), n)
          : g.mul(g.softmax(g.div(logits, h.num("temperature_init")), 0), h.num("n_select"));
      return { selected: g.mul(x, weights), weights };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.channel_selector.TopKIndices",
    role: "transform",
    summary: "The indices of the k largest weights, descending.",
    params: { k: int({ minimum: 1 }) },
    inputs: [port("weights", "float32", ["C"])],
    outputs: [port("indices", "int64", ["K"])],
    emit({ g, h, in: input }) {
      const weights = input("weights");
      const size = weights.shape[0] as number | string;
      const wanted = h.num("k");
      const k = typeof size === "number" ? Math.min(wanted, size) : g.min(g.size(weights, 0), wanted);
      return { indices: g.topK(weights, k, 0, true)[1] };
    },
  }),
];
