// Lowers operations of the typed graph to one ONNX model: state and constants become initializers, or inputs where asked.
import type { NodeProto, TensorProto, ValueInfoProto } from "../gen/onnx/onnx_pb.js";
import type { GraphValue, Op, OpKind } from "../graph/graph.ts";
import { type DType, scalar, type Tensor, tensor } from "../graph/tensor.ts";
import {
  type AttributeValue,
  dataType,
  type GraphParts,
  initializer,
  modelBytes,
  node,
  overTiles,
  tilesName,
  valueInfo,
} from "./model.ts";

/** Operators of the same meaning and inputs in both graphs. */
const DIRECT: Partial<Record<OpKind, string>> = {
  neg: "Neg",
  abs: "Abs",
  sign: "Sign",
  sqrt: "Sqrt",
  exp: "Exp",
  log: "Log",
  sigmoid: "Sigmoid",
  tanh: "Tanh",
  relu: "Relu",
  floor: "Floor",
  ceil: "Ceil",
  round: "Round",
  cos: "Cos",
  sin: "Sin",
  acos: "Acos",
  not: "Not",
  isNaN: "IsNaN",
  add: "Add",
  sub: "Sub",
  mul: "Mul",
  div: "Div",
  pow: "Pow",
  min: "Min",
  max: "Max",
  mod: "Mod",
  equal: "Equal",
  less: "Less",
  lessOrEqual: "LessOrEqual",
  greater: "Greater",
  greaterOrEqual: "GreaterOrEqual",
  and: "And",
  or: "Or",
  where: "Where",
  matmul: "MatMul",
};

const REDUCTIONS = { sum: "ReduceSum", mean: "ReduceMean", max: "ReduceMax", min: "ReduceMin" } as const;

export interface LowerRequest {
  readonly name: string;
  readonly ops: readonly Op[];
  /** Values that come from outside, in order. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Values of the states that become initializers. */
  readonly states: ReadonlyMap<string, Tensor>;
  /** Names of inputs and outputs; others get names of their own. */
  readonly names?: ReadonlyMap<GraphValue, string>;
  /** Names that the outputs must have, by place; one value may be several outputs. */
  readonly outputLabels?: readonly string[];
  /** The inputs of which a tile is taken at a time; these and all outputs get the number of tiles as their first axis. */
  readonly tiled?: ReadonlySet<GraphValue>;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Lowered {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

/** Writes a model of `ops`; every input of an op is given, made by another op, a constant or a state. */
export function lower(request: LowerRequest): Lowered {
  const nodes: NodeProto[] = [];
  const initializers = new Map<string, TensorProto>();
  const given = new Set(request.inputs);
  const names = new Map<GraphValue, string>(request.names);
  const nameOf = (value: GraphValue): string => {
    const known = names.get(value);
    if (known !== undefined) return known;
    const name = `v${value.id}`;
    names.set(value, name);
    return name;
  };
  const constant = (name: string, value: Tensor): string => {
    if (!initializers.has(name)) initializers.set(name, initializer(name, value));
    return name;
  };
  const list = (values: readonly number[]): string =>
    constant(`ints_${values.join("_").replaceAll("-", "m")}`, tensor("int64", [values.length], values));
  const emit = (
    opType: string,
    op: Op,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): void => {
    nodes.push(node(opType, inputs, op.outputs.map(nameOf), attributes, `${op.node || "pipeline"}/${op.id}`));
  };

  for (const op of request.ops) {
    const detail = op.detail;
    const inputs = (): string[] => op.inputs.map(nameOf);
    const first = (): string => nameOf(op.inputs[0] as GraphValue);
    const output = op.outputs[0] as GraphValue;
    switch (detail.kind) {
      case "input":
        break;
      case "state": {
        if (given.has(output)) break;
        const value = request.states.get(detail.key);
        if (!value) throw new Error(`state ${detail.key} is not known`);
        constant(nameOf(output), value);
        break;
      }
      case "constant":
        constant(nameOf(output), detail.tensor);
        break;
      case "host":
        throw new Error(`host step ${detail.host} cannot be part of a compiled segment`);
      case "model":
        throw new Error("a foreign ONNX model cannot be part of a compiled segment");
      case "cast":
        emit("Cast", op, inputs(), { to: { int: dataType(detail.to) } });
        break;
      case "leakyRelu":
        emit("LeakyRelu", op, inputs(), { alpha: { float: detail.slope } });
        break;
      case "reduce":
        emit(REDUCTIONS[detail.how], op, [first(), list(detail.axes)], {
          keepdims: { int: detail.keepDims ? 1 : 0 },
          noop_with_empty_axes: { int: 1 },
        });
        break;
      case "moments": {
        const [count, mean, second] = op.outputs.map(nameOf) as [string, string, string];
        const inner = (part: string): string => `${second}_${part}`;
        const float64 = { to: { int: dataType("float64") } };
        const x = op.inputs[0] as GraphValue;
        nodes.push(
          node("Flatten", [first()], [inner("rows")], { axis: { int: x.shape.length - 1 } }),
          node("Shape", [inner("rows")], [inner("count")], { start: { int: 0 }, end: { int: 1 } }),
          node("Squeeze", [inner("count")], [inner("scalar")]),
          node("Cast", [inner("scalar")], [count], float64),
          node("Cast", [inner("rows")], [inner("wide")], float64),
          node("ReduceMean", [inner("wide"), list([0])], [mean], { keepdims: { int: 0 } }),
          node("Sub", [inner("wide"), mean], [inner("deviations")]),
          // Reads the deviations transposed while multiplying, without a transposed copy of them.
          node("Gemm", [inner("deviations"), inner("deviations")], [second], { transA: { int: 1 } }),
        );
        break;
      }
      case "transpose":
        emit("Transpose", op, inputs(), { perm: { ints: detail.order } });
        break;
      case "reshape":
        emit("Reshape", op, [first(), list(detail.sizes)]);
        break;
      case "squeeze":
        emit("Squeeze", op, [first(), list(detail.axes)]);
        break;
      case "unsqueeze":
        emit("Unsqueeze", op, [first(), list(detail.axes)]);
        break;
      case "concat":
        emit("Concat", op, inputs(), { axis: { int: detail.axis } });
        break;
      case "gather":
        emit("Gather", op, inputs(), { axis: { int: detail.axis } });
        break;
      case "slice":
        emit("Slice", op, [
          first(),
          list([detail.start]),
          list([detail.end]),
          list([detail.axis]),
          list([detail.step]),
        ]);
        break;
      case "softmax":
        emit("Softmax", op, inputs(), { axis: { int: detail.axis } });
        break;
      case "argMax":
      case "argMin":
        emit(detail.kind === "argMax" ? "ArgMax" : "ArgMin", op, inputs(), {
          axis: { int: detail.axis },
          keepdims: { int: detail.keepDims ? 1 : 0 },
        });
        break;
      case "topK": {
        const count = `${nameOf(output)}_k`;
        nodes.push(node("Unsqueeze", [nameOf(op.inputs[1] as GraphValue), list([0])], [count]));
        emit("TopK", op, [first(), count], {
          axis: { int: detail.axis },
          largest: { int: detail.largest ? 1 : 0 },
          sorted: { int: 1 },
        });
        break;
      }
      case "size": {
        const shape = `${nameOf(output)}_shape`;
        nodes.push(node("Shape", [first()], [shape]));
        emit("Gather", op, [shape, constant(`axis_${detail.axis}`, scalar("int64", detail.axis))], {
          axis: { int: 0 },
        });
        break;
      }
      default:
        emit(DIRECT[detail.kind] as string, op, inputs());
    }
  }

  // A model may not hand an input or a constant straight to an output.
  const made = new Set(nodes.flatMap((each) => each.output));
  const outputNames = request.outputs.map((value, index) => {
    const name = nameOf(value);
    const label = request.outputLabels?.[index];
    if (made.has(name) && (label ?? name) === name) return name;
    const copy = label ?? `${name}_out${index}`;
    nodes.push(node("Identity", [name], [copy]));
    return copy;
  });
  const info = (value: GraphValue, name: string): ValueInfoProto => valueInfo(name, value.dtype as DType, value.shape);
  const read = new Set(nodes.flatMap((each) => each.input));
  const parts: GraphParts = {
    name: request.name,
    nodes,
    initializers: [...initializers].filter(([name]) => read.has(name)).map(([, value]) => value),
    inputs: request.inputs.map((value) => info(value, nameOf(value))),
    outputs: request.outputs.map((value, index) => info(value, outputNames[index] as string)),
  };
  const { tiled } = request;
  const model = modelBytes({
    ...(tiled ? overTiles(parts, new Set([...tiled].map(nameOf))) : parts),
    ...(request.description === undefined ? {} : { description: request.description }),
    ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
  });
  return {
    model,
    inputNames: request.inputs.map((value) => (tiled?.has(value) ? tilesName(nameOf(value)) : nameOf(value))),
    outputNames: tiled ? outputNames.map(tilesName) : outputNames,
  };
}
