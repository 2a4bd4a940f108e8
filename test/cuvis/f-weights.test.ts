// LoadPipelineWeights.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { expect } from "vitest";
import { refused } from "../conformance/session.ts";
import type { Cuvis } from "./client.ts";
import { scenarios, sharedData, sharedWorld } from "./harness.ts";
import { readVectors, toFloats } from "./reference.ts";
import { cube, floatsOf, tensor, wavelengths } from "./tensors.ts";
import { checkpoint } from "./weights.ts";

const scenario = scenarios(sharedWorld());
const SELECTOR = "SoftChannelSelector";

const byPath = (client: Cuvis, sessionId: string, value: string, strict?: boolean) =>
  client.rpc.loadPipelineWeights({
    sessionId,
    weightsSource: { case: "weightsPath", value },
    ...(strict === undefined ? {} : { strict }),
  });
const byBytes = (client: Cuvis, sessionId: string, value: Uint8Array, strict?: boolean) =>
  client.rpc.loadPipelineWeights({
    sessionId,
    weightsSource: { case: "weightsBytes", value },
    ...(strict === undefined ? {} : { strict }),
  });
const logits = (value: number) => Float32Array.from({ length: 61 }, (_, i) => (i === 0 ? value : 0));
const weightsOf = async (client: Cuvis, sessionId: string) =>
  floatsOf((await client.inferCube(sessionId, cube(), wavelengths())).outputs[`${SELECTOR}.weights`]);

scenario(46, async (client) => {
  const sessionId = await client.session();
  await refused(byPath(client, sessionId, "weights.pt"), Code.FailedPrecondition, /pipeline/);
  await refused(
    client.rpc.loadPipelineWeights({ sessionId }),
    Code.FailedPrecondition,
    /pipeline.*LoadPipeline.*RestoreTrainRun/,
  );
});

scenario(47, async (client, world) => {
  const sessionId = await client.loaded("statistical_based");
  await refused(byPath(client, sessionId, world.path("outputs/none.pt")), Code.NotFound, /not found.*none\.pt/);
  await refused(
    byPath(client, sessionId, "pipeline/statistical_based"),
    Code.NotFound,
    /not found.*statistical_based\.pt/,
  );
  // What lies outside of the allowed folders is not there either.
  await refused(byPath(client, sessionId, "/etc/passwd"), Code.NotFound, "not found");
});

scenario(48, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const other = checkpoint({ SomebodyElse: { weight: new Float32Array(3) } });
  const path = await world.write("outputs/f48.pt", other);
  expect(await byPath(client, sessionId, path, false)).toMatchObject({ success: true, resolvedPath: path });
  expect(await byBytes(client, sessionId, other, false)).toMatchObject({ success: true });
  expect(await byPath(client, sessionId, path, true)).toMatchObject({ success: true, resolvedPath: path });
});

scenario(49, async (client, world, test) => {
  const published = sharedData(test);
  const shipped = readFileSync(join(published, "weights", "gradient_based.pt"));
  const path = await world.write("configs/pipeline/gradient_based.pt", shipped);
  const sessionId = await client.loaded("gradient_based");
  const { success } = await byPath(client, sessionId, path, true);
  expect(success).toBe(true);
});

scenario(50, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const bytes = checkpoint({ [SELECTOR]: { channel_logits: logits(3) } });
  expect(await byBytes(client, sessionId, bytes)).toMatchObject({ success: true, resolvedPath: "(client-bytes)" });
  for (const request of [
    () => client.rpc.loadPipelineWeights({ sessionId }),
    () => byPath(client, sessionId, ""),
    () => byBytes(client, sessionId, new Uint8Array()),
  ]) {
    await refused(request(), Code.InvalidArgument, /weights_path.*weights_bytes/);
  }
  await refused(byBytes(client, sessionId, Uint8Array.of(1, 2, 3)), Code.Internal, /^Failed to load weights: /);
});

scenario(51, async (client) => {
  const sessionId = await client.loaded("gradient_based");
  const extra = checkpoint({ [SELECTOR]: { channel_logits: logits(2), more: new Float32Array(1) } });
  const missing = checkpoint({ [SELECTOR]: { more: new Float32Array(1) } });
  const wrong = checkpoint({ [SELECTOR]: { channel_logits: new Float32Array(7) } });
  await refused(byBytes(client, sessionId, extra), Code.Internal, /^Failed to load weights: .*more/);
  await refused(byBytes(client, sessionId, missing), Code.Internal, /^Failed to load weights: .*channel_logits/);
  for (const strict of [true, false]) {
    await refused(
      byBytes(client, sessionId, wrong, strict),
      Code.Internal,
      /^Failed to load weights: .*channel_logits/,
    );
  }
  expect((await byBytes(client, sessionId, extra, false)).success).toBe(true);
  expect((await byBytes(client, sessionId, missing, false)).success).toBe(true);
  const single = await weightsOf(client, sessionId);
  const double = checkpoint({ [SELECTOR]: { channel_logits: Float64Array.from(logits(2)) } });
  expect((await byBytes(client, sessionId, double)).success).toBe(true);
  expect(await weightsOf(client, sessionId)).toEqual(single);
  expect(single[0]! / single[1]!).toBeCloseTo(Math.exp(2), 4);
});

scenario(52, async (client, world) => {
  const sessionId = await client.loaded("gradient_based");
  const path = await world.write("outputs/f52/found.pt", checkpoint({ [SELECTOR]: { channel_logits: logits(1) } }));
  await client.rpc.setSessionSearchPaths({ sessionId, searchPaths: [world.path("outputs/f52")] });
  for (const name of ["found.pt", "found"]) {
    expect(await byPath(client, sessionId, name)).toMatchObject({ success: true, resolvedPath: path });
  }
});

scenario(53, async (client, world, test) => {
  const published = sharedData(test);
  const sessionId = await client.loaded("anomaly/rx/channel_selector");
  const shipped = readFileSync(join(published, "weights", "channel_selector.pt"));
  await byPath(client, sessionId, await world.write("outputs/channel_selector.pt", shipped));
  const expected = readVectors().shipped;
  const given = expected["cube"]!;
  const found = await client.inferCube(
    sessionId,
    tensor(cuvis.DType.FLOAT32, given.shape, toFloats(given)),
    wavelengths(),
  );
  for (const key of ["SoftChannelSelector.weights", "RXGlobal.scores", "ScoreToLogit.logits"]) {
    const [values, wanted] = [floatsOf(found.outputs[key]), toFloats(expected[key]!)];
    expect(values.length).toBe(wanted.length);
    for (const [i, value] of wanted.entries()) {
      expect(Math.abs(values[i]! - value), `${key}[${i}]`).toBeLessThanOrEqual(1e-4 * Math.abs(value));
    }
  }
});
