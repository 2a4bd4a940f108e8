// Occlusion of tracked objects: their region is filled with a colour, or smoothly from its rim (Laplace's equation).

import { invalidValue } from "../errors.ts";
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { roundHalfEven } from "../graph/interpret.ts";
import { at, toFloat32 } from "../graph/tensor.ts";
import { CUBE, defineNode, IMAGE, type NodeType, type PortSpec, port } from "./node-type.ts";
import { any, bool, float, int, list, text } from "./params.ts";
import { float32 } from "./statistics.ts";
import { type Detection, maskOf, readTracks, type Tracks } from "./tracks.ts";

interface OcclusionAttributes {
  readonly path: string;
  readonly tracks: readonly number[];
  readonly start: number;
  readonly end: number;
  readonly fill: "poisson" | readonly number[];
  readonly maxIterations: number;
  readonly tolerance: number;
  readonly shape: "bbox" | "mask";
  readonly mode: "static" | "dynamic";
  readonly scale: number;
  readonly padding: number;
  readonly fullWidth: boolean;
}

type Box = readonly [number, number, number, number];

/** [x0, y0, x1, y1] of a detection, scaled about its centre and padded. */
function grown({ box: [x, y, w, h] }: Detection, scale: number, padding: number): Box {
  const [cx, cy] = [x + w / 2, y + h / 2];
  return [
    cx - (w * scale) / 2 - padding,
    cy - (h * scale) / 2 - padding,
    cx + (w * scale) / 2 + padding,
    cy + (h * scale) / 2 + padding,
  ];
}

const union = (a: Box, b: Box): Box => [
  Math.min(a[0], b[0]),
  Math.min(a[1], b[1]),
  Math.max(a[2], b[2]),
  Math.max(a[3], b[3]),
];

function fillBox(region: Uint8Array, [x0, y0, x1, y1]: Box, height: number, width: number): void {
  const clip = (value: number, limit: number): number => Math.min(Math.max(roundHalfEven(value), 0), limit);
  for (let y = clip(y0, height); y < clip(y1, height); y++) {
    region.fill(1, y * width + clip(x0, width), y * width + clip(x1, width));
  }
}

/**
 * Pixels to occlude in a frame. A static box is the union of a track's boxes over all occluded frames, grown; a dynamic
 * one follows the track.
 */
function regionOf(
  tracks: Tracks,
  frame: number,
  attrs: OcclusionAttributes,
  height: number,
  width: number,
): Uint8Array {
  const region = new Uint8Array(height * width);
  const of = (at: number, id: number): Detection[] =>
    (tracks.byFrame.get(at) ?? []).filter((detection) => detection.trackId === id);
  for (const id of attrs.tracks) {
    if (attrs.shape === "mask") {
      for (const detection of of(frame, id)) {
        for (const [i, inside] of maskOf(detection, height, width).entries()) if (inside) region[i] = 1;
      }
    } else if (attrs.mode === "dynamic") {
      for (const detection of of(frame, id)) fillBox(region, grown(detection, 1, 0), height, width);
    } else {
      const boxes = tracks.frames
        .filter((at) => at >= attrs.start && at <= attrs.end)
        .flatMap((at) => of(at, id).map((detection) => grown(detection, attrs.scale, attrs.padding)));
      if (boxes.length === 0) continue;
      const [, y0, , y1] = boxes.reduce(union);
      const box = boxes.reduce(union);
      fillBox(region, attrs.fullWidth ? [0, y0, width, y1] : box, height, width);
    }
  }
  return region;
}

/**
 * Harmonic filling of a region from its rim, channel by channel: four neighbours, conjugate gradients from zero until the
 * largest norm of a residual is at most `tolerance`. Neighbours outside of the image do not count.
 */
export function harmonicFill(
  image: Float32Array,
  region: Uint8Array,
  [height, width, channels]: readonly [number, number, number],
  tolerance: number,
  maxIterations: number,
): void {
  const place = new Int32Array(region.length).fill(-1);
  const inside: number[] = [];
  for (const [i, marked] of region.entries()) if (marked) place[i] = inside.push(i) - 1;
  if (inside.length === 0 || inside.length === region.length) return;
  const neighbours = (i: number): number[] => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return [
      x > 0 ? i - 1 : -1,
      x + 1 < width ? i + 1 : -1,
      y > 0 ? i - width : -1,
      y + 1 < height ? i + width : -1,
    ].filter((n) => n >= 0);
  };
  const around = inside.map(neighbours);
  const multiply = (v: Float64Array): Float64Array =>
    v.map((value, k) => {
      let sum = (around[k] as number[]).length * value;
      for (const n of around[k] as number[]) if ((place[n] as number) >= 0) sum -= v[place[n] as number] as number;
      return sum;
    });
  const dot = (a: Float64Array, b: Float64Array): number =>
    a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  for (let c = 0; c < channels; c++) {
    const rim = Float64Array.from(inside, (_, k) =>
      (around[k] as number[]).reduce(
        (sum, n) => ((place[n] as number) < 0 ? sum + (image[n * channels + c] as number) : sum),
        0,
      ),
    );
    const x = new Float64Array(inside.length);
    const r = rim.slice();
    let p = r.slice();
    let norm = dot(r, r);
    for (let k = 0; k < maxIterations && Math.sqrt(norm) > tolerance; k++) {
      const q = multiply(p);
      const step = norm / dot(p, q);
      for (let i = 0; i < x.length; i++) {
        x[i] = (x[i] as number) + step * (p[i] as number);
        r[i] = (r[i] as number) - step * (q[i] as number);
      }
      const next = dot(r, r);
      p = r.map((value, i) => value + (next / norm) * (p[i] as number));
      norm = next;
    }
    for (const [k, i] of inside.entries()) image[i * channels + c] = x[k] as number;
  }
}

const OCCLUDE = defineHostStep("occlusion.occlude", {
  pure: false,
  run: async ([images, frameId], attributes, context) => {
    const attrs = attributes as unknown as OcclusionAttributes;
    const input = asTensor(images);
    const frame = at(asTensor(frameId), 0);
    if (frame < attrs.start || frame > attrs.end) return [input];
    const tracks = await readTracks(attrs.path, context);
    const [count, height, width, channels] = input.shape as [number, number, number, number];
    const region = regionOf(tracks, frame, attrs, height, width);
    const data = toFloat32(input).slice();
    const size = height * width * channels;
    for (let b = 0; b < count; b++) {
      const image = data.subarray(b * size, (b + 1) * size);
      if (attrs.fill === "poisson") {
        harmonicFill(image, region, [height, width, channels], attrs.tolerance, attrs.maxIterations);
      } else {
        const colour = attrs.fill;
        for (const [i, inside] of region.entries()) {
          if (inside) for (let c = 0; c < channels; c++) image[i * channels + c] = colour[c % colour.length] as number;
        }
      }
    }
    return [float32(input.shape, data)];
  },
});

function occlusionNode(name: string, summary: string, spec: PortSpec): NodeType {
  return defineNode({
    className: `cuvis_ai.node.occlusion.${name}`,
    role: "transform",
    summary,
    params: {
      tracking_json_path: text(),
      track_ids: list(),
      occlusion_start_frame: int(),
      occlusion_end_frame: int(),
      fill_color: any({ default: "poisson" }),
      input_key: text({ default: null }),
      max_iter: int({ default: 1000, minimum: 1 }),
      tol: float({ default: 1e-6, exclusiveMinimum: 0 }),
      occlusion_shape: text({ default: "bbox", choices: ["bbox", "mask"] }),
      bbox_mode: text({ default: "static", choices: ["static", "dynamic"] }),
      static_bbox_scale: float({ default: 1.2, exclusiveMinimum: 0 }),
      static_bbox_padding_px: int({ default: 0, minimum: 0 }),
      static_full_width_x: bool({ default: false }),
    },
    inputs: [spec, port("frame_id", "int64", [1])],
    outputs: [spec],
    validate(h, node) {
      const fill = h.get("fill_color");
      const isColour = Array.isArray(fill) && fill.length > 0 && fill.every((value) => typeof value === "number");
      if (fill !== "poisson" && !isColour) {
        throw invalidValue(`Node '${node}': fill_color is ${JSON.stringify(fill)}; it must be "poisson" or a colour`, {
          node,
        });
      }
      if (h.num("occlusion_end_frame") < h.num("occlusion_start_frame")) {
        throw invalidValue(`Node '${node}': occlusion ends before it starts`, { node });
      }
    },
    emit({ g, h, in: input }) {
      const attrs: OcclusionAttributes = {
        path: h.text("tracking_json_path"),
        tracks: h.nums("track_ids"),
        start: h.num("occlusion_start_frame"),
        end: h.num("occlusion_end_frame"),
        fill: h.get("fill_color") as OcclusionAttributes["fill"],
        maxIterations: h.num("max_iter"),
        tolerance: h.num("tol"),
        shape: h.text("occlusion_shape") as "bbox" | "mask",
        mode: h.text("bbox_mode") as "static" | "dynamic",
        scale: h.num("static_bbox_scale"),
        padding: h.num("static_bbox_padding_px"),
        fullWidth: h.flag("static_full_width_x"),
      };
      const image = input(spec.name);
      const [filled] = g.host(OCCLUDE, [image, input("frame_id")], [{ dtype: "float32", shape: image.shape }], {
        ...attrs,
      }) as [GraphValue];
      return { [spec.name]: filled };
    },
  });
}

const RGB = port("rgb_image", "float32", IMAGE);

export const occlusionNodes = [
  occlusionNode("PoissonOcclusionNode", "Hides tracked objects in frames.", RGB),
  occlusionNode("SolidOcclusionNode", "Hides tracked objects in frames.", RGB),
  occlusionNode("PoissonCubeOcclusionNode", "Hides tracked objects in cubes.", port("cube", "float32", CUBE)),
];
