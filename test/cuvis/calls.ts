// Every call of the service that names a session, with contents that would pass if the session were there.
import type { Client } from "@connectrpc/connect";
import { cuvis } from "@sortie/wire";
import { bytesOf, TEST_NODES } from "./client.ts";
import { cube, wavelengths } from "./tensors.ts";

type Rpc = Client<typeof cuvis.CuvisAIService>;

async function drained(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const messages: unknown[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

const PIPELINE = { configBytes: bytesOf({ nodes: [], connections: [] }) };
const DATA = { configBytes: bytesOf({ data_module: "files", params: { cubes: ["data/none.npy"] } }) };
const TRAIN_RUN = { configBytes: bytesOf({ name: "a run", data: {} }) };

export function everyCallOf(rpc: Rpc, sessionId: string): Readonly<Record<string, () => Promise<unknown>>> {
  return {
    CloseSession: () => rpc.closeSession({ sessionId }),
    SetSessionSearchPaths: () => rpc.setSessionSearchPaths({ sessionId, searchPaths: ["configs"] }),
    ResolveConfig: () => rpc.resolveConfig({ sessionId, configType: "training", path: "training/default" }),
    LoadPipeline: () => rpc.loadPipeline({ sessionId, pipeline: PIPELINE }),
    LoadPipelineWeights: () =>
      rpc.loadPipelineWeights({ sessionId, weightsSource: { case: "weightsPath", value: "weights.pt" } }),
    SetTrainRunConfig: () => rpc.setTrainRunConfig({ sessionId, config: TRAIN_RUN }),
    Train: () => drained(rpc.train({ sessionId, trainerType: cuvis.TrainerType.STATISTICAL, data: DATA })),
    GetTrainStatus: () => rpc.getTrainStatus({ sessionId }),
    SavePipeline: () => rpc.savePipeline({ sessionId, pipelinePath: "never_saved.yaml" }),
    SaveTrainRun: () => rpc.saveTrainRun({ sessionId, trainrunPath: "never_saved.yaml" }),
    GetPipelineInputs: () => rpc.getPipelineInputs({ sessionId }),
    GetPipelineOutputs: () => rpc.getPipelineOutputs({ sessionId }),
    GetPipelineVisualization: () => rpc.getPipelineVisualization({ sessionId, format: "dot" }),
    Inference: () => rpc.inference({ sessionId, inputs: { cube: cube(), wavelengths: wavelengths() } }),
    LoadPlugin: () => rpc.loadPlugin({ sessionId, manifest: { configBytes: bytesOf(TEST_NODES) } }),
    LoadPlugins: () => rpc.loadPlugins({ sessionId, manifest: { configBytes: bytesOf({ plugins: {} }) } }),
    ListLoadedPlugins: () => rpc.listLoadedPlugins({ sessionId }),
    GetPluginInfo: () => rpc.getPluginInfo({ sessionId, pluginName: "a_plugin" }),
    ListAvailableNodes: () => rpc.listAvailableNodes({ sessionId }),
    SetProfiling: () => rpc.setProfiling({ sessionId, enabled: true }),
    GetProfilingSummary: () => rpc.getProfilingSummary({ sessionId }),
  };
}

/** The calls that name no session. */
export function callsAnywhere(rpc: Rpc): Readonly<Record<string, () => Promise<unknown>>> {
  return {
    CreateSession: () => rpc.createSession({}),
    ListAvailablePipelines: () => rpc.listAvailablePipelines({}),
    GetPipelineInfo: () => rpc.getPipelineInfo({ pipelinePath: "gradient_based.yaml" }),
    GetParameterSchema: () => rpc.getParameterSchema({ configType: "training" }),
    ValidateConfig: () => rpc.validateConfig({ configType: "training", configBytes: bytesOf({}) }),
    GetTrainingCapabilities: () => rpc.getTrainingCapabilities({}),
    RestoreTrainRun: () => rpc.restoreTrainRun({ trainrunPath: "never_saved.yaml" }),
    ClearPluginCache: () => rpc.clearPluginCache({}),
  };
}
