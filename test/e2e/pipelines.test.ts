// The five phases of the pipeline service as a browser goes through them, over Connect with fetch; once with a server that is
// killed between any two phases, and nothing is lost.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { areaUnderCurve, type NumericArray, tensor, writeNpy } from "@sortie/pipeline";
import { cuvis } from "@sortie/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { refused } from "../conformance/session.ts";

const [LINES, SAMPLES, BANDS] = [30, 40, 10];
const STRANGE = [333, 334, 900];

/** Noise, with three pixels of another kind. */
const values = Uint16Array.from({ length: LINES * SAMPLES * BANDS }, (_, i) => {
  const strange = STRANGE.includes(Math.floor(i / BANDS)) && i % 2 === 0;
  return 300 + ((Math.imul(i, 2654435761) >>> 22) % 200) + (strange ? 900 : 0);
});
const labels = Uint8Array.from({ length: LINES * SAMPLES }, (_, pixel) => (STRANGE.includes(pixel) ? 1 : 0));

const PIPELINE = {
  nodes: [
    { name: "data", class_name: "cuvis_ai.node.data.CU3SDataNode", hparams: {} },
    { name: "rx", class_name: "cuvis_ai.anomaly.rx_detector.RXGlobal", hparams: { num_channels: BANDS } },
  ],
  connections: [{ source: "data.outputs.cube", target: "rx.inputs.data" }],
  metadata: { name: "RX" },
};

let folder: string;
let server: EmbeddedServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sortie-pipelines-"));
  mkdirSync(join(folder, "configs"));
  const cube = tensor("uint16", [LINES, SAMPLES, BANDS], values) as NumericArray;
  writeFileSync(join(folder, "cube.npy"), Buffer.concat(writeNpy(cube)));
  server = new EmbeddedServer(["--workers", "1", "--configs-dir", join(folder, "configs"), "--pipeline-roots", folder]);
  await server.start();
});
afterAll(async () => {
  await server.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const json = (value: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(value));

describe.each([
  ["binary messages, with a kill -9 between any two phases", true],
  ["JSON messages", false],
] as const)("over Connect with fetch, in %s", (_, useBinaryFormat) => {
  const client = () =>
    createClient(cuvis.CuvisAIService, createConnectTransport({ baseUrl: server.url(), useBinaryFormat }));
  const killed = async () => {
    if (!useBinaryFormat) return;
    await server.kill();
    await server.start();
  };

  async function scores(sessionId: string): Promise<Float32Array> {
    const wavelengths = new Uint8Array(Int32Array.from({ length: BANDS }, (_each, band) => 400 + band).buffer);
    const { outputs } = await client().inference({
      sessionId,
      inputs: {
        cube: {
          shape: [1n, BigInt(LINES), BigInt(SAMPLES), BigInt(BANDS)],
          dtype: cuvis.DType.UINT16,
          payload: { case: "rawData", value: new Uint8Array(values.buffer) },
        },
        wavelengths: {
          shape: [1n, BigInt(BANDS)],
          dtype: cuvis.DType.INT32,
          payload: { case: "rawData", value: wavelengths },
        },
      },
      outputSpecs: ["rx.scores"],
    });
    const payload = outputs["rx.scores"]?.payload;
    if (payload?.case !== "rawData") throw new Error("there are no scores");
    return new Float32Array(Uint8Array.from(payload.value).buffer);
  }

  it("create, configure, execute, persist, close", { timeout: 240_000 }, async () => {
    const { sessionId } = await client().createSession({});
    await killed();

    await client().loadPipeline({ sessionId, pipeline: { configBytes: json(PIPELINE) } });
    const wavelengths_nm = Array.from({ length: BANDS }, (_each, band) => 400 + band);
    const params = { cubes: [join(folder, "cube.npy")], wavelengths_nm };
    const trainRun = { name: "rx", data: { data_module: "files", batch_size: 1, params } };
    await client().setTrainRunConfig({ sessionId, config: { configBytes: json(trainRun) } });
    await killed();

    const told: cuvis.TrainStatus[] = [];
    const trainerType = cuvis.TrainerType.STATISTICAL;
    for await (const { status } of client().train({ sessionId, trainerType })) told.push(status);
    expect([told[0], told.at(-1)]).toEqual([cuvis.TrainStatus.RUNNING, cuvis.TrainStatus.COMPLETE]);
    await killed();

    const found = await scores(sessionId);
    expect(areaUnderCurve(found, labels)).toBe(1);
    await killed();
    const { latestProgress } = await client().getTrainStatus({ sessionId });
    expect(latestProgress?.status).toBe(cuvis.TrainStatus.COMPLETE);

    const name = useBinaryFormat ? "binary" : "json";
    const saved = await client().savePipeline({ sessionId, pipelinePath: join(folder, `${name}.yaml`) });
    expect(saved).toMatchObject({ success: true, weightsPath: join(folder, `${name}.pt`) });
    const trainrunPath = join(folder, `${name}-run.yaml`);
    const run = await client().saveTrainRun({ sessionId, trainrunPath, saveWeights: true });
    await killed();

    await client().closeSession({ sessionId });
    await killed();
    await refused(client().getTrainStatus({ sessionId }), Code.NotFound);

    const restored = await client().restoreTrainRun({ trainrunPath, weightsPath: run.weightsPath });
    await killed();
    expect(await scores(restored.sessionId)).toEqual(found);
    await client().closeSession({ sessionId: restored.sessionId });
  });
});
