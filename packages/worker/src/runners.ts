// What a worker program can run: its engines, ready, and a runner for each kind of job.
import type { Caller, JobKind, WorkerContext } from "@sortie/core";
import type { EngineSettings, Files } from "@sortie/pipeline";
import { createHighsEngine } from "@sortie/solve";
import type { JobRunner } from "./run-job.ts";
import { createSolveRunner } from "./solve-job.ts";

export interface Runners extends AsyncDisposable {
  readonly byKind: Partial<Record<JobKind, JobRunner>>;
  readonly kinds: readonly JobKind[];
}

/** Starts the engines, so that the first job finds them warm. */
export async function openRunners(): Promise<Runners> {
  const engine = createHighsEngine();
  await engine.warm();
  const solve = createSolveRunner(engine);
  return {
    byKind: { lp: solve, mip: solve },
    kinds: ["lp", "mip"],
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/**
 * As `openRunners`, with training and inference of pipelines, whose engine is loaded with the first such job.
 * @param filesOf the files that a tenant may name
 */
export async function openAllRunners(
  context: WorkerContext,
  filesOf: (caller: Caller) => Files,
  settings: EngineSettings = {},
): Promise<Runners> {
  const solving = await openRunners();
  let pipelines: Promise<Runners> | undefined;
  const run: JobRunner = async (attempt, signal) => {
    pipelines ??= import("./pipeline/open.ts").then(({ openPipelineRunners }) =>
      openPipelineRunners(context, filesOf, settings),
    );
    const runner = (await pipelines).byKind[attempt.job.kind] as JobRunner;
    return runner(attempt, signal);
  };
  return {
    byKind: { ...solving.byKind, train: run, infer: run },
    kinds: [...solving.kinds, "train", "infer"],
    async [Symbol.asyncDispose]() {
      await (await pipelines)?.[Symbol.asyncDispose]();
      await solving[Symbol.asyncDispose]();
    },
  };
}
