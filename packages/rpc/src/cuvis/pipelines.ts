// LoadPipeline, LoadPipelineWeights, SavePipeline, GetPipelineInputs, GetPipelineOutputs, GetPipelineVisualization.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Caller } from "@sortie/core";
import {
  dotOfPipeline,
  dotOfPreview,
  mermaidOfPipeline,
  type OpenPort,
  type PictureConnection,
  type PicturePipeline,
  type Pipeline,
  parseYaml,
  pictureOf,
  pngOfSvg,
  svgOfDot,
  toPlain,
} from "@sortie/pipeline";
import {
  editSession,
  encodeWeights,
  type Json,
  type LoadedPipeline,
  loadWeights,
  type OnnxClass,
  openSession,
  readWeights,
  type SessionState,
  storeWeights,
} from "@sortie/sessions";
import type { cuvis } from "@sortie/wire";
import { stringify } from "yaml";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";
import { checkDataModule } from "./data-modules.ts";
import { wireDType } from "./dtypes.ts";
import { invalid, noPipeline, notFound } from "./errors.ts";
import { readObject } from "./manifests.ts";
import { checkPipeline, type PipelineModel } from "./models.ts";
import { readOnnxClasses } from "./onnx-classes.ts";
import { checkPlugins } from "./plugin-rules.ts";

/** Said in files that are saved without a version of their own. */
const VERSION = "0.11.3";
const LONGEST_PREVIEW = 1_000_000;
const MOST_PREVIEW_PARTS = 2000;

export function createPipelineHandlers(context: CuvisContext) {
  const { host } = context;

  /** The pipeline of a session, for looking at. */
  async function look(call: Call, sessionId: string): Promise<Pipeline> {
    const { state } = await openSession(context, call.caller, sessionId);
    if (!state.pipeline) throw noPipeline();
    return host.ready(context, state.pipeline, call);
  }

  return {
    async loadPipeline(request: cuvis.LoadPipelineRequest, call: Call) {
      const { sessionId } = request;
      const { state } = await openSession(context, call.caller, sessionId);
      const value = readObject(request.pipeline?.configBytes ?? new Uint8Array(), "pipeline.config_bytes");
      const { version: _version, ...content } = value;
      const config = checkPipeline(content);
      if (!state.started) checkPlugins(config, state, context.strictPlugins);
      if (!state.started && request.dataModule !== "") checkDataModule(request.dataModule, state, false);
      const models = await readOnnxClasses(context, call, sessionId, config, state);
      await setPipeline(context, call.caller, sessionId, config, models);
      return { success: true, metadata: metadataOf(config) };
    },

    loadPipelineWeights: (request: cuvis.LoadPipelineWeightsRequest, call: Call) =>
      host.inTurn(request.sessionId, async () => {
        const { value } = await editSession(context, call.caller, request.sessionId, async ({ id, state }) => {
          if (!state.pipeline) throw noPipeline();
          const { name, bytes, resolvedPath } = await weightsSource(context, call, request, state);
          const checkpoint = await readWeights(name, bytes);
          const pipeline = await host.build(context, state.pipeline, call);
          loadWeights(pipeline, checkpoint, request.strict ?? true);
          return {
            state: { ...state, pipeline: await storeWeights(context, id, state.pipeline, pipeline) },
            obsolete: state.pipeline.weights ? [state.pipeline.weights.key] : [],
            value: { resolvedPath, before: state.pipeline },
          };
        });
        host.forget(value.before);
        return { success: true, resolvedPath: value.resolvedPath };
      }),

    async savePipeline(request: cuvis.SavePipelineRequest, call: Call) {
      const pipeline = await look(call, request.sessionId);
      if (request.pipelinePath === "") throw invalid("pipeline_path is empty");
      const files = context.filesOf(call.caller);
      const path = request.pipelinePath.startsWith("/")
        ? request.pipelinePath
        : `${context.configs}/pipeline/${request.pipelinePath}`;
      const { text, metadata } = pipelineFile(pipeline, stemOf(path), request.metadata);
      const weightsPath = withSuffix(path, ".pt");
      await files.write(path, new TextEncoder().encode(text));
      await files.write(weightsPath, encodeWeights(pipeline, metadata as never, stemOf(path)));
      return { success: true, pipelinePath: path, weightsPath };
    },

    async getPipelineInputs(request: cuvis.GetPipelineInputsRequest, call: Call) {
      const pipeline = await look(call, request.sessionId);
      // Of several open ports of one name the last counts, at the place of the first.
      const specs = new Map<string, MessageInitShape<typeof cuvis.TensorSpecSchema>>();
      for (const open of pipeline.openInputs()) specs.set(open.port.name, specOf(open, open.port.name));
      return { inputNames: [...specs.keys()], inputSpecs: Object.fromEntries(specs) };
    },

    async getPipelineOutputs(request: cuvis.GetPipelineOutputsRequest, call: Call) {
      const pipeline = await look(call, request.sessionId);
      const specs = new Map<string, MessageInitShape<typeof cuvis.TensorSpecSchema>>();
      for (const open of pipeline.openOutputs()) {
        const key = `${open.node}.${open.port.name}`;
        specs.set(key, specOf(open, key));
      }
      return { outputNames: [...specs.keys()], outputSpecs: Object.fromEntries(specs) };
    },

    async getPipelineVisualization(request: cuvis.GetPipelineVisualizationRequest, call: Call) {
      const format = request.format.toLowerCase();
      if (request.configContent !== "") return preview(request.configContent, format);
      const picture = pictureOf(await look(call, request.sessionId));
      return draw(picture, format === "" ? "png" : format);
    },
  };
}

/** Puts a new pipeline into a session, in place of the one before. @throws PipelineError */
export async function setPipeline(
  context: CuvisContext,
  caller: Caller,
  sessionId: string,
  config: PipelineModel,
  models: readonly OnnxClass[] = [],
): Promise<void> {
  const loaded: LoadedPipeline = {
    config: config as unknown as Json,
    ...(models.length > 0 ? { models } : {}),
    fitted: [],
    generation: context.ids.random(),
  };
  // Built before it is kept, so that a pipeline that cannot be built leaves the session as it was.
  await context.host.inTurn(sessionId, async () => {
    await context.host.ready(context, loaded, { caller });
    const { value: before } = await editSession(context, caller, sessionId, ({ state }) => ({
      state: { ...state, pipeline: loaded, started: true, profiling: undefined },
      obsolete: [state.pipeline?.weights, ...(state.pipeline?.models ?? []).map(({ model }) => model)].flatMap(
        (blob) => (blob ? [blob.key] : []),
      ),
      value: state.pipeline,
    }));
    context.host.forget(before);
  });
}

async function weightsSource(
  context: CuvisContext,
  call: Call,
  request: cuvis.LoadPipelineWeightsRequest,
  state: SessionState,
): Promise<{ name: string; bytes: Uint8Array; resolvedPath: string }> {
  const { case: kind, value } = request.weightsSource;
  if (kind === "weightsBytes" && value.byteLength > 0) {
    return { name: "(client-bytes)", bytes: value, resolvedPath: "(client-bytes)" };
  }
  if (kind !== "weightsPath" || value === "") throw invalid("weights_path or weights_bytes must be given");
  const files = context.filesOf(call.caller);
  const named = /\.[^./]+$/.test(value) ? value : `${value}.pt`;
  const candidates = named.startsWith("/")
    ? [named]
    : state.searchPaths.map((folder) => `${files.absolute(folder)}/${named}`);
  for (const candidate of candidates) {
    const found = await files.stat(candidate);
    if (found?.kind === "file") return { name: named, bytes: await files.read(found.path), resolvedPath: found.path };
  }
  throw notFound(`Weights file not found: ${named}`);
}

/** The text of a pipeline file, and its metadata. */
export function pipelineFile(
  pipeline: Pipeline,
  stem: string,
  given: cuvis.PipelineMetadata | undefined,
  asLoaded = false,
): { readonly text: string; readonly metadata: Record<string, unknown> } {
  const config = pipeline.config as unknown as PipelineModel;
  const metadata = asLoaded
    ? ((config.metadata ?? {}) as Record<string, unknown>)
    : {
        name: given?.name || stem,
        description: given?.description || "",
        created: given?.created || localTime(new Date()),
        tags: given?.tags ?? [],
        author: given?.author || "",
        cuvis_ai_version: given?.cuvisAiVersion || VERSION,
      };
  const document = {
    plugins: config.plugins ?? null,
    nodes: pipeline.nodes.map((node) => ({
      name: node.name,
      class_name: node.type.className,
      hparams: node.hparams,
    })),
    connections: pipeline.connections.map(({ from, output, to, input }) => ({
      source: `${from.name}.outputs.${output}`,
      target: `${to.name}.inputs.${input}`,
    })),
    metadata,
  };
  return { text: stringify(document, { version: "1.1" }), metadata };
}

/** ISO 8601 with microseconds, as the original writes it. */
function localTime(now: Date): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, "0");
  const date = `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`;
  return `${date}T${pad(now.getHours())}:${pad(now.getMinutes())}:${pad(now.getSeconds())}.${pad(now.getMilliseconds(), 3)}000`;
}

export const stemOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");

export const withSuffix = (path: string, suffix: string): string => {
  const folder = path.lastIndexOf("/") + 1;
  const name = path.slice(folder);
  return path.slice(0, folder) + (name.includes(".", 1) ? name.replace(/\.[^.]*$/, "") : name) + suffix;
};

export function metadataOf(config: PipelineModel): MessageInitShape<typeof cuvis.PipelineMetadataSchema> {
  const metadata = config.metadata ?? undefined;
  if (!metadata) return {};
  return {
    name: metadata.name,
    description: metadata.description ?? "",
    created: metadata.created ?? "",
    cuvisAiVersion: metadata.cuvis_ai_version ?? "",
    tags: [...(metadata.tags ?? [])],
    author: metadata.author ?? "",
  };
}

/** Clients know no other name for what is not among the wire's types than FLOAT32. */
function specOf({ port, required }: OpenPort, name: string): MessageInitShape<typeof cuvis.TensorSpecSchema> {
  const wire = wireDType(port.type.replace(/^np-/, ""));
  return {
    name,
    shape: port.shape.map((size) => (typeof size === "number" ? BigInt(size) : -1n)),
    dtype: wire === 0 || port.type === "uint16" ? 1 : wire,
    required,
  };
}

const FORMATS = ["png", "svg", "dot", "graphviz", "mermaid"];

async function draw(picture: PicturePipeline, format: string) {
  const text = new TextEncoder();
  if (format === "mermaid") return { imageData: text.encode(mermaidOfPipeline(picture)), format };
  if (!FORMATS.includes(format)) throw invalid(`format '${format}' is unknown; allowed are ${FORMATS.join(", ")}`);
  return { imageData: await render(dotOfPipeline(picture), format), format };
}

async function render(dot: string, format: string): Promise<Uint8Array> {
  const text = new TextEncoder();
  if (format === "dot" || format === "graphviz") return text.encode(dot);
  const svg = await svgOfDot(dot);
  return format === "svg" ? text.encode(svg) : pngOfSvg(svg);
}

/** A picture of a file that need not load: only its form is checked. */
async function preview(content: string, asked: string) {
  const size = new TextEncoder().encode(content).byteLength;
  if (size > LONGEST_PREVIEW) throw invalid(`config_content has ${size} bytes; at most ${LONGEST_PREVIEW} are drawn`);
  const value: unknown = toPlain(parseYaml(content, "config_content"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("config_content must be a mapping: a pipeline with nodes and connections");
  }
  const config = checkPipeline(value as Record<string, unknown>);
  const parts = config.nodes.length + config.connections.length;
  if (parts > MOST_PREVIEW_PARTS) {
    throw invalid(`config_content has ${parts} nodes and connections; at most ${MOST_PREVIEW_PARTS} are drawn`);
  }
  const nodes = config.nodes.map(({ name, class_name }) => ({ name, className: class_name }));
  const connections = config.connections.map(({ source, target }): PictureConnection => {
    const [from = "", , output = ""] = source.split(".");
    const [to = "", , input = ""] = target.split(".");
    return { from: { node: from, port: output }, to: { node: to, port: input } };
  });
  const dot = dotOfPreview(config.metadata?.name, nodes, connections);
  const format = asked === "dot" || asked === "graphviz" ? "dot" : asked === "svg" ? "svg" : "png";
  return { imageData: await render(dot, format), format };
}
