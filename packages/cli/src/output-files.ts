// What comes of an inference: a .npy file for each output, pictures, and what a person wants to know of it at once.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { InferenceOutput, InferenceOutputs } from "@sortie/client";
import { areaUnderCurve, type DType, type NumericArray, readerOf, viewAs, writeNpy } from "@sortie/pipeline";
import { numberText } from "./format.ts";
import { heatMap } from "./heat-map.ts";

export interface OutputFacts {
  readonly name: string;
  readonly min: number;
  readonly mean: number;
  readonly max: number;
  /** Of scores against labels. */
  readonly auc: number | undefined;
}

export interface WrittenOutputs {
  readonly files: readonly string[];
  readonly facts: readonly OutputFacts[];
}

/**
 * Writes every output into `folder`, under the cube's name.
 * @param labels by pixel, anything but 0 is positive
 */
export async function writeOutputs(
  outputs: InferenceOutputs,
  folder: string,
  cube: string,
  labels: ArrayLike<number> | undefined,
): Promise<WrittenOutputs> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  const facts: OutputFacts[] = [];
  const write = async (name: string, parts: readonly Uint8Array[]) => {
    const file = join(folder, name);
    await writeFile(file, parts);
    files.push(file);
  };
  for (const output of outputs.arrays) {
    const name = `${cube}.${output.name.replaceAll("/", "-")}`;
    if (output.mediaType === "image/png") {
      await write(`${name}.png`, [output.bytes]);
      continue;
    }
    const array = arrayOf(output);
    await write(`${name}.npy`, writeNpy(array));
    const numbers = Float64Array.from({ length: array.data.length }, (_, i) => readerOf(array)(i));
    const map = mapOf(output);
    // Decisions are no scores.
    const scored = map !== undefined && output.dtype !== "bool" && labels?.length === numbers.length;
    facts.push({ name: output.name, ...summary(numbers), auc: scored ? areaOf(numbers, labels ?? []) : undefined });
    if (!map) continue;
    const pixels = map.lines * map.samples;
    for (let image = 0; image < map.images; image++) {
      const scores = numbers.subarray(image * pixels, (image + 1) * pixels);
      const suffix = map.images === 1 ? "" : `-${image}`;
      await write(`${name}${suffix}.png`, [heatMap(scores, map.lines, map.samples)]);
    }
  }
  const others = { ...outputs.numbers, ...mapped(outputs.values) };
  if (Object.keys(others).length > 0) {
    await write(`${cube}.values.json`, [Buffer.from(`${JSON.stringify(others, null, 2)}\n`)]);
  }
  return { files, facts };
}

const mapped = (values: Readonly<Record<string, string>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).map(([key, json]) => [key, JSON.parse(json)]));

function arrayOf({ dtype, shape, bytes }: InferenceOutput): NumericArray {
  const count = shape.reduce((product, size) => product * size, 1);
  return { dtype: dtype as DType, shape, data: viewAs(dtype as DType, bytes.buffer, 0, count) } as NumericArray;
}

/** Whether an output has one real number, or one yes or no, for each pixel. */
function mapOf({ dtype, shape }: InferenceOutput) {
  if (!["float32", "float64", "bool"].includes(dtype) || shape.length !== 4 || shape[3] !== 1) return undefined;
  const [images = 0, lines = 0, samples = 0] = shape;
  return images * lines * samples > 0 ? { images, lines, samples } : undefined;
}

function summary(numbers: Float64Array): Pick<OutputFacts, "min" | "mean" | "max"> {
  let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const value of numbers) {
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  if (numbers.length === 0) return { min: Number.NaN, mean: Number.NaN, max: Number.NaN };
  return { min, mean: sum / numbers.length, max };
}

/** Undefined where all pixels have one label. */
function areaOf(scores: Float64Array, labels: ArrayLike<number>): number | undefined {
  const targets = Uint8Array.from(labels, (label) => (label !== 0 ? 1 : 0));
  const positives = targets.reduce((sum, target) => sum + target, 0);
  return positives === 0 || positives === targets.length ? undefined : areaUnderCurve(scores, targets);
}

/** "rx.scores: min 1.92 mean 19 max 931, AUC 0.8884" */
export function factsText({ name, min, mean, max, auc }: OutputFacts): string {
  const short = (value: number): string => numberText(Number(value.toPrecision(6)));
  return `${name}: min ${short(min)}  mean ${short(mean)}  max ${short(max)}${auc === undefined ? "" : `  AUC ${auc.toFixed(6)}`}`;
}
