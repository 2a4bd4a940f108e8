// Moments of many rows on the engine's threads: mean and sum of products in float64 by ONNX Runtime, merged here.
import { Graph } from "../graph/graph.ts";
import { type Tensor, tensor, toFloat64 } from "../graph/tensor.ts";
import { lower } from "../onnx/lower.ts";
import type { Engine } from "../runtime/engine.ts";
import { type CompiledModel, compiledModel } from "../runtime/model.ts";
import type { Moments } from "./statistics.ts";

/** Values of a part: 2 MiB of float32. */
const PART_VALUES = 1 << 19;

const models = new Map<number, CompiledModel>();

/** From rows [N, width] to their mean [width] and the sum of products of deviations [width, width]. */
function momentsModel(width: number): CompiledModel {
  const known = models.get(width);
  if (known) return known;
  const g = new Graph();
  const rows = g.input("rows", "float32", ["N", width]);
  const wide = g.cast(rows, "float64");
  const mean = g.mean(wide, [0]);
  const deviation = g.sub(wide, mean);
  const second = g.matmul(g.transpose(deviation, [1, 0]), deviation);
  const names = new Map([
    [rows, "rows"],
    [mean, "mean"],
    [second, "second"],
  ]);
  const made = lower({
    name: "moments",
    ops: g.ops,
    inputs: [rows],
    outputs: [mean, second],
    states: new Map(),
    names,
  });
  const model = compiledModel(made.model);
  models.set(width, model);
  return model;
}

/** Adds rows to covariance moments, part by part on as many threads as there are; parts are merged in their order. */
export async function absorbOnThreads(moments: Moments, rows: Float32Array, engine: Engine): Promise<void> {
  const { width } = moments;
  const model = momentsModel(width);
  const size = Math.max(1, Math.floor(PART_VALUES / width)) * width;
  // Buffers come back with the answers and are filled again.
  const spare: Float32Array[] = [];
  const run = async (start: number): Promise<{ count: number; mean: Float64Array; second: Float64Array }> => {
    const part = rows.subarray(start, start + size);
    const count = Math.floor(part.length / width);
    const known = part.length === size ? spare.pop() : undefined;
    if (known) known.set(part);
    const feeds = new Map<string, Tensor>([["rows", tensor("float32", [count, width], known ?? part.slice())]]);
    const options = { outputs: ["mean", "second"], transfer: new Set(["rows"]), giveBack: ["rows"] };
    const { values, back } = await engine.run(model, feeds, options);
    const returned = back?.get("rows")?.data as Float32Array;
    if (returned.length === size) spare.push(returned);
    return { count, mean: toFloat64(values.get("mean") as Tensor), second: toFloat64(values.get("second") as Tensor) };
  };
  // One part more than there are threads is under way, so that none waits for a copy.
  const underWay: ReturnType<typeof run>[] = [];
  let next = 0;
  const start = (): void => {
    if (next >= rows.length) return;
    underWay.push(run(next));
    next += size;
  };
  for (let i = 0; i <= engine.threads; i++) start();
  try {
    for (let part = underWay.shift(); part; part = underWay.shift()) {
      const { count, mean, second } = await part;
      start();
      moments.merge(count, mean, second);
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}
