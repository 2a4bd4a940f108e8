// The typed graph that nodes emit into: values with dtype and symbolic shape, operations, edges, and which values need
// gradients. Shapes are inferred while building, so a fault names the node that made it.
import { PipelineError } from "../errors.ts";
import { type DType, formatShape, isFloat, isTensor, scalar, type Tensor, tensor, type Value } from "./tensor.ts";

/** A size: known, or a symbol ("B", "H", …) that stands for the same number everywhere. */
export type Dim = number | string;
export type Shape = readonly Dim[];
/** "object" values (texts, lists, mappings) travel only between host steps and outputs. */
export type ValueType = DType | "object";

export type UnaryKind =
  | "neg"
  | "abs"
  | "sign"
  | "sqrt"
  | "exp"
  | "log"
  | "sigmoid"
  | "tanh"
  | "relu"
  | "floor"
  | "ceil"
  | "round"
  | "cos"
  | "sin"
  | "acos"
  | "not"
  | "isNaN";
export type ArithmeticKind = "add" | "sub" | "mul" | "div" | "pow" | "min" | "max" | "mod";
export type ComparisonKind = "equal" | "less" | "lessOrEqual" | "greater" | "greaterOrEqual";
export type LogicKind = "and" | "or";
export type BinaryKind = ArithmeticKind | ComparisonKind | LogicKind;
export type ReduceKind = "sum" | "mean" | "max" | "min";

/** Everything an operation needs beside its inputs. */
export type OpDetail =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "state"; readonly key: string; readonly volatile: boolean }
  | { readonly kind: "constant"; readonly tensor: Tensor }
  | { readonly kind: UnaryKind }
  | { readonly kind: BinaryKind }
  | { readonly kind: "leakyRelu"; readonly slope: number }
  | { readonly kind: "where" }
  | { readonly kind: "cast"; readonly to: DType }
  | { readonly kind: "reduce"; readonly how: ReduceKind; readonly axes: readonly number[]; readonly keepDims: boolean }
  | { readonly kind: "matmul" }
  /** Of the vectors along the last axis, in float64: their count [], mean [C], sum of products of deviations [C, C]. */
  | { readonly kind: "moments" }
  | { readonly kind: "transpose"; readonly order: readonly number[] }
  /** 0 keeps the input's size at that place, -1 takes what is left. */
  | { readonly kind: "reshape"; readonly sizes: readonly number[] }
  | { readonly kind: "squeeze" | "unsqueeze"; readonly axes: readonly number[] }
  | { readonly kind: "concat"; readonly axis: number }
  | { readonly kind: "gather"; readonly axis: number }
  | {
      readonly kind: "slice";
      readonly axis: number;
      readonly start: number;
      readonly end: number;
      readonly step: number;
    }
  | { readonly kind: "softmax"; readonly axis: number }
  | { readonly kind: "argMax" | "argMin"; readonly axis: number; readonly keepDims: boolean }
  | { readonly kind: "topK"; readonly axis: number; readonly largest: boolean }
  | { readonly kind: "size"; readonly axis: number }
  | { readonly kind: "host"; readonly host: string; readonly attrs: HostAttributes }
  /** A whole ONNX model that somebody else made. */
  | {
      readonly kind: "model";
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly inputNames: readonly string[];
      readonly outputNames: readonly string[];
    };

/** Plain data, so that a graph can be written down. */
export type HostAttributes = Readonly<Record<string, unknown>>;
export type OpKind = OpDetail["kind"];

export interface GraphValue {
  readonly id: number;
  readonly dtype: ValueType;
  readonly shape: Shape;
  readonly needsGradient: boolean;
  /** Carried by arrays that ports of a numpy type accept. */
  readonly numpy: boolean;
  readonly op: Op;
}

export interface Op {
  readonly id: number;
  /** Full name of the pipeline node that emitted it; "" for the pipeline's own inputs. */
  readonly node: string;
  readonly detail: OpDetail;
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
}

export type Operand = GraphValue | number;

/** What a host step gives: a tensor of this type, or an object. */
export interface HostOutput {
  readonly dtype: ValueType;
  readonly shape?: Shape;
  readonly numpy?: boolean;
}

const COMPARISONS: ReadonlySet<string> = new Set(["equal", "less", "lessOrEqual", "greater", "greaterOrEqual"]);
const LOGIC: ReadonlySet<string> = new Set(["and", "or"]);

/** A graph under construction. Values are made by its methods and belong to it. */
export class Graph {
  readonly ops: Op[] = [];
  /** State written back after a run: key → value. */
  readonly updates = new Map<string, GraphValue>();
  #values = 0;
  #symbols = 0;
  #node = "";
  readonly #states = new Map<string, GraphValue>();

  /** Operations made inside `build` belong to pipeline node `node`. */
  within<T>(node: string, build: () => T): T {
    const before = this.#node;
    this.#node = node;
    try {
      return build();
    } finally {
      this.#node = before;
    }
  }

  /** A symbol that nothing else uses. */
  freshDim(): string {
    return `?${this.#symbols++}`;
  }

  input(name: string, dtype: ValueType, shape: Shape, numpy = false): GraphValue {
    return this.#one({ kind: "input", name }, [], dtype, shape, { numpy });
  }

  /**
   * A node's stored tensor. Volatile state changes by being used and is therefore fed to every run; other state is
   * written into the compiled model.
   */
  state(key: string, value: Tensor, options: { volatile?: boolean; needsGradient?: boolean } = {}): GraphValue {
    const known = this.#states.get(key);
    if (known) return known;
    const made = this.#one({ kind: "state", key, volatile: options.volatile ?? false }, [], value.dtype, value.shape, {
      needsGradient: options.needsGradient ?? false,
    });
    this.#states.set(key, made);
    return made;
  }

  update(key: string, value: GraphValue): void {
    this.updates.set(key, value);
  }

  constant(value: Tensor): GraphValue {
    return this.#one({ kind: "constant", tensor: value }, [], value.dtype, value.shape);
  }

  /** A list of numbers as a constant of one dimension. */
  list(dtype: DType, values: readonly number[]): GraphValue {
    return this.constant(tensor(dtype, [values.length], values));
  }

  #constantLike(value: number, like: GraphValue): GraphValue {
    return this.constant(scalar(like.dtype as DType, value));
  }

  unary(kind: UnaryKind, x: GraphValue): GraphValue {
    const boolean = kind === "not";
    this.#expect(boolean ? x.dtype === "bool" : x.dtype !== "bool" && x.dtype !== "object", kind, [x]);
    return this.#one({ kind }, [x], kind === "isNaN" ? "bool" : x.dtype, x.shape);
  }

  neg = (x: GraphValue): GraphValue => this.unary("neg", x);
  abs = (x: GraphValue): GraphValue => this.unary("abs", x);
  sqrt = (x: GraphValue): GraphValue => this.unary("sqrt", x);
  exp = (x: GraphValue): GraphValue => this.unary("exp", x);
  log = (x: GraphValue): GraphValue => this.unary("log", x);
  sigmoid = (x: GraphValue): GraphValue => this.unary("sigmoid", x);
  relu = (x: GraphValue): GraphValue => this.unary("relu", x);
  floor = (x: GraphValue): GraphValue => this.unary("floor", x);
  not = (x: GraphValue): GraphValue => this.unary("not", x);
  isNaN = (x: GraphValue): GraphValue => this.unary("isNaN", x);
  square = (x: GraphValue): GraphValue => this.mul(x, x);

  leakyRelu(x: GraphValue, slope: number): GraphValue {
    return this.#one({ kind: "leakyRelu", slope }, [x], x.dtype, x.shape);
  }

  binary(kind: BinaryKind, left: Operand, right: Operand): GraphValue {
    if (typeof left === "number" && typeof right === "number") throw new TypeError(`${kind} of two numbers`);
    const a = typeof left === "number" ? this.#constantLike(left, right as GraphValue) : left;
    const b = typeof right === "number" ? this.#constantLike(right, a) : right;
    this.#expect(a.dtype === b.dtype && a.dtype !== "object", kind, [a, b]);
    if (LOGIC.has(kind)) this.#expect(a.dtype === "bool", kind, [a, b]);
    else if (kind !== "equal") this.#expect(a.dtype !== "bool", kind, [a, b]);
    return this.#one({ kind }, [a, b], COMPARISONS.has(kind) ? "bool" : a.dtype, this.#broadcast(kind, a, b));
  }

  add = (a: Operand, b: Operand): GraphValue => this.binary("add", a, b);
  sub = (a: Operand, b: Operand): GraphValue => this.binary("sub", a, b);
  mul = (a: Operand, b: Operand): GraphValue => this.binary("mul", a, b);
  div = (a: Operand, b: Operand): GraphValue => this.binary("div", a, b);
  pow = (a: Operand, b: Operand): GraphValue => this.binary("pow", a, b);
  min = (a: Operand, b: Operand): GraphValue => this.binary("min", a, b);
  max = (a: Operand, b: Operand): GraphValue => this.binary("max", a, b);
  mod = (a: Operand, b: Operand): GraphValue => this.binary("mod", a, b);
  equal = (a: Operand, b: Operand): GraphValue => this.binary("equal", a, b);
  less = (a: Operand, b: Operand): GraphValue => this.binary("less", a, b);
  lessOrEqual = (a: Operand, b: Operand): GraphValue => this.binary("lessOrEqual", a, b);
  greater = (a: Operand, b: Operand): GraphValue => this.binary("greater", a, b);
  greaterOrEqual = (a: Operand, b: Operand): GraphValue => this.binary("greaterOrEqual", a, b);
  and = (a: GraphValue, b: GraphValue): GraphValue => this.binary("and", a, b);
  or = (a: GraphValue, b: GraphValue): GraphValue => this.binary("or", a, b);
  clamp = (x: GraphValue, low: number, high: number): GraphValue => this.min(this.max(x, low), high);

  where(condition: GraphValue, yes: Operand, no: Operand): GraphValue {
    const typed = (typeof yes === "number" ? no : yes) as GraphValue;
    const a = typeof yes === "number" ? this.#constantLike(yes, typed) : yes;
    const b = typeof no === "number" ? this.#constantLike(no, typed) : no;
    this.#expect(condition.dtype === "bool" && a.dtype === b.dtype, "where", [condition, a, b]);
    const shape = this.#merge("where", this.#merge("where", a.shape, b.shape), condition.shape);
    return this.#one({ kind: "where" }, [condition, a, b], a.dtype, shape);
  }

  cast(x: GraphValue, to: DType): GraphValue {
    if (x.dtype === to) return x;
    this.#expect(x.dtype !== "object", "cast", [x]);
    return this.#one({ kind: "cast", to }, [x], to, x.shape);
  }

  reduce(how: ReduceKind, x: GraphValue, axes: readonly number[], keepDims = false): GraphValue {
    const chosen = this.#axes(axes, x.shape.length);
    const shape = x.shape.flatMap((size, axis) => (chosen.includes(axis) ? (keepDims ? [1] : []) : [size]));
    return this.#one({ kind: "reduce", how, axes: chosen, keepDims }, [x], x.dtype, shape);
  }

  sum = (x: GraphValue, axes: readonly number[], keepDims = false): GraphValue => this.reduce("sum", x, axes, keepDims);
  mean = (x: GraphValue, axes: readonly number[], keepDims = false): GraphValue =>
    this.reduce("mean", x, axes, keepDims);
  maximum = (x: GraphValue, axes: readonly number[], keepDims = false): GraphValue =>
    this.reduce("max", x, axes, keepDims);
  minimum = (x: GraphValue, axes: readonly number[], keepDims = false): GraphValue =>
    this.reduce("min", x, axes, keepDims);
  /** Over every axis; a scalar. */
  total = (how: ReduceKind, x: GraphValue): GraphValue => this.reduce(how, x, [...x.shape.keys()]);

  matmul(a: GraphValue, b: GraphValue): GraphValue {
    this.#expect(a.dtype === b.dtype && a.shape.length >= 2 && b.shape.length >= 2, "matmul", [a, b]);
    const inner = a.shape.at(-1) as Dim;
    const other = b.shape.at(-2) as Dim;
    if (typeof inner === "number" && typeof other === "number" && inner !== other) {
      throw this.#fault(`matmul of ${formatShape(a.shape)} and ${formatShape(b.shape)}: ${inner} is not ${other}`);
    }
    const batch = this.#merge("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
    return this.#one({ kind: "matmul" }, [a, b], a.dtype, [...batch, a.shape.at(-2) as Dim, b.shape.at(-1) as Dim]);
  }

  /** Count, mean and second moment of all vectors along the last axis; see `Moments` for what they are good for. */
  moments(x: GraphValue): { count: GraphValue; mean: GraphValue; second: GraphValue } {
    this.#expect((x.dtype === "float32" || x.dtype === "float64") && x.shape.length >= 2, "moments", [x]);
    const width = x.shape.at(-1) as Dim;
    const dtype = "float64";
    const outputs = [[], [width], [width, width]].map((shape) => ({ dtype, shape, needsGradient: false }) as const);
    const [count, mean, second] = this.#many({ kind: "moments" }, [x], outputs) as [GraphValue, GraphValue, GraphValue];
    return { count, mean, second };
  }

  transpose(x: GraphValue, order: readonly number[]): GraphValue {
    this.#expect(order.toSorted((a, b) => a - b).join() === [...x.shape.keys()].join(), "transpose", [x]);
    return this.#one(
      { kind: "transpose", order },
      [x],
      x.dtype,
      order.map((axis) => x.shape[axis] as Dim),
    );
  }

  reshape(x: GraphValue, sizes: readonly number[]): GraphValue {
    const kept = sizes.map((size, axis) => (size === 0 ? (x.shape[axis] as Dim) : size));
    const rest = [...x.shape];
    const known: Dim[] = [];
    for (const size of kept) {
      if (size === -1) continue;
      const found = rest.indexOf(size);
      if (found >= 0) rest.splice(found, 1);
      else known.push(size);
    }
    const product = (dims: readonly Dim[]): number | undefined =>
      dims.reduce<number | undefined>((p, d) => (p === undefined || typeof d === "string" ? undefined : p * d), 1);
    const left = product(rest);
    const taken = product(known);
    const free = left !== undefined && taken ? left / taken : rest.length === 1 && taken === 1 ? rest[0] : undefined;
    const shape = kept.map((size) => (size === -1 ? (free ?? this.freshDim()) : size));
    return this.#one({ kind: "reshape", sizes }, [x], x.dtype, shape);
  }

  squeeze(x: GraphValue, axes: readonly number[]): GraphValue {
    const chosen = this.#axes(axes, x.shape.length);
    return this.#one(
      { kind: "squeeze", axes: chosen },
      [x],
      x.dtype,
      x.shape.filter((_, axis) => !chosen.includes(axis)),
    );
  }

  /** New axes of size 1 at these places of the result. */
  unsqueeze(x: GraphValue, axes: readonly number[]): GraphValue {
    const chosen = this.#axes(axes, x.shape.length + axes.length);
    const shape: Dim[] = [];
    let next = 0;
    for (let axis = 0; axis < x.shape.length + chosen.length; axis++) {
      shape.push(chosen.includes(axis) ? 1 : (x.shape[next++] as Dim));
    }
    return this.#one({ kind: "unsqueeze", axes: chosen }, [x], x.dtype, shape);
  }

  concat(parts: readonly GraphValue[], axis: number): GraphValue {
    const first = parts[0] as GraphValue;
    this.#expect(
      parts.every((part) => part.dtype === first.dtype && part.shape.length === first.shape.length),
      "concat",
      parts,
    );
    const [at] = this.#axes([axis], first.shape.length) as [number];
    const sizes = parts.map((part) => part.shape[at] as Dim);
    const sum = sizes.every((size) => typeof size === "number") ? sizes.reduce((a, b) => a + b, 0) : this.freshDim();
    return this.#one({ kind: "concat", axis: at }, parts, first.dtype, first.shape.with(at, sum));
  }

  /** Picks places of `axis`; a scalar index removes the axis. */
  gather(x: GraphValue, indices: GraphValue, axis: number): GraphValue {
    this.#expect(indices.dtype === "int64", "gather", [x, indices]);
    const [at] = this.#axes([axis], x.shape.length) as [number];
    const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
    return this.#one({ kind: "gather", axis: at }, [x, indices], x.dtype, shape);
  }

  /** From `start` (inclusive) to `end` (exclusive); negative numbers count from the end, step -1 turns round. */
  slice(x: GraphValue, axis: number, start: number, end: number, step = 1): GraphValue {
    const [at] = this.#axes([axis], x.shape.length) as [number];
    const size = x.shape[at] as Dim;
    let length: Dim = this.freshDim();
    if (step === -1 && start === -1) length = size;
    else if (typeof size === "number") {
      const place = (n: number): number => Math.min(Math.max(n < 0 ? n + size : n, 0), size);
      length = Math.max(0, Math.ceil((place(end) - place(start)) / step));
    } else if (start >= 0 && end > start) length = Math.ceil((end - start) / step);
    return this.#one({ kind: "slice", axis: at, start, end, step }, [x], x.dtype, x.shape.with(at, length));
  }

  softmax(x: GraphValue, axis: number): GraphValue {
    const [at] = this.#axes([axis], x.shape.length) as [number];
    return this.#one({ kind: "softmax", axis: at }, [x], x.dtype, x.shape);
  }

  /** int64; the first of equal values. */
  argBest(kind: "argMax" | "argMin", x: GraphValue, axis: number, keepDims = false): GraphValue {
    const [at] = this.#axes([axis], x.shape.length) as [number];
    const shape = keepDims ? x.shape.with(at, 1) : x.shape.filter((_, i) => i !== at);
    return this.#one({ kind, axis: at, keepDims }, [x], "int64", shape);
  }

  /** The k largest (or smallest) along `axis`, best first, and their places; k is a number or an int64 scalar. */
  topK(x: GraphValue, k: number | GraphValue, axis: number, largest: boolean): [values: GraphValue, at: GraphValue] {
    const [place] = this.#axes([axis], x.shape.length) as [number];
    const count = typeof k === "number" ? this.constant(scalar("int64", k)) : k;
    this.#expect(count.dtype === "int64" && count.shape.length === 0, "topK", [x, count]);
    const shape = x.shape.with(place, typeof k === "number" ? k : this.freshDim());
    const [values, indices] = this.#many(
      { kind: "topK", axis: place, largest },
      [x, count],
      [
        { dtype: x.dtype, shape },
        { dtype: "int64", shape },
      ],
    );
    return [values as GraphValue, indices as GraphValue];
  }

  /** The size of an axis as an int64 scalar. */
  size(x: GraphValue, axis: number): GraphValue {
    const [at] = this.#axes([axis], x.shape.length) as [number];
    const known = x.shape[at];
    if (typeof known === "number") return this.constant(scalar("int64", known));
    return this.#one({ kind: "size", axis: at }, [x], "int64", []);
  }

  /** A step outside of ONNX, by the name it is registered under. */
  host(
    name: string,
    inputs: readonly GraphValue[],
    outputs: readonly HostOutput[],
    attrs: HostAttributes = {},
  ): GraphValue[] {
    return this.#many({ kind: "host", host: name, attrs }, inputs, outputs);
  }

  /** A foreign ONNX model; names of its inputs and outputs in the order of the values. */
  model(
    bytes: Uint8Array<ArrayBuffer>,
    inputs: ReadonlyMap<string, GraphValue>,
    outputs: ReadonlyMap<string, HostOutput>,
  ): GraphValue[] {
    const detail = { kind: "model", bytes, inputNames: [...inputs.keys()], outputNames: [...outputs.keys()] } as const;
    return this.#many(detail, [...inputs.values()], [...outputs.values()]);
  }

  /** Complains unless the size is `expected`; unknown sizes are left to the run. */
  expectDim(
    x: GraphValue,
    axis: number,
    expected: number,
    port: string,
    meaning: string,
    reason: "invalid-value" | "port-mismatch" = "invalid-value",
  ): void {
    const found = x.shape.at(axis);
    if (typeof found === "number" && found !== expected) {
      throw new PipelineError(
        reason,
        `Node '${this.#node}': port '${port}' has ${found} ${meaning}, expected ${expected} (Dimension mismatch)`,
        { node: this.#node, port },
      );
    }
  }

  #axes(axes: readonly number[], rank: number): number[] {
    return axes
      .map((axis) => {
        const at = axis < 0 ? axis + rank : axis;
        if (!Number.isInteger(at) || at < 0 || at >= rank) throw this.#fault(`axis ${axis} of a value of rank ${rank}`);
        return at;
      })
      .sort((a, b) => a - b);
  }

  #broadcast(kind: string, a: GraphValue, b: GraphValue): Shape {
    return this.#merge(kind, a.shape, b.shape);
  }

  #merge(kind: string, a: Shape, b: Shape): Shape {
    const rank = Math.max(a.length, b.length);
    const shape: Dim[] = [];
    for (let i = 0; i < rank; i++) {
      const x = a[a.length - rank + i] ?? 1;
      const y = b[b.length - rank + i] ?? 1;
      if (x === y || y === 1) shape.push(x);
      else if (x === 1) shape.push(y);
      else if (typeof x === "string") shape.push(typeof y === "number" || x.startsWith("?") ? y : x);
      else if (typeof y === "string") shape.push(x);
      else throw this.#fault(`${kind} of shapes ${formatShape(a)} and ${formatShape(b)}: ${x} does not fit ${y}`);
    }
    return shape;
  }

  #expect(holds: boolean, kind: string, values: readonly GraphValue[]): void {
    if (holds) return;
    const found = values.map((value) => `${value.dtype} ${formatShape(value.shape)}`).join(", ");
    throw this.#fault(`${kind} does not take ${found}`);
  }

  #fault(text: string): PipelineError {
    return new PipelineError("port-mismatch", `Node '${this.#node}': ${text} (Dimension mismatch)`, {
      node: this.#node,
    });
  }

  #one(
    detail: OpDetail,
    inputs: readonly GraphValue[],
    dtype: ValueType,
    shape: Shape,
    options: { needsGradient?: boolean; numpy?: boolean } = {},
  ): GraphValue {
    return this.#many(detail, inputs, [{ dtype, shape, ...options }])[0] as GraphValue;
  }

  #many(
    detail: OpDetail,
    inputs: readonly GraphValue[],
    outputs: readonly (HostOutput & { needsGradient?: boolean })[],
  ): GraphValue[] {
    const values: GraphValue[] = [];
    const op: Op = { id: this.ops.length, node: this.#node, detail, inputs, outputs: values };
    const flows = detail.kind !== "host" && detail.kind !== "model" && inputs.some((input) => input.needsGradient);
    for (const output of outputs) {
      const differentiable = output.dtype !== "object" && isFloat(output.dtype);
      values.push({
        id: this.#values++,
        dtype: output.dtype,
        shape: output.shape ?? [],
        needsGradient: differentiable && (output.needsGradient ?? flows),
        numpy: output.numpy ?? false,
        op,
      });
    }
    this.ops.push(op);
    return values;
  }
}

/** The operations that `values` depend on, in the order they were made. */
export function needed(graph: Graph, values: Iterable<GraphValue>): Op[] {
  const wanted = new Set<Op>();
  const stack = [...values].map((value) => value.op);
  for (let op = stack.pop(); op; op = stack.pop()) {
    if (wanted.has(op)) continue;
    wanted.add(op);
    for (const input of op.inputs) stack.push(input.op);
  }
  return graph.ops.filter((op) => wanted.has(op));
}

export const asTensor = (value: Value | undefined): Tensor => {
  if (!isTensor(value)) throw new TypeError("a tensor was expected");
  return value;
};
