// The public face of @sortie/sessions: what a pipeline session holds, and how any process takes one up.
export { BLOB_CONFIGS, blobFiles } from "./blob-files.ts";
export { PipelineHost, type PipelineHostOptions } from "./host.ts";
export {
  dropSnapshot,
  type InferenceInput,
  type InferenceTask,
  inferenceOf,
  type PipelineSnapshot,
  readSnapshot,
  takeSnapshot,
} from "./inference.ts";
export {
  type CuvisSession,
  editSession,
  type Json,
  type LoadedPipeline,
  type OnnxClass,
  openSession,
  type Profiling,
  type SessionState,
  toJson,
} from "./state.ts";
export { storeWeights } from "./store-weights.ts";
export { CALLERS_FAULT, type SessionPorts, type TrainingTask, taskOf } from "./training.ts";
export { checkpointOf, encodeWeights, loadWeights, readWeights } from "./weights.ts";
