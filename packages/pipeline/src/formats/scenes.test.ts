// Rules held by published scenes: sizes, types, ranges and masks as on record.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type NumericArray, readerOf } from "./array.ts";
import { readEnvi } from "./envi.ts";
import { describeMat, readMat } from "./mat.ts";
import { readNpy } from "./npy.ts";
import { type ByteSource, openFileSource } from "./source.ts";

interface SceneFile {
  readonly path: string;
  readonly role: string;
  readonly shape?: number[];
  readonly dtype?: string;
  readonly positive?: number;
  readonly crop?: { rows: [number, number]; cols: [number, number] } | null;
  readonly variables?: Record<string, string>;
}
interface Scene {
  readonly name: string;
  readonly shape: [number, number, number];
  readonly dtype: string;
  readonly value_range: [number, number];
  readonly mask?: { variable: string; shape: number[]; dtype: string; positive: number };
  readonly probe?: { row: number; col: number; band: number; value: number }[];
  readonly wavelengths_nm: number[] | null;
  readonly labels?: { path: string; counts: Record<string, number> };
  readonly files: SceneFile[];
}

const root = `${process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url))}/hsi`;
const there = existsSync(`${root}/index.json`);
const index = there ? (JSON.parse(readFileSync(`${root}/index.json`, "utf8")) as Record<string, unknown>) : {};
const scenes = Object.values(index).filter(Array.isArray).flat() as Scene[];
const mats = scenes.flatMap((scene) =>
  scene.files.filter(({ path }) => path.endsWith(".mat")).map((file) => [scene.name, scene, file] as const),
);
const npys = scenes.flatMap((scene) =>
  scene.files.filter(({ path }) => path.endsWith(".npy")).map((file) => [file.path, scene, file] as const),
);
if (!there) console.log("SORTIE_TEST_DATA leads to no data: published scenes are not read (12 cases)");

async function withFile<T>(name: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  await using source = await openFileSource(`${root}/${name}`, name);
  return await use(source);
}

function rangeOf(array: NumericArray): [number, number] {
  const read = readerOf(array);
  let range: [number, number] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < array.data.length; i++) range = [Math.min(range[0], read(i)), Math.max(range[1], read(i))];
  return range;
}
const positives = ({ data }: NumericArray): number =>
  Array.from<number | bigint>(data).filter((value) => value > 0).length;

describe.runIf(there)("published scenes", () => {
  it.each(mats)("%s is read from its .mat file", async (_, scene, file) => {
    const [cubeName] = Object.entries(file.variables!).find(([, what]) => what.startsWith("cube"))!;
    const cube = await withFile(file.path, (source) => readMat(source, cubeName));
    expect(cube).toMatchObject({ dtype: scene.dtype, shape: scene.shape });
    expect(rangeOf(cube)).toEqual(scene.value_range);
    const names = (await withFile(file.path, describeMat)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(file.variables!)));
    if (!scene.mask) return;
    const mask = await withFile(file.path, (source) => readMat(source, scene.mask!.variable));
    expect(mask).toMatchObject({ shape: scene.mask.shape });
    expect(positives(mask)).toBe(scene.mask.positive);
  });

  it.each(npys)("%s agrees with its .mat file or its labels", async (_, scene, file) => {
    const array = await withFile(file.path, readNpy);
    if (file.shape) expect(array.shape).toEqual(file.shape);
    if (file.dtype) expect(array.dtype).toBe(file.dtype);
    if (file.positive !== undefined) expect(positives(array)).toBe(file.positive);
    if (file.role === "labels") {
      const counts: Record<string, number> = {};
      for (const label of array.data) counts[String(label)] = (counts[String(label)] ?? 0) + 1;
      expect(counts).toEqual(scene.labels!.counts);
    }
    if (file.role !== "cube-npy") return;
    const mat = scene.files.find(({ path }) => path.endsWith(".mat"))!;
    const cube = await withFile(mat.path, (source) => readMat(source, "data"));
    const [rows, cols] = [file.crop?.rows[0] ?? 0, file.crop?.cols[0] ?? 0];
    const [height, width, bands] = array.shape as [number, number, number];
    for (let row = 0; row < height; row += 7) {
      for (let col = 0; col < width; col += 5) {
        const at = ((row + rows) * scene.shape[1] + col + cols) * bands;
        const spectrum = array.data.subarray((row * width + col) * bands, (row * width + col + 1) * bands);
        expect(Buffer.from(spectrum.slice().buffer).equals(Buffer.from(cube.data.slice(at, at + bands).buffer))).toBe(
          true,
        );
      }
    }
  });

  it("the corn kernel's ENVI file gives the probes and wavelengths on record", async () => {
    const scene = scenes.find(({ name }) => name === "corn-kernel-envi")!;
    const cube = await withFile("corn-kernel.hdr", (header) =>
      withFile("corn-kernel.raw", (data) => readEnvi(header, data)),
    );
    expect(cube).toMatchObject({ dtype: scene.dtype, shape: scene.shape });
    expect(cube.wavelengthsNm).toEqual(scene.wavelengths_nm);
    expect(rangeOf(cube)).toEqual(scene.value_range);
    for (const { row, col, band, value } of scene.probe!) {
      expect(Number(cube.data[(row * scene.shape[1] + col) * scene.shape[2] + band])).toBe(value);
    }
  });
});
