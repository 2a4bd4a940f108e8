// Rules of inference jobs, on tables in memory: what becomes of each kind of output, and what a job does not notice.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Caller, cancelJob, createSession, deleteJob, getJob, readLog, sweep } from "@sortie/core";
import { Engine } from "@sortie/pipeline";
import { blobFiles, PipelineHost, type SessionState, toJson } from "@sortie/sessions";
import {
  ElementType,
  SubmitInferenceRequestSchema as Submission,
  type SubmitInferenceRequestSchema,
} from "@sortie/wire";
import { afterAll, describe, expect, it } from "vitest";
import { anyCaller, openWorld } from "../../../core/src/testing/world.ts";
import { createInferenceHandlers } from "../../../rpc/src/sortie/inference-service.ts";
import { runJob } from "../run-job.ts";
import { createInferRunner } from "./infer-job.ts";

const engine = new Engine();
afterAll(() => engine.close());

const node = (name: string, path: string, hparams: Record<string, unknown> = {}) => ({
  name,
  class_name: `cuvis_ai.${path}`,
  hparams,
});

const UNIT = {
  nodes: [node("unit", "node.normalization.PerPixelUnitNorm")],
  connections: [] as { source: string; target: string }[],
};

const call = { caller: anyCaller, signal: new AbortController().signal, baseUrl: "" };

async function setUp(config: typeof UNIT) {
  const world = openWorld();
  const filesOf = (caller: Caller) => blobFiles(world.blobs, caller);
  const context = {
    ...world,
    host: new PipelineHost(),
    strictPlugins: false,
    configs: "/configs",
    filesOf,
  };
  const inference = createInferenceHandlers(context, { maxMessageBytes: 4096 });
  const state: SessionState = {
    searchPaths: [],
    plugins: [],
    pipeline: { config: JSON.parse(JSON.stringify(config)), fitted: [], generation: "one" },
  };
  const { id: sessionId } = await createSession(world, anyCaller, toJson(state));

  async function submit(
    arrays: Readonly<Record<string, Float32Array | Int32Array | BigInt64Array>>,
    inputs: MessageInitShape<typeof SubmitInferenceRequestSchema>["inputs"],
    outputs: string[] = [],
  ): Promise<string> {
    const { uploadId } = Object.keys(arrays).length > 0 ? await inference.startInputUpload({}, call) : { uploadId: "" };
    for (const [input, { buffer }] of Object.entries(arrays)) {
      const data = new Uint8Array(buffer as ArrayBuffer);
      const totalBytes = BigInt(data.byteLength);
      await inference.sendInputChunk({ uploadId, input, byteOffset: 0n, totalBytes, data } as never, call);
    }
    const request = create(Submission, { sessionId, uploadId, inputs: inputs ?? [], outputs });
    return (await inference.submitInference(request, call)).jobId;
  }

  const run = async (jobId: string) => {
    const infer = createInferRunner(world, { engine, filesOf });
    const faults: unknown[] = [];
    const onFault = (_: string, error: unknown) => faults.push(error);
    await runJob(world, jobId, "w", { infer }, { onFault, signal: call.signal });
    expect(faults).toEqual([]);
    return getJob(world, anyCaller, jobId);
  };
  return { world, context, inference, sessionId, submit, run };
}

const DATA = { name: "data", elementType: ElementType.FLOAT32, shape: [1n, 1n, 2n, 3n] };

describe("an inference job", () => {
  it("gives arrays by name, with type and shape, in stretches of whole elements", async () => {
    const { inference, submit, run } = await setUp(UNIT);
    const jobId = await submit({ data: Float32Array.of(1, 2, 3, 3, 2, 1) }, [DATA]);
    expect(await run(jobId)).toMatchObject({ state: "completed", result: { bytes: 24 } });
    const { downloadId, result } = await inference.startOutputDownload({ jobId }, call);
    expect(result.arrays).toMatchObject([
      { name: "unit.normalized", elementType: ElementType.FLOAT32, shape: [1n, 1n, 2n, 3n], bytes: 24n, mediaType: "" },
    ]);
    const chunk = async (byteOffset: bigint, maxBytes: bigint) => {
      const request = { downloadId, output: "unit.normalized", byteOffset, maxBytes };
      return (await inference.getOutputChunk(request, call)).data;
    };
    const values = [-Math.SQRT1_2, 0, Math.SQRT1_2];
    const expected = Float32Array.from([...values, ...values.toReversed()]);
    const whole = new Float32Array((await chunk(0n, 0n)).buffer);
    for (const [i, value] of expected.entries()) expect(whole[i]).toBeCloseTo(value, 6);
    expect(new Float32Array((await chunk(8n, 11n)).buffer)).toEqual(whole.slice(2, 4));
    expect(await chunk(20n, 100n)).toHaveLength(4);
    expect(await chunk(0n, 1n)).toHaveLength(4);
    await expect(chunk(2n, 4n)).rejects.toMatchObject({ reason: "invalid-argument" });
    await expect(chunk(24n, 4n)).rejects.toMatchObject({ reason: "out-of-range" });
    await inference.finishOutputDownload({ downloadId }, call);
    await expect(chunk(0n, 4n)).rejects.toMatchObject({ reason: "download-unknown" });
  });

  it("gives pictures as PNG files and texts as JSON", async () => {
    const { inference, submit, run } = await setUp({
      nodes: [
        node("data", "node.data.CU3SDataNode"),
        node("rgb", "node.pipeline_visualization.CubeRGBVisualizer"),
        node("text", "node.prompts.TextPrompt", { prompt_specs: ["aircraft@7"] }),
      ],
      connections: [
        { source: "data.outputs.cube", target: "rgb.inputs.cube" },
        { source: "data.outputs.wavelengths", target: "rgb.inputs.wavelengths" },
      ],
    });
    const jobId = await submit(
      {
        cube: Float32Array.from({ length: 4 * 5 * 4 }, (_, i) => i),
        wavelengths: Int32Array.of(450, 550, 650, 750),
        weights: Float32Array.of(0.1, 0.2, 0.3, 0.4),
        frame_id: BigInt64Array.of(7n),
      },
      [
        { name: "cube", elementType: ElementType.FLOAT32, shape: [1n, 4n, 5n, 4n] },
        { name: "wavelengths", elementType: ElementType.INT32, shape: [1n, 4n] },
        { name: "weights", elementType: ElementType.FLOAT32, shape: [4n] },
        { name: "frame_id", elementType: ElementType.INT64, shape: [1n] },
      ],
      ["rgb.artifacts", "text_prompt"],
    );
    expect((await run(jobId))?.failure).toBeUndefined();
    const { downloadId, result } = await inference.startOutputDownload({ jobId }, call);
    expect(result.values).toEqual({ "text.text_prompt": '"aircraft"' });
    expect(result.arrays).toMatchObject([
      { name: "rgb.artifacts/0", elementType: ElementType.UINT8, mediaType: "image/png" },
    ]);
    const request = { downloadId, output: "rgb.artifacts/0", byteOffset: 0n, maxBytes: 0n };
    const { data } = await inference.getOutputChunk(request, call);
    expect(Buffer.from(data.subarray(1, 4)).toString()).toBe("PNG");
    expect(BigInt(data.byteLength)).toBe(result.arrays[0]?.bytes);
  });

  it.each(["bsq", "bil", "bip"])(
    "reads its input from files of its tenant in a store: ENVI, %s",
    async (interleave) => {
      const { world, inference, submit, run } = await setUp(UNIT);
      const [lines, samples, bands] = [5, 7, 3];
      const value = (line: number, sample: number, band: number) => 100 * line + 10 * sample + band ** 2;
      // Where the element of a line, sample and band lies in the file.
      const place = {
        bsq: (l: number, s: number, b: number) => (b * lines + l) * samples + s,
        bil: (l: number, s: number, b: number) => (l * bands + b) * samples + s,
        bip: (l: number, s: number, b: number) => (l * samples + s) * bands + b,
      }[interleave]!;
      const elements = new Float32Array(lines * samples * bands);
      const expected: number[] = [];
      for (let l = 0; l < lines; l++) {
        for (let s = 0; s < samples; s++) {
          const pixel = Array.from({ length: bands }, (_, b) => value(l, s, b));
          const mean = pixel.reduce((sum, each) => sum + each, 0) / bands;
          const norm = Math.hypot(...pixel.map((each) => each - mean));
          for (const [b, each] of pixel.entries()) {
            elements[place(l, s, b)] = each;
            expected.push((each - mean) / norm);
          }
        }
      }
      const header = `ENVI\nlines = ${lines}\nsamples = ${samples}\nbands = ${bands}\ndata type = 4\ninterleave = ${interleave}\n`;
      await world.blobs.put(`files/${anyCaller.tenant}/scenes/field.hdr`, [Buffer.from(header)]);
      await world.blobs.put(`files/${anyCaller.tenant}/scenes/field.img`, [new Uint8Array(elements.buffer)]);
      const file = { case: "file" as const, value: { path: "scenes/field.hdr" } };
      const jobId = await submit({}, [{ name: "data", source: file }]);
      expect(await run(jobId)).toMatchObject({ state: "completed" });
      const { downloadId } = await inference.startOutputDownload({ jobId }, call);
      const request = { downloadId, output: "unit.normalized", byteOffset: 0n, maxBytes: 0n };
      const found = new Float32Array((await inference.getOutputChunk(request, call)).data.slice().buffer);
      expect(found).toHaveLength(expected.length);
      for (const [i, each] of expected.entries()) expect(found[i]).toBeCloseTo(each, 5);
      const others = { case: "file" as const, value: { path: "../bob/scenes/field.hdr" } };
      await expect(submit({}, [{ name: "data", source: others }])).rejects.toThrow(/there is no file/);
    },
  );

  it("is refused where JSON stands for an array, or is none", async () => {
    const { submit } = await setUp(UNIT);
    const json = (value: string) => [{ name: "data", source: { case: "json" as const, value } }];
    await expect(submit({}, json('"words"'))).rejects.toThrow(/input data: Node 'unit'.*expected float32, got text/);
    await expect(submit({}, json("[1, 2]"))).rejects.toThrow(/input data: .*got list/);
    await expect(submit({}, json("[1, 2"))).rejects.toThrow(/input data: .*JSON/);
    await expect(submit({}, json("x".repeat(70_000)))).rejects.toThrow(/json has 70000 characters; at most 65536/);
  });

  it("does not run once it is cancelled", async () => {
    const { world, submit, run } = await setUp(UNIT);
    const jobId = await submit({ data: new Float32Array(6) }, [DATA]);
    await cancelJob(world, anyCaller, jobId);
    expect(await run(jobId)).toMatchObject({ state: "cancelled", attempt: 0 });
  });

  it("fails with the pipeline's own words, and says what it ran on in its log", async () => {
    const { world, submit, run } = await setUp({
      ...UNIT,
      nodes: [node("rx", "anomaly.rx_detector.RXGlobal", { num_channels: 3 })],
    });
    const jobId = await submit({ data: new Float32Array(6) }, [DATA]);
    const job = await run(jobId);
    expect(job).toMatchObject({ state: "failed", failure: expect.stringContaining("rx") });
    const log = Buffer.from((await readLog(world, job!, 0, 1e6)).bytes).toString();
    expect(log).toMatch(/INFER Pipeline with data float32 \[1, 1, 2, 3\]\nJob failed: .*rx/);
  });

  it("leaves no blobs behind when it is deleted, and none when it is refused", async () => {
    const { world, context, inference, sessionId, submit, run } = await setUp(UNIT);
    const count = async (prefix: string) => {
      let found = 0;
      for await (const _ of world.blobs.list(prefix)) found += 1;
      return found;
    };
    const jobId = await submit({ data: new Float32Array(6) }, [DATA]);
    await run(jobId);
    expect(await count("uploads/")).toBe(2);
    expect(await count("jobs/")).toBe(1);
    await deleteJob(world, anyCaller, jobId);
    await world.clock.advance(1000);
    await sweep(world);
    expect([await count("uploads/"), await count("jobs/")]).toEqual([0, 0]);

    const { uploadId } = await inference.startInputUpload({}, call);
    await expect(
      inference.submitInference(create(Submission, { sessionId, uploadId, inputs: [DATA] }), call),
    ).rejects.toThrow(/input data: 0 bytes were sent; float32 \[1, 1, 2, 3\] has 24/);
    const full = createInferenceHandlers(
      { ...context, limits: { ...world.limits, jobs: 0 } },
      { maxMessageBytes: 4096 },
    );
    const data = new Uint8Array(24);
    await inference.sendInputChunk({ uploadId, input: "data", byteOffset: 0n, totalBytes: 24n, data } as never, call);
    await expect(
      full.submitInference(create(Submission, { sessionId, uploadId, inputs: [DATA] }), call),
    ).rejects.toMatchObject({ reason: "queue-full" });
    expect(await count("uploads/")).toBe(1);
  });
});
