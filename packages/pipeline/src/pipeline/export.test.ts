// An exported pipeline is one ONNX model with ports as names and the pipeline's own answers.
import * as ort from "onnxruntime-node";
import { afterAll, describe, expect, it } from "vitest";
import type { Tensor } from "../graph/tensor.ts";
import { tensor } from "../graph/tensor.ts";
import { Engine } from "../runtime/engine.ts";
import { cube, measurement, node, rxPipeline, wire } from "../testing/pipelines.ts";
import { Pipeline } from "./pipeline.ts";

const engine = new Engine();
afterAll(() => engine.close());

describe("an exported pipeline", () => {
  it("answers cubes of any size as the pipeline does", async () => {
    const pipeline = new Pipeline(rxPipeline(5));
    await pipeline.fit(() => [measurement([1, 6, 5, 5])], { engine });
    const model = pipeline.exportOnnx({ outputs: ["rx.scores", "decider.decisions"] });
    const session = await ort.InferenceSession.create(model);
    expect(session.outputNames).toEqual(["rx.scores", "decider.decisions"]);
    for (const shape of [
      [1, 3, 4, 5],
      [2, 7, 2, 5],
    ] as const) {
      const input = cube(shape, 3);
      const found = await session.run({ cube: new ort.Tensor("float32", input.data, [...shape]) });
      const batch = { ...measurement(shape), cube: input };
      const expected = await pipeline.run(batch, { engine, outputs: ["rx.scores"] });
      expect(found["rx.scores"]?.data).toEqual((expected.get("rx.scores") as Tensor).data);
    }
    await session.release();
  });

  it("has every tensor output under its own name, also where two are one value", async () => {
    const pipeline = new Pipeline({
      nodes: [
        node("a", "node.normalization.IdentityNormalizer"),
        node("b", "node.normalization.IdentityNormalizer"),
        node("c", "node.normalization.SigmoidTransform"),
      ],
      connections: ["a.normalized -> b.data", "b.normalized -> c.data"].map(wire),
    });
    const session = await ort.InferenceSession.create(pipeline.exportOnnx());
    expect(session.inputNames).toEqual(["data"]);
    expect(session.outputNames).toEqual(["a.normalized", "b.normalized", "c.transformed"]);
    const found = await session.run({ data: new ort.Tensor("float32", Float32Array.of(0, 0), [1, 1, 1, 2]) });
    expect(Array.from((found["c.transformed"] as ort.Tensor).data as Float32Array)).toEqual([0.5, 0.5]);
    await session.release();
  });

  it("holds host steps whose inputs are fixed, and refuses others by name", async () => {
    const pipeline = new Pipeline({
      nodes: [
        node("data", "node.data.CU3SDataNode"),
        node("band", "node.preprocessors.BandpassByWavelength", { min_wavelength_nm: 440 }),
        node("pca", "node.dimensionality_reduction.PCA", { n_components: 2 }),
      ],
      connections: ["data.cube -> band.data", "data.wavelengths -> band.wavelengths", "band.filtered -> pca.data"].map(
        wire,
      ),
    });
    const wavelengths = tensor("int32", [1, 4], [430, 440, 450, 460]);
    expect(() => pipeline.exportOnnx({ outputs: ["band.filtered"] })).toThrow(
      /'band'.*bands\.within|'data'.*data\.firstRow/,
    );
    expect(() => pipeline.exportOnnx({ outputs: ["pca.projected"], constants: { wavelengths } })).toThrow(/'pca'/);
    const session = await ort.InferenceSession.create(
      pipeline.exportOnnx({ outputs: ["band.filtered"], constants: { wavelengths } }),
    );
    const found = await session.run({ cube: new ort.Tensor("float32", Float32Array.of(1, 2, 3, 4), [1, 1, 1, 4]) });
    expect(Array.from((found["band.filtered"] as ort.Tensor).data as Float32Array)).toEqual([2, 3, 4]);
    await session.release();
  });
});
