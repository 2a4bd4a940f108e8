// Mathematics that several nodes share, written in operations of the graph.
import type { Graph, GraphValue } from "../graph/graph.ts";

/**
 * Quantile q over `axes` by linear interpolation between neighbours of the sorted values; position in float32.
 * Sorts only the shorter end. The axes stay, with size 1.
 */
export function quantile(g: Graph, x: GraphValue, axes: readonly number[], q: number): GraphValue {
  const reduced = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
  const lines = flattenLast(g, x, reduced);
  const n = g.size(lines, -1);
  const position = g.mul(g.cast(g.sub(n, 1), "float32"), Math.fround(q));
  const floor = g.floor(position);
  const fraction = g.sub(position, floor);
  const low = g.cast(floor, "int64");
  let a: GraphValue;
  let b: GraphValue;
  if (q >= 0.5) {
    const k = g.sub(n, low);
    const [largest] = g.topK(lines, k, -1, true);
    a = g.gather(largest, g.sub(k, 1), -1);
    b = g.gather(largest, g.max(g.sub(k, 2), 0), -1);
  } else {
    const k = g.min(g.add(low, 2), n);
    const [smallest] = g.topK(lines, k, -1, false);
    a = g.gather(smallest, low, -1);
    b = g.gather(smallest, g.sub(k, 1), -1);
  }
  return g.unsqueeze(g.add(a, g.mul(g.sub(b, a), fraction)), reduced);
}

/** Lower median over `axes`, which stay with size 1. */
export function lowerMedian(g: Graph, x: GraphValue, axes: readonly number[]): GraphValue {
  const reduced = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
  const lines = flattenLast(g, x, reduced);
  const place = g.div(g.sub(g.size(lines, -1), 1), 2);
  const [smallest] = g.topK(lines, g.add(place, 1), -1, false);
  return g.unsqueeze(g.gather(smallest, place, -1), reduced);
}

/** The reduced axes flattened into one last axis; the others keep their order. */
function flattenLast(g: Graph, x: GraphValue, reduced: readonly number[]): GraphValue {
  const kept = [...x.shape.keys()].filter((axis) => !reduced.includes(axis));
  const order = [...kept, ...reduced];
  const moved = order.every((axis, i) => axis === i) ? x : g.transpose(x, order);
  return g.reshape(moved, [...kept.map(() => 0), -1]);
}

/** Mean and population variance over `axes`, which stay with size 1. */
export function populationMoments(
  g: Graph,
  x: GraphValue,
  axes: readonly number[],
): { mean: GraphValue; variance: GraphValue; deviation: GraphValue } {
  const mean = g.mean(x, axes, true);
  const deviation = g.sub(x, mean);
  return { mean, deviation, variance: g.mean(g.square(deviation), axes, true) };
}

/** The number of elements along `axes` as a float32 scalar. */
export function countAlong(g: Graph, x: GraphValue, axes: readonly number[]): GraphValue {
  return g.cast(
    axes.map((axis) => g.size(x, axis)).reduce((a, b) => g.mul(a, b)),
    "float32",
  );
}

/**
 * HSV colours of values 0..1 at full saturation and brightness: [..., 1] → [..., 3].
 * h6 = 6v, sector = floor(h6) mod 6, f = fraction.
 */
export function hsvColours(g: Graph, v: GraphValue): GraphValue {
  const h6 = g.mul(v, 6);
  const whole = g.floor(h6);
  const f = g.sub(h6, whole);
  const inverse = g.sub(1, f);
  const sector = g.mod(g.cast(whole, "int64"), 6);
  const one = g.add(g.mul(f, 0), 1);
  const zero = g.mul(f, 0);
  const channel = (values: readonly GraphValue[]): GraphValue => {
    let chosen = values[5] as GraphValue;
    for (let i = 4; i >= 0; i--) chosen = g.where(g.equal(sector, i), values[i] as GraphValue, chosen);
    return chosen;
  };
  return g.concat(
    [
      channel([one, inverse, zero, zero, f, one]),
      channel([f, one, one, inverse, zero, zero]),
      channel([zero, zero, f, one, one, inverse]),
    ],
    -1,
  );
}
