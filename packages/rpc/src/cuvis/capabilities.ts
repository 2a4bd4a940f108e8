// What GetTrainingCapabilities answers: constant, the same for every session.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { cuvis } from "@sortie/wire";

type Answer = MessageInitShape<typeof cuvis.GetTrainingCapabilitiesResponseSchema>;
type Parameter = { name: string; type: string; description: string } & Partial<{
  required: boolean;
  defaultValue: string;
  validation: string;
}>;

const modes = "in ['min', 'max']";

const monitor = (what: string): Parameter => ({ name: "monitor", type: "string", required: true, description: what });

export const TRAINING_CAPABILITIES: Answer = {
  supportedOptimizers: ["adam", "adamw", "sgd"],
  supportedSchedulers: ["reduce_on_plateau", "cosine", "step", "exponential", "plateau"],
  supportedCallbacks: [
    {
      type: "EarlyStopping",
      description: "Ends training when a metric has not improved for a while",
      parameters: [
        monitor("Metric to watch"),
        { name: "patience", type: "int", defaultValue: "10", description: "Checks without improvement until it ends" },
        {
          name: "mode",
          type: "string",
          defaultValue: "min",
          validation: modes,
          description: "Whether the metric should fall or rise",
        },
      ],
    },
    {
      type: "ModelCheckpoint",
      description: "Keeps the best states of the model",
      parameters: [
        { name: "dirpath", type: "string", required: true, description: "Folder of the checkpoints" },
        monitor("Metric that says which states are best"),
        {
          name: "mode",
          type: "string",
          defaultValue: "max",
          validation: modes,
          description: "Whether the metric should fall or rise",
        },
        { name: "save_top_k", type: "int", defaultValue: "1", description: "How many of the best states are kept" },
      ],
    },
    {
      type: "LearningRateMonitor",
      description: "Logs the learning rate",
      parameters: [
        {
          name: "logging_interval",
          type: "string",
          defaultValue: "epoch",
          validation: "in ['step', 'epoch']",
          description: "How often it is logged",
        },
        { name: "log_momentum", type: "bool", defaultValue: "False", description: "Log the momentum as well" },
      ],
    },
  ],
  optimizerParams: {
    parameters: [
      { name: "lr", type: "float", required: true, description: "Learning rate" },
      { name: "weight_decay", type: "float", defaultValue: "0.0", description: "Weight decay" },
      { name: "betas", type: "tuple", description: "Decay rates of the moment estimates" },
    ],
  },
  schedulerParams: {
    parameters: [
      { name: "monitor", type: "string", description: "Metric that a plateau is looked for in" },
      { name: "factor", type: "float", defaultValue: "0.1", description: "What the learning rate is multiplied by" },
      {
        name: "patience",
        type: "int",
        defaultValue: "10",
        description: "Epochs without improvement until it is lowered",
      },
    ],
  },
};
