// Anomaly detectors with a closed form: RX (Mahalanobis distance) and LAD (distance on the graph of bands).
import { invalidValue } from "../errors.ts";
import { asTensor, type Graph, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { Moments } from "../graph/moments.ts";
import { at, elements, tensor, toFloat32, type Value } from "../graph/tensor.ts";
import { emitMoments, momentsGiven } from "./covariance-fit.ts";
import { pseudoInverse, whitening } from "./linear-algebra.ts";
import { CUBE, defineNode, PIXELS, port } from "./node-type.ts";
import { bool, float, int } from "./params.ts";
import { float32, mean } from "./statistics.ts";

const DATA = [port("data", "float32", CUBE)];
const SCORES = [port("scores", "float32", PIXELS)];

/** dᵀ M d for every pixel. */
function quadraticForm(g: Graph, d: GraphValue, matrix: GraphValue): GraphValue {
  return g.sum(g.mul(g.matmul(d, matrix), d), [-1], true);
}

/** Whitening of a covariance [C, C]: rows [C, C] transposed for a product from the right, signs [C]. */
const WHITEN = defineHostStep("linear.whiten", {
  pure: true,
  run: ([covariance]) => {
    const matrix = asTensor(covariance);
    const n = matrix.shape[0] as number;
    const { rows, signs } = whitening(toFloat32(matrix), n);
    return [float32([n, n], transposed(rows, n)), float32([n], signs)];
  },
});

/** Mean and whitening of every image by itself: [B, 1, 1, C], [B, 1, C, C], [B, 1, 1, C]. */
const WHITEN_IMAGES = defineHostStep("linear.whitenImages", {
  pure: true,
  run: ([data], attrs) => {
    const cube = asTensor(data);
    const [images, , , channels] = cube.shape as [number, number, number, number];
    const size = elements(cube.shape.slice(1));
    const means = new Float32Array(images * channels);
    const rows = new Float32Array(images * channels * channels);
    const signs = new Float32Array(images * channels);
    for (let b = 0; b < images; b++) {
      const moments = new Moments(channels, true);
      moments.update(toFloat32(cube).subarray(b * size, (b + 1) * size));
      const covariance = moments.second.map((value) => value / Math.max(moments.count - 1, 1));
      for (let i = 0; i < channels; i++) {
        covariance[i * channels + i] = (covariance[i * channels + i] as number) + (attrs["eps"] as number);
      }
      const white = whitening(covariance, channels);
      means.set(moments.mean, b * channels);
      rows.set(transposed(white.rows, channels), b * channels * channels);
      signs.set(white.signs, b * channels);
    }
    return [
      float32([images, 1, 1, channels], means),
      float32([images, 1, channels, channels], rows),
      float32([images, 1, 1, channels], signs),
    ];
  },
});

function transposed(matrix: Float64Array, n: number): Float64Array {
  return matrix.map((_, i) => matrix[(i % n) * n + Math.floor(i / n)] as number);
}

function rxFitter(channels: number, eps: number, cacheInverse: boolean, node: string) {
  let moments = new Moments(channels, true);
  return {
    update(inputs: Readonly<Record<string, Value>>) {
      const { count, mean, second } = momentsGiven(inputs);
      const width = mean.length;
      // The data win over the declared number of channels.
      if (width !== moments.width && moments.count === 0) moments = new Moments(width, true);
      if (width !== moments.width) {
        throw invalidValue(`Node '${node}': a batch has ${width} channels, earlier ones ${moments.width}`, {
          node,
          port: "data",
        });
      }
      if (count > 1) moments.merge(count, mean, second);
    },
    finish() {
      const n = moments.width;
      const covariance = float32([n, n], moments.covariance(node));
      if (eps > 0)
        for (let i = 0; i < n; i++) covariance.data[i * n + i] = at(covariance, i * n + i) + Math.fround(eps);
      return {
        mu: float32([n], moments.mean),
        cov: covariance,
        cov_inv: cacheInverse ? float32([n, n], pseudoInverse(covariance.data, n)) : float32([0, 0], []),
      };
    },
  };
}

export const anomalyNodes = [
  defineNode({
    className: "cuvis_ai.anomaly.rx_detector.RXGlobal",
    role: "model",
    summary: "Squared Mahalanobis distance from the background of the data set (Reed-Xiaoli).",
    params: {
      num_channels: int({ minimum: 1 }),
      eps: float({ default: 1e-6 }),
      cache_inverse: bool({ default: true }),
    },
    inputs: DATA,
    outputs: SCORES,
    states: (h) => {
      const n = h.num("num_channels");
      const inverse = h.flag("cache_inverse") ? n : 0;
      return [
        { name: "mu", kind: "trainable", initial: () => float32([n], new Float32Array(n)) },
        { name: "cov", kind: "trainable", initial: () => float32([n, n], new Float32Array(n * n)) },
        {
          name: "cov_inv",
          kind: "trainable",
          initial: () => float32([inverse, inverse], new Float32Array(inverse ** 2)),
        },
      ];
    },
    needsFit: () => true,
    emitFit: emitMoments,
    fit: (h, node) => rxFitter(h.num("num_channels"), h.num("eps"), h.flag("cache_inverse"), node),
    emit({ g, h, in: input, state }) {
      const x = input("data");
      const mu = state("mu");
      g.expectDim(x, -1, mu.shape[0] as number, "data", "channels");
      const d = g.sub(x, mu);
      if (h.flag("cache_inverse")) return { scores: quadraticForm(g, d, state("cov_inv")) };
      const n = mu.shape[0] as number;
      const [rows, signs] = g.host(
        WHITEN,
        [state("cov")],
        [
          { dtype: "float32", shape: [n, n] },
          { dtype: "float32", shape: [n] },
        ],
      ) as [GraphValue, GraphValue];
      return { scores: g.sum(g.mul(g.square(g.matmul(d, rows)), signs), [-1], true) };
    },
  }),
  defineNode({
    className: "cuvis_ai.anomaly.rx_detector.RXPerBatch",
    role: "model",
    summary: "Squared Mahalanobis distance from the background of each image.",
    params: { eps: float({ default: 1e-6 }) },
    inputs: DATA,
    outputs: SCORES,
    emit({ g, h, in: input }) {
      const x = input("data");
      const [b, , , c] = x.shape as [string, string, string, string];
      const [means, rows, signs] = g.host(
        WHITEN_IMAGES,
        [x],
        [
          { dtype: "float32", shape: [b, 1, 1, c] },
          { dtype: "float32", shape: [b, 1, c, c] },
          { dtype: "float32", shape: [b, 1, 1, c] },
        ],
        { eps: h.num("eps") },
      ) as [GraphValue, GraphValue, GraphValue];
      return { scores: g.sum(g.mul(g.square(g.matmul(g.sub(x, means), rows)), signs), [-1], true) };
    },
  }),
  defineNode({
    className: "cuvis_ai.anomaly.lad_detector.LADGlobal",
    role: "model",
    summary: "Laplacian anomaly detector: distance from the mean spectrum on the graph of bands.",
    params: {
      num_channels: int({ minimum: 1 }),
      eps: float({ default: 1e-8 }),
      normalize_laplacian: bool({ default: true }),
      use_numpy_laplacian: bool({ default: true }),
    },
    inputs: DATA,
    outputs: SCORES,
    states: (h) => {
      const n = h.num("num_channels");
      return [
        { name: "M", kind: "trainable", initial: () => tensor("float64", [n], new Float64Array(n)) },
        { name: "L", kind: "trainable", initial: () => tensor("float64", [n, n], new Float64Array(n * n)) },
      ];
    },
    needsFit: () => true,
    fit(h, node) {
      let moments = new Moments(h.num("num_channels"), false);
      return {
        update(inputs) {
          const data = asTensor(inputs["data"]);
          const width = data.shape.at(-1) as number;
          if (width !== moments.width && moments.count === 0) moments = new Moments(width, false);
          if (width !== moments.width) {
            throw invalidValue(`Node '${node}': a batch has ${width} channels, earlier ones ${moments.width}`, {
              node,
              port: "data",
            });
          }
          return moments.absorb(toFloat32(data));
        },
        finish() {
          if (moments.count === 0)
            throw invalidValue(`Node '${node}': the data stream has no pixels to fit on`, { node });
          const n = moments.width;
          const spectrum = moments.mean.map(Math.fround);
          const numpy = h.flag("use_numpy_laplacian");
          return {
            M: tensor("float64", [n], spectrum),
            L: tensor("float64", [n, n], laplacian(spectrum, h.flag("normalize_laplacian"), numpy)),
          };
        },
      };
    },
    emit({ g, in: input, state }) {
      const x = input("data");
      const m = state("M");
      g.expectDim(x, -1, m.shape[0] as number, "data", "channels");
      const d = g.sub(x, g.cast(m, "float32"));
      return { scores: quadraticForm(g, d, g.cast(state("L"), "float32")) };
    },
  }),
];

/** Cauchy weights between bands, L = D - A, on request s_i L_ij s_j with s = 1/√d. */
function laplacian(spectrum: Float64Array, normalize: boolean, numpy: boolean): Float64Array {
  const n = spectrum.length;
  const scale = mean(spectrum) + 1e-12;
  const result = new Float64Array(n * n);
  const degrees = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i === j) continue;
      const difference = Math.abs((spectrum[i] as number) - (spectrum[j] as number)) / scale;
      const weight = 1 / (1 + difference * difference);
      result[i * n + j] = -weight;
      degrees[i] = (degrees[i] as number) + weight;
    }
  }
  for (let i = 0; i < n; i++) result[i * n + i] = degrees[i] as number;
  if (!normalize) return result;
  const scales = degrees.map((d) => (d <= 0 ? 0 : numpy ? 1 / (Math.sqrt(d) + 1e-12) : 1 / Math.sqrt(d + 1e-12)));
  return result.map((value, at) => (scales[Math.floor(at / n)] as number) * value * (scales[at % n] as number));
}
