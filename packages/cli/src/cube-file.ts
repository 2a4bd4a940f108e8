// Cubes, masks and wavelengths in files of this machine.
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import {
  convertArray,
  DataError,
  describeArrayFile,
  FormatError,
  localFiles,
  type NumericArray,
} from "@sortie/pipeline";
import { UsageError } from "./connect.ts";
import { unreadable, withoutExtension } from "./pipeline-file.ts";

export interface CubeFile {
  /** The file's name without folder and extension. */
  readonly name: string;
  readonly path: string;
  /** [1, lines, samples, bands], or several images. */
  readonly cube: NumericArray;
  readonly wavelengthsNm: readonly number[] | undefined;
}

/** @throws UsageError naming the file and what is wrong with it */
export async function readCube(path: string, variable: string | undefined): Promise<CubeFile> {
  const { array, wavelengthsNm } = await readArray(path, variable, [3, 4]);
  const shape = array.shape.length === 4 ? array.shape : [1, ...array.shape];
  const cube = widened({ ...array, shape } as NumericArray);
  return { name: basename(withoutExtension(path)), path, cube, wavelengthsNm };
}

/** Labels by pixel, [lines, samples]; anything but 0 is positive. */
export async function readMask(path: string, variable: string | undefined): Promise<NumericArray<"int32">> {
  const { array } = await readArray(path, variable, [2]);
  return convertArray(array, "int32");
}

async function readArray(path: string, variable: string | undefined, ranks: readonly number[]) {
  const absolute = resolve(path);
  await stat(absolute).catch((error) => {
    throw unreadable(path, error);
  });
  try {
    const file = await describeArrayFile(localFiles([dirname(absolute)]), absolute, variable ?? null, ranks);
    return { array: await file.read(), wavelengthsNm: file.wavelengthsNm };
  } catch (error) {
    if (error instanceof DataError || error instanceof FormatError) {
      throw new UsageError(error.message.replaceAll(absolute, path), { cause: error });
    }
    throw error;
  }
}

/** Half floats exist in files only. */
function widened(array: NumericArray): NumericArray {
  return array.dtype === "float16" || array.dtype === "bfloat16" ? convertArray(array, "float32") : array;
}

const CUBES = /\.(npy|npz|mat|hdr)$/i;

/** The files that are named; of a folder every cube in it, which leaves out masks and whatever else is no cube. */
export async function findCubes(paths: readonly string[], variable: string | undefined): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const facts = await stat(path).catch((error) => {
      throw unreadable(path, error);
    });
    if (!facts.isDirectory()) {
      found.push(path);
      continue;
    }
    const files = (await readdir(path)).filter((name) => CUBES.test(name)).sort();
    const cubes: string[] = [];
    for (const name of files) if (await holdsCube(join(path, name), variable)) cubes.push(join(path, name));
    if (cubes.length === 0) throw new UsageError(`${path}: there is no cube in this folder (.npy, .npz, .mat, .hdr)`);
    found.push(...cubes);
  }
  return found;
}

async function holdsCube(path: string, variable: string | undefined): Promise<boolean> {
  const absolute = resolve(path);
  try {
    await describeArrayFile(localFiles([dirname(absolute)]), absolute, variable ?? null, [3, 4]);
    return true;
  } catch (error) {
    if (error instanceof DataError || error instanceof FormatError) return false;
    throw error;
  }
}

/** Numbers in nanometres, separated by blanks, commas or line breaks. */
export async function readWavelengths(path: string): Promise<number[]> {
  const text = await readFile(path, "utf8").catch((error) => {
    throw unreadable(path, error);
  });
  const words = text.split(/[\s,;]+/).filter((word) => word !== "");
  const numbers = words.map(Number);
  const wrong = words.find((_, i) => !((numbers[i] as number) >= 0));
  if (wrong !== undefined || numbers.length === 0) {
    throw new UsageError(`${path}: ${wrong === undefined ? "holds no numbers" : `"${wrong}" is no wavelength`}`);
  }
  return numbers;
}
