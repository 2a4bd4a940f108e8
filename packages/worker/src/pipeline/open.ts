// The runners of pipeline jobs, with their engine.
import type { Caller, WorkerContext } from "@sortie/core";
import { Engine, type EngineSettings, type Files } from "@sortie/pipeline";
import type { Runners } from "../runners.ts";
import { createInferRunner } from "./infer-job.ts";
import { createTrainRunner } from "./train-job.ts";

/** @param filesOf the files that a tenant may name: data, and what nodes read and write */
export function openPipelineRunners(
  context: WorkerContext,
  filesOf: (caller: Caller) => Files,
  settings: EngineSettings = {},
): Runners {
  const engine = new Engine(settings);
  return {
    byKind: {
      train: createTrainRunner(context, { engine, filesOf }),
      infer: createInferRunner(context, { engine, filesOf }),
    },
    kinds: ["train", "infer"],
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}
