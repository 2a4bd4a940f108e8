// Channel mixers: from many bands to a few by learned 1×1 convolutions or by concrete (Gumbel softmax) selection.
import { invalidValue } from "../errors.ts";
import type { Graph, GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { Moments } from "../graph/moments.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { emitMoments, momentsGiven } from "./covariance-fit.ts";
import { countAlong, populationMoments } from "./graph-functions.ts";
import { leadingEigenvectors } from "./linear-algebra.ts";
import { CUBE, defineNode, type EmitContext, optional, port, type StateSpec } from "./node-type.ts";
import { scalePerImage } from "./normalization.ts";
import { bool, float, int, list, type Params, text } from "./params.ts";
import { float32 } from "./statistics.ts";

/** Channel counts from input to output, one more than there are layers. */
function layerSizes(h: Params): readonly number[] {
  return h.numsOrNull("reduction_scheme") ?? [h.num("input_channels"), h.num("output_channels")];
}

function initialWeight(inputs: number, outputs: number, h: Params): (random: () => number) => Tensor {
  const method = h.text("init_method");
  const slope = h.num("leaky_relu_negative_slope");
  const bound =
    method === "zeros"
      ? 0
      : method === "kaiming"
        ? Math.sqrt(6 / ((1 + slope ** 2) * inputs))
        : Math.sqrt(6 / (inputs + outputs));
  return (random) =>
    float32(
      [outputs, inputs, 1, 1],
      Float32Array.from({ length: inputs * outputs }, () => bound * (2 * random() - 1)),
    );
}

function mixerStates(h: Params): StateSpec[] {
  const sizes = layerSizes(h);
  const states: StateSpec[] = [];
  for (let i = 0; i + 1 < sizes.length; i++) {
    const [inputs, outputs] = [sizes[i] as number, sizes[i + 1] as number];
    states.push({ name: `convs.${i}.weight`, kind: "parameter", initial: initialWeight(inputs, outputs, h) });
    if (h.flag("use_bias")) {
      states.push({
        name: `convs.${i}.bias`,
        kind: "parameter",
        initial: () => float32([outputs], new Float32Array(outputs)),
      });
    }
  }
  if (!h.flag("normalize_output")) return states;
  const outputs = sizes.at(-1) as number;
  const filled = (value: number) => (): Tensor => float32([outputs], new Float32Array(outputs).fill(value));
  return [
    ...states,
    { name: "output_bn.weight", kind: "parameter", initial: filled(1) },
    { name: "output_bn.bias", kind: "parameter", initial: filled(0) },
    { name: "output_bn.running_mean", kind: "buffer", volatile: true, initial: filled(0) },
    { name: "output_bn.running_var", kind: "buffer", volatile: true, initial: filled(1) },
    { name: "output_bn.num_batches_tracked", kind: "buffer", volatile: true, initial: () => tensor("int64", [], [0]) },
  ];
}

const BATCH_NORM_EPS = 1e-5;
const BATCH_NORM_MOMENTUM = 0.1;

/** Batch normalisation over pixels; while training by the batch's own statistics, which the running ones follow. */
function batchNorm(context: EmitContext, x: GraphValue): GraphValue {
  const { g, state, setState, training } = context;
  const affine = (normalized: GraphValue): GraphValue =>
    g.add(g.mul(normalized, state("output_bn.weight")), state("output_bn.bias"));
  const runningMean = state("output_bn.running_mean");
  const runningVariance = state("output_bn.running_var");
  if (!training) {
    return affine(g.div(g.sub(x, runningMean), g.sqrt(g.add(runningVariance, BATCH_NORM_EPS))));
  }
  const axes = [0, 1, 2];
  const { mean, deviation, variance } = populationMoments(g, x, axes);
  const n = countAlong(g, x, axes);
  const follow = (running: GraphValue, value: GraphValue): GraphValue =>
    g.add(g.mul(running, 1 - BATCH_NORM_MOMENTUM), g.mul(g.squeeze(value, axes), BATCH_NORM_MOMENTUM));
  setState("output_bn.running_mean", follow(runningMean, mean));
  setState("output_bn.running_var", follow(runningVariance, g.mul(variance, g.div(n, g.sub(n, 1)))));
  setState("output_bn.num_batches_tracked", g.add(state("output_bn.num_batches_tracked"), 1));
  return affine(g.div(deviation, g.sqrt(g.add(variance, BATCH_NORM_EPS))));
}

function normalizeOutput(context: EmitContext, x: GraphValue): GraphValue {
  const { g, h, stage } = context;
  const how = stage === "inference" ? h.text("inference_normalization") : "batchnorm_sigmoid";
  if (how === "batchnorm_sigmoid") return g.sigmoid(batchNorm(context, x));
  if (how === "sigmoid_only") return g.sigmoid(x);
  if (how === "per_frame_minmax") return scalePerImage(g, x, h.num("eps"));
  return x;
}

/** Uniform numbers for the concrete relaxation, different at every call. */
const UNIFORM = defineHostStep("random.uniform", {
  pure: false,
  run: (_, attrs) => {
    const shape = attrs["shape"] as number[];
    return [float32(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, Math.random))];
  },
});

/** Temperature at an epoch: geometric from start to end. */
function temperature(h: Params, epoch: number): number {
  const last = h.num("max_epochs") - 1;
  if (last <= 0) return h.num("tau_end");
  const f = Math.min(epoch, last) / last;
  return Math.exp((1 - f) * Math.log(h.num("tau_start")) + f * Math.log(h.num("tau_end")));
}

function selectionWeights({ g, h, state, stage, training, epoch }: EmitContext): GraphValue {
  const logits = state("logits");
  const [rows, channels] = logits.shape as [number, number];
  if (stage === "train" && training) {
    const eps = h.num("eps");
    const [u] = g.host(UNIFORM, [], [{ dtype: "float32", shape: [rows, channels] }], { shape: [rows, channels] }) as [
      GraphValue,
    ];
    const inner = g.add(g.neg(g.log(g.add(u, eps))), eps);
    const noise = g.neg(g.log(inner));
    return g.softmax(g.div(g.add(logits, noise), temperature(h, epoch)), 1);
  }
  if (!h.flag("use_hard_inference")) return g.softmax(g.div(logits, h.num("tau_end")), 1);
  return oneHot(g, g.argBest("argMax", logits, 1, true), channels);
}

/** Indices [.., 1] as rows of zeros with a single one. */
function oneHot(g: Graph, indices: GraphValue, width: number): GraphValue {
  return g.cast(g.equal(indices, g.list("int64", [...Array(width).keys()])), "float32");
}

export const mixerNodes = [
  defineNode({
    className: "cuvis_ai.node.channel_mixer.LearnableChannelMixer",
    role: "model",
    summary: "A chain of learned 1×1 convolutions over channels.",
    params: {
      input_channels: int({ minimum: 1 }),
      output_channels: int({ minimum: 1 }),
      leaky_relu_negative_slope: float({ default: 0.01 }),
      use_bias: bool({ default: true }),
      use_activation: bool({ default: true }),
      normalize_output: bool({ default: true }),
      inference_normalization: text({
        default: "batchnorm_sigmoid",
        choices: ["batchnorm_sigmoid", "per_frame_minmax", "sigmoid_only", "none"],
      }),
      init_method: text({ default: "xavier", choices: ["xavier", "kaiming", "pca", "zeros"] }),
      eps: float({ default: 1e-6 }),
      reduction_scheme: list({ default: null }),
    },
    inputs: [port("data", "float32", CUBE)],
    outputs: [port("rgb", "float32", ["B", "H", "W", "K"]), optional("weights", "float32", ["K", "L"])],
    validate(h, node) {
      const sizes = layerSizes(h);
      const [first, last] = [h.num("input_channels"), h.num("output_channels")];
      if (sizes.length < 2 || sizes[0] !== first || sizes.at(-1) !== last) {
        throw invalidValue(`Node '${node}': reduction_scheme is [${sizes}]; it must lead from ${first} to ${last}`, {
          node,
        });
      }
    },
    states: mixerStates,
    needsFit: (h) => h.text("init_method") === "pca",
    emitFit: emitMoments,
    fit(h, node) {
      const [channels, width] = layerSizes(h) as [number, number];
      const moments = new Moments(channels, true);
      return {
        update(inputs) {
          const { count, mean, second } = momentsGiven(inputs);
          if (mean.length !== channels) {
            throw invalidValue(`Node '${node}': data has ${mean.length} channels, input_channels is ${channels}`, {
              node,
              port: "data",
            });
          }
          moments.merge(count, mean, second);
        },
        finish() {
          const { rows } = leadingEigenvectors(moments.covariance(node), channels, Math.min(width, channels));
          const weight = new Float32Array(width * channels);
          weight.set(rows);
          return { "convs.0.weight": float32([width, channels, 1, 1], weight) };
        },
      };
    },
    emit(context) {
      const { g, h, in: input, state } = context;
      const sizes = layerSizes(h);
      const layers = sizes.length - 1;
      let x = input("data");
      g.expectDim(x, -1, h.num("input_channels"), "data", "channels");
      let weights: GraphValue | undefined;
      for (let i = 0; i < layers; i++) {
        weights = g.squeeze(state(`convs.${i}.weight`), [2, 3]);
        x = g.matmul(x, g.transpose(weights, [1, 0]));
        if (h.flag("use_bias")) x = g.add(x, state(`convs.${i}.bias`));
        const last = i === layers - 1;
        if (h.flag("use_activation") && (!last || !h.flag("normalize_output"))) {
          x = g.leakyRelu(x, h.num("leaky_relu_negative_slope"));
        }
      }
      return { rgb: h.flag("normalize_output") ? normalizeOutput(context, x) : x, weights: weights as GraphValue };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.channel_mixer.ConcreteChannelMixer",
    role: "model",
    summary: "Selects one band per output channel, softly while training.",
    params: {
      input_channels: int({ exclusiveMinimum: 0 }),
      output_channels: int({ default: 3, exclusiveMinimum: 0 }),
      tau_start: float({ default: 10, exclusiveMinimum: 0 }),
      tau_end: float({ default: 0.1, exclusiveMinimum: 0 }),
      max_epochs: int({ default: 20 }),
      use_hard_inference: bool({ default: true }),
      eps: float({ default: 1e-6 }),
    },
    inputs: [port("data", "float32", CUBE)],
    outputs: [port("rgb", "float32", ["B", "H", "W", "K"]), port("selection_weights", "float32", ["K", "C"])],
    states: (h) => {
      const shape = [h.num("output_channels"), h.num("input_channels")] as const;
      return [
        { name: "logits", kind: "parameter", initial: () => float32(shape, new Float32Array(shape[0] * shape[1])) },
      ];
    },
    emit(context) {
      const { g, h, in: input } = context;
      const x = input("data");
      g.expectDim(x, -1, h.num("input_channels"), "data", "channels");
      const weights = selectionWeights(context);
      return { rgb: g.matmul(x, g.transpose(weights, [1, 0])), selection_weights: weights };
    },
  }),
];
