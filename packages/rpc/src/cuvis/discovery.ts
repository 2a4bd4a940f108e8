// ListAvailablePipelines and GetPipelineInfo: the pipeline files below the configurations root, looked at anew each time.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Files } from "@sortie/pipeline";
import type { cuvis } from "@sortie/wire";
import { parse } from "yaml";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";
import { invalid, notFound } from "./errors.ts";

type PipelineInfo = MessageInitShape<typeof cuvis.PipelineInfoSchema>;

const PICTURED = /rx|anomaly|detector|gradient_based|lad/i;
const SEGMENTING = /segment|mask|selector/i;

export function createDiscoveryHandlers(context: Pick<CuvisContext, "filesOf" | "configs">) {
  return {
    async listAvailablePipelines(request: cuvis.ListAvailablePipelinesRequest, call: Call) {
      const folder = await openFolder(context.filesOf(call.caller), context.configs);
      const paths = [...folder.present].filter((path) => path.endsWith(".yaml")).sort(byComponents);
      const pipelines = await Promise.all(paths.map((path) => infoOf(folder, path, false)));
      const { filterTag } = request;
      if (filterTag === undefined) return { pipelines };
      const wanted = filterTag.toLowerCase();
      const hasTag = ({ metadata }: PipelineInfo) => metadata?.tags?.some((tag) => tag.toLowerCase() === wanted);
      return { pipelines: pipelines.filter(hasTag) };
    },

    async getPipelineInfo(request: cuvis.GetPipelineInfoRequest, call: Call) {
      const path = request.pipelinePath;
      checkRelative(path);
      const folder = await openFolder(context.filesOf(call.caller), context.configs);
      if (!folder.present.has(path)) throw notFound(`Pipeline not found: ${path}`);
      return { pipelineInfo: await infoOf(folder, path, true) };
    },
  };
}

/** The folder of pipelines, and every file below it. */
interface PipelineFolder {
  readonly files: Files;
  readonly root: string;
  readonly present: ReadonlySet<string>;
}

async function openFolder(files: Files, configs: string): Promise<PipelineFolder> {
  const root = `${configs}/pipeline`;
  const present = await files.list(root);
  if (!present) throw notFound(`Pipeline folder not found: ${root}`);
  return { files, root, present: new Set(present) };
}

async function infoOf(
  { files, root, present }: PipelineFolder,
  path: string,
  withText: boolean,
): Promise<PipelineInfo> {
  const text = new TextDecoder().decode(await files.read(`${root}/${path}`));
  const weights = path.replace(/\.yaml$/, ".pt");
  return {
    pipelinePath: path,
    resolvedPath: `${root}/${path}`,
    metadata: metadataOf(text, path),
    weightsPath: present.has(weights) ? `${root}/${weights}` : "",
    yamlContent: withText ? text : "",
  };
}

function checkRelative(path: string): void {
  const refuse = (why: string) => invalid(`pipeline_path '${path}' ${why}`);
  if (path === "") throw invalid("pipeline_path is empty");
  if (path.includes("\\")) throw refuse("must use / between folders");
  if (path.startsWith("/")) throw refuse("must be relative to the pipeline folder");
  if (!path.endsWith(".yaml")) throw refuse("must end in .yaml");
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw refuse("may not have empty parts, . or ..");
  }
}

const byComponents = (a: string, b: string): number => {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i]! < right[i]! ? -1 : 1;
  }
  return left.length - right.length;
};

/** A file that cannot be read as a mapping is listed with its name alone. */
function metadataOf(text: string, path: string): MessageInitShape<typeof cuvis.PipelineMetadataSchema> {
  const stem = path.slice(path.lastIndexOf("/") + 1).replace(/\.yaml$/, "");
  const document = asMapping(parsed(text));
  const metadata = asMapping(document["metadata"]);
  const text_ = (name: string): string => (typeof metadata[name] === "string" ? metadata[name] : "");
  const tags = Array.isArray(metadata["tags"]) ? metadata["tags"].map(String) : [];
  return {
    name: text_("name") || stem,
    description: text_("description"),
    created: metadata["created"] === undefined || metadata["created"] === null ? "" : String(metadata["created"]),
    cuvisAiVersion: text_("cuvis_ai_version"),
    tags: tags.length > 0 ? tags : guessedTags(document["nodes"]),
    author: text_("author"),
  };
}

function guessedTags(nodes: unknown): string[] {
  const types = (Array.isArray(nodes) ? nodes : []).map((node) => String(asMapping(node)["type"] ?? "")).join(" ");
  return [...(PICTURED.test(types) ? ["anomaly"] : []), ...(SEGMENTING.test(types) ? ["segmentation"] : [])];
}

function parsed(text: string): unknown {
  try {
    return parse(text, { version: "1.1" });
  } catch {
    return undefined;
  }
}

const asMapping = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
