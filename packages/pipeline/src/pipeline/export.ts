// Writes a pipeline as one ONNX model that any ONNX Runtime runs with the same answer.
import { PipelineError } from "../errors.ts";
import { type Dim, type GraphValue, needed, type Op } from "../graph/graph.ts";
import { type HostContext, hostStep, type Stage } from "../graph/host.ts";
import { isTensor, type Tensor, type Value } from "../graph/tensor.ts";
import { lower } from "../onnx/lower.ts";
import { emit, type InputSpec } from "./emit.ts";
import type { PipelineNode } from "./node.ts";
import { isDType } from "./ports.ts";
import { type Connection, into } from "./wiring.ts";

export interface ExportRequest {
  readonly stage?: Stage;
  /** "node.port" keys; absent = all tensor outputs. */
  readonly outputs?: readonly string[];
  /** Known sizes or dtypes of inputs: `{cube: {dtype: "uint16", shape: ["B", "H", "W", 61]}}`. */
  readonly inputs?: Readonly<Record<string, { readonly dtype?: string; readonly shape?: readonly Dim[] }>>;
  /** Inputs that are fixed in the model, such as wavelengths: host steps that need only these are computed now. */
  readonly constants?: Readonly<Record<string, Value>>;
}

interface ExportJob {
  readonly name: string;
  readonly nodes: readonly PipelineNode[];
  readonly connections: readonly Connection[];
  readonly states: ReadonlyMap<string, Tensor>;
  readonly request: ExportRequest & { readonly stage: Stage; readonly outputs: readonly string[] };
  readonly context: (node: string) => HostContext;
}

/** @throws PipelineError "unsupported" naming the host step that stands in the way */
export function exportModel({
  name,
  nodes,
  connections,
  states,
  request,
  context,
}: ExportJob): Uint8Array<ArrayBuffer> {
  const inputs = exportInputs(nodes, connections, request);
  const { graph, outputs } = emit({ nodes, connections, inputs, stage: request.stage, training: false, epoch: 0 });
  const wanted = [...outputs].filter(([key]) => request.outputs.includes(key));
  if (wanted.length === 0)
    throw new PipelineError("unsupported", "the pipeline has no output that an ONNX model can have");
  const constants = new Map(Object.entries(request.constants ?? {}));
  const ops = foldHostSteps(
    needed(
      graph,
      wanted.map(([, value]) => value),
    ),
    constants,
    states,
    context,
  );
  const free = ops.filter((op) => op.detail.kind === "input").map((op) => op.outputs[0] as GraphValue);
  const names = new Map<GraphValue, string>(free.map((value) => [value, inputName(value)]));
  return lower({
    name,
    ops,
    inputs: free,
    outputs: wanted.map(([, value]) => value),
    outputLabels: wanted.map(([key]) => key),
    states,
    names,
    description: `Pipeline ${name}, exported by Sortie; inputs and outputs are named like ports.`,
  }).model;
}

const inputName = (value: GraphValue): string =>
  value.op.detail.kind === "input" ? value.op.detail.name : String(value.id);

/** Open inputs with the sizes that are known; required ones must be tensors. */
function exportInputs(
  nodes: readonly PipelineNode[],
  connections: readonly Connection[],
  request: ExportRequest,
): Map<string, InputSpec> {
  const specs = new Map<string, InputSpec>();
  for (const node of nodes) {
    for (const port of node.type.inputs) {
      if (specs.has(port.name) || into(node, port, connections).length > 0) continue;
      const fixed = request.constants?.[port.name];
      if (isTensor(fixed)) {
        specs.set(port.name, { type: fixed.numpy ? `np-${fixed.dtype}` : fixed.dtype, shape: fixed.shape });
        continue;
      }
      const told = request.inputs?.[port.name];
      if ((port.optional || port.variadic) && !told) continue;
      const dtype = (told?.dtype ?? (port.type === "any" ? "float32" : port.type)) as InputSpec["type"];
      if (!isDType(dtype)) {
        throw new PipelineError(
          "unsupported",
          `Node '${node.name}', port '${port.name}': a ${port.type} value cannot be an input of an ONNX model`,
          { node: node.name, port: port.name },
        );
      }
      specs.set(port.name, { type: dtype, shape: told?.shape ?? port.shape });
    }
  }
  return specs;
}

/** Computes host steps that depend on constants and states alone; any other is refused. */
function foldHostSteps(
  ops: readonly Op[],
  constants: ReadonlyMap<string, Value>,
  states: ReadonlyMap<string, Tensor>,
  context: (node: string) => HostContext,
): Op[] {
  const known = new Map<GraphValue, Value>();
  const folded: Op[] = [];
  const asConstant = (value: GraphValue, tensor: Tensor): void => {
    folded.push({
      id: value.op.id,
      node: value.op.node,
      detail: { kind: "constant", tensor },
      inputs: [],
      outputs: [value],
    });
  };
  for (const op of ops) {
    const { detail } = op;
    const output = op.outputs[0] as GraphValue;
    if (detail.kind === "input" && constants.has(detail.name)) {
      const value = constants.get(detail.name) as Value;
      known.set(output, value);
      if (isTensor(value)) asConstant(output, value);
      continue;
    }
    if (detail.kind === "state") known.set(output, states.get(detail.key) as Tensor);
    if (detail.kind === "constant") known.set(output, detail.tensor);
    if (detail.kind === "model") {
      throw new PipelineError(
        "unsupported",
        `Node '${op.node}' is an ONNX model of its own, which is not merged on export`,
        {
          node: op.node,
        },
      );
    }
    if (detail.kind !== "host") {
      folded.push(op);
      continue;
    }
    const step = hostStep(detail.host);
    if (!step.pure || !op.inputs.every((input) => known.has(input))) {
      throw new PipelineError(
        "unsupported",
        `Node '${op.node}' needs a step that ONNX has no operator for (${detail.host}); its inputs may be fixed on export`,
        { node: op.node },
      );
    }
    const results = step.run(
      op.inputs.map((input) => known.get(input) as Value),
      detail.attrs,
      context(op.node),
    );
    if (results instanceof Promise) throw new Error(`host step ${detail.host} is not pure`);
    for (const [i, value] of op.outputs.entries()) {
      const result = results[i] as Value;
      known.set(value, result);
      if (isTensor(result)) asConstant(value, result);
    }
  }
  return folded;
}
