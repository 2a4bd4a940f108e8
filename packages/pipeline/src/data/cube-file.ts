// Cubes and masks in files, whatever their format: what they hold, and reading it.
import { convertArray, type DType, type NumericArray } from "../formats/array.ts";
import { describeEnvi, readEnvi } from "../formats/envi.ts";
import { describeMat, readMat } from "../formats/mat.ts";
import { describeNpy, readNpy } from "../formats/npy.ts";
import { describeNpz, readNpz } from "../formats/npz.ts";
import { DataError, invalid } from "./errors.ts";
import type { DataFiles } from "./roots.ts";

/** An array that waits in a file. */
export interface ArrayFile {
  readonly path: string;
  /** The variable within the file, where its format has names. */
  readonly variable: string | undefined;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly wavelengthsNm?: readonly number[];
  read(): Promise<NumericArray>;
}

/** Extensions of ENVI data files that are looked for beside a header; none at all is common too. */
const ENVI_DATA = [".raw", ".img", ".dat", ".bsq", ".bil", ".bip", ".bin", ""];
const ALLOWED = ".npy, .npz, .mat and ENVI (.hdr beside .raw, .img, .dat, .bsq, .bil, .bip or .bin)";

export const extensionOf = (path: string): string => /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? "";
const stripExtension = (path: string): string => path.slice(0, path.length - extensionOf(path).length);

/** The name of the file without folder and extension. */
export const stemOf = (path: string): string => stripExtension(path.slice(path.lastIndexOf("/") + 1));

/**
 * @param variable the array's name in `.npz` and `.mat` files; null takes the only one of a fitting rank
 * @param ranks how many axes the array may have
 */
export async function describeArrayFile(
  files: DataFiles,
  path: string,
  variable: string | null,
  ranks: readonly number[],
): Promise<ArrayFile> {
  const found = await describeAny(files, path, variable, ranks);
  if (!ranks.includes(found.shape.length)) {
    throw invalid(`${path}: has an array of shape [${found.shape.join(", ")}]; allowed are ${ranks.join(" or ")} axes`);
  }
  return found;
}

async function describeAny(
  files: DataFiles,
  path: string,
  variable: string | null,
  ranks: readonly number[],
): Promise<ArrayFile> {
  const extension = extensionOf(path);
  switch (extension) {
    case ".npy": {
      await using source = await files.open(path);
      const { shape, dtype } = await describeNpy(source);
      return { path, variable: undefined, shape, dtype, read: () => reading(files, path, readNpy) };
    }
    case ".npz": {
      await using source = await files.open(path);
      const name = choose(
        path,
        [...(await describeNpz(source))].map(([key, header]) => ({ name: key, ...header })),
        variable,
        ranks,
      );
      return {
        path,
        variable: name.name,
        shape: name.shape,
        dtype: name.dtype,
        read: () => reading(files, path, (s) => readNpz(s, name.name)),
      };
    }
    case ".mat": {
      await using source = await files.open(path);
      const all = await describeMat(source);
      const numeric = all.flatMap((entry) =>
        entry.dtype ? [{ name: entry.name, shape: entry.shape, dtype: entry.dtype }] : [],
      );
      const refused = all.find(({ name, dtype }) => name === variable && !dtype);
      if (refused) throw invalid(`${path}: variable '${refused.name}' ${refused.refusal}`);
      const { name, shape, dtype } = choose(path, numeric, variable, ranks);
      return { path, variable: name, shape, dtype, read: () => reading(files, path, (s) => readMat(s, name)) };
    }
    case ".cu3s":
      throw new DataError(
        "unsupported",
        `${path}: .cu3s files are read only by their vendor's SDK, which is not part of this server; export the cube as one of ${ALLOWED}`,
      );
    default:
      return await describeEnviFile(files, path, extension);
  }
}

async function describeEnviFile(files: DataFiles, path: string, extension: string): Promise<ArrayFile> {
  if (extension !== ".hdr" && !ENVI_DATA.includes(extension)) {
    throw new DataError("unsupported", `${path}: files '${extension}' are not read; allowed are ${ALLOWED}`);
  }
  const stem = stripExtension(path);
  const header = extension === ".hdr" ? path : await firstOf(files, [`${stem}.hdr`, `${path}.hdr`]);
  const data =
    extension === ".hdr"
      ? await firstOf(
          files,
          ENVI_DATA.map((end) => stem + end),
        )
      : path;
  if (header === undefined)
    throw new DataError("not-found", `${path}: no ENVI header '${stem}.hdr' or '${path}.hdr' beside it`);
  if (data === undefined) {
    throw new DataError(
      "not-found",
      `${path}: no ENVI data file beside it; looked for ${ENVI_DATA.map((end) => stem + end).join(", ")}`,
    );
  }
  await using source = await files.open(header);
  const { lines, samples, bands, dtype, wavelengthsNm } = await describeEnvi(source);
  return {
    path,
    variable: undefined,
    shape: [lines, samples, bands],
    dtype,
    ...(wavelengthsNm ? { wavelengthsNm } : {}),
    read: () => reading(files, header, (h) => reading(files, data, (d) => readEnvi(h, d))),
  };
}

async function reading<T>(
  files: DataFiles,
  path: string,
  use: (source: Awaited<ReturnType<DataFiles["open"]>>) => Promise<T>,
): Promise<T> {
  await using source = await files.open(path);
  return await use(source);
}

async function firstOf(files: DataFiles, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await files.exists(path)) return path;
  return undefined;
}

interface Named {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

function choose(path: string, arrays: readonly Named[], variable: string | null, ranks: readonly number[]): Named {
  const words = arrays.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(", ") || "no numeric array";
  if (variable !== null) {
    const found = arrays.find(({ name }) => name === variable);
    if (!found) throw invalid(`${path}: has no variable '${variable}'; it has ${words}`);
    return found;
  }
  const fitting = arrays.filter(({ shape }) => ranks.includes(shape.length));
  if (fitting.length !== 1) {
    throw invalid(
      `${path}: ${fitting.length} of its arrays have ${ranks.join(" or ")} axes, so the variable must be named; it has ${words}`,
    );
  }
  return fitting[0]!;
}

/** Cubes keep whole numbers of up to 16 bits without sign as uint16; everything else becomes float32. */
export const cubeDType = (dtype: DType): "uint16" | "float32" =>
  dtype === "uint8" || dtype === "uint16" || dtype === "bool" ? "uint16" : "float32";

/** Part `index` of an array along its first axis, converted. */
export function part(
  array: NumericArray,
  index: number | undefined,
  dtype: "uint16" | "float32" | "int32",
): NumericArray {
  if (index === undefined) return convertArray(array, dtype);
  const shape = array.shape.slice(1);
  const size = shape.reduce((product, extent) => product * extent, 1);
  const data = array.data.subarray(index * size, (index + 1) * size) as NumericArray["data"];
  return convertArray({ dtype: array.dtype, shape, data }, dtype);
}
