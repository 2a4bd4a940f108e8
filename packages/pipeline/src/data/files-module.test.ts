// Rules of the data module "files": what becomes a batch, from which files.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allocate, type DType, type NumericArray } from "../formats/array.ts";
import { type Batch, openFilesModule, parseFilesParams } from "./files-module.ts";
import { localFiles } from "./roots.ts";
import type { Splits } from "./splits.ts";
import { DataFolder } from "./testing/folder.ts";

let folder: DataFolder;
beforeEach(() => {
  folder = new DataFolder();
});
afterEach(() => folder.remove());

function filled(dtype: DType, shape: number[], start = 0): NumericArray {
  const data = allocate(
    dtype,
    shape.reduce((product, size) => product * size, 1),
  );
  for (let i = 0; i < data.length; i++) data[i] = start + i;
  return { dtype, shape, data };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const open = (params: Record<string, unknown>, splits: Splits | null = null) =>
  openFilesModule(parseFilesParams(params), splits, localFiles([folder.path]));

async function batchesOf(
  params: Record<string, unknown>,
  stage: "train" | "val" | "predict" = "val",
): Promise<Batch[]> {
  return collect((await open(params)).batches(stage, { random: () => 0.999 }));
}

describe("a batch", () => {
  it("joins cubes, wavelengths, masks and positions in the shapes that pipelines take", async () => {
    for (const [i, name] of ["a", "b", "c"].entries()) {
      folder.npy(`${name}.npy`, filled("uint16", [2, 3, 4], 100 * i));
      folder.npy(`masks/${name}.npy`, filled("uint8", [2, 3], i));
    }
    const batches = await batchesOf({
      cubes: ["*.npy"],
      masks: ["masks/*.npy"],
      wavelengths_nm: [400, 500.5, 501.5, 600.4],
      batch_size: 2,
    });
    expect(batches.map(({ cube }) => cube.shape)).toEqual([
      [2, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    const [first] = batches;
    expect(first!.cube.dtype).toBe("uint16");
    expect([first!.cube.data[0], first!.cube.data[24]]).toEqual([0, 100]);
    expect(first!.wavelengths).toEqual({
      dtype: "int32",
      shape: [2, 4],
      data: new Int32Array([400, 500, 502, 600, 400, 500, 502, 600]),
    });
    expect(first!.mask).toEqual({
      dtype: "int32",
      shape: [2, 2, 3],
      data: new Int32Array([0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6]),
    });
    expect(batches[1]!.mesu_index).toEqual({ dtype: "int64", shape: [1], data: new BigInt64Array([2n]) });
  });

  it.each<[DType, DType]>([
    ["uint8", "uint16"],
    ["uint16", "uint16"],
    ["int16", "float32"],
    ["float64", "float32"],
    ["float32", "float32"],
  ])("holds a cube of %s as %s", async (stored, given) => {
    folder.npy("a.npy", filled(stored, [1, 2, 3]));
    const [batch] = await batchesOf({ cubes: ["a.npy"] });
    expect(batch!.cube.dtype).toBe(given);
    expect([...(batch!.cube.data as Float32Array)]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(batch).not.toHaveProperty("mask");
    expect(batch).not.toHaveProperty("wavelengths");
  });

  it("takes each cube of a file with four axes as a sample of its own", async () => {
    folder.npy("a.npy", filled("uint16", [3, 1, 2, 2]));
    folder.npy("m.npy", filled("int16", [3, 1, 2]));
    const module = await open({ cubes: ["a.npy"], masks: ["m.npy"] });
    expect(module.samples.map(({ id }) => id)).toEqual(["a.npy#0", "a.npy#1", "a.npy#2"]);
    const batches = await collect(module.batches("val"));
    expect(batches.map(({ cube, mask }) => [[...cube.data], [...mask!.data]])).toEqual([
      [
        [0, 1, 2, 3],
        [0, 1],
      ],
      [
        [4, 5, 6, 7],
        [2, 3],
      ],
      [
        [8, 9, 10, 11],
        [4, 5],
      ],
    ]);
    // Whoever hands a batch to another thread takes its memory away from nobody.
    expect(new Set(batches.map(({ cube }) => cube.data.buffer)).size).toBe(3);
  });

  it("is shuffled for training only, by the given source of chance", async () => {
    folder.npy("a.npy", filled("uint16", [4, 1, 1, 1]));
    const order = async (stage: "train" | "val", random: () => number) => {
      const module = await open({ cubes: ["a.npy"], batch_size: 4 });
      const [batch] = await collect(module.batches(stage, { random }));
      return [...batch!.cube.data].map(Number);
    };
    expect(await order("train", () => 0)).toEqual([1, 2, 3, 0]);
    expect(await order("val", () => 0)).toEqual([0, 1, 2, 3]);
  });

  it("repeats the training set samples_per_frame times", async () => {
    folder.npy("a.npy", filled("uint16", [2, 1, 1, 1]));
    expect(await batchesOf({ cubes: ["a.npy"], samples_per_frame: 3 }, "train")).toHaveLength(6);
    expect(await batchesOf({ cubes: ["a.npy"], samples_per_frame: 3 })).toHaveLength(2);
  });

  it("of cubes that differ in size is refused, naming both", async () => {
    folder.npy("a.npy", filled("uint16", [1, 2, 3]));
    folder.npy("b.npy", filled("uint16", [2, 2, 3]));
    await expect(batchesOf({ cubes: ["*.npy"], batch_size: 2 })).rejects.toThrow(
      "a batch joins a.npy [1, 2, 3] and b.npy [2, 2, 3]",
    );
    expect(await batchesOf({ cubes: ["*.npy"] })).toHaveLength(2);
  });
});

describe("cubes", () => {
  const mat = readFileSync(fileURLToPath(new URL("../formats/testing/plain.mat", import.meta.url)));
  const npz = readFileSync(fileURLToPath(new URL("../formats/testing/deflated.npz", import.meta.url)));

  it("come from MATLAB files by name, with masks from the same file", async () => {
    folder.write("s.mat", mat);
    const [batch] = await batchesOf({ cubes: ["s.mat"], variable: "uint16" });
    expect(batch!.cube.shape).toEqual([1, 2, 3, 4]);
    await expect(batchesOf({ cubes: ["s.mat"] })).rejects.toThrow(
      /11 of its arrays have 3 or 4 axes, so the variable must be named/,
    );
    await expect(batchesOf({ cubes: ["s.mat"], variable: "scalar" })).rejects.toThrow(
      "shape [1, 1]; allowed are 3 or 4 axes",
    );
    await expect(batchesOf({ cubes: ["s.mat"], variable: "record" })).rejects.toThrow("variable 'record' is a struct");
  });

  it("come from NumPy archives, whose only cube needs no name", async () => {
    folder.write("s.npz", npz);
    const [batch] = await batchesOf({ cubes: ["s.npz"], mask_variable: "mask" });
    expect(batch!.cube.shape).toEqual([1, 2, 3, 4]);
    expect(batch!.mask).toEqual({ dtype: "int32", shape: [1, 2, 3], data: new Int32Array([0, 0, 1, 1, 1, 1]) });
  });

  it("come from ENVI files, named by header or by data, with their wavelengths", async () => {
    const header =
      "ENVI\nsamples = 1\nlines = 1\nbands = 2\ndata type = 12\ninterleave = bip\nwavelength units = um\nwavelength = {0.43, 0.5304}\n";
    folder.write("s.hdr", header);
    folder.write("s.raw", new Uint8Array([1, 0, 2, 0]));
    for (const cubes of [["s.hdr"], ["s.raw"], ["s.*"]]) {
      const [batch] = await batchesOf({ cubes });
      expect(batch!.cube).toEqual({ dtype: "uint16", shape: [1, 1, 1, 2], data: new Uint16Array([1, 2]) });
      expect([...batch!.wavelengths!.data]).toEqual([430, 530]);
      expect(batch!.samples).toHaveLength(1);
    }
  });

  it("of an ENVI file need both of its parts", async () => {
    folder.write("s.raw", new Uint8Array(4));
    folder.write("t.hdr", "ENVI");
    await expect(open({ cubes: ["s.raw"] })).rejects.toThrow("no ENVI header 's.hdr' or 's.raw.hdr' beside it");
    await expect(open({ cubes: ["t.hdr"] })).rejects.toThrow("no ENVI data file beside it; looked for t.raw");
  });

  it("in .cu3s are refused with the reason", async () => {
    folder.write("s.cu3s", "x");
    await expect(open({ cubes: ["s.cu3s"] })).rejects.toMatchObject({
      reason: "unsupported",
      message: expect.stringContaining("vendor's SDK"),
    });
  });

  it("in anything else are refused with what is allowed", async () => {
    folder.write("s.tif", "x");
    await expect(open({ cubes: ["s.tif"] })).rejects.toThrow(
      "files '.tif' are not read; allowed are .npy, .npz, .mat and ENVI",
    );
  });

  it("outside the configured folders are refused", async () => {
    await expect(open({ cubes: ["../../etc/passwd"] })).rejects.toMatchObject({ reason: "outside-roots" });
  });

  it("must have as many bands as wavelengths", async () => {
    folder.npy("a.npy", filled("uint16", [1, 2, 3]));
    await expect(open({ cubes: ["a.npy"], wavelengths_nm: [1, 2] })).rejects.toThrow(
      "params.wavelengths_nm has 2 numbers, and a.npy has 3 bands",
    );
  });
});

describe("masks", () => {
  const coco = (...names: string[]) =>
    JSON.stringify({
      images: names.map((name, id) => ({ id, file_name: name, width: 2, height: 1 })),
      categories: [{ id: 5, name: "stone" }],
      annotations: names.map((_, id) => ({
        id,
        image_id: id,
        category_id: 5,
        segmentation: { size: [1, 2], counts: [id, 1, 1 - id] },
      })),
    });

  it("come from one COCO file for all cubes, by the names of its images", async () => {
    folder.npy("a.npy", filled("uint16", [1, 2, 1]));
    folder.npy("b.npy", filled("uint16", [1, 2, 1]));
    folder.write("labels.json", coco("b.png", "a.png"));
    const module = await open(
      { cubes: ["*.npy"], masks: ["labels.json"] },
      { train: [{ kind: "categories", any_of: ["stone"] }], leakage_check: "off" },
    );
    const batches = await collect(module.batches("predict"));
    expect(batches.map(({ mask }) => [...mask!.data])).toEqual([
      [0, 5],
      [5, 0],
    ]);
    expect(module.stage("train")).toHaveLength(2);
  });

  it("of a COCO file without the cube's image are refused", async () => {
    folder.npy("a.npy", filled("uint16", [1, 2, 1]));
    folder.write("labels.json", coco("b.png", "c.png"));
    await expect(open({ cubes: ["a.npy"], masks: ["labels.json"] })).rejects.toThrow("0 of its 2 images are named 'a'");
  });

  it("must be one per cube and of the cube's size", async () => {
    folder.npy("a.npy", filled("uint16", [1, 2, 3]));
    folder.npy("m/1.npy", filled("uint8", [2, 1]));
    folder.npy("m/2.npy", filled("uint8", [2, 1]));
    await expect(open({ cubes: ["a.npy"], masks: ["m/*.npy"] })).rejects.toThrow(
      "params.masks name 2 files for 1 cubes",
    );
    await expect(batchesOf({ cubes: ["a.npy"], masks: ["m/1.npy"] })).rejects.toThrow(
      "m/1.npy: the mask has shape [2, 1]",
    );
  });

  it("may have a last axis of one", async () => {
    folder.npy("a.npy", filled("uint16", [1, 2, 3]));
    folder.npy("m/1.npy", filled("uint8", [1, 2, 1]));
    const [batch] = await batchesOf({ cubes: ["a.npy"], masks: ["m/1.npy"] });
    expect(batch!.mask).toEqual({ dtype: "int32", shape: [1, 1, 2], data: new Int32Array([0, 1]) });
  });
});

describe("splits of files", () => {
  beforeEach(() => {
    for (const name of ["a", "b", "c"]) folder.npy(`${name}.npy`, filled("uint16", [1, 1, 1]));
  });
  const stems = async (splits: Splits | null, stage: "train" | "val" | "test" | "predict") =>
    (await open({ cubes: ["*.npy"] }, splits)).stage(stage).map(({ stem }) => stem);

  it("give every stage all samples where there are none", async () => {
    for (const stage of ["train", "val", "test", "predict"] as const)
      expect(await stems(null, stage)).toEqual(["a", "b", "c"]);
  });

  it("may lie in a file, whose stages the configuration's own replace", async () => {
    folder.write(
      "splits.json",
      JSON.stringify({ train: [{ kind: "stems", stems: ["a"] }], val: [{ kind: "stems", stems: ["b"] }] }),
    );
    const splits: Splits = { splits_path: "splits.json", val: [{ kind: "stems", stems: ["c"] }], train: [] };
    expect(await stems(splits, "train")).toEqual(["a"]);
    expect(await stems(splits, "val")).toEqual(["c"]);
  });

  it.each([
    ["{", /splits\.json: is no JSON/],
    ["[]", /is no mapping of stages/],
    ['{"train": 3}', /'train' is no list of selectors/],
  ])("in a broken file are refused: %s", async (text, message) => {
    folder.write("splits.json", text);
    await expect(stems({ splits_path: "splits.json" }, "train")).rejects.toThrow(message);
  });
});

describe("parameters", () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{}, /params\.cubes must name at least one cube/],
    [{ cubes: [] }, /at least one cube/],
    [{ cubes: [3] }, /params\.cubes must be a list of paths/],
    [{ cubes: ["a"], colour: 1 }, /params\.colour is unknown; allowed are cubes, masks/],
    [{ cubes: ["a"], variable: 3 }, /params\.variable must be a text or null/],
    [{ cubes: ["a"], batch_size: 0 }, /params\.batch_size is 0; allowed are integers from 1 on/],
    [{ cubes: ["a"], wavelengths_nm: ["x"] }, /params\.wavelengths_nm must be a list of numbers/],
  ])("%j are refused", (params, message) => {
    expect(() => parseFilesParams(params)).toThrow(message);
  });

  it("take the configuration's batch size where they have none", () => {
    expect(parseFilesParams({ cubes: "a.npy" }, 4)).toMatchObject({
      cubes: ["a.npy"],
      batch_size: 4,
      samples_per_frame: 1,
    });
    expect(parseFilesParams({ cubes: ["a.npy"], batch_size: 2 }, 4).batch_size).toBe(2);
  });
});
