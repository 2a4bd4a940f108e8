// Rules of ResolveConfig: finding, composing, overriding, interpolating, unwrapping, validating.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations are what is tested
import { describe, expect, it } from "vitest";
import { resolveIn } from "./testing/memory.ts";

const TRAINING = "seed: 7\nmax_epochs: 20\noptimizer:\n  lr: 1e-3\n";
const LENTILS = "data_module: files\nparams:\n  cubes: [a.npy]\n";
const PIPELINE = `
nodes:
  - name: data
    class_name: x.Data
    hparams: {lr: 0.1, l: [1, 2], text: a}
  - name: rx
    class_name: x.RX
connections:
  - {source: data.outputs.cube, target: rx.inputs.data}
metadata: {name: RX}
`;
const RUN = `# @package _global_
defaults:
  - /data@data: lentils
  - /training@training: default
  - _self_
name: run
output_dir: out/\${name}
training:
  seed: 3
hydra:
  job: {chdir: true}
`;
const CONFIGS = {
  "configs/training/default.yaml": TRAINING,
  "configs/data/lentils.yaml": LENTILS,
  "configs/pipeline/rx.yaml": PIPELINE,
  "configs/pipeline/sub/deep/x.yaml": PIPELINE,
  "configs/trainrun/run.yaml": RUN,
};
const resolve = async (path: string, more = {}, texts: Record<string, string> = CONFIGS) =>
  (await resolveIn(texts, path, more)).value;
const run = async (text: string, more: Record<string, string> = {}, overrides: string[] = []) =>
  resolve("run", { overrides }, { ...CONFIGS, ...more, "configs/run.yaml": text });

describe("finding a configuration", () => {
  it("11. the first search path that has it wins", async () => {
    const texts = { "one/test.yaml": "name: from-dir1\ndata: {}\n", "two/test.yaml": "name: from-dir2\ndata: {}\n" };
    for (const path of ["test.yaml", "test"]) {
      expect(await resolve(path, { searchPaths: ["/one", "/two"] }, texts)).toMatchObject({ name: "from-dir1" });
    }
    expect(await resolve("test", { searchPaths: ["/gone", "/two"] }, texts)).toMatchObject({ name: "from-dir2" });
  });

  it("an absolute path must exist, in a search path or not", async () => {
    expect(await resolve("/configs/training/default", { type: "training" })).toMatchObject({ seed: 7 });
    expect(await resolve("/configs/training/default.yaml", { type: "training", searchPaths: [] })).toMatchObject({
      seed: 7,
    });
  });

  it.each(["none", "configs/pipeline/non_existent_pipeline.yaml", "/configs/none.yaml", "training"])(
    "15. %s is not found",
    async (path) => {
      await expect(resolve(path)).rejects.toMatchObject({
        reason: "file-not-found",
        message: expect.stringContaining("not found"),
      });
    },
  );

  it.each(["", "../secret.yaml", "training/../../x", "a.json"])("%j is no path that is allowed", async (path) => {
    await expect(resolve(path)).rejects.toMatchObject({ reason: "invalid-request" });
  });

  it("18. an unknown type is noticed only where the file exists", async () => {
    await expect(resolve("training/default", { type: "colour" })).rejects.toMatchObject({
      reason: "unknown-type",
      message: expect.stringMatching(/Unknown config type 'colour'.*trainrun/),
    });
    await expect(resolve("none", { type: "colour" })).rejects.toMatchObject({ reason: "file-not-found" });
  });
});

describe("a composed train run", () => {
  it("20. has its groups filled in, own nested keys winning", async () => {
    expect(await resolve("trainrun/run")).toMatchObject({
      name: "run",
      pipeline: null,
      data: { data_module: "files", batch_size: 1, params: { cubes: ["a.npy"] } },
      training: { seed: 3, max_epochs: 20, optimizer: { name: "adamw", lr: 0.001 } },
      output_dir: "out/run",
      loss_nodes: [],
      tags: {},
    });
  });

  it("has no key for Hydra itself", async () => {
    expect(await resolve("trainrun/run")).not.toHaveProperty("hydra");
  });

  const own = "name: run\ntraining: {seed: 3}\n";
  it.each<[string, string, number]>([
    ["21. _self_ first: the group wins", `defaults: [_self_, {training: default}, {data: lentils}]\n${own}`, 7],
    ["21. _self_ last: own values win", `defaults: [{training: default}, {data: lentils}, _self_]\n${own}`, 3],
    ["21. _self_ missing: own values win", `defaults: [{training: default}, {data: lentils}]\n${own}`, 3],
    ["keys may stand before the defaults", `${own}defaults: [{training: default}, {data: lentils}]\n`, 3],
    [
      "a later group wins over an earlier one",
      `defaults: [{training: default}, {training@training: other}, {data: lentils}]\nname: run\n`,
      8,
    ],
    [
      "21. an override entry replaces the option",
      `defaults: [{training: default}, {data: lentils}, {override training: other}]\nname: run\n`,
      8,
    ],
    ["null selects nothing", `defaults: [{training: null}, {data: lentils}]\n${own}`, 3],
    ["several options merge in order", `defaults: [{training: [other, default]}, {data: lentils}]\nname: run\n`, 7],
    ["a path from the top", `defaults: [/training/default, /data/lentils]\nname: run\n`, 7],
    [
      "21. an optional group that is missing is passed over",
      `defaults: [{training: default}, {optional training: none}, {data: lentils}]\nname: run\n`,
      7,
    ],
  ])("%s", async (_, text, seed) => {
    expect(await run(text, { "configs/training/other.yaml": "seed: 8\n" })).toMatchObject({ training: { seed } });
  });

  it("puts a group at the package that its entry names", async () => {
    const text = `defaults: [{/settings/fast@training: short}, {data@data: lentils}]\nname: run\n`;
    expect(await run(text, { "configs/settings/fast/short.yaml": "seed: 9\n" })).toMatchObject({
      training: { seed: 9 },
    });
  });

  it("puts a group at the package that its own header names, unless the entry does", async () => {
    const more = { "configs/settings/a.yaml": "# a comment\n# @package training\nseed: 9\n" };
    expect(await run(`defaults: [{settings: a}, {data: lentils}]\nname: run\n`, more)).toMatchObject({
      training: { seed: 9 },
    });
    const global = { "configs/settings/a.yaml": "# @package _global_\ntraining: {seed: 10}\n" };
    expect(await run(`defaults: [{settings: a}, {data: lentils}]\nname: run\n`, global)).toMatchObject({
      training: { seed: 10 },
    });
  });

  it("follows the defaults of what it names, relative to that file", async () => {
    const more = {
      "configs/training/base.yaml": "seed: 11\nmax_epochs: 2\n",
      "configs/training/derived.yaml": "defaults: [base, _self_]\nmax_epochs: 4\n",
      "configs/training/named.yaml": "defaults: [{optimizer: slow}]\nseed: 12\n",
      "configs/training/optimizer/slow.yaml": "lr: 1e-5\n",
    };
    expect(await run(`defaults: [{training: derived}, {data: lentils}]\nname: run\n`, more)).toMatchObject({
      training: { seed: 11, max_epochs: 4 },
    });
    expect(await run(`defaults: [{training: named}, {data: lentils}]\nname: run\n`, more)).toMatchObject({
      training: { seed: 12, optimizer: { lr: 1e-5 } },
    });
  });

  it("takes a group from beside its folder", async () => {
    const texts = {
      ...CONFIGS,
      "configs/trainrun/near.yaml":
        "# @package _global_\ndefaults: [{../training@training: default}, {../data@data: lentils}]\nname: run\n",
    };
    expect(await resolve("trainrun/near", {}, texts)).toMatchObject({ training: { seed: 7 } });
  });

  it("replaces lists and merges mappings", async () => {
    const more = { "configs/data/more.yaml": "params: {cubes: [b.npy, c.npy], variable: v}\n" };
    expect(await run(`defaults: [{data: [lentils, more]}]\nname: run\n`, more)).toMatchObject({
      data: { data_module: "files", params: { cubes: ["b.npy", "c.npy"], variable: "v" } },
    });
  });

  it.each<[string, string]>([
    ["21. names an unknown option", "defaults: [{training: none}]\nname: run\n"],
    ["overrides what was never chosen", "defaults: [{override training: default}]\nname: run\n"],
    ["leads out of the folder", "defaults: [{../../etc@data: passwd}]\nname: run\n"],
    ["has _self_ twice", "defaults: [_self_, _self_]\nname: run\n"],
    ["has defaults that are no list", "defaults: {a: b}\nname: run\n"],
    ["has an entry of two keys", "defaults: [{a: b, c: d}]\nname: run\n"],
    ["must be told an option", "defaults: [{training: ???}]\nname: run\n"],
    ["names itself", "defaults: [run]\nname: run\n"],
    ["16. is broken YAML", "{ this is: [not valid yaml"],
    ["is a list", "[1, 2]"],
  ])("that %s is refused", async (_, text) => {
    await expect(run(text)).rejects.toMatchObject({ reason: "composition" });
  });
});

describe("a wrapped configuration", () => {
  it.each([
    ["training/default", "training", { seed: 7 }],
    ["data/lentils", "data", { data_module: "files" }],
    ["pipeline/rx", "pipeline", { metadata: { name: "RX" } }],
    ["24. pipeline/sub/deep/x", "pipeline", { metadata: { name: "RX" } }],
  ])("%s is unwrapped, however deep", async (path, type, expected) => {
    expect(await resolve(path.replace(/^\d+\. /, ""), { type })).toMatchObject(expected);
  });

  it("is unwrapped where the search path is a folder above the configurations'", async () => {
    expect(await resolve("configs/pipeline/sub/deep/x", { type: "pipeline", searchPaths: ["/"] })).toMatchObject({
      metadata: { name: "RX" },
    });
  });

  it("is unwrapped where the whole file lies below the type's name", async () => {
    const texts = { "configs/t.yaml": "training: {seed: 5, max_epochs: 3}\nnote: x\n" };
    expect(await resolve("t", { type: "training" }, texts)).toMatchObject({ seed: 5, max_epochs: 3 });
  });

  it("takes overrides with and without its folder's name", async () => {
    for (const override of ["max_epochs=3", "training.max_epochs=3"]) {
      expect(await resolve("training/default", { type: "training", overrides: [override] })).toMatchObject({
        max_epochs: 3,
      });
    }
  });
});

describe("overrides", () => {
  const texts = { "configs/p.yaml": PIPELINE };
  const pipeline = (...overrides: string[]) => resolve("p", { type: "pipeline", overrides }, texts);

  it("23. reach into nodes and metadata with their types", async () => {
    const value = await pipeline(
      "nodes.0.hparams.lr=0.2",
      "nodes.0.hparams.l=[3,4]",
      "metadata.name=zz",
      "nodes.0.hparams.text=two words",
    );
    expect(value).toMatchObject({
      metadata: { name: "zz" },
      nodes: [{ hparams: { lr: 0.2, l: [3, 4], text: "two words" } }, {}],
    });
    expect(await pipeline("nodes.0.hparams.text=null", "nodes.0.hparams.lr=true")).toMatchObject({
      nodes: [{ hparams: { lr: true, text: null } }, {}],
    });
    expect(await pipeline("nodes.0.hparams.lr=1e-3")).toMatchObject({ nodes: [{ hparams: { lr: 0.001 } }, {}] });
  });

  it("23. of a new key are refused, also within params", async () => {
    await expect(pipeline("nodes.0.hparams.new=1")).rejects.toMatchObject({ reason: "composition" });
    await expect(resolve("data/lentils", { type: "data", overrides: ["params.variable=v"] })).rejects.toMatchObject({
      reason: "composition",
    });
  });

  it("23. beyond a bound are refused by the model", async () => {
    await expect(resolve("training/default", { type: "training", overrides: ["max_epochs=0"] })).rejects.toMatchObject({
      reason: "validation",
      violations: [{ location: "max_epochs", message: "Input should be greater than or equal to 1" }],
    });
  });

  it("12. are of one call only", async () => {
    const withData = { ...CONFIGS, "configs/trainrun/run.yaml": `${RUN}data: {batch_size: 8}\n` };
    for (const size of [1, 2, 3]) {
      expect(await resolve("trainrun/run", { overrides: [`data.batch_size=${size}`] }, withData)).toMatchObject({
        data: { batch_size: size },
      });
    }
  });

  it("22. come before interpolations", async () => {
    expect(await resolve("trainrun/run", { overrides: ["name=bar"] })).toMatchObject({ output_dir: "out/bar" });
    expect(await resolve("trainrun/run", { overrides: ["output_dir=${name}/${training.seed}"] })).toMatchObject({
      output_dir: "run/3",
    });
  });

  it("of a whole group by its option's name are refused by the model", async () => {
    await expect(resolve("trainrun/run", { overrides: ["training=default"] })).rejects.toMatchObject({
      reason: "validation",
    });
  });
});

describe("the answer", () => {
  it("14. holds what the file says and every default", async () => {
    const texts = { "configs/training.yaml": "max_epochs: 50\noptimizer: {lr: 0.001}\n" };
    expect(await resolve("training.yaml", { type: "training" }, texts)).toEqual({
      seed: 42,
      optimizer: { name: "adamw", lr: 0.001, weight_decay: 0, momentum: 0.9, betas: null },
      scheduler: null,
      callbacks: null,
      max_epochs: 50,
      accelerator: "auto",
      devices: null,
      default_root_dir: null,
      precision: "32-true",
      accumulate_grad_batches: 1,
      enable_progress_bar: true,
      enable_checkpointing: false,
      log_every_n_steps: 50,
      val_check_interval: 1,
      check_val_every_n_epoch: 1,
      gradient_clip_val: null,
      deterministic: false,
      benchmark: false,
    });
  });

  it("14. of a file with legacy fields follows the legacy model where dialects are told apart", async () => {
    const texts = { "configs/training.yaml": "max_epochs: 50\nbatch_size: 4\ntrainer: {accelerator: cpu}\n" };
    expect(await resolve("training.yaml", { type: "training", dialect: "auto" }, texts)).toMatchObject({
      max_epochs: 50,
      batch_size: 4,
      num_workers: 4,
      trainer: { max_epochs: 50, accelerator: "cpu" },
    });
    await expect(resolve("training.yaml", { type: "training" }, texts)).rejects.toMatchObject({ reason: "validation" });
  });

  it("is JSON of two spaces in ASCII, in the model's order, floats with their point", async () => {
    const texts = { "configs/o.yaml": "betas: [0.9, 1]\nname: ädam\nweight_decay: 1e-6\n" };
    const { json } = await resolveIn(texts, "o", { type: "optimizer" });
    expect(json).toBe(
      '{\n  "name": "\\u00e4dam",\n  "lr": 0.001,\n  "weight_decay": 1e-06,\n  "momentum": 0.9,\n  "betas": [\n    0.9,\n    1.0\n  ]\n}',
    );
  });

  it("17. of a train run with only a name names what is required", async () => {
    await expect(run("name: only\n")).rejects.toMatchObject({
      reason: "validation",
      message: expect.stringMatching(/^1 validation error for TrainRunConfig\ndata\n {2}Field required \[type=missing/),
    });
  });

  it("22. with an interpolation that leads nowhere is refused", async () => {
    await expect(run("name: ${nope}\ndata: {}\n")).rejects.toMatchObject({ reason: "interpolation" });
  });

  it("104. of a legacy train run holds its pipeline inline, with overrides of the nested trainer", async () => {
    const texts = {
      "configs/pipeline/rx.yaml": PIPELINE,
      "configs/data/l.yaml": "cu3s_file_path: a.cu3s\ntrain_ids: [0, 1]\n",
      "configs/training/default.yaml": "trainer: {max_epochs: 20}\n",
      "configs/trainrun/rx.yaml":
        "# @package _global_\ndefaults: [{/data@data: l}, {/training@training: default}, {/pipeline@pipeline: rx}, _self_]\nname: rx\n",
    };
    const overrides = ["training.trainer.max_epochs=2", "data.batch_size=4"];
    // Keys must exist to be overridden, so the data configuration names its batch size.
    texts["configs/data/l.yaml"] += "batch_size: 1\n";
    const value = await resolve("trainrun/rx", { overrides, dialect: "auto" }, texts);
    expect(value).toMatchObject({
      pipeline: { metadata: { name: "RX" }, nodes: [{ name: "data" }, { name: "rx" }] },
      training: { max_epochs: 2, trainer: { max_epochs: 2 } },
      data: { batch_size: 4, shuffle: true },
    });
  });
});
