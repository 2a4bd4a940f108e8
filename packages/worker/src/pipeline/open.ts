// The runners of pipeline jobs, with their engine.
import type { WorkerContext } from "@sortie/core";
import { Engine, localFiles } from "@sortie/pipeline";
import type { Runners } from "../runners.ts";
import { createTrainRunner } from "./train-job.ts";

/** @param dataRoots folders below which data files lie */
export function openPipelineRunners(context: WorkerContext, dataRoots: readonly string[]): Runners {
  const engine = new Engine();
  const files = localFiles(dataRoots);
  return {
    byKind: { train: createTrainRunner(context, { engine, dataOf: () => files }) },
    kinds: ["train"],
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}
