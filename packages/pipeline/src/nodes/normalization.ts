// Normalisers: per image, per pixel, or by statistics of a whole data set.

import { invalidValue } from "../errors.ts";
import type { Graph, GraphValue } from "../graph/graph.ts";
import { asTensor } from "../graph/graph.ts";
import { inParts, Moments } from "../graph/moments.ts";
import { type Tensor, toFloat32 } from "../graph/tensor.ts";
import { lowerMedian, populationMoments } from "./graph-functions.ts";
import { atLeast, CUBE, defineNode, type Fitter, norm, port } from "./node-type.ts";
import { bool, float, int, list } from "./params.ts";
import { float32 } from "./statistics.ts";

const DATA = [port("data", "float32", CUBE)];
const NORMALIZED = [port("normalized", "float32", CUBE)];
const PIXEL_AXES = [1, 2];
const PART_VALUES = 1 << 23;

/** (x - low) / max(high - low, eps), not clamped. */
export function scaleToRange(g: Graph, x: GraphValue, low: GraphValue, high: GraphValue, eps: number): GraphValue {
  return g.div(g.sub(x, low), atLeast(g, g.sub(high, low), eps));
}

/** As above, with the minimum and maximum of each image and channel. */
export function scalePerImage(g: Graph, x: GraphValue, eps: number): GraphValue {
  return scaleToRange(g, x, g.minimum(x, PIXEL_AXES, true), g.maximum(x, PIXEL_AXES, true), eps);
}

/** The least and the largest of the values and of `low` and `high`; NaN counts for nothing. */
function extremes(values: Float32Array, low: number, high: number): [low: number, high: number] {
  let [least, most] = [low, high];
  const single = (value: number): void => {
    if (value < least) least = value;
    if (value > most) most = value;
  };
  // Hardly any value is a new extreme, so four at a time are asked whether one of them is: twice as fast as one by one.
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const a = values[i] as number;
    const b = values[i + 1] as number;
    const c = values[i + 2] as number;
    const d = values[i + 3] as number;
    if (a < least || b < least || c < least || d < least || a > most || b > most || c > most || d > most) {
      single(a);
      single(b);
      single(c);
      single(d);
    }
  }
  for (let i = whole; i < values.length; i++) single(values[i] as number);
  return [least, most];
}

/** One scalar minimum and maximum over everything. */
export function rangeFitter(port: string, node: string): Fitter {
  let low = Infinity;
  let high = -Infinity;
  return {
    update(inputs) {
      return inParts(toFloat32(asTensor(inputs[port])), PART_VALUES, (part) => {
        [low, high] = extremes(part, low, high);
      });
    },
    finish() {
      if (low > high) throw invalidValue(`Node '${node}': the data stream has no values to fit on`, { node });
      return { running_min: float32([], [low]), running_max: float32([], [high]) };
    },
  };
}

const notANumber = (): Tensor => float32([], [Number.NaN]);

export const rangeStates = [
  { name: "running_min", kind: "trainable", initial: notANumber },
  { name: "running_max", kind: "trainable", initial: notANumber },
] as const;

export const normalizationNodes = [
  defineNode({
    className: "cuvis_ai.node.normalization.MinMaxNormalizer",
    role: "transform",
    summary: "Scales to 0..1 by one minimum and maximum of the data set, or per image and channel.",
    params: { eps: float({ default: 1e-6 }), use_running_stats: bool({ default: true }) },
    inputs: DATA,
    outputs: NORMALIZED,
    states: () => rangeStates,
    needsFit: (h) => h.flag("use_running_stats"),
    fit: (_, node) => rangeFitter("data", node),
    emit({ g, h, in: input, state }) {
      const x = input("data");
      const eps = h.num("eps");
      return {
        normalized: h.flag("use_running_stats")
          ? scaleToRange(g, x, state("running_min"), state("running_max"), eps)
          : scalePerImage(g, x, eps),
      };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.normalization.IdentityNormalizer",
    role: "transform",
    summary: "Hands the data on unchanged.",
    params: {},
    inputs: DATA,
    outputs: NORMALIZED,
    emit: ({ in: input }) => ({ normalized: input("data") }),
  }),
  defineNode({
    className: "cuvis_ai.node.normalization.SigmoidNormalizer",
    role: "transform",
    summary: "Sigmoid of the deviation from the median of image and channel, in standard deviations.",
    params: { std_floor: float({ default: 1e-6 }) },
    inputs: DATA,
    outputs: NORMALIZED,
    emit({ g, h, in: input }) {
      const x = input("data");
      const deviation = g.sqrt(populationMoments(g, x, PIXEL_AXES).variance);
      const centred = g.sub(x, lowerMedian(g, x, PIXEL_AXES));
      return { normalized: g.sigmoid(g.div(centred, atLeast(g, deviation, h.num("std_floor")))) };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.normalization.ZScoreNormalizer",
    role: "transform",
    summary: "Zero mean and unit standard deviation over the given axes.",
    params: { dims: list({ default: [1, 2] }), eps: float({ default: 1e-6 }), keepdim: bool({ default: true }) },
    inputs: DATA,
    outputs: NORMALIZED,
    emit({ g, h, in: input }) {
      const x = input("data");
      const dims = h.nums("dims");
      const keep = h.flag("keepdim");
      const variance = g.mean(g.square(g.sub(x, g.mean(x, dims, true))), dims, keep);
      return { normalized: g.div(g.sub(x, g.mean(x, dims, keep)), g.add(g.sqrt(variance), h.num("eps"))) };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.normalization.SigmoidTransform",
    role: "transform",
    summary: "Sigmoid of every value.",
    params: {},
    inputs: DATA,
    outputs: [port("transformed", "float32", CUBE)],
    emit: ({ g, in: input }) => ({ transformed: g.sigmoid(input("data")) }),
  }),
  defineNode({
    className: "cuvis_ai.node.normalization.PerPixelUnitNorm",
    role: "transform",
    summary: "Removes each pixel's mean over bands and scales it to length 1.",
    params: { eps: float({ default: 1e-8 }) },
    inputs: DATA,
    outputs: NORMALIZED,
    emit({ g, h, in: input }) {
      const x = input("data");
      const d = g.sub(x, g.mean(x, [-1], true));
      return { normalized: g.div(d, atLeast(g, norm(g, d), h.num("eps"))) };
    },
  }),
  defineNode({
    className: "cuvis_ai.anomaly.deep_svdd.ZScoreNormalizerGlobal",
    role: "model",
    summary: "Zero mean and unit standard deviation per channel, by statistics of the data set.",
    params: { num_channels: int({ exclusiveMinimum: 0 }), eps: float({ default: 1e-8 }) },
    inputs: DATA,
    outputs: NORMALIZED,
    states: (h) => [
      {
        name: "zscore_mean",
        kind: "trainable",
        initial: () => float32([h.num("num_channels")], new Float32Array(h.num("num_channels"))),
      },
      {
        name: "zscore_std",
        kind: "trainable",
        initial: () => float32([h.num("num_channels")], new Float32Array(h.num("num_channels")).fill(1)),
      },
    ],
    needsFit: () => true,
    fit(h, node) {
      const channels = h.num("num_channels");
      const moments = new Moments(channels, false);
      return {
        update(inputs) {
          const data = asTensor(inputs["data"]);
          if (data.shape.at(-1) !== channels) {
            throw invalidValue(`Node '${node}': data has ${data.shape.at(-1)} channels, num_channels is ${channels}`, {
              node,
              port: "data",
            });
          }
          return moments.absorb(toFloat32(data));
        },
        finish() {
          const deviation = float32([channels], moments.covariance(node).map(Math.sqrt));
          const eps = Math.fround(h.num("eps"));
          return {
            zscore_mean: float32([channels], moments.mean),
            zscore_std: float32(
              [channels],
              deviation.data.map((s) => s + eps),
            ),
          };
        },
      };
    },
    emit({ g, h, in: input, state }) {
      const x = input("data");
      g.expectDim(x, -1, h.num("num_channels"), "data", "channels");
      return { normalized: g.div(g.sub(x, state("zscore_mean")), state("zscore_std")) };
    },
  }),
];
