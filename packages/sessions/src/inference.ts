// What an inference job is asked to do, and the pipeline as it was at submission: a copy that belongs to the job, so that
// what happens to its session changes nothing.
import type { BlobRef, CallOptions, Job, WorkerContext } from "@sortie/core";
import { copyClasses } from "./onnx-classes.ts";
import type { LoadedPipeline, OnnxClass } from "./state.ts";

type Ports = Pick<WorkerContext, "blobs" | "ids">;

/** A pipeline in blobs of its own. */
export interface PipelineSnapshot {
  /** Of the session's pipeline that it was taken of. */
  readonly generation: string;
  /** Configuration and names of fitted nodes, as JSON. */
  readonly pipeline: BlobRef;
  /** A weights file; absent while every node is as it was built. */
  readonly weights?: BlobRef | undefined;
  readonly models?: readonly OnnxClass[] | undefined;
}

export type InferenceInput =
  | { readonly name: string; readonly from: "upload"; readonly dtype: string; readonly shape: readonly number[] }
  | { readonly name: string; readonly from: "file"; readonly path: string; readonly variable: string | null }
  | { readonly name: string; readonly from: "json"; readonly json: string };

/** The work of a job of kind `infer`. */
export interface InferenceTask {
  readonly sessionId: string;
  readonly snapshot: PipelineSnapshot;
  readonly inputs: readonly InferenceInput[];
  /** "node.port" keys; null: all outputs. */
  readonly outputs: readonly string[] | null;
}

export const inferenceOf = (job: Pick<Job, "work">): InferenceTask => job.work as unknown as InferenceTask;

/** Copies a pipeline. @param prefix where its blobs go */
export async function takeSnapshot(
  ports: Ports,
  loaded: LoadedPipeline,
  prefix: string,
  options?: CallOptions,
): Promise<PipelineSnapshot> {
  const at = `${prefix}snapshot/${ports.ids.random()}`;
  const { config, fitted, generation } = loaded;
  let weights: BlobRef | undefined;
  if (loaded.weights) {
    const bytes = new Uint8Array(loaded.weights.bytes);
    await ports.blobs.readInto(loaded.weights, 0, bytes, options);
    weights = await ports.blobs.put(`${at}.pt`, [bytes], options);
  }
  const text = new TextEncoder().encode(JSON.stringify({ config, fitted }));
  const pipeline = await ports.blobs.put(`${at}.json`, [text], options);
  const models = loaded.models && (await copyClasses(ports, loaded.models, `${at}-`, options));
  return { generation, pipeline, ...(weights && { weights }), ...(models && { models }) };
}

/** Removes a snapshot that no job came of. */
export async function dropSnapshot({ blobs }: Pick<Ports, "blobs">, snapshot: PipelineSnapshot): Promise<void> {
  await blobs.delete(snapshot.pipeline.key);
  if (snapshot.weights) await blobs.delete(snapshot.weights.key);
  for (const { model } of snapshot.models ?? []) await blobs.delete(model.key);
}

export async function readSnapshot(
  { blobs }: Pick<Ports, "blobs">,
  { pipeline, weights, models, generation }: PipelineSnapshot,
  options?: CallOptions,
): Promise<LoadedPipeline> {
  const bytes = new Uint8Array(pipeline.bytes);
  await blobs.readInto(pipeline, 0, bytes, options);
  const { config, fitted } = JSON.parse(new TextDecoder().decode(bytes)) as Pick<LoadedPipeline, "config" | "fitted">;
  return { config, fitted, generation, ...(weights && { weights }), ...(models && { models }) };
}
