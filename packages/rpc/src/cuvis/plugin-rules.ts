// Whether a session may load a pipeline: every class must be one of ours, or known through a registered plugin.
import { catalogue } from "@sortie/pipeline";
import type { SessionState } from "@sortie/sessions";
import { invalid, precondition } from "./errors.ts";
import { manifestsOf, type PluginCapability, type StoredManifest } from "./manifests.ts";
import type { PipelineModel } from "./models.ts";

/**
 * @param strict ask for every plugin that the pipeline names to be registered, also where all its classes are ours
 * @throws CuvisError FAILED_PRECONDITION for a plugin that is not registered, INVALID_ARGUMENT for a class of no plugin
 */
export function checkPlugins(config: PipelineModel, state: SessionState, strict: boolean): void {
  const registered = manifestsOf(state);
  const foreign = [...new Set(config.nodes.map((node) => node.class_name))].filter((name) => !catalogue.has(name));
  if (!strict && foreign.length === 0) return;
  const named = config.plugins ?? [];
  if (named.length === 0) {
    const helpful = registered.filter((plugin) => classesOf(plugin).some((name) => foreign.includes(name)));
    const advice = helpful.length === 0 ? "" : `; registered ones that have them: ${helpful.map(nameOf).join(", ")}`;
    throw invalid(`The pipeline names no plugins, and its classes need some: ${listed(config, foreign)}${advice}`);
  }
  const missing = named.filter((name) => !registered.some((plugin) => plugin.name === name));
  if (missing.length > 0) {
    const known = registered.length === 0 ? "none" : registered.map(nameOf).join(", ");
    throw precondition(
      `Plugins not registered in this session: ${missing.join(", ")}; call LoadPlugin first (registered: ${known})`,
    );
  }
  const provided = new Set(registered.filter((plugin) => named.includes(plugin.name)).flatMap(classesOf));
  const wanted = strict ? config.nodes.map((node) => node.class_name) : foreign;
  const unlisted = [...new Set(wanted)].filter((name) => !provided.has(name));
  if (unlisted.length > 0) throw invalid(`No named plugin provides these classes: ${unlisted.join(", ")}`);
  const python = foreign.filter((name) => !onnxCapability(name, state));
  if (python.length > 0) {
    throw precondition(
      `Classes that only Python code of a plugin has: ${python.join(", ")}. Plugins are catalogued here and their code is ` +
        "never run; give the class as an ONNX model (source: onnx in the manifest), or use a node of this server",
    );
  }
}

/** What a registered plugin says of a class that it brings as an ONNX model, and where the plugin lies. */
export function onnxCapability(
  className: string,
  state: SessionState,
): { readonly capability: PluginCapability; readonly folder: string | undefined } | undefined {
  for (const { capabilities, path } of manifestsOf(state)) {
    const capability = capabilities.find((each) => each.class_name === className && each.source === "onnx");
    if (capability) return { capability, folder: path ?? undefined };
  }
  return undefined;
}

const nameOf = ({ name }: StoredManifest): string => name;
const classesOf = ({ capabilities }: StoredManifest): string[] => capabilities.map(({ class_name }) => class_name);

const listed = (config: PipelineModel, foreign: readonly string[]): string =>
  (foreign.length > 0 ? foreign : config.nodes.map((node) => node.class_name)).join(", ");
