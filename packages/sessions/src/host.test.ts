// Rules of the pipelines that a process has ready: one call of a session at a time, built once, as the session has them.
import type { BlobRef } from "@sortie/core";
import { Engine, Pipeline, tensor } from "@sortie/pipeline";
import { afterAll, describe, expect, it } from "vitest";
import { MemoryBlobs } from "../../core/src/testing/index.ts";
import { PipelineHost } from "./host.ts";
import { dropSnapshot, readSnapshot, takeSnapshot } from "./inference.ts";
import type { LoadedPipeline } from "./state.ts";
import { storeWeights } from "./store-weights.ts";

const CONFIG = {
  nodes: [
    { name: "minmax", class_name: "cuvis_ai.node.normalization.MinMaxNormalizer", hparams: {} },
    { name: "logit", class_name: "cuvis_ai.node.conversion.ScoreToLogit", hparams: {} },
  ],
  connections: [],
};
let count = 0;
const ids = { random: () => `id-${++count}`, derived: (text: string) => text };
const ports = { blobs: new MemoryBlobs(), ids };
const fresh = (): LoadedPipeline => ({ config: CONFIG as never, fitted: [], generation: ids.random() });

const engine = new Engine({ threads: 1 });
afterAll(() => engine.close());

/** The pipeline once its normalizer knows the range of its data; the other node is usable without. */
async function fitted(loaded: LoadedPipeline): Promise<LoadedPipeline> {
  const pipeline = await new PipelineHost().build(ports, loaded);
  const scalar = (value: number) => tensor("float32", [], Float32Array.of(value));
  pipeline.node("minmax").load(
    new Map([
      ["running_min", scalar(2)],
      ["running_max", scalar(6)],
    ]),
    true,
  );
  return storeWeights(ports, "a-session", loaded, pipeline);
}

describe("turns", () => {
  it("of one session come one after another, in order, whatever becomes of each", async () => {
    const host = new PipelineHost();
    const events: string[] = [];
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const turns = gates.map((gate, i) =>
      host.inTurn("a", async () => {
        events.push(`begin ${i}`);
        await gate.promise;
        events.push(`end ${i}`);
        if (i === 1) throw new Error("wrong");
        return i;
      }),
    );
    for (const gate of gates.toReversed()) gate.resolve();
    expect(await Promise.allSettled(turns)).toMatchObject([
      { value: 0 },
      { reason: { message: "wrong" } },
      { value: 2 },
    ]);
    expect(events).toEqual(["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]);
  });

  it("of different sessions do not wait for each other", async () => {
    const host = new PipelineHost();
    const gate = Promise.withResolvers<void>();
    const held = host.inTurn("a", () => gate.promise);
    expect(await host.inTurn("b", async () => "done")).toBe("done");
    gate.resolve();
    await held;
  });
});

describe("a pipeline", () => {
  it("is built once and kept until its weights change", async () => {
    const host = new PipelineHost();
    const loaded = fresh();
    const first = await host.ready(ports, loaded);
    expect(await host.ready(ports, loaded)).toBe(first);
    const another = fresh();
    const [one, two] = await Promise.all([host.ready(ports, another), host.ready(ports, another)]);
    expect(two).toBe(one);
    expect(await host.ready(ports, await fitted(loaded))).not.toBe(first);
    expect(await host.build(ports, loaded)).not.toBe(first);
  });

  it("goes when there is no more room, or when it is forgotten", async () => {
    const host = new PipelineHost({ most: 1 });
    const [a, b] = [fresh(), fresh()];
    const first = await host.ready(ports, a);
    const second = await host.ready(ports, b);
    expect(await host.ready(ports, a)).not.toBe(first);
    host.forget(b);
    host.forget(undefined);
    expect(await host.ready(ports, b)).not.toBe(second);
    host.close();
  });

  it("has the weights that were stored, and only those nodes count as fitted that were", async () => {
    const host = new PipelineHost();
    const loaded = fresh();
    expect((await host.ready(ports, loaded)).nodes.map(({ fitted }) => fitted)).toEqual([false, false]);
    const pipeline = await host.ready(ports, await fitted(loaded));
    expect(pipeline.nodes.map((node) => [node.name, node.fitted])).toEqual([
      ["minmax", true],
      ["logit", false],
    ]);
    expect(pipeline.node("minmax").state("running_max").data[0]).toBe(6);
  });

  it("that is snapshotted is the same after its session is gone", async () => {
    const loaded = await fitted(fresh());
    const snapshot = await takeSnapshot(ports, loaded, "jobs/x/");
    await ports.blobs.delete((loaded.weights as BlobRef).key);
    const again = await readSnapshot(ports, snapshot);
    expect(again).toMatchObject({ config: CONFIG, fitted: ["minmax"], generation: loaded.generation });
    const pipeline = await new PipelineHost().build(ports, again);
    expect(pipeline.node("minmax").state("running_min").data[0]).toBe(2);
    await dropSnapshot(ports, snapshot);
    await expect(readSnapshot(ports, snapshot)).rejects.toThrow();
  });
});

describe("a class that is an ONNX model", () => {
  it("is built from its blob, in a session and in a snapshot of it", async () => {
    const source = new Pipeline({
      nodes: [
        {
          name: "n",
          class_name: "cuvis_ai.node.normalization.MinMaxNormalizer",
          hparams: { use_running_stats: false },
        },
      ],
      connections: [],
    });
    const model = await ports.blobs.put("sessions/x/model", [source.exportOnnx()]);
    const cube = { type: "float32", shape: ["B", "H", "W", "C"] };
    const loaded: LoadedPipeline = {
      ...fresh(),
      config: { nodes: [{ name: "own", class_name: "mine.Model", hparams: {} }], connections: [] } as never,
      models: [
        {
          className: "mine.Model",
          summary: "",
          model,
          inputs: [{ name: "data", ...cube }],
          outputs: [{ name: "n.normalized", ...cube }],
        },
      ],
    };
    const snapshot = await takeSnapshot(ports, loaded, "jobs/y/");
    await ports.blobs.delete(model.key);
    const pipeline = await new PipelineHost().build(ports, await readSnapshot(ports, snapshot));
    const data = tensor("float32", [1, 1, 2, 1], Float32Array.of(2, 6));
    const values = await pipeline.run({ data }, { engine });
    expect([...values.values()]).toMatchObject([{ data: Float32Array.of(0, 1) }]);
  });
});
