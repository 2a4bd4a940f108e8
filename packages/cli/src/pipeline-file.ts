// A pipeline file, and its weights beside it.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import {
  ConfigError,
  FormatError,
  fromPlain,
  Pipeline,
  PipelineError,
  parseYaml,
  resolveInterpolations,
  toPlain,
  validated,
} from "@sortie/pipeline";
import { loadWeights, readWeights } from "@sortie/sessions";
import { UsageError } from "./connect.ts";

export interface PipelineFile {
  readonly name: string;
  /** The checked configuration, as LoadPipeline takes it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The weights file's bytes; undefined where there is none. */
  readonly weights: { readonly path: string; readonly bytes: Uint8Array } | undefined;
  /** Built, with its weights. */
  readonly pipeline: Pipeline;
}

/**
 * @param weights path of the weights; undefined takes the file of the same name with .pt, if there is one; null takes none
 * @throws UsageError
 */
export async function openPipelineFile(file: string, weights: string | null | undefined): Promise<PipelineFile> {
  const text = await readText(file);
  try {
    const { config, pipeline } = build(text, file);
    const beside = `${withoutExtension(file)}.pt`;
    const found = weights === null ? undefined : await readWeightsFile(weights ?? beside, weights !== undefined);
    if (found) loadWeights(pipeline, await readWeights(found.path, found.bytes), true);
    return { name: basename(file), config, weights: found, pipeline };
  } catch (error) {
    if (error instanceof ConfigError || error instanceof FormatError || error instanceof PipelineError) {
      throw new UsageError(`${file}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** @throws UsageError that names the nodes which have to be fitted before they run */
export function requireFitted({ pipeline, weights }: PipelineFile, file: string): void {
  const unfitted = pipeline.nodes.filter((node) => node.needsFit && !node.fitted && !node.type.usableUnfitted);
  if (unfitted.length === 0) return;
  const names = unfitted.map(({ name }) => name).join(", ");
  const why = weights ? `${weights.path} does not have them` : "there is no weights file beside it";
  throw new UsageError(
    `${file}: nodes that must be fitted first: ${names}; ${why} (sortie fit makes one, --weights names another)`,
  );
}

export const withoutExtension = (path: string): string => path.replace(/\.[^./\\]*$/, "");

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(file, error);
  }
}

export function unreadable(file: string, error: unknown): UsageError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return new UsageError(`${file}: there is no such file`);
  return new UsageError(`${file} cannot be read: ${message}`, { cause: error });
}

function build(text: string, file: string): { config: Readonly<Record<string, unknown>>; pipeline: Pipeline } {
  const value = toPlain(resolveInterpolations(parseYaml(text, file), {}));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${file}: holds no mapping with nodes and connections`);
  }
  if ("defaults" in value) {
    throw new UsageError(`${file}: has a defaults list; ResolveConfig of the service composes such files`);
  }
  const { version: _version, ...content } = value;
  const config = toPlain(validated("pipeline", fromPlain(content) ?? null, "auto")) as Record<string, unknown>;
  return { config, pipeline: new Pipeline(config as unknown as ConstructorParameters<typeof Pipeline>[0]) };
}

async function readWeightsFile(path: string, asked: boolean): Promise<PipelineFile["weights"]> {
  try {
    return { path, bytes: new Uint8Array(await readFile(path)) };
  } catch (error) {
    if (!asked && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unreadable(path, error);
  }
}
