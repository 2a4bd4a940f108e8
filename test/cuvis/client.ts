// A client of the pipeline service: the calls as they are, and the few sequences that nearly every scenario needs.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import type { TensorInit } from "./tensors.ts";
import type { World } from "./worlds.ts";

export type Json = Record<string, unknown>;

/** What the core's own tests register before they load its test pipelines. */
export const TEST_NODES: Json = {
  name: "cuvis_ai_test_nodes",
  path: "/opt/cuvis_ai_test_nodes",
  capabilities: [
    "LentilsAnomalyDataNode",
    "SoftChannelSelector",
    "MinMaxNormalizer",
    "SimpleLossNode",
    "MockMetricNode",
  ].map((name) => ({ class_name: `tests.fixtures.mock_nodes.${name}` })),
};

export const bytesOf = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
export const jsonOf = (bytes: Uint8Array): Json => JSON.parse(new TextDecoder().decode(bytes)) as Json;

export class Cuvis {
  readonly rpc: Client<typeof cuvis.CuvisAIService>;
  readonly transport: Transport;
  readonly world: World;
  readonly disconnect: () => void;

  constructor(world: World, transport: Transport, disconnect: () => void) {
    this.world = world;
    this.transport = transport;
    this.rpc = createClient(cuvis.CuvisAIService, transport);
    this.disconnect = disconnect;
  }

  async session(): Promise<string> {
    return (await this.rpc.createSession({})).sessionId;
  }

  async resolve(sessionId: string, configType: string, path: string, ...overrides: string[]): Promise<Json> {
    return jsonOf((await this.rpc.resolveConfig({ sessionId, configType, path, overrides })).configBytes);
  }

  registerPlugin(sessionId: string, manifest: Json = TEST_NODES) {
    return this.rpc.loadPlugin({ sessionId, manifest: { configBytes: bytesOf(manifest) } });
  }

  loadPipeline(sessionId: string, config: unknown, more: { dataModule?: string } = {}) {
    return this.rpc.loadPipeline({ sessionId, pipeline: { configBytes: bytesOf(config) }, ...more });
  }

  /** A new session with a pipeline of the configurations, e.g. `gradient_based`, or with a configuration at hand. */
  async loaded(pipeline: string | Json): Promise<string> {
    const sessionId = await this.session();
    const config =
      typeof pipeline === "string" ? await this.resolve(sessionId, "pipeline", `pipeline/${pipeline}`) : pipeline;
    if ((config["plugins"] as string[] | null | undefined)?.includes("cuvis_ai_test_nodes")) {
      await this.registerPlugin(sessionId);
    }
    await this.loadPipeline(sessionId, config);
    return sessionId;
  }

  infer(
    sessionId: string,
    inputs: MessageInitShape<typeof cuvis.InputBatchSchema>,
    ...outputSpecs: string[]
  ): Promise<cuvis.InferenceResponse> {
    return this.rpc.inference({ sessionId, inputs, outputSpecs });
  }

  /** An inference of a cube alone with its wavelengths. */
  inferCube(sessionId: string, cube: TensorInit, wavelengths: TensorInit, ...outputSpecs: string[]) {
    return this.infer(sessionId, { cube, wavelengths }, ...outputSpecs);
  }

  /** All messages of a training. */
  async train(request: MessageInitShape<typeof cuvis.TrainRequestSchema>): Promise<cuvis.TrainResponse[]> {
    const messages: cuvis.TrainResponse[] = [];
    for await (const message of this.rpc.train(request)) messages.push(message);
    return messages;
  }

  /** Statistical training on data files. */
  fit(sessionId: string, data: Json): Promise<cuvis.TrainResponse[]> {
    return this.train({
      sessionId,
      trainerType: cuvis.TrainerType.STATISTICAL,
      data: { configBytes: bytesOf(data) },
    });
  }

  async profile(sessionId: string, stage?: cuvis.ExecutionStage) {
    return (await this.rpc.getProfilingSummary({ sessionId, ...(stage === undefined ? {} : { stage }) })).nodeStats;
  }
}
