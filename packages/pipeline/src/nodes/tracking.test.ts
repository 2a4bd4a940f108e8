// Rules of nodes that draw, occlude, prompt, read and write around tracked objects.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { NodeFiles } from "../graph/host.ts";
import { at, isTensor, type Tensor, tensor, type Value } from "../graph/tensor.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { Engine } from "../runtime/engine.ts";
import { cube, node, wire } from "../testing/pipelines.ts";
import { objectColour } from "./colours.ts";
import { harmonicFill } from "./occlusion.ts";
import { roiAlign } from "./preprocessors.ts";
import { decodeCounts, encodeCounts, runLengths } from "./tracks.ts";

const engine = new Engine();
afterAll(() => engine.close());

function memoryFiles(initial: Record<string, unknown> = {}): NodeFiles & { readonly written: Map<string, Uint8Array> } {
  const written = new Map<string, Uint8Array>();
  for (const [path, content] of Object.entries(initial)) {
    written.set(path, content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content)));
  }
  return {
    written,
    read: (path) => {
      const bytes = written.get(path);
      if (!bytes) throw new Error(`${path} is not there`);
      return bytes;
    },
    write: (path, bytes) => void written.set(path, bytes),
  };
}

const single = (path: string, hparams: Record<string, unknown>, files?: NodeFiles): Pipeline =>
  new Pipeline({ nodes: [node("n", path, hparams)], connections: [] }, files ? { files } : {});

const json = (bytes: Uint8Array | undefined): Record<string, never> => JSON.parse(new TextDecoder().decode(bytes));
const run = (pipeline: Pipeline, batch: Record<string, Value>): Promise<Map<string, Value>> =>
  pipeline.run(batch, { engine });
const frame = (id: number): Tensor => tensor("int64", [1], [id]);
const pixel = (image: Value | undefined, x: number, y: number): number[] => {
  if (!isTensor(image)) throw new Error("no image");
  const width = image.shape[2] as number;
  return [0, 1, 2].map((k) => Math.round(at(image, (y * width + x) * 3 + k) * 255));
};

const black = (height: number, width: number): Tensor =>
  tensor("float32", [1, height, width, 3], new Float32Array(height * width * 3));
/** A square of `id` from (2, 2) to (5, 5). */
const square = (id: number, size = 8): Tensor =>
  tensor(
    "int32",
    [1, size, size],
    Int32Array.from({ length: size * size }, (_, i) => {
      const [x, y] = [i % size, Math.floor(i / size)];
      return x >= 2 && x <= 5 && y >= 2 && y <= 5 ? id : 0;
    }),
  );

describe("run lengths", () => {
  it("are COCO's text and back", () => {
    expect(encodeCounts([10])).toBe(":");
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100000 }), { maxLength: 30 }), (counts) => {
        expect(decodeCounts(encodeCounts(counts))).toEqual(counts);
      }),
    );
  });

  it("go column by column and start with the background", () => {
    const mask = [
      [1, 0],
      [1, 1],
    ];
    expect(runLengths((row, column) => mask[row]?.[column] === 1, 2, 2)).toEqual([0, 2, 1, 1]);
  });
});

describe("colours of objects", () => {
  it("come from the palette, and from a hash beyond it", () => {
    expect(objectColour(0)).toEqual([230, 25, 75]);
    expect(objectColour(11)).toEqual([220, 190, 255]);
    for (const id of [12, 1000, -1]) for (const channel of objectColour(id)) expect(channel).toBeGreaterThanOrEqual(89);
  });
});

describe("overlays", () => {
  it("tint objects and outline them", async () => {
    const pipeline = single("node.anomaly_visualization.TrackingOverlayNode", { draw_ids: false, alpha: 0.5 });
    const big = tensor(
      "int32",
      [1, 20, 20],
      Int32Array.from({ length: 400 }, (_, i) => (i % 20 > 2 && i % 20 < 17 && i > 60 && i < 340 ? 1 : 0)),
    );
    const values = await run(pipeline, { rgb_image: black(20, 20), mask: big });
    const image = values.get("n.rgb_with_overlay");
    expect(pixel(image, 0, 0)).toEqual([0, 0, 0]);
    expect(pixel(image, 10, 10)).toEqual([30, 90, 38]);
    expect(pixel(image, 3, 10)).toEqual([60, 180, 75]);
  });

  it("show only ids that are asked for and present", async () => {
    const pipeline = single("node.anomaly_visualization.TrackingOverlayNode", {
      draw_ids: false,
      draw_contours: false,
    });
    const values = await run(pipeline, {
      rgb_image: black(8, 8),
      mask: square(3),
      object_ids: tensor("int64", [1, 2], [4, -1]),
    });
    expect(pixel(values.get("n.rgb_with_overlay"), 3, 3)).toEqual([0, 0, 0]);
  });

  it("point at objects from above", async () => {
    const pipeline = single("node.anomaly_visualization.TrackingPointerOverlayNode", { draw_ids: false });
    const size = 60;
    const mask = tensor(
      "int32",
      [1, size, size],
      Int32Array.from({ length: size * size }, (_, i) => (i % size > 20 && i % size < 40 && i > 45 * size ? 2 : 0)),
    );
    const values = await run(pipeline, { rgb_image: black(size, size), mask });
    const image = values.get("n.rgb_with_overlay");
    const coloured = Array.from({ length: size * size }, (_, i) =>
      pixel(image, i % size, Math.floor(i / size)),
    ).flatMap((p, i) => (p.join() === objectColour(2).join() ? [Math.floor(i / size)] : []));
    expect(coloured.length).toBeGreaterThan(20);
    expect(Math.max(...coloured)).toBeLessThan(46);
  });

  it("outline boxes inwards", async () => {
    const pipeline = single("node.anomaly_visualization.BBoxesOverlayNode", { line_thickness: 1 });
    const values = await run(pipeline, {
      rgb_image: black(8, 8),
      bboxes: tensor("float32", [1, 1, 4], [1.4, 1.6, 6, 6]),
      category_ids: tensor("int64", [1, 1], [3]),
    });
    const image = values.get("n.rgb_with_overlay");
    expect(pixel(image, 1, 2)).toEqual([0, 130, 200]);
    expect(pixel(image, 5, 5)).toEqual([0, 130, 200]);
    expect(pixel(image, 3, 3)).toEqual([0, 0, 0]);
    expect(pixel(image, 6, 6)).toEqual([0, 0, 0]);
  });
});

describe("files of tracks", () => {
  const write = async (files: NodeFiles): Promise<void> => {
    const pipeline = single("node.json_file.CocoTrackMaskWriter", { output_json_path: "out/tracks.json" }, files);
    const batch = (id: number, object: number): Record<string, Value> => ({
      frame_id: frame(id),
      mask: square(object),
      object_ids: tensor("int64", [1, 1], [object]),
      detection_scores: tensor("float32", [1, 1], [0.5]),
    });
    await run(pipeline, batch(3, 7));
    await run(pipeline, batch(4, 9));
    await run(pipeline, batch(3, 7));
    await pipeline.close();
  };

  it("hold every frame once, and null where a track is absent", async () => {
    const files = memoryFiles();
    await write(files);
    const file = json(files.written.get("out/tracks.json")) as unknown as {
      videos: unknown[];
      annotations: { track_id: number; bboxes: unknown[]; areas: unknown[]; segmentations: unknown[] }[];
      categories: unknown[];
    };
    expect(file.videos).toEqual([
      { id: 1, name: "tracks", frame_indices: [3, 4], start_frame: 3, length: 2, height: 8, width: 8 },
    ]);
    expect(file.annotations.map(({ track_id, bboxes, areas }) => [track_id, bboxes, areas])).toEqual([
      [7, [[2, 2, 4, 4], null], [16, null]],
      [9, [null, [2, 2, 4, 4]], [null, 16]],
    ]);
    expect(file.categories).toEqual([{ id: 1, name: "object" }]);
  });

  it("are read back frame by frame, and end", async () => {
    const files = memoryFiles();
    await write(files);
    const pipeline = single("node.json_file.TrackingResultsReader", { json_path: "out/tracks.json" }, files);
    const first = await run(pipeline, {});
    expect((first.get("n.mask") as Tensor).data).toEqual(square(7).data);
    expect((first.get("n.bboxes") as Tensor).data).toEqual(Float32Array.of(2, 2, 6, 6));
    const second = await run(pipeline, {});
    expect((second.get("n.frame_id") as Tensor).data).toEqual(BigInt64Array.of(4n));
    expect((second.get("n.track_ids") as Tensor).data).toEqual(BigInt64Array.of(9n));
    await expect(run(pipeline, {})).rejects.toThrow(/no more than 2 frames/);
    await expect(run(pipeline, { frame_id: frame(99) })).rejects.toThrow(/no frame 99/);
  });

  it("of another format, or none at all, are refused by name", async () => {
    const files = memoryFiles({
      "boxes.json": { images: [], annotations: [] },
      "broken.json": new Uint8Array([1]),
      "empty.json": {},
    });
    const read = (path: string): Promise<unknown> =>
      run(single("node.json_file.TrackingResultsReader", { json_path: path }, files), {});
    await expect(read("boxes.json")).rejects.toThrow(/coco_bbox, video_coco is required/);
    await expect(read("broken.json")).rejects.toThrow(/broken.json is not JSON/);
    await expect(read("empty.json")).rejects.toThrow(/no list of annotations/);
  });

  it("of boxes name frames and count annotations", async () => {
    const files = memoryFiles();
    const pipeline = single(
      "node.json_file.DetectionCocoJsonNode",
      { output_json_path: "d.json", flush_interval: 1 },
      files,
    );
    await run(pipeline, {
      frame_id: frame(12),
      bboxes: tensor("float32", [1, 2, 4], [1, 2, 4, 8, 0, 0, 2, 2]),
      category_ids: tensor("int64", [1, 2], [0, 0]),
      confidences: tensor("float32", [1, 2], [0.5, 0.25]),
      orig_hw: tensor("int64", [1, 2], [30, 40]),
    });
    const file = json(files.written.get("d.json")) as unknown as {
      images: unknown[];
      annotations: unknown[];
      categories: unknown;
    };
    expect(file.images).toEqual([{ id: 12, file_name: "frame_000012", height: 30, width: 40 }]);
    expect(file.annotations[0]).toEqual({
      id: 1,
      image_id: 12,
      category_id: 0,
      bbox: [1, 2, 3, 6],
      area: 18,
      iscrowd: 0,
      score: 0.5,
    });
    expect(file.categories).toEqual([{ id: 0, name: "person" }]);
  });

  it("may only lie where the server allows it", async () => {
    const pipeline = single("node.numpy_reader.NpyReader", { file_path: "secret.npy" });
    await expect(run(pipeline, {})).rejects.toThrow(/reading secret.npy is not allowed/);
  });
});

describe("prompts from a file", () => {
  const boxes = {
    images: [{ id: 5, file_name: "frame_000005", height: 8, width: 8 }],
    annotations: [
      { id: 1, image_id: 5, bbox: [1, 1, 2, 2], score: 0.2, category_id: 0 },
      { id: 2, image_id: 5, bbox: [4, 4, 2, 2], score: 0.9, category_id: 0 },
    ],
  };

  it("give boxes by rank of score, in the frame that asks for them", async () => {
    const pipeline = single(
      "node.prompts.BBoxPrompt",
      { json_path: "b.json", prompt_specs: ["3:1@5"] },
      memoryFiles({ "b.json": boxes }),
    );
    const due = await run(pipeline, { frame_id: frame(5) });
    expect((due.get("n.prompt_boxes_xyxy") as Tensor).data).toEqual(Float32Array.of(4, 4, 6, 6));
    expect((due.get("n.prompt_object_ids") as Tensor).data).toEqual(BigInt64Array.of(3n));
    const other = await run(pipeline, { frame_id: frame(6) });
    expect((other.get("n.prompt_boxes_xyxy") as Tensor).shape).toEqual([1, 0, 4]);
  });

  it("give masks in the object's number", async () => {
    const pipeline = single(
      "node.prompts.MaskPrompt",
      { json_path: "b.json", prompt_specs: ["3:2@5"] },
      memoryFiles({ "b.json": boxes }),
    );
    const mask = (await run(pipeline, { frame_id: frame(5) })).get("n.mask") as Tensor;
    expect([at(mask, 9), at(mask, 0), at(mask, 18)]).toEqual([3, 0, 3]);
  });
});

describe("NumPy files", () => {
  it("are written per frame and read with four dimensions, also from weights", async () => {
    const files = memoryFiles();
    const writer = single("node.numpy_writer.NumpyFeatureWriterNode", { output_dir: "f" }, files);
    await run(writer, { features: tensor("float32", [1, 2, 3], [1, 2, 3, 4, 5, 6]), frame_id: frame(7) });
    expect([...files.written.keys()]).toEqual(["f/features_000007.npy"]);
    const reader = single("node.numpy_reader.NpyReader", { file_path: "f/features_000007.npy" }, files);
    const data = (await run(reader, {})).get("n.data") as Tensor;
    expect(data.shape).toEqual([2, 1, 1, 3]);
    const other = single("node.numpy_reader.NpyReader", { file_path: "gone.npy" });
    other.loadStateDict(reader.stateDict());
    expect((await run(other, {})).get("n.data")).toEqual(data);
  });
});

describe("occlusion", () => {
  it("fills a region smoothly from its rim: a plane stays a plane", () => {
    const size = 9;
    const plane = Float32Array.from({ length: size * size }, (_, i) => (i % size) + 2 * Math.floor(i / size));
    const image = plane.slice();
    const region = Uint8Array.from(image, (_, i) => (i % size > 2 && i % size < 6 && i > 27 && i < 54 ? 1 : 0));
    for (const [i, inside] of region.entries()) if (inside) image[i] = 99;
    harmonicFill(image, region, [size, size, 1], 1e-9, 1000);
    for (const [i, value] of image.entries()) expect(value).toBeCloseTo(plane[i] as number, 5);
  });

  it("covers the object in its frames and no others", async () => {
    const tracks = {
      images: [{ id: 1, file_name: "frame_000001", height: 8, width: 8 }],
      annotations: [{ id: 1, image_id: 1, track_id: 4, bbox: [2, 2, 2, 2], category_id: 1 }],
    };
    const hparams = {
      tracking_json_path: "t.json",
      track_ids: [4],
      occlusion_start_frame: 1,
      occlusion_end_frame: 1,
      fill_color: [1, 0, 0],
      bbox_mode: "dynamic",
    };
    const pipeline = single("node.occlusion.SolidOcclusionNode", hparams, memoryFiles({ "t.json": tracks }));
    const hidden = (await run(pipeline, { rgb_image: black(8, 8), frame_id: frame(1) })).get("n.rgb_image");
    expect([pixel(hidden, 2, 2), pixel(hidden, 4, 4)]).toEqual([
      [255, 0, 0],
      [0, 0, 0],
    ]);
    const plain = (await run(pipeline, { rgb_image: black(8, 8), frame_id: frame(2) })).get("n.rgb_image");
    expect(pixel(plain, 2, 2)).toEqual([0, 0, 0]);
  });
});

describe("videos", () => {
  it("are AVI files with all frames, written when the pipeline is let go", async () => {
    const files = memoryFiles();
    const pipeline = new Pipeline(
      {
        nodes: [
          node("frame", "node.video.VideoFrameNode"),
          node("video", "node.video.ToVideoNode", { output_video_path: "v.avi", frame_rotation: 90 }),
        ],
        connections: [wire("frame.rgb_image -> video.rgb_image")],
      },
      { files },
    );
    const values = await run(pipeline, { rgb_image: tensor("float32", [2, 2, 5, 3], new Float32Array(60).fill(0.5)) });
    expect(values.get("video.video_path")).toBe("v.avi");
    await pipeline.close();
    const bytes = Buffer.from(files.written.get("v.avi") as Uint8Array);
    expect(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 12)).toBe("RIFFAVI ");
    expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
    const header = bytes.indexOf("avih");
    expect([
      bytes.readUInt32LE(header + 8 + 16),
      bytes.readUInt32LE(header + 8 + 32),
      bytes.readUInt32LE(header + 8 + 36),
    ]).toEqual([2, 2, 5]);
    expect(bytes.toString("latin1").split("00db").length - 1).toBe(4);
  });
});

describe("regions of interest", () => {
  it("sampled at their own size are the pixels themselves", () => {
    const data = cube([1, 1, 6, 6]).data;
    const crops = roiAlign({ data, shape: [1, 1, 6, 6] }, [[0, 1, 2, 4, 5]], [3, 3], true);
    const expected = [2, 3, 4].flatMap((y) => [1, 2, 3].map((x) => data[y * 6 + x]));
    expect([...crops]).toEqual(expected);
  });

  it("are cut for boxes that have an extent", async () => {
    const pipeline = single("node.preprocessors.BBoxRoiCropNode", { output_size: [2, 2] });
    const values = await run(pipeline, {
      images: cube([1, 6, 6, 3]),
      bboxes: tensor("float32", [1, 2, 4], [0, 0, 0, 0, 1, 1, 3, 3]),
    });
    expect((values.get("n.crops") as Tensor).shape).toEqual([1, 3, 2, 2]);
  });
});
