// What a node class is: ports, hyper-parameters, stages, stored tensors, statistical fit, and what it emits into the graph.
import { PipelineError } from "../errors.ts";
import type { Dim, Graph, GraphValue, Operand } from "../graph/graph.ts";
import type { Stage } from "../graph/host.ts";
import type { DType, Tensor, Value } from "../graph/tensor.ts";
import type { ParamSpecs, Params } from "./params.ts";

/** A dtype, "any" tensor, a numpy array of a dtype, or a language value. */
export type PortType = DType | "any" | `np-${DType}` | "list" | "text" | "dict" | "int";

export interface PortSpec {
  readonly name: string;
  readonly type: PortType;
  /** Letters stand for any size; equal letters of one node are equal sizes in its mathematics. */
  readonly shape: readonly Dim[];
  readonly optional?: boolean;
  readonly variadic?: boolean;
  readonly description?: string;
}

/** How a stored tensor behaves; all but "unstored" are written to weights files. */
export type StateKind =
  /** Becomes a parameter when the node is unfrozen. */
  | "trainable"
  /** Always a parameter: takes part in gradient training from the start. */
  | "parameter"
  | "buffer"
  | "unstored";

export interface StateSpec {
  readonly name: string;
  readonly kind: StateKind;
  /** The value of a fresh node; `random` is seeded by pipeline seed, node and state name. */
  readonly initial: (random: () => number) => Tensor;
  /** True if the node changes it by running (running averages, frame counters). */
  readonly volatile?: boolean;
  /** True if weights of any shape are taken: what a file holds decides. */
  readonly anyShape?: boolean;
}

/** Collects statistics over a stream of batches. */
export interface Fitter {
  update(inputs: Readonly<Record<string, Value>>): void | Promise<void>;
  /** The states to store, by name. */
  finish(): Record<string, Tensor>;
}

/** What `emit` may use. */
export interface EmitContext {
  readonly g: Graph;
  readonly h: Params;
  /** Full name of the pipeline node. */
  readonly name: string;
  readonly stage: Stage;
  /** False in evaluation mode. */
  readonly training: boolean;
  readonly epoch: number;
  /** The value at a port. @throws if the port has none */
  in(port: string): GraphValue;
  has(port: string): boolean;
  /** The values at a variadic port. */
  all(port: string): readonly GraphValue[];
  state(name: string): GraphValue;
  /** Stores a value back after the run. */
  setState(name: string, value: GraphValue): void;
}

export type Role = "source" | "transform" | "model" | "metric" | "sink" | "loss" | "regularizer" | "visualizer";

export interface NodeType {
  /** As pipeline files name it. */
  readonly className: string;
  readonly role: Role;
  /** One line for lists of node classes. */
  readonly summary: string;
  readonly params: ParamSpecs;
  readonly inputs: readonly PortSpec[];
  readonly outputs: readonly PortSpec[];
  /** Stages it runs in; absent = every stage. */
  readonly stages?: readonly Stage[];
  /** True if it acts by running (writes files): it runs whatever outputs are wanted. */
  readonly effects?: boolean;
  /** True where `execution_stages` may not be given. */
  readonly fixedStages?: boolean;
  /** Rules beyond the bounds of single hyper-parameters. */
  validate?(h: Params, node: string): void;
  states?(h: Params): readonly StateSpec[];
  /** Whether statistics must be gathered; absent = never. */
  needsFit?(h: Params): boolean;
  /** True if the node works before it is fitted. */
  readonly usableUnfitted?: boolean;
  /** Starts a fit; `current` gives the states as they are, for those that accumulate. */
  fit?(h: Params, node: string, current: (state: string) => Tensor): Fitter;
  /** What the fitter is to be given instead of the node's inputs. */
  emitFit?(context: EmitContext): Record<string, GraphValue>;
  emit(context: EmitContext): Record<string, GraphValue>;
}

/** Declares a node class. */
export const defineNode = (type: NodeType): NodeType => type;

/** A port of one tensor. */
export function port(name: string, type: PortType, shape: readonly Dim[], rest: Partial<PortSpec> = {}): PortSpec {
  return { name, type, shape, ...rest };
}
export const optional = (name: string, type: PortType, shape: readonly Dim[]): PortSpec =>
  port(name, type, shape, { optional: true });

export const CUBE: readonly Dim[] = ["B", "H", "W", "C"];
export const PIXELS: readonly Dim[] = ["B", "H", "W", 1];
export const IMAGE: readonly Dim[] = ["B", "H", "W", 3];
export const FRAME: readonly Dim[] = ["B", "H", "W"];

export const LOSS_STAGES: readonly Stage[] = ["train", "val", "test"];
export const METRIC_STAGES: readonly Stage[] = ["val", "test"];
export const VIEW_STAGES: readonly Stage[] = ["val", "test", "inference"];

/** A mapping that travels as an object value. */
export type Metric = { readonly name: string; readonly value: number };

export function notFitted(node: string): PipelineError {
  return new PipelineError("not-fitted", `Node '${node}' is not fitted: run a statistical training or load weights`, {
    node,
  });
}

/** log(1 + e^x) without overflow. */
export function softplus(g: Graph, x: GraphValue): GraphValue {
  return g.add(g.relu(x), g.log(g.add(g.exp(g.neg(g.abs(x))), 1)));
}

/** x limited below by a number. */
export const atLeast = (g: Graph, x: GraphValue, low: Operand): GraphValue => g.max(x, low);

/** Euclidean length along the last axis, kept as an axis of size 1. */
export const norm = (g: Graph, x: GraphValue): GraphValue => g.sqrt(g.sum(g.square(x), [-1], true));

/** All axes but the last, flattened into one row per pixel. */
export const lastAxisRows = (g: Graph, x: GraphValue, channels: number): GraphValue => g.reshape(x, [-1, channels]);
