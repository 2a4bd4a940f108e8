// The calls of CuvisAIService, each with the words that its clients are told first of a fault inside.
import { toBinary } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { cuvis, rawMessage, withRawMessages } from "@sortie/wire";
import type { Call } from "../cuopt/handlers.ts";
import { createConfigHandlers } from "./configs.ts";
import type { CuvisContext } from "./context.ts";
import { createDiscoveryHandlers } from "./discovery.ts";
import { toCuvisError } from "./errors.ts";
import { createProfilingHandlers, type Infer } from "./inference.ts";
import { createPipelineHandlers } from "./pipelines.ts";
import { createPluginHandlers, olderNodes } from "./plugins.ts";
import { createSessionHandlers } from "./sessions.ts";
import { createTrainRunHandlers } from "./train-runs.ts";
import { createTrainingHandlers } from "./training.ts";

export interface CuvisOptions {
  readonly context: CuvisContext;
  readonly infer: Infer;
  /** Describe node classes as clients of release 0.3 read them: the one message that both releases encode differently. */
  readonly olderNodeForm: boolean;
  /** Largest message of this service, either way. */
  readonly maxMessageBytes: number;
  /** Train's stream ends after so many milliseconds, for hosts whose calls cannot last. Default: with the training. */
  readonly trainMs?: number | undefined;
  /** Workers with a GPU have an execution provider for it. */
  readonly usesGpu?: boolean | undefined;
}

type CallFrom = (handler: HandlerContext) => Promise<Call>;

export function mountCuvis(options: CuvisOptions, callFrom: CallFrom): (router: ConnectRouter, json: boolean) => void {
  const { context, infer } = options;
  const sessions = createSessionHandlers(context);
  const configs = createConfigHandlers(context);
  const pipelines = createPipelineHandlers(context);
  const training = createTrainingHandlers(context, options.trainMs);
  const trainRuns = createTrainRunHandlers(context);
  const plugins = createPluginHandlers(context);
  const discovery = createDiscoveryHandlers(context);
  const profiling = createProfilingHandlers(context);

  /** @param prefix what a fault inside begins with */
  function unary<I, O>(prefix: string, handle: (request: I, call: Call) => Promise<O>) {
    return async (request: I, handler: HandlerContext): Promise<O> => {
      try {
        return await handle(request, await callFrom(handler));
      } catch (error) {
        throw toCuvisError(error, prefix);
      }
    };
  }

  const shared = {
    createSession: unary("Failed to create session", sessions.createSession),
    setSessionSearchPaths: unary("Failed to update search paths", sessions.setSessionSearchPaths),
    closeSession: unary("Failed to close session", sessions.closeSession),
    resolveConfig: unary("Config resolution failed", configs.resolveConfig),
    getParameterSchema: unary("Failed to get parameter schema", configs.getParameterSchema),
    validateConfig: unary("Failed to validate config", configs.validateConfig),
    loadPipeline: unary("Failed to load pipeline", pipelines.loadPipeline),
    loadPipelineWeights: unary("Failed to load weights", pipelines.loadPipelineWeights),
    savePipeline: unary("Failed to save pipeline", pipelines.savePipeline),
    getPipelineInputs: unary("Failed to get inputs", pipelines.getPipelineInputs),
    getPipelineOutputs: unary("Failed to get outputs", pipelines.getPipelineOutputs),
    getPipelineVisualization: async (
      request: Parameters<typeof pipelines.getPipelineVisualization>[0],
      handler: HandlerContext,
    ) =>
      unary(
        request.configContent === "" ? "Failed to get pipeline visualization" : "Failed to visualize pipeline config",
        pipelines.getPipelineVisualization,
      )(request, handler),
    listAvailablePipelines: unary("Failed to list pipelines", discovery.listAvailablePipelines),
    getPipelineInfo: unary("Failed to get pipeline info", discovery.getPipelineInfo),
    setTrainRunConfig: unary("Failed to set train run config", training.setTrainRunConfig),
    async *train(request: cuvis.TrainRequest, handler: HandlerContext) {
      try {
        yield* training.train(request, await callFrom(handler));
      } catch (error) {
        throw toCuvisError(error, "Training failed");
      }
    },
    getTrainStatus: unary("Failed to get status", training.getTrainStatus),
    getTrainingCapabilities: unary("Failed to get capabilities", training.getTrainingCapabilities),
    saveTrainRun: unary("Failed to save train run", trainRuns.saveTrainRun),
    restoreTrainRun: unary("Failed to restore train run", trainRuns.restoreTrainRun),
    loadPlugin: unary("Failed to load plugin", plugins.loadPlugin),
    loadPlugins: unary("Failed to load plugin", plugins.loadPlugins),
    listLoadedPlugins: unary("Failed to list loaded plugins", plugins.listLoadedPlugins),
    getPluginInfo: unary("Failed to get plugin info", plugins.getPluginInfo),
    clearPluginCache: unary("Failed to clear cache", plugins.clearPluginCache),
    inference: unary("Inference failed", infer),
    setProfiling: unary("SetProfiling failed", profiling.setProfiling),
    getProfilingSummary: unary("GetProfilingSummary failed", profiling.getProfilingSummary),
  };
  const listAvailableNodes = unary("Failed to list available nodes", plugins.listAvailableNodes);
  const limits = { readMaxBytes: options.maxMessageBytes, writeMaxBytes: options.maxMessageBytes };

  return (router, json) => {
    if (json || !options.olderNodeForm) {
      router.service(cuvis.CuvisAIService, { ...shared, listAvailableNodes }, limits);
      return;
    }
    router.service(
      olderService,
      {
        ...shared,
        listAvailableNodes: async (request: cuvis.ListAvailableNodesRequest, handler: HandlerContext) => {
          const answer = olderNodes(await listAvailableNodes(request, handler));
          return rawMessage(toBinary(cuvis.LegacyListAvailableNodesResponseSchema, answer));
        },
        // The descriptor's message types are replaced at run time, which its static type cannot say.
      } as never,
      limits,
    );
  };
}

const olderService = withRawMessages(cuvis.CuvisAIService, { listAvailableNodes: { output: true } });
