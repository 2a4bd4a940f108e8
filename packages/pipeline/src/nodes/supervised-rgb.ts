// False-colour selectors that learn from labels which three bands tell the classes apart.
import { invalidValue } from "../errors.ts";
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { Moments } from "../graph/moments.ts";
import { at, type Tensor, tensor, toFloat32, toFloat64, type Value } from "../graph/tensor.ts";
import { BOUND_STATES, bandsIn, COMMON_INPUTS, COMMON_PARAMS, finish, nearestBand } from "./false-rgb.ts";
import { defineNode, IMAGE, type NodeType, optional, PIXELS, port } from "./node-type.ts";
import { float, int, list, type Params } from "./params.ts";
import { areaUnderCurve, float32, mean, quantileOfSorted } from "./statistics.ts";

const INFO = defineHostStep("supervised.info", {
  pure: true,
  run: ([wavelengths, selected], attrs) => {
    const nm = asTensor(wavelengths);
    const bands = [...toFloat64(asTensor(selected))];
    const { windows_nm, ...rest } = attrs as Record<string, Value>;
    return [
      {
        strategy: rest["strategy"] as Value,
        band_indices: bands,
        band_wavelengths_nm: bands.map((band) => at(nm, band)),
        score_weights: rest["score_weights"] as Value,
        lambda_penalty: rest["lambda_penalty"] as Value,
        ...(windows_nm ? { windows_nm } : {}),
      },
    ];
  },
});

/** Values of each band [C][pixels] with their labels. */
interface Pool {
  readonly bands: readonly Float32Array[];
  readonly labels: Uint8Array;
}

const isDegenerate = (labels: Uint8Array): boolean => !labels.includes(0) || !labels.includes(1);

/** (m1 - m0)² / (v0 + v1) with population variances; 0 where both classes are constant. */
function fisher(values: Float32Array, labels: Uint8Array): number {
  const moments = [new Moments(1, false), new Moments(1, false)] as const;
  const parts = [0, 1].map((label) => values.filter((_, i) => labels[i] === label));
  for (const [i, part] of parts.entries()) moments[i]?.update(part);
  const [a, b] = moments;
  const spread = (a.second[0] as number) / a.count + (b.second[0] as number) / b.count;
  if (spread < 1e-10) return 0;
  return ((b.mean[0] as number) - (a.mean[0] as number)) ** 2 / spread;
}

const BINS = 10;

/** Mutual information in bits between a band, in ten steps from minimum to maximum, and the label. */
function mutualInformation(values: Float32Array, labels: Uint8Array): number {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low === high) return 0;
  const edges = Array.from({ length: BINS }, (_, i) => (i === BINS - 1 ? high : low + ((high - low) * i) / (BINS - 1)));
  const joint = new Float64Array(BINS * 2).fill(1e-10);
  for (const [i, value] of values.entries()) {
    let bin = 0;
    while (bin + 1 < BINS && value >= (edges[bin + 1] as number)) bin++;
    const place = bin * 2 + (labels[i] as number);
    joint[place] = (joint[place] as number) + 1;
  }
  const total = joint.reduce((a, b) => a + b, 0);
  const p = joint.map((count) => count / total);
  let information = 0;
  for (let bin = 0; bin < BINS; bin++) {
    for (const label of [0, 1]) {
      const both = p[bin * 2 + label] as number;
      const band = (p[bin * 2] as number) + (p[bin * 2 + 1] as number);
      let marginal = 0;
      for (let other = 0; other < BINS; other++) marginal += p[other * 2 + label] as number;
      information += both * Math.log2(both / (band * marginal));
    }
  }
  return information;
}

/** Centred, and divided by the population deviation over bands unless that is nil. */
function standardized(scores: Float64Array): Float64Array {
  const centre = mean(scores);
  const deviation = Math.sqrt(mean(scores.map((s) => (s - centre) ** 2)));
  return scores.map((s) => (deviation < 1e-10 ? s - centre : (s - centre) / deviation));
}

interface Ranking {
  readonly fisher: Float64Array;
  readonly auc: Float64Array;
  readonly information: Float64Array;
  readonly combined: Float64Array;
}

function rank({ bands, labels }: Pool, weights: readonly number[]): Ranking {
  const score = (measure: (values: Float32Array) => number): Float64Array =>
    Float64Array.from(bands, (values) => (isDegenerate(labels) ? 0 : measure(values)));
  const scores = {
    fisher: score((values) => fisher(values, labels)),
    auc: score((values) => areaUnderCurve(values, labels)),
    information: score((values) => mutualInformation(values, labels)),
  };
  const parts = [scores.fisher, scores.auc, scores.information].map(standardized);
  const combined = Float64Array.from(bands, (_, band) =>
    parts.reduce((sum, part, i) => sum + (weights[i] as number) * (part[band] as number), 0),
  );
  return { ...scores, combined };
}

/** |correlation| between all bands. */
function correlations(moments: Moments, node: string): Float64Array {
  const n = moments.width;
  const covariance = moments.covariance(node);
  const deviation = Array.from({ length: n }, (_, i) => Math.max(Math.sqrt(covariance[i * n + i] as number), 1e-12));
  return covariance.map((value, at) => {
    const r = Math.abs(value / ((deviation[Math.floor(at / n)] as number) * (deviation[at % n] as number)));
    return Number.isNaN(r) ? 0 : r;
  });
}

/** Best of `candidates` by score less lambda · (largest correlation with those chosen). */
function best(
  candidates: readonly number[],
  chosen: readonly number[],
  score: Float64Array,
  correlation: Float64Array,
  lambda: number,
): number {
  const n = score.length;
  const value = (band: number): number => {
    const overlap =
      chosen.length === 0 ? 0 : Math.max(...chosen.map((other) => correlation[band * n + other] as number));
    return (score[band] as number) - lambda * overlap;
  };
  return candidates.reduce((winner, band) => (value(band) > value(winner) ? band : winner));
}

/** Low and high quantile of every chosen band, over batches as the other selectors do it. */
function bounds(batches: readonly { start: number; end: number }[], pool: Pool, chosen: readonly number[]) {
  const low = chosen.map(() => Infinity);
  const high = chosen.map(() => -Infinity);
  for (const { start, end } of batches) {
    for (const [k, band] of chosen.entries()) {
      const sorted = (pool.bands[band] as Float32Array).slice(start, end).sort();
      low[k] = Math.min(low[k] as number, quantileOfSorted(sorted, 0.005));
      high[k] = Math.max(high[k] as number, quantileOfSorted(sorted, 0.995));
    }
  }
  return { running_min: float32([3], low), running_max: float32([3], high) };
}

interface Supervised {
  readonly name: string;
  readonly summary: string;
  readonly strategy: string;
  readonly windows?: readonly (readonly [number, number])[];
}

const fitter = (windowed: boolean): NonNullable<NodeType["fit"]> =>
  function fit(h: Params, node: string) {
    const bands = h.num("num_spectral_bands");
    const cubes: Float32Array[] = [];
    const masks: Uint8Array[] = [];
    const moments = new Moments(bands, true);
    let wavelengths: Tensor | undefined;
    return {
      update(inputs) {
        const cube = asTensor(inputs["cube"]);
        if (cube.shape.at(-1) !== bands) {
          throw invalidValue(
            `Node '${node}': the cube has ${cube.shape.at(-1)} bands, num_spectral_bands is ${bands}`,
            { node, port: "cube" },
          );
        }
        if (inputs["mask"] === undefined) {
          throw invalidValue(`Node '${node}': fitting needs labels at port 'mask'`, { node, port: "mask" });
        }
        wavelengths = asTensor(inputs["wavelengths"]);
        const data = toFloat32(cube).slice();
        moments.update(data);
        cubes.push(data);
        masks.push(Uint8Array.from(asTensor(inputs["mask"]).data as Uint8Array, (label) => (label ? 1 : 0)));
      },
      finish() {
        if (!wavelengths) throw invalidValue(`Node '${node}': the data stream has no images to fit on`, { node });
        const nm = wavelengths;
        const batches: { start: number; end: number }[] = [];
        let total = 0;
        for (const cube of cubes) {
          batches.push({ start: total, end: total + cube.length / bands });
          total += cube.length / bands;
        }
        const columns = Array.from({ length: bands }, (_, band) => {
          const values = new Float32Array(total);
          let i = 0;
          for (const cube of cubes) for (let p = band; p < cube.length; p += bands) values[i++] = cube[p] as number;
          return values;
        });
        const labels = new Uint8Array(total);
        let offset = 0;
        for (const mask of masks) {
          labels.set(mask, offset);
          offset += mask.length;
        }
        const pool = { bands: columns, labels };
        const ranking = rank(pool, h.nums("score_weights"));
        const correlation = correlations(moments, node);
        const lambda = h.num("lambda_penalty");
        const all = [...columns.keys()];
        const chosen: number[] = [];
        for (let k = 0; k < 3; k++) {
          const window = windowed ? (h.pairs("windows")[k] as readonly [number, number]) : undefined;
          const candidates = window ? bandsIn(nm, window) : all.filter((band) => !chosen.includes(band));
          chosen.push(
            candidates.length === 0 && window
              ? nearestBand(nm, (window[0] + window[1]) / 2)
              : best(candidates, chosen, ranking.combined, correlation, lambda),
          );
        }
        const statistical = h.text("norm_mode") === "statistical" ? bounds(batches, pool, chosen) : {};
        return {
          ...statistical,
          selected_indices: tensor("int64", [3], chosen),
          band_scores: float32([bands], ranking.combined),
          fisher_scores: float32([bands], ranking.fisher),
          auc_scores: float32([bands], ranking.auc),
          mi_scores: float32([bands], ranking.information),
        };
      },
    };
  };

function supervised({ name, summary, strategy, windows }: Supervised): NodeType {
  return defineNode({
    className: `cuvis_ai.node.channel_selector.${name}`,
    role: "transform",
    summary,
    params: {
      num_spectral_bands: int({ minimum: 3 }),
      ...(windows ? { windows: list({ default: windows }) } : {}),
      score_weights: list({ default: [1, 1, 1] }),
      lambda_penalty: float({ default: 0.5 }),
      ...COMMON_PARAMS,
    },
    inputs: [...COMMON_INPUTS, optional("mask", "bool", PIXELS)],
    outputs: [port("rgb_image", "float32", IMAGE), port("band_info", "dict", [])],
    states: (h) => {
      const n = h.num("num_spectral_bands");
      const scores = ["band_scores", "fisher_scores", "auc_scores", "mi_scores"];
      return [
        ...BOUND_STATES,
        { name: "selected_indices", kind: "buffer", initial: () => tensor("int64", [3], [0, 0, 0]) },
        ...scores.map((score) => ({
          name: score,
          kind: "buffer" as const,
          initial: () => float32([n], new Float32Array(n)),
        })),
      ];
    },
    needsFit: () => true,
    fit: fitter(windows !== undefined),
    emit(context) {
      const { g, h, in: input, state } = context;
      const cube = input("cube");
      g.expectDim(cube, -1, h.num("num_spectral_bands"), "cube", "bands");
      const selected = state("selected_indices");
      const [info] = g.host(INFO, [input("wavelengths"), selected], [{ dtype: "object" }], {
        strategy,
        score_weights: h.nums("score_weights"),
        lambda_penalty: h.num("lambda_penalty"),
        ...(windows ? { windows_nm: h.pairs("windows") } : {}),
      }) as [GraphValue];
      return finish(context, { rgb: g.gather(cube, selected, -1), info });
    },
  });
}

export const supervisedRgbNodes = [
  supervised({
    name: "SupervisedCIRSelector",
    summary: "The most telling band of each of three infrared, red and green windows.",
    strategy: "supervised_cir",
    windows: [
      [840, 910],
      [650, 720],
      [500, 570],
    ],
  }),
  supervised({
    name: "SupervisedWindowedSelector",
    summary: "The most telling band of each of three windows.",
    strategy: "supervised_windowed_false_rgb",
    windows: [
      [440, 500],
      [500, 580],
      [610, 700],
    ],
  }),
  supervised({
    name: "SupervisedFullSpectrumSelector",
    summary: "The three most telling bands that differ enough from each other.",
    strategy: "supervised_full_spectrum",
  }),
];
