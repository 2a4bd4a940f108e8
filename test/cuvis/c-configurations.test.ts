// ResolveConfig, GetParameterSchema, ValidateConfig.
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { refused } from "../conformance/session.ts";
import { bytesOf, type Cuvis, type Json } from "./client.ts";
import { scenarios, sharedWorld, type World } from "./harness.ts";

const shared = sharedWorld();
const scenario = scenarios(shared);
const TYPES = ["training", "optimizer", "scheduler", "callbacks", "data", "pipeline", "trainrun"];

/** A session whose only search path is a folder of the test's own, with these files. */
async function sessionWith(client: Cuvis, world: World, name: string, files: Record<string, string>): Promise<string> {
  for (const [path, text] of Object.entries(files)) await world.write(`outputs/${name}/${path}`, text);
  const sessionId = await client.session();
  const searchPaths = [world.path("outputs", name)];
  await client.rpc.setSessionSearchPaths({ sessionId, searchPaths, append: false });
  return sessionId;
}

scenario(14, async (client, world) => {
  const text = "max_epochs: 50\noptimizer:\n  name: adamw\n  lr: 1e-3\n";
  const sessionId = await sessionWith(client, world, "c14", { "training.yaml": text });
  const resolved = await client.resolve(sessionId, "training", "training.yaml");
  expect(resolved).toMatchObject({ max_epochs: 50, seed: 42, precision: "32-true", val_check_interval: 1 });
  expect(resolved["optimizer"]).toEqual({ name: "adamw", lr: 0.001, weight_decay: 0, momentum: 0.9, betas: null });
  const { valid, errors } = await client.rpc.validateConfig({ configType: "training", configBytes: bytesOf(resolved) });
  expect({ valid, errors }).toEqual({ valid: true, errors: [] });
  // The keys of the older dialect are taken as well.
  const older = await sessionWith(client, world, "c14-older", {
    "training.yaml": `${text}batch_size: 4\ntrainer:\n  accelerator: cpu\n`,
  });
  expect(await client.resolve(older, "training", "training")).toMatchObject({
    max_epochs: 50,
    batch_size: 4,
    trainer: { max_epochs: 50, accelerator: "cpu" },
  });
});

scenario(15, async (client) => {
  const sessionId = await client.session();
  await refused(client.resolve(sessionId, "training", "non_existent"), Code.NotFound, /not found/);
  const path = "configs/pipeline/non_existent_pipeline.yaml";
  await refused(client.resolve(sessionId, "pipeline", path), Code.NotFound, /not found.*non_existent_pipeline/);
  await refused(client.resolve(sessionId, "pipeline", ""), Code.InvalidArgument, "path");
});

scenario(16, async (client, world) => {
  const sessionId = await sessionWith(client, world, "c16", { "broken.yaml": "{ this is: [not valid yaml" });
  await refused(client.resolve(sessionId, "trainrun", "broken"), Code.Internal, /^Config resolution failed: .*yaml/i);
});

scenario(17, async (client, world) => {
  const sessionId = await sessionWith(client, world, "c17", { "run.yaml": "name: incomplete\n" });
  await refused(
    client.resolve(sessionId, "trainrun", "run"),
    Code.InvalidArgument,
    /validation error[\s\S]*data[\s\S]*required/i,
  );
});

scenario(18, async (client, world) => {
  const sessionId = await sessionWith(client, world, "c18", { "run.yaml": "name: x\n" });
  await refused(client.resolve(sessionId, "nonsense", "run"), Code.InvalidArgument, /unknown config type/i);
  await refused(client.resolve(sessionId, "nonsense", "missing"), Code.NotFound, /not found/);
});

scenario(19, async (client) => {
  const sessionId = await client.session();
  for (const override of ["this.does.not.exist=1", "~~~", "=", "a b c", "nodes[0].x=1", "x=a=b"]) {
    const code = await client.resolve(sessionId, "pipeline", "pipeline/gradient_based", override).then(
      () => "none",
      (error) => Code[ConnectError.from(error).code],
    );
    expect(["Internal", "InvalidArgument"], override).toContain(code);
  }
  expect(await client.resolve(sessionId, "training", "training/default")).toMatchObject({ max_epochs: 20 });
});

scenario(20, async (client) => {
  const sessionId = await client.session();
  const run = await client.resolve(sessionId, "trainrun", "trainrun/gradient_based");
  expect(run).toMatchObject({
    name: "gradient_based",
    pipeline: "pipeline/gradient_based",
    data: { data_module: "files", batch_size: 1, params: { cubes: ["data/scene_*.npy"] } },
    training: { seed: 3, max_epochs: 20, optimizer: { lr: 0.001, betas: [0.9, 0.999] } },
    loss_nodes: ["SimpleLossNode"],
  });
});

scenario(21, async (client, world) => {
  const group = "data_module: files\nbatch_size: 5\n";
  const file = (defaults: string) => `# @package _global_\ndefaults:\n${defaults}name: own\ndata:\n  batch_size: 2\n`;
  const sessionId = await sessionWith(client, world, "c21", {
    "data/lentils.yaml": group,
    "data/other.yaml": "data_module: files\nnum_workers: 3\n",
    "first.yaml": file("  - _self_\n  - /data@data: lentils\n"),
    "without.yaml": file("  - /data@data: lentils\n"),
    "optional.yaml": file("  - optional /data@data: missing\n  - /data@data: lentils\n"),
    "override.yaml": file("  - /data@data: lentils\n  - override /data@data: other\n"),
    "unknown.yaml": file("  - /data@data: missing\n"),
  });
  const dataOf = async (name: string) => (await client.resolve(sessionId, "trainrun", name))["data"] as Json;
  expect(await dataOf("first")).toMatchObject({ batch_size: 5 });
  expect(await dataOf("without")).toMatchObject({ batch_size: 2 });
  expect(await dataOf("optional")).toMatchObject({ batch_size: 2 });
  expect(await dataOf("override")).toMatchObject({ batch_size: 2, num_workers: 3 });
  await refused(
    client.resolve(sessionId, "trainrun", "unknown"),
    Code.Internal,
    /^Config resolution failed: .*missing/,
  );
});

const NAMED = "name: foo\ndata:\n  data_module: files\n";

scenario(22, async (client, world) => {
  const sessionId = await sessionWith(client, world, "c22", {
    "run.yaml": `${NAMED}output_dir: out/\${name}\n`,
    "lost.yaml": `${NAMED}output_dir: out/\${nothing}\n`,
    "secret.yaml": `${NAMED}output_dir: \${oc.env:PATH}\n`,
  });
  expect(await client.resolve(sessionId, "trainrun", "run", "name=bar")).toMatchObject({ output_dir: "out/bar" });
  await refused(client.resolve(sessionId, "trainrun", "lost"), Code.InvalidArgument, "nothing");
  // A client may not read the server's environment.
  await refused(client.resolve(sessionId, "trainrun", "secret"), Code.InvalidArgument, "PATH");
});

scenario(23, async (client, world) => {
  const text =
    "nodes:\n  - name: a\n    class_name: x.Y\n    hparams:\n      lr: 0.1\n      l: [1, 2]\n      t: text\n      b: false\n      n: 1\nmetadata:\n  name: before\n";
  const sessionId = await sessionWith(client, world, "c23", { "pipe.yaml": text, "training.yaml": "max_epochs: 3\n" });
  const resolved = await client.resolve(
    sessionId,
    "pipeline",
    "pipe",
    "nodes.0.hparams.lr=0.2",
    "nodes.0.hparams.l=[3,4]",
    "metadata.name=zz",
    "nodes.0.hparams.t=two words",
    "nodes.0.hparams.n=null",
    "nodes.0.hparams.b=true",
  );
  expect(resolved["nodes"]).toEqual([
    { name: "a", class_name: "x.Y", hparams: { lr: 0.2, l: [3, 4], t: "two words", b: true, n: null } },
  ]);
  expect(resolved["metadata"]).toMatchObject({ name: "zz" });
  // The same number, however it is written.
  const again = await client.resolve(sessionId, "pipeline", "pipe", "nodes.0.hparams.lr=1e-3");
  expect((again["nodes"] as Json[])[0]).toMatchObject({ hparams: { lr: 0.001 } });
  await refused(client.resolve(sessionId, "pipeline", "pipe", "nodes.0.hparams.new=1"), Code.Internal, "new");
  await refused(client.resolve(sessionId, "training", "training", "max_epochs=0"), Code.InvalidArgument, "max_epochs");
});

scenario(24, async (client, world) => {
  const text = await world.text("configs/pipeline/gradient_based.yaml");
  const sessionId = await sessionWith(client, world, "c24", { "pipeline/sub/deep/x.yaml": text });
  expect(await client.resolve(sessionId, "pipeline", "pipeline/sub/deep/x")).toMatchObject({
    metadata: { name: "gradient_based" },
  });
});

scenario(25, async ({ rpc }) => {
  for (const configType of TYPES) {
    const schema = JSON.parse((await rpc.getParameterSchema({ configType })).jsonSchema);
    expect(schema, configType).toMatchObject({ type: "object", additionalProperties: false });
  }
  const training = JSON.parse((await rpc.getParameterSchema({ configType: "training" })).jsonSchema);
  expect(Object.keys(training.properties)).toContain("optimizer");
  for (const configType of ["nonsense", ""]) {
    await refused(rpc.getParameterSchema({ configType }), Code.NotFound, /unknown config type/i);
  }
});

const validate = ({ rpc }: Pick<Cuvis, "rpc">, configType: string, value: unknown) =>
  rpc.validateConfig({ configType, configBytes: value instanceof Uint8Array ? value : bytesOf(value) });

scenario(26, async (client) => {
  const check = (value: unknown) => validate(client, "training", value);
  expect(await check({ max_epochs: 5, optimizer: { name: "adam", lr: 0.001 } })).toMatchObject({
    valid: true,
    errors: [],
  });
  const optimizer = await check({ optimizer: { name: "not_an_optimizer" } });
  expect(optimizer.valid).toBe(false);
  expect(optimizer.errors).toEqual(["Unsupported optimizer 'not_an_optimizer'. Supported: ['adam', 'adamw', 'sgd']"]);
  const rate = await check({ optimizer: { name: "adam", lr: -0.5 } });
  expect(rate.valid).toBe(false);
  expect(rate.errors.join()).toMatch(/optimizer\.lr: Input should be greater than 0/);
  expect((await check({ max_epochs: 0 })).valid).toBe(false);
});

scenario(27, async (client) => {
  for (const content of [new Uint8Array(), bytesOf("{broken"), { nonsense: 1 }, { max_epochs: "five" }]) {
    const { valid, errors } = await validate(client, "training", content);
    expect(valid).toBe(false);
    expect(errors).toHaveLength(1);
  }
  const plateau = await validate(client, "training", { scheduler: { name: "reduce_on_plateau" } });
  expect(plateau).toMatchObject({ valid: true, errors: [] });
  expect(plateau.warnings).toHaveLength(1);
  await refused(validate(client, "nonsense", {}), Code.Internal, /^Failed to validate config: .*training/);
});

describe("beyond the scenarios", () => {
  it("overrides of a file in a group reach it with and without the name of the group", async () => {
    const client = (await shared.get()).connect();
    onTestFinished(() => client.disconnect());
    const sessionId = await client.session();
    for (const override of ["max_epochs=3", "training.max_epochs=3"]) {
      const resolved = await client.resolve(sessionId, "training", "training/default", override);
      expect(resolved).toMatchObject({ max_epochs: 3, optimizer: { name: "adamw" } });
    }
  });
});
