// Every node gives the reference's numbers, run by ONNX Runtime and by the plain interpreter.
import { afterAll, describe, expect, it } from "vitest";
import { at, isTensor, type Tensor, type Value } from "../graph/tensor.ts";
import { Engine } from "../runtime/engine.ts";
import {
  difference,
  FLOAT32,
  INVERSE,
  isVectorTensor,
  readVectors,
  toBatch,
  toTensor,
  type VectorCase,
  type VectorTensor,
} from "../testing/vectors.ts";
import { Pipeline } from "./pipeline.ts";

const engine = new Engine();
afterAll(() => engine.close());
const vectors = readVectors();

const loose = (id: string): boolean => /^(rx|pca)/.test(id);

const one = (test: VectorCase): Pipeline =>
  new Pipeline({ nodes: [{ name: "node", class_name: test.class_name, hparams: test.hparams }], connections: [] });

/** Signs of principal components are arbitrary, image by image: turns them as in the reference. */
function alignSigns(found: Map<string, Value>, expected: Readonly<Record<string, unknown>>): void {
  for (const name of ["components", "projected"]) {
    const [value, wanted] = [found.get(`node.${name}`), expected[name]];
    if (!expected["components"] || !isTensor(value) || !isVectorTensor(wanted)) continue;
    const count = (expected["components"] as VectorTensor).shape[0] as number;
    const images = name === "components" ? 1 : (value.shape[0] as number);
    const step = name === "components" ? 1 : count;
    const length = value.data.length / images / count;
    for (let b = 0; b < images; b++) {
      for (let k = 0; k < count; k++) {
        const start = b * length * count + (name === "components" ? k * length : k);
        let dot = 0;
        for (let i = 0; i < length; i++) dot += at(value, start + i * step) * Number(wanted.data[start + i * step]);
        if (dot < 0) flip(value, start, length, step);
      }
    }
  }
}

function flip(t: Tensor, start: number, length: number, step: number): void {
  for (let i = start; i < t.data.length && (i - start) / step < length; i += step) t.data[i] = -at(t, i) as never;
}

function flipState(state: Map<string, Tensor>, expected: Readonly<Record<string, VectorTensor>>): void {
  const [components, wanted] = [state.get("_components"), expected["_components"]];
  if (!components || !wanted) return;
  const [count, channels] = components.shape as [number, number];
  for (let k = 0; k < count; k++) {
    let dot = 0;
    for (let c = 0; c < channels; c++) dot += at(components, k * channels + c) * Number(wanted.data[k * channels + c]);
    if (dot < 0) flip(components, k * channels, channels, 1);
  }
}

function expectState(pipeline: Pipeline, expected: Readonly<Record<string, VectorTensor>>, id: string): void {
  const found = pipeline.stateDict().get("node") ?? new Map<string, Tensor>();
  expect([...found.keys()].sort()).toEqual(Object.keys(expected).sort());
  flipState(found, expected);
  for (const [name, wanted] of Object.entries(expected)) {
    expect(difference(found.get(name), wanted, loose(id) ? INVERSE : FLOAT32, name)).toBeUndefined();
  }
}

describe("the reference vectors", () => {
  it.each(vectors.cases.map((test) => [test.id, test] as const))("%s", async (id, test) => {
    const calls = (Array.isArray(test.inputs) ? test.inputs : [test.inputs]) as Readonly<
      Record<string, VectorTensor>
    >[];
    const results = (Array.isArray(test.outputs) ? test.outputs : [test.outputs]) as Readonly<
      Record<string, unknown>
    >[];
    for (const interpreted of [false, true]) {
      const pipeline = one(test);
      if (test.fit) {
        const batches = test.fit.map(toBatch);
        await pipeline.fit(() => batches, { engine });
        expectState(pipeline, test.fitted_state ?? {}, id);
      }
      if (test.state) {
        const state = new Map(Object.entries(test.state).map(([name, value]) => [name, toTensor(value)]));
        pipeline.loadStateDict(new Map([["node", state]]));
      }
      for (const [i, call] of calls.entries()) {
        const options = { stage: test.stage, training: !test.evaluation_mode };
        const found = interpreted
          ? pipeline.interpret(toBatch(call), options)
          : await pipeline.run(toBatch(call), { ...options, engine });
        const expected = results[i] as Readonly<Record<string, unknown>>;
        alignSigns(found, expected);
        for (const [name, wanted] of Object.entries(expected)) {
          const tolerance = loose(id) ? INVERSE : FLOAT32;
          expect(difference(found.get(`node.${name}`), wanted, tolerance, name)).toBeUndefined();
        }
      }
      if (test.state_after) expectState(pipeline, test.state_after, id);
    }
  });
});
