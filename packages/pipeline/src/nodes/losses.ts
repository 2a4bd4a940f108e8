// Losses and regularisers: scalars that training makes small. Mathematics in graph operations, so that gradients can follow.
import type { Graph, GraphValue } from "../graph/graph.ts";
import { tensor } from "../graph/tensor.ts";
import {
  atLeast,
  CUBE,
  defineNode,
  FRAME,
  IMAGE,
  LOSS_STAGES,
  norm,
  PIXELS,
  type PortSpec,
  port,
} from "./node-type.ts";
import { bool, float, text } from "./params.ts";
import { float32 } from "./statistics.ts";

const LOSS: readonly PortSpec[] = [port("loss", "float32", [])];
const WEIGHTS = [port("weights", "float32", ["C"])];
const LOSS_NODE = { role: "loss", outputs: LOSS, stages: LOSS_STAGES, fixedStages: true } as const;
const REGULARIZER = { ...LOSS_NODE, role: "regularizer" } as const;

/** Shannon entropy of weights taken as a distribution: p = w/(Σw + eps), -Σ p·ln(p + eps). */
export function selectorEntropy(g: Graph, weights: GraphValue, eps: number): GraphValue {
  const p = g.div(weights, g.add(g.total("sum", weights), eps));
  return g.neg(g.total("sum", g.mul(p, g.log(g.add(p, eps)))));
}

/** Population variance over all values. */
function variance(g: Graph, x: GraphValue): GraphValue {
  return g.total("mean", g.square(g.sub(x, g.total("mean", x))));
}

/** P Pᵀ - I for rows P [n, C]. */
function gramDifference(g: Graph, rows: GraphValue): GraphValue {
  const gram = g.matmul(rows, g.transpose(rows, [1, 0]));
  const index = countingRows(g, rows);
  return g.sub(gram, g.cast(g.equal(g.unsqueeze(index, [1]), g.unsqueeze(index, [0])), "float32"));
}

/** 0, 1, 2, … for every row of a matrix, whose number may be unknown. */
function countingRows(g: Graph, rows: GraphValue): GraphValue {
  const [, order] = g.topK(g.mul(g.sum(rows, [1]), 0), g.size(rows, 0), 0, true);
  return order;
}

/** sRGB [.., 3] to OKLab. @see Ottosson, "A perceptual color space for image processing" */
function okLab(g: Graph, rgb: GraphValue, assumeSrgb: boolean): GraphValue {
  const linear = assumeSrgb
    ? g.where(g.lessOrEqual(rgb, 0.04045), g.div(rgb, 12.92), g.pow(g.max(g.div(g.add(rgb, 0.055), 1.055), 0), 2.4))
    : rgb;
  const lms = g.matmul(linear, g.constant(tensor("float32", [3, 3], OKLAB_FROM_RGB)));
  const root = g.mul(g.unary("sign", lms), g.pow(atLeast(g, g.abs(lms), 1e-12), 1 / 3));
  return g.matmul(root, g.constant(tensor("float32", [3, 3], OKLAB_FROM_LMS)));
}

/** Transposed for a product from the right. */
const OKLAB_FROM_RGB = [
  0.4122214708, 0.2119034982, 0.0883024619, 0.5363325363, 0.6806995451, 0.2817188376, 0.0514459929, 0.1073969566,
  0.6299787005,
];
const OKLAB_FROM_LMS = [
  0.2104542553, 1.9779984951, 0.0259040371, 0.793617785, -2.428592205, 0.7827717662, -0.0040720468, 0.4505937099,
  -0.808675766,
];

export const lossNodes = [
  defineNode({
    ...LOSS_NODE,
    className: "cuvis_ai.node.losses.AnomalyBCEWithLogits",
    summary: "Binary cross entropy of logits against anomaly labels.",
    params: {
      weight: float({ default: 1 }),
      pos_weight: float({ default: null }),
      reduction: text({ default: "mean", choices: ["mean", "sum"] }),
    },
    inputs: [port("predictions", "float32", PIXELS), port("targets", "bool", PIXELS)],
    states: (h) => {
      const weight = h.numOrNull("pos_weight");
      if (weight === null) return [];
      return ["_pos_weight", "loss_fn.pos_weight"].map((name) => ({
        name,
        kind: "buffer" as const,
        initial: () => float32([1], [weight]),
      }));
    },
    emit({ g, h, in: input, state }) {
      const x = input("predictions");
      const t = g.cast(input("targets"), "float32");
      const tail = g.add(g.log(g.add(g.exp(g.neg(g.abs(x))), 1)), g.max(g.neg(x), 0));
      const weighted =
        h.numOrNull("pos_weight") === null
          ? tail
          : g.mul(g.add(g.mul(t, g.sub(state("loss_fn.pos_weight"), 1)), 1), tail);
      const each = g.add(g.mul(g.sub(1, t), x), weighted);
      return { loss: g.mul(g.total(h.text("reduction") as "mean" | "sum", each), h.num("weight")) };
    },
  }),
  defineNode({
    ...LOSS_NODE,
    className: "cuvis_ai.node.losses.MSEReconstructionLoss",
    summary: "Squared error of a reconstruction.",
    params: { weight: float({ default: 1 }), reduction: text({ default: "mean", choices: ["mean", "sum"] }) },
    inputs: [port("reconstruction", "float32", CUBE), port("target", "float32", CUBE)],
    emit({ g, h, in: input }) {
      const [a, b] = [input("reconstruction"), input("target")];
      for (const axis of [0, 1, 2, 3]) {
        const size = a.shape[axis];
        if (typeof size === "number") g.expectDim(b, axis, size, "target", "entries along an axis");
      }
      const each = g.square(g.sub(a, b));
      return { loss: g.mul(g.total(h.text("reduction") as "mean" | "sum", each), h.num("weight")) };
    },
  }),
  defineNode({
    ...LOSS_NODE,
    className: "cuvis_ai.node.losses.IoULoss",
    summary: "One minus the soft intersection over union.",
    params: {
      weight: float({ default: 1 }),
      smooth: float({ default: 1e-6 }),
      normalize_method: text({ default: "sigmoid", choices: ["sigmoid", "clamp", "minmax"] }),
    },
    inputs: [port("predictions", "float32", PIXELS), port("targets", "bool", PIXELS)],
    emit({ g, h, in: input }) {
      const x = input("predictions");
      const t = g.cast(input("targets"), "float32");
      const smooth = h.num("smooth");
      const p = probabilities(g, x, h.text("normalize_method"), smooth);
      const shared = g.total("sum", g.mul(p, t));
      const union = g.sub(g.add(g.total("sum", p), g.total("sum", t)), shared);
      const ratio = g.div(g.add(shared, smooth), g.add(union, smooth));
      return { loss: g.mul(g.sub(1, ratio), h.num("weight")) };
    },
  }),
  defineNode({
    ...REGULARIZER,
    className: "cuvis_ai.node.losses.SelectorEntropyRegularizer",
    summary: "Rewards entropy of selector weights, or pulls it to a target.",
    params: {
      weight: float({ default: 0.01 }),
      target_entropy: float({ default: null }),
      eps: float({ default: 1e-6 }),
    },
    inputs: WEIGHTS,
    emit({ g, h, in: input }) {
      const entropy = selectorEntropy(g, input("weights"), h.num("eps"));
      const target = h.numOrNull("target_entropy");
      return { loss: g.mul(target === null ? g.neg(entropy) : g.square(g.sub(entropy, target)), h.num("weight")) };
    },
  }),
  defineNode({
    ...REGULARIZER,
    className: "cuvis_ai.node.losses.SelectorDiversityRegularizer",
    summary: "Rewards variance of selector weights.",
    params: { weight: float({ default: 0.01 }) },
    inputs: WEIGHTS,
    emit: ({ g, h, in: input }) => ({ loss: g.mul(variance(g, input("weights")), -h.num("weight")) }),
  }),
  defineNode({
    ...REGULARIZER,
    className: "cuvis_ai.node.losses.DistinctnessLoss",
    summary: "Mean cosine between different selectors' weights.",
    params: { weight: float({ default: 0.1 }), eps: float({ default: 1e-6 }) },
    inputs: [port("selection_weights", "float32", ["K", "C"])],
    emit({ g, h, in: input }) {
      const rows = input("selection_weights");
      if (rows.shape[0] === 0 || rows.shape[0] === 1) return { loss: g.mul(g.total("sum", rows), 0) };
      const unit = g.div(rows, atLeast(g, norm(g, rows), h.num("eps")));
      const cosines = g.matmul(unit, g.transpose(unit, [1, 0]));
      const index = countingRows(g, rows);
      const above = g.less(g.unsqueeze(index, [1]), g.unsqueeze(index, [0]));
      const counted = g.and(above, g.not(g.equal(cosines, 0)));
      const sum = g.total("sum", g.where(counted, cosines, 0));
      return { loss: g.mul(g.div(sum, g.total("sum", g.cast(counted, "float32"))), h.num("weight")) };
    },
  }),
  defineNode({
    ...LOSS_NODE,
    className: "cuvis_ai.node.losses.OrthogonalityLoss",
    summary: "Squared distance of the components' Gram matrix from the identity.",
    params: { weight: float({ default: 1 }) },
    inputs: [port("components", "float32", ["K", "C"])],
    emit: ({ g, h, in: input }) => ({
      loss: g.mul(g.total("sum", g.square(gramDifference(g, input("components")))), h.num("weight")),
    }),
  }),
  defineNode({
    ...LOSS_NODE,
    className: "cuvis_ai.node.losses.DeepSVDDSoftBoundaryLoss",
    summary: "Soft-boundary Deep SVDD objective with a learned radius.",
    params: { nu: float({ default: 0.05, exclusiveMinimum: 0, exclusiveMaximum: 1 }), weight: float({ default: 1 }) },
    inputs: [port("embeddings", "float32", ["B", "H", "W", "D"]), port("center", "float32", ["D"])],
    states: () => [{ name: "r_unconstrained", kind: "parameter", initial: () => float32([], [0]) }],
    emit({ g, h, in: input, state }) {
      const r = state("r_unconstrained");
      const tenfold = g.mul(r, 10);
      // Softplus with beta 10, linear above 20.
      const smooth = g.div(g.add(g.relu(tenfold), g.log(g.add(g.exp(g.neg(g.abs(tenfold))), 1))), 10);
      const radius = g.square(g.where(g.greater(tenfold, 20), r, smooth));
      const distance = g.sum(g.square(g.sub(input("embeddings"), input("center"))), [-1]);
      const outside = g.total("mean", g.relu(g.sub(distance, radius)));
      return { loss: g.mul(g.add(radius, g.div(outside, h.num("nu"))), h.num("weight")) };
    },
  }),
  defineNode({
    ...LOSS_NODE,
    className: "cuvis_ai.node.losses.ForegroundContrastLoss",
    summary: "Contrast between the mean colours of foreground and background.",
    params: {
      weight: float({ default: 1 }),
      compactness_weight: float({ default: 0 }),
      anchor_weight: float({ default: 0 }),
      eps: float({ default: 1e-6 }),
      color_space: text({ default: "rgb", choices: ["rgb", "oklab"] }),
      assume_srgb: bool({ default: true }),
    },
    inputs: [port("rgb", "float32", IMAGE), port("mask", "int32", FRAME)],
    emit({ g, h, in: input }) {
      const rgb = input("rgb");
      const pixels = h.text("color_space") === "oklab" ? okLab(g, rgb, h.flag("assume_srgb")) : rgb;
      const inside = g.unsqueeze(g.cast(g.greater(input("mask"), 0), "float32"), [-1]);
      const outside = g.sub(1, inside);
      const count = (part: GraphValue): GraphValue => g.sum(part, [1, 2]);
      const average = (x: GraphValue, part: GraphValue): GraphValue =>
        g.div(g.sum(g.mul(x, part), [1, 2]), g.max(count(part), 1));
      const mf = average(pixels, inside);
      const mb = average(pixels, outside);
      const contrast = g.sqrt(g.add(g.sum(g.square(g.sub(mf, mb)), [-1]), h.num("eps")));
      const spread = g.mean(g.max(g.sub(average(g.square(pixels), inside), g.square(mf)), 0), [-1]);
      const image = g.mean(pixels, [1, 2]);
      const drift = g.add(g.mean(g.square(g.sub(mf, image)), [-1]), g.mean(g.square(g.sub(mb, image)), [-1]));
      const each = g.add(
        g.sub(g.mul(spread, h.num("compactness_weight")), contrast),
        g.mul(drift, h.num("anchor_weight")),
      );
      const both = g.and(g.greater(count(inside), 0), g.greater(count(outside), 0));
      const valid = g.squeeze(both, [1]);
      const sum = g.total("sum", g.where(valid, each, 0));
      const images = g.max(g.total("sum", g.cast(valid, "float32")), 1);
      return { loss: g.mul(g.div(sum, images), h.num("weight")) };
    },
  }),
];

function probabilities(g: Graph, x: GraphValue, method: string, smooth: number): GraphValue {
  if (method === "sigmoid") return g.sigmoid(x);
  if (method === "clamp") return g.clamp(x, 0, 1);
  const low = g.total("min", x);
  const range = g.sub(g.total("max", x), low);
  const scaled = g.div(g.sub(x, low), g.add(range, smooth));
  // A constant map says nothing: one half everywhere.
  return g.where(g.equal(range, 0), g.add(g.mul(x, 0), 0.5), scaled);
}
