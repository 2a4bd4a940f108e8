// What a page does that finds anomalies in a scene: the five phases of the pipeline service, over Connect.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { cuvis } from "@sortie/wire";
import { show } from "./show.ts";

export interface SceneInBrowser {
  readonly lines: number;
  readonly samples: number;
  readonly bands: number;
  /** Where the server finds the same cube, to be trained with. */
  readonly cubePath: string;
  /** Where the server is to save. */
  readonly pipelinePath: string;
  readonly trainrunPath: string;
}

export interface FoundInBrowser {
  /** lines x samples */
  readonly scores: readonly number[];
  /** Of the session that was restored from the files. */
  readonly restoredScores: readonly number[];
  readonly saved: readonly string[];
  readonly phases: readonly string[];
}

const json = (value: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(value));

const pipelineOf = (bands: number) => ({
  nodes: [
    { name: "data", class_name: "cuvis_ai.node.data.CU3SDataNode", hparams: {} },
    { name: "rx", class_name: "cuvis_ai.anomaly.rx_detector.RXGlobal", hparams: { num_channels: bands } },
  ],
  connections: [{ source: "data.outputs.cube", target: "rx.inputs.data" }],
  metadata: { name: "RX" },
});

async function findAnomalies(server: string, scene: SceneInBrowser): Promise<FoundInBrowser> {
  const { lines, samples, bands, cubePath, pipelinePath, trainrunPath } = scene;
  const cube = new Uint8Array(await (await fetch("/cube.bin")).arrayBuffer());
  const rpc = createClient(cuvis.CuvisAIService, createConnectTransport({ baseUrl: server, useBinaryFormat: true }));
  const phases: string[] = [];
  const done = (phase: string) => {
    phases.push(phase);
    show(phase);
  };
  const scoresOf = async (sessionId: string): Promise<number[]> => {
    const wavelengths = new Uint8Array(Int32Array.from({ length: bands }, (_each, band) => 400 + band).buffer);
    const { DType } = cuvis;
    const { outputs } = await rpc.inference({
      sessionId,
      inputs: {
        cube: {
          shape: [1n, BigInt(lines), BigInt(samples), BigInt(bands)],
          dtype: DType.UINT16,
          payload: { case: "rawData", value: cube },
        },
        wavelengths: {
          shape: [1n, BigInt(bands)],
          dtype: DType.INT32,
          payload: { case: "rawData", value: wavelengths },
        },
      },
      outputSpecs: ["rx.scores"],
    });
    const payload = outputs["rx.scores"]?.payload;
    if (payload?.case !== "rawData") throw new Error("the answer holds no scores");
    return [...new Float32Array(Uint8Array.from(payload.value).buffer)];
  };

  const { sessionId } = await rpc.createSession({});
  done("create");

  await rpc.loadPipeline({ sessionId, pipeline: { configBytes: json(pipelineOf(bands)) } });
  const params = { cubes: [cubePath], wavelengths_nm: Array.from({ length: bands }, (_each, band) => 400 + band) };
  const trainRun = { name: "rx", data: { data_module: "files", batch_size: 1, params } };
  await rpc.setTrainRunConfig({ sessionId, config: { configBytes: json(trainRun) } });
  done("configure");

  const told: cuvis.TrainStatus[] = [];
  for await (const { status } of rpc.train({ sessionId, trainerType: cuvis.TrainerType.STATISTICAL }))
    told.push(status);
  if (told.at(-1) !== cuvis.TrainStatus.COMPLETE) throw new Error(`the training ended with ${told.join(", ")}`);
  const scores = await scoresOf(sessionId);
  done("execute");

  const saved = await rpc.savePipeline({ sessionId, pipelinePath });
  const run = await rpc.saveTrainRun({ sessionId, trainrunPath, saveWeights: true });
  done("persist");

  await rpc.closeSession({ sessionId });
  const fault = await rpc.getTrainStatus({ sessionId }).catch((error) => ConnectError.from(error));
  if (!(fault instanceof ConnectError && fault.code === Code.NotFound)) throw new Error("the closed session answers");
  done("close");

  const restored = await rpc.restoreTrainRun({ trainrunPath: run.trainrunPath, weightsPath: run.weightsPath });
  const restoredScores = await scoresOf(restored.sessionId);
  await rpc.closeSession({ sessionId: restored.sessionId });
  return { scores, restoredScores, saved: [saved.pipelinePath, saved.weightsPath, run.trainrunPath], phases };
}

Object.assign(globalThis, { findAnomalies });
