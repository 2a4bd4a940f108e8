// Divides a graph into steps: compiled ONNX segments (pixel-wise ones apart, so that they can run in row tiles) and host
// steps between them.
import type { Graph, GraphValue, Op } from "../graph/graph.ts";
import { needed } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { lower } from "../onnx/lower.ts";
import type { MomentsNames } from "./messages.ts";
import { type CompiledModel, compiledModel } from "./model.ts";

export interface SegmentStep {
  readonly kind: "segment";
  readonly model: CompiledModel;
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** True if every image row can be computed by itself; the model then goes over tiles. */
  readonly rowWise: boolean;
  /** Outputs that are moments: those of tiles are merged. */
  readonly moments: readonly MomentsNames[];
  /** Pipeline nodes with operations in it. */
  readonly nodes: readonly string[];
}

export interface HostStepOfPlan {
  readonly kind: "host";
  readonly op: Op;
}

export type Step = SegmentStep | HostStepOfPlan;

export interface Plan {
  readonly graph: Graph;
  readonly steps: readonly Step[];
  readonly outputs: readonly GraphValue[];
}

export interface PlanRequest {
  readonly graph: Graph;
  readonly outputs: readonly GraphValue[];
  readonly states: ReadonlyMap<string, Tensor>;
  /** Every pipeline node by itself, so that it can be timed. */
  readonly unfused?: boolean;
  /** Keep pixel-wise operations in segments of their own. */
  readonly rowTiles?: boolean;
  readonly name: string;
}

/** Compiles what `outputs` need. */
export function plan(request: PlanRequest): Plan {
  const ops = needed(request.graph, request.outputs);
  const groups = request.unfused ? byNode(ops) : [ops];
  const slots = groups.flatMap((group) => partition(group, request.rowTiles ?? false));
  const used = new Set(request.outputs);
  for (const op of ops) {
    if (standsAlone(op)) for (const input of op.inputs) used.add(input);
  }
  const steps = slots.flatMap((slot): Step[] => {
    if (slot.kind === "host") return slot.ops.map(singleStep);
    return segment(slot, slots, used, request);
  });
  return { graph: request.graph, steps, outputs: request.outputs };
}

function byNode(ops: readonly Op[]): Op[][] {
  const groups: Op[][] = [];
  for (const op of ops) {
    const last = groups.at(-1);
    if (last?.[0]?.node === op.node) last.push(op);
    else groups.push([op]);
  }
  return groups;
}

type SlotKind = "host" | "rows" | "plain";
interface Slot {
  readonly kind: SlotKind;
  readonly ops: Op[];
}

const ORDER: readonly SlotKind[] = ["host", "rows", "plain"];

/** Host steps and foreign models are steps of their own. */
const standsAlone = ({ detail }: Op): boolean => detail.kind === "host" || detail.kind === "model";

function singleStep(op: Op): Step {
  if (op.detail.kind !== "model") return { kind: "host", op };
  const { bytes, inputNames, outputNames } = op.detail;
  const model = compiledModel(bytes);
  return {
    kind: "segment",
    model,
    inputs: op.inputs,
    outputs: op.outputs,
    inputNames,
    outputNames,
    rowWise: false,
    moments: [],
    nodes: [op.node],
  };
}

/** Whether an op brings data by itself instead of computing. */
export const isSource = ({ detail }: Op): boolean =>
  detail.kind === "input" || detail.kind === "state" || detail.kind === "constant";

/**
 * Gives every operation the earliest slot of its kind after what it needs; slots repeat host, row-wise, plain. Operations
 * of one slot depend only on earlier slots and each other.
 */
function partition(ops: readonly Op[], rowTiles: boolean): Slot[] {
  const times = new Map<Op, number>();
  const slots = new Map<number, Op[]>();
  for (const op of ops) {
    const kind: SlotKind = standsAlone(op) ? "host" : rowTiles && isRowWise(op) ? "rows" : "plain";
    if (isSource(op)) continue;
    const earliest = op.inputs.reduce((time, input) => Math.max(time, times.get(input.op) ?? 0), 0);
    let time = earliest;
    // Tiles of moments make a whole only at the end of their segment.
    if (op.inputs.some((input) => input.op.detail.kind === "moments" && times.get(input.op) === earliest)) time++;
    while (ORDER[time % 3] !== kind) time++;
    times.set(op, time);
    const slot = slots.get(time);
    if (slot) slot.push(op);
    else slots.set(time, [op]);
  }
  return [...slots.entries()]
    .sort(([a], [b]) => a - b)
    .map(([time, members]) => ({ kind: ORDER[time % 3] as SlotKind, ops: members }));
}

/** "rows": [B, H, ...], of which a row can be taken; "free": without images; "other": anything else. */
type Mark = "rows" | "free" | "other";

const isImage = (value: GraphValue): boolean => value.shape[0] === "B" && value.shape[1] === "H";
const isFree = (value: GraphValue): boolean =>
  !value.shape.some((size) => size === "B" || size === "H" || size === "W");
const markOf = (value: GraphValue): Mark => (isImage(value) ? "rows" : isFree(value) ? "free" : "other");

/** True if each row of images can be computed by itself. */
function isRowWise(op: Op): boolean {
  const inputs = op.inputs.map(markOf);
  if (inputs.includes("other")) return false;
  return inputs.includes("rows") ? isRowLocal(op, inputs) : op.detail.kind !== "moments";
}

function isRowLocal(op: Op, inputs: readonly Mark[]): boolean {
  const { detail } = op;
  if (detail.kind === "size") return detail.axis >= 2;
  // What tiles give is merged.
  if (detail.kind === "moments") return true;
  if (!op.outputs.every(isImage)) return false;
  switch (detail.kind) {
    case "reduce":
    case "squeeze":
    case "unsqueeze":
      return detail.axes.every((axis) => axis >= 2);
    case "softmax":
    case "slice":
    case "concat":
    case "argMax":
    case "argMin":
      return detail.axis >= 2;
    case "gather":
    case "topK":
      return detail.axis >= 2 && inputs[1] === "free";
    case "transpose":
      return detail.order[0] === 0 && detail.order[1] === 1;
    case "reshape":
      return detail.sizes[0] === 0 && detail.sizes[1] === 0;
    case "matmul":
      return inputs[0] === "rows" && (inputs[1] === "free" || (op.inputs[1] as GraphValue).shape.length >= 4);
    default:
      return true;
  }
}

function segment(
  slot: Slot,
  slots: readonly Slot[],
  used: ReadonlySet<GraphValue>,
  request: PlanRequest,
): SegmentStep[] {
  const members = new Set(slot.ops);
  const inputs = new Set<GraphValue>();
  const sources = new Set<Op>();
  for (const op of slot.ops) {
    for (const input of op.inputs) {
      if (members.has(input.op)) continue;
      const { detail } = input.op;
      if (detail.kind === "constant" || (detail.kind === "state" && !detail.volatile)) sources.add(input.op);
      else inputs.add(input);
    }
  }
  const elsewhere = new Set<GraphValue>();
  for (const other of slots) {
    if (other === slot) continue;
    for (const op of other.ops) for (const input of op.inputs) elsewhere.add(input);
  }
  const outputs = slot.ops.flatMap((op) => {
    const wanted = op.outputs.filter((value) => used.has(value) || elsewhere.has(value));
    // Moments of tiles can be merged only if all of them are there.
    return op.detail.kind === "moments" && wanted.length > 0 ? op.outputs : wanted;
  });
  if (outputs.length === 0) return [];
  const images = [...inputs].filter(isImage);
  const rowWise = slot.kind === "rows" && images.length > 0;
  const lowered = lower({
    name: request.name,
    ops: [...sources, ...slot.ops],
    inputs: [...inputs],
    outputs,
    states: request.states,
    ...(rowWise ? { tiled: new Set(images) } : {}),
  });
  return [
    {
      kind: "segment",
      model: compiledModel(lowered.model),
      inputs: [...inputs],
      outputs,
      inputNames: lowered.inputNames,
      outputNames: lowered.outputNames,
      rowWise,
      moments: slot.ops.flatMap((op) => momentsNames(op, outputs, lowered.outputNames)),
      nodes: [...new Set(slot.ops.map((op) => op.node))],
    },
  ];
}

function momentsNames(op: Op, outputs: readonly GraphValue[], names: readonly string[]): MomentsNames[] {
  const [count, mean, second] = op.outputs.map((value) => names[outputs.indexOf(value)]);
  if (op.detail.kind !== "moments" || !count || !mean || !second) return [];
  return [{ count, mean, second }];
}

/** Values [B, H, ...] of a row-wise segment, by name. */
export function imageNames(step: SegmentStep): { inputs: string[]; outputs: string[] } {
  const names = (values: readonly GraphValue[], all: readonly string[]): string[] =>
    all.filter((_, i) => isImage(values[i] as GraphValue));
  return { inputs: names(step.inputs, step.inputNames), outputs: names(step.outputs, step.outputNames) };
}
