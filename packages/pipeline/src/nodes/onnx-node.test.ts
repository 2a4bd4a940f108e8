// Rules of nodes that are ONNX models: declared ports are the model's, and the model runs like any other node.
import { afterAll, describe, expect, it } from "vitest";
import { Graph } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { lower } from "../onnx/lower.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { Engine } from "../runtime/engine.ts";
import { cube, node, wire } from "../testing/pipelines.ts";
import { catalogue } from "./catalogue.ts";
import { CUBE, PIXELS, port } from "./node-type.ts";
import { onnxNode } from "./onnx-node.ts";

const engine = new Engine();
afterAll(() => engine.close());

/** A detector that sums the bands. */
function detector() {
  const g = new Graph();
  const x = g.input("image", "float32", ["B", "H", "W", "C"]);
  const y = g.sum(x, [3], true);
  const names = new Map([
    [x, "image"],
    [y, "scores"],
  ]);
  return lower({ name: "sum", ops: g.ops, inputs: [x], outputs: [y], states: new Map(), names }).model;
}

const declared = {
  className: "mine.Detector",
  model: detector(),
  inputs: [port("image", "float32", CUBE)],
  outputs: [port("scores", "float32", PIXELS)],
};

describe("a node that is an ONNX model", () => {
  it("runs between other nodes", async () => {
    const type = onnxNode(declared);
    const pipeline = new Pipeline(
      {
        nodes: [
          node("first", "node.normalization.SigmoidTransform"),
          { name: "mine", class_name: "mine.Detector" },
          node("last", "deciders.binary_decider.BinaryDecider", { threshold: 0.9 }),
        ],
        connections: ["first.transformed -> mine.image", "mine.scores -> last.logits"].map(wire),
      },
      { catalogue: new Map([...catalogue, [type.className, type]]) },
    );
    const data = cube([1, 3, 2, 4]);
    const values = await pipeline.run({ data }, { engine });
    const scores = values.get("mine.scores") as Tensor;
    const inputs = (values.get("first.transformed") as Tensor).data as Float32Array;
    expect(scores.shape).toEqual([1, 3, 2, 1]);
    expect(scores.data[0]).toBeCloseTo(
      [0, 1, 2, 3].reduce((sum, i) => sum + (inputs[i] as number), 0),
      5,
    );
    expect((values.get("last.decisions") as Tensor).dtype).toBe("bool");
    expect(() => pipeline.exportOnnx({ outputs: ["last.decisions"] })).toThrow(/'mine' is an ONNX model of its own/);
  });

  it.each<[string, Partial<typeof declared>, RegExp]>([
    ["bytes that are no model", { model: new Uint8Array([1, 2, 3]) }, /no ONNX model/],
    ["an unknown port", { outputs: [port("score", "float32", PIXELS)] }, /no 'score' among 'scores'/],
    ["another dtype", { inputs: [port("image", "uint16", CUBE)] }, /'image' is float32, the port is declared uint16/],
    [
      "another rank",
      { inputs: [port("image", "float32", ["B", "C"])] },
      /has 4 dimensions, the port is declared with 2/,
    ],
    ["an input without a port", { inputs: [] }, /input 'image' is no declared port/],
  ])("refuses %s by name", (_, change, words) => {
    expect(() => onnxNode({ ...declared, ...change })).toThrow(words);
  });
});
