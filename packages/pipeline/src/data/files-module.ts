// The data module "files": cubes and masks from NumPy, ENVI, MATLAB and COCO files, in splits and batches.
import { allocate, type NumericArray, type TypedArray } from "../formats/array.ts";
import { type CocoFile, cocoMask, parseCoco } from "../formats/coco.ts";
import { readAll } from "../formats/source.ts";
import { type ArrayFile, cubeDType, describeArrayFile, extensionOf, part, stemOf } from "./cube-file.ts";
import { DataError, invalid } from "./errors.ts";
import type { DataFiles } from "./roots.ts";
import { applySplits, type Sample, type SplitStage, type Splits, STAGES, sampleId } from "./splits.ts";

/** The name under which data configurations ask for this module. */
export const FILES_MODULE = "files";

export interface FilesParams {
  /** Paths or patterns of cubes: [lines, samples, bands], or [n, lines, samples, bands] for n samples in one file. */
  readonly cubes: readonly string[];
  /** One per cube in the same order, or one COCO file for all; null: none, or within the cubes' files by mask_variable. */
  readonly masks: readonly string[] | null;
  /** Name of the cube in `.npz` and `.mat` files; null takes the only array of a cube's rank. */
  readonly variable: string | null;
  readonly mask_variable: string | null;
  /** Centres of the bands; null takes what the files say. */
  readonly wavelengths_nm: readonly number[] | null;
  readonly batch_size: number;
  /** How often the training set is repeated within an epoch. */
  readonly samples_per_frame: number;
}

/** What a pipeline gets for one step; B samples of equal size. */
export interface Batch {
  /** [B, lines, samples, bands], uint16 or float32. */
  readonly cube: NumericArray;
  /** int32 [B, bands], in nanometres; absent where neither configuration nor files tell them. */
  readonly wavelengths?: NumericArray<"int32">;
  /** int32 [B, lines, samples], class ids with 0 for background; absent without labels. */
  readonly mask?: NumericArray<"int32">;
  /** int64 [B]: the samples' positions in the whole list. */
  readonly mesu_index: NumericArray<"int64">;
  readonly samples: readonly Sample[];
}

export interface FilesModule {
  readonly samples: readonly Sample[];
  readonly warnings: readonly string[];
  /** Without splits every stage has all samples. */
  stage(stage: SplitStage): readonly Sample[];
  /** Training batches are shuffled with `random` (uniform in 0..1), others come in order; the last may be smaller. */
  batches(stage: SplitStage, options?: { readonly random?: () => number }): AsyncIterable<Batch>;
}

interface Item {
  readonly sample: Sample;
  readonly position: number;
  readonly cube: ArrayFile;
  /** [lines, samples, bands] */
  readonly shape: readonly number[];
  readonly mask: ((lines: number, samples: number) => Promise<NumericArray>) | undefined;
}

const PARAM_NAMES = [
  "cubes",
  "masks",
  "variable",
  "mask_variable",
  "wavelengths_nm",
  "batch_size",
  "samples_per_frame",
];

/**
 * Checks `params` of a data configuration.
 * @param batchSize of the configuration itself, where params have none
 */
export function parseFilesParams(params: Readonly<Record<string, unknown>>, batchSize = 1): FilesParams {
  for (const key of Object.keys(params)) {
    if (!PARAM_NAMES.includes(key)) throw invalid(`params.${key} is unknown; allowed are ${PARAM_NAMES.join(", ")}`);
  }
  const texts = (key: string): readonly string[] | null => {
    const value = params[key] ?? null;
    if (value === null) return null;
    const list = typeof value === "string" ? [value] : value;
    if (!Array.isArray(list) || !list.every((item) => typeof item === "string" && item !== "")) {
      throw invalid(`params.${key} must be a list of paths`);
    }
    return list as string[];
  };
  const text = (key: string): string | null => {
    const value = params[key] ?? null;
    if (value !== null && typeof value !== "string") throw invalid(`params.${key} must be a text or null`);
    return value;
  };
  const count = (key: string, fallback: number): number => {
    const value = params[key] ?? fallback;
    if (!Number.isSafeInteger(value) || (value as number) < 1)
      throw invalid(`params.${key} is ${String(value)}; allowed are integers from 1 on`);
    return value as number;
  };
  const cubes = texts("cubes");
  if (!cubes || cubes.length === 0) throw invalid("params.cubes must name at least one cube");
  const wavelengths = params["wavelengths_nm"] ?? null;
  if (
    wavelengths !== null &&
    !(Array.isArray(wavelengths) && wavelengths.every((value) => Number.isFinite(value) && value >= 0))
  ) {
    throw invalid("params.wavelengths_nm must be a list of numbers from 0 on, or null");
  }
  return {
    cubes,
    masks: texts("masks"),
    variable: text("variable"),
    mask_variable: text("mask_variable"),
    wavelengths_nm: wavelengths as number[] | null,
    batch_size: count("batch_size", batchSize),
    samples_per_frame: count("samples_per_frame", 1),
  };
}

/**
 * Finds the files and reads their headers; the arrays themselves are read batch by batch.
 * @param splits of the data configuration; null gives every stage all samples
 * @throws DataError, FormatError
 */
export async function openFilesModule(
  params: FilesParams,
  splits: Splits | null,
  files: DataFiles,
): Promise<FilesModule> {
  const paths = await findAll(files, params.cubes);
  const masks = params.masks ? await findAll(files, params.masks) : null;
  const labels = await openLabels(files, params, paths, masks);
  const items: Item[] = [];
  for (const [i, path] of paths.entries()) {
    const cube = await describeArrayFile(files, path, params.variable, [3, 4]);
    checkWavelengths(params, cube);
    items.push(...itemsOf(cube, labels.of(i), items.length));
  }
  const samples = items.map(({ sample }) => sample);
  const { stages, warnings } = splits
    ? applySplits(await withSplitsFile(splits, files), samples, labels.categories)
    : { stages: { train: samples, val: samples, test: samples, predict: samples }, warnings: [] };
  const byId = new Map(items.map((item) => [item.sample, item]));
  return {
    samples,
    warnings,
    stage: (stage) => stages[stage],
    batches: (stage, { random = Math.random } = {}) => {
      const chosen = stages[stage].map((sample) => byId.get(sample)!);
      const repeated =
        stage === "train" ? Array.from({ length: params.samples_per_frame }, () => chosen).flat() : chosen;
      return readBatches(stage === "train" ? shuffled(repeated, random) : repeated, params);
    },
  };
}

async function findAll(files: DataFiles, patterns: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const pattern of patterns) {
    // An ENVI header and its data match one pattern, and are one cube.
    const paths = await files.find(pattern);
    const headers = new Set(paths.filter((path) => extensionOf(path) === ".hdr").map((path) => path.slice(0, -4)));
    found.push(...paths.filter((path) => !isDataOf(headers, path)));
  }
  return [...new Set(found)];
}

function isDataOf(headers: ReadonlySet<string>, path: string): boolean {
  const extension = extensionOf(path);
  if (extension === ".hdr" || extension === ".npy" || extension === ".npz" || extension === ".mat") return false;
  return headers.has(path) || headers.has(path.slice(0, path.length - extension.length));
}

function checkWavelengths({ wavelengths_nm: given }: FilesParams, { path, shape }: ArrayFile): void {
  const bands = shape.at(-1);
  if (given && given.length !== bands) {
    throw invalid(`params.wavelengths_nm has ${given.length} numbers, and ${path} has ${bands} bands`);
  }
}

function itemsOf(cube: ArrayFile, label: Label | undefined, first: number): Item[] {
  const stacked = cube.shape.length === 4;
  const count = stacked ? cube.shape[0]! : 1;
  return Array.from({ length: count }, (_, i) => {
    const index = stacked ? i : undefined;
    const place = { source: cube.path, index, labelId: label?.labelId(i, count) };
    const sample: Sample = {
      ...place,
      id: sampleId(place),
      stem: stemOf(cube.path),
      tags: [],
      categoryIds: label?.categoryIds(i, count) ?? [],
    };
    const shape = stacked ? cube.shape.slice(1) : cube.shape;
    return {
      sample,
      position: first + i,
      cube,
      shape,
      mask: label && ((lines, samples) => label.read(i, count, lines, samples)),
    };
  });
}

/** The labels of one cube file. */
interface Label {
  labelId(index: number, count: number): number | undefined;
  categoryIds(index: number, count: number): readonly number[];
  read(index: number, count: number, lines: number, samples: number): Promise<NumericArray>;
}

interface Labels {
  readonly categories: ReadonlyMap<string, number>;
  of(cube: number): Label | undefined;
}

async function openLabels(
  files: DataFiles,
  params: FilesParams,
  cubes: readonly string[],
  masks: readonly string[] | null,
): Promise<Labels> {
  if (!masks) {
    if (params.mask_variable === null) return { categories: new Map(), of: () => undefined };
    const own = await Promise.all(cubes.map((path) => arrayLabel(files, path, params.mask_variable)));
    return { categories: new Map(), of: (cube) => own[cube] };
  }
  const shared = masks.length === 1 && extensionOf(masks[0]!) === ".json";
  if (!shared && masks.length !== cubes.length) {
    throw invalid(
      `params.masks name ${masks.length} files for ${cubes.length} cubes; allowed are one per cube, or one COCO file`,
    );
  }
  const categories = new Map<string, number>();
  const opened = new Map<string, CocoFile>();
  const labels: Label[] = [];
  for (const [i, cube] of cubes.entries()) {
    const path = shared ? masks[0]! : masks[i]!;
    if (extensionOf(path) !== ".json") {
      labels.push(await arrayLabel(files, path, params.mask_variable));
      continue;
    }
    let coco = opened.get(path);
    if (!coco) {
      await using source = await files.open(path);
      coco = parseCoco(new TextDecoder().decode(await readAll(source)), path);
      opened.set(path, coco);
      for (const [id, name] of coco.categories) categories.set(name, id);
    }
    labels.push(cocoLabel(coco, cube));
  }
  return { categories, of: (cube) => labels[cube] };
}

async function arrayLabel(files: DataFiles, path: string, variable: string | null): Promise<Label> {
  const file = await describeArrayFile(files, path, variable, [2, 3]);
  return {
    labelId: () => undefined,
    categoryIds: () => [],
    async read(index, count, lines, samples) {
      const { shape } = file;
      // [lines, samples], [lines, samples, 1] for one sample; [n, lines, samples] for n of them.
      const stacked = shape.length === 3 && shape[0] === count && shape[1] === lines && shape[2] === samples;
      const single = !stacked && count === 1 && shape[0] === lines && shape[1] === samples && (shape[2] ?? 1) === 1;
      if (!stacked && !single) {
        throw invalid(
          `${file.path}: the mask has shape [${shape.join(", ")}], and its ${count} cubes have ${lines} lines and ${samples} samples`,
        );
      }
      return part(await file.read(), stacked ? index : undefined, "int32");
    },
  };
}

function cocoLabel(coco: CocoFile, cube: string): Label {
  const stem = stemOf(cube);
  const image = (index: number, count: number) => {
    const named = coco.images.filter(({ fileName }) => stemOf(fileName) === stem);
    const candidates = named.length === count ? named : coco.images;
    const found = candidates.length === count ? candidates[index] : undefined;
    if (!found) {
      throw invalid(
        `${coco.name}: ${named.length} of its ${coco.images.length} images are named '${stem}'; ${cube} has ${count} samples`,
      );
    }
    return found;
  };
  return {
    labelId: (index, count) => (count > 1 ? image(index, count).id : undefined),
    categoryIds: (index, count) => [
      ...new Set((coco.annotations.get(image(index, count).id) ?? []).map(({ categoryId }) => categoryId)),
    ],
    read: async (index, count, lines, samples) => cocoMask(coco, image(index, count), lines, samples),
  };
}

/** A splits file has the same model; stages that the configuration gives itself replace those of the file. */
async function withSplitsFile(splits: Splits, files: DataFiles): Promise<Splits> {
  if (!splits.splits_path) return splits;
  await using source = await files.open(splits.splits_path);
  let stored: unknown;
  try {
    stored = JSON.parse(new TextDecoder().decode(await readAll(source)));
  } catch (cause) {
    throw new DataError("invalid", `${splits.splits_path}: is no JSON (${(cause as Error).message})`, { cause });
  }
  if (typeof stored !== "object" || stored === null || Array.isArray(stored)) {
    throw invalid(`${splits.splits_path}: is no mapping of stages to selectors`);
  }
  for (const stage of STAGES) {
    const list: unknown = (stored as Record<string, unknown>)[stage] ?? [];
    if (
      !Array.isArray(list) ||
      !list.every((entry) => typeof entry === "object" && entry !== null && "kind" in entry)
    ) {
      throw invalid(`${splits.splits_path}: '${stage}' is no list of selectors`);
    }
  }
  const own = Object.fromEntries(STAGES.flatMap((stage) => (splits[stage]?.length ? [[stage, splits[stage]]] : [])));
  const file = stored as Splits;
  return {
    ...file,
    ...own,
    ...(splits.leakage_check ? { leakage_check: splits.leakage_check } : {}),
    ...(splits.universe_hash ? { universe_hash: splits.universe_hash } : {}),
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

async function* readBatches(items: readonly Item[], params: FilesParams): AsyncGenerator<Batch> {
  // Samples of one file often follow each other; its array is kept for the next, and batches never share it.
  let last: { readonly file: ArrayFile; readonly array: NumericArray } | undefined;
  for (let at = 0; at < items.length; at += params.batch_size) {
    const group = items.slice(at, at + params.batch_size);
    const [first] = group as [Item, ...Item[]];
    const odd = group.find(({ shape }) => shape.some((size, axis) => size !== first.shape[axis]));
    if (odd) {
      throw invalid(
        `a batch joins ${first.sample.id} [${first.shape.join(", ")}] and ${odd.sample.id} [${odd.shape.join(", ")}]; sizes must agree, or batch_size be 1`,
      );
    }
    const dtype = group.every(({ cube }) => cubeDType(cube.dtype) === "uint16") ? "uint16" : "float32";
    const cubes: NumericArray[] = [];
    for (const { cube, sample } of group) {
      const array = last?.file === cube ? last.array : await cube.read();
      last = sample.index === undefined ? undefined : { file: cube, array };
      cubes.push(part(array, sample.index, dtype));
    }
    const [lines, samples, bands] = first.shape as [number, number, number];
    const masks: NumericArray[] = [];
    for (const { mask } of group) if (mask) masks.push(await mask(lines, samples));
    const wavelengths = group.map(({ cube }) => params.wavelengths_nm ?? cube.wavelengthsNm);
    yield {
      cube: stack(cubes, [lines, samples, bands], dtype),
      ...(wavelengths.every((list) => list !== undefined) ? { wavelengths: wavelengthRows(wavelengths, bands) } : {}),
      ...(masks.length === group.length ? { mask: stack(masks, [lines, samples], "int32") } : {}),
      mesu_index: {
        dtype: "int64",
        shape: [group.length],
        data: BigInt64Array.from(group, ({ position }) => BigInt(position)),
      },
      samples: group.map(({ sample }) => sample),
    };
  }
}

function stack<D extends "uint16" | "float32" | "int32">(
  arrays: readonly NumericArray[],
  shape: readonly number[],
  dtype: D,
): NumericArray<D> {
  const [only] = arrays;
  if (arrays.length === 1 && only!.data.byteLength === only!.data.buffer.byteLength) {
    return { dtype, shape: [1, ...shape], data: only!.data as NumericArray<D>["data"] };
  }
  const size = shape.reduce((product, extent) => product * extent, 1);
  const data = allocate(dtype, size * arrays.length);
  for (const [i, array] of arrays.entries())
    (data as Float32Array).set(array.data as Exclude<TypedArray, BigInt64Array | BigUint64Array>, i * size);
  return { dtype, shape: [arrays.length, ...shape], data };
}

/** Whole nanometres, halves to even. */
function wavelengthRows(rows: readonly (readonly number[])[], bands: number): NumericArray<"int32"> {
  const data = new Int32Array(rows.length * bands);
  for (const [row, values] of rows.entries()) {
    for (const [band, value] of values.entries()) data[row * bands + band] = roundToEven(value);
  }
  return { dtype: "int32", shape: [rows.length, bands], data };
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
