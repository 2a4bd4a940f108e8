// Preprocessors: band passes, rotation, normalisation of colour channels, colour maps, regions of interest.
import { invalidValue } from "../errors.ts";
import { asTensor, type Graph, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { at, tensor, toFloat32 } from "../graph/tensor.ts";
import { hsvColours } from "./graph-functions.ts";
import { CUBE, defineNode, FRAME, IMAGE, optional, PIXELS, port } from "./node-type.ts";
import { bool, float, int, list } from "./params.ts";
import { float32 } from "./statistics.ts";

/** Indices of the bands within limits, both inclusive. */
const BANDS_WITHIN = defineHostStep("bands.within", {
  pure: true,
  run: ([wavelengths], attrs, { node }) => {
    const nm = asTensor(wavelengths);
    const low = attrs["low"] as number;
    const high = (attrs["high"] ?? Infinity) as number;
    const kept = Array.from({ length: nm.data.length }, (_, i) => i).filter(
      (i) => at(nm, i) >= low && at(nm, i) <= high,
    );
    if (kept.length === 0) {
      throw invalidValue(`Node '${node}': no band lies between ${low} nm and ${high} nm`, {
        node,
        port: "wavelengths",
      });
    }
    return [tensor("int64", [kept.length], kept)];
  },
});

/** One quarter turn counter-clockwise of the axes H and W, `turns` times. */
function rotate(g: Graph, x: GraphValue, turns: number): GraphValue {
  const swap = [0, 2, 1, ...[...x.shape.keys()].slice(3)];
  const flip = (y: GraphValue, axis: number): GraphValue => g.slice(y, axis, -1, -2147483647, -1);
  if (turns === 1) return flip(g.transpose(x, swap), 1);
  if (turns === 2) return flip(flip(x, 1), 2);
  if (turns === 3) return flip(g.transpose(x, swap), 2);
  return x;
}

/**
 * Regions of images [N, C, H, W] at boxes [n, 5] (image, x1, y1, x2, y2), bilinear with adaptive sampling.
 * @see He et al., "Mask R-CNN" (2017), section 3, RoIAlign
 */
export function roiAlign(
  images: { data: Float32Array; shape: readonly number[] },
  boxes: readonly (readonly [number, number, number, number, number])[],
  [height, width]: readonly [number, number],
  aligned: boolean,
): Float32Array {
  const [, channels, rows, columns] = images.shape as [number, number, number, number];
  const result = new Float32Array(boxes.length * channels * height * width);
  const shift = aligned ? 0.5 : 0;
  let out = 0;
  for (const [image, x1, y1, x2, y2] of boxes) {
    const [left, top] = [x1 - shift, y1 - shift];
    let [boxWidth, boxHeight] = [x2 - x1, y2 - y1];
    if (!aligned) [boxWidth, boxHeight] = [Math.max(boxWidth, 1), Math.max(boxHeight, 1)];
    const [binWidth, binHeight] = [boxWidth / width, boxHeight / height];
    const across = Math.ceil(binWidth);
    const down = Math.ceil(binHeight);
    const samples = Math.max(across * down, 1);
    for (let c = 0; c < channels; c++) {
      const plane = images.data.subarray(
        (image * channels + c) * rows * columns,
        (image * channels + c + 1) * rows * columns,
      );
      for (let by = 0; by < height; by++) {
        for (let bx = 0; bx < width; bx++) {
          let sum = 0;
          for (let sy = 0; sy < down; sy++) {
            const y = top + by * binHeight + ((sy + 0.5) * binHeight) / down;
            for (let sx = 0; sx < across; sx++) {
              sum += bilinear(plane, rows, columns, y, left + bx * binWidth + ((sx + 0.5) * binWidth) / across);
            }
          }
          result[out++] = sum / samples;
        }
      }
    }
  }
  return result;
}

/** 0 more than a pixel outside of the plane; at its rim the nearest pixel. */
function bilinear(plane: Float32Array, rows: number, columns: number, y: number, x: number): number {
  if (y < -1 || y > rows || x < -1 || x > columns) return 0;
  const cy = Math.max(y, 0);
  const cx = Math.max(x, 0);
  const y0 = Math.min(Math.floor(cy), rows - 1);
  const x0 = Math.min(Math.floor(cx), columns - 1);
  const y1 = Math.min(y0 + 1, rows - 1);
  const x1 = Math.min(x0 + 1, columns - 1);
  const fy = y0 >= rows - 1 ? 0 : cy - y0;
  const fx = x0 >= columns - 1 ? 0 : cx - x0;
  const p = (r: number, c: number): number => plane[r * columns + c] as number;
  return (p(y0, x0) * (1 - fx) + p(y0, x1) * fx) * (1 - fy) + (p(y1, x0) * (1 - fx) + p(y1, x1) * fx) * fy;
}

const CROP = defineHostStep("boxes.crop", {
  pure: true,
  run: ([images, boxes], attrs) => {
    const [pixels, table] = [asTensor(images), asTensor(boxes)];
    const perImage = table.shape[1] as number;
    const chosen: [number, number, number, number, number][] = [];
    for (let i = 0; i < table.data.length / 4; i++) {
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((k) => at(table, i * 4 + k)) as [number, number, number, number];
      if (Math.max(x1, y1, x2, y2) > 0) chosen.push([Math.floor(i / perImage), x1, y1, x2, y2]);
    }
    const size = attrs["size"] as [number, number];
    const crops = roiAlign({ data: toFloat32(pixels), shape: pixels.shape }, chosen, size, attrs["aligned"] as boolean);
    return [float32([chosen.length, pixels.shape[1] as number, ...size], crops)];
  },
});

export const preprocessorNodes = [
  defineNode({
    className: "cuvis_ai.node.preprocessors.BandpassByWavelength",
    role: "transform",
    summary: "Keeps the bands between two wavelengths.",
    params: { min_wavelength_nm: float(), max_wavelength_nm: float({ default: null }) },
    inputs: [port("data", "float32", CUBE), port("wavelengths", "np-int32", ["C"])],
    outputs: [port("filtered", "float32", ["B", "H", "W", "K"])],
    emit({ g, h, in: input }) {
      const [indices] = g.host(BANDS_WITHIN, [input("wavelengths")], [{ dtype: "int64", shape: [g.freshDim()] }], {
        low: h.num("min_wavelength_nm"),
        high: h.numOrNull("max_wavelength_nm"),
      }) as [GraphValue];
      return { filtered: g.gather(input("data"), indices, -1) };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.preprocessors.SpatialRotateNode",
    role: "transform",
    summary: "Turns images by quarter turns, counter-clockwise for positive angles.",
    params: { rotation: int({ default: null, choices: [0, 90, -90, 180, -180, 270, -270] }) },
    inputs: [port("cube", "float32", CUBE), optional("mask", "int32", FRAME), optional("rgb_image", "float32", IMAGE)],
    outputs: [
      port("cube", "float32", ["B", "I", "J", "C"]),
      optional("mask", "int32", ["B", "I", "J"]),
      optional("rgb_image", "float32", ["B", "I", "J", 3]),
    ],
    emit({ g, h, in: input, has }) {
      const turns = ((((h.numOrNull("rotation") ?? 0) / 90) % 4) + 4) % 4;
      const outputs: Record<string, GraphValue> = {};
      for (const name of ["cube", "mask", "rgb_image"]) if (has(name)) outputs[name] = rotate(g, input(name), turns);
      return outputs;
    },
  }),
  defineNode({
    className: "cuvis_ai.node.preprocessors.BBoxRoiCropNode",
    role: "transform",
    summary: "Cuts boxes out of images and resamples them to one size (RoI align).",
    params: { output_size: list({ default: [256, 128] }), aligned: bool({ default: true }) },
    inputs: [port("images", "float32", CUBE), port("bboxes", "float32", ["B", "N", 4])],
    outputs: [port("crops", "float32", ["K", "C", "I", "J"])],
    emit({ g, h, in: input }) {
      const images = g.transpose(input("images"), [0, 3, 1, 2]);
      const size = h.nums("output_size");
      const shape = [g.freshDim(), images.shape[1] as number, ...size];
      const attrs = { size, aligned: h.flag("aligned") };
      return { crops: g.host(CROP, [images, input("bboxes")], [{ dtype: "float32", shape }], attrs)[0] as GraphValue };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.preprocessors.ChannelNormalizeNode",
    role: "transform",
    summary: "Subtracts a mean and divides by a deviation per channel of [N, C, H, W] images.",
    params: { mean: list({ default: [0.485, 0.456, 0.406] }), std: list({ default: [0.229, 0.224, 0.225] }) },
    inputs: [port("images", "float32", ["N", "C", "H", "W"])],
    outputs: [port("normalized", "float32", ["N", "C", "H", "W"])],
    states: (h) =>
      (["mean", "std"] as const).map((name) => ({
        name: `_${name}_buf`,
        kind: "buffer" as const,
        initial: () => float32([1, h.nums(name).length, 1, 1], h.nums(name)),
      })),
    emit: ({ g, in: input, state }) => ({
      normalized: g.div(g.sub(input("images"), state("_mean_buf")), state("_std_buf")),
    }),
  }),
  defineNode({
    className: "cuvis_ai.node.colormap.ScalarHSVColormapNode",
    role: "transform",
    summary: "Colours scalar values by hue.",
    params: { value_min: float({ default: 0 }), value_max: float({ default: 1 }) },
    inputs: [port("data", "float32", PIXELS)],
    outputs: [port("rgb_image", "float32", IMAGE)],
    emit({ g, h, in: input }) {
      const low = h.num("value_min");
      return { rgb_image: hsvColours(g, g.clamp(g.div(g.sub(input("data"), low), h.num("value_max") - low), 0, 1)) };
    },
  }),
];
