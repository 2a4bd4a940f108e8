// LoadPlugin, LoadPlugins, ListLoadedPlugins, GetPluginInfo, ListAvailableNodes, ClearPluginCache. A manifest registers what
// is known of a plugin in one session; no code of it is ever run here.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { catalogue, type NodeType } from "@sortie/pipeline";
import { editSession, type Json, openSession } from "@sortie/sessions";
import { cuvis } from "@sortie/wire";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";
import { wireDType } from "./dtypes.ts";
import { invalid, notFound } from "./errors.ts";
import {
  checkManifest,
  manifestsOf,
  type PluginCapability,
  readObject,
  type StoredManifest,
  splitOlderManifest,
} from "./manifests.ts";

type NodeInfo = MessageInitShape<typeof cuvis.NodeInfoSchema>;
type PortSpec = MessageInitShape<typeof cuvis.PortSpecSchema>;

export function createPluginHandlers(context: CuvisContext) {
  async function register(call: Call, sessionId: string, manifests: readonly StoredManifest[]): Promise<void> {
    await editSession(context, call.caller, sessionId, ({ state }) => {
      const plugins = [...state.plugins];
      for (const manifest of manifests) {
        const at = plugins.findIndex((plugin) => plugin["name"] === manifest.name);
        if (at < 0) plugins.push(manifest as unknown as Json);
        else plugins[at] = manifest as unknown as Json;
      }
      return { state: { ...state, plugins }, value: undefined };
    });
  }

  return {
    async loadPlugin(request: cuvis.LoadPluginRequest, call: Call) {
      await openSession(context, call.caller, request.sessionId);
      const value = readObject(request.manifest?.configBytes ?? new Uint8Array(), "manifest.config_bytes");
      const manifest = checkManifest(value);
      if (typeof manifest === "string") return { registeredPlugin: "", error: manifest };
      await register(call, request.sessionId, [manifest]);
      return { registeredPlugin: manifest.name, error: "" };
    },

    async loadPlugins(request: cuvis.LoadPluginsRequest, call: Call) {
      await openSession(context, call.caller, request.sessionId);
      const value = readObject(request.manifest?.configBytes ?? new Uint8Array(), "manifest.config_bytes");
      const good: StoredManifest[] = [];
      const failedPlugins: Record<string, string> = {};
      for (const { name, manifest } of splitOlderManifest(value)) {
        const checked = checkManifest(manifest, true);
        if (typeof checked === "string") failedPlugins[name] = checked;
        else good.push(checked);
      }
      await register(call, request.sessionId, good);
      return { loadedPlugins: good.map(({ name }) => name), failedPlugins };
    },

    async listLoadedPlugins(request: cuvis.ListLoadedPluginsRequest, call: Call) {
      const { state } = await openSession(context, call.caller, request.sessionId);
      return { plugins: manifestsOf(state).map(pluginInfo) };
    },

    async getPluginInfo(request: cuvis.GetPluginInfoRequest, call: Call) {
      const { state } = await openSession(context, call.caller, request.sessionId);
      if (request.pluginName === "") throw invalid("plugin_name is empty");
      const found = manifestsOf(state).find(({ name }) => name === request.pluginName);
      if (!found) throw notFound(`Plugin '${request.pluginName}' not found in this session`);
      return { plugin: pluginInfo(found) };
    },

    async listAvailableNodes(request: cuvis.ListAvailableNodesRequest, call: Call) {
      const { state } = await openSession(context, call.caller, request.sessionId);
      return { nodes: [...[...catalogue.values()].map(builtinInfo), ...manifestsOf(state).flatMap(nodesOfPlugin)] };
    },

    /** Nothing of a plugin is kept outside its session. */
    async clearPluginCache() {
      return { clearedCount: 0 };
    },
  };
}

function pluginInfo(manifest: StoredManifest): MessageInitShape<typeof cuvis.PluginInfoSchema> {
  const { name, repo, tag, path, capabilities } = manifest;
  return {
    name,
    type: repo ? "git" : "local",
    source: repo ?? path ?? "",
    tag: tag ?? "",
    capabilities: capabilities.map(({ class_name }) => class_name),
  };
}

function nodesOfPlugin(manifest: StoredManifest): NodeInfo[] {
  return manifest.capabilities
    .filter(({ kind }) => kind === "node")
    .map((capability) => ({
      className: shortName(capability.class_name),
      fullPath: capability.class_name,
      source: "plugin",
      pluginName: manifest.name,
      inputSpecs: manifestPorts(capability.input_specs),
      outputSpecs: manifestPorts(capability.output_specs),
      iconSvg: new TextEncoder().encode(capability.icon_svg ?? ""),
      category: categoryOf(capability.category ?? ""),
      tags: tagsOf(capability.tags ?? []),
    }));
}

function manifestPorts(ports: PluginCapability["input_specs"]): Record<string, PortSpec> {
  return Object.fromEntries(
    Object.entries(ports ?? {}).map(([name, port]) => [
      name,
      {
        name,
        dtype: wireDType(port.dtype),
        shape: port.shape.map(BigInt),
        optional: port.optional,
        description: port.description,
        variadic: port.variadic,
      },
    ]),
  );
}

function builtinInfo(type: NodeType): NodeInfo {
  return {
    className: shortName(type.className),
    fullPath: type.className,
    source: "builtin",
    inputSpecs: builtinPorts(type.inputs),
    outputSpecs: builtinPorts(type.outputs),
    iconSvg: new TextEncoder().encode(iconOf(type.role)),
    category: categoryOf(type.role),
    tags: [cuvis.NodeTag.HYPERSPECTRAL],
  };
}

function builtinPorts(ports: NodeType["inputs"]): Record<string, PortSpec> {
  return Object.fromEntries(
    ports.map(({ name, type, shape, optional, variadic, description }) => [
      name,
      {
        name,
        dtype: wireDType(type.replace(/^np-/, "")),
        shape: shape.map((size) => (typeof size === "number" ? BigInt(size) : -1n)),
        optional: optional ?? false,
        variadic: variadic ?? false,
        description: description ?? "",
      },
    ]),
  );
}

const shortName = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

const categoryOf = (name: string): cuvis.NodeCategory =>
  (cuvis.NodeCategory as unknown as Record<string, cuvis.NodeCategory>)[name.toUpperCase()] ??
  cuvis.NodeCategory.UNSPECIFIED;

function tagsOf(names: readonly string[]): cuvis.NodeTag[] {
  const known = cuvis.NodeTag as unknown as Record<string, cuvis.NodeTag>;
  return names
    .map((name) => known[name.toUpperCase()])
    .filter((tag) => tag !== undefined)
    .sort((a, b) => a - b);
}

/** A shape for each role, in the colours of the pictures of pipelines. */
function iconOf(role: NodeType["role"]): string {
  const colour =
    { source: "#4c9f70", sink: "#7d7d7d", loss: "#c0504d", metric: "#8064a2" }[role as string] ?? "#4f81bd";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><title>${role}</title><rect x="2" y="2" width="20" height="20" rx="4" fill="${colour}"/></svg>`;
}

/** ListAvailableNodes as older clients read it: each port in a list of one. */
export function olderNodes(
  answer: MessageInitShape<typeof cuvis.ListAvailableNodesResponseSchema>,
): cuvis.LegacyListAvailableNodesResponse {
  const lists = (ports: Record<string, PortSpec> = {}) =>
    Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, { specs: [port] }]));
  return create(cuvis.LegacyListAvailableNodesResponseSchema, {
    nodes: (answer.nodes ?? []).map(
      ({ className, fullPath, source, pluginName, inputSpecs, outputSpecs }: NodeInfo) => ({
        ...(className === undefined ? {} : { className }),
        ...(fullPath === undefined ? {} : { fullPath }),
        ...(source === undefined ? {} : { source }),
        ...(pluginName === undefined ? {} : { pluginName }),
        inputSpecs: lists(inputSpecs as Record<string, PortSpec>),
        outputSpecs: lists(outputSpecs as Record<string, PortSpec>),
      }),
    ),
  });
}
