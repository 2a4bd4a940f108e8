// Overlays on frames: masks, tracked objects, pointers and boxes.
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { roundHalfEven } from "../graph/interpret.ts";
import { at, isTensor, type Tensor, toFloat64, type Value } from "../graph/tensor.ts";
import { objectColour } from "./colours.ts";
import { type Colour, Frame, WHITE } from "./drawing.ts";
import { defineNode, FRAME, IMAGE, type NodeType, optional, port } from "./node-type.ts";
import { bool, float, int, list } from "./params.ts";
import { float32 } from "./statistics.ts";

/** Ids to show: those asked for that are in the mask, in their order, or all positive ones ascending. */
export function shownIds(mask: Tensor, ids: Tensor | undefined): number[] {
  const present = new Set(toFloat64(mask));
  if (ids) return [...new Set(toFloat64(ids))].filter((id) => id > 0 && present.has(id));
  return [...present].filter((id) => id > 0).sort((a, b) => a - b);
}

interface Extent {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly meanX: number;
  readonly width: number;
  readonly height: number;
}

function extentOf(mask: Tensor, id: number, width: number): Extent {
  let [left, right, top, bottom, sum, count] = [Infinity, -1, Infinity, -1, 0, 0];
  for (let i = 0; i < mask.data.length; i++) {
    if (at(mask, i) !== id) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
    sum += x;
    count++;
  }
  return { left, right, top, meanX: sum / count, width: right - left + 1, height: bottom - top + 1 };
}

/** True at mask pixels with a background pixel within two steps; outside of the image is no background. */
function onContour(mask: Tensor, id: number, x: number, y: number, width: number, height: number): boolean {
  for (let dy = -2; dy <= 2; dy++) {
    for (let dx = -2; dx <= 2; dx++) {
      const [nx, ny] = [x + dx, y + dy];
      if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
      if (at(mask, ny * width + nx) !== id) return true;
    }
  }
  return false;
}

interface OverlayAttributes {
  readonly alpha: number;
  readonly contours: boolean;
  readonly labels: boolean;
  readonly pointers: boolean;
  readonly has: { readonly ids: boolean; readonly frame: boolean };
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** A downward triangle above an object, black outline. */
function pointer(frame: Frame, object: Extent, colour: Colour): void {
  const width = clamp(roundHalfEven(0.45 * object.width), 12, 48);
  const height = clamp(roundHalfEven(0.8 * width), 10, 36);
  const gap = clamp(roundHalfEven(0.3 * height), 4, 10);
  const outline = width < 20 || height < 16 ? 1 : 2;
  const tipX = clamp(
    roundHalfEven(object.meanX),
    Math.floor(width / 2),
    Math.max(frame.width - 1 - Math.floor(width / 2), 0),
  );
  const tipY = clamp(object.top - gap, height, frame.height - 1);
  for (let row = 0; row <= height; row++) {
    const y = tipY - row;
    const half = (row / height) * (width / 2);
    for (let x = Math.ceil(tipX - half); x <= Math.floor(tipX + half); x++) {
      const edge = row >= height - outline + 1 || x - (tipX - half) < outline || tipX + half - x < outline;
      frame.set(x, y, edge ? [0, 0, 0] : colour);
    }
  }
}

const TRACKS = defineHostStep("overlay.tracks", {
  pure: true,
  run: (inputs, attrs) => {
    const { alpha, contours, labels, pointers, has } = attrs as unknown as OverlayAttributes;
    const [images, mask] = [asTensor(inputs[0]), asTensor(inputs[1])];
    const ids = has.ids ? asTensor(inputs[2]) : undefined;
    const frameId = has.frame ? asTensor(inputs[has.ids ? 3 : 2]) : undefined;
    const frame = Frame.of(images);
    const [width, height] = [frame.width, frame.height];
    const shown = shownIds(mask, ids);
    for (const id of shown) {
      const colour = objectColour(id);
      if (!pointers) fill(frame, mask, id, colour, alpha, contours);
      else pointer(frame, extentOf(mask, id, width), colour);
    }
    if (labels) {
      for (const id of shown) {
        const { left, top } = extentOf(mask, id, width);
        frame.text(String(id), left - 1, Math.max(top - 14 - 4, 0), WHITE, 2);
      }
    }
    if (frameId) frame.text(`frame ${at(frameId, 0)}`, 8, 8, WHITE, 2);
    return [float32([1, height, width, 3], frame.toTensor().data)];
  },
});

function fill(frame: Frame, mask: Tensor, id: number, colour: Colour, alpha: number, contours: boolean): void {
  const { width, height } = frame;
  for (let i = 0; i < width * height; i++) {
    if (at(mask, i) !== id) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    frame.blend(x, y, colour, alpha);
    if (contours && onContour(mask, id, x, y, width, height)) frame.set(x, y, colour);
  }
}

interface BoxAttributes {
  readonly thickness: number;
  readonly labels: boolean;
  readonly sparklines: boolean;
  readonly sparklineHeight: number;
  readonly hideUntracked: boolean;
  readonly has: readonly string[];
}

/** A curve of min-max scaled values, filled down to the bottom, on the darkened foot of a box. */
function sparkline(
  frame: Frame,
  [x0, , x1, y1]: readonly number[],
  values: ArrayLike<number>,
  height: number,
  colour: Colour,
): void {
  const [left, right, bottom] = [x0 as number, x1 as number, y1 as number];
  frame.darken(left, bottom - height, right, bottom, 0.5);
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i] as number);
    high = Math.max(high, values[i] as number);
  }
  for (let x = left; x < right; x++) {
    const place = Math.round(((x - left) / Math.max(right - left - 1, 1)) * (values.length - 1));
    const scaled = ((values[place] as number) - low) / Math.max(high - low, 1e-12);
    for (let y = bottom - 1 - Math.round(scaled * (height - 1)); y < bottom; y++) frame.set(x, y, colour);
  }
}

const BOXES = defineHostStep("overlay.boxes", {
  pure: true,
  run: (inputs, attrs) => {
    const { thickness, labels, sparklines, sparklineHeight, hideUntracked, has } = attrs as unknown as BoxAttributes;
    const given = new Map<string, Value>(has.map((name, i) => [name, inputs[i] as Value]));
    const tensorAt = (name: string): Tensor | undefined => {
      const value = given.get(name);
      return isTensor(value) ? value : undefined;
    };
    const frame = Frame.of(asTensor(given.get("rgb_image")));
    const boxes = asTensor(given.get("bboxes"));
    const ids = asTensor(given.get("category_ids"));
    const spectra = tensorAt("spectral_signatures");
    for (let i = 0; i < (boxes.shape[1] as number); i++) {
      const id = at(ids, i);
      if (hideUntracked && id < 0) continue;
      const limit = (k: number): number => (k % 2 === 0 ? frame.width : frame.height);
      const box = [0, 1, 2, 3].map((k) => clamp(roundHalfEven(at(boxes, i * 4 + k)), 0, limit(k))) as [
        number,
        number,
        number,
        number,
      ];
      const [x0, y0, x1, y1] = box;
      if (x1 <= x0 || y1 <= y0) continue;
      const colour = objectColour(id);
      if (sparklines && spectra && x1 - x0 >= 4 && y1 - y0 >= sparklineHeight + 4) {
        const channels = spectra.shape[2] as number;
        sparkline(frame, box, toFloat64(spectra).subarray(i * channels, (i + 1) * channels), sparklineHeight, colour);
      }
      frame.box(x0, y0, x1, y1, colour, thickness);
      if (labels) frame.text(String(id), x0, Math.max(y0 - 16, 0), WHITE, 2);
    }
    const frameId = tensorAt("frame_id");
    if (frameId) frame.text(`frame ${at(frameId, 0)}`, 8, 8, WHITE, 2);
    return [frame.toTensor()];
  },
});

const ONE_IMAGE = [1, "H", "W", 3] as const;

function trackingNode(name: string, summary: string, pointers: boolean): NodeType {
  return defineNode({
    className: `cuvis_ai.node.anomaly_visualization.${name}`,
    role: "transform",
    summary,
    params: {
      alpha: float({ default: 0.4 }),
      draw_contours: bool({ default: true }),
      draw_ids: bool({ default: true }),
    },
    inputs: [
      port("rgb_image", "float32", ONE_IMAGE),
      port("mask", "int32", [1, "H", "W"]),
      optional("object_ids", "int64", [1, "N"]),
      optional("frame_id", "int64", [1]),
    ],
    outputs: [port("rgb_with_overlay", "float32", ONE_IMAGE)],
    emit({ g, h, in: input, has }) {
      const given = [input("rgb_image"), input("mask")];
      for (const name of ["object_ids", "frame_id"]) if (has(name)) given.push(input(name));
      const attrs: OverlayAttributes = {
        alpha: h.num("alpha"),
        contours: h.flag("draw_contours"),
        labels: h.flag("draw_ids"),
        pointers,
        has: { ids: has("object_ids"), frame: has("frame_id") },
      };
      const outputs = [{ dtype: "float32", shape: input("rgb_image").shape }] as const;
      return { rgb_with_overlay: g.host(TRACKS, given, outputs, { ...attrs })[0] as GraphValue };
    },
  });
}

const BOX_INPUTS = [
  port("rgb_image", "float32", ONE_IMAGE),
  port("bboxes", "float32", [1, "N", 4]),
  port("category_ids", "int64", [1, "N"]),
  optional("frame_id", "int64", [1]),
  optional("confidences", "float32", [1, "N"]),
  optional("spectral_signatures", "float32", [1, "N", "C"]),
];

export const overlayNodes = [
  defineNode({
    className: "cuvis_ai.node.anomaly_visualization.MaskOverlayNode",
    role: "transform",
    summary: "Tints the pixels of a mask.",
    params: { alpha: float({ default: 0.4 }), overlay_color: list({ default: [1, 0, 0] }) },
    inputs: [port("rgb_image", "float32", IMAGE), optional("mask", "int32", FRAME)],
    outputs: [port("rgb_with_overlay", "float32", IMAGE)],
    emit({ g, h, in: input, has }) {
      const x = input("rgb_image");
      if (!has("mask")) return { rgb_with_overlay: x };
      const m = g.mul(g.unsqueeze(g.cast(g.greater(input("mask"), 0), "float32"), [-1]), h.num("alpha"));
      const colour = g.list("float32", h.nums("overlay_color"));
      return { rgb_with_overlay: g.clamp(g.add(g.mul(g.sub(1, m), x), g.mul(m, colour)), 0, 1) };
    },
  }),
  trackingNode("TrackingOverlayNode", "Tints and outlines tracked objects, with their ids.", false),
  trackingNode("TrackingPointerOverlayNode", "Points at tracked objects with triangles.", true),
  defineNode({
    className: "cuvis_ai.node.anomaly_visualization.BBoxesOverlayNode",
    role: "transform",
    summary: "Outlines boxes in the colours of their ids.",
    params: {
      line_thickness: int({ default: 2, minimum: 1 }),
      draw_labels: bool({ default: false }),
      draw_sparklines: bool({ default: false }),
      sparkline_height: int({ default: 24, minimum: 1 }),
      hide_untracked: bool({ default: false }),
    },
    inputs: BOX_INPUTS,
    outputs: [port("rgb_with_overlay", "float32", ONE_IMAGE)],
    emit({ g, h, in: input, has }) {
      const names = BOX_INPUTS.map((spec) => spec.name).filter(has);
      const attrs: BoxAttributes = {
        thickness: h.num("line_thickness"),
        labels: h.flag("draw_labels"),
        sparklines: h.flag("draw_sparklines"),
        sparklineHeight: h.num("sparkline_height"),
        hideUntracked: h.flag("hide_untracked"),
        has: names,
      };
      const outputs = [{ dtype: "float32", shape: input("rgb_image").shape }] as const;
      return { rgb_with_overlay: g.host(BOXES, names.map(input), outputs, { ...attrs })[0] as GraphValue };
    },
  }),
];
