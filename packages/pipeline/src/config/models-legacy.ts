// The same configurations in the legacy dialect, for clients of the older service.
import { bool, float, int, list, type Model, model, nullable, text } from "./model.ts";
import {
  CALLBACKS,
  DATA,
  defaultsOf,
  f,
  field,
  metadataModel,
  OPTIMIZER,
  PIPELINE,
  pipelineFields,
  SCHEDULER,
  TRAINING,
  trainRunFields,
} from "./models.ts";
import { type ConfigMap, type ConfigValue, copy, isMap } from "./values.ts";

const { accelerator, devices, default_root_dir, precision, accumulate_grad_batches, enable_progress_bar } =
  TRAINING.fields;
const { enable_checkpointing, log_every_n_steps, val_check_interval, check_val_every_n_epoch } = TRAINING.fields;
const { gradient_clip_val, deterministic, benchmark, max_epochs } = TRAINING.fields;

const TRAINER: Model = {
  name: "TrainerConfig",
  description: "How the training loop runs.",
  fields: {
    max_epochs: max_epochs!,
    accelerator: accelerator!,
    devices: devices!,
    default_root_dir: default_root_dir!,
    precision: precision!,
    accumulate_grad_batches: accumulate_grad_batches!,
    enable_progress_bar: enable_progress_bar!,
    enable_checkpointing: enable_checkpointing!,
    log_every_n_steps: log_every_n_steps!,
    val_check_interval: val_check_interval!,
    check_val_every_n_epoch: check_val_every_n_epoch!,
    gradient_clip_val: gradient_clip_val!,
    deterministic: deterministic!,
    benchmark: benchmark!,
    callbacks: field(nullable(model(() => CALLBACKS)), "Callbacks", null),
  },
};

/** A value at the top wins and is copied into the trainer; otherwise the trainer's is copied up. Callbacks only go down. */
function synchronise(value: ConfigMap, given: ReadonlySet<string>): void {
  const trainer = value.get("trainer");
  if (!isMap(trainer)) return;
  for (const key of ["max_epochs", "gradient_clip_val", "accumulate_grad_batches"]) {
    if (given.has(key)) trainer.set(key, value.get(key)!);
    else value.set(key, trainer.get(key)!);
  }
  if (given.has("callbacks")) trainer.set("callbacks", copy(value.get("callbacks")!));
}

export const LEGACY_TRAINING: Model = {
  name: "TrainingConfig",
  description: "How a pipeline is trained.",
  fields: {
    seed: TRAINING.fields["seed"]!,
    optimizer: field(
      model(() => OPTIMIZER),
      "Optimizer",
      () => defaultsOf(OPTIMIZER),
    ),
    scheduler: field(nullable(model(() => SCHEDULER)), "Scheduler of the learning rate", null),
    callbacks: field(nullable(model(() => CALLBACKS)), "Callbacks", null),
    trainer: field(
      model(() => TRAINER),
      "Training loop",
      () => defaultsOf(TRAINER),
    ),
    max_epochs: max_epochs!,
    batch_size: field(int({ ge: 1 }), "Samples per batch", 32),
    num_workers: field(int({ ge: 0 }), "Processes that load data", 4),
    gradient_clip_val: gradient_clip_val!,
    accumulate_grad_batches: accumulate_grad_batches!,
  },
  finish: synchronise,
};

const emptyList = (): ConfigValue => [];

export const LEGACY_DATA: Model = {
  name: "DataConfig",
  description: "One measurement file and its splits.",
  fields: {
    cu3s_file_path: field(text, "Measurement file"),
    annotation_json_path: field(nullable(text), "COCO annotations", null),
    train_ids: field(list(int()), "Measurements for training", emptyList),
    val_ids: field(list(int()), "Measurements for validation", emptyList),
    test_ids: field(list(int()), "Measurements for testing", emptyList),
    train_split: field(nullable(float({ ge: 0, le: 1 })), "Share for training", null),
    val_split: field(nullable(float({ ge: 0, le: 1 })), "Share for validation", null),
    shuffle: field(bool, "Whether training samples are shuffled", true),
    batch_size: field(int({ ge: 1 }), "Samples per batch", 1),
    processing_mode: field(text, "Processing of the measurements", "Reflectance"),
  },
};

const METADATA = metadataModel("0.1.0");

export const LEGACY_PIPELINE: Model = {
  name: "PipelineConfig",
  description: "Nodes and how they are connected.",
  fields: pipelineFields(METADATA),
};

const hasAny = (value: ConfigValue, names: readonly string[]): boolean =>
  isMap(value) && names.some((name) => value.has(name));

/** Fields that only the legacy training configuration has. */
const LEGACY_TRAINING_FIELDS = ["trainer", "batch_size", "num_workers"];
const LEGACY_DATA_FIELDS = Object.keys(LEGACY_DATA.fields).filter((name) => !Object.hasOwn(DATA.fields, name));

export const isLegacyTraining = (value: ConfigValue): boolean => hasAny(value, LEGACY_TRAINING_FIELDS);
export const isLegacyData = (value: ConfigValue): boolean =>
  hasAny(value, LEGACY_DATA_FIELDS) && !hasAny(value, ["data_module"]);
export const isLegacyTrainRun = (value: ConfigValue): boolean =>
  isMap(value) &&
  (isMap(value.get("pipeline")) ||
    isLegacyData(value.get("data") ?? null) ||
    isLegacyTraining(value.get("training") ?? null));

/** Data and training may be current as well, so that an older client can use every data module of this server. */
export const LEGACY_TRAIN_RUN: Model = {
  name: "TrainRunConfig",
  description: "A pipeline, its data and its training.",
  fields: {
    name: field(text, "Name of the train run"),
    pipeline: field(
      nullable({
        kind: "choose",
        // A pipeline file of today may be placed inside as well.
        by: (value) =>
          typeof value === "string" ? text : model(() => (hasAny(value, ["plugins"]) ? PIPELINE : LEGACY_PIPELINE)),
        shown: model(() => LEGACY_PIPELINE),
      }),
      "The pipeline",
      null,
    ),
    ...trainRunFields(
      {
        kind: "choose",
        by: (value) => model(() => (isLegacyData(value) ? LEGACY_DATA : DATA)),
        shown: model(() => LEGACY_DATA),
      },
      {
        kind: "choose",
        by: (value) => model(() => (isLegacyTraining(value) ? LEGACY_TRAINING : TRAINING)),
        shown: model(() => LEGACY_TRAINING),
      },
    ),
  },
};

export { f };
