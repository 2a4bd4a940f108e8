// Rules of the seven configuration types: bounds, coercion, words and places of faults, JSON Schema.
import { describe, expect, it } from "vitest";
import {
  CONFIG_TYPES,
  type ConfigType,
  type Dialect,
  parameterSchema,
  parseConfig,
  parsePipeline,
  reportConfig,
  validated,
} from "./types.ts";
import { fromPlain, toPlain } from "./values.ts";

const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const errorsOf = (type: ConfigType, value: unknown, dialect: Dialect = "current") =>
  reportConfig(type, bytes(value), dialect).errors;
const filled = (type: ConfigType, value: unknown, dialect: Dialect = "current") =>
  toPlain(validated(type, fromPlain(value)!, dialect)) as Record<string, unknown>;

describe("ValidateConfig", () => {
  it("26. accepts a training configuration that fits", () => {
    const report = reportConfig("training", bytes({ max_epochs: 5, optimizer: { name: "adam", lr: 0.001 } }));
    expect(report).toEqual({ valid: true, errors: [], warnings: [] });
  });

  it("26. accepts what ResolveConfig answers", () => {
    for (const type of ["training", "optimizer", "scheduler", "callbacks", "data", "pipeline"] as const) {
      expect(errorsOf(type, filled(type, {}))).toEqual([]);
    }
  });

  it("26. names an optimizer that there is not", () => {
    expect(errorsOf("training", { optimizer: { name: "not_an_optimizer" } })).toEqual([
      "Unsupported optimizer 'not_an_optimizer'. Supported: ['adam', 'adamw', 'sgd']",
    ]);
    expect(errorsOf("training", { optimizer: { name: "AdamW" } })).toEqual([]);
  });

  it("names a scheduler that there is not, and passes over none", () => {
    expect(errorsOf("training", { scheduler: { name: "steps" } })).toEqual([
      "Unsupported scheduler 'steps'. Supported: ['cosine', 'exponential', 'plateau', 'reduce_on_plateau', 'step']",
    ]);
    expect(errorsOf("training", { scheduler: { name: "None" } })).toEqual([]);
    expect(errorsOf("optimizer", { name: "anything" })).toEqual([]);
  });

  it.each(["plateau", "reduce_on_plateau"])("27. warns of %s without a monitor", (name) => {
    const report = reportConfig("training", bytes({ scheduler: { name } }));
    expect(report).toMatchObject({ valid: true, errors: [], warnings: [expect.stringContaining("val_loss")] });
    expect(reportConfig("training", bytes({ scheduler: { name, monitor: "val_loss" } })).warnings).toEqual([]);
  });

  it("27. reports empty bytes and broken JSON in one line", () => {
    expect(reportConfig("training", new Uint8Array(0)).errors).toEqual(["config_bytes is empty"]);
    expect(errorsOf("training", "{")).toEqual([expect.stringMatching(/^Invalid JSON: ./)]);
  });

  it("reports JSON that is nested beyond all reason", () => {
    expect(errorsOf("training", "[".repeat(100_000) + "]".repeat(100_000))).toEqual([
      expect.stringMatching(/^Invalid JSON: /),
    ]);
  });

  it("reports a wrong top with an empty location", () => {
    expect(errorsOf("data", [])).toEqual([": Input should be a valid dictionary or instance of DataConfig"]);
  });
});

describe("a violation", () => {
  it.each<[ConfigType, unknown, string[]]>([
    ["training", { max_epochs: 0 }, ["max_epochs: Input should be greater than or equal to 1"]],
    ["training", { max_epochs: 10001 }, ["max_epochs: Input should be less than or equal to 10000"]],
    ["training", { optimizer: { lr: -0.5 } }, ["optimizer.lr: Input should be greater than 0"]],
    ["optimizer", { lr: 2 }, ["lr: Input should be less than or equal to 1"]],
    ["training", { seed: 5.5 }, ["seed: Input should be a valid integer, got a number with a fractional part"]],
    ["training", { seed: "x" }, ["seed: Input should be a valid integer, unable to parse string as an integer"]],
    ["training", { seed: [] }, ["seed: Input should be a valid integer"]],
    ["optimizer", { lr: "x" }, ["lr: Input should be a valid number, unable to parse string as a number"]],
    ["training", { benchmark: "maybe" }, ["benchmark: Input should be a valid boolean, unable to interpret input"]],
    ["training", { accelerator: 3 }, ["accelerator: Input should be a valid string"]],
    ["training", { colour: 1 }, ["colour: Extra inputs are not permitted"]],
    [
      "training",
      { zzz: 1, seed: -1 },
      ["seed: Input should be greater than or equal to 0", "zzz: Extra inputs are not permitted"],
    ],
    [
      "training",
      { devices: [] },
      ["devices.int: Input should be a valid integer", "devices.str: Input should be a valid string"],
    ],
    ["training", { val_check_interval: -1 }, ["val_check_interval: Input should be greater than or equal to 0"]],
    ["optimizer", { betas: [0.9] }, ["betas.1: Field required"]],
    ["optimizer", { betas: [0.9, 0.9, 0.9] }, ["betas: Tuple should have at most 2 items after validation, not 3"]],
    ["callbacks", { early_stopping: [{}] }, ["early_stopping.0.monitor: Field required"]],
    ["callbacks", { early_stopping: {} }, ["early_stopping: Input should be a valid list"]],
    [
      "callbacks",
      { learning_rate_monitor: { logging_interval: "hour" } },
      ["learning_rate_monitor.logging_interval: Input should be 'step' or 'epoch'"],
    ],
    ["data", { params: [] }, ["params: Input should be a valid dictionary"]],
    [
      "data",
      { splits: { leakage_check: "maybe" } },
      ["splits.leakage_check: Input should be 'error', 'warn' or 'off'"],
    ],
    [
      "data",
      { splits: { train: [{ kind: "files" }] } },
      ["splits.train.0: Value error, selector kind 'files' requires non-empty paths"],
    ],
    [
      "data",
      { splits: { train: [{ kind: "some" }] } },
      [expect.stringMatching(/^splits\.train\.0\.kind: Input should be 'files', /) as unknown as string],
    ],
    [
      "data",
      { splits: { train: [{ kind: "all", stems: ["a"] }] } },
      ["splits.train.0: Value error, selector kind 'all' does not accept stems"],
    ],
    [
      "data",
      { splits: { val: [{ kind: "except", of: [{ kind: "all" }] }] } },
      ["splits.val.0: Value error, selector kind 'except' requires at least 2 operands, not 1"],
    ],
    [
      "data",
      { splits: { val: [{ kind: "union", of: [{ kind: "glob" }] }] } },
      ["splits.val.0.of.0: Value error, selector kind 'glob' requires non-empty pattern"],
    ],
    ["pipeline", { nodes: [{ name: "a" }] }, ["nodes.0.class_name: Field required"]],
    [
      "pipeline",
      { connections: [{ source: "a.cube", target: "b.inputs.data" }] },
      ["connections.0.source: Value error, 'a.cube' must have the form 'node.outputs.port'"],
    ],
    [
      "pipeline",
      { connections: [{ source: "a.outputs.x", target: "b.outputs.y" }] },
      ["connections.0.target: Value error, 'b.outputs.y' must have the form 'node.inputs.port'"],
    ],
    ["pipeline", { plugins: ["a b"] }, ["plugins.0: Value error, plugin name 'a b' is not a valid identifier"]],
    [
      "pipeline",
      { plugins: [{ name: "x" }] },
      ["plugins.0: Value error, plugins are named by identifiers here; their manifests are registered with LoadPlugin"],
    ],
    ["pipeline", { metadata: {} }, ["metadata.name: Field required"]],
    ["pipeline", { version: 1 }, ["version: Extra inputs are not permitted"]],
    ["trainrun", { name: "x" }, ["data: Field required"]],
    [
      "trainrun",
      { name: "x", data: {}, pipeline: {} },
      [expect.stringMatching(/^pipeline: Value error, pipeline must be the path/) as unknown as string],
    ],
    ["trainrun", { name: "x", data: {}, tags: { a: 1 } }, ["tags.a: Input should be a valid string"]],
  ])("of %s %j", (type, value, expected) => {
    expect(errorsOf(type, value)).toEqual(expected);
  });

  it("is thrown with all others in one text", () => {
    expect(() => parseConfig("training", bytes({ max_epochs: 0, seed: -1 }))).toThrow(
      "2 validation errors for TrainingConfig\nseed\n  Input should be greater than or equal to 0 [type=greater_than_equal, input_value=-1]\nmax_epochs\n  Input should be",
    );
  });
});

describe("40. a pipeline to be loaded", () => {
  it("may have a version, which is dropped", () => {
    expect(toPlain(parsePipeline(bytes({ version: 3, plugins: ["a"], metadata: null })))).toEqual({
      plugins: ["a"],
      nodes: [],
      connections: [],
      metadata: null,
    });
  });

  it.each<[string, Uint8Array, string]>([
    ["empty", new Uint8Array(0), "pipeline.config_bytes is empty"],
    ["YAML", bytes("nodes: []"), "Invalid JSON: "],
    ["a list", bytes([]), "the pipeline config in config_bytes must be a JSON object"],
    ["of unknown keys", bytes({ colour: 1 }), "1 validation error for PipelineConfig\ncolour"],
    [
      "of connections with two parts",
      bytes({ connections: [{ source: "a.b", target: "c.d" }] }),
      "2 validation errors",
    ],
  ])("is refused when %s", (_, content, message) => {
    expect(() => parsePipeline(content)).toThrow(message);
  });
});

describe("coercion", () => {
  it.each<[ConfigType, string, unknown, unknown]>([
    ["training", "seed", "5", 5],
    ["training", "seed", 5.0, 5],
    ["training", "seed", true, 1],
    ["optimizer", "lr", 1, 1],
    ["optimizer", "lr", "1e-3", 0.001],
    ["training", "benchmark", 1, true],
    ["training", "benchmark", "off", false],
    ["training", "precision", 16, 16],
    ["training", "precision", "16", "16"],
    ["training", "devices", "0,1", "0,1"],
    ["training", "val_check_interval", 0.25, 0.25],
    ["training", "val_check_interval", 100, 100],
    ["optimizer", "betas", [1, 0.5], [1, 0.5]],
  ])("%s.%s takes %j as %j", (type, name, given, expected) => {
    expect(filled(type, { [name]: given })[name]).toEqual(expected);
  });

  it.each([
    [60, "PT1M"],
    [0, "PT0S"],
    [-90.5, "-PT1M30.5S"],
    ["01:30:00", "PT1H30M"],
    ["1 day, 01:00:00", "P1DT1H"],
    ["P1W", "P7D"],
    ["PT1H", "PT1H"],
    ["P1DT2H", "P1DT2H"],
  ])("a duration may be %j", (given, expected) => {
    expect(filled("callbacks", { checkpoint: { train_time_interval: given } })).toMatchObject({
      checkpoint: { train_time_interval: expected },
    });
  });

  it("a duration is not any text", () => {
    expect(errorsOf("callbacks", { checkpoint: { train_time_interval: "soon" } })).toHaveLength(1);
    expect(errorsOf("callbacks", { checkpoint: { train_time_interval: "P" } })).toHaveLength(1);
  });

  it("leaves defaults of one answer out of the next", () => {
    const first = validated("data", fromPlain({})!).get("params") as Map<string, null>;
    first.set("x", null);
    expect(filled("data", {})["params"]).toEqual({});
  });
});

describe("the legacy dialect", () => {
  it("copies values at the top of training down, and the trainer's up otherwise", () => {
    expect(
      filled("training", { max_epochs: 5, trainer: { max_epochs: 9, gradient_clip_val: 0.5 } }, "legacy"),
    ).toMatchObject({
      max_epochs: 5,
      gradient_clip_val: 0.5,
      accumulate_grad_batches: 1,
      batch_size: 32,
      trainer: { max_epochs: 5, gradient_clip_val: 0.5 },
    });
    expect(filled("training", { callbacks: { early_stopping: [{ monitor: "x" }] } }, "legacy")).toMatchObject({
      trainer: { callbacks: { early_stopping: [{ monitor: "x" }] } },
    });
  });

  it("has data of one measurement file", () => {
    expect(errorsOf("data", {}, "legacy")).toEqual(["cu3s_file_path: Field required"]);
    expect(filled("data", { cu3s_file_path: "a", train_ids: [1] }, "legacy")).toMatchObject({
      shuffle: true,
      processing_mode: "Reflectance",
    });
    expect(errorsOf("data", { cu3s_file_path: "a", train_split: 2 }, "legacy")).toEqual([
      "train_split: Input should be less than or equal to 1",
    ]);
  });

  it("has pipelines without plugins", () => {
    expect(filled("pipeline", { metadata: { name: "x" } }, "legacy")).toEqual({
      nodes: [],
      connections: [],
      metadata: { name: "x", description: "", created: "", tags: [], author: "", cuvis_ai_version: "0.1.0" },
    });
    expect(errorsOf("pipeline", { plugins: [] }, "legacy")).toEqual(["plugins: Extra inputs are not permitted"]);
  });

  it("is recognised by what only it has", () => {
    const inline = {
      name: "x",
      data: { cu3s_file_path: "a" },
      pipeline: { nodes: [{ name: "n", class_name: "c.C" }] },
    };
    expect(filled("trainrun", inline, "auto")).toMatchObject({
      pipeline: { nodes: [{ hparams: {} }] },
      data: { train_ids: [] },
    });
    const mixed = { ...inline, data: { data_module: "files" } };
    expect(filled("trainrun", mixed, "auto")).toMatchObject({ data: { data_module: "files", batch_size: 1 } });
    expect(filled("trainrun", { name: "x", data: {}, pipeline: "p.yaml" }, "auto")).toMatchObject({
      pipeline: "p.yaml",
    });
  });
});

describe("25. GetParameterSchema", () => {
  const schemaOf = (type: ConfigType, dialect: "current" | "legacy" = "current") =>
    JSON.parse(parameterSchema(type, dialect));

  it.each(CONFIG_TYPES)("answers for %s with a closed object whose references lead somewhere", (type) => {
    for (const dialect of ["current", "legacy"] as const) {
      const schema = schemaOf(type, dialect);
      expect(schema).toMatchObject({ type: "object", additionalProperties: false, title: expect.any(String) });
      const references = [...JSON.stringify(schema).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)].map((match) => match[1]);
      expect(Object.keys(schema.$defs ?? {}).toSorted()).toEqual([...new Set(references)].toSorted());
    }
  });

  it("tells bounds, defaults, nullable fields and the hint of the learning rate", () => {
    expect(schemaOf("training").properties.max_epochs).toMatchObject({
      type: "integer",
      default: 100,
      minimum: 1,
      maximum: 10000,
      title: "Max Epochs",
    });
    expect(schemaOf("optimizer").properties.lr).toMatchObject({
      type: "number",
      default: 0.001,
      exclusiveMinimum: 0,
      maximum: 1,
      minimum: 1e-6,
    });
    expect(schemaOf("optimizer").examples).toEqual([{ name: "adamw", lr: 0.001, weight_decay: 0.01 }]);
    expect(schemaOf("scheduler").properties.t_max).toMatchObject({
      anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }],
      default: null,
    });
    expect(schemaOf("training").properties.optimizer).toMatchObject({ $ref: "#/$defs/OptimizerConfig" });
    expect(schemaOf("data").$defs.SplitSelector.properties.of.items).toEqual({ $ref: "#/$defs/SplitSelector" });
  });

  it("lists required fields only where there are some", () => {
    expect(schemaOf("trainrun").required).toEqual(["name", "data"]);
    expect(schemaOf("training")).not.toHaveProperty("required");
    expect(schemaOf("pipeline").$defs.NodeConfig.required).toEqual(["name", "class_name"]);
  });
});
