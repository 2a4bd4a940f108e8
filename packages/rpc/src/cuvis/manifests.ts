// Plugin manifests: what a client says about a plugin, checked, as a session keeps it.
import type { SessionState } from "@sortie/sessions";
import { z } from "zod";
import { invalid } from "./errors.ts";

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const dottedClass = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$/;

const portSchema = z.strictObject({
  dtype: z.string().default(""),
  shape: z.array(z.int()).default([]),
  optional: z.boolean().default(false),
  description: z.string().default(""),
  variadic: z.boolean().default(false),
});

const capabilitySchema = z
  .strictObject({
    class_name: z.string().regex(dottedClass, "must be a dotted class path of at least two identifiers"),
    kind: z.enum(["node", "data_module"]).default("node"),
    data_module_name: z.string().nullish(),
    extras: z.array(z.string()).nullish(),
    category: z.string().nullish(),
    tags: z.array(z.string()).nullish(),
    icon_svg: z.string().nullish(),
    input_specs: z.record(z.string(), portSchema).nullish(),
    output_specs: z.record(z.string(), portSchema).nullish(),
    doc_summary: z.string().nullish(),
    /** A node of one's own: an ONNX model whose inputs and outputs are the declared ports. */
    source: z.literal("onnx").nullish(),
    model: z.string().nullish(),
  })
  .superRefine((capability, context) => {
    const wrong = (message: string) => context.addIssue({ code: "custom", message });
    const isModule = capability.kind === "data_module";
    if (isModule && !capability.data_module_name) wrong("data_module_name is required for kind data_module");
    if (!isModule && capability.data_module_name) wrong("data_module_name is only allowed for kind data_module");
    if (!isModule && capability.extras) wrong("extras is only allowed for kind data_module");
    if (capability.source === "onnx" && !capability.model) wrong("model is required for source onnx");
  });

const manifestSchema = z
  .strictObject({
    name: z.string().regex(identifier, "must be an identifier"),
    repo: z
      .string()
      .regex(/^(git@|https:\/\/|http:\/\/)/, "must start with git@, https:// or http://")
      .nullish(),
    tag: z.string().nullish(),
    path: z.string().nullish(),
    package_name: z.string().nullish(),
    capabilities: z.array(capabilitySchema).min(1, "at least one capability is required"),
  })
  .superRefine((manifest, context) => {
    const wrong = (message: string) => context.addIssue({ code: "custom", message });
    const [repo, path] = [manifest.repo ?? undefined, manifest.path ?? undefined];
    if (repo !== undefined && path !== undefined) wrong("repo and path may not both be given");
    if (repo === undefined && path === undefined) wrong("repo and tag, or path, must be given");
    if (repo !== undefined && !manifest.tag) wrong("tag must not be empty for a git plugin");
    if (repo === undefined && manifest.tag) wrong("tag is only allowed with repo");
  });

/** What clients of today send: their folders have absolute paths. */
const absoluteManifestSchema = manifestSchema.superRefine(({ path }, context) => {
  if (typeof path === "string" && !path.startsWith("/")) {
    context.addIssue({ code: "custom", path: ["path"], message: `'${path}' must be absolute` });
  }
});

export type PluginCapability = z.infer<typeof capabilitySchema>;
export type StoredManifest = z.infer<typeof manifestSchema>;

/** A mapping from JSON bytes. @throws CuvisError INVALID_ARGUMENT */
export function readObject(bytes: Uint8Array, field: string): Record<string, unknown> {
  if (bytes.byteLength === 0) throw invalid(`${field} is empty`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(`${field} is not valid JSON: ${error instanceof Error ? error.message : "cannot be read"}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`${field} must be a JSON object, and is ${Array.isArray(value) ? "a list" : JSON.stringify(value)}`);
  }
  return value as Record<string, unknown>;
}

/**
 * The checked manifest, or why it is refused: the plugin's name and the reason.
 * @param older it may name a folder relative to the server, which is as good: what it holds is never imported here
 */
export function checkManifest(value: Record<string, unknown>, older = false): StoredManifest | string {
  const found = (older ? manifestSchema : absoluteManifestSchema).safeParse(value);
  if (found.success) return found.data;
  const name = typeof value["name"] === "string" && value["name"] !== "" ? value["name"] : "<unnamed>";
  const reasons = found.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  return `${name}: ${reasons.join("; ")}`;
}

/** The plugins of an older manifest, each in today's form. @throws CuvisError INVALID_ARGUMENT */
export function splitOlderManifest(
  value: Record<string, unknown>,
): readonly { readonly name: string; readonly manifest: Record<string, unknown> }[] {
  const { plugins } = value;
  if (typeof plugins !== "object" || plugins === null || Array.isArray(plugins)) {
    throw invalid("manifest.config_bytes: plugins must be a mapping of plugin names");
  }
  return Object.entries(plugins as Record<string, unknown>).map(([name, entry]) => {
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return { name, manifest: { name } };
    const { provides, ...rest } = entry as Record<string, unknown>;
    const classes = Array.isArray(provides) ? provides : [];
    return { name, manifest: { name, ...rest, capabilities: classes.map((class_name) => ({ class_name })) } };
  });
}

/** The manifests that a session has registered. */
export const manifestsOf = (state: Pick<SessionState, "plugins">): readonly StoredManifest[] =>
  state.plugins as unknown as readonly StoredManifest[];
