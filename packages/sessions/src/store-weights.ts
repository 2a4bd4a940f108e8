// Keeps what a pipeline has learned.
import { sessionBlobs, type WorkerContext } from "@sortie/core";
import type { Pipeline } from "@sortie/pipeline";
import type { LoadedPipeline } from "./state.ts";
import { encodeWeights } from "./weights.ts";

/** Stores the weights that a pipeline has now; the result goes into the session's state. */
export async function storeWeights(
  ports: Pick<WorkerContext, "blobs" | "ids">,
  sessionId: string,
  loaded: LoadedPipeline,
  pipeline: Pipeline,
): Promise<LoadedPipeline> {
  const generation = ports.ids.random();
  const weights = await ports.blobs.put(`${sessionBlobs(sessionId)}weights/${generation}`, [encodeWeights(pipeline)]);
  const fitted = pipeline.nodes.filter((node) => node.fitted).map((node) => node.name);
  return { ...loaded, weights, fitted, generation };
}
