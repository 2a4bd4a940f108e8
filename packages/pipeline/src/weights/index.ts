// Weights: `.pt` and safetensors files, and how they are matched with the nodes of a pipeline.
export {
  type Checkpoint,
  type CheckpointMetadata,
  type NodeState,
  readCheckpoint,
  writeCheckpoint,
  writeSafeTensorsCheckpoint,
} from "./checkpoint.ts";
export { explainFaults, type LoadFault, type LoadPlan, planLoad, type TensorSpec } from "./load.ts";
export type { Pickled } from "./pickle.ts";
export { Ordered, type Picklable } from "./pickle-writer.ts";
export { readSafeTensors, type SafeTensors, writeSafeTensors } from "./safetensors.ts";
export { readTorch, writeTorch } from "./torch-file.ts";
