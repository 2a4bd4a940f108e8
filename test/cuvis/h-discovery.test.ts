// ListAvailablePipelines, GetPipelineInfo.
import { mkdirSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { refused } from "../conformance/session.ts";
import { anotherWorld, ownWorld, scenarios, sharedWorld } from "./harness.ts";

const scenario = scenarios(sharedWorld());

const file = (name: string, tags: string) =>
  `nodes: []\nconnections: []\nmetadata:\n  name: ${name}\n  tags: [${tags}]\n`;

scenario(59, async ({ rpc }, world) => {
  const weights = await world.write("configs/pipeline/statistical_based.pt", "not read");
  const { pipelines } = await rpc.listAvailablePipelines({});
  const paths = pipelines.map(({ pipelinePath }) => pipelinePath);
  expect(paths).toEqual([
    "anomaly/deep_svdd/deep_svdd.yaml",
    "anomaly/rx/channel_selector.yaml",
    "anomaly/rx/rx_statistical.yaml",
    "gradient_based.yaml",
    "statistical_based.yaml",
  ]);
  expect(pipelines.map(({ weightsPath }) => weightsPath)).toEqual(["", "", "", "", weights]);
  expect(pipelines[3]).toMatchObject({
    resolvedPath: world.path("configs/pipeline/gradient_based.yaml"),
    yamlContent: "",
    metadata: { name: "gradient_based", created: "2026-02-01", author: "Sortie" },
  });
  const tagged = async (filterTag: string) =>
    (await rpc.listAvailablePipelines({ filterTag })).pipelines.map(({ metadata }) => metadata?.name);
  expect(await tagged("statistical")).toEqual(["RX_Statistical", "gradient_based", "statistical_based"]);
  expect(await tagged("GRADIENT")).toEqual(["Channel_Selector", "gradient_based"]);
  expect(await tagged("unknown")).toEqual([]);
  expect(await tagged("")).toEqual([]);
});

scenario(60, async () => {
  const world = await ownWorld();
  await world.remove("configs/pipeline");
  const client = world.connect();
  onTestFinished(() => client.disconnect());
  await refused(client.rpc.listAvailablePipelines({}), Code.NotFound, "not found");
  mkdirSync(world.path("configs/pipeline"));
  expect((await client.rpc.listAvailablePipelines({})).pipelines).toEqual([]);
});

scenario(61, async (_, shared, _test, connect) => {
  const world = await anotherWorld(shared);
  await world.remove("configs/pipeline");
  await world.write("configs/pipeline/top_level.yaml", file("top", "other"));
  await world.write("configs/pipeline/anomaly/adaclip/baseline.yaml", file("baseline", "anomaly, adaclip"));
  await world.write("configs/pipeline/anomaly/adaclip/baseline.pt", "weights");
  await world.write("configs/pipeline/anomaly/rx/statistical.yaml", file("rx", "anomaly"));
  const client = connect(world);
  const { pipelines } = await client.rpc.listAvailablePipelines({});
  expect(pipelines.map(({ pipelinePath, weightsPath }) => [pipelinePath, weightsPath !== ""])).toEqual([
    ["anomaly/adaclip/baseline.yaml", true],
    ["anomaly/rx/statistical.yaml", false],
    ["top_level.yaml", false],
  ]);
  expect((await client.rpc.listAvailablePipelines({ filterTag: "anomaly" })).pipelines).toHaveLength(2);
  const { pipelineInfo } = await client.rpc.getPipelineInfo({ pipelinePath: "anomaly/adaclip/baseline.yaml" });
  expect(pipelineInfo?.metadata?.name).toBe("baseline");
});

scenario(62, async ({ rpc }, world) => {
  const { pipelineInfo } = await rpc.getPipelineInfo({ pipelinePath: "statistical_based.yaml" });
  expect(pipelineInfo?.metadata).toMatchObject({
    name: "statistical_based",
    description: expect.stringMatching(/statistical training/i),
    tags: ["test", "statistical", "rx"],
  });
  await refused(rpc.getPipelineInfo({ pipelinePath: "unknown.yaml" }), Code.NotFound, "not found");
  for (const pipelinePath of [world.path("configs/pipeline/statistical_based.yaml"), "statistical_based", ""]) {
    await refused(rpc.getPipelineInfo({ pipelinePath }), Code.InvalidArgument, "pipeline_path");
  }
});

scenario(63, async ({ rpc }, world) => {
  for (const pipelinePath of [
    "../secret.yaml",
    "./gradient_based.yaml",
    "anomaly//rx.yaml",
    "anomaly\\rx.yaml",
    "a/../gradient_based.yaml",
  ]) {
    await refused(rpc.getPipelineInfo({ pipelinePath }), Code.InvalidArgument, "pipeline_path");
  }
  const { pipelineInfo } = await rpc.getPipelineInfo({ pipelinePath: "gradient_based.yaml" });
  expect(pipelineInfo?.yamlContent).toBe(await world.text("configs/pipeline/gradient_based.yaml"));
});

describe("beyond the scenarios", () => {
  it("a file that is no mapping is listed by its name", async () => {
    const world = await ownWorld();
    await world.write("configs/pipeline/broken.yaml", "{ broken: [");
    const client = world.connect();
    onTestFinished(() => client.disconnect());
    const { pipelines } = await client.rpc.listAvailablePipelines({});
    const broken = pipelines.find(({ pipelinePath }) => pipelinePath === "broken.yaml");
    expect(broken?.metadata).toMatchObject({ name: "broken", tags: [], description: "" });
  });
});
