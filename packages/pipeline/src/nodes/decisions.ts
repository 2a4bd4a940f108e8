// From scores to decisions: logits, thresholds, quantiles, masks of the decided pixels.
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { Moments } from "../graph/moments.ts";
import { toFloat32 } from "../graph/tensor.ts";
import { countAlong, quantile } from "./graph-functions.ts";
import { CUBE, defineNode, FRAME, PIXELS, port } from "./node-type.ts";
import { float, list } from "./params.ts";
import { float32 } from "./statistics.ts";

const LOGITS = [port("logits", "float32", CUBE)];
const DECISIONS = [port("decisions", "bool", PIXELS)];

export const decisionNodes = [
  defineNode({
    className: "cuvis_ai.node.conversion.ScoreToLogit",
    role: "model",
    summary: "Affine map of scores to logits; fitting puts the bias at mean + 2 standard deviations.",
    params: { init_scale: float({ default: 1 }), init_bias: float({ default: 0 }) },
    inputs: [port("scores", "float32", PIXELS)],
    outputs: [port("logits", "float32", PIXELS)],
    states: (h) => [
      { name: "scale", kind: "trainable", initial: () => float32([], [h.num("init_scale")]) },
      { name: "bias", kind: "trainable", initial: () => float32([], [h.num("init_bias")]) },
    ],
    needsFit: () => true,
    usableUnfitted: true,
    fit(_, node) {
      const moments = new Moments(1, false);
      return {
        update(inputs) {
          const scores = asTensor(inputs["scores"]);
          if (scores.data.length > 1) return moments.absorb(toFloat32(scores));
        },
        finish() {
          const deviation = Math.fround(Math.sqrt(moments.covariance(node)[0] as number));
          return { bias: float32([], [Math.fround(moments.mean[0] as number) + 2 * deviation]) };
        },
      };
    },
    emit: ({ g, in: input, state }) => ({ logits: g.mul(state("scale"), g.sub(input("scores"), state("bias"))) }),
  }),
  defineNode({
    className: "cuvis_ai.node.conversion.DecisionToMask",
    role: "transform",
    summary: "Keeps the identity of decided pixels, 0 elsewhere.",
    params: {},
    inputs: [port("decisions", "bool", PIXELS), port("identity_mask", "int32", FRAME)],
    outputs: [port("mask", "int32", FRAME)],
    emit: ({ g, in: input }) => ({ mask: g.where(g.squeeze(input("decisions"), [-1]), input("identity_mask"), 0) }),
  }),
  defineNode({
    className: "cuvis_ai.deciders.binary_decider.BinaryDecider",
    role: "transform",
    summary: "True where the sigmoid of the logit reaches a threshold.",
    params: { threshold: float({ default: 0.5 }) },
    inputs: LOGITS,
    outputs: DECISIONS,
    emit({ g, h, in: input }) {
      g.expectDim(input("logits"), -1, 1, "logits", "channels");
      return { decisions: g.greaterOrEqual(g.sigmoid(input("logits")), h.num("threshold")) };
    },
  }),
  defineNode({
    className: "cuvis_ai.deciders.binary_decider.QuantileBinaryDecider",
    role: "transform",
    summary: "True where a value reaches a quantile of its image.",
    params: { quantile: float({ default: 0.995, minimum: 0, maximum: 1 }), reduce_dims: list({ default: null }) },
    inputs: LOGITS,
    outputs: DECISIONS,
    emit({ g, h, in: input }) {
      const x = input("logits");
      g.expectDim(x, -1, 1, "logits", "channels");
      const axes = h.numsOrNull("reduce_dims") ?? [1, 2, 3];
      return { decisions: g.greaterOrEqual(x, quantile(g, x, axes, h.num("quantile"))) };
    },
  }),
  defineNode({
    className: "cuvis_ai.deciders.two_stage_decider.TwoStageBinaryDecider",
    role: "transform",
    summary: "Decides by quantile in images whose strongest pixels reach a threshold.",
    params: {
      image_threshold: float({ default: 0.5, minimum: 0, maximum: 1 }),
      top_k_fraction: float({ default: 0.001, exclusiveMinimum: 0, maximum: 1 }),
      quantile: float({ default: 0.995, minimum: 0, maximum: 1 }),
      reduce_dims: list({ default: null }),
    },
    inputs: LOGITS,
    outputs: DECISIONS,
    emit({ g, h, in: input }) {
      const x = input("logits");
      const pixels = g.maximum(x, [3], true);
      const flat = g.reshape(g.squeeze(pixels, [3]), [0, -1]);
      const share = g.cast(g.mul(g.cast(countAlong(g, x, [1, 2]), "float64"), h.num("top_k_fraction")), "float32");
      const k: GraphValue = g.cast(g.max(g.unary("ceil", share), 1), "int64");
      const [best] = g.topK(flat, k, -1, true);
      const passes = g.greaterOrEqual(g.mean(best, [-1]), h.num("image_threshold"));
      const above = g.greaterOrEqual(pixels, quantile(g, x, [1, 2, 3], h.num("quantile")));
      return { decisions: g.and(above, g.unsqueeze(passes, [1, 2, 3])) };
    },
  }),
];
