// Data nodes: they take what a batch holds and hand it on in the types that the other nodes expect.
import { invalidValue } from "../errors.ts";
import type { Graph, GraphValue } from "../graph/graph.ts";
import { defineHostStep } from "../graph/host.ts";
import { isTensor, tensor } from "../graph/tensor.ts";
import { CUBE, defineNode, FRAME, optional, PIXELS, port } from "./node-type.ts";
import { list, type Params } from "./params.ts";

/** First row of [B, C] wavelengths as a numpy array [C]. */
const FIRST_ROW = defineHostStep("data.firstRow", {
  pure: true,
  run: ([rows]) => {
    if (!isTensor(rows)) throw invalidValue("wavelengths must be a tensor");
    const width = rows.shape[1] as number;
    if (rows.shape[0] === 0) throw invalidValue("wavelengths have no rows: the first one is used");
    return [tensor("int32", [width], (rows.data as Int32Array).slice(0, width), true)];
  },
});

function firstRow(g: Graph, wavelengths: GraphValue): GraphValue {
  const shape = [wavelengths.shape[1] as number];
  return g.host(FIRST_ROW, [wavelengths], [{ dtype: "int32", shape, numpy: true }])[0] as GraphValue;
}

/** Class ids that are anomalies: listed ones, or all that are not normal. */
function anomalies(g: Graph, mask: GraphValue, h: Params): GraphValue {
  const member = (ids: readonly number[]): GraphValue =>
    ids.map((id) => g.equal(mask, id)).reduce((a, b) => g.or(a, b), g.less(mask, mask));
  const anomalous = h.numsOrNull("anomaly_class_ids");
  return anomalous === null ? g.not(member(h.nums("normal_class_ids"))) : member(anomalous);
}

function disjointClasses(h: Params, node: string): void {
  const normal = new Set(h.nums("normal_class_ids"));
  const both = (h.numsOrNull("anomaly_class_ids") ?? []).filter((id) => normal.has(id));
  if (both.length > 0) {
    throw invalidValue(`Node '${node}': class ids ${both.join(", ")} are normal and anomalous at once`, { node });
  }
}

const CLASSES = { normal_class_ids: list(), anomaly_class_ids: list({ default: null }) };

const INPUTS = [
  port("cube", "any", CUBE),
  port("wavelengths", "int32", ["B", "C"]),
  optional("mask", "int32", FRAME),
  optional("mesu_index", "int64", ["B"]),
];

export const dataNodes = [
  defineNode({
    className: "cuvis_ai.node.data.LentilsAnomalyDataNode",
    role: "source",
    summary: "Casts the cube to float32 and maps class ids to anomaly or normal.",
    params: CLASSES,
    inputs: INPUTS,
    outputs: [
      port("cube", "float32", CUBE),
      optional("wavelengths", "np-int32", ["C"]),
      optional("mask", "bool", PIXELS),
      optional("mesu_index", "int64", ["B"]),
    ],
    validate: disjointClasses,
    emit({ g, h, in: input, has }) {
      const outputs: Record<string, GraphValue> = {
        cube: g.cast(input("cube"), "float32"),
        wavelengths: firstRow(g, input("wavelengths")),
      };
      if (has("mask")) outputs["mask"] = g.unsqueeze(anomalies(g, input("mask"), h), [-1]);
      if (has("mesu_index")) outputs["mesu_index"] = input("mesu_index");
      return outputs;
    },
  }),
  defineNode({
    className: "cuvis_ai.node.data.CU3SDataNode",
    role: "source",
    summary: "Casts the cube to float32 and hands labels on unchanged.",
    params: {},
    inputs: INPUTS,
    outputs: [
      port("cube", "float32", CUBE),
      optional("wavelengths", "np-int32", ["C"]),
      optional("mask", "int32", FRAME),
      optional("mesu_index", "int64", ["B"]),
    ],
    emit({ g, in: input, has }) {
      const outputs: Record<string, GraphValue> = {
        cube: g.cast(input("cube"), "float32"),
        wavelengths: firstRow(g, input("wavelengths")),
      };
      for (const name of ["mask", "mesu_index"]) if (has(name)) outputs[name] = input(name);
      return outputs;
    },
  }),
  defineNode({
    className: "cuvis_ai.node.labels.BinaryAnomalyLabelMapper",
    role: "transform",
    summary: "Maps class ids to anomaly (true) or normal (false).",
    params: CLASSES,
    inputs: [port("cube", "float32", CUBE), port("mask", "int32", PIXELS)],
    outputs: [port("cube", "float32", CUBE), port("mask", "bool", PIXELS)],
    validate: disjointClasses,
    emit: ({ g, h, in: input }) => ({ cube: input("cube"), mask: anomalies(g, input("mask"), h) }),
  }),
];
