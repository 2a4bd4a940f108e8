// Published scenes give the reference's scores, areas under the curve and decisions.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { readMat } from "../formats/mat.ts";
import { openFileSource } from "../formats/source.ts";
import { type Tensor, tensor, toFloat32, toFloat64, type Value } from "../graph/tensor.ts";
import { areaUnderCurve, averagePrecision, quantileOfSorted } from "../nodes/statistics.ts";
import { Engine } from "../runtime/engine.ts";
import { Pipeline } from "./pipeline.ts";

const root = `${process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url))}/hsi`;
const there = existsSync(`${root}/reference.json`);

interface Reference {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std_unbiased: number;
  readonly quantiles: Readonly<Record<string, number>>;
  readonly auc?: number;
  readonly average_precision?: number;
  readonly top10: readonly (readonly [number, number, number])[];
  readonly heads?: {
    readonly score_to_logit_bias: number;
    readonly binary_decider: Readonly<Record<"positives" | "tp" | "fp" | "fn", number>>;
    readonly quantile_decider_0_995: Readonly<Record<"positives" | "tp" | "fp" | "fn", number>>;
    readonly average_precision_of_sigmoid_logits_float32: number;
  };
}
interface Scene {
  readonly name: string;
  readonly shape: readonly [number, number, number];
  readonly files: readonly { readonly path: string; readonly variables?: Readonly<Record<string, string>> }[];
}

const read = (file: string): unknown => JSON.parse(readFileSync(`${root}/${file}`, "utf8"));
const scenes = there
  ? (read("index.json") as { scenes: Scene[] }).scenes.filter((scene) =>
      scene.files.some((file) => file.path.endsWith(".mat")),
    )
  : [];
const references = there
  ? (read("reference.json") as { scenes: Record<string, Record<string, Reference>> }).scenes
  : {};

const engine = new Engine();
afterAll(() => engine.close());

const node = (name: string, path: string, hparams: Record<string, unknown> = {}) => ({
  name,
  class_name: `cuvis_ai.${path}`,
  hparams,
});
const wire = (source: string, target: string) => {
  const [from, output] = source.split(".");
  const [to, input] = target.split(".");
  return { source: `${from}.outputs.${output}`, target: `${to}.inputs.${input}` };
};

const DATA = node("data", "node.data.CU3SDataNode");
const MINMAX = node("minmax", "node.normalization.MinMaxNormalizer");
const DETECTORS = {
  rx: (channels: number) => node("rx", "anomaly.rx_detector.RXGlobal", { num_channels: channels }),
  batch: () => node("rx", "anomaly.rx_detector.RXPerBatch"),
  lad: (channels: number) => node("rx", "anomaly.lad_detector.LADGlobal", { num_channels: channels }),
};

/** data [-> unit norm or min-max] -> detector [-> logit -> deciders] */
function pipelineOf(
  kind: keyof typeof DETECTORS,
  channels: number,
  before: "raw" | "minmax" | "unit",
  heads = false,
): Pipeline {
  const detector = DETECTORS[kind](channels);
  const nodes = [DATA, detector];
  const connections = [];
  if (before === "minmax") {
    nodes.push(MINMAX);
    connections.push(wire("data.cube", "minmax.data"), wire("minmax.normalized", "rx.data"));
  } else if (before === "unit") {
    nodes.push(node("unit", "node.normalization.PerPixelUnitNorm"));
    connections.push(wire("data.cube", "unit.data"), wire("unit.normalized", "rx.data"));
  } else connections.push(wire("data.cube", "rx.data"));
  if (heads) {
    nodes.push(
      node("logit", "node.conversion.ScoreToLogit"),
      node("decider", "deciders.binary_decider.BinaryDecider"),
      node("quantile", "deciders.binary_decider.QuantileBinaryDecider"),
    );
    connections.push(
      wire("rx.scores", "logit.scores"),
      wire("logit.logits", "decider.logits"),
      wire("rx.scores", "quantile.logits"),
    );
  }
  return new Pipeline({ nodes, connections });
}

interface Loaded {
  readonly batch: Record<string, Value>;
  readonly labels: Uint8Array | undefined;
  readonly shape: readonly [number, number, number];
}

async function load(scene: Scene): Promise<Loaded> {
  const file = scene.files.find(({ path }) => path.endsWith(".mat"));
  const variables = Object.entries(file?.variables ?? {});
  const named = (word: string): string | undefined => variables.find(([, role]) => role.startsWith(word))?.[0];
  await using source = await openFileSource(`${root}/${file?.path}`);
  const cube = await readMat(source, named("cube") ?? "data");
  const mask = named("mask");
  const labels = mask === undefined ? undefined : await readMat(source, mask);
  const [height, width, channels] = scene.shape;
  return {
    batch: {
      cube: { dtype: cube.dtype, shape: [1, height, width, channels], data: cube.data } as Tensor,
      wavelengths: tensor("int32", [1, channels], new Int32Array(channels)),
    },
    labels: labels && Uint8Array.from(labels.data as Uint8Array, (value) => (value ? 1 : 0)),
    shape: scene.shape,
  };
}

const close = (found: number, expected: number, relative: number): void => {
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(relative * Math.abs(expected));
};

/** Scores against the reference; `relative` of the largest score. */
function expectScores(scores: Float32Array, reference: Reference, { labels, shape }: Loaded, relative: number): void {
  const sorted = scores.slice().sort();
  const allowed = relative * reference.max;
  const near = (found: number, expected: number): void =>
    expect(Math.abs(found - expected)).toBeLessThanOrEqual(allowed);
  near(sorted[0] as number, reference.min);
  near(sorted.at(-1) as number, reference.max);
  for (const [q, value] of Object.entries(reference.quantiles)) near(quantileOfSorted(sorted, Number(q)), value);
  for (const [row, column, score] of reference.top10) near(scores[row * shape[1] + column] as number, score);
  if (!labels) return;
  close(areaUnderCurve(scores, labels), reference.auc as number, 1e-5);
  close(averagePrecision(scores, labels), reference.average_precision as number, 1e-3);
}

const scoresOf = (values: Map<string, Value>): Float32Array => toFloat32(values.get("rx.scores") as Tensor);

describe.runIf(there)("published scenes", () => {
  it.each(scenes.map((scene) => [scene.name, scene] as const))(
    "%s: RX, LAD and their decisions",
    async (name, scene) => {
      const loaded = await load(scene);
      const reference = references[name] as Record<string, Reference>;
      const [, , channels] = scene.shape;
      const run = async (key: string, pipeline: Pipeline, relative: number): Promise<Map<string, Value>> => {
        await pipeline.fit(() => [loaded.batch], { engine });
        const values = await pipeline.run(loaded.batch, { engine });
        expectScores(scoresOf(values), reference[key] as Reference, loaded, relative);
        return values;
      };
      await run("rx_global_raw", pipelineOf("rx", channels, "raw"), 1e-5);
      await run("unit_norm_rx_global", pipelineOf("rx", channels, "unit"), 1e-4);
      await run("lad_minmax", pipelineOf("lad", channels, "minmax"), 1e-5);
      await run("rx_per_batch_raw", pipelineOf("batch", channels, "raw"), 1e-4);
      const values = await run("minmax_rx_global", pipelineOf("rx", channels, "minmax", true), 1e-5);
      const heads = (reference["minmax_rx_global"] as Reference).heads;
      if (!heads || !loaded.labels) return;
      const { labels } = loaded;
      for (const [key, output] of [
        ["binary_decider", "decider.decisions"],
        ["quantile_decider_0_995", "quantile.decisions"],
      ] as const) {
        const decided = toFloat64(values.get(output) as Tensor);
        expect(decided.reduce((sum, d) => sum + d, 0)).toBe(heads[key].positives);
        expect(decided.reduce((sum, d, i) => sum + (d && labels[i] ? 1 : 0), 0)).toBe(heads[key].tp);
      }
    },
    180_000,
  );
});
