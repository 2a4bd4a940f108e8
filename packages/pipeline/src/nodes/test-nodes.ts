// The node classes of the core's own gRPC tests: names as built-in ones, other behaviour.
import type { GraphValue } from "../graph/graph.ts";
import { asTensor } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { at, tensor } from "../graph/tensor.ts";
import { logVarianceFitter } from "./channel-selection.ts";
import { metricStep } from "./metrics.ts";
import { CUBE, defineNode, FRAME, LOSS_STAGES, METRIC_STAGES, port } from "./node-type.ts";
import { rangeFitter, rangeStates, scalePerImage, scaleToRange } from "./normalization.ts";
import { any, bool, float, int, list, text } from "./params.ts";
import { float32 } from "./statistics.ts";

const MODULE = "tests.fixtures.mock_nodes";

/** About one pixel in five, different at every call. */
const RANDOM_MASK = defineHostStep("tests.randomMask", {
  pure: false,
  run: ([cube]) => {
    const shape = asTensor(cube).shape.slice(0, 3);
    const length = shape.reduce((a, b) => a * b, 1);
    return [
      tensor(
        "bool",
        shape,
        Uint8Array.from({ length }, () => (Math.random() < 0.2 ? 1 : 0)),
      ),
    ];
  },
});

const ACCURACY = metricStep("tests.accuracy", ([predictions, targets]) => {
  const [p, t] = [asTensor(predictions), asTensor(targets)];
  let close = 0;
  for (let i = 0; i < p.data.length; i++) if (Math.abs(at(p, i) - at(t, i)) < 0.1) close++;
  return [{ name: "accuracy", value: close / p.data.length }];
});

const PAIR = [port("predictions", "float32", CUBE), port("targets", "float32", CUBE)];

export const testNodes = [
  defineNode({
    className: `${MODULE}.LentilsAnomalyDataNode`,
    role: "source",
    summary: "Casts the cube and draws a random mask.",
    params: { normal_class_ids: list({ default: null }) },
    inputs: [port("cube", "uint16", CUBE), port("wavelengths", "int32", ["B", "C"])],
    outputs: [port("cube", "float32", CUBE), port("wavelengths", "int32", ["B", "C"]), port("mask", "bool", FRAME)],
    emit({ g, in: input }) {
      const cube = input("cube");
      const [mask] = g.host(RANDOM_MASK, [cube], [{ dtype: "bool", shape: cube.shape.slice(0, 3) }]) as [GraphValue];
      return { cube: g.cast(cube, "float32"), wavelengths: input("wavelengths"), mask };
    },
  }),
  defineNode({
    className: `${MODULE}.SoftChannelSelector`,
    role: "model",
    summary: "Weights channels by a softmax.",
    params: {
      n_select: int({ default: 3 }),
      input_channels: int({ default: 61, minimum: 1 }),
      init_method: text({ default: "variance" }),
      temperature_init: float({ default: 5 }),
      temperature_min: float({ default: 0.1 }),
      temperature_decay: float({ default: 0.9 }),
      hard: bool({ default: false }),
      eps: float({ default: 1e-6 }),
    },
    inputs: [port("data", "float32", CUBE)],
    outputs: [port("selected", "float32", CUBE), port("weights", "float32", ["C"])],
    states: (h) => {
      const n = h.num("input_channels");
      return [{ name: "channel_logits", kind: "trainable", initial: () => float32([n], new Float32Array(n)) }];
    },
    needsFit: () => true,
    usableUnfitted: true,
    fit(h, node) {
      const n = h.num("input_channels");
      if (h.text("init_method") === "variance") return logVarianceFitter(n, h.num("eps"), node);
      return { update: () => {}, finish: () => ({ channel_logits: float32([n], new Float32Array(n)) }) };
    },
    emit({ g, h, in: input, state }) {
      const x = input("data");
      g.expectDim(x, -1, h.num("input_channels"), "data", "channels", "port-mismatch");
      const weights = g.softmax(state("channel_logits"), 0);
      return { selected: g.mul(x, weights), weights };
    },
  }),
  defineNode({
    className: `${MODULE}.MinMaxNormalizer`,
    role: "transform",
    summary: "Scales to 0..1; per image before it is fitted.",
    params: { eps: float({ default: 1e-6 }), use_running_stats: bool({ default: true }) },
    inputs: [port("data", "float32", CUBE)],
    outputs: [port("normalized", "float32", CUBE)],
    states: () => rangeStates,
    needsFit: (h) => h.flag("use_running_stats"),
    usableUnfitted: true,
    fit: (_, node) => rangeFitter("data", node),
    emit({ g, h, in: input, state }) {
      const x = input("data");
      const eps = h.num("eps");
      const own = scalePerImage(g, x, eps);
      if (!h.flag("use_running_stats")) return { normalized: own };
      const low = state("running_min");
      return { normalized: g.where(g.isNaN(low), own, scaleToRange(g, x, low, state("running_max"), eps)) };
    },
  }),
  defineNode({
    className: `${MODULE}.SimpleLossNode`,
    role: "loss",
    summary: "Mean squared error.",
    params: { weight: float({ default: 1 }) },
    inputs: PAIR,
    outputs: [port("loss", "float32", [])],
    stages: LOSS_STAGES,
    fixedStages: true,
    emit: ({ g, h, in: input }) => ({
      loss: g.mul(g.total("mean", g.square(g.sub(input("predictions"), input("targets")))), h.num("weight")),
    }),
  }),
  defineNode({
    className: `${MODULE}.MockMetricNode`,
    role: "metric",
    summary: "Share of predictions close to their targets.",
    params: { execution_stages: any({ default: null }) },
    inputs: PAIR,
    outputs: [port("metrics", "list", [])],
    stages: METRIC_STAGES,
    emit: ({ g, in: input }) => ({
      metrics: g.host(ACCURACY, [input("predictions"), input("targets")], [{ dtype: "object" }])[0] as GraphValue,
    }),
  }),
];
