// Emits the nodes of a pipeline into one typed graph, for given inputs, stage and wanted outputs.
import { PipelineError } from "../errors.ts";
import { type Dim, Graph, type GraphValue } from "../graph/graph.ts";
import type { Stage } from "../graph/host.ts";
import { isTensor, type Value } from "../graph/tensor.ts";
import { type EmitContext, notFitted, type PortSpec, type PortType } from "../nodes/node-type.ts";
import type { PipelineNode } from "./node.ts";
import { checkShape, checkValue } from "./ports.ts";
import { type Connection, into } from "./wiring.ts";

/** What the graph needs to know of a batch entry. */
export interface InputSpec {
  readonly type: PortType;
  readonly shape: readonly Dim[];
}

export interface EmitRequest {
  /** In order of execution. */
  readonly nodes: readonly PipelineNode[];
  readonly connections: readonly Connection[];
  readonly inputs: ReadonlyMap<string, InputSpec>;
  readonly stage: Stage;
  readonly training: boolean;
  readonly epoch: number;
  /** Emits these nodes' fit statistics instead of their outputs. */
  readonly fitting?: PipelineNode;
}

export interface Emitted {
  readonly graph: Graph;
  /** Values by "node.port", or by port for the statistics of a node to be fitted. */
  readonly outputs: ReadonlyMap<string, GraphValue>;
}

/** Letters whose sizes stay open in compiled models; all others are known when compiling. */
const OPEN = new Set(["B", "H", "W"]);

/**
 * The shapes that a graph is compiled for: sizes called B, H and W stay open. Sizes of one letter that differ between
 * inputs get names of their own.
 */
export function inputSpecs(
  batch: ReadonlyMap<string, Value>,
  ports: ReadonlyMap<string, PortSpec>,
): Map<string, InputSpec> {
  const bound = new Map<string, number>();
  const specs = new Map<string, InputSpec>();
  for (const [name, value] of batch) {
    const port = ports.get(name);
    if (!port) continue;
    const type: PortType = isTensor(value)
      ? value.numpy
        ? `np-${value.dtype}`
        : value.dtype
      : typeof value === "string"
        ? "text"
        : Array.isArray(value)
          ? "list"
          : "dict";
    if (!isTensor(value)) {
      specs.set(name, { type, shape: [] });
      continue;
    }
    const shape = value.shape.map((size, axis): Dim => {
      const letter = port.shape[axis];
      if (typeof letter !== "string" || !OPEN.has(letter)) return size;
      const other = bound.get(letter);
      if (other === undefined) bound.set(letter, size);
      return other === undefined || other === size ? letter : `${letter}_${name}`;
    });
    specs.set(name, { type, shape });
  }
  return specs;
}

const key = (node: PipelineNode, port: string): string => `${node.name}.${port}`;
export const stateKey = (node: string, state: string): string => `${node}/${state}`;

/** Emits `request.nodes`; every node sees connections first, then batch entries of its port names. */
export function emit(request: EmitRequest): Emitted {
  const graph = new Graph();
  const entries = new Map<string, GraphValue>();
  const outputs = new Map<string, GraphValue>();
  const included = new Set(request.nodes);
  const entry = (name: string): GraphValue | undefined => {
    const known = entries.get(name);
    if (known) return known;
    const spec = request.inputs.get(name);
    if (!spec) return undefined;
    const numpy = spec.type.startsWith("np-");
    const object = spec.type === "list" || spec.type === "dict" || spec.type === "text" || spec.type === "int";
    const dtype = object ? "object" : ((numpy ? spec.type.slice(3) : spec.type) as GraphValue["dtype"]);
    const made = graph.input(name, dtype, spec.shape, numpy);
    entries.set(name, made);
    return made;
  };
  const gather = (node: PipelineNode): Map<string, GraphValue[]> => {
    const given = new Map<string, GraphValue[]>();
    for (const port of node.type.inputs) {
      const edges = into(node, port, request.connections);
      const values = edges.flatMap(({ from, output }) => outputs.get(key(from, output)) ?? []);
      const fallback = edges.length === 0 ? entry(port.name) : undefined;
      if (fallback) values.push(fallback);
      if (values.length > 0) given.set(port.name, values);
      else if (!port.optional && !port.variadic) throw missing(node, [port.name]);
      if (!port.variadic) for (const value of values) checkShape(described(value, port), port, node.name);
    }
    return given;
  };

  for (const node of request.nodes) {
    const given = gather(node);
    const fitting = node === request.fitting;
    if (!fitting && node.needsFit && !node.fitted && !node.type.usableUnfitted) throw notFitted(node.name);
    const context = emitContext(graph, node, given, request);
    graph.within(node.name, () => {
      if (fitting) {
        const statistics = node.type.emitFit
          ? node.type.emitFit(context)
          : Object.fromEntries([...given].map(([port, values]) => [port, values[0] as GraphValue]));
        for (const [name, value] of Object.entries(statistics)) outputs.set(name, value);
        return;
      }
      const made = node.type.emit(context);
      for (const port of node.type.outputs) {
        const value = made[port.name];
        if (value) checkShape(described(value, port), port, node.name);
        else if (!port.optional) {
          throw new PipelineError("internal", `Node '${node.name}' gave no output '${port.name}'`, { node: node.name });
        }
      }
      for (const [port, value] of Object.entries(made)) outputs.set(key(node, port), value);
    });
  }
  if (request.fitting && !included.has(request.fitting)) throw new Error("the node to fit is not among the nodes");
  return { graph, outputs };
}

/** A graph value in the words of a port; objects are what the port says they are. */
function described(value: GraphValue, port: PortSpec): { type: PortType; shape: readonly Dim[] } {
  if (value.dtype === "object") return { type: port.type, shape: port.shape };
  return { type: value.numpy ? `np-${value.dtype}` : value.dtype, shape: value.shape };
}

export function missing(node: PipelineNode, ports: readonly string[]): PipelineError {
  const list = ports.map((port) => `'${port}'`).join(", ");
  return new PipelineError("missing-input", `Node '${node.name}' missing required inputs: [${list}]`, {
    node: node.name,
    port: ports[0],
  });
}

function emitContext(
  graph: Graph,
  node: PipelineNode,
  given: ReadonlyMap<string, readonly GraphValue[]>,
  { stage, training, epoch }: EmitRequest,
): EmitContext {
  return {
    g: graph,
    h: node.params,
    name: node.name,
    stage,
    training,
    epoch,
    in: (port) => {
      const value = given.get(port)?.[0];
      if (!value) throw missing(node, [port]);
      return value;
    },
    has: (port) => given.has(port),
    all: (port) => given.get(port) ?? [],
    state: (name) =>
      graph.state(stateKey(node.name, name), node.state(name), {
        volatile: node.spec(name).volatile ?? false,
        needsGradient: node.needsGradient(name),
      }),
    setState: (name, value) => graph.update(stateKey(node.name, name), value),
  };
}

/** Required inputs that neither a connection nor the batch gives. */
export function openRequired(
  node: PipelineNode,
  connections: readonly Connection[],
  batch: ReadonlySet<string>,
): string[] {
  return node.type.inputs
    .filter((port) => !port.optional && !port.variadic && !batch.has(port.name))
    .filter((port) => into(node, port, connections).length === 0)
    .map((port) => port.name);
}

/** Checks batch entries against every port that will take them. */
export function checkBatch(
  nodes: readonly PipelineNode[],
  connections: readonly Connection[],
  batch: ReadonlyMap<string, Value>,
): void {
  for (const node of nodes) {
    for (const port of node.type.inputs) {
      const value = batch.get(port.name);
      if (value === undefined || port.variadic || into(node, port, connections).length > 0) continue;
      checkValue(value, port, node.name);
    }
  }
}
