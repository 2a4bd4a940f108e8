// Spectral signatures of boxes and masks: trimmed medians or means of the pixels of an object.
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { roundHalfEven } from "../graph/interpret.ts";
import { at, type Tensor, tensor, toFloat32, toFloat64 } from "../graph/tensor.ts";
import { CUBE, defineNode, optional, port } from "./node-type.ts";
import { bool, float, int, text } from "./params.ts";
import { float32, mean } from "./statistics.ts";

interface Rules {
  readonly minPixels: number;
  readonly trim: number;
  readonly aggregation: "median" | "mean";
  readonly zeroNorm: number;
}

interface Signature {
  readonly values: Float64Array;
  readonly deviation: Float64Array;
}

const lengthOf = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum);
};

/** Statistics of pixels (rows of `channels`) after unusable ones and the extremes of each channel are dropped. */
function signature(pixels: readonly Float32Array[], channels: number, rules: Rules): Signature {
  const zeros = { values: new Float64Array(channels), deviation: new Float64Array(channels) };
  const finite = pixels.filter((pixel) => pixel.every(Number.isFinite));
  if (finite.length < rules.minPixels) return zeros;
  const usable = finite.filter((pixel) => lengthOf(pixel) >= rules.zeroNorm);
  if (usable.length < rules.minPixels || usable.length === 0) return zeros;
  const cut = Math.floor(usable.length * rules.trim);
  for (let c = 0; c < channels; c++) {
    const sorted = Float64Array.from(usable, (pixel) => pixel[c] as number).sort();
    const kept = sorted.length > 2 * cut ? sorted.subarray(cut, sorted.length - cut) : sorted;
    const centre = mean(kept);
    const middle = kept[Math.floor((kept.length - 1) / 2)] as number;
    zeros.values[c] = rules.aggregation === "median" ? middle : centre;
    zeros.deviation[c] = Math.sqrt(mean(kept.map((value) => (value - centre) ** 2)));
  }
  return zeros;
}

const clip = (value: number, limit: number): number => Math.min(Math.max(roundHalfEven(value), 0), limit);

/** Pixels of one box of the first image, shrunk to its centre unless too little is left. */
function boxPixels(cube: Tensor, box: readonly number[], scale: number, minCrop: number): Float32Array[] {
  const [, height, width, channels] = cube.shape as [number, number, number, number];
  let [x1, y1, x2, y2] = [
    clip(box[0] as number, width),
    clip(box[1] as number, height),
    clip(box[2] as number, width),
    clip(box[3] as number, height),
  ];
  if (x2 <= x1 || y2 <= y1) return [];
  const across = Math.floor(((x2 - x1) * (1 - scale)) / 2);
  const down = Math.floor(((y2 - y1) * (1 - scale)) / 2);
  const area = (x2 - x1 - 2 * across) * (y2 - y1 - 2 * down);
  if (area >= minCrop) [x1, x2, y1, y2] = [x1 + across, x2 - across, y1 + down, y2 - down];
  const data = toFloat32(cube);
  const pixels: Float32Array[] = [];
  for (let y = y1; y < y2; y++) {
    for (let x = x1; x < x2; x++)
      pixels.push(data.subarray((y * width + x) * channels, (y * width + x + 1) * channels));
  }
  return pixels;
}

const BOXES = defineHostStep("spectra.boxes", {
  pure: true,
  run: ([cubeValue, boxesValue], attrs) => {
    const [cube, boxes] = [asTensor(cubeValue), asTensor(boxesValue)];
    const channels = cube.shape[3] as number;
    const count = boxes.shape[1] as number;
    const { scale, minCrop, l2 } = attrs as { scale: number; minCrop: number; l2: boolean };
    const rules = attrs["rules"] as Rules;
    const values = new Float32Array(count * channels);
    const deviations = new Float32Array(count * channels);
    const valid = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const box = [0, 1, 2, 3].map((k) => at(boxes, i * 4 + k));
      const found = signature(boxPixels(cube, box, scale, minCrop), channels, rules);
      const length = lengthOf(found.values);
      valid[i] = length >= rules.zeroNorm ? 1 : 0;
      values.set(l2 && valid[i] ? found.values.map((v) => v / length) : found.values, i * channels);
      deviations.set(found.deviation, i * channels);
    }
    const shape = [1, count, channels];
    return [float32(shape, values), float32(shape, deviations), tensor("int32", [1, count], valid)];
  },
});

const MASKS = defineHostStep("spectra.masks", {
  pure: true,
  run: ([cubeValue, maskValue, idsValue], attrs) => {
    const [cube, mask] = [asTensor(cubeValue), asTensor(maskValue)];
    const [, height, width, channels] = cube.shape as [number, number, number, number];
    const [, maskHeight, maskWidth] = mask.shape as [number, number, number];
    const data = toFloat32(cube);
    const pixels = new Map<number, Float32Array[]>();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const my = Math.min(Math.floor((y * maskHeight) / height), maskHeight - 1);
        const mx = Math.min(Math.floor((x * maskWidth) / width), maskWidth - 1);
        const id = at(mask, my * maskWidth + mx);
        const pixel = data.subarray((y * width + x) * channels, (y * width + x + 1) * channels);
        const list = pixels.get(id);
        if (list) list.push(pixel);
        else pixels.set(id, [pixel]);
      }
    }
    const present = [...new Set(toFloat64(mask).slice(0, maskHeight * maskWidth))];
    const ids = idsValue ? [...toFloat64(asTensor(idsValue))] : present.filter((id) => id !== 0).sort((a, b) => a - b);
    const values = new Float32Array(ids.length * channels);
    const deviations = new Float32Array(ids.length * channels);
    for (const [i, id] of ids.entries()) {
      const found = signature(pixels.get(id) ?? [], channels, attrs["rules"] as Rules);
      values.set(found.values, i * channels);
      deviations.set(found.deviation, i * channels);
    }
    const shape = [1, ids.length, channels];
    return [float32(shape, values), float32(shape, deviations)];
  },
});

export const spectraNodes = [
  defineNode({
    className: "cuvis_ai.node.spectral_extractor.BBoxSpectralExtractor",
    role: "transform",
    summary: "Trimmed median or mean spectrum of each box.",
    params: {
      center_crop_scale: float({ default: 0.65, exclusiveMinimum: 0, maximum: 1 }),
      min_crop_pixels: int({ default: 4 }),
      trim_fraction: float({ default: 0.1, minimum: 0, exclusiveMaximum: 0.5 }),
      l2_normalize: bool({ default: true }),
      aggregation: text({ default: "median", choices: ["median", "mean"] }),
    },
    inputs: [port("cube", "float32", CUBE), port("bboxes", "float32", ["B", "N", 4])],
    outputs: [
      port("spectral_signatures", "float32", [1, "N", "C"]),
      port("spectral_std", "float32", [1, "N", "C"]),
      port("spectral_valid", "int32", [1, "N"]),
    ],
    emit({ g, h, in: input }) {
      const [cube, boxes] = [input("cube"), input("bboxes")];
      const shape = [1, boxes.shape[1] as number, cube.shape[3] as number];
      const [values, deviations, valid] = g.host(
        BOXES,
        [cube, boxes],
        [
          { dtype: "float32", shape },
          { dtype: "float32", shape },
          { dtype: "int32", shape: shape.slice(0, 2) },
        ],
        {
          scale: h.num("center_crop_scale"),
          minCrop: h.num("min_crop_pixels"),
          l2: h.flag("l2_normalize"),
          rules: {
            minPixels: h.num("min_crop_pixels"),
            trim: h.num("trim_fraction"),
            aggregation: h.text("aggregation"),
            zeroNorm: 1e-8,
          },
        },
      ) as [GraphValue, GraphValue, GraphValue];
      return { spectral_signatures: values, spectral_std: deviations, spectral_valid: valid };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.spectral_extractor.SpectralSignatureExtractor",
    role: "transform",
    summary: "Trimmed mean spectrum of each object of a mask.",
    params: {
      trim_fraction: float({ default: 0.1, minimum: 0, exclusiveMaximum: 0.5 }),
      min_mask_pixels: int({ default: 10 }),
      zero_norm_threshold: float({ default: 1e-8 }),
    },
    inputs: [
      port("cube", "float32", CUBE),
      port("mask", "int32", [1, "I", "J"]),
      optional("object_ids", "int64", [1, "N"]),
      optional("wavelengths", "any", ["C"]),
    ],
    outputs: [port("signatures", "float32", [1, "N", "C"]), port("signatures_std", "float32", [1, "N", "C"])],
    emit({ g, h, in: input, has }) {
      const ids = has("object_ids") ? [input("object_ids")] : [];
      const count = ids[0]?.shape[1] ?? g.freshDim();
      const shape = [1, count, input("cube").shape[3] as number];
      const [values, deviations] = g.host(
        MASKS,
        [input("cube"), input("mask"), ...ids],
        [
          { dtype: "float32", shape },
          { dtype: "float32", shape },
        ],
        {
          rules: {
            minPixels: h.num("min_mask_pixels"),
            trim: h.num("trim_fraction"),
            aggregation: "mean",
            zeroNorm: h.num("zero_norm_threshold"),
          },
        },
      ) as [GraphValue, GraphValue];
      return { signatures: values, signatures_std: deviations };
    },
  }),
];
