// Weights between files and pipelines: a `.pt` or safetensors file to the states of the nodes, and back.
import type { BlobRef, CallOptions, WorkerContext } from "@sortie/core";
import {
  bytesSource,
  type Checkpoint,
  type CheckpointMetadata,
  convertArray,
  type Pipeline,
  type PipelineTensor,
  readCheckpoint,
  type StateDict,
  writeCheckpoint,
} from "@sortie/pipeline";

/** Reads a weights file. @throws FormatError */
export const readWeights = (name: string, bytes: Uint8Array): Promise<Checkpoint> =>
  readCheckpoint(bytesSource(name, bytes));

/** The states that a weights file has for nodes; none where it has no `state_dict`. Half floats are widened. */
function statesOf(checkpoint: Checkpoint): StateDict {
  const states = new Map<string, Map<string, PipelineTensor>>();
  for (const [node, entries] of checkpoint.stateDict ?? []) {
    const state = new Map<string, PipelineTensor>();
    for (const [key, array] of entries) {
      const half = array.dtype === "float16" || array.dtype === "bfloat16";
      state.set(key, (half ? convertArray(array, "float32") : array) as PipelineTensor);
    }
    states.set(node, state);
  }
  return states;
}

/** Takes a weights file over. @throws PipelineError "state-mismatch" */
export const loadWeights = (pipeline: Pipeline, checkpoint: Checkpoint, strict: boolean): void =>
  pipeline.loadStateDict(statesOf(checkpoint), strict);

/** The weights of a pipeline as a `.pt` file. */
export const encodeWeights = (pipeline: Pipeline, metadata: CheckpointMetadata = {}, top?: string): Uint8Array =>
  writeCheckpoint({ stateDict: pipeline.stateDict() as Checkpoint["stateDict"], metadata }, top);

/** Reads a stored weights file. */
export async function checkpointOf(
  ports: Pick<WorkerContext, "blobs">,
  ref: BlobRef,
  options?: CallOptions,
): Promise<Checkpoint> {
  const bytes = new Uint8Array(ref.bytes);
  await ports.blobs.readInto(ref, 0, bytes, options);
  return readWeights(ref.key, bytes);
}
