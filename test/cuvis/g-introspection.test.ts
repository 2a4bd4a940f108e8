// GetPipelineInputs, GetPipelineOutputs, GetPipelineVisualization.
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { expect } from "vitest";
import { refused } from "../conformance/session.ts";
import { scenarios, sharedWorld } from "./harness.ts";

const { DType } = cuvis;
const scenario = scenarios(sharedWorld());
const PNG = [0x89, 0x50, 0x4e, 0x47];
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

scenario(54, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const { inputNames, inputSpecs } = await client.rpc.getPipelineInputs({ sessionId });
  expect(inputNames).toEqual(["cube", "wavelengths"]);
  expect(inputSpecs["cube"]).toMatchObject({
    name: "cube",
    shape: [-1n, -1n, -1n, -1n],
    dtype: DType.FLOAT32,
    required: true,
  });
  expect(inputSpecs["wavelengths"]).toMatchObject({ dtype: DType.INT32, shape: [-1n, -1n] });
  const rx = await client.loaded("anomaly/rx/rx_statistical");
  const open = await client.rpc.getPipelineInputs({ sessionId: rx });
  // `scores` is an open input of the visualizer, which is listed although it is optional.
  expect(open.inputNames).toEqual(["cube", "wavelengths", "mask", "mesu_index", "logits", "scores"]);
  expect(open.inputSpecs["mesu_index"]).toMatchObject({ dtype: DType.INT64, shape: [-1n], required: false });
});

scenario(55, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const { outputNames, outputSpecs } = await client.rpc.getPipelineOutputs({ sessionId });
  expect(outputNames).toEqual([
    "LentilsAnomalyDataNode.wavelengths",
    "LentilsAnomalyDataNode.mask",
    "SoftChannelSelector.weights",
    "SimpleLossNode.loss",
    "MockMetricNode.metrics",
  ]);
  expect(outputSpecs["LentilsAnomalyDataNode.mask"]).toMatchObject({
    name: "LentilsAnomalyDataNode.mask",
    dtype: DType.BOOL,
    required: false,
  });
  expect(outputSpecs["MockMetricNode.metrics"]).toMatchObject({ dtype: DType.FLOAT32, shape: [] });
});

scenario(56, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  for (const [format, echoed] of [
    ["", "png"],
    ["png", "png"],
    ["PNG", "png"],
  ]) {
    const answer = await client.rpc.getPipelineVisualization({ sessionId, format: format! });
    expect(answer.format).toBe(echoed);
    expect([...answer.imageData.subarray(0, 4)]).toEqual(PNG);
  }
  const svg = await client.rpc.getPipelineVisualization({ sessionId, format: "svg" });
  expect(svg.format).toBe("svg");
  expect(textOf(svg.imageData)).toContain("<svg");
});

scenario(57, async ({ rpc }) => {
  const configContent =
    "nodes:\n  - {name: a, class_name: nobody.knows.It}\n  - {name: b, class_name: x.Y}\n" +
    "connections:\n  - {source: a.outputs.out, target: b.inputs.in}\nmetadata: {name: a preview}\n";
  const drawn = await rpc.getPipelineVisualization({ configContent, format: "dot" });
  expect(drawn.format).toBe("dot");
  expect(textOf(drawn.imageData)).toMatch(
    /digraph "a preview"[\s\S]*nobody|digraph "a preview"[\s\S]*It[\s\S]*out → in/,
  );
  const other = await rpc.getPipelineVisualization({ configContent, format: "mermaid" });
  expect(other.format).toBe("png");
  expect([...other.imageData.subarray(0, 4)]).toEqual(PNG);
  const empty = await rpc.getPipelineVisualization({ configContent: "nodes: []\nconnections: []\n", format: "dot" });
  expect(textOf(empty.imageData)).toContain("(empty pipeline)");
  const large = `# ${"x".repeat(1_100_000)}\n${configContent}`;
  await refused(rpc.getPipelineVisualization({ configContent: large, format: "dot" }), Code.InvalidArgument);
  const many = `nodes:\n${Array.from({ length: 2001 }, (_, i) => `  - {name: n${i}, class_name: a.B}\n`).join("")}`;
  await refused(rpc.getPipelineVisualization({ configContent: many, format: "dot" }), Code.InvalidArgument, "2000");
  await refused(
    rpc.getPipelineVisualization({ configContent: "- a list", format: "dot" }),
    Code.InvalidArgument,
    "mapping",
  );
  await refused(
    rpc.getPipelineVisualization({ configContent: "nodes: [{name: a}]", format: "dot" }),
    Code.InvalidArgument,
    "class_name",
  );
  await refused(
    rpc.getPipelineVisualization({ configContent: "{ broken: [", format: "dot" }),
    Code.Internal,
    /^Failed to visualize pipeline config: /,
  );
});

scenario(58, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  for (const format of ["dot", "graphviz"]) {
    const answer = await client.rpc.getPipelineVisualization({ sessionId, format });
    expect(answer.format).toBe(format);
    expect(textOf(answer.imageData)).toMatch(/^digraph .*gradient_based[\s\S]*rankdir/);
  }
  const mermaid = await client.rpc.getPipelineVisualization({ sessionId, format: "mermaid" });
  expect(mermaid.format).toBe("mermaid");
  expect(textOf(mermaid.imageData)).toMatch(/^flowchart LR[\s\S]*-->\|cube --> data\|/);
  await refused(client.rpc.getPipelineVisualization({ sessionId, format: "xyz" }), Code.InvalidArgument, "xyz");
  const bare = await client.session();
  const without = client.rpc.getPipelineVisualization({ sessionId: bare, format: "xyz" });
  await refused(without, Code.FailedPrecondition, /pipeline/);
});
