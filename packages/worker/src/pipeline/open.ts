// The runners of pipeline jobs, with their engine.
import type { WorkerContext } from "@sortie/core";
import { Engine, type EngineSettings, localFiles } from "@sortie/pipeline";
import type { Runners } from "../runners.ts";
import { createInferRunner } from "./infer-job.ts";
import { createTrainRunner } from "./train-job.ts";

/** @param dataRoots folders below which data files lie */
export function openPipelineRunners(
  context: WorkerContext,
  dataRoots: readonly string[],
  settings: EngineSettings = {},
): Runners {
  const engine = new Engine(settings);
  const files = localFiles(dataRoots);
  return {
    byKind: {
      train: createTrainRunner(context, { engine, dataOf: () => files }),
      infer: createInferRunner(context, { engine, dataOf: () => files }),
    },
    kinds: ["train", "infer"],
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}
