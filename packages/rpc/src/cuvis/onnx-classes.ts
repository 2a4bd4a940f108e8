// The node classes of a pipeline that registered plugins bring as ONNX models: their files are read once, when it is loaded.
import { sessionBlobs } from "@sortie/core";
import { catalogue } from "@sortie/pipeline";
import type { Json, OnnxClass, SessionState } from "@sortie/sessions";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";
import type { PluginCapability } from "./manifests.ts";
import type { PipelineModel } from "./models.ts";
import { onnxCapability } from "./plugin-rules.ts";

/** @throws CuvisError "not found" for a model that is not there */
export async function readOnnxClasses(
  context: CuvisContext,
  call: Call,
  sessionId: string,
  config: PipelineModel,
  state: SessionState,
): Promise<readonly OnnxClass[]> {
  const files = context.filesOf(call.caller);
  const classes: OnnxClass[] = [];
  for (const className of new Set(config.nodes.map((node) => node.class_name))) {
    const found = catalogue.has(className) ? undefined : onnxCapability(className, state);
    if (!found) continue;
    const { capability, folder } = found;
    const path = capability.model ?? "";
    const bytes = await files.read(path.startsWith("/") || folder === undefined ? path : `${folder}/${path}`);
    const key = `${sessionBlobs(sessionId)}models/${context.ids.random()}`;
    classes.push({
      className,
      summary: capability.doc_summary ?? "",
      model: await context.blobs.put(key, [bytes]),
      inputs: portsOf(capability.input_specs),
      outputs: portsOf(capability.output_specs),
    });
  }
  return classes;
}

const portsOf = (specs: PluginCapability["input_specs"]): readonly Json[] =>
  Object.entries(specs ?? {}).map(([name, { dtype, shape, optional, variadic, description }]) => ({
    name,
    type: dtype,
    // Any size: each by a name of its own.
    shape: shape.map((size, axis) => (size < 0 ? `${name}_${axis}` : size)),
    optional,
    variadic,
    description,
  }));
