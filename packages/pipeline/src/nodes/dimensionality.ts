// Principal components (per image or of the data set) and the spectral angle to reference signatures.
import { invalidValue } from "../errors.ts";
import { asTensor, type GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { Moments } from "../graph/moments.ts";
import { elements, toFloat32 } from "../graph/tensor.ts";
import { emitMoments, momentsGiven } from "./covariance-fit.ts";
import { leadingEigenvectors } from "./linear-algebra.ts";
import { CUBE, defineNode, norm, optional, port } from "./node-type.ts";
import { bool, float, int, text } from "./params.ts";
import { float32 } from "./statistics.ts";

/** Mean [B, 1, 1, C], components [B, 1, C, n] of every image; ratio [n] and components [n, C] of the last. */
const FRAME_COMPONENTS = defineHostStep("linear.frameComponents", {
  pure: true,
  run: ([data], attrs, { node }) => {
    const cube = asTensor(data);
    const [images, , , channels] = cube.shape as [number, number, number, number];
    const size = elements(cube.shape.slice(1));
    const count = attrs["components"] as number;
    if (channels < count) throw invalidValue(`Node '${node}': ${count} components of ${channels} channels`, { node });
    if (size / channels < 2)
      throw invalidValue(`Node '${node}': an image of ${size / channels} pixels; at least 2 are needed`, { node });
    const means = new Float32Array(images * channels);
    const columns = new Float32Array(images * channels * count);
    let ratio: Float64Array = new Float64Array(count);
    let last: Float64Array = new Float64Array(count * channels);
    for (let b = 0; b < images; b++) {
      const moments = new Moments(channels, true);
      moments.update(toFloat32(cube).subarray(b * size, (b + 1) * size));
      const covariance = moments.second.map((value) => value / Math.max(moments.count - 1, 1));
      const { values, rows } = leadingEigenvectors(covariance, channels, count);
      means.set(moments.mean, b * channels);
      for (let k = 0; k < count; k++) {
        for (let c = 0; c < channels; c++) columns[(b * channels + c) * count + k] = rows[k * channels + c] as number;
      }
      const total = values.reduce((a, e) => a + e, 0) + (attrs["eps"] as number);
      ratio = values.map((e) => e / total);
      last = rows;
    }
    return [
      float32([images, 1, 1, channels], means),
      float32([images, 1, channels, count], columns),
      float32([count], ratio),
      float32([count, channels], last),
    ];
  },
});

const DATA = [port("data", "float32", CUBE)];
const PROJECTION = [
  port("projected", "float32", ["B", "H", "W", "K"]),
  optional("explained_variance_ratio", "float32", ["K"]),
  optional("components", "float32", ["K", "C"]),
];

export const dimensionalityNodes = [
  defineNode({
    className: "cuvis_ai.node.dimensionality_reduction.PCA",
    role: "transform",
    summary: "Principal components of each image.",
    params: { n_components: int({ minimum: 1 }), eps: float({ default: 1e-6 }) },
    inputs: DATA,
    outputs: PROJECTION,
    emit({ g, h, in: input }) {
      const x = input("data");
      const [b, , , c] = x.shape as [string, string, string, string];
      const n = h.num("n_components");
      const [means, columns, ratio, components] = g.host(
        FRAME_COMPONENTS,
        [x],
        [
          { dtype: "float32", shape: [b, 1, 1, c] },
          { dtype: "float32", shape: [b, 1, c, n] },
          { dtype: "float32", shape: [n] },
          { dtype: "float32", shape: [n, c] },
        ],
        { components: n, eps: h.num("eps") },
      ) as [GraphValue, GraphValue, GraphValue, GraphValue];
      return { projected: g.matmul(g.sub(x, means), columns), explained_variance_ratio: ratio, components };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.dimensionality_reduction.TrainablePCA",
    role: "model",
    summary: "Principal components of the data set, on request whitened.",
    params: {
      num_channels: int({ minimum: 1 }),
      n_components: int({ minimum: 1 }),
      whiten: bool({ default: false }),
      init_method: text({ default: "svd" }),
      eps: float({ default: 1e-6 }),
    },
    inputs: DATA,
    outputs: PROJECTION,
    validate(h, node) {
      if (h.num("n_components") > h.num("num_channels")) {
        throw invalidValue(`Node '${node}': ${h.num("n_components")} components of ${h.num("num_channels")} channels`, {
          node,
        });
      }
    },
    states: (h) => {
      const [n, c] = [h.num("n_components"), h.num("num_channels")];
      return [
        { name: "_mean", kind: "trainable", initial: () => float32([c], new Float32Array(c)) },
        { name: "_explained_variance", kind: "trainable", initial: () => float32([n], new Float32Array(n)) },
        { name: "_components", kind: "trainable", initial: () => float32([n, c], new Float32Array(n * c)) },
      ];
    },
    needsFit: () => true,
    emitFit: emitMoments,
    fit(h, node) {
      const [n, c] = [h.num("n_components"), h.num("num_channels")];
      const moments = new Moments(c, true);
      return {
        update(inputs) {
          const { count, mean, second } = momentsGiven(inputs);
          if (mean.length !== c) {
            throw invalidValue(`Node '${node}': data has ${mean.length} channels, num_channels is ${c}`, {
              node,
              port: "data",
            });
          }
          moments.merge(count, mean, second);
        },
        finish() {
          const { values, rows } = leadingEigenvectors(moments.covariance(node).map(Math.fround), c, n);
          return {
            _mean: float32([c], moments.mean),
            _explained_variance: float32([n], values),
            _components: float32([n, c], rows),
          };
        },
      };
    },
    emit({ g, h, in: input, state }) {
      const x = input("data");
      g.expectDim(x, -1, h.num("num_channels"), "data", "channels");
      const components = state("_components");
      const variances = state("_explained_variance");
      const eps = h.num("eps");
      const projected = g.matmul(g.sub(x, state("_mean")), g.transpose(components, [1, 0]));
      return {
        projected: h.flag("whiten") ? g.div(projected, g.sqrt(g.add(variances, eps))) : projected,
        explained_variance_ratio: g.div(variances, g.add(g.total("sum", variances), eps)),
        components,
      };
    },
  }),
  defineNode({
    className: "cuvis_ai.node.spectral_angle_mapper.SpectralAngleMapper",
    role: "model",
    summary: "Angle between spectra and reference signatures, each divided by its mean.",
    params: { num_channels: int({ exclusiveMinimum: 0 }), eps: float({ default: 1e-12 }) },
    inputs: [port("cube", "float32", CUBE), port("spectral_signature", "float32", ["N", 1, 1, "C"])],
    outputs: [
      port("scores", "float32", ["B", "H", "W", "N"]),
      port("best_scores", "float32", ["B", "H", "W", 1]),
      port("identity_mask", "int32", ["B", "H", "W"]),
    ],
    emit({ g, h, in: input }) {
      const eps = h.num("eps");
      const scaled = (x: GraphValue): GraphValue => g.div(x, g.add(g.mean(x, [-1], true), eps));
      const spectra = scaled(input("cube"));
      const references = g.squeeze(scaled(input("spectral_signature")), [1, 2]);
      const lengths = g.matmul(norm(g, spectra), g.transpose(norm(g, references), [1, 0]));
      const products = g.matmul(spectra, g.transpose(references, [1, 0]));
      const scores = g.unary("acos", g.clamp(g.div(products, g.add(lengths, eps)), -1, 1));
      return {
        scores,
        best_scores: g.minimum(scores, [-1], true),
        identity_mask: g.cast(g.add(g.argBest("argMin", scores, -1), 1), "int32"),
      };
    },
  }),
];
