// What the benches of the pipeline service share: a pipeline, sessions that have it, and calls as encoded bytes.
import { type DescMessage, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { Pipeline, type PipelineBatch, type PipelineTensor } from "@sortie/pipeline";
import { encodeWeights } from "@sortie/sessions";
import { cuvis } from "@sortie/wire";
import { encode, type Http2Client } from "./http2.ts";
import { rxState } from "./pipeline-process.ts";

export const SIDE = 32;
export const BANDS = 61;
export const OUTPUTS = ["rx.scores", "decider.decisions"];

const RPC = "cuvis_ai.v1.CuvisAIService";

const edge = (source: string, target: string) => {
  const [[from, output], [to, input]] = [source.split("."), target.split(".")];
  return { source: `${from}.outputs.${output}`, target: `${to}.inputs.${input}` };
};

/** Cube in counts -> 0..1 -> RX -> logit -> decision. */
export const PIPELINE = {
  nodes: [
    { name: "data", class_name: "cuvis_ai.node.data.CU3SDataNode" },
    { name: "minmax", class_name: "cuvis_ai.node.normalization.MinMaxNormalizer" },
    { name: "rx", class_name: "cuvis_ai.anomaly.rx_detector.RXGlobal", hparams: { num_channels: BANDS } },
    { name: "logit", class_name: "cuvis_ai.node.conversion.ScoreToLogit" },
    { name: "decider", class_name: "cuvis_ai.deciders.binary_decider.BinaryDecider" },
  ],
  connections: [
    edge("data.cube", "minmax.data"),
    edge("minmax.normalized", "rx.data"),
    edge("rx.scores", "logit.scores"),
    edge("logit.logits", "decider.logits"),
  ],
};

/** The pipeline, its weights given. */
export function fittedPipeline(): Pipeline {
  const pipeline = new Pipeline(PIPELINE);
  const scalar = (value: number): PipelineTensor => ({ dtype: "float32", shape: [], data: Float32Array.of(value) });
  pipeline.loadStateDict(
    new Map([
      [
        "minmax",
        new Map([
          ["running_min", scalar(0)],
          ["running_max", scalar(4096)],
        ]),
      ],
      ["rx", rxState(BANDS)],
      [
        "logit",
        new Map([
          ["scale", scalar(1)],
          ["bias", scalar(-20)],
        ]),
      ],
    ]),
    false,
  );
  return pipeline;
}

/** uint16 [1, 32, 32, 61], 0..4095, and int32 [1, 61] wavelengths, nm. */
export function sampleBatch(): PipelineBatch & Record<"cube" | "wavelengths", PipelineTensor> {
  const counts = Uint16Array.from({ length: SIDE * SIDE * BANDS }, (_, i) => Math.imul(i, 2654435761) >>> 20);
  const wavelengths = Int32Array.from({ length: BANDS }, (_, i) => 430 + 8 * i);
  return {
    cube: { dtype: "uint16", shape: [1, SIDE, SIDE, BANDS], data: counts },
    wavelengths: { dtype: "int32", shape: [1, BANDS], data: wavelengths },
  };
}

/** Encoded requests to one server. */
export class PipelineCalls {
  readonly #client: Http2Client;

  constructor(client: Http2Client) {
    this.#client = client;
  }

  #call<Desc extends DescMessage>(method: string, schema: Desc, init: MessageInitShape<Desc>): Promise<Buffer> {
    return this.#client.call(`${RPC}/${method}`, encode(schema, init));
  }

  /** A new session that has the pipeline and its weights. @returns its id */
  async session(weights: Uint8Array): Promise<string> {
    const created = await this.#call("CreateSession", cuvis.CreateSessionRequestSchema, {});
    const { sessionId } = fromBinary(cuvis.CreateSessionResponseSchema, created);
    const configBytes = new TextEncoder().encode(JSON.stringify(PIPELINE));
    await this.#call("LoadPipeline", cuvis.LoadPipelineRequestSchema, { sessionId, pipeline: { configBytes } });
    await this.#call("LoadPipelineWeights", cuvis.LoadPipelineWeightsRequestSchema, {
      sessionId,
      weightsSource: { case: "weightsBytes", value: weights },
    });
    return sessionId;
  }

  /** Inference of the sample batch, to be called over and over. @throws if the answer lacks an output */
  inference(sessionId: string): () => Promise<void> {
    const { cube, wavelengths } = sampleBatch();
    const request = encode(cuvis.InferenceRequestSchema, {
      sessionId,
      inputs: { cube: wire(cube, cuvis.DType.UINT16), wavelengths: wire(wavelengths, cuvis.DType.INT32) },
      outputSpecs: OUTPUTS,
    });
    // Scores in float32 and decisions in one byte, at least.
    const least = SIDE * SIDE * 5;
    return async () => {
      const answer = await this.#client.call(`${RPC}/Inference`, request);
      if (answer.byteLength < least)
        throw new Error(`the answer has ${answer.byteLength} bytes, at least ${least} are due`);
    };
  }

  /** GetTrainStatus: reads the session, and does nothing. */
  status(sessionId: string): () => Promise<unknown> {
    const request = encode(cuvis.GetTrainStatusRequestSchema, { sessionId });
    return () => this.#client.call(`${RPC}/GetTrainStatus`, request);
  }
}

function wire({ shape, data }: PipelineTensor, dtype: cuvis.DType): MessageInitShape<typeof cuvis.TensorSchema> {
  const value = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return { dtype, shape: shape.map(BigInt), payload: { case: "rawData", value } };
}

export async function weightsOf(): Promise<Uint8Array> {
  await using pipeline = fittedPipeline();
  return encodeWeights(pipeline);
}
