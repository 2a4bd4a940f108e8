// Rules of fits by mean and covariance: where the cube is cut, and on how many threads, does not matter.
import { describe, expect, it } from "vitest";
import { Moments } from "../graph/moments.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import { Engine } from "../runtime/engine.ts";
import { numbers } from "../testing/pipelines.ts";

const BANDS = 24;

/** Bands that depend on each other, far from zero. */
function cubeOf(shape: readonly [number, number, number], seed: number): Tensor<"float32"> {
  const random = numbers(seed);
  const data = new Float32Array(shape[0] * shape[1] * shape[2] * BANDS);
  for (let pixel = 0; pixel < data.length; pixel += BANDS) {
    let value = 0;
    for (let band = 0; band < BANDS; band++) {
      value = 0.7 * value + random();
      data[pixel + band] = 1000 + value;
    }
  }
  return tensor("float32", [...shape, BANDS], data);
}

async function fitted(threads: number, batches: readonly Tensor[]) {
  await using engine = new Engine({ threads });
  await using pipeline = new Pipeline({
    nodes: [
      { name: "minmax", class_name: "cuvis_ai.node.normalization.MinMaxNormalizer" },
      { name: "rx", class_name: "cuvis_ai.anomaly.rx_detector.RXGlobal", hparams: { num_channels: BANDS } },
    ],
    connections: [{ source: "minmax.outputs.normalized", target: "rx.inputs.data" }],
  });
  await pipeline.fit(() => batches.map((data) => ({ data })), { engine });
  const values = (node: string, state: string) => pipeline.node(node).state(state).data as Float32Array;
  const [low, high] = [values("minmax", "running_min")[0] as number, values("minmax", "running_max")[0] as number];
  return { low, high, mean: values("rx", "mu"), covariance: values("rx", "cov") };
}

describe("a covariance", () => {
  const batches = [cubeOf([2, 61, 400], 1), cubeOf([1, 2, 3], 2), cubeOf([1, 997, 45], 3)];

  it.each([1, 2])(
    "of large and small batches, in tiles on %d thread(s), is that of all pixels at once",
    async (threads) => {
      const { low, high, mean, covariance } = await fitted(threads, batches);
      const scale = Math.fround(high - low);
      const expected = new Moments(BANDS, true);
      for (const { data } of batches) {
        expected.update((data as Float32Array).map((value) => Math.fround(value - low) / scale));
      }
      for (let i = 0; i < BANDS; i++) expect(mean[i]).toBeCloseTo(expected.mean[i] as number, 6);
      const exact = expected.covariance("rx");
      const largest = Math.max(...exact);
      for (let i = 0; i < BANDS * BANDS; i++) {
        const jitter = i % (BANDS + 1) === 0 ? 1e-6 : 0;
        expect(Math.abs((covariance[i] as number) - (exact[i] as number) - jitter)).toBeLessThan(1e-6 * largest);
      }
    },
  );
});
