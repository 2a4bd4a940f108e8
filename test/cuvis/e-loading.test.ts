// LoadPipeline.
import { rmSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { Pipeline } from "@sortie/pipeline";
import { cuvis } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { refused } from "../conformance/session.ts";
import type { Json } from "./client.ts";
import { anotherWorld, ownWorld, scenarios, sharedWorld } from "./harness.ts";
import { cube, floatsOf, tensor, wavelengths } from "./tensors.ts";

const shared = sharedWorld();
const scenario = scenarios(shared);

const MINMAX = "cuvis_ai.node.normalization.MinMaxNormalizer";
const minmax = (name: string, hparams: Json = { use_running_stats: false }): Json => ({
  name,
  class_name: MINMAX,
  hparams,
});
const edge = (text: string): Json => {
  const [source, target] = text.split(" -> ");
  return { source: source!.replace(".", ".outputs."), target: target!.replace(".", ".inputs.") };
};

scenario(38, async (client) => {
  const sessionId = await client.session();
  const config = await client.resolve(sessionId, "pipeline", "pipeline/gradient_based");
  await client.registerPlugin(sessionId);
  const { success, metadata } = await client.loadPipeline(sessionId, config);
  expect(success).toBe(true);
  expect(metadata).toMatchObject({
    name: "gradient_based",
    tags: ["test", "gradient_based", "statistical", "gradient"],
    cuvisAiVersion: "0.11.3",
    author: "Sortie",
  });
});

scenario(39, async (client, world, _test, connect) => {
  // Native classes need no plugin here ...
  const here = await client.session();
  const config = await client.resolve(here, "pipeline", "pipeline/gradient_based");
  expect((await client.loadPipeline(here, config)).success).toBe(true);
  // ... unless the server is told to be as strict as the original.
  const strict = connect(await anotherWorld(world, "--strict-plugins"));
  const sessionId = await strict.session();
  const text = /cuvis_ai_test_nodes.*LoadPlugin/;
  await refused(strict.loadPipeline(sessionId, config), Code.FailedPrecondition, text);
  await refused(strict.loadPipeline(sessionId, { ...config, plugins: [] }), Code.InvalidArgument, /plugins/);
  await strict.registerPlugin(sessionId, {
    name: "cuvis_ai_test_nodes",
    path: "/opt/x",
    capabilities: [{ class_name: "tests.fixtures.mock_nodes.LentilsAnomalyDataNode" }],
  });
  await refused(strict.loadPipeline(sessionId, config), Code.InvalidArgument, /SoftChannelSelector/);
  await strict.registerPlugin(sessionId);
  expect((await strict.loadPipeline(sessionId, config)).success).toBe(true);
  // Once loaded, a later pipeline is not checked against the plugins again.
  const other = { nodes: [minmax("x")], connections: [] };
  expect((await strict.loadPipeline(sessionId, other)).success).toBe(true);
});

scenario(40, async (client) => {
  const sessionId = await client.session();
  for (const content of ["", "nodes: []", "[]", "{", "null"]) {
    await refused(client.loadPipeline(sessionId, content), Code.InvalidArgument, "config_bytes");
  }
  await refused(client.rpc.loadPipeline({ sessionId }), Code.InvalidArgument, "config_bytes");
  const empty = { nodes: [], connections: [] };
  await refused(
    client.loadPipeline(sessionId, { ...empty, frozen: [] }),
    Code.InvalidArgument,
    /pipeline config[\s\S]*frozen/,
  );
  const twoParts = { nodes: [minmax("a")], connections: [{ source: "a.normalized", target: "a.inputs.data" }] };
  await refused(client.loadPipeline(sessionId, twoParts), Code.InvalidArgument, /pipeline config[\s\S]*source/);
  expect((await client.loadPipeline(sessionId, { ...empty, version: "1.0", metadata: null })).success).toBe(true);
});

scenario(41, async (client) => {
  const sessionId = await client.session();
  const nodes = [
    minmax("a"),
    minmax("b"),
    { name: "d", class_name: "cuvis_ai.deciders.binary_decider.BinaryDecider", hparams: {} },
  ];
  const load = (text: string) => client.loadPipeline(sessionId, { nodes, connections: [edge(text)] });
  await refused(load("a.normalized -> nobody.data"), Code.InvalidArgument, "nobody");
  await refused(load("a.nothing -> b.data"), Code.InvalidArgument, "nothing");
  await refused(load("a.normalized -> b.nothing"), Code.InvalidArgument, "nothing");
  await refused(load("d.decisions -> a.data"), Code.InvalidArgument, /d\.outputs\.decisions -> a\.inputs\.data/);
  // A value that a node refuses is the caller's fault as well; a missing or mistyped argument is told as the original does.
  const node = (class_name: string, hparams: Json) =>
    client.loadPipeline(sessionId, { nodes: [{ name: "n", class_name, hparams }], connections: [] });
  const selector = "cuvis_ai.node.channel_selector.SoftChannelSelector";
  await refused(node(selector, { n_select: 9, input_channels: 3 }), Code.InvalidArgument, "n_select");
  await refused(node(selector, { n_select: 1 }), Code.Internal, /^Failed to load pipeline: .*input_channels/);
});

scenario(42, async (client, world) => {
  const hparams = { use_running_stats: false, hidden: 128, nested: { a: [1, null, "x"] } };
  const sessionId = await client.loaded({ nodes: [minmax("a", hparams)], connections: [] });
  const pipelinePath = world.path("outputs/e42.yaml");
  await client.rpc.savePipeline({ sessionId, pipelinePath });
  expect(parse(await world.text(pipelinePath)).nodes).toEqual([{ name: "a", class_name: MINMAX, hparams }]);
});

scenario(43, async (client) => {
  const config = {
    nodes: [minmax("x"), minmax("x"), minmax("y")],
    connections: [edge("x.normalized -> y.data")],
  };
  const sessionId = await client.loaded(config);
  const { outputNames } = await client.rpc.getPipelineOutputs({ sessionId });
  // x.normalized is used by the connection, so it is the first x.
  expect(outputNames).toEqual(["x-1.normalized", "y.normalized"]);
  const data = { ...cube([1, 1, 2, 2]), dtype: 1, payload: { case: "rawData" as const, value: new Uint8Array(16) } };
  const { outputs } = await client.infer(sessionId, { extraInputs: { data } });
  expect(Object.keys(outputs).sort()).toEqual(["x-1.normalized", "x.normalized", "y.normalized"]);
});

scenario(44, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const next = await client.resolve(sessionId, "pipeline", "pipeline/statistical_based");
  await client.loadPipeline(sessionId, next);
  const { outputs } = await client.inferCube(sessionId, cube(), wavelengths());
  expect(Object.keys(outputs)).toContain("MinMaxNormalizer.normalized");
  expect(Object.keys(outputs)).not.toContain("SoftChannelSelector.selected");
  // One that cannot be built leaves the session as it was.
  const broken = { nodes: [{ name: "n", class_name: "nobody.knows.It", hparams: {} }], connections: [] };
  await refused(client.loadPipeline(sessionId, broken), Code.Internal, /^Failed to load pipeline: .*nobody\.knows\.It/);
  expect(
    (await client.inferCube(sessionId, cube(), wavelengths())).outputs["MinMaxNormalizer.normalized"],
  ).toBeDefined();
});

scenario(45, async (client) => {
  const sessionId = await client.session();
  const config = { nodes: [minmax("a")], connections: [] };
  await refused(client.loadPipeline(sessionId, config, { dataModule: "cu3s" }), Code.InvalidArgument, /cu3s/);
  expect((await client.loadPipeline(sessionId, config, { dataModule: "files" })).success).toBe(true);
});

describe("beyond the scenarios", () => {
  it("a plugin may bring a detector as an ONNX model, whose pipeline any process can build", async () => {
    const world = await ownWorld();
    let client = world.connect();
    onTestFinished(() => client.disconnect());
    const source = new Pipeline({ nodes: [minmax("n")] as never, connections: [] });
    await world.write("outputs/plugin/detector.onnx", source.exportOnnx());
    const port = { dtype: "float32", shape: [-1, -1, -1, -1] };
    const sessionId = await client.session();
    const manifest = (model: string): Json => ({
      name: "brought",
      path: world.path("outputs/plugin"),
      capabilities: [
        {
          class_name: "brought.Detector",
          source: "onnx",
          model,
          input_specs: { data: port },
          output_specs: { "n.normalized": port },
        },
      ],
    });
    const config = {
      plugins: ["brought"],
      nodes: [{ name: "own", class_name: "brought.Detector", hparams: {} }],
      connections: [],
    };
    await client.registerPlugin(sessionId, manifest("missing.onnx"));
    await refused(client.loadPipeline(sessionId, config), Code.NotFound, /missing\.onnx/);
    await client.registerPlugin(sessionId, manifest("detector.onnx"));
    await client.loadPipeline(sessionId, config);
    const data = tensor(cuvis.DType.FLOAT32, [1, 1, 2, 1], Float32Array.of(2, 6));
    const scores = async () =>
      floatsOf((await client.infer(sessionId, { extraInputs: { data } })).outputs["own.n.normalized"]);
    expect(await scores()).toEqual(Float32Array.of(0, 1));
    client.disconnect();
    await world.server.kill();
    rmSync(world.path("outputs/plugin"), { recursive: true });
    await world.server.start();
    client = world.connect();
    expect(await scores()).toEqual(Float32Array.of(0, 1));
  });

  it("a cycle is taken, and shows when it should run", async () => {
    const client = (await shared.get()).connect();
    onTestFinished(() => client.disconnect());
    const connections = [edge("a.normalized -> b.data"), edge("b.normalized -> a.data")];
    const sessionId = await client.loaded({ nodes: [minmax("a"), minmax("b")], connections });
    await refused(client.infer(sessionId, {}), Code.Internal, /^Inference failed: .*(cycle|circle)/i);
  });

  it("interpolations of hyper-parameters follow the pipeline document when a node is built, and are saved as they were", async () => {
    const world = await shared.get();
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const hparams = { use_running_stats: false, eps: `\${nodes.1.hparams.eps}` };
    const config = {
      nodes: [minmax("a", hparams), minmax("b", { use_running_stats: false, eps: 4 })],
      connections: [],
    };
    const sessionId = await client.loaded(config);
    const data = {
      dtype: 1,
      shape: [1n, 1n, 2n, 1n],
      payload: { case: "rawData" as const, value: new Uint8Array(Float32Array.of(0, 2).buffer) },
    };
    const { outputs } = await client.infer(sessionId, { extraInputs: { data } });
    expect([...floatsOf(outputs["a.normalized"])]).toEqual([0, 0.5]);
    const pipelinePath = world.path("outputs/e-interpolated.yaml");
    await client.rpc.savePipeline({ sessionId, pipelinePath });
    expect(parse(await world.text(pipelinePath)).nodes[0].hparams).toEqual(hparams);
    const lost = { nodes: [minmax("a", { eps: `\${nothing.here}` })], connections: [] };
    await refused(client.loadPipeline(sessionId, lost), Code.InvalidArgument, "nothing.here");
  });
});
