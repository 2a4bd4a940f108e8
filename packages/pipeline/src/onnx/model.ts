// Writes ONNX models: tensors, values, nodes and the model around them, in ONNX's own messages.
import { clone, create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../gen/onnx/onnx_pb.js";
import type { Shape } from "../graph/graph.ts";
import type { DType, Tensor } from "../graph/tensor.ts";

/** The operator set and model format that we write; any ONNX Runtime since 1.14 reads them. */
export const OPSET = 18;
export const IR_VERSION = 8;

const DATA_TYPES: Record<DType, DataType> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  int8: DataType.INT8,
  int16: DataType.INT16,
  int32: DataType.INT32,
  int64: DataType.INT64,
  uint8: DataType.UINT8,
  uint16: DataType.UINT16,
  uint32: DataType.UINT32,
  uint64: DataType.UINT64,
  bool: DataType.BOOL,
};

export const dataType = (dtype: DType): number => DATA_TYPES[dtype];

export type AttributeValue =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly graph: GraphProto };

function attribute(name: string, value: AttributeValue): AttributeProto {
  if ("int" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.int) });
  }
  if ("ints" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.ints.map(BigInt) });
  }
  if ("graph" in value) return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value.graph });
  return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
}

export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  name = "",
): NodeProto {
  return create(NodeProtoSchema, {
    opType,
    name,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
  });
}

/** An initializer; the bytes are those of the tensor (this code runs on little-endian machines only, as Node does). */
export function initializer(name: string, value: Tensor): TensorProto {
  const { buffer, byteOffset, byteLength } = value.data;
  return create(TensorProtoSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: DATA_TYPES[value.dtype],
    rawData: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength),
  });
}

/** A graph input or output; symbols become named dimensions. */
export function valueInfo(name: string, dtype: DType, shape: Shape): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: DATA_TYPES[dtype],
          shape: {
            dim: shape.map((size) => ({
              value:
                typeof size === "number"
                  ? ({ case: "dimValue", value: BigInt(size) } as const)
                  : ({ case: "dimParam", value: size.replace("?", "any") } as const),
            })),
          },
        },
      },
    },
  });
}

export interface GraphParts {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
}

const graphOf = ({ name, nodes, initializers, inputs, outputs }: GraphParts): GraphProto =>
  create(GraphProtoSchema, {
    name,
    node: [...nodes],
    initializer: [...initializers],
    input: [...inputs],
    output: [...outputs],
  });

/** What is called `name` in the loop body is called so outside, where all tiles lie one behind the other. */
export const tilesName = (name: string): string => `${name}_tiles`;

/**
 * A graph that does what `parts` does for each of T tiles: its inputs `tiled`, and all outputs, get T as their first
 * axis. Its other inputs are the same for every tile. The loop copies nothing: a tile is a part of what is given.
 */
export function overTiles(parts: GraphParts, tiled: ReadonlySet<string>): GraphParts {
  const given = parts.inputs.filter(({ name }) => tiled.has(name));
  const body = graphOf({ ...parts, inputs: given });
  const outside = (info: ValueInfoProto): ValueInfoProto => {
    const made = clone(ValueInfoProtoSchema, info);
    made.name = tilesName(info.name);
    if (made.type?.value.case === "tensorType") {
      made.type.value.value.shape?.dim.unshift(
        create(TensorShapeProto_DimensionSchema, { value: { case: "dimParam", value: "T" } }),
      );
    }
    return made;
  };
  const names = (infos: readonly ValueInfoProto[]): string[] => infos.map(({ name }) => tilesName(name));
  return {
    name: parts.name,
    nodes: [
      node("Scan", names(given), names(parts.outputs), {
        body: { graph: body },
        num_scan_inputs: { int: given.length },
      }),
    ],
    initializers: [],
    inputs: parts.inputs.map((info) => (tiled.has(info.name) ? outside(info) : info)),
    outputs: parts.outputs.map(outside),
  };
}

export interface ModelParts extends GraphParts {
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The bytes of an `.onnx` file. */
export function modelBytes(parts: ModelParts): Uint8Array<ArrayBuffer> {
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    producerName: "sortie",
    docString: parts.description ?? "",
    opsetImport: [{ domain: "", version: BigInt(OPSET) }],
    metadataProps: Object.entries(parts.metadata ?? {}).map(([key, value]) => ({ key, value })),
    graph: graphOf(parts),
  });
  return toBinary(ModelProtoSchema, model);
}
