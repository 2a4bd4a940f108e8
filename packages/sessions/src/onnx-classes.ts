// Node classes that plugins bring as ONNX models: kept in blobs, so that any process can build their pipelines.
import type { BlobRef, CallOptions, WorkerContext } from "@sortie/core";
import { type Catalogue, catalogue, onnxNode, type PortSpec } from "@sortie/pipeline";
import type { OnnxClass } from "./state.ts";

/** The built-in classes and these. @throws PipelineError where a model does not have the ports that are declared */
export async function catalogueWith(
  ports: Pick<WorkerContext, "blobs">,
  classes: readonly OnnxClass[],
  options?: CallOptions,
): Promise<Catalogue> {
  const all = new Map(catalogue);
  for (const { className, summary, model, inputs, outputs } of classes) {
    const bytes = await bytesOf(ports, model, options);
    const declared = { inputs: inputs as unknown as PortSpec[], outputs: outputs as unknown as PortSpec[] };
    all.set(className, onnxNode({ className, summary, model: bytes, ...declared }));
  }
  return all;
}

/** Copies the models of classes. @param prefix where the copies go */
export async function copyClasses(
  ports: Pick<WorkerContext, "blobs">,
  classes: readonly OnnxClass[],
  prefix: string,
  options?: CallOptions,
): Promise<OnnxClass[]> {
  const copies: OnnxClass[] = [];
  for (const [i, each] of classes.entries()) {
    const model = await ports.blobs.put(`${prefix}${i}.onnx`, [await bytesOf(ports, each.model, options)], options);
    copies.push({ ...each, model });
  }
  return copies;
}

async function bytesOf(
  ports: Pick<WorkerContext, "blobs">,
  ref: BlobRef,
  options?: CallOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(ref.bytes);
  await ports.blobs.readInto(ref, 0, bytes, options);
  return bytes;
}
