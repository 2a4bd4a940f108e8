// Plugins and the list of nodes.
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { refused } from "../conformance/session.ts";
import { bytesOf, type Cuvis, type Json } from "./client.ts";
import { ownWorld, scenarios, sharedWorld } from "./harness.ts";

const { DType, NodeCategory, NodeTag } = cuvis;
const shared = sharedWorld();
const scenario = scenarios(shared);

const manifest = (name: string, ...classes: string[]): Json => ({
  name,
  path: `/opt/${name}`,
  capabilities: classes.map((class_name) => ({ class_name })),
});
const namesOf = async (client: Cuvis, sessionId: string) =>
  (await client.rpc.listLoadedPlugins({ sessionId })).plugins.map(({ name }) => name);
const nodesOf = async (client: Cuvis, sessionId: string) => (await client.rpc.listAvailableNodes({ sessionId })).nodes;

scenario(28, async (client) => {
  const sessionId = await client.session();
  const answer = await client.registerPlugin(sessionId, manifest("mine", "my_package.nodes.MyNode"));
  expect(answer).toMatchObject({ registeredPlugin: "mine", error: "" });
  expect(await namesOf(client, sessionId)).toEqual(["mine"]);
  const { plugin } = await client.rpc.getPluginInfo({ sessionId, pluginName: "mine" });
  expect(plugin).toMatchObject({
    name: "mine",
    type: "local",
    source: "/opt/mine",
    capabilities: ["my_package.nodes.MyNode"],
  });
  const found = (await nodesOf(client, sessionId)).filter(({ source }) => source === "plugin");
  expect(found).toMatchObject([
    { className: "MyNode", fullPath: "my_package.nodes.MyNode", source: "plugin", pluginName: "mine" },
  ]);
});

scenario(29, async (client) => {
  const sessionId = await client.session();
  await client.registerPlugin(sessionId, manifest("one", "a.A", "a.B", "a.C"));
  await client.registerPlugin(sessionId, {
    name: "two",
    repo: "https://example.invalid/two.git",
    tag: "v1",
    capabilities: [{ class_name: "b.D" }],
  });
  const { plugins } = await client.rpc.listLoadedPlugins({ sessionId });
  expect(plugins.map(({ name, type, tag, capabilities }) => [name, type, tag, capabilities.length])).toEqual([
    ["one", "local", "", 3],
    ["two", "git", "v1", 1],
  ]);
  const nodes = (await nodesOf(client, sessionId)).filter(({ source }) => source === "plugin");
  expect(nodes.map(({ className }) => className)).toEqual(["A", "B", "C", "D"]);
});

scenario(30, async (client) => {
  const [first, second] = [await client.session(), await client.session()];
  await client.registerPlugin(first, manifest("secret_plugin", "a.Hidden"));
  expect(await namesOf(client, second)).toEqual([]);
  expect((await nodesOf(client, second)).filter(({ source }) => source === "plugin")).toEqual([]);
});

scenario(31, async (client) => {
  const sessionId = await client.session();
  const { registeredPlugin, error } = await client.registerPlugin(sessionId, manifest("dotless", "NoDots"));
  expect(registeredPlugin).toBe("");
  expect(error).toMatch(/^dotless: .*class_name/);
});

scenario(32, async (client) => {
  const sessionId = await client.session();
  await refused(client.rpc.getPluginInfo({ sessionId, pluginName: "unknown" }), Code.NotFound, /unknown.*not found/);
});

scenario(33, async (client) => {
  const sessionId = await client.session();
  await client.registerPlugin(sessionId, manifest("mine", "my_package.nodes.OnlyOnce"));
  const nodes = await nodesOf(client, sessionId);
  expect(nodes.filter(({ className }) => className === "OnlyOnce")).toHaveLength(1);
  const builtins = nodes.filter(({ source }) => source === "builtin");
  expect(builtins.length).toBeGreaterThan(20);
  const rx = builtins.find(({ fullPath }) => fullPath === "cuvis_ai.anomaly.rx_detector.RXGlobal");
  expect(rx).toMatchObject({ className: "RXGlobal", pluginName: "", category: NodeCategory.MODEL });
  expect(rx?.inputSpecs["data"]).toMatchObject({ dtype: DType.FLOAT32, shape: [-1n, -1n, -1n, -1n], optional: false });
  expect(new TextDecoder().decode(rx?.iconSvg)).toContain("<svg");
  const board = builtins.find(({ className }) => className === "TensorBoardMonitorNode");
  expect(board?.inputSpecs["artifacts"]).toMatchObject({ variadic: true, optional: true, dtype: DType.UNSPECIFIED });
});

scenario(34, async (client) => {
  const sessionId = await client.session();
  for (const content of ["", "{", "[]", '"text"', "1"]) {
    const request = { sessionId, manifest: { configBytes: bytesOf(content) } };
    await refused(client.rpc.loadPlugin(request), Code.InvalidArgument, "manifest.config_bytes");
  }
  await refused(client.rpc.loadPlugin({ sessionId }), Code.InvalidArgument, "manifest.config_bytes");
  const good = manifest("mine", "a.A");
  const wrong: readonly [Json, RegExp][] = [
    [{ ...good, path: "relative/path" }, /absolute/],
    [{ ...good, repo: "https://example.invalid/x", tag: "v1" }, /repo and path/],
    [{ ...good, capabilities: [] }, /capabilit/],
    [{ ...good, path: undefined, repo: "https://example.invalid/x" }, /tag/],
    [{ ...good, path: undefined, repo: "ftp://x", tag: "v1" }, /repo/],
    [{ ...good, name: "no identifier" }, /name/],
    [{ ...good, unknown_key: 1 }, /unknown_key/],
    [{ ...good, capabilities: [{ class_name: "a.A", kind: "data_module" }] }, /data_module_name/],
    [{ ...good, capabilities: [{ class_name: "a.A", data_module_name: "x" }] }, /data_module_name/],
  ];
  for (const [content, reason] of wrong) {
    const { registeredPlugin, error } = await client.registerPlugin(sessionId, content);
    expect(registeredPlugin).toBe("");
    expect(error).toMatch(reason);
  }
  expect((await client.registerPlugin(sessionId, { capabilities: [] })).error).toMatch(/^<unnamed>: /);
  await client.registerPlugin(sessionId, good);
  await client.registerPlugin(sessionId, manifest("other", "b.B"));
  await client.registerPlugin(sessionId, manifest("mine", "c.C"));
  const { plugins } = await client.rpc.listLoadedPlugins({ sessionId });
  expect(plugins.map(({ name, capabilities }) => [name, capabilities])).toEqual([
    ["mine", ["c.C"]],
    ["other", ["b.B"]],
  ]);
});

scenario(35, async (client) => {
  const sessionId = await client.session();
  await client.registerPlugin(sessionId, {
    name: "rich",
    path: "/opt/rich",
    capabilities: [
      {
        class_name: "rich.nodes.Detector",
        category: "model",
        tags: ["torch", "anomaly", "unheard_of", "hyperspectral"],
        icon_svg: "<svg/>",
        input_specs: { cube: { dtype: "uint16", shape: [-1, -1, -1, 61], optional: true, description: "the cube" } },
        output_specs: { scores: { dtype: "torch.float32", shape: [], variadic: true } },
        doc_summary: "Detects.",
      },
      { class_name: "rich.data.Module", kind: "data_module", data_module_name: "rich_data", extras: ["x"] },
    ],
  });
  const nodes = (await nodesOf(client, sessionId)).filter(({ source }) => source === "plugin");
  expect(nodes).toHaveLength(1);
  expect(nodes[0]).toMatchObject({
    category: NodeCategory.MODEL,
    tags: [NodeTag.HYPERSPECTRAL, NodeTag.ANOMALY, NodeTag.TORCH],
    inputSpecs: {
      cube: {
        name: "cube",
        dtype: DType.UINT16,
        shape: [-1n, -1n, -1n, 61n],
        optional: true,
        variadic: false,
        description: "the cube",
      },
    },
    outputSpecs: { scores: { dtype: DType.UNSPECIFIED, shape: [], optional: false, variadic: true } },
  });
  expect(new TextDecoder().decode(nodes[0]?.iconSvg)).toBe("<svg/>");
});

scenario(36, async ({ rpc }) => {
  expect((await rpc.clearPluginCache({})).clearedCount).toBe(0);
  expect((await rpc.clearPluginCache({ pluginName: "mine" })).clearedCount).toBe(0);
});

scenario(37, async (client) => {
  const sessionId = await client.session();
  const plugins = { good: { path: "relative/is/allowed", provides: ["a.Good"] }, bad: { provides: ["Bad"] } };
  const answer = await client.rpc.loadPlugins({ sessionId, manifest: { configBytes: bytesOf({ plugins }) } });
  expect(answer.loadedPlugins).toEqual(["good"]);
  expect(Object.keys(answer.failedPlugins)).toEqual(["bad"]);
  expect(answer.failedPlugins["bad"]).not.toBe("");
  const { plugin } = await client.rpc.getPluginInfo({ sessionId, pluginName: "good" });
  expect(plugin).toMatchObject({ type: "local", source: "relative/is/allowed", capabilities: ["a.Good"] });
  const wrong = { sessionId, manifest: { configBytes: bytesOf({ plugins: [] }) } };
  await refused(client.rpc.loadPlugins(wrong), Code.InvalidArgument, "plugins");
});

describe("beyond the scenarios", () => {
  it("the older form of the list has each port in a list of one", async () => {
    const world = await ownWorld(["--older-node-form"]);
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.session();
    // Clients of that release know the message by its older definition.
    const { LegacyListAvailableNodesResponseSchema: output } = cuvis;
    const method = { ...cuvis.CuvisAIService.method.listAvailableNodes, output };
    const answer = await client.transport.unary(method as never, undefined, undefined, undefined, {
      sessionId,
    } as never);
    const { nodes } = answer.message as unknown as cuvis.LegacyListAvailableNodesResponse;
    const rx = nodes.find(({ className }) => className === "RXGlobal");
    expect(rx?.inputSpecs["data"]?.specs).toMatchObject([{ name: "data", dtype: DType.FLOAT32 }]);
  });

  it("a pipeline whose classes are Python code of a plugin is refused with that reason", async () => {
    const client = (await shared.get()).connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.session();
    await client.registerPlugin(sessionId, manifest("python", "python.nodes.Detector"));
    const config = {
      plugins: ["python"],
      nodes: [{ name: "detector", class_name: "python.nodes.Detector", hparams: {} }],
      connections: [],
    };
    const text = /python\.nodes\.Detector.*never run/;
    await refused(client.loadPipeline(sessionId, config), Code.FailedPrecondition, text);
  });
});
