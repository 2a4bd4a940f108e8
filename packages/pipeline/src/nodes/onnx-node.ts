// Nodes that people bring along as ONNX models: a class name, a model, and ports that the model's inputs and outputs have.
import { fromBinary } from "@bufbuild/protobuf";
import { PipelineError } from "../errors.ts";
import { ModelProtoSchema, type ValueInfoProto } from "../gen/onnx/onnx_pb.js";
import type { DType } from "../graph/tensor.ts";
import { DTYPES } from "../graph/tensor.ts";
import { dataType } from "../onnx/model.ts";
import { defineNode, type NodeType, type PortSpec } from "./node-type.ts";

export interface OnnxNode {
  /** Dotted, as pipelines name it. */
  readonly className: string;
  readonly summary?: string;
  /** The bytes of an `.onnx` file without external data. */
  readonly model: Uint8Array<ArrayBuffer>;
  /** Ports are named like the model's inputs and outputs, and carry tensors. */
  readonly inputs: readonly PortSpec[];
  readonly outputs: readonly PortSpec[];
}

/**
 * A node class that runs the model.
 * @throws PipelineError if the bytes are no model, or a port is not the model's
 */
export function onnxNode({ className, summary, model, inputs, outputs }: OnnxNode): NodeType {
  const graph = readGraph(model, className);
  const initialized = new Set(graph.initializer.map(({ name }) => name));
  checkPorts(inputs, graph.input, `${className}: the model's inputs`);
  checkPorts(outputs, graph.output, `${className}: the model's outputs`);
  const unfed = graph.input.find(({ name }) => !initialized.has(name) && !inputs.some((port) => port.name === name));
  if (unfed) throw refuse(`${className}: the model's input '${unfed.name}' is no declared port`);
  return defineNode({
    className,
    role: "model",
    summary: summary ?? "An ONNX model.",
    params: {},
    inputs,
    outputs,
    emit({ g, in: input, has }) {
      const given = inputs.filter((port) => has(port.name)).map((port) => [port.name, input(port.name)] as const);
      const sizes = new Map(given.flatMap(([name, value]) => lettersOf(inputs, name, value.shape)));
      const declared = outputs.map((port) => {
        const shape = port.shape.map((size) => (typeof size === "string" ? (sizes.get(size) ?? g.freshDim()) : size));
        return [
          port.name,
          { dtype: port.type as DType, shape: shape.map((size) => (size === -1 ? g.freshDim() : size)) },
        ] as const;
      });
      const values = g.model(model, new Map(given), new Map(declared));
      return Object.fromEntries(outputs.map((port, i) => [port.name, values[i] as (typeof values)[number]]));
    },
  });
}

/** What the letters of a port's shape stand for. */
function lettersOf(
  ports: readonly PortSpec[],
  name: string,
  shape: readonly (number | string)[],
): [string, number | string][] {
  const port = ports.find((each) => each.name === name);
  return shape.flatMap((size, axis): [string, number | string][] => {
    const letter = port?.shape[axis];
    return typeof letter === "string" ? [[letter, size]] : [];
  });
}

const refuse = (text: string): PipelineError => new PipelineError("invalid-value", text);

function readGraph(model: Uint8Array, className: string) {
  try {
    const { graph } = fromBinary(ModelProtoSchema, model, { readUnknownFields: false });
    if (graph && graph.output.length > 0) return graph;
  } catch (error) {
    throw new PipelineError("invalid-value", `${className}: the file is no ONNX model`, { cause: error });
  }
  throw refuse(`${className}: the file is no ONNX model`);
}

function checkPorts(ports: readonly PortSpec[], values: readonly ValueInfoProto[], where: string): void {
  for (const port of ports) {
    const found = values.find(({ name }) => name === port.name);
    if (!found) {
      throw refuse(
        `${where} have no '${port.name}' among ${values.map(({ name }) => `'${name}'`).join(", ") || "none"}`,
      );
    }
    if (!(DTYPES as readonly string[]).includes(port.type))
      throw refuse(`${where}: port '${port.name}' must have a dtype, not ${port.type}`);
    const type = found.type?.value.case === "tensorType" ? found.type.value.value : undefined;
    if (!type) throw refuse(`${where}: '${port.name}' is no tensor`);
    if (type.elemType !== dataType(port.type as DType)) {
      const real = DTYPES.find((dtype) => dataType(dtype) === type.elemType) ?? `type ${type.elemType}`;
      throw refuse(`${where}: '${port.name}' is ${real}, the port is declared ${port.type}`);
    }
    if (type.shape && type.shape.dim.length !== port.shape.length) {
      throw refuse(
        `${where}: '${port.name}' has ${type.shape.dim.length} dimensions, the port is declared with ${port.shape.length}`,
      );
    }
  }
}
