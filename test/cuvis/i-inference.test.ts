// Inference.
import { rmSync, writeFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { expect, onTestFinished } from "vitest";
import { refused, UNKNOWN_ID } from "../conformance/session.ts";
import { ownWorld, scenarios, sharedWorld } from "./harness.ts";
import {
  BANDS,
  counts,
  cube,
  floatsOf,
  rawOf,
  shapeOf,
  type TensorInit,
  tensor,
  wavelengths,
  writeScenes,
} from "./tensors.ts";

const { DType } = cuvis;
const scenario = scenarios(sharedWorld());
const SELECTED = "SoftChannelSelector.selected";
const WEIGHTS = "SoftChannelSelector.weights";
const sortedKeys = (answer: cuvis.InferenceResponse) => Object.keys(answer.outputs).sort();

scenario(64, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const answer = await client.inferCube(sessionId, cube(), wavelengths());
  expect(sortedKeys(answer)).toEqual([
    "LentilsAnomalyDataNode.cube",
    "LentilsAnomalyDataNode.mask",
    "LentilsAnomalyDataNode.wavelengths",
    SELECTED,
    WEIGHTS,
  ]);
  expect(shapeOf(answer.outputs[SELECTED])).toEqual([1, 2, 2, BANDS]);
  expect(answer.outputs["LentilsAnomalyDataNode.mask"]).toMatchObject({ dtype: DType.BOOL, shape: [1n, 2n, 2n] });
});

scenario(65, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const keysFor = async (...specs: string[]) =>
    sortedKeys(await client.inferCube(sessionId, cube(), wavelengths(), ...specs));
  expect(await keysFor(SELECTED)).toEqual([SELECTED]);
  expect(await keysFor("selected")).toEqual([SELECTED]);
  expect(await keysFor("SoftChannelSelector")).toEqual([]);
  expect(await keysFor("unknown")).toEqual([]);
  expect(await keysFor("unknown", "weights", SELECTED)).toEqual([SELECTED, WEIGHTS]);
});

scenario(66, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const text = "Inference failed: Node 'LentilsAnomalyDataNode' missing required inputs: ['cube', 'wavelengths']";
  await refused(client.infer(sessionId, {}), Code.Internal, text);
  await refused(client.rpc.inference({ sessionId }), Code.Internal, text);
  await refused(client.infer(sessionId, { cube: cube() }), Code.Internal, "['wavelengths']");
});

scenario(67, async (client) => {
  const sessionId = await client.session();
  await refused(client.infer(sessionId, { cube: cube() }), Code.FailedPrecondition, /pipeline/);
  await refused(client.infer(UNKNOWN_ID, { cube: cube() }), Code.NotFound, /not found/);
});

scenario(68, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const bboxes = { boxes: [{ elementId: 0, xMin: 1, yMin: 2, xMax: 3, yMax: 4, objectId: 7 }] };
  const points = {
    points: [
      { elementId: 0, x: 0.5, y: 0.5, type: cuvis.PointType.POSITIVE },
      { x: 1, y: 1 },
    ],
  };
  const given = { cube: cube(), wavelengths: wavelengths() };
  for (const more of [{ bboxes }, { points }, { textPrompt: "lentils" }, { bboxes, points, textPrompt: "lentils" }]) {
    expect(Object.keys((await client.infer(sessionId, { ...given, ...more })).outputs)).toContain(SELECTED);
  }
});

scenario(69, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const { outputs } = await client.inferCube(sessionId, cube(), wavelengths());
  const values = counts([1, 2, 2, BANDS]);
  for (const weight of floatsOf(outputs[WEIGHTS])) expect(weight).toBeCloseTo(1 / BANDS, 7);
  for (const [i, value] of floatsOf(outputs[SELECTED]).entries()) expect(value).toBeCloseTo(values[i]! / BANDS, 3);
});

scenario(70, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const infer = (given: TensorInit, bands: TensorInit = wavelengths()) => client.inferCube(sessionId, given, bands);
  const size = 4 * BANDS;
  const floats = tensor(DType.FLOAT32, [1, 2, 2, BANDS], new Float32Array(size));
  await refused(infer(floats), Code.Internal, /^Inference failed: .*mismatch/i);
  await refused(infer(tensor(DType.UINT16, [2, 2, BANDS], new Uint16Array(size))), Code.Internal, /mismatch/i);
  const flat = tensor(DType.INT32, [BANDS], new Int32Array(BANDS));
  await refused(infer(cube(), flat), Code.Internal, /wavelengths.*mismatch|mismatch.*wavelengths/i);
  await refused(infer({ ...cube(), dtype: DType.UNSPECIFIED }), Code.InvalidArgument, /inputs\.cube.*dtype/);
  await refused(
    infer(tensor(DType.UINT16, [1, 2, 2, BANDS], new Uint16Array(3))),
    Code.InvalidArgument,
    /inputs\.cube/,
  );
  await refused(infer(tensor(DType.UINT16, [1, 2, -2, BANDS], new Uint16Array(3))), Code.InvalidArgument, /shape/);
  await refused(infer(cube([1, 2, 2, 62]), wavelengths(1, 62)), Code.Internal, /^Inference failed: /);
});

scenario(71, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const two = await client.inferCube(sessionId, cube([2, 2, 2, BANDS]), wavelengths(2));
  expect(shapeOf(two.outputs[SELECTED])).toEqual([2, 2, 2, BANDS]);
  expect(shapeOf(two.outputs["LentilsAnomalyDataNode.mask"])).toEqual([2, 2, 2]);
  const none = await client.inferCube(sessionId, cube([1, 0, 2, BANDS]), wavelengths());
  expect(shapeOf(none.outputs[SELECTED])).toEqual([1, 0, 2, BANDS]);
  expect(rawOf(none.outputs[SELECTED])).toHaveLength(0);
});

scenario(72, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const given = { cube: cube(), wavelengths: wavelengths() };
  const plain = await client.infer(sessionId, given, SELECTED);
  const values = async (extraInputs: Record<string, TensorInit>, inputs: object = given) =>
    rawOf((await client.infer(sessionId, { ...inputs, extraInputs }, SELECTED)).outputs[SELECTED]);
  const expected = rawOf(plain.outputs[SELECTED]);
  const nonsense = tensor(DType.FLOAT32, [1, 2, 2, BANDS], new Float32Array(4 * BANDS));
  expect(await values({ nobody_wants_it: nonsense })).toEqual(expected);
  // `data` is the selector's connected port.
  expect(await values({ data: nonsense })).toEqual(expected);
  expect(await values({ cube: cube([1, 2, 2, BANDS], 9) })).not.toEqual(expected);
  expect(await values({ cube: cube() }, { wavelengths: wavelengths() })).toEqual(expected);
});

scenario(73, async (plain) => {
  const world = await ownWorld(["--shared-memory"]);
  const client = world.connect();
  onTestFinished(() => client.disconnect());
  const name = `sortie-test-${crypto.randomUUID()}`;
  const values = counts([1, 2, 2, BANDS]);
  writeFileSync(`/dev/shm/${name}`, Buffer.concat([Buffer.alloc(16), Buffer.from(values.buffer)]));
  onTestFinished(() => rmSync(`/dev/shm/${name}`));
  const sessionId = await client.loaded("gradient_based");
  const shared = (
    value: { name: string; byteOffset: bigint; byteSize: bigint },
    shape = [1, 2, 2, BANDS],
  ): TensorInit => ({
    dtype: DType.UINT16,
    shape: shape.map(BigInt),
    payload: { case: "shmRef", value: value as never },
  });
  const byteSize = BigInt(values.byteLength);
  const place = { name, byteOffset: 16n, byteSize };
  const infer = (given: TensorInit) => client.inferCube(sessionId, given, wavelengths(), SELECTED);
  const expected = rawOf((await infer(cube())).outputs[SELECTED]);
  expect(rawOf((await infer(shared(place))).outputs[SELECTED])).toEqual(expected);
  expect(rawOf((await infer(shared({ ...place, name: `/${name}` }))).outputs[SELECTED])).toEqual(expected);
  const empty = await infer(shared({ name: "nobody-has-it", byteOffset: 0n, byteSize: 0n }, [1, 0, 2, BANDS]));
  expect(rawOf(empty.outputs[SELECTED])).toHaveLength(0);
  await refused(infer(shared({ ...place, byteSize: byteSize - 2n })), Code.InvalidArgument, "shm_ref");
  await refused(infer(shared({ ...place, byteOffset: 1n })), Code.InvalidArgument, "shm_ref");
  await refused(infer(shared({ ...place, byteOffset: 18n })), Code.InvalidArgument, name);
  for (const wrong of ["../etc/passwd", "a/b", "..", "", "/"]) {
    await refused(infer(shared({ ...place, name: wrong })), Code.InvalidArgument, "shm_ref.name");
  }
  await refused(infer(shared({ ...place, name: `${name}-not` })), Code.NotFound, "not found");
  // A server that was not told to reads none.
  const other = await plain.loaded("gradient_based");
  await refused(plain.inferCube(other, shared(place), wavelengths()), Code.InvalidArgument, /raw_data/);
});

scenario(74, async (client, world) => {
  const data = await writeScenes(world, "i74");
  const given = [cube([1, 4, 4, BANDS]), wavelengths()] as const;
  const expected = {
    "anomaly/rx/rx_statistical": [
      "BinaryDecider.decisions",
      "LentilsAnomalyDataNode.cube",
      "LentilsAnomalyDataNode.wavelengths",
      "MinMaxNormalizer.normalized",
      "RXGlobal.scores",
      "ScoreToLogit.logits",
    ],
    "anomaly/rx/channel_selector": [
      "BinaryDecider.decisions",
      "LentilsAnomalyDataNode.cube",
      "LentilsAnomalyDataNode.wavelengths",
      "MinMaxNormalizer.normalized",
      "RXGlobal.scores",
      "ScoreToLogit.logits",
      SELECTED,
      WEIGHTS,
    ],
    "anomaly/deep_svdd/deep_svdd": [
      "LentilsAnomalyDataNode.cube",
      "LentilsAnomalyDataNode.wavelengths",
      "ZScoreNormalizerGlobal.normalized",
      "bandpass.filtered",
      "decider.decisions",
      "projection.embeddings",
      "scores.scores",
      "tracker.center",
      "unit_norm.normalized",
    ],
  };
  for (const [name, keys] of Object.entries(expected)) {
    const sessionId = await client.loaded(name);
    await refused(client.inferCube(sessionId, ...given), Code.Internal, /^Inference failed: .*fit/i);
    await client.fit(sessionId, data);
    const answer = await client.inferCube(sessionId, ...given);
    expect(sortedKeys(answer), name).toEqual(keys);
    expect(answer.metrics, name).toEqual({});
    const decisions = answer.outputs[name.includes("svdd") ? "decider.decisions" : "BinaryDecider.decisions"];
    expect(decisions).toMatchObject({ dtype: DType.BOOL, shape: [1n, 4n, 4n, 1n] });
    // The data node hands wavelengths on as one row.
    expect(shapeOf(answer.outputs["LentilsAnomalyDataNode.wavelengths"])).toEqual([BANDS]);
    // Asking for less computes less, and an answer of less.
    expect(sortedKeys(await client.inferCube(sessionId, ...given, "decisions"))).toHaveLength(1);
    // With an index of the measurement, that comes out as well.
    const mesuIndex = tensor(DType.INT64, [1], BigInt64Array.of(5n));
    const indexed = await client.infer(sessionId, { cube: given[0], wavelengths: given[1], mesuIndex });
    expect(sortedKeys(indexed)).toContain("LentilsAnomalyDataNode.mesu_index");
  }
});
