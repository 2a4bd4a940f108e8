// Inference, SetProfiling, GetProfilingSummary: forward passes of a session's pipeline in this process.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Engine, NodeProfile, PipelineBatch } from "@sortie/pipeline";
import { editSession, type Json, openSession, type Profiling } from "@sortie/sessions";
import { cuvis } from "@sortie/wire";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";
import { CuvisError, invalid, noPipeline } from "./errors.ts";
import { addSamples, summaryOf } from "./profiles.ts";
import { readBatch, writeOutputs } from "./tensors.ts";

type Answer = MessageInitShape<typeof cuvis.InferenceResponseSchema>;

/** What answers Inference: this process where it has an engine, another function where not. */
export type Infer = (request: cuvis.InferenceRequest, call: Call) => Promise<Answer>;

/** Runs inferences on an engine of this process. */
export function createInference(context: CuvisContext, engine: Engine): Infer {
  const { host } = context;
  return (request, call) =>
    host.inTurn(request.sessionId, async () => {
      const { state } = await openSession(context, call.caller, request.sessionId);
      if (!state.pipeline) throw noPipeline();
      const batch = await readBatch(request.inputs, context.sharedMemory);
      const pipeline = await host.ready(context, state.pipeline, call);
      const profiling = state.profiling?.enabled === true;
      pipeline.profiler.configure({ enabled: profiling, reset: true });
      const keys = pipeline.outputKeys("inference");
      const wanted = request.outputSpecs;
      const outputs = wanted.length === 0 ? undefined : keys.filter((key) => isWanted(key, wanted));
      const values = await pipeline.run(batch as PipelineBatch, {
        engine,
        stage: "inference",
        signal: call.signal,
        giveInputs: true,
        ...(outputs === undefined ? {} : { outputs }),
      });
      if (profiling) await record(context, call, request.sessionId, pipeline.profiler.summary());
      const { unsupported, ...answer } = writeOutputs(values);
      if (wanted.length > 0 && unsupported.length > 0) {
        throw new CuvisError(
          INTERNAL,
          `Inference failed: output '${unsupported[0]}' has an element type that the wire does not have`,
        );
      }
      return answer;
    });
}

const INTERNAL = 13;

/** By full key, or by what follows its first dot. */
const isWanted = (key: string, wanted: readonly string[]): boolean =>
  wanted.includes(key) || wanted.includes(key.slice(key.indexOf(".") + 1));

async function record(
  context: CuvisContext,
  call: Call,
  sessionId: string,
  samples: readonly NodeProfile[],
): Promise<void> {
  await editSession(context, call.caller, sessionId, ({ state }) => ({
    state: state.profiling?.enabled === true ? { ...state, profiling: addSamples(state.profiling, samples) } : state,
    value: undefined,
  }));
}

const STAGE_NAMES: Readonly<Record<number, string>> = {
  [cuvis.ExecutionStage.TRAIN]: "train",
  [cuvis.ExecutionStage.VAL]: "val",
  [cuvis.ExecutionStage.TEST]: "test",
  [cuvis.ExecutionStage.INFERENCE]: "inference",
};

export function createProfilingHandlers(context: CuvisContext) {
  return {
    async setProfiling(request: cuvis.SetProfilingRequest, call: Call) {
      const skipFirst = request.skipFirstN ?? 0;
      await editSession(context, call.caller, request.sessionId, ({ state }) => {
        if (!state.pipeline) throw noPipeline();
        if (skipFirst < 0) throw invalid(`skip_first_n is ${skipFirst}; it must be 0 or more`);
        const before = state.profiling;
        const anew = request.reset === true || (request.enabled && skipFirst !== (before?.skipFirst ?? 0));
        const profiling: Profiling = {
          enabled: request.enabled,
          skipFirst,
          entries: anew ? [] : (before?.entries ?? []),
        };
        return { state: { ...state, profiling }, value: undefined };
      });
      return { profilingEnabled: request.enabled };
    },

    async getProfilingSummary(request: cuvis.GetProfilingSummaryRequest, call: Call) {
      const { state } = await openSession(context, call.caller, request.sessionId);
      if (!state.pipeline) throw noPipeline();
      const stage = request.stage === undefined ? undefined : STAGE_NAMES[request.stage];
      const entries = (state.profiling?.entries ?? []).filter(
        (entry) => stage === undefined || entry["stage"] === stage,
      );
      return { nodeStats: entries.map((entry) => statsOf(entry)) };
    },
  };
}

function statsOf(entry: Json): MessageInitShape<typeof cuvis.NodeProfilingStatsSchema> {
  const stage = Object.keys(STAGE_NAMES).find((key) => STAGE_NAMES[Number(key)] === entry["stage"]);
  return { nodeName: String(entry["node"]), stage: Number(stage ?? 0), ...summaryOf(entry) };
}
