// Random chains of operations and of nodes: ONNX Runtime and the plain interpreter agree.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Graph, type GraphValue } from "../graph/graph.ts";
import { interpret } from "../graph/interpret.ts";
import { isTensor, type Tensor, toFloat64, type Value } from "../graph/tensor.ts";
import { Engine } from "../runtime/engine.ts";
import { execute } from "../runtime/execute.ts";
import { plan } from "../runtime/plan.ts";
import { cube, node, wire } from "../testing/pipelines.ts";
import { Pipeline } from "./pipeline.ts";
import type { NodeConfig } from "./wiring.ts";

const engine = new Engine({ threads: 2 });
afterAll(() => engine.close());

/**
 * Operations that keep [B, H, W, C] and moderate numbers. Those that jump look at the chain's exact source, because a
 * rounding error before a jump is no fault.
 */
const STEPS: Readonly<Record<string, (g: Graph, x: GraphValue, source: GraphValue) => GraphValue>> = {
  sigmoid: (g, x) => g.sigmoid(x),
  tanh: (g, x) => g.unary("tanh", x),
  softmax: (g, x) => g.softmax(x, -1),
  centre: (g, x) => g.sub(x, g.mean(x, [1, 2], true)),
  scale: (g, x) => g.div(x, g.add(g.maximum(g.abs(x), [3], true), 1)),
  square: (g, x) => g.mul(g.square(x), 0.25),
  root: (g, x) => g.sqrt(g.abs(x)),
  clamp: (g, x) => g.clamp(x, -0.5, 2),
  leaky: (g, x) => g.leakyRelu(x, 0.1),
  where: (g, x, source) => g.where(g.greater(source, 0.25), x, g.neg(x)),
  reverse: (g, x) => g.slice(x, -1, -1, -2147483647, -1),
  transpose: (g, x) => g.transpose(g.transpose(x, [0, 2, 1, 3]), [0, 2, 1, 3]),
  flatten: (g, x) => g.add(x, g.unsqueeze(g.mean(g.reshape(x, [0, -1]), [1]), [1, 2, 3])),
  gram: (g, x) => g.unary("tanh", g.matmul(x, g.sum(g.matmul(g.transpose(x, [0, 1, 3, 2]), x), [1], true))),
  sorted: (g, x) => g.topK(x, g.size(x, 3), 3, true)[0],
  picked: (g, x, source) => g.mul(x, g.cast(g.equal(g.argBest("argMax", source, 3, true), 0), "float32")),
  doubled: (g, x) => g.slice(g.concat([x, x], 3), 3, 0, 3),
  logs: (g, x) => g.log(g.add(g.exp(g.clamp(x, -3, 3)), 1)),
  waves: (g, x) => g.unary("cos", g.unary("sin", x)),
};

function expectClose(found: Value | undefined, expected: Value | undefined, what: string): void {
  if (!isTensor(found) || !isTensor(expected)) throw new Error(`${what} is no tensor`);
  expect(found.shape).toEqual(expected.shape);
  expect(found.dtype).toBe(expected.dtype);
  const [a, b] = [toFloat64(found), toFloat64(expected)];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    if (Number.isNaN(x) && Number.isNaN(y)) continue;
    if (!(Math.abs(x - y) <= 1e-4 + 1e-4 * Math.abs(y)))
      throw new Error(`${what}[${i}] is ${x}, the interpreter says ${y}`);
  }
}

const size = fc.integer({ min: 1, max: 5 });
const shape = fc.tuple(fc.integer({ min: 1, max: 2 }), size, size);

describe("random graphs", () => {
  it("of operations agree with the interpreter, fused and in row tiles", async () => {
    const chain = fc.array(fc.constantFrom(...Object.keys(STEPS)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        chain,
        shape,
        fc.integer({ min: 1, max: 999 }),
        fc.boolean(),
        async (names, [b, h, w], seed, rowTiles) => {
          const g = new Graph();
          const x = g.input("x", "float32", ["B", "H", "W", 3]);
          const made: GraphValue[] = [g.div(x, 500)];
          for (const name of names) {
            const step = STEPS[name] as (typeof STEPS)[string];
            made.push(step(g, made.at(-1) as GraphValue, made[0] as GraphValue));
          }
          const outputs = [made.at(-1) as GraphValue];
          const states = new Map<string, Tensor>();
          const context = () => {
            throw new Error("no host steps");
          };
          const inputs = new Map<string, Value>([["x", cube([b, h, w, 3], seed)]]);
          const compiled = plan({ graph: g, outputs, states, name: "random", rowTiles });
          const found = await execute({ plan: compiled, engine, inputs, states, context, tileElements: 8 });
          const expected = interpret({ graph: g, outputs, inputs, states, context });
          expectClose(found.get(outputs[0] as GraphValue), expected.get(outputs[0] as GraphValue), names.join(" > "));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("of nodes agree with the interpreter, host steps included", async () => {
    const channels = 5;
    const steps: Readonly<
      Record<string, [path: string, input: string, output: string, hparams?: Record<string, unknown>]>
    > = {
      minmax: ["node.normalization.MinMaxNormalizer", "data", "normalized", { use_running_stats: false, eps: 0.1 }],
      sigmoid: ["node.normalization.SigmoidNormalizer", "data", "normalized", { std_floor: 0.1 }],
      zscore: ["node.normalization.ZScoreNormalizer", "data", "normalized", { eps: 0.5 }],
      unit: ["node.normalization.PerPixelUnitNorm", "data", "normalized", { eps: 0.1 }],
      select: [
        "node.channel_selector.SoftChannelSelector",
        "data",
        "selected",
        { n_select: 2, input_channels: channels },
      ],
      transform: ["node.normalization.SigmoidTransform", "data", "transformed"],
      rotate: ["node.preprocessors.SpatialRotateNode", "cube", "cube", { rotation: 90 }],
      mixer: [
        "node.channel_mixer.LearnableChannelMixer",
        "data",
        "rgb",
        { input_channels: channels, output_channels: channels, inference_normalization: "sigmoid_only" },
      ],
      project: [
        "anomaly.deep_svdd.DeepSVDDProjection",
        "data",
        "embeddings",
        { in_channels: channels, rep_dim: channels, hidden: 4 },
      ],
    };
    const ends: typeof steps = {
      rx: ["anomaly.rx_detector.RXPerBatch", "data", "scores", { eps: 1 }],
      sam: ["node.normalization.IdentityNormalizer", "data", "normalized"],
    };
    const chain = fc.array(fc.constantFrom(...Object.keys(steps)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        chain,
        fc.constantFrom(...Object.keys(ends)),
        shape,
        fc.integer({ min: 1, max: 999 }),
        async (names, end, [b, h, w], seed) => {
          const nodes: NodeConfig[] = [];
          const connections = [];
          let previous: string | undefined;
          for (const [i, name] of [...names, end].entries()) {
            const [path, input, output, hparams] = (steps[name] ?? ends[name]) as [
              string,
              string,
              string,
              Record<string, unknown>?,
            ];
            const called = `n${i}`;
            nodes.push(node(called, path, hparams));
            if (previous) connections.push(wire(`${previous} -> ${called}.${input}`));
            previous = `${called}.${output}`;
          }
          const pipeline = new Pipeline({ nodes, connections });
          for (const each of pipeline.nodes) each.fitted = true;
          const raw = cube([b, h + 1, w + 1, channels], seed);
          const data = { ...raw, data: raw.data.map((value) => value / 500) };
          const batch = { data, cube: data };
          const found = await pipeline.run(batch, { engine });
          const expected = pipeline.interpret(batch);
          for (const [key, value] of expected)
            expectClose(found.get(key), value, `${names.join(" > ")} > ${end}: ${key}`);
        },
      ),
      { numRuns: 40 },
    );
  });
});
