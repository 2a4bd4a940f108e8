// The seven configurations of the current dialect: fields, bounds, defaults and the rules between fields.
import {
  any,
  bool,
  type Field,
  type FieldType,
  float,
  int,
  list,
  literal,
  type Model,
  model,
  nullable,
  object,
  text,
  union,
} from "./model.ts";
import { type ConfigMap, type ConfigValue, Float } from "./values.ts";

/** Version that metadata record where they name none: that of the published schemas which these models follow. */
export const SCHEMAS_VERSION = "0.8.0";

export const field = (type: FieldType, description: string, fallback?: Field["default"]): Field =>
  fallback === undefined ? { type, description } : { type, description, default: fallback };

const emptyList = (): ConfigValue => [];
const emptyMap = (): ConfigValue => new Map();
/** A float for a default. */
export const f = (value: number): Float => new Float(value);

export const OPTIMIZER: Model = {
  name: "OptimizerConfig",
  description: "How parameters are changed from their gradients.",
  fields: {
    name: field(text, "Optimizer: adam, adamw or sgd", "adamw"),
    lr: { type: float({ gt: 0, le: 1 }), description: "Learning rate", default: f(0.001), hints: { minimum: f(1e-6) } },
    weight_decay: field(float({ ge: 0, le: 1 }), "Weight decay; decoupled for adamw", f(0)),
    momentum: field(nullable(float({ ge: 0, le: 1 })), "Momentum, for sgd", f(0.9)),
    betas: field(
      nullable({ kind: "tuple", of: [float(), float()] }),
      "Decay rates of the moments, for adam and adamw",
      null,
    ),
  },
  examples: [
    new Map<string, ConfigValue>([
      ["name", "adamw"],
      ["lr", f(0.001)],
      ["weight_decay", f(0.01)],
    ]),
  ],
};

export const SCHEDULER: Model = {
  name: "SchedulerConfig",
  description: "How the learning rate changes with the epochs.",
  fields: {
    name: field(nullable(text), "Scheduler: cosine, exponential, plateau, reduce_on_plateau or step", null),
    warmup_epochs: field(int({ ge: 0 }), "Epochs of warm-up", 0),
    min_lr: field(float({ ge: 0 }), "Least learning rate", f(1e-6)),
    t_max: field(nullable(int({ ge: 1 })), "Epochs of half a cosine period", null),
    step_size: field(nullable(int({ ge: 1 })), "Epochs between steps", null),
    gamma: field(nullable(float({ ge: 0, le: 1 })), "Factor of each step", null),
    monitor: field(nullable(text), "Metric that reduce_on_plateau watches", null),
    mode: field(text, "Whether the metric should fall (min) or rise (max)", "min"),
    factor: field(float({ ge: 0, le: 1 }), "Factor of reduce_on_plateau", f(0.1)),
    patience: field(int({ ge: 0 }), "Epochs without improvement before a reduction", 10),
    threshold: field(float({ ge: 0 }), "Least change that counts as improvement", f(1e-4)),
    threshold_mode: field(text, "Whether the threshold is relative (rel) or absolute (abs)", "rel"),
    cooldown: field(int({ ge: 0 }), "Epochs of rest after a reduction", 0),
    eps: field(float({ ge: 0 }), "Least reduction that is made", f(1e-8)),
    verbose: field(bool, "Whether reductions are reported", false),
  },
};

const EARLY_STOPPING: Model = {
  name: "EarlyStoppingConfig",
  description: "Ends training when a metric no longer improves.",
  fields: {
    monitor: field(text, "Metric to watch"),
    patience: field(int({ ge: 1 }), "Checks without improvement before the end", 10),
    mode: field(text, "Whether the metric should fall (min) or rise (max)", "min"),
    min_delta: field(float({ ge: 0 }), "Least change that counts as improvement", f(0)),
    stopping_threshold: field(nullable(float()), "Value at which training ends at once", null),
    verbose: field(bool, "Whether checks are reported", true),
    strict: field(bool, "Whether a metric that does not exist is an error", true),
    check_finite: field(bool, "Whether a metric that is not finite ends training", true),
    divergence_threshold: field(nullable(float()), "Value beyond which training ends as diverged", null),
    check_on_train_epoch_end: field(nullable(bool), "Whether to check at the end of training epochs", null),
    log_rank_zero_only: field(bool, "Whether only the first process reports", false),
  },
};

const CHECKPOINT: Model = {
  name: "ModelCheckpointConfig",
  description: "Stores weights while training.",
  fields: {
    dirpath: field(text, "Folder of the checkpoints", "checkpoints"),
    filename: field(nullable(text), "Pattern of their names", null),
    monitor: field(text, "Metric that ranks checkpoints", "val_loss"),
    mode: field(text, "Whether the metric should fall (min) or rise (max)", "min"),
    save_top_k: field(int({ ge: -1 }), "How many of the best are kept; -1 keeps all", 3),
    every_n_epochs: field(int({ ge: 1 }), "Epochs between checkpoints", 1),
    save_last: field(nullable(union(bool, literal("link"))), "Whether the last is kept too", false),
    auto_insert_metric_name: field(bool, "Whether names tell the metric", true),
    verbose: field(bool, "Whether checkpoints are reported", false),
    save_on_exception: field(bool, "Whether to store when training fails", false),
    save_weights_only: field(bool, "Whether optimizer and scheduler are left out", false),
    every_n_train_steps: field(nullable(int()), "Steps between checkpoints", null),
    train_time_interval: field(nullable({ kind: "duration" }), "Time between checkpoints", null),
    save_on_train_epoch_end: field(nullable(bool), "Whether to store at the end of training epochs", null),
    enable_version_counter: field(bool, "Whether equal names get a number", true),
  },
};

const LEARNING_RATE_MONITOR: Model = {
  name: "LearningRateMonitorConfig",
  description: "Records the learning rate.",
  fields: {
    logging_interval: field(nullable(literal("step", "epoch")), "When it is recorded", "epoch"),
    log_momentum: field(bool, "Whether momentum is recorded too", false),
    log_weight_decay: field(bool, "Whether weight decay is recorded too", false),
  },
};

export const CALLBACKS: Model = {
  name: "CallbacksConfig",
  description: "What accompanies training.",
  fields: {
    checkpoint: field(nullable(model(() => CHECKPOINT)), "Checkpoints", null),
    early_stopping: field(list(model(() => EARLY_STOPPING)), "Conditions for an early end", emptyList),
    learning_rate_monitor: field(nullable(model(() => LEARNING_RATE_MONITOR)), "Record of the learning rate", null),
  },
};

/** Defaults of a model that has no required fields. */
export function defaultsOf(of: Model): ConfigMap {
  return new Map(
    Object.entries(of.fields).map(([name, { default: fallback }]) => [
      name,
      typeof fallback === "function" ? fallback() : fallback!,
    ]),
  );
}

export const TRAINING: Model = {
  name: "TrainingConfig",
  description: "How a pipeline is trained.",
  fields: {
    seed: field(int({ ge: 0 }), "Seed of all chance", 42),
    optimizer: field(
      model(() => OPTIMIZER),
      "Optimizer",
      () => defaultsOf(OPTIMIZER),
    ),
    scheduler: field(nullable(model(() => SCHEDULER)), "Scheduler of the learning rate", null),
    callbacks: field(nullable(model(() => CALLBACKS)), "Callbacks", null),
    max_epochs: field(int({ ge: 1, le: 10000 }), "Epochs of training", 100),
    accelerator: field(text, "Device kind", "auto"),
    devices: field(nullable(union(int(), text)), "Devices to use", null),
    default_root_dir: field(nullable(text), "Folder for what training writes", null),
    precision: field(union(text, int()), "Number format of training", "32-true"),
    accumulate_grad_batches: field(int({ ge: 1 }), "Batches per optimizer step", 1),
    enable_progress_bar: field(bool, "Whether progress is printed", true),
    enable_checkpointing: field(bool, "Whether checkpoints are stored", false),
    log_every_n_steps: field(int({ ge: 1 }), "Steps between records", 50),
    val_check_interval: field(
      nullable(union(float({ ge: 0 }), int({ ge: 0 }))),
      "How often within an epoch validation runs",
      f(1),
    ),
    check_val_every_n_epoch: field(nullable(int({ ge: 1 })), "Epochs between validations", 1),
    gradient_clip_val: field(nullable(float({ ge: 0 })), "Largest norm of gradients", null),
    deterministic: field(bool, "Whether only deterministic algorithms are used", false),
    benchmark: field(bool, "Whether algorithms are chosen by trial", false),
  },
};

const SELECTOR_FIELDS = ["paths", "source", "ids", "stems", "pattern", "any_of", "of"] as const;
/** The fields that each kind of selector has, and how many operands it needs at least. */
const SELECTOR_KINDS: Readonly<
  Record<string, { readonly fields: readonly (typeof SELECTOR_FIELDS)[number][]; readonly least?: number }>
> = {
  files: { fields: ["paths"] },
  file_indices: { fields: ["source", "ids"] },
  dir_indices: { fields: ["ids"] },
  stems: { fields: ["stems"] },
  glob: { fields: ["pattern"] },
  tag: { fields: ["any_of"] },
  categories: { fields: ["any_of"] },
  all: { fields: [] },
  union: { fields: ["of"], least: 1 },
  except: { fields: ["of"], least: 2 },
  intersect: { fields: ["of"], least: 2 },
};

function selectorRule(value: ConfigMap): string | undefined {
  const kind = String(value.get("kind"));
  const { fields, least = 1 } = SELECTOR_KINDS[kind]!;
  const isSet = (name: string): boolean => {
    const item = value.get(name);
    return Array.isArray(item) ? item.length > 0 : item !== null && item !== undefined && item !== "";
  };
  const missing = fields.filter((name) => !isSet(name));
  if (missing.length > 0) return `selector kind '${kind}' requires non-empty ${missing.join(", ")}`;
  const extra = SELECTOR_FIELDS.filter((name) => isSet(name) && !fields.includes(name));
  if (extra.length > 0) return `selector kind '${kind}' does not accept ${extra.join(", ")}`;
  const operands = value.get("of");
  if (fields.includes("of") && Array.isArray(operands) && operands.length < least) {
    return `selector kind '${kind}' requires at least ${least} operands, not ${operands.length}`;
  }
  return undefined;
}

const SELECTOR: Model = {
  name: "SplitSelector",
  description: "Chooses samples.",
  fields: {
    kind: field(literal(...Object.keys(SELECTOR_KINDS)), "What it chooses by"),
    paths: field(list(text), "Sources, for files", emptyList),
    source: field(nullable(text), "Source, for file_indices", null),
    ids: field(list(union(int(), text)), "Integers or ranges a-b or a-b:step, for indices", emptyList),
    stems: field(list(text), "Stems of files, for stems", emptyList),
    pattern: field(nullable(text), "Shell pattern, for glob", null),
    any_of: field(list(text), "Tags or category names", emptyList),
    of: field(list(model(() => SELECTOR)), "Operands, for union, intersect and except", emptyList),
  },
  rule: selectorRule,
};

const SPLITS: Model = {
  name: "DataSplitsConfig",
  description: "Which samples are used for what.",
  fields: {
    splits_path: field(nullable(text), "JSON file with the same fields; stages given here replace its own", null),
    leakage_check: field(literal("error", "warn", "off"), "What happens when stages share samples", "error"),
    universe_hash: field(nullable(text), "SHA-256 over the ids of all samples", null),
    train: field(list(model(() => SELECTOR)), "Training samples", emptyList),
    val: field(list(model(() => SELECTOR)), "Validation samples", emptyList),
    test: field(list(model(() => SELECTOR)), "Test samples", emptyList),
    predict: field(list(model(() => SELECTOR)), "Samples to predict; none given means all", emptyList),
  },
};

export const DATA: Model = {
  name: "DataConfig",
  description: "Where samples come from.",
  fields: {
    data_module: field(text, "Name of the data module", "cu3s"),
    splits: field(nullable(model(() => SPLITS)), "Splits into stages", null),
    batch_size: field(int({ ge: 1 }), "Samples per batch", 1),
    num_workers: field(int({ ge: 0 }), "Processes that load data", 0),
    params: field(object, "Arguments of the data module", emptyMap),
  },
};

const endpoint = (middle: "outputs" | "inputs"): FieldType => ({
  kind: "checked",
  of: text,
  rule: (value) => {
    const parts = String(value).split(".");
    return parts.length === 3 && parts[1] === middle && parts.every((part) => part !== "")
      ? undefined
      : `'${String(value)}' must have the form 'node.${middle}.port'`;
  },
});

const NODE: Model = {
  name: "NodeConfig",
  description: "One node of a pipeline.",
  fields: {
    name: field(text, "Name of the node"),
    class_name: field(text, "Dotted path of its class"),
    hparams: field(object, "Arguments of its constructor", emptyMap),
  },
};

const CONNECTION: Model = {
  name: "ConnectionConfig",
  description: "A way from an output to an input.",
  fields: {
    source: field(endpoint("outputs"), "node.outputs.port"),
    target: field(endpoint("inputs"), "node.inputs.port"),
  },
};

export const metadataModel = (version: string): Model => ({
  name: "PipelineMetadata",
  description: "What a pipeline is and who made it.",
  fields: {
    name: field(text, "Name of the pipeline"),
    description: field(text, "What it does", ""),
    created: field(text, "When it was made, ISO 8601", ""),
    tags: field(list(text), "Words to find it by", emptyList),
    author: field(text, "Who made it", ""),
    cuvis_ai_version: field(text, "Version that it was made with", version),
  },
});

const METADATA = metadataModel(SCHEMAS_VERSION);

const identifier: FieldType = {
  kind: "noMapping",
  message: "plugins are named by identifiers here; their manifests are registered with LoadPlugin",
  of: {
    kind: "checked",
    of: text,
    rule: (value) =>
      /^[\p{L}_][\p{L}\p{N}_]*$/u.test(String(value))
        ? undefined
        : `plugin name '${String(value)}' is not a valid identifier`,
  },
};

/** Fields of a pipeline that both dialects share. */
export const pipelineFields = (metadata: Model) => ({
  nodes: field(list(model(() => NODE)), "Nodes", emptyList),
  connections: field(list(model(() => CONNECTION)), "Connections", emptyList),
  metadata: field(nullable(model(() => metadata)), "Metadata", null),
});

export const PIPELINE: Model = {
  name: "PipelineConfig",
  description: "Nodes and how they are connected.",
  fields: {
    plugins: field(nullable(list(identifier)), "Plugins whose classes it uses", null),
    ...pipelineFields(METADATA),
  },
};

/** Fields of a train run behind its pipeline; data and training may be of either dialect. */
export const trainRunFields = (data: FieldType, training: FieldType) => ({
  data: field(data, "Data"),
  training: field(nullable(training), "Training", null),
  loss_nodes: field(list(text), "Nodes whose outputs are summed as loss", emptyList),
  metric_nodes: field(list(text), "Nodes whose metrics are recorded", emptyList),
  freeze_nodes: field(list(text), "Nodes that keep their parameters", emptyList),
  unfreeze_nodes: field(list(text), "Nodes whose state is trained", emptyList),
  output_dir: field(text, "Folder for results", "./outputs"),
  tags: field({ kind: "texts" }, "Notes by name", emptyMap),
});

export const TRAIN_RUN: Model = {
  name: "TrainRunConfig",
  description: "A pipeline, its data and its training.",
  fields: {
    name: field(text, "Name of the train run"),
    pipeline: field(
      nullable({
        kind: "noMapping",
        message:
          "pipeline must be the path of a pipeline file; an inline pipeline is not accepted, save it to a file and name that",
        of: text,
      }),
      "Path of the pipeline's file, relative to the train run's",
      null,
    ),
    ...trainRunFields(
      model(() => DATA),
      model(() => TRAINING),
    ),
  },
};

export { any };
