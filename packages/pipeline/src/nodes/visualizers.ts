// Visualisers: pictures of cubes, masks, scores and weights, as lists of artefacts.
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { Moments } from "../graph/moments.ts";
import { at, isTensor, type Tensor, toFloat32, toFloat64, type Value } from "../graph/tensor.ts";
import { type Artifact, artifact, type Colour, extent, type Frame, mapColour, paint, panels } from "./drawing.ts";
import { leadingEigenvectors } from "./linear-algebra.ts";
import {
  CUBE,
  defineNode,
  FRAME,
  IMAGE,
  type NodeType,
  optional,
  PIXELS,
  type PortSpec,
  port,
  VIEW_STAGES,
} from "./node-type.ts";
import { any, bool, float, int, list, type ParamSpecs, text } from "./params.ts";
import { averagePrecision } from "./statistics.ts";

type Given = ReadonlyMap<string, Value>;
type Draw = (given: Given, attrs: Readonly<Record<string, unknown>>, inference: boolean) => readonly Artifact[];

/** A step that draws; attribute `ports` names its inputs. */
function drawStep(name: string, draw: Draw): string {
  return defineHostStep(name, {
    pure: true,
    run: (inputs, attrs, context) => {
      const ports = attrs["ports"] as readonly string[];
      const given = new Map(ports.map((port, i) => [port, inputs[i] as Value]));
      return [draw(given, attrs, context.stage === "inference")];
    },
  });
}

const tensorOf = (given: Given, name: string): Tensor => asTensor(given.get(name));
const optionalTensor = (given: Given, name: string): Tensor | undefined => {
  const value = given.get(name);
  return isTensor(value) ? value : undefined;
};
const imagesOf = (t: Tensor, limit: unknown): number =>
  Math.min(t.shape[0] as number, typeof limit === "number" ? limit : Infinity);
const numbered = (name: string, index: number): string => `${name}_img${String(index).padStart(2, "0")}`;

/** Values of image `b`, whatever the trailing axes. */
function image(t: Tensor, b: number): Float32Array {
  const size = t.data.length / (t.shape[0] as number);
  return toFloat32(t).subarray(b * size, (b + 1) * size);
}

const scaled = (values: Float32Array): Float32Array => {
  const [low, high] = extent(values);
  return values.map((value) => (value - low) / Math.max(high - low, 1e-8));
};

const grey = (value: number): Colour => {
  const level = Math.round(Math.min(Math.max(value, 0), 1) * 255);
  return [level, level, level];
};
const mix = (base: Colour, over: Colour, alpha: number): Colour =>
  [0, 1, 2].map((k) =>
    Math.round((1 - alpha) * (base[k] as number) + alpha * (over[k] as number)),
  ) as unknown as Colour;

const [GREEN, RED, YELLOW, CYAN]: readonly Colour[] = [
  [0, 255, 0],
  [255, 0, 0],
  [255, 255, 0],
  [0, 255, 255],
] as const;
const OVERLAY_ALPHA = 0.6;

/** Truth, overlay and prediction; without truth overlay and prediction. */
function decisionPanels(
  decided: Float32Array,
  truth: Float32Array | undefined,
  scores: Float32Array | undefined,
  base: (i: number) => Colour,
  height: number,
  width: number,
): { frame: Frame; caption: string } {
  const prediction = paint(height, width, (i) => grey(decided[i] as number));
  if (!truth?.some((value) => value > 0)) {
    const overlay = paint(height, width, (i) => (decided[i] ? mix(base(i), CYAN as Colour, OVERLAY_ALPHA) : base(i)));
    const count = decided.reduce((sum, d) => sum + (d ? 1 : 0), 0);
    const share = ((100 * count) / decided.length).toFixed(2);
    return { frame: panels([overlay, prediction]), caption: `${count} anomalous pixels (${share} %)` };
  }
  let [tp, fp, fn] = [0, 0, 0];
  const overlay = paint(height, width, (i) => {
    const [d, t] = [decided[i], truth[i]];
    if (d && t) tp++;
    else if (d) fp++;
    else if (t) fn++;
    else return base(i);
    return mix(base(i), (d && t ? GREEN : d ? RED : YELLOW) as Colour, OVERLAY_ALPHA);
  });
  const share = (part: number, whole: number): string => (part / (whole + 1e-8)).toFixed(3);
  const precision = scores ? `, AP ${averagePrecision(scores, truth).toFixed(3)}` : "";
  const caption = `IoU ${share(tp, tp + fp + fn)}, precision ${share(tp, tp + fp)}, recall ${share(tp, tp + fn)}${precision}`;
  return { frame: panels([paint(height, width, (i) => grey(truth[i] as number)), overlay, prediction]), caption };
}

const ANOMALY_MASK = drawStep("draw.anomalyMask", (given, attrs, inference) => {
  const [decisions, cube] = [tensorOf(given, "decisions"), tensorOf(given, "cube")];
  const [, height, width, channels] = cube.shape as [number, number, number, number];
  const channel = attrs["channel"] as number;
  const mask = inference ? undefined : optionalTensor(given, "mask");
  const scores = optionalTensor(given, "scores");
  return Array.from({ length: imagesOf(decisions, attrs["upTo"]) }, (_, b) => {
    const pixels = image(cube, b);
    const plane = scaled(
      Float32Array.from({ length: height * width }, (_, i) => pixels[i * channels + channel] as number),
    );
    const base = (i: number): Colour => grey(plane[i] as number);
    const { frame, caption } = decisionPanels(
      image(decisions, b),
      mask && image(mask, b),
      scores && image(scores, b),
      base,
      height,
      width,
    );
    return artifact(numbered("anomaly_mask", b), frame, caption);
  });
});

const RGB_ANOMALY_MASK = drawStep("draw.rgbAnomalyMask", (given, attrs, inference) => {
  const [decisions, rgb] = [tensorOf(given, "decisions"), tensorOf(given, "rgb_image")];
  const [, height, width] = rgb.shape as [number, number, number];
  const mask = inference ? undefined : optionalTensor(given, "mask");
  const scores = optionalTensor(given, "scores");
  const divisor = extent(toFloat32(rgb))[1] > 1 ? 255 : 1;
  return Array.from({ length: imagesOf(decisions, attrs["upTo"]) }, (_, b) => {
    const pixels = image(rgb, b);
    const base = (i: number): Colour => rgbAt(pixels, i, divisor);
    const { frame, caption } = decisionPanels(
      image(decisions, b),
      mask && image(mask, b),
      scores && image(scores, b),
      base,
      height,
      width,
    );
    return artifact(numbered("rgb_anomaly_mask", b), frame, caption);
  });
});

function rgbAt(pixels: Float32Array, i: number, divisor = 1): Colour {
  const level = (k: number): number =>
    Math.round(Math.min(Math.max((pixels[i * 3 + k] as number) / divisor, 0), 1) * 255);
  return [level(0), level(1), level(2)];
}

const HEATMAP = drawStep("draw.heatmap", (given, attrs) => {
  const scores = tensorOf(given, "scores");
  const [, height, width] = scores.shape as [number, number, number];
  return Array.from({ length: imagesOf(scores, attrs["upTo"]) }, (_, b) => {
    const values = attrs["normalize"] ? scaled(image(scores, b)) : image(scores, b);
    const frame = paint(height, width, (i) => mapColour(values[i] as number, attrs["map"] as string));
    const [low, high] = extent(image(scores, b));
    return artifact(numbered("score_heatmap", b), frame, `scores from ${low} to ${high}`);
  });
});

/** Bars of weights below a picture's width. */
function bars(weights: Float64Array, width: number, height: number): Frame {
  const highest = Math.max(...weights, 1e-12);
  return paint(height, width, (i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const weight = weights[Math.min(Math.floor((x * weights.length) / width), weights.length - 1)] as number;
    return height - y <= (weight / highest) * height ? [31, 119, 180] : [255, 255, 255];
  });
}

const CUBE_RGB = drawStep("draw.cubeRgb", (given, attrs) => {
  const [cube, weights] = [tensorOf(given, "cube"), toFloat64(tensorOf(given, "weights"))];
  const [, height, width, channels] = cube.shape as [number, number, number, number];
  const top = [...weights.keys()].sort((a, b) => (weights[b] as number) - (weights[a] as number)).slice(0, 3);
  const nm = tensorOf(given, "wavelengths");
  return Array.from({ length: imagesOf(cube, attrs["upTo"]) }, (_, b) => {
    const pixels = image(cube, b);
    const chosen = Float32Array.from(
      { length: height * width * 3 },
      (_, i) => pixels[Math.floor(i / 3) * channels + (top[i % 3] as number)] as number,
    );
    const rgb = scaled(chosen);
    const frame = panels([
      paint(height, width, (i) => rgbAt(rgb, i)),
      bars(weights, Math.max(width, channels), height),
    ]);
    return artifact(`viz_rgb_sample_${b}`, frame, `bands ${top.map((band) => `${at(nm, band)} nm`).join(", ")}`);
  });
});

const COMPARISON = drawStep("draw.comparison", (given, attrs) => {
  const [cube, mixed] = [tensorOf(given, "hsi_cube"), tensorOf(given, "mixer_output")];
  const [truth, scores] = [tensorOf(given, "ground_truth_mask"), tensorOf(given, "adaclip_scores")];
  const [, height, width, channels] = cube.shape as [number, number, number, number];
  const chosen = (attrs["channels"] as number[]).map((channel) => Math.min(channel, channels - 1));
  return Array.from({ length: imagesOf(cube, attrs["upTo"]) }, (_, b) => {
    const pixels = image(cube, b);
    const planes = chosen.map((channel) =>
      scaled(Float32Array.from({ length: height * width }, (_, i) => pixels[i * channels + channel] as number)),
    );
    const level = (plane: Float32Array | undefined, i: number): number => Math.round((plane?.[i] ?? 0) * 255);
    const rgb = scaled(image(mixed, b));
    const heat = scaled(image(scores, b));
    const marked = image(truth, b);
    return [
      artifact(
        `hsi_input_sample_${b}`,
        paint(height, width, (i) => [level(planes[0], i), level(planes[1], i), level(planes[2], i)]),
      ),
      artifact(
        `mixer_output_adaclip_input_sample_${b}`,
        paint(height, width, (i) => rgbAt(rgb, i)),
      ),
      artifact(
        `ground_truth_mask_sample_${b}`,
        paint(height, width, (i) => (marked[i] ? [255, 0, 0] : [0, 0, 0])),
      ),
      artifact(
        `adaclip_scores_heatmap_sample_${b}`,
        paint(height, width, (i) => [
          Math.round((heat[i] as number) * 255),
          0,
          Math.round((1 - (heat[i] as number)) * 255),
        ]),
      ),
    ];
  }).flat();
});

const FALSE_RGB = drawStep("draw.falseRgb", (given, attrs) => {
  const [rgb, mask] = [tensorOf(given, "rgb_output"), optionalTensor(given, "mask")];
  const index = optionalTensor(given, "mesu_index");
  const [, height, width] = rgb.shape as [number, number, number];
  return Array.from({ length: imagesOf(rgb, attrs["upTo"]) }, (_, b) => {
    const pixels = image(rgb, b);
    const marked = mask && image(mask, b);
    const plain = (i: number): Colour => rgbAt(pixels, i);
    const label = index ? at(index, b) : b;
    const drawn = [artifact(`false_rgb_sample_${label}`, paint(height, width, plain))];
    if (marked) {
      const over = (i: number): Colour =>
        marked[i] ? mix(plain(i), RED as Colour, attrs["alpha"] as number) : plain(i);
      drawn.push(artifact(`false_rgb_mask_overlay_sample_${label}`, paint(height, width, over)));
    }
    return drawn;
  }).flat();
});

const WEIGHTS = drawStep("draw.weights", (given, attrs) => {
  const weights = tensorOf(given, "weights");
  const [rows, channels] = weights.shape as [number, number];
  const [cellHeight, cellWidth] = [attrs["cellHeight"] as number, attrs["cellWidth"] as number];
  const values = scaled(toFloat32(weights));
  const width = channels * cellWidth;
  const frame = paint(rows * cellHeight, width, (i) => {
    const cell = Math.floor(Math.floor(i / width) / cellHeight) * channels + Math.floor((i % width) / cellWidth);
    return mapColour(values[cell] as number, "inferno");
  });
  return [artifact("channel_weights", frame, `${rows} selectors over ${channels} channels`)];
});

const PCA = drawStep("draw.pca", (given, attrs) => {
  const data = tensorOf(given, "data");
  const [, height, width, channels] = data.shape as [number, number, number, number];
  if (channels < 2) return [];
  return Array.from({ length: imagesOf(data, attrs["upTo"]) }, (_, b) => {
    const pixels = image(data, b);
    const moments = new Moments(channels, true);
    moments.update(pixels);
    const shown = Math.min(channels, 3);
    const { rows } = leadingEigenvectors(moments.second, channels, shown);
    const planes = Array.from({ length: shown }, (_, k) =>
      scaled(
        Float32Array.from({ length: height * width }, (_, i) => {
          let sum = 0;
          for (let c = 0; c < channels; c++)
            sum +=
              ((pixels[i * channels + c] as number) - (moments.mean[c] as number)) * (rows[k * channels + c] as number);
          return sum;
        }),
      ),
    );
    const level = (k: number, i: number): number => Math.round((planes[k]?.[i] ?? 0) * 255);
    return artifact(
      `pca_projection_${b}`,
      paint(height, width, (i) => [level(0, i), level(1, i), level(2, i)]),
    );
  });
});

const ARTIFACTS: readonly PortSpec[] = [port("artifacts", "list", [])];

interface Visualizer {
  readonly module: "anomaly_visualization" | "pipeline_visualization";
  readonly name: string;
  readonly summary: string;
  readonly params: ParamSpecs;
  readonly inputs: readonly PortSpec[];
  readonly stages: NonNullable<NodeType["stages"]>;
  readonly step: string;
  /** Attributes of the step by hyper-parameter. */
  readonly attrs: Readonly<Record<string, string>>;
}

function visualizer({ module, name, summary, params, inputs, stages, step, attrs }: Visualizer): NodeType {
  return defineNode({
    className: `cuvis_ai.node.${module}.${name}`,
    role: "visualizer",
    summary,
    params,
    inputs,
    outputs: ARTIFACTS,
    stages,
    emit({ g, h, in: input, has }) {
      const ports = inputs.map((spec) => spec.name).filter(has);
      const chosen = Object.fromEntries(Object.entries(attrs).map(([key, param]) => [key, h.get(param)]));
      return {
        artifacts: g.host(step, ports.map(input), [{ dtype: "object" }], { ports, ...chosen })[0] as GraphValue,
      };
    },
  });
}

const upTo = int({ default: null, minimum: 1 });
const STAGES_PARAM = { execution_stages: any({ default: null }) };
const TRAIN_STAGES = ["train", "val", "test"] as const;

export const visualizerNodes = [
  visualizer({
    module: "anomaly_visualization",
    name: "AnomalyMask",
    summary: "Decisions over one channel of the cube, against the truth where it is known.",
    params: { channel: int({ minimum: 0 }), up_to: upTo, ...STAGES_PARAM },
    inputs: [
      port("decisions", "bool", PIXELS),
      port("cube", "float32", CUBE),
      optional("mask", "bool", PIXELS),
      optional("scores", "float32", PIXELS),
    ],
    stages: VIEW_STAGES,
    step: ANOMALY_MASK,
    attrs: { channel: "channel", upTo: "up_to" },
  }),
  visualizer({
    module: "anomaly_visualization",
    name: "RGBAnomalyMask",
    summary: "Decisions over a colour image, against the truth where it is known.",
    params: { up_to: upTo, ...STAGES_PARAM },
    inputs: [
      port("decisions", "bool", PIXELS),
      port("rgb_image", "float32", IMAGE),
      optional("mask", "bool", PIXELS),
      optional("scores", "float32", PIXELS),
    ],
    stages: VIEW_STAGES,
    step: RGB_ANOMALY_MASK,
    attrs: { upTo: "up_to" },
  }),
  visualizer({
    module: "anomaly_visualization",
    name: "ScoreHeatmapVisualizer",
    summary: "Scores as a heat map.",
    params: {
      normalize_scores: bool({ default: true }),
      cmap: text({ default: "inferno" }),
      up_to: int({ default: 5, nullable: true }),
      ...STAGES_PARAM,
    },
    inputs: [port("scores", "float32", PIXELS)],
    stages: VIEW_STAGES,
    step: HEATMAP,
    attrs: { normalize: "normalize_scores", map: "cmap", upTo: "up_to" },
  }),
  visualizer({
    module: "pipeline_visualization",
    name: "CubeRGBVisualizer",
    summary: "The three channels of largest weight as colours, with the weights.",
    params: { up_to: int({ default: 5, nullable: true }) },
    inputs: [port("cube", "float32", CUBE), port("weights", "float32", ["C"]), port("wavelengths", "np-int32", ["C"])],
    stages: ["inference", "val"],
    step: CUBE_RGB,
    attrs: { upTo: "up_to" },
  }),
  visualizer({
    module: "pipeline_visualization",
    name: "PipelineComparisonVisualizer",
    summary: "Cube, mixed channels, truth and scores of a sample.",
    params: {
      hsi_channels: list({ default: [0, 20, 40] }),
      max_samples: int({ default: 4 }),
      log_every_n_batches: int({ default: 1 }),
    },
    inputs: [
      port("hsi_cube", "float32", CUBE),
      port("mixer_output", "float32", IMAGE),
      port("ground_truth_mask", "bool", PIXELS),
      port("adaclip_scores", "float32", PIXELS),
    ],
    stages: TRAIN_STAGES,
    step: COMPARISON,
    attrs: { channels: "hsi_channels", upTo: "max_samples" },
  }),
  visualizer({
    module: "anomaly_visualization",
    name: "ChannelSelectorFalseRGBViz",
    summary: "False colours of a channel selector, with the mask.",
    params: {
      max_samples: int({ default: 4 }),
      log_every_n_batches: int({ default: 1 }),
      mask_overlay_alpha: float({ default: 0.4 }),
    },
    inputs: [
      port("rgb_output", "float32", IMAGE),
      optional("mask", "int32", FRAME),
      optional("mesu_index", "int64", ["B"]),
    ],
    stages: TRAIN_STAGES,
    step: FALSE_RGB,
    attrs: { upTo: "max_samples", alpha: "mask_overlay_alpha" },
  }),
  visualizer({
    module: "anomaly_visualization",
    name: "ChannelWeightsViz",
    summary: "Weights of channel selectors as a heat map.",
    params: { cell_height: int({ default: 60, minimum: 1 }), cell_width: int({ default: 12, minimum: 1 }) },
    inputs: [port("weights", "float32", ["K", "C"]), optional("wavelengths", "np-int32", ["C"])],
    stages: TRAIN_STAGES,
    step: WEIGHTS,
    attrs: { cellHeight: "cell_height", cellWidth: "cell_width" },
  }),
  visualizer({
    module: "pipeline_visualization",
    name: "PCAVisualization",
    summary: "The leading principal components of an image as colours.",
    params: { up_to: upTo },
    inputs: [port("data", "float32", CUBE)],
    stages: ["val"],
    step: PCA,
    attrs: { upTo: "up_to" },
  }),
  defineNode({
    className: "cuvis_ai.node.monitor.TensorBoardMonitorNode",
    role: "sink",
    summary: "Takes metrics and artefacts; they are stored with the run and not as TensorBoard files.",
    params: {
      output_dir: text({ default: "./runs" }),
      run_name: text({ default: null }),
      comment: text({ default: "" }),
      flush_secs: int({ default: 120 }),
    },
    inputs: [
      port("artifacts", "list", [], { optional: true, variadic: true }),
      port("metrics", "list", [], { optional: true, variadic: true }),
    ],
    outputs: [],
    emit: () => ({}),
  }),
];
