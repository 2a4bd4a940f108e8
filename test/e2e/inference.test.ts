// Inference as a job on a real server process: a cube in chunks gives what a small call gives, cancelling is final, and
// whatever does not fit is refused by name.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { InferenceClient, type InputArray, RemoteError, SortieClient } from "@sortie/client";
import { Engine, Pipeline, tensor, writeNpy } from "@sortie/pipeline";
import { encodeWeights } from "@sortie/sessions";
import {
  CuOptRemoteService,
  cuvis,
  ElementType,
  InferenceService,
  JobKind,
  JobService,
  UploadState,
} from "@sortie/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedServer as Server } from "../conformance/embedded-server.ts";
import { refused, UNKNOWN_ID } from "../conformance/session.ts";

const BANDS = 61;
const MIB = 2 ** 20;

const PIPELINE = {
  nodes: [
    { name: "data", class_name: "cuvis_ai.node.data.CU3SDataNode", hparams: {} },
    { name: "rx", class_name: "cuvis_ai.anomaly.rx_detector.RXGlobal", hparams: { num_channels: BANDS } },
    { name: "logit", class_name: "cuvis_ai.node.conversion.ScoreToLogit", hparams: {} },
  ],
  connections: [
    { source: "data.outputs.cube", target: "rx.inputs.data" },
    { source: "rx.outputs.scores", target: "logit.inputs.scores" },
  ],
  metadata: { name: "RX" },
};

/** Numbers 0..1, the same in every run. */
function noise(length: number, seed: number): Float32Array {
  const values = new Float32Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 4294967296;
  }
  return values;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

const wavelengths = (): InputArray => ({
  name: "wavelengths",
  dtype: "int32",
  shape: [1, BANDS],
  bytes: bytesOf(Int32Array.from({ length: BANDS }, (_, i) => 400 + 10 * i)),
});

const cubeOf = (values: Float32Array, lines: number, samples: number): InputArray => ({
  name: "cube",
  dtype: "float32",
  shape: [1, lines, samples, BANDS],
  bytes: bytesOf(values),
});

let folder: string;
let server: Server;
let manager: Http2SessionManager;
let transport: Transport;
let weights: Uint8Array;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sortie-inference-"));
  const data = join(folder, "data");
  mkdirSync(data);
  const [header, elements] = writeNpy(tensor("float32", [16, 16, BANDS], noise(16 * 16 * BANDS, 7)) as never);
  writeFileSync(join(data, "cube.npy"), Buffer.concat([header, elements]));
  server = new Server(["--workers", "1", "--pipeline-roots", data]);
  await server.start();
  // Node's client refuses headers while more than its own bound of bytes waits to be sent.
  manager = new Http2SessionManager(server.url(), {}, { maxSessionMemory: 1024 });
  transport = createGrpcTransport({ baseUrl: server.url(), sessionManager: manager });

  await using engine = new Engine();
  const pipeline = new Pipeline(PIPELINE as never);
  const training = {
    cube: tensor("float32", [1, 64, 64, BANDS], noise(64 * 64 * BANDS, 3)),
    wavelengths: tensor("int32", [1, BANDS], new Int32Array(BANDS)),
  };
  await pipeline.fit(() => [training], { engine });
  weights = encodeWeights(pipeline);
  await pipeline.close();
});
afterAll(async () => {
  manager.abort();
  await server.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const sessions = (over: Transport = transport) => createClient(cuvis.CuvisAIService, over);
const inference = () => createClient(InferenceService, transport);
const connected = async () => {
  const client = new SortieClient(transport);
  await client.connect();
  return client;
};

/** A session with the pipeline and its weights. */
async function openSession(): Promise<string> {
  const { sessionId } = await sessions().createSession({});
  const configBytes = new TextEncoder().encode(JSON.stringify(PIPELINE));
  await sessions().loadPipeline({ sessionId, pipeline: { configBytes } });
  await loadWeights(sessionId, weights);
  return sessionId;
}

const loadWeights = (sessionId: string, bytes: Uint8Array) =>
  sessions().loadPipelineWeights({ sessionId, weightsSource: { case: "weightsBytes", value: bytes } });

async function outputsOf(
  jobId: string,
): Promise<ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>> {
  await (await connected()).wait(jobId);
  const { arrays } = await new InferenceClient(transport, { chunkBytes: MIB }).outputs(jobId);
  return new Map(
    arrays
      .filter(({ dtype }) => dtype === "float32")
      .map(({ name, shape, bytes }) => [name, { shape, data: new Float32Array(bytes.buffer) }]),
  );
}

/** What the small call says. */
async function inferred(sessionId: string, values: Float32Array, lines: number, samples: number) {
  const input = ({ dtype, shape, bytes }: InputArray) => ({
    dtype: dtype === "int32" ? cuvis.DType.INT32 : cuvis.DType.FLOAT32,
    shape: shape.map(BigInt),
    payload: { case: "rawData" as const, value: bytes },
  });
  const answer = await sessions().inference({
    sessionId,
    inputs: { cube: input(cubeOf(values, lines, samples)), wavelengths: input(wavelengths()) },
    outputSpecs: ["scores"],
  });
  const payload = answer.outputs["rx.scores"]?.payload;
  if (payload?.case !== "rawData") throw new Error("there are no scores");
  return new Float32Array(Uint8Array.from(payload.value).buffer);
}

const upload = async (inputs: readonly InputArray[]): Promise<string> => {
  const { uploadId } = await inference().startInputUpload({});
  for (const { name, bytes } of inputs) {
    await inference().sendInputChunk({ uploadId, input: name, totalBytes: BigInt(bytes.byteLength), data: bytes });
  }
  return uploadId;
};

const declared = ({ name, shape }: InputArray, elementType: ElementType) => ({
  name,
  elementType,
  shape: shape.map(BigInt),
});

describe("an inference whose cube comes in chunks", () => {
  it("gives the scores that the small call gives for a crop", async () => {
    const [lines, samples, crop] = [512, 512, 24];
    const sessionId = await openSession();
    const cube = noise(lines * samples * BANDS, 11);
    let chunks = 0;
    const jobId = await new InferenceClient(transport, { chunkBytes: 8 * MIB }).submit(
      { sessionId, inputs: [cubeOf(cube, lines, samples), wavelengths()], outputs: ["rx.scores"] },
      { onProgress: () => chunks++ },
    );
    expect(chunks).toBeGreaterThan(6);
    const outputs = await outputsOf(jobId);
    expect([...outputs.keys()]).toEqual(["rx.scores"]);
    const scores = outputs.get("rx.scores")!;
    expect(scores.shape).toEqual([1, lines, samples, 1]);
    const part = new Float32Array(crop * crop * BANDS);
    for (let y = 0; y < crop; y++) {
      const from = ((100 + y) * samples + 200) * BANDS;
      part.set(cube.subarray(from, from + crop * BANDS), y * crop * BANDS);
    }
    const small = await inferred(sessionId, part, crop, crop);
    for (let i = 0; i < small.length; i++) {
      const big = scores.data[(100 + Math.floor(i / crop)) * samples + 200 + (i % crop)]!;
      expect(Math.abs(big - small[i]!)).toBeLessThanOrEqual(1e-5 * Math.abs(small[i]!));
    }
    const { job } = await createClient(JobService, transport).getJob({ id: jobId });
    expect(job).toMatchObject({ kind: JobKind.INFER, resultSizeBytes: BigInt(4 * lines * samples) });
    expect(job?.timings).toMatchObject({ load: expect.any(Number), solve: expect.any(Number) });
    const log: string[] = [];
    for await (const { text } of (await connected()).logs(jobId)) log.push(text);
    expect(log[0]).toContain("INFER RX with cube float32 [1, 512, 512, 61]");
  });

  it("is what the session was at submission, whatever becomes of the session", async () => {
    const sessionId = await openSession();
    const cube = noise(8 * 8 * BANDS, 5);
    const expected = await inferred(sessionId, cube, 8, 8);
    // The only worker is busy meanwhile.
    const busy = await new InferenceClient(transport).submit({
      sessionId,
      inputs: [cubeOf(noise(256 * 256 * BANDS, 1), 256, 256), wavelengths()],
    });
    const jobId = await new InferenceClient(transport).submit({
      sessionId,
      inputs: [cubeOf(cube, 8, 8), wavelengths()],
      outputs: ["scores"],
    });
    await sessions().closeSession({ sessionId });
    expect((await outputsOf(jobId)).get("rx.scores")?.data).toEqual(expected);
    await outputsOf(busy);
  });

  it("can be taken up again where it was left", async () => {
    const { uploadId } = await inference().startInputUpload({});
    const send = (byteOffset: bigint, byte: number) =>
      inference().sendInputChunk({
        uploadId,
        input: "cube",
        byteOffset,
        totalBytes: 12n,
        data: new Uint8Array(4).fill(byte),
      });
    await send(0n, 1);
    await send(8n, 3);
    const state = await inference().getInputState({ uploadId });
    expect(state).toMatchObject({
      state: UploadState.OPEN,
      inputs: [{ name: "cube", totalBytes: 12n, receivedBytes: 8n }],
    });
    expect(state.inputs[0]?.received).toMatchObject([
      { byteOffset: 0n, bytes: 4n },
      { byteOffset: 8n, bytes: 4n },
    ]);
    await send(0n, 1);
    await refused(send(0n, 2), Code.InvalidArgument, /array cube: elements 0 to 3 overlap/);
  });

  it("is the same job when it is submitted again under the same key, also when its session is gone", async () => {
    const sessionId = await openSession();
    const cube = cubeOf(noise(4 * 4 * BANDS, 5), 4, 4);
    const uploadId = await upload([cube, wavelengths()]);
    const inputs = [declared(cube, ElementType.FLOAT32), declared(wavelengths(), ElementType.INT32)];
    const submit = (outputs: string[]) =>
      inference().submitInference(
        { sessionId, uploadId, inputs, outputs },
        { headers: { "idempotency-key": "one inference" } },
      );
    const { jobId } = await submit(["scores"]);
    expect((await submit(["scores"])).jobId).toBe(jobId);
    expect((await inference().getInputState({ uploadId })).jobId).toBe(jobId);
    await sessions().closeSession({ sessionId });
    expect((await submit(["scores"])).jobId).toBe(jobId);
    await refused(submit([]), Code.AlreadyExists, /"one inference" was used before for another request/);
    await outputsOf(jobId);
    expect((await submit(["scores"])).jobId).toBe(jobId);
  });

  it("on files alone is the same job under the same key, also when its session is gone", async () => {
    const sessionId = await openSession();
    const path = join(folder, "data", "cube.npy");
    const inputs = [
      { name: "cube", source: { case: "file" as const, value: { path } } },
      { name: "wavelengths", source: { case: "file" as const, value: { path } } },
    ];
    const submit = () =>
      inference().submitInference({ sessionId, inputs }, { headers: { "idempotency-key": "files alone" } });
    const { jobId } = await submit();
    await sessions().closeSession({ sessionId });
    expect((await submit()).jobId).toBe(jobId);
  });

  it("is cancelled for good", async () => {
    const sessionId = await openSession();
    const blocker = await new InferenceClient(transport).submit({
      sessionId,
      inputs: [cubeOf(noise(256 * 256 * BANDS, 1), 256, 256), wavelengths()],
    });
    const jobId = await new InferenceClient(transport).submit({
      sessionId,
      inputs: [cubeOf(noise(256 * 256 * BANDS, 2), 256, 256), wavelengths()],
    });
    const client = await connected();
    expect(await client.cancel(jobId)).toMatchObject({ cancelled: true });
    await expect(client.wait(jobId)).rejects.toMatchObject({ state: "cancelled" });
    await refused(inference().startOutputDownload({ jobId }), Code.FailedPrecondition, /the job is cancelled/);
    await client.wait(blocker);
    expect(await client.delete(blocker)).toMatchObject({ deleted: true });
    await refused(inference().startOutputDownload({ jobId: blocker }), Code.NotFound);
  });
});

describe("an inference on a file of the server", () => {
  it("reads the cube there, and gives the same as sending it", async () => {
    const sessionId = await openSession();
    const jobId = await new InferenceClient(transport).submit({
      sessionId,
      inputs: [wavelengths()],
      files: { cube: { path: join(folder, "data", "cube.npy") } },
      outputs: ["rx.scores"],
    });
    const expected = await inferred(sessionId, noise(16 * 16 * BANDS, 7), 16, 16);
    expect((await outputsOf(jobId)).get("rx.scores")).toEqual({ shape: [1, 16, 16, 1], data: expected });
  });

  it("is refused outside of the folders that the server may read", async () => {
    const sessionId = await openSession();
    for (const path of ["/etc/passwd", join(folder, "data", "..", "data", "nothing.npy")]) {
      const submit = new InferenceClient(transport).submit({
        sessionId,
        inputs: [wavelengths()],
        files: { cube: { path } },
      });
      const fault = await submit.catch((error: unknown) => error);
      expect(fault).toBeInstanceOf(RemoteError);
      expect(fault).toMatchObject({
        code: "invalid-argument",
        method: "SubmitInference",
        text: expect.stringContaining("input cube: there is no file"),
      });
    }
  });
});

describe("what does not fit is refused by name, and the upload stays open", () => {
  it.each([
    [
      "another type",
      { elementType: ElementType.INT16, input: "wavelengths" },
      /input wavelengths: Node 'data', port 'wavelengths': Dtype mismatch: expected int32, got int16/,
    ],
    [
      "another rank",
      { shape: [4n, 4n, 61n] },
      /input cube: Node 'data', port 'cube': Shape rank mismatch: expected \[-1, -1, -1, -1\], got \[4, 4, 61\]/,
    ],
    ["fewer bytes", { shape: [1n, 4n, 5n, 61n] }, /input cube: 3904 bytes were sent; float32 \[1, 4, 5, 61\] has 4880/],
    ["no type", { elementType: ElementType.UNSPECIFIED }, /input cube: element_type is UNSPECIFIED/],
  ] as const)(
    "%s",
    async (_, change: { input?: string; elementType?: ElementType; shape?: readonly bigint[] }, text) => {
      const sessionId = await openSession();
      const cube = cubeOf(noise(4 * 4 * BANDS, 5), 4, 4);
      const uploadId = await upload([cube, wavelengths()]);
      const right = [declared(cube, ElementType.FLOAT32), declared(wavelengths(), ElementType.INT32)];
      const { input = "cube", ...rest } = change;
      const inputs = right.map((each) =>
        each.name === input ? { ...each, ...rest, shape: [...(rest.shape ?? each.shape)] } : each,
      );
      await refused(inference().submitInference({ sessionId, uploadId, inputs }), Code.InvalidArgument, text);
      await outputsOf((await inference().submitInference({ sessionId, uploadId, inputs: right })).jobId);
    },
  );

  it("inputs that are missing, twice there, unknown, or not declared, and outputs that do not exist", async () => {
    const sessionId = await openSession();
    const cube = cubeOf(noise(4 * 4 * BANDS, 5), 4, 4);
    const uploadId = await upload([cube, wavelengths()]);
    const [a, b] = [declared(cube, ElementType.FLOAT32), declared(wavelengths(), ElementType.INT32)];
    const submit = (inputs: (typeof a)[], outputs: string[] = [], id = uploadId) =>
      inference().submitInference({ sessionId, uploadId: id, inputs, outputs });
    const wrong = Code.InvalidArgument;
    await refused(submit([a]), wrong, /input wavelengths is missing: node 'data' needs it as int32 \[-1, -1\]/);
    await refused(submit([a, b, a]), wrong, /input cube is declared twice/);
    await refused(
      submit([a, b, { ...a, name: "kube" }]),
      wrong,
      /input kube: the pipeline has no open port.*cube, wavelengths/,
    );
    await refused(submit([a, b], ["score"]), wrong, /output score: .* it has .*rx\.scores/);
    await refused(submit([a, b], [], ""), wrong, /input cube: no upload_id is given and no file/);
    const more = await upload([cube, wavelengths(), { ...cube, name: "mask" }]);
    await refused(submit([a, b], [], more), wrong, /input mask was sent, but the request does not declare it/);
    await refused(inference().sendInputChunk({ uploadId, input: "a/b", totalBytes: 1n }), wrong, /no name of a port/);
  });

  it("a session without a pipeline, and ids that nobody was given", async () => {
    const { sessionId } = await sessions().createSession({});
    await refused(inference().submitInference({ sessionId }), Code.FailedPrecondition, /has no pipeline/);
    await refused(inference().submitInference({ sessionId: UNKNOWN_ID }), Code.NotFound);
    await refused(inference().sendInputChunk({ uploadId: UNKNOWN_ID, input: "cube" }), Code.NotFound);
    await refused(inference().getInputState({ uploadId: UNKNOWN_ID }), Code.NotFound);
    await refused(inference().startOutputDownload({ jobId: UNKNOWN_ID }), Code.NotFound);
    await refused(inference().getOutputChunk({ downloadId: UNKNOWN_ID, output: "rx.scores" }), Code.NotFound);
    await refused(inference().finishOutputDownload({ downloadId: UNKNOWN_ID }), Code.NotFound);
  });

  it("uploads and jobs of the other kind", async () => {
    const solver = createClient(CuOptRemoteService, transport);
    const { uploadId } = await solver.startChunkedUpload({ problemHeader: { header: { version: 1 } } });
    await refused(inference().sendInputChunk({ uploadId, input: "cube", totalBytes: 1n }), Code.NotFound);
    await refused(solver.finishChunkedUpload({ uploadId: await upload([wavelengths()]) }), Code.NotFound);
    const sessionId = await openSession();
    const jobId = await new InferenceClient(transport).submit({
      sessionId,
      inputs: [cubeOf(noise(BANDS, 5), 1, 1), wavelengths()],
    });
    await (await connected()).wait(jobId);
    for (const call of [solver.getResult({ jobId }), solver.startChunkedDownload({ jobId })]) {
      await refused(call, Code.FailedPrecondition, /sortie\.v1\.InferenceService/);
    }
  });
});

it("a job whose data break the pipeline fails with the reason", async () => {
  const sessionId = await openSession();
  const cube: InputArray = { ...cubeOf(noise(4 * 4 * 60, 5), 4, 4), shape: [1, 4, 4, 60] };
  const jobId = await new InferenceClient(transport).submit({ sessionId, inputs: [cube, wavelengths()] });
  await expect((await connected()).wait(jobId)).rejects.toMatchObject({ state: "failed" });
  const over = createConnectTransport({ baseUrl: server.url(), httpVersion: "1.1" });
  const { job } = await createClient(JobService, over).getJob({ id: jobId });
  expect(job?.failure).toMatch(/60/);
});
