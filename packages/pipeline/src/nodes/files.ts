// Nodes that read and write files: NumPy arrays, COCO detections and tracks.
import { invalidValue } from "../errors.ts";
import { readNpy, writeNpy } from "../formats/npy.ts";
import { bytesSource } from "../formats/source.ts";
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep, type HostContext } from "../graph/host.ts";
import { at, DTYPES, isTensor, type Tensor, tensor, toFloat32, toFloat64, type Value } from "../graph/tensor.ts";
import { defineNode, type NodeType, optional, type PortSpec, port } from "./node-type.ts";
import { shownIds } from "./overlays.ts";
import { any, bool, int, text } from "./params.ts";
import { float32 } from "./statistics.ts";
import { type Detection, encodeCounts, maskOf, readTracks, runLengths, type Tracks } from "./tracks.ts";

const FRAME_ID = port("frame_id", "int64", [1]);
const OBJECT = [{ dtype: "object" }] as const;
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

/** 1-D -> [1,1,1,n], 2-D -> [a,1,1,b], 3-D -> [1,...]. */
function fourDimensional(shape: readonly number[], path: string): number[] {
  if (shape.length === 1) return [1, 1, 1, ...shape];
  if (shape.length === 2) return [shape[0] as number, 1, 1, shape[1] as number];
  if (shape.length === 3) return [1, ...shape];
  if (shape.length === 4) return [...shape];
  throw invalidValue(`${path} holds an array of ${shape.length} dimensions; 1 to 4 are possible`);
}

/** The file's array, read once; weights that hold it win. */
const READ_ARRAY = defineHostStep("files.readArray", {
  pure: false,
  run: async ([stored], attrs, { files }) => {
    const known = asTensor(stored);
    if (known.data.length > 0) return [known];
    const path = attrs["path"] as string;
    const { dtype, shape, data } = await readNpy(bytesSource(path, await files.read(path)));
    if (!(DTYPES as readonly string[]).includes(dtype))
      throw invalidValue(`${path} holds ${dtype} values, which nodes do not take`);
    return [tensor("float32", fourDimensional(shape, path), toFloat32({ dtype, shape, data } as Tensor))];
  },
});

const WRITE_ARRAY = defineHostStep("files.writeArray", {
  pure: false,
  run: async ([features, frameId], attrs, { files }) => {
    const [values, frame] = [asTensor(features), at(asTensor(frameId), 0)];
    const name = `${attrs["prefix"]}_${String(frame).padStart(6, "0")}.npy`;
    const shape = values.shape[0] === 1 ? values.shape.slice(1) : values.shape;
    const [header, elements] = writeNpy({
      dtype: "float32",
      shape,
      data: toFloat32(values) as Float32Array<ArrayBuffer>,
    });
    await files.write(`${attrs["folder"]}/${name}`, Buffer.concat([header, elements]));
    return [null];
  },
});

/** Frames of a file under way; the file is written when the pipeline is let go, or every so many frames. */
interface Recording<Frame> {
  readonly frames: Map<number, Frame>;
  since: number;
}

interface WriterAttributes {
  readonly path: string;
  readonly flushInterval: number;
  readonly ports: readonly string[];
}

async function record<Frame>(
  context: HostContext,
  { path, flushInterval }: WriterAttributes,
  frame: number,
  content: Frame | undefined,
  compose: (frames: ReadonlyMap<number, Frame>) => unknown,
): Promise<void> {
  const key = `recording:${path}`;
  let recording = context.memory.get(key) as Recording<Frame> | undefined;
  if (!recording) {
    recording = { frames: new Map(), since: 0 };
    context.memory.set(key, recording);
  }
  const { frames } = recording;
  const write = (): void | Promise<void> => context.files.write(path, encode(compose(frames)));
  context.onClose(key, write);
  if (content !== undefined) frames.set(frame, content);
  recording.since++;
  if (flushInterval > 0 && recording.since >= flushInterval) {
    recording.since = 0;
    await write();
  }
}

const given = (inputs: readonly Value[], ports: readonly string[]): ReadonlyMap<string, Tensor> =>
  new Map(ports.flatMap((name, i) => (isTensor(inputs[i]) ? [[name, inputs[i]] as const] : [])));

interface TrackedObject {
  readonly track: number;
  readonly category: number;
  readonly score: number;
  readonly counts: string;
  readonly box: readonly [number, number, number, number];
  readonly area: number;
}

interface MaskFrame {
  readonly height: number;
  readonly width: number;
  readonly objects: readonly TrackedObject[];
}

function measure(mask: Tensor, id: number): Pick<TrackedObject, "counts" | "box" | "area"> {
  const [, height, width] = mask.shape as [number, number, number];
  let [left, right, top, bottom, area] = [Infinity, -1, Infinity, -1, 0];
  for (let i = 0; i < height * width; i++) {
    if (at(mask, i) !== id) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    area++;
  }
  const counts = encodeCounts(runLengths((row, column) => at(mask, row * width + column) === id, height, width));
  return { counts, box: [left, top, right - left + 1, bottom - top + 1], area };
}

const WRITE_MASKS = defineHostStep("files.writeMasks", {
  pure: false,
  run: async (inputs, attrs, context) => {
    const options = attrs as unknown as WriterAttributes & { defaultName: string; writeEmpty: boolean };
    const ports = given(inputs, options.ports);
    const [mask, ids, scores] = ["mask", "object_ids", "detection_scores"].map((name) => asTensor(ports.get(name))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const categories = ports.get("category_ids");
    const semantics = ports.get("category_semantics");
    const refuse = (reason: string): never => {
      throw invalidValue(`Node '${context.node}': ${reason}`, { node: context.node });
    };
    const count = ids.data.length;
    if (scores.data.length !== count || (categories && categories.data.length !== count)) {
      refuse(
        `${count} object ids, ${scores.data.length} scores and ${categories?.data.length ?? count} categories must be as many`,
      );
    }
    const named = (context.memory.get("categories") ?? new Map<number, string>()) as Map<number, string>;
    context.memory.set("categories", named);
    if (semantics) {
      const words = JSON.parse(new TextDecoder().decode(semantics.data as Uint8Array)) as Record<string, string>;
      for (const [id, name] of Object.entries(words)) named.set(Number(id), name);
    }
    const trackCategory = (context.memory.get("tracks") ?? new Map<number, number>()) as Map<number, number>;
    context.memory.set("tracks", trackCategory);
    const order = [...toFloat64(ids)];
    const objects = shownIds(mask, ids).map((id): TrackedObject => {
      const i = order.indexOf(id);
      const category = categories ? at(categories, i) : 1;
      if (category <= 0) refuse(`category ${category} of object ${id} must be positive`);
      if ((trackCategory.get(id) ?? category) !== category) refuse(`object ${id} changes its category to ${category}`);
      trackCategory.set(id, category);
      return { track: id, category, score: at(scores, i), ...measure(mask, id) };
    });
    const [, height, width] = mask.shape as [number, number, number];
    const content = objects.length > 0 || options.writeEmpty ? { height, width, objects } : undefined;
    const compose = (frames: ReadonlyMap<number, MaskFrame>): unknown => videoFile(frames, options, named);
    await record<MaskFrame>(context, options, at(asTensor(ports.get("frame_id")), 0), content, compose);
    return [null];
  },
});

const stem = (path: string): string => (path.split("/").at(-1) ?? path).replace(/\.[^.]*$/, "");

function videoFile(
  frames: ReadonlyMap<number, MaskFrame>,
  { path, defaultName }: { path: string; defaultName: string },
  names: ReadonlyMap<number, string>,
): unknown {
  const numbers = [...frames.keys()].sort((a, b) => a - b);
  const shown = numbers.map((number) => frames.get(number) as MaskFrame);
  const tracks = [...new Set(shown.flatMap((frame) => frame.objects.map((object) => object.track)))].sort(
    (a, b) => a - b,
  );
  const categories = new Set<number>();
  const annotations = tracks.map((track, i) => {
    const objects = shown.map((frame) => frame.objects.find((object) => object.track === track));
    const category = objects.find((object) => object)?.category ?? 1;
    categories.add(category);
    return {
      id: i + 1,
      track_id: track,
      category_id: category,
      segmentations: objects.map((object, k) =>
        object ? { size: [shown[k]?.height, shown[k]?.width], counts: object.counts } : null,
      ),
      detection_scores: objects.map((object) => object?.score ?? null),
      bboxes: objects.map((object) => object?.box ?? null),
      areas: objects.map((object) => object?.area ?? null),
    };
  });
  const nameOf = (id: number): string => names.get(id) ?? (id === 1 ? defaultName : `category_${id}`);
  return {
    info: { description: "Mask tracking results", version: "1.0" },
    videos: [
      {
        id: 1,
        name: stem(path),
        frame_indices: numbers,
        start_frame: numbers[0] ?? 0,
        length: numbers.length,
        height: shown[0]?.height ?? 0,
        width: shown[0]?.width ?? 0,
      },
    ],
    annotations,
    categories: [...categories].sort((a, b) => a - b).map((id) => ({ id, name: nameOf(id) })),
  };
}

interface BoxFrame {
  readonly height: number;
  readonly width: number;
  readonly objects: readonly { box: readonly number[]; category: number; score: number; track: number | undefined }[];
}

const WRITE_BOXES = defineHostStep("files.writeBoxes", {
  pure: false,
  run: async (inputs, attrs, context) => {
    const options = attrs as unknown as WriterAttributes & {
      names: Record<string, string>;
      writeEmpty: boolean;
      description: string;
    };
    const ports = given(inputs, options.ports);
    const [boxes, categories, scores, size] = ["bboxes", "category_ids", "confidences", "orig_hw"].map((name) =>
      asTensor(ports.get(name)),
    ) as [Tensor, Tensor, Tensor, Tensor];
    const tracks = ports.get("track_ids");
    const count = boxes.shape[1] as number;
    if (categories.data.length !== count || scores.data.length !== count || (tracks && tracks.data.length !== count)) {
      throw invalidValue(`Node '${context.node}': boxes, categories, scores and tracks must be as many`, {
        node: context.node,
      });
    }
    const objects = Array.from({ length: count }, (_, i) => {
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((k) => at(boxes, i * 4 + k)) as [number, number, number, number];
      return {
        box: [x1, y1, x2 - x1, y2 - y1],
        category: at(categories, i),
        score: at(scores, i),
        track: tracks && at(tracks, i),
      };
    });
    const content = count > 0 || options.writeEmpty ? { height: at(size, 0), width: at(size, 1), objects } : undefined;
    const compose = (frames: ReadonlyMap<number, BoxFrame>): unknown =>
      boxFile(frames, options.names, options.description);
    await record<BoxFrame>(context, options, at(asTensor(ports.get("frame_id")), 0), content, compose);
    return [null];
  },
});

function boxFile(
  frames: ReadonlyMap<number, BoxFrame>,
  names: Readonly<Record<string, string>>,
  description: string,
): unknown {
  const numbers = [...frames.keys()].sort((a, b) => a - b);
  let next = 1;
  return {
    info: { description, version: "1.0" },
    images: numbers.map((number) => {
      const frame = frames.get(number) as BoxFrame;
      return {
        id: number,
        file_name: `frame_${String(number).padStart(6, "0")}`,
        height: frame.height,
        width: frame.width,
      };
    }),
    annotations: numbers.flatMap((number) =>
      (frames.get(number) as BoxFrame).objects.map(({ box, category, score, track }) => ({
        id: next++,
        image_id: number,
        category_id: category,
        bbox: box,
        area: (box[2] as number) * (box[3] as number),
        iscrowd: 0,
        score,
        ...(track === undefined ? {} : { track_id: track }),
      })),
    ),
    categories: Object.entries(names).map(([id, name]) => ({ id: Number(id), name })),
  };
}

/** The asked frame, or the next of the file. */
const READ_TRACKS = defineHostStep("files.readTracks", {
  pure: false,
  run: async ([frameId], attrs, context) => {
    const path = attrs["path"] as string;
    const tracks = await readTracks(path, context, attrs["layout"] as string);
    const place = (context.memory.get("place") ?? 0) as number;
    const asked = isTensor(frameId) ? at(frameId, 0) : tracks.frames[place];
    if (asked === undefined || !tracks.byFrame.has(asked)) {
      const text = isTensor(frameId) ? `has no frame ${asked}` : `has no more than ${tracks.frames.length} frames`;
      throw invalidValue(`Node '${context.node}': ${path} ${text}`, { node: context.node });
    }
    context.memory.set("place", tracks.frames.indexOf(asked) + 1);
    return frameTensors(tracks, asked);
  },
});

function frameTensors(tracks: Tracks, frame: number): Tensor[] {
  const detections = tracks.byFrame.get(frame) as readonly Detection[];
  const n = detections.length;
  const corners = detections.flatMap(({ box: [x, y, w, h] }) => [x, y, x + w, y + h]);
  const ids = detections.map((detection) => detection.trackId ?? -1);
  const { height, width } = tracks;
  const mask = new Int32Array(height * width);
  for (const [i, detection] of detections.entries()) {
    const id = detection.trackId ?? i + 1;
    for (const [k, inside] of maskOf(detection, height, width).entries()) if (inside) mask[k] = id;
  }
  return [
    tensor("int64", [1], [frame]),
    tensor("int64", [1, 2], [height, width]),
    float32([1, n, 4], corners),
    tensor(
      "int64",
      [1, n],
      detections.map((detection) => detection.categoryId),
    ),
    float32(
      [1, n],
      detections.map((detection) => detection.score),
    ),
    tensor("int64", [1, n], ids),
    tensor("int32", [1, height, width], mask),
    tensor(
      "int64",
      [1, n],
      detections.map((detection, i) => detection.trackId ?? i + 1),
    ),
  ];
}

const TRACK_PORTS: readonly PortSpec[] = [
  FRAME_ID,
  port("orig_hw", "int64", [1, 2]),
  port("bboxes", "float32", [1, "N", 4]),
  port("category_ids", "int64", [1, "N"]),
  port("confidences", "float32", [1, "N"]),
  port("track_ids", "int64", [1, "N"]),
  port("mask", "int32", [1, "I", "J"]),
  port("object_ids", "int64", [1, "N"]),
];

function reader(name: string, summary: string, ports: readonly PortSpec[], layout: string): NodeType {
  return defineNode({
    className: `cuvis_ai.node.json_file.${name}`,
    role: "source",
    summary,
    params: {
      json_path: text(),
      required_format: text({ default: layout, nullable: true, choices: ["coco_bbox", "video_coco"] }),
    },
    inputs: [optional("frame_id", "int64", [1])],
    outputs: ports,
    emit({ g, h, in: input, has }) {
      const n = g.freshDim();
      const [height, width] = [g.freshDim(), g.freshDim()];
      const shapes = [[1], [1, 2], [1, n, 4], [1, n], [1, n], [1, n], [1, height, width], [1, n]];
      const outputs = TRACK_PORTS.map((spec, i) => ({ dtype: spec.type as "int64", shape: shapes[i] as number[] }));
      const attrs = { path: h.text("json_path"), layout: h.textOrNull("required_format") };
      const values = g.host(READ_TRACKS, has("frame_id") ? [input("frame_id")] : [], outputs, attrs);
      const all = Object.fromEntries(TRACK_PORTS.map((spec, i) => [spec.name, values[i] as GraphValue]));
      return Object.fromEntries(ports.map((spec) => [spec.name, all[spec.name] as GraphValue]));
    },
  });
}

const WRITER = { role: "sink", outputs: [], effects: true } as const;
const WRITER_PARAMS = {
  output_json_path: text(),
  write_empty_frames: bool({ default: true }),
  atomic_write: bool({ default: true }),
  flush_interval: int({ default: 0, minimum: 0 }),
};

const BOX_PORTS = [
  FRAME_ID,
  port("bboxes", "float32", [1, "N", 4]),
  port("category_ids", "int64", [1, "N"]),
  port("confidences", "float32", [1, "N"]),
  port("orig_hw", "int64", [1, 2]),
];

function boxWriter(name: string, summary: string, ports: readonly PortSpec[], category: string): NodeType {
  return defineNode({
    ...WRITER,
    className: `cuvis_ai.node.json_file.${name}`,
    summary,
    params: { ...WRITER_PARAMS, category_id_to_name: any({ default: { 0: category } }) },
    inputs: ports,
    emit({ g, h, in: input, has }) {
      const names = ports.map((spec) => spec.name).filter(has);
      g.host(WRITE_BOXES, names.map(input), OBJECT, {
        ports: names,
        path: h.text("output_json_path"),
        flushInterval: h.num("flush_interval"),
        writeEmpty: h.flag("write_empty_frames"),
        names: h.get("category_id_to_name"),
        description: name === "CocoTrackBBoxWriter" ? "Tracking results" : "Detection results",
      });
      return {};
    },
  });
}

const MASK_PORTS = [
  FRAME_ID,
  port("mask", "int32", [1, "H", "W"]),
  port("object_ids", "int64", [1, "N"]),
  port("detection_scores", "float32", [1, "N"]),
  optional("category_ids", "int64", [1, "N"]),
  optional("category_semantics", "uint8", ["K"]),
];

export const fileNodes = [
  defineNode({
    className: "cuvis_ai.node.numpy_reader.NpyReader",
    role: "source",
    summary: "The array of a NumPy file, with four dimensions.",
    params: { file_path: text() },
    inputs: [optional("frame_id", "int64", [1])],
    outputs: [port("data", "float32", ["B", "H", "W", "C"])],
    states: () => [
      { name: "_data_buf", kind: "buffer", volatile: true, anyShape: true, initial: () => float32([0, 1, 1, 1], []) },
    ],
    emit({ g, h, state, setState }) {
      const shape = [g.freshDim(), g.freshDim(), g.freshDim(), g.freshDim()];
      const stored = state("_data_buf");
      const [data] = g.host(READ_ARRAY, [stored], [{ dtype: "float32", shape }], { path: h.text("file_path") }) as [
        GraphValue,
      ];
      setState("_data_buf", data);
      return { data };
    },
  }),
  defineNode({
    ...WRITER,
    className: "cuvis_ai.node.numpy_writer.NumpyFeatureWriterNode",
    summary: "Writes the features of each frame as a NumPy file.",
    params: { output_dir: text(), prefix: text({ default: "features" }) },
    inputs: [port("features", "float32", ["B", "N", "D"]), FRAME_ID],
    emit({ g, h, in: input }) {
      const attrs = { folder: h.text("output_dir"), prefix: h.text("prefix") };
      g.host(WRITE_ARRAY, [input("features"), input("frame_id")], OBJECT, attrs);
      return {};
    },
  }),
  defineNode({
    ...WRITER,
    className: "cuvis_ai.node.json_file.CocoTrackMaskWriter",
    summary: "Writes tracked masks as a COCO video file.",
    params: { ...WRITER_PARAMS, default_category_name: text({ default: "object" }) },
    inputs: MASK_PORTS,
    emit({ g, h, in: input, has }) {
      const names = MASK_PORTS.map((spec) => spec.name).filter(has);
      g.host(WRITE_MASKS, names.map(input), OBJECT, {
        ports: names,
        path: h.text("output_json_path"),
        flushInterval: h.num("flush_interval"),
        writeEmpty: h.flag("write_empty_frames"),
        defaultName: h.text("default_category_name"),
      });
      return {};
    },
  }),
  boxWriter(
    "CocoTrackBBoxWriter",
    "Writes tracked boxes as a COCO file.",
    [...BOX_PORTS, port("track_ids", "int64", [1, "N"])],
    "object",
  ),
  boxWriter("DetectionCocoJsonNode", "Writes detected boxes as a COCO file.", BOX_PORTS, "person"),
  reader("DetectionJsonReader", "Detections of a COCO file, frame by frame.", TRACK_PORTS.slice(0, 5), "coco_bbox"),
  reader("TrackingResultsReader", "Tracks of a COCO file, frame by frame.", TRACK_PORTS, "video_coco"),
];
