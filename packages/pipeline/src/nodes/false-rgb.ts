// False-colour selectors: three channels out of many, normalised for the eye.
import type { Dim, Graph, GraphValue } from "../graph/graph.ts";
import { asTensor } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { at, type Tensor, tensor, toFloat32, type Value } from "../graph/tensor.ts";
import { CIE_START_NM, CIE_STEP_NM, CIE_X, CIE_Y, CIE_Z, XYZ_TO_SRGB } from "./colours.ts";
import { hsvColours, quantile } from "./graph-functions.ts";
import {
  CUBE,
  defineNode,
  type EmitContext,
  type Fitter,
  IMAGE,
  type NodeType,
  PIXELS,
  port,
  type StateSpec,
} from "./node-type.ts";
import { bool, float, int, list, type ParamSpecs, type Params, text } from "./params.ts";
import { float32 } from "./statistics.ts";

const OBJECT = { dtype: "object" } as const;
const BANDS = { dtype: "int64", shape: [3] } as const;
const LOW_QUANTILE = 0.005;
const HIGH_QUANTILE = 0.995;

/** First index of the smallest distance. */
export function nearestBand(wavelengths: Tensor, target: number): number {
  let best = 0;
  for (let i = 1; i < wavelengths.data.length; i++) {
    if (Math.abs(at(wavelengths, i) - target) < Math.abs(at(wavelengths, best) - target)) best = i;
  }
  return best;
}

/** Indices of the bands in a range, both limits inclusive. */
export const bandsIn = (wavelengths: Tensor, [low, high]: readonly [number, number]): number[] =>
  Array.from({ length: wavelengths.data.length }, (_, i) => i).filter(
    (i) => at(wavelengths, i) >= low && at(wavelengths, i) <= high,
  );

const picked = (wavelengths: Tensor, bands: readonly number[]): number[] => bands.map((band) => at(wavelengths, band));
const indices = (bands: readonly number[]): Tensor => tensor("int64", [bands.length], bands);

const NEAREST = defineHostStep("falseRgb.nearest", {
  pure: true,
  run: ([wavelengths], attrs) => {
    const nm = asTensor(wavelengths);
    const bands = (attrs["targets"] as number[]).map((target) => nearestBand(nm, target));
    const { targets, info } = attrs as { targets: number[]; info: Record<string, Value> };
    return [
      indices(bands),
      {
        strategy: info["strategy"] as Value,
        band_indices: bands,
        band_wavelengths_nm: picked(nm, bands),
        target_wavelengths_nm: targets,
        ...(info["channel_mapping"] ? { channel_mapping: info["channel_mapping"] } : {}),
      },
    ];
  },
});

/** Weights [C, 3] that average the bands of each range, and what was found. */
const RANGES = defineHostStep("falseRgb.ranges", {
  pure: true,
  run: ([wavelengths], attrs) => {
    const nm = asTensor(wavelengths);
    const ranges = attrs["ranges"] as Record<"red" | "green" | "blue", [number, number]>;
    const channels = nm.data.length;
    const weights = new Float32Array(channels * 3);
    const found = (["red", "green", "blue"] as const).map((colour) => bandsIn(nm, ranges[colour]));
    for (const [k, bands] of found.entries()) for (const band of bands) weights[band * 3 + k] = 1 / bands.length;
    const missing = ["red", "green", "blue"].filter((_, k) => found[k]?.length === 0);
    return [
      float32([channels, 3], weights),
      {
        strategy: attrs["strategy"] as string,
        band_indices: found,
        band_wavelengths_nm: found.map((bands) => picked(nm, bands)),
        ranges_nm: ranges,
        aggregation: "mean",
        missing_channels: missing,
      },
    ];
  },
});

const FAST_INFO = defineHostStep("falseRgb.fastInfo", {
  pure: true,
  run: ([info, factor], attrs) => {
    const { missing_channels, ...rest } = info as Record<string, Value>;
    return [
      {
        ...rest,
        normalization_strength: attrs["strength"] as number,
        applied_scale_factor: at(asTensor(factor), 0),
        missing_channels: missing_channels as Value,
      },
    ];
  },
});

/** Linear interpolation in a table of the CIE functions, 0 outside. */
function cie(values: readonly number[], nm: number): number {
  const place = (nm - CIE_START_NM) / CIE_STEP_NM;
  if (place < 0 || place > values.length - 1) return 0;
  const low = Math.min(Math.floor(place), values.length - 2);
  return (values[low] as number) + ((values[low + 1] as number) - (values[low] as number)) * (place - low);
}

const TRISTIMULUS = defineHostStep("falseRgb.tristimulus", {
  pure: true,
  run: ([wavelengths], attrs) => {
    const nm = Array.from(asTensor(wavelengths).data as Int32Array);
    const n = nm.length;
    const weights = new Float32Array(n * 3);
    for (const [i, w] of nm.entries()) {
      const [before, after] = [Math.max(i - 1, 0), Math.min(i + 1, n - 1)];
      const spacing = n === 1 ? 1 : ((nm[after] as number) - (nm[before] as number)) / (after - before);
      for (const [k, table] of [CIE_X, CIE_Y, CIE_Z].entries()) weights[i * 3 + k] = cie(table, w) * spacing;
    }
    const end = CIE_START_NM + CIE_STEP_NM * (CIE_X.length - 1);
    return [
      float32([n, 3], weights),
      {
        strategy: "cie_tristimulus",
        illuminant: "D65",
        apply_gamma: attrs["gamma"] as boolean,
        sensor_bands_total: n,
        sensor_bands_visible: nm.filter((w) => w >= CIE_START_NM && w <= end).length,
        wavelength_range_nm: [Math.min(...nm), Math.max(...nm)],
      },
    ];
  },
});

const CAMERA = defineHostStep("falseRgb.camera", {
  pure: true,
  run: ([wavelengths], attrs) => {
    const nm = asTensor(wavelengths);
    const n = nm.data.length;
    const { peaks, sigmas } = attrs as { peaks: number[]; sigmas: number[] };
    const weights = new Float32Array(n * 3);
    for (let k = 0; k < 3; k++) {
      const row = Array.from({ length: n }, (_, i) => {
        const z = (at(nm, i) - (peaks[k] as number)) / (sigmas[k] as number);
        return Math.exp(-0.5 * z * z);
      });
      const sum = Math.max(
        row.reduce((a, b) => a + b, 0),
        1e-10,
      );
      for (const [i, weight] of row.entries()) weights[i * 3 + k] = weight / sum;
    }
    const named = ([r, g, b]: number[]): Value => ({ R: r as number, G: g as number, B: b as number });
    return [
      float32([n, 3], weights),
      { strategy: "camera_emulation", peaks_nm: named(peaks), sigmas_nm: named(sigmas), sensor_bands_total: n },
    ];
  },
});

/** Population variance + alpha · mean |Laplacian| of one band of one image; the border is repeated once. */
function contrast(
  image: Float32Array,
  rows: number,
  columns: number,
  channels: number,
  band: number,
  alpha: number,
): number {
  const value = (r: number, c: number): number => {
    const y = Math.min(Math.max(r, 0), rows - 1);
    const x = Math.min(Math.max(c, 0), columns - 1);
    return image[(y * columns + x) * channels + band] as number;
  };
  let sum = 0;
  let laplacian = 0;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const v = value(r, c);
      sum += v;
      laplacian += Math.abs(value(r - 1, c) + value(r + 1, c) + value(r, c - 1) + value(r, c + 1) - 4 * v);
    }
  }
  const n = rows * columns;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += ((image[i * channels + band] as number) - sum / n) ** 2;
  return squares / n + (alpha * laplacian) / n;
}

const CONTRAST = defineHostStep("falseRgb.contrast", {
  pure: true,
  run: ([cube, wavelengths], attrs) => {
    const [data, nm] = [asTensor(cube), asTensor(wavelengths)];
    const [, rows, columns, channels] = data.shape as [number, number, number, number];
    const image = toFloat32(data).subarray(0, rows * columns * channels);
    const { windows, alpha } = attrs as { windows: [number, number][]; alpha: number };
    const bands = windows.map((window) => {
      const inside = bandsIn(nm, window);
      if (inside.length === 0) return nearestBand(nm, (window[0] + window[1]) / 2);
      const scores = inside.map((band) => contrast(image, rows, columns, channels, band, alpha));
      return inside[scores.indexOf(Math.max(...scores))] as number;
    });
    return [
      indices(bands),
      {
        strategy: "high_contrast",
        band_indices: bands,
        band_wavelengths_nm: picked(nm, bands),
        windows_nm: windows,
        alpha,
      },
    ];
  },
});

const NDVI = defineHostStep("falseRgb.ndvi", {
  pure: true,
  run: ([wavelengths], attrs) => {
    const nm = asTensor(wavelengths);
    const targets = attrs["targets"] as [number, number];
    const bands = targets.map((target) => nearestBand(nm, target));
    return [
      indices(bands),
      {
        strategy: "ndvi",
        band_labels: ["nir", "red"],
        band_indices: bands,
        requested_wavelengths_nm: targets,
        resolved_wavelengths_nm: picked(nm, bands),
        rendering: "hsv_colormap",
        colormap: "hsv",
        colormap_min: attrs["low"] as number,
        colormap_max: attrs["high"] as number,
      },
    ];
  },
});

export const COMMON_PARAMS = {
  norm_mode: text({ default: "running", choices: ["running", "per_frame", "statistical"] }),
  apply_gamma: bool({ default: true }),
  freeze_running_bounds_after_frames: int({ default: 20, minimum: 1, nullable: true }),
  running_warmup_frames: int({ default: 10, minimum: 0 }),
} satisfies ParamSpecs;

export const COMMON_INPUTS = [port("cube", "float32", CUBE), port("wavelengths", "np-int32", ["C"])];
const OUTPUTS = [port("rgb_image", "float32", IMAGE), port("band_info", "dict", [])];

const unknownBounds = (): Tensor => float32([3], [Number.NaN, Number.NaN, Number.NaN]);
export const BOUND_STATES: readonly StateSpec[] = [
  { name: "running_min", kind: "buffer", volatile: true, initial: unknownBounds },
  { name: "running_max", kind: "buffer", volatile: true, initial: unknownBounds },
  { name: "frames", kind: "unstored", volatile: true, initial: () => tensor("int64", [], [0]) },
];

/** Raw colours and what the node says about them. */
export interface Raw {
  readonly rgb: GraphValue;
  readonly info: GraphValue;
}

/** Quantiles of the frame per channel, [3] each: all images of a call are one frame. */
function frameBounds(g: Graph, rgb: GraphValue): { low: GraphValue; high: GraphValue } {
  const axes = [0, 1, 2];
  return {
    low: g.squeeze(quantile(g, rgb, axes, LOW_QUANTILE), axes),
    high: g.squeeze(quantile(g, rgb, axes, HIGH_QUANTILE), axes),
  };
}

function normalized({ g, h, state, setState }: EmitContext, rgb: GraphValue): GraphValue {
  const scaled = (low: GraphValue, high: GraphValue): GraphValue =>
    g.clamp(g.div(g.sub(rgb, low), g.max(g.sub(high, low), 1e-8)), 0, 1);
  const mode = h.text("norm_mode");
  const ownLow = (): GraphValue => g.minimum(rgb, [1, 2], true);
  const ownHigh = (): GraphValue => g.maximum(rgb, [1, 2], true);
  if (mode === "per_frame") return scaled(ownLow(), ownHigh());
  const [storedLow, storedHigh] = [state("running_min"), state("running_max")];
  if (mode === "statistical") {
    return scaled(
      g.where(g.isNaN(storedLow), ownLow(), storedLow),
      g.where(g.isNaN(storedHigh), ownHigh(), storedHigh),
    );
  }
  const { low, high } = frameBounds(g, rgb);
  const frame = g.add(state("frames"), 1);
  const limit = h.numOrNull("freeze_running_bounds_after_frames");
  const follow = (stored: GraphValue, seen: GraphValue, how: "min" | "max"): GraphValue => {
    const next = g.where(g.isNaN(stored), seen, g.binary(how, stored, seen));
    return limit === null ? next : g.where(g.lessOrEqual(frame, limit), next, stored);
  };
  const [nextLow, nextHigh] = [follow(storedLow, low, "min"), follow(storedHigh, high, "max")];
  setState("running_min", nextLow);
  setState("running_max", nextHigh);
  setState("frames", frame);
  const warm = g.lessOrEqual(frame, h.num("running_warmup_frames"));
  return scaled(g.where(warm, low, nextLow), g.where(warm, high, nextHigh));
}

/** The transfer curve of sRGB. */
function gamma(g: Graph, v: GraphValue): GraphValue {
  const curve = g.sub(g.mul(g.pow(g.max(v, 1e-10), 1 / 2.4), 1.055), 0.055);
  return g.where(g.lessOrEqual(v, 0.0031308), g.mul(v, 12.92), curve);
}

/** Raw colours normalised and with gamma, as the node's outputs. */
export function finish(context: EmitContext, { rgb, info }: Raw): Record<string, GraphValue> {
  const colours = normalized(context, rgb);
  const curved = context.h.flag("apply_gamma") ? gamma(context.g, colours) : colours;
  return { rgb_image: curved, band_info: info };
}

/** Bounds over a stream: minimum of the low and maximum of the high quantiles, from where the states stand. */
export function boundsFitter(current: (state: string) => Tensor): Fitter {
  const low = Float64Array.from(current("running_min").data as Float32Array);
  const high = Float64Array.from(current("running_max").data as Float32Array);
  return {
    update(inputs) {
      const [a, b] = [asTensor(inputs["low"]), asTensor(inputs["high"])];
      for (let k = 0; k < 3; k++) {
        low[k] = Number.isNaN(low[k]) ? at(a, k) : Math.min(low[k] as number, at(a, k));
        high[k] = Number.isNaN(high[k]) ? at(b, k) : Math.max(high[k] as number, at(b, k));
      }
    },
    finish: () => ({ running_min: float32([3], low), running_max: float32([3], high) }),
  };
}

interface Selector {
  readonly name: string;
  readonly summary: string;
  readonly params: ParamSpecs;
  readonly states?: (h: Params) => readonly StateSpec[];
  readonly raw: (context: EmitContext) => Raw;
}

function selector({ name, summary, params, states, raw }: Selector): NodeType {
  return defineNode({
    className: `cuvis_ai.node.channel_selector.${name}`,
    role: "transform",
    summary,
    params: { ...params, ...COMMON_PARAMS },
    inputs: COMMON_INPUTS,
    outputs: OUTPUTS,
    states: (h) => [...BOUND_STATES, ...(states?.(h) ?? [])],
    needsFit: (h) => h.text("norm_mode") === "statistical",
    usableUnfitted: true,
    fit: (_h, _node, current) => boundsFitter(current),
    emitFit(context) {
      return { ...frameBounds(context.g, raw(context).rgb) };
    },
    emit: (context) => finish(context, raw(context)),
  });
}

function byNearest(
  { g, in: input }: EmitContext,
  targets: readonly number[],
  info: Readonly<Record<string, unknown>>,
): Raw {
  const [bands, about] = g.host(NEAREST, [input("wavelengths")], [BANDS, OBJECT], { targets, info }) as [
    GraphValue,
    GraphValue,
  ];
  return { rgb: g.gather(input("cube"), bands, -1), info: about };
}

function byWeights({ g, in: input }: EmitContext, step: string, attrs: Readonly<Record<string, unknown>>): Raw {
  const channels = input("wavelengths").shape[0] as Dim;
  const outputs = [{ dtype: "float32", shape: [channels, 3] }, OBJECT] as const;
  const [weights, info] = g.host(step, [input("wavelengths")], outputs, attrs) as [GraphValue, GraphValue];
  return { rgb: g.matmul(input("cube"), weights), info };
}

const RANGE_PARAMS = {
  red_range: list({ default: [580, 650] }),
  green_range: list({ default: [500, 580] }),
  blue_range: list({ default: [420, 500] }),
};

const rangesOf = (h: Params) => ({
  red: h.nums("red_range"),
  green: h.nums("green_range"),
  blue: h.nums("blue_range"),
});

const rangeState = (h: Params): readonly StateSpec[] => [
  {
    name: "_ranges",
    kind: "buffer",
    initial: () => float32([3, 2], [...h.nums("red_range"), ...h.nums("green_range"), ...h.nums("blue_range")]),
  },
];

const CONTRAST_WINDOWS = [
  [440, 500],
  [500, 580],
  [610, 700],
];

export const falseRgbNodes = [
  selector({
    name: "FixedWavelengthSelector",
    summary: "The bands nearest to three wavelengths.",
    params: { target_wavelengths: list({ default: [650, 550, 450] }) },
    raw: (context) => byNearest(context, context.h.nums("target_wavelengths"), { strategy: "baseline_false_rgb" }),
  }),
  selector({
    name: "CIRSelector",
    summary: "Colour infrared: near infrared, red and green as red, green and blue.",
    params: { nir_nm: float({ default: 860 }), red_nm: float({ default: 670 }), green_nm: float({ default: 560 }) },
    raw: (context) =>
      byNearest(context, [context.h.num("nir_nm"), context.h.num("red_nm"), context.h.num("green_nm")], {
        strategy: "cir_false_color",
        channel_mapping: { R: "NIR", G: "Red", B: "Green" },
      }),
  }),
  selector({
    name: "CIETristimulusFalseRGBSelector",
    summary: "Colours as the CIE 1931 observer sees them.",
    params: {},
    states: () => [{ name: "_xyz_to_srgb_matrix", kind: "buffer", initial: () => float32([3, 3], XYZ_TO_SRGB) }],
    raw(context) {
      const { g, h, state } = context;
      const { rgb, info } = byWeights(context, TRISTIMULUS, { gamma: h.flag("apply_gamma") });
      return { rgb: g.relu(g.matmul(rgb, g.transpose(state("_xyz_to_srgb_matrix"), [1, 0]))), info };
    },
  }),
  selector({
    name: "HighContrastSelector",
    summary: "The band of highest contrast in each of three windows.",
    params: { windows: list({ default: CONTRAST_WINDOWS }), alpha: float({ default: 0.1 }) },
    raw({ g, h, in: input }) {
      const attrs = { windows: h.pairs("windows"), alpha: h.num("alpha") };
      const [bands, info] = g.host(CONTRAST, [input("cube"), input("wavelengths")], [BANDS, OBJECT], attrs) as [
        GraphValue,
        GraphValue,
      ];
      return { rgb: g.gather(input("cube"), bands, -1), info };
    },
  }),
  selector({
    name: "RangeAverageFalseRGBSelector",
    summary: "Mean of the bands in each of three ranges.",
    params: RANGE_PARAMS,
    states: rangeState,
    raw: (context) => byWeights(context, RANGES, { ranges: rangesOf(context.h), strategy: "range_average_false_rgb" }),
  }),
  selector({
    name: "CameraEmulationFalseRGBSelector",
    summary: "Gaussian sensitivities around three peaks.",
    params: {
      r_peak: float({ default: 610 }),
      g_peak: float({ default: 540 }),
      b_peak: float({ default: 460 }),
      r_sigma: float({ default: 40 }),
      g_sigma: float({ default: 35 }),
      b_sigma: float({ default: 30 }),
    },
    raw(context) {
      const { h } = context;
      return byWeights(context, CAMERA, {
        peaks: [h.num("r_peak"), h.num("g_peak"), h.num("b_peak")],
        sigmas: [h.num("r_sigma"), h.num("g_sigma"), h.num("b_sigma")],
      });
    },
  }),
  defineNode({
    className: "cuvis_ai.node.channel_selector.FastRGBSelector",
    role: "transform",
    summary: "Mean of the bands in each of three ranges, scaled by the mean brightness to 8 bits.",
    params: { ...RANGE_PARAMS, normalization_strength: float({ default: 0.75 }), ...COMMON_PARAMS },
    inputs: COMMON_INPUTS,
    outputs: OUTPUTS,
    states: (h) => [...BOUND_STATES, ...rangeState(h)],
    emit(context) {
      const { g, h } = context;
      const { rgb, info } = byWeights(context, RANGES, { ranges: rangesOf(h), strategy: "fast_rgb" });
      const strength = h.num("normalization_strength");
      const mean = g.total("mean", rgb);
      const factor =
        strength <= 0.001
          ? g.constant(float32([], [255 / 10000]))
          : g.where(g.lessOrEqual(mean, 1e-12), 0, g.div(strength * 128, g.max(mean, 1e-12)));
      const [about] = g.host(FAST_INFO, [info, factor], [OBJECT], { strength }) as [GraphValue];
      const levels = g.clamp(g.unary("round", g.mul(rgb, factor)), 0, 255);
      return { rgb_image: g.div(levels, 255), band_info: about };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.channel_selector.NDVISelector",
    role: "transform",
    summary: "Normalised difference vegetation index, also as colours.",
    params: {
      nir_nm: float({ default: 827 }),
      red_nm: float({ default: 668 }),
      colormap_min: float({ default: -0.7 }),
      colormap_max: float({ default: 0.5 }),
      eps: float({ default: 1e-6 }),
      ...COMMON_PARAMS,
    },
    inputs: COMMON_INPUTS,
    outputs: [port("index_image", "float32", PIXELS), ...OUTPUTS],
    states: () => BOUND_STATES,
    emit({ g, h, in: input }) {
      const [low, high] = [h.num("colormap_min"), h.num("colormap_max")];
      const attrs = { targets: [h.num("nir_nm"), h.num("red_nm")], low, high };
      const outputs = [{ dtype: "int64", shape: [2] }, OBJECT] as const;
      const [bands, info] = g.host(NDVI, [input("wavelengths")], outputs, attrs) as [GraphValue, GraphValue];
      const both = g.gather(input("cube"), bands, -1);
      const [nir, red] = [g.slice(both, -1, 0, 1), g.slice(both, -1, 1, 2)];
      const sum = g.add(nir, red);
      const dark = g.lessOrEqual(g.abs(sum), h.num("eps"));
      const index = g.where(dark, 0, g.div(g.sub(nir, red), g.where(dark, 1, sum)));
      const colours = hsvColours(g, g.clamp(g.div(g.sub(index, low), high - low), 0, 1));
      return { index_image: index, rgb_image: colours, band_info: info };
    },
  }),
];
