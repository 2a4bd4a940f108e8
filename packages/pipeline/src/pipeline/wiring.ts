// Nodes and connections from a pipeline's configuration: names, checks, order of execution.
import { hasInterpolation, resolveWithin } from "../config/interpolate.ts";
import { type ConfigMap, fromPlain, toPlain } from "../config/values.ts";
import { PipelineError } from "../errors.ts";
import type { Stage } from "../graph/host.ts";
import type { NodeType, PortSpec } from "../nodes/node-type.ts";
import { PipelineNode } from "./node.ts";
import { connectionFault } from "./ports.ts";

/** The data of a pipeline file, as YAML or JSON gives it. */
export interface PipelineConfig {
  readonly plugins?: readonly string[] | null;
  readonly nodes: readonly NodeConfig[];
  readonly connections: readonly ConnectionConfig[];
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

export interface NodeConfig {
  readonly name: string;
  readonly class_name: string;
  readonly hparams?: Readonly<Record<string, unknown>>;
}

export interface ConnectionConfig {
  readonly source: string;
  readonly target: string;
}

export interface Connection {
  readonly from: PipelineNode;
  readonly output: string;
  readonly to: PipelineNode;
  readonly input: string;
}

export type Catalogue = ReadonlyMap<string, NodeType>;

/** Full names: `x`, `x-1`, `x-2` for nodes of one base name. */
function fullNames(nodes: readonly NodeConfig[]): string[] {
  const counters = new Map<string, number>();
  return nodes.map(({ name }) => {
    const counter = (counters.get(name) ?? -1) + 1;
    counters.set(name, counter);
    return counter === 0 ? name : `${name}-${counter}`;
  });
}

export function buildNodes(config: PipelineConfig, catalogue: Catalogue, seed: string): PipelineNode[] {
  const names = fullNames(config.nodes);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new PipelineError("invalid-value", `two nodes are named '${twice}'`, { node: twice });
  return config.nodes.map((node, i) => {
    const name = names[i] as string;
    if (name.includes("."))
      throw new PipelineError("invalid-value", `Node '${name}': names have no dots`, { node: name });
    const type = catalogue.get(node.class_name);
    if (!type) {
      throw new PipelineError("unknown-class", `Node '${name}': class '${node.class_name}' is not known here`, {
        node: name,
      });
    }
    const hparams = node.hparams ?? {};
    return new PipelineNode(name, type, hparams, seed, resolved(config, i, hparams));
  });
}

/** Hyper-parameters with interpolations resolved against the whole document. @throws ConfigError "interpolation" */
function resolved(
  config: PipelineConfig,
  position: number,
  hparams: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (!hasInterpolation(JSON.stringify(hparams))) return hparams;
  const document = fromPlain(config) as ConfigMap;
  return toPlain(resolveWithin(document, ["nodes", String(position), "hparams"])) as Record<string, unknown>;
}

/** Connections are written with base names and bind to the first node of that name. */
export function buildConnections(config: PipelineConfig, nodes: readonly PipelineNode[]): Connection[] {
  const first = new Map<string, PipelineNode>();
  for (const [i, { name }] of config.nodes.entries()) if (!first.has(name)) first.set(name, nodes[i] as PipelineNode);
  return config.connections.map(({ source, target }) => {
    const [from, output] = end(source, "outputs", first);
    const [to, input] = end(target, "inputs", first);
    const fault = to.type.inputs.find((port) => port.name === input)?.variadic
      ? undefined
      : connectionFault(portOf(from, "outputs", output), portOf(to, "inputs", input));
    if (fault) {
      throw new PipelineError("incompatible-ports", `${source} -> ${target}: ${fault}`, { node: to.name, port: input });
    }
    return { from, output, to, input };
  });
}

function end(
  text: string,
  side: "inputs" | "outputs",
  nodes: ReadonlyMap<string, PipelineNode>,
): [PipelineNode, string] {
  const parts = text.split(".");
  if (parts.length !== 3 || parts[1] !== side) {
    throw new PipelineError("invalid-value", `'${text}' must read <node>.${side}.<port>`);
  }
  const [name, , port] = parts as [string, string, string];
  const node = nodes.get(name);
  if (!node) throw new PipelineError("unknown-node", `'${text}': there is no node '${name}'`, { node: name });
  portOf(node, side, port);
  return [node, port];
}

function portOf(node: PipelineNode, side: "inputs" | "outputs", name: string): PortSpec {
  const ports = node.type[side];
  const found = ports.find((port) => port.name === name);
  if (!found) {
    const known = ports.map((port) => port.name).join(", ") || "none";
    throw new PipelineError("unknown-port", `Node '${node.name}' has no port '${name}' among its ${side}: ${known}`, {
      node: node.name,
      port: name,
    });
  }
  return found;
}

/**
 * Topological order after Kahn: ready nodes first in, first out, by order of insertion.
 * @throws PipelineError "cycle"
 */
export function executionOrder(nodes: readonly PipelineNode[], connections: readonly Connection[]): PipelineNode[] {
  const waiting = new Map(nodes.map((node) => [node, 0]));
  for (const { to } of connections) waiting.set(to, (waiting.get(to) ?? 0) + 1);
  const ready = nodes.filter((node) => waiting.get(node) === 0);
  for (const node of ready) {
    for (const { from, to } of connections) {
      if (from !== node) continue;
      const left = (waiting.get(to) ?? 0) - 1;
      waiting.set(to, left);
      if (left === 0) ready.push(to);
    }
  }
  if (ready.length < nodes.length) {
    const stuck = nodes.filter((node) => !ready.includes(node)).map((node) => node.name);
    throw new PipelineError("cycle", `the pipeline has a cycle through ${stuck.join(", ")}`);
  }
  return ready;
}

/** All nodes that `targets` depend on, themselves included. */
export function ancestors(targets: Iterable<PipelineNode>, connections: readonly Connection[]): Set<PipelineNode> {
  const found = new Set(targets);
  for (const node of found) for (const { from, to } of connections) if (to === node) found.add(from);
  return found;
}

/**
 * The connections into a port: of a variadic port all, grouped by source node in order of first edge; else the last one.
 */
export function into(node: PipelineNode, port: PortSpec, connections: readonly Connection[]): Connection[] {
  const edges = connections.filter((edge) => edge.to === node && edge.input === port.name);
  if (!port.variadic) return edges.slice(-1);
  const sources = [...new Set(edges.map((edge) => edge.from))];
  return sources.flatMap((source) => edges.filter((edge) => edge.from === source));
}

export const runsIn = (nodes: readonly PipelineNode[], stage: Stage): PipelineNode[] =>
  nodes.filter((node) => node.runsIn(stage));
