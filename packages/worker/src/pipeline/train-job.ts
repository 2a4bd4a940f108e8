// Runs a training job: the session's pipeline is fitted on the files of its data configuration, and the session gets the
// weights, in one change and only if it still has the pipeline that was trained.
import type { Caller, Value, WorkerContext } from "@sortie/core";
import {
  type Batch,
  DataError,
  type DataFiles,
  dataFiles,
  type Engine,
  FileError,
  type Files,
  FormatError,
  openFilesModule,
  type PipelineBatch,
  PipelineError,
  parseFilesParams,
  type Splits,
} from "@sortie/pipeline";
import {
  CALLERS_FAULT,
  editSession,
  type Json,
  openSession,
  PipelineHost,
  type SessionState,
  storeWeights,
  type TrainingTask,
  taskOf,
} from "@sortie/sessions";
import { JobFailure, type JobRunner } from "../run-job.ts";

/** How often a training says that its session is in use. */
const USE_MS = 60_000;

export interface TrainOptions {
  readonly engine: Engine;
  /** The files that this tenant may name. */
  readonly filesOf: (caller: Caller) => Files;
}

export function createTrainRunner(context: WorkerContext, { engine, filesOf }: TrainOptions): JobRunner {
  const host = new PipelineHost({ filesOf });
  return async (attempt, signal) => {
    const started = performance.now();
    const { tenant } = attempt.job;
    const caller: Caller = { tenant };
    const task = taskOf(attempt.job);
    let usedAt = context.clock.now();
    try {
      const { state } = await openSession(context, caller, task.sessionId);
      const loaded = state.pipeline;
      if (!loaded) throw new JobFailure("the session has no pipeline any more");
      const pipeline = await host.build(context, loaded, { signal, caller });
      const data = await openData(task.data, dataFiles(filesOf(caller)));
      for (const warning of data.warnings) attempt.log(warning);
      const loadSeconds = (performance.now() - started) / 1000;
      await pipeline.fit(() => batchesOf(data.batches("train")), {
        engine,
        signal,
        onProgress: ({ node, index, nodes, batches, done }) => {
          // A session that is trained is in use, however long it takes.
          if (context.clock.now() - usedAt > USE_MS) {
            usedAt = context.clock.now();
            openSession(context, caller, task.sessionId).catch(() => undefined);
          }
          attempt.progress({ node, index, nodes, batches });
          if (done) attempt.log(`Fitted ${node} (${index + 1} of ${nodes}) on ${batches} batches`);
        },
      });
      signal.throwIfAborted();
      await editSession(context, caller, task.sessionId, async (session) => {
        if (session.state.pipeline?.generation !== loaded.generation) {
          throw new JobFailure("the session's pipeline was replaced while it was trained");
        }
        const trained = await storeWeights(context, task.sessionId, loaded, pipeline);
        return {
          state: { ...session.state, pipeline: trained, ...trainedWith(session.state, task, pipeline.name) },
          obsolete: loaded.weights ? [loaded.weights.key] : [],
          value: undefined,
        };
      });
      const solve = (performance.now() - started) / 1000 - loadSeconds;
      await attempt.complete({ message: "", arrays: [] }, { load: loadSeconds, solve });
    } catch (error) {
      throw signal.aborted ? error : explained(error);
    }
  };
}

/** What a session keeps of a training: the configurations that were used, with the node lists it had. */
function trainedWith(
  state: SessionState,
  { data, training }: TrainingTask,
  name: string,
): Pick<SessionState, "data" | "training" | "trainRun"> {
  const lists = ["loss_nodes", "metric_nodes", "freeze_nodes", "unfreeze_nodes"];
  const kept = Object.fromEntries(lists.map((list) => [list, (state.trainRun?.[list] ?? []) as Value]));
  return { data, training, trainRun: { name, data, training, ...kept, output_dir: "./outputs", tags: {} } };
}

async function openData(config: Json, files: DataFiles) {
  const params = parseFilesParams(
    (config["params"] ?? {}) as Record<string, unknown>,
    Number(config["batch_size"] ?? 1),
  );
  return openFilesModule(params, (config["splits"] ?? null) as Splits | null, files);
}

async function* batchesOf(batches: AsyncIterable<Batch>): AsyncGenerator<PipelineBatch> {
  for await (const { cube, wavelengths, mask, mesu_index } of batches) {
    yield {
      cube,
      mesu_index,
      ...(wavelengths === undefined ? {} : { wavelengths }),
      ...(mask === undefined ? {} : { mask }),
    } as PipelineBatch;
  }
}

const CALLERS: readonly string[] = [
  "invalid-value",
  "unknown-node",
  "unknown-port",
  "incompatible-ports",
  "unsupported",
];

/** The failure in words for the job's owner; what nobody expected stays as it is, for the log alone. */
function explained(error: unknown): unknown {
  if (error instanceof DataError || error instanceof FileError) return new JobFailure(CALLERS_FAULT + error.message);
  if (error instanceof FormatError) return new JobFailure(error.message);
  if (error instanceof PipelineError) {
    return new JobFailure(CALLERS.includes(error.reason) ? CALLERS_FAULT + error.message : error.message);
  }
  return error;
}
