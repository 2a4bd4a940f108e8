// Rules of Inference on functions: the one behind the URL has no engine and asks another, whose faults arrive as they are.
import { Code, createClient } from "@connectrpc/connect";
import { createToken } from "@sortie/core";
import { Engine } from "@sortie/pipeline";
import { createInference } from "@sortie/rpc";
import { cuvis } from "@sortie/wire";
import { afterAll, describe, expect, it } from "vitest";
import { openWorld } from "../../packages/core/src/testing/world.ts";
import { createInferFunction } from "./infer-function.ts";
import { createLog } from "./log.ts";
import { pipelineContext } from "./pipeline-context.ts";
import { remoteInfer } from "./remote-infer.ts";
import { createRpcFunction } from "./rpc-function.ts";
import { transportOnto } from "./testing/function-url.ts";

const engine = new Engine();
afterAll(() => engine.close());

const PIPELINE = {
  nodes: [{ name: "unit", class_name: "cuvis_ai.node.normalization.PerPixelUnitNorm", hparams: {} }],
  connections: [],
};

/** Both functions over the same table and blobs; they share nothing else. */
async function setUp({ withInfer = true, remainingMs = 60_000, trainMs = 60_000 } = {}) {
  const world = openWorld();
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const invocation = { awsRequestId: "one", getRemainingTimeInMillis: () => remainingMs };
  const infer = createInferFunction({ infer: createInference(pipelineContext(world), engine), log });
  const caller = {
    call: async (name: string, payload: string) => {
      expect(name).toBe("infer-function");
      return JSON.stringify(await infer(JSON.parse(payload), invocation));
    },
  };
  const rpc = createRpcFunction({
    context: world,
    auth: "token",
    log,
    trainMs,
    ...(withInfer ? { infer: remoteInfer(caller, "infer-function") } : {}),
  });
  const clientOf = async (tenant: string) => {
    const { token } = await createToken(world, { tenant });
    const headers = { authorization: `Bearer ${token}` };
    return createClient(cuvis.CuvisAIService, transportOnto(rpc, { protocol: "connect", headers }));
  };
  return { world, lines, clientOf };
}

type Client = Awaited<ReturnType<Awaited<ReturnType<typeof setUp>>["clientOf"]>>;

async function openSession(client: Client): Promise<string> {
  const { sessionId } = await client.createSession({});
  await client.loadPipeline({
    sessionId,
    pipeline: { configBytes: new TextEncoder().encode(JSON.stringify(PIPELINE)) },
  });
  return sessionId;
}

const inputs = (values: readonly number[], shape: readonly number[] = [1, 1, 1, values.length]) => ({
  extraInputs: {
    data: {
      shape: shape.map(BigInt),
      dtype: cuvis.DType.FLOAT32,
      payload: { case: "rawData" as const, value: new Uint8Array(Float32Array.from(values).buffer) },
    },
  },
});

describe("Train on functions", () => {
  it("says where to ask when the function ends before the training, and not to try again", async () => {
    const { clientOf } = await setUp({ trainMs: 0 });
    const client = await clientOf("alice");
    const sessionId = await openSession(client);
    const data = { configBytes: new TextEncoder().encode('{"data_module":"files","params":{"cubes":["x.npy"]}}') };
    const messages: cuvis.TrainStatus[] = [];
    const training = (async () => {
      const request = { sessionId, trainerType: cuvis.TrainerType.STATISTICAL, data };
      for await (const { status } of client.train(request)) messages.push(status);
    })();
    await expect(training).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: expect.stringContaining("GetTrainStatus"),
    });
    expect(messages).toEqual([cuvis.TrainStatus.RUNNING]);
    expect((await client.getTrainStatus({ sessionId })).latestProgress?.status).toBe(cuvis.TrainStatus.RUNNING);
  });
});

describe("Inference on functions", () => {
  it("is answered by the function that has an engine", async () => {
    const { clientOf, lines } = await setUp();
    const client = await clientOf("alice");
    const sessionId = await openSession(client);
    const { outputs } = await client.inference({ sessionId, inputs: inputs([1, 2, 3]) });
    const tensor = outputs["unit.normalized"];
    expect(tensor).toMatchObject({ shape: [1n, 1n, 1n, 3n], dtype: cuvis.DType.FLOAT32 });
    const bytes = tensor?.payload.case === "rawData" ? tensor.payload.value : new Uint8Array();
    const found = new Float32Array(Uint8Array.from(bytes).buffer);
    for (const [i, value] of [-Math.SQRT1_2, 0, Math.SQRT1_2].entries()) expect(found[i]).toBeCloseTo(value, 6);
    expect(lines.map((line) => JSON.parse(line).msg)).toContain("inference");
  });

  it("gives faults with their codes and words", async () => {
    const { clientOf } = await setUp();
    const [alice, bob] = [await clientOf("alice"), await clientOf("bob")];
    const sessionId = await openSession(alice);
    await expect(bob.inference({ sessionId, inputs: inputs([1]) })).rejects.toMatchObject({ code: Code.NotFound });
    const { sessionId: empty } = await alice.createSession({});
    await expect(alice.inference({ sessionId: empty })).rejects.toMatchObject({ code: Code.FailedPrecondition });
    await expect(alice.inference({ sessionId, inputs: inputs([1, 2], [1, 1, 1, 3]) })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining('inputs.extra_inputs["data"]'),
    });
  });

  it("has the files of its caller, for nodes that write some", async () => {
    const { clientOf, world } = await setUp();
    const client = await clientOf("alice");
    const hparams = { output_dir: "/outputs/features" };
    const nodes = [{ name: "w", class_name: "cuvis_ai.node.numpy_writer.NumpyFeatureWriterNode", hparams }];
    const { sessionId } = await client.createSession({});
    const configBytes = new TextEncoder().encode(JSON.stringify({ nodes, connections: [] }));
    await client.loadPipeline({ sessionId, pipeline: { configBytes } });
    const frameId = {
      shape: [1n],
      dtype: cuvis.DType.INT64,
      payload: { case: "rawData" as const, value: new Uint8Array(BigInt64Array.of(4n).buffer) },
    };
    const features = inputs([1, 2, 3], [1, 1, 3]).extraInputs.data;
    await client.inference({ sessionId, inputs: { extraInputs: { features, frame_id: frameId } } });
    expect(world.blobs.keys.filter((key) => key.startsWith("files/"))).toEqual([
      expect.stringMatching(/^files\/alice\/outputs\/features\/.*_000004\.npy$/),
    ]);
  });

  it("says nothing of the insides when something breaks", async () => {
    const { clientOf, world, lines } = await setUp();
    const client = await clientOf("alice");
    const sessionId = await openSession(client);
    const get = world.table.get.bind(world.table);
    world.table.get = (key, ...rest) =>
      key.pk.startsWith("session#") ? Promise.reject(new Error("secret of the inside")) : get(key, ...rest);
    const error = await client.inference({ sessionId, inputs: inputs([1]) }).catch((fault) => fault);
    expect(error).toMatchObject({ code: Code.Internal });
    expect(error.rawMessage).not.toContain("secret");
    expect(lines.join()).toContain("secret of the inside");
  });

  it("is told to be a job where it takes too long", async () => {
    const late = await setUp({ remainingMs: 0 });
    const client = await late.clientOf("alice");
    const sessionId = await openSession(client);
    await expect(client.inference({ sessionId, inputs: inputs([1]) })).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: expect.stringContaining("sortie.v1.InferenceService"),
    });
  });

  it("is UNIMPLEMENTED, and says what to do, where there is no such function", async () => {
    const { clientOf } = await setUp({ withInfer: false });
    const client = await clientOf("alice");
    const sessionId = await openSession(client);
    await expect(client.inference({ sessionId, inputs: inputs([1]) })).rejects.toMatchObject({
      code: Code.Unimplemented,
      rawMessage: expect.stringMatching(/SORTIE_INFER_FUNCTION is not set.*sortie\.v1\.InferenceService/),
    });
  });
});
