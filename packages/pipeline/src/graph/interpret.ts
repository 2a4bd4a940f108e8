// A plain interpreter of the typed graph: slow, obvious, without ONNX Runtime. It is the oracle that compiled segments are
// tested against, and says what each operation means.
import { type Graph, type GraphValue, needed, type Op, type UnaryKind } from "./graph.ts";
import { type HostContext, hostStep } from "./host.ts";
import { momentsOf } from "./moments.ts";
import {
  allocate,
  at,
  castTensor,
  type DType,
  elements,
  isTensor,
  isWide,
  scalar,
  stridesOf,
  type Tensor,
  type TypedArray,
  tensor,
  toFloat64,
  type Value,
} from "./tensor.ts";

export interface InterpretRequest {
  readonly graph: Graph;
  readonly outputs: readonly GraphValue[];
  readonly inputs: ReadonlyMap<string, Value>;
  readonly states: ReadonlyMap<string, Tensor>;
  readonly context: (node: string) => HostContext;
}

/** Computes `outputs` and nothing they do not need. */
export function interpret(request: InterpretRequest): Map<GraphValue, Value> {
  const values = new Map<GraphValue, Value>();
  for (const op of needed(request.graph, request.outputs)) {
    const results = evaluate(op, values, request);
    for (const [i, output] of op.outputs.entries()) values.set(output, results[i] as Value);
  }
  return values;
}

function evaluate(op: Op, values: ReadonlyMap<GraphValue, Value>, request: InterpretRequest): readonly Value[] {
  const detail = op.detail;
  const input = (i: number): Tensor => values.get(op.inputs[i] as GraphValue) as Tensor;
  switch (detail.kind) {
    case "input": {
      const value = request.inputs.get(detail.name);
      if (value === undefined) throw new Error(`the graph's input ${detail.name} was not given`);
      return [value];
    }
    case "state": {
      const value = request.states.get(detail.key);
      if (!value) throw new Error(`the graph's state ${detail.key} was not given`);
      return [value];
    }
    case "constant":
      return [detail.tensor];
    case "host": {
      const inputs = op.inputs.map((value) => values.get(value) as Value);
      const results = hostStep(detail.host).run(inputs, detail.attrs, request.context(op.node));
      if (results instanceof Promise) throw new Error(`host step ${detail.host} waits for a file`);
      return results;
    }
    case "model":
      throw new Error("a foreign ONNX model cannot be interpreted");
    case "cast":
      return [castTensor(input(0), detail.to)];
    case "leakyRelu":
      return [map(input(0), (x) => (x < 0 ? detail.slope * x : x))];
    case "where":
      return [broadcast3(input(0), input(1), input(2))];
    case "reduce":
      return [reduce(input(0), detail.axes, detail.keepDims, detail.how)];
    case "matmul":
      return [matmul(input(0), input(1))];
    case "moments":
      return moments(input(0));
    case "transpose":
      return [transpose(input(0), detail.order)];
    case "reshape":
      return [reshape(input(0), detail.sizes)];
    case "squeeze": {
      const x = input(0);
      return [{ ...x, shape: x.shape.filter((_, axis) => !detail.axes.includes(axis)) }];
    }
    case "unsqueeze": {
      const x = input(0);
      const shape: number[] = [];
      let next = 0;
      for (let axis = 0; axis < x.shape.length + detail.axes.length; axis++) {
        shape.push(detail.axes.includes(axis) ? 1 : (x.shape[next++] as number));
      }
      return [{ ...x, shape }];
    }
    case "concat":
      return [
        concat(
          op.inputs.map((_, i) => input(i)),
          detail.axis,
        ),
      ];
    case "gather":
      return [gather(input(0), input(1), detail.axis)];
    case "slice":
      return [slice(input(0), detail.axis, detail.start, detail.end, detail.step)];
    case "softmax":
      return [softmax(input(0), detail.axis)];
    case "argMax":
    case "argMin":
      return [argBest(input(0), detail.axis, detail.keepDims, detail.kind === "argMax")];
    case "topK":
      return topK(input(0), at(input(1), 0), detail.axis, detail.largest);
    case "size":
      return [scalar("int64", input(0).shape[detail.axis] as number)];
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "pow":
    case "min":
    case "max":
    case "mod":
      return [broadcast2(input(0), input(1), input(0).dtype, ARITHMETIC[detail.kind])];
    case "equal":
    case "less":
    case "lessOrEqual":
    case "greater":
    case "greaterOrEqual":
    case "and":
    case "or":
      return [broadcast2(input(0), input(1), "bool", RELATIONS[detail.kind])];
    case "isNaN":
      return [
        {
          ...map(input(0), Number),
          dtype: "bool",
          data: Uint8Array.from(input(0).data as Float32Array, (x) => Number(Number.isNaN(x))),
        },
      ];
    default:
      return [map(input(0), UNARY[detail.kind])];
  }
}

/** Half to even, as floating-point hardware does. */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

const UNARY: Record<Exclude<UnaryKind, "isNaN">, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  relu: (x) => (x > 0 ? x : Number.isNaN(x) ? x : 0),
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  cos: Math.cos,
  sin: Math.sin,
  acos: Math.acos,
  not: (x) => (x ? 0 : 1),
};

const ARITHMETIC = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  pow: (a: number, b: number) => a ** b,
  min: Math.min,
  max: Math.max,
  /** The sign of the divisor, for integers. */
  mod: (a: number, b: number) => ((a % b) + b) % b,
};

const RELATIONS = {
  equal: (a: number, b: number) => Number(a === b),
  less: (a: number, b: number) => Number(a < b),
  lessOrEqual: (a: number, b: number) => Number(a <= b),
  greater: (a: number, b: number) => Number(a > b),
  greaterOrEqual: (a: number, b: number) => Number(a >= b),
  and: (a: number, b: number) => Number(a !== 0 && b !== 0),
  or: (a: number, b: number) => Number(a !== 0 || b !== 0),
};

/** Stores a number in the array's own type; integers truncate towards zero. */
function put(data: TypedArray, dtype: DType, index: number, value: number): void {
  if (isWide(dtype)) (data as BigInt64Array)[index] = BigInt(Math.trunc(value));
  else (data as Float64Array)[index] = value;
}

function build(dtype: DType, shape: readonly number[], value: (index: number) => number): Tensor {
  const data = allocate(dtype, elements(shape));
  for (let i = 0; i < data.length; i++) put(data, dtype, i, value(i));
  return { dtype, shape, data };
}

const map = (x: Tensor, apply: (x: number) => number): Tensor => build(x.dtype, x.shape, (i) => apply(at(x, i)));

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new RangeError(`shapes [${a}] and [${b}] do not fit`);
    return x === 1 ? y : x;
  });
}

/** For every element of `shape`, the index of the element of a broadcast tensor. */
function broadcastIndex(from: readonly number[], shape: readonly number[]): (index: number) => number {
  const strides = stridesOf(from);
  const outer = stridesOf(shape);
  const shift = shape.length - from.length;
  return (index) => {
    let result = 0;
    for (let axis = shift; axis < shape.length; axis++) {
      if (from[axis - shift] === 1) continue;
      const place = Math.floor(index / (outer[axis] as number)) % (shape[axis] as number);
      result += place * (strides[axis - shift] as number);
    }
    return result;
  };
}

function broadcast2(a: Tensor, b: Tensor, dtype: DType, apply: (a: number, b: number) => number): Tensor {
  const shape = broadcastShape(a.shape, b.shape);
  const ia = broadcastIndex(a.shape, shape);
  const ib = broadcastIndex(b.shape, shape);
  return build(dtype, shape, (i) => apply(at(a, ia(i)), at(b, ib(i))));
}

function broadcast3(condition: Tensor, yes: Tensor, no: Tensor): Tensor {
  const shape = broadcastShape(broadcastShape(yes.shape, no.shape), condition.shape);
  const ic = broadcastIndex(condition.shape, shape);
  const iy = broadcastIndex(yes.shape, shape);
  const ino = broadcastIndex(no.shape, shape);
  return build(yes.dtype, shape, (i) => (condition.data[ic(i)] ? at(yes, iy(i)) : at(no, ino(i))));
}

function reduce(x: Tensor, axes: readonly number[], keepDims: boolean, how: "sum" | "mean" | "max" | "min"): Tensor {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const count = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
  const start = how === "max" ? -Infinity : how === "min" ? Infinity : 0;
  const sums = new Float64Array(elements(kept)).fill(start);
  const place = broadcastIndex(kept, x.shape);
  for (let i = 0; i < x.data.length; i++) {
    const value = at(x, i);
    const j = place(i);
    const before = sums[j] as number;
    sums[j] = how === "max" ? Math.max(before, value) : how === "min" ? Math.min(before, value) : before + value;
  }
  const shape = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  return build(x.dtype, shape, (i) => (how === "mean" ? (sums[i] as number) / count : (sums[i] as number)));
}

function matmul(a: Tensor, b: Tensor): Tensor {
  const [n, k] = a.shape.slice(-2) as [number, number];
  const [k2, m] = b.shape.slice(-2) as [number, number];
  if (k !== k2) throw new RangeError(`matmul of [${a.shape}] and [${b.shape}]`);
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const ia = broadcastIndex(a.shape.slice(0, -2), batch);
  const ib = broadcastIndex(b.shape.slice(0, -2), batch);
  return build(a.dtype, [...batch, n, m], (index) => {
    const column = index % m;
    const row = Math.floor(index / m) % n;
    const block = Math.floor(index / (n * m));
    let sum = 0;
    for (let i = 0; i < k; i++)
      sum += at(a, ia(block) * n * k + row * k + i) * at(b, ib(block) * k * m + i * m + column);
    return sum;
  });
}

function moments(x: Tensor): Tensor[] {
  const width = x.shape.at(-1) as number;
  const { count, mean, second } = momentsOf(toFloat64(x), width);
  return [scalar("float64", count), tensor("float64", [width], mean), tensor("float64", [width, width], second)];
}

/** A tensor whose elements are those of `x` at the given places. */
function pick(x: Tensor, shape: readonly number[], place: (index: number) => number): Tensor {
  const data = allocate(x.dtype, elements(shape));
  for (let i = 0; i < data.length; i++) data[i] = x.data[place(i)] as never;
  return { dtype: x.dtype, shape, data };
}

function transpose(x: Tensor, order: readonly number[]): Tensor {
  const shape = order.map((axis) => x.shape[axis] as number);
  const outer = stridesOf(shape);
  const strides = stridesOf(x.shape);
  return pick(x, shape, (index) => {
    let place = 0;
    for (let axis = 0; axis < order.length; axis++) {
      const position = Math.floor(index / (outer[axis] as number)) % (shape[axis] as number);
      place += position * (strides[order[axis] as number] as number);
    }
    return place;
  });
}

function reshape(x: Tensor, sizes: readonly number[]): Tensor {
  const shape = sizes.map((size, axis) => (size === 0 ? (x.shape[axis] as number) : size));
  const free = shape.indexOf(-1);
  if (free >= 0) shape[free] = x.data.length / elements(shape.filter((size) => size !== -1));
  if (elements(shape) !== x.data.length) throw new RangeError(`reshape of [${x.shape}] to [${sizes}]`);
  return { ...x, shape };
}

function concat(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0] as Tensor;
  const total = parts.reduce((sum, part) => sum + (part.shape[axis] as number), 0);
  const shape = first.shape.with(axis, total);
  const inner = elements(first.shape.slice(axis + 1));
  const outer = elements(first.shape.slice(0, axis));
  const data = allocate(first.dtype, elements(shape));
  let offset = 0;
  for (const part of parts) {
    const run = (part.shape[axis] as number) * inner;
    for (let o = 0; o < outer; o++) {
      (data as Float64Array).set(
        (part.data as Float64Array).subarray(o * run, (o + 1) * run),
        o * total * inner + offset,
      );
    }
    offset += run;
  }
  return { dtype: first.dtype, shape, data };
}

function gather(x: Tensor, indices: Tensor, axis: number): Tensor {
  const size = x.shape[axis] as number;
  const inner = elements(x.shape.slice(axis + 1));
  const count = indices.data.length;
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return pick(x, shape, (index) => {
    const rest = index % inner;
    const which = at(indices, Math.floor(index / inner) % count);
    if (which < -size || which >= size) throw new RangeError(`gather: index ${which} of ${size}`);
    const block = Math.floor(index / (inner * count));
    return (block * size + (which < 0 ? which + size : which)) * inner + rest;
  });
}

function slice(x: Tensor, axis: number, start: number, end: number, step: number): Tensor {
  const size = x.shape[axis] as number;
  const low = step < 0 ? -1 : 0;
  const high = step < 0 ? size - 1 : size;
  const place = (n: number): number => Math.min(Math.max(n < 0 ? n + size : n, low), high);
  const from = place(start);
  const length = Math.max(0, Math.ceil((place(end) - from) / step));
  const inner = elements(x.shape.slice(axis + 1));
  return pick(x, x.shape.with(axis, length), (index) => {
    const position = from + (Math.floor(index / inner) % length) * step;
    return (Math.floor(index / (inner * length)) * size + position) * inner + (index % inner);
  });
}

function softmax(x: Tensor, axis: number): Tensor {
  const top = reduce(x, [axis], true, "max");
  const powers = broadcast2({ ...x, dtype: "float64" }, top, "float64", (a, b) => Math.exp(a - b));
  const sums = reduce(powers, [axis], true, "sum");
  return broadcast2(powers, sums, x.dtype, (a, b) => a / b);
}

/** Calls `visit` for every line of `x` along `axis` with the places of its elements. */
function lines(x: Tensor, axis: number, visit: (places: number[], line: number) => void): void {
  const size = x.shape[axis] as number;
  const inner = elements(x.shape.slice(axis + 1));
  const count = size === 0 ? 0 : x.data.length / size;
  for (let line = 0; line < count; line++) {
    const base = Math.floor(line / inner) * size * inner + (line % inner);
    visit(
      Array.from({ length: size }, (_, i) => base + i * inner),
      line,
    );
  }
}

function argBest(x: Tensor, axis: number, keepDims: boolean, largest: boolean): Tensor {
  const shape = keepDims ? x.shape.with(axis, 1) : x.shape.filter((_, i) => i !== axis);
  const data = new BigInt64Array(elements(shape));
  lines(x, axis, (places, line) => {
    let best = 0;
    for (const [i, place] of places.entries()) {
      const [value, before] = [at(x, place), at(x, places[best] as number)];
      if (largest ? value > before : value < before) best = i;
    }
    data[line] = BigInt(best);
  });
  return { dtype: "int64", shape, data };
}

function topK(x: Tensor, k: number, axis: number, largest: boolean): [Tensor, Tensor] {
  const shape = x.shape.with(axis, k);
  const inner = elements(x.shape.slice(axis + 1));
  const values = allocate(x.dtype, elements(shape));
  const indices = new BigInt64Array(elements(shape));
  lines(x, axis, (places, line) => {
    const order = [...places.keys()].sort((a, b) => {
      const difference = at(x, places[a] as number) - at(x, places[b] as number);
      return (largest ? -difference : difference) || a - b;
    });
    for (let i = 0; i < k; i++) {
      const target = (Math.floor(line / inner) * k + i) * inner + (line % inner);
      values[target] = x.data[places[order[i] as number] as number] as never;
      indices[target] = BigInt(order[i] as number);
    }
  });
  return [
    { dtype: x.dtype, shape, data: values },
    { dtype: "int64", shape, data: indices },
  ];
}

export const tensorsOnly = (values: readonly Value[]): Tensor[] => values.filter(isTensor);
