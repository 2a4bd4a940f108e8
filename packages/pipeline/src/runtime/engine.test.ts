// Rules of the engine: results, a bounded cache, honest providers, and no thread left behind.
import { describe, expect, it } from "vitest";
import { Graph } from "../graph/graph.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { lower } from "../onnx/lower.ts";
import { Engine } from "./engine.ts";
import { compiledModel } from "./model.ts";

function plus(amount: number) {
  const g = new Graph();
  const x = g.input("x", "float32", ["n"]);
  const y = g.add(x, amount);
  return compiledModel(
    lower({
      name: "plus",
      ops: g.ops,
      inputs: [x],
      outputs: [y],
      states: new Map(),
      names: new Map([
        [x, "x"],
        [y, "y"],
      ]),
    }).model,
  );
}

const feeds = () => new Map([["x", tensor("float32", [2], [1, 2])]]);
const values = async (engine: Engine, amount: number): Promise<number[]> => {
  const result = await engine.run(plus(amount), feeds(), { outputs: ["y"] });
  return Array.from((result.values.get("y") as Tensor).data as Float32Array);
};

describe("the engine", () => {
  it("runs models, also many more than it keeps, on several threads at once", async () => {
    await using engine = new Engine({ threads: 2, maxSessions: 2 });
    const results = await Promise.all(Array.from({ length: 9 }, (_, i) => values(engine, i % 5)));
    expect(results).toEqual(Array.from({ length: 9 }, (_, i) => [1 + (i % 5), 2 + (i % 5)]));
    expect(await values(engine, 0)).toEqual([1, 2]);
  });

  it("tells which provider ran a model", async () => {
    await using engine = new Engine({ provider: "cpu" });
    const result = await engine.run(plus(1), feeds(), { outputs: ["y"] });
    expect(result.provider).toBe("cpu");
    expect(result.milliseconds).toBeGreaterThanOrEqual(0);
  });

  it.each(["cuda", "webgpu", "auto"] as const)("falls back to CPU where %s is not there", async (provider) => {
    await using engine = new Engine({ provider });
    expect(await values(engine, 3)).toEqual([4, 5]);
  });

  it("leaves inputs alone unless they are given away", async () => {
    await using engine = new Engine();
    const x = tensor("float32", [2], [1, 2]);
    await engine.run(plus(1), new Map([["x", x]]), { outputs: ["y"] });
    expect([...x.data]).toEqual([1, 2]);
    await engine.run(plus(1), new Map([["x", x]]), { outputs: ["y"], transfer: new Set(["x"]) });
    expect(x.data.length).toBe(0);
  });

  it("hands back what was given away, where it is asked to", async () => {
    await using engine = new Engine();
    const x = tensor("float32", [2], [1, 2]);
    const options = { outputs: ["y"], transfer: new Set(["x"]), giveBack: ["x"] };
    const { back = new Map<string, Tensor>(), values } = await engine.run(plus(1), new Map([["x", x]]), options);
    expect(x.data.length).toBe(0);
    expect([...(back.get("x") as Tensor).data]).toEqual([1, 2]);
    expect([...(values.get("y") as Tensor).data]).toEqual([2, 3]);
  });

  it("says what the runtime said, and goes on", async () => {
    await using engine = new Engine();
    const broken = compiledModel(new Uint8Array([1, 2, 3]));
    await expect(engine.run(broken, feeds(), { outputs: ["y"] })).rejects.toThrow(/./);
    expect(await values(engine, 1)).toEqual([2, 3]);
  });

  it("leaves no thread, and refuses work, once closed", async () => {
    const threads = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort").length;
    const before = threads();
    const engine = new Engine({ threads: 2 });
    await Promise.all([values(engine, 1), values(engine, 2)]);
    await engine.close();
    await expect(values(engine, 1)).rejects.toThrow(/closed/);
    expect(threads()).toBeLessThanOrEqual(before);
  });
});
