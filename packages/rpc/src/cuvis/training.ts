// SetTrainRunConfig, Train, GetTrainStatus, GetTrainingCapabilities. A training is a job: the stream follows it, and a
// client that goes away finds it again.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { DomainError, getJob, isFinished, type Job, type JobState, nextChange, submitJob } from "@sortie/core";
import {
  CALLERS_FAULT,
  editSession,
  type Json,
  openSession,
  type SessionState,
  type TrainingTask,
} from "@sortie/sessions";
import { cuvis } from "@sortie/wire";
import type { Call } from "../cuopt/handlers.ts";
import { TRAINING_CAPABILITIES } from "./capabilities.ts";
import type { CuvisContext } from "./context.ts";
import { checkDataModule } from "./data-modules.ts";
import { CuvisError, invalid, noPipeline, precondition } from "./errors.ts";
import { checkGradient } from "./gradient-rules.ts";
import { manifestsOf, readObject } from "./manifests.ts";
import { checkData, checkPipeline, checkTraining, checkTrainRun, defaultTraining } from "./models.ts";
import { setPipeline } from "./pipelines.ts";
import { checkPlugins } from "./plugin-rules.ts";

const { ExecutionStage, TrainerType, TrainStatus } = cuvis;
type Progress = MessageInitShape<typeof cuvis.TrainResponseSchema>;

/** A training's worker holds a batch and the statistics of its nodes. */
const TRAINING_BYTES = 1024 ** 3;
const WAIT_MS = 30_000;

const progress = (epoch: number, step: number, status: cuvis.TrainStatus, message: string): Progress => ({
  context: { stage: ExecutionStage.TRAIN, epoch, batchIdx: 0, globalStep: step },
  status,
  message,
});

/** @param trainMs Train's stream ends after so many milliseconds, whatever becomes of the training. Default: it lasts as long */
export function createTrainingHandlers(context: CuvisContext, trainMs = Number.POSITIVE_INFINITY) {
  return {
    async setTrainRunConfig(request: cuvis.SetTrainRunConfigRequest, call: Call) {
      await openSession(context, call.caller, request.sessionId);
      const value = readObject(request.config?.configBytes ?? new Uint8Array(), "config.config_bytes");
      const inline = typeof value["pipeline"] === "object" && value["pipeline"] !== null;
      if (inline) return buildFromTrainRun(context, call, request.sessionId, value);
      const trainRun = checkTrainRun(value);
      await editSession(context, call.caller, request.sessionId, ({ state }) => {
        if (!state.pipeline) throw noPipeline();
        if (trainRun["pipeline"] !== undefined && trainRun["pipeline"] !== null) {
          throw precondition(
            "config.pipeline must be absent: the session has a pipeline, which LoadPipeline has loaded",
          );
        }
        return { state: withTrainRun(state, trainRun), value: undefined };
      });
      return { success: true, pipelineFromConfig: false };
    },

    async *train(request: cuvis.TrainRequest, call: Call): AsyncGenerator<Progress> {
      const { sessionId } = request;
      const until = context.clock.now() + trainMs;
      const { state } = await openSession(context, call.caller, sessionId);
      const loaded = state.pipeline;
      if (!loaded) throw noPipeline();
      const data = dataOf(request, state);
      checkDataModule(data["data_module"], state, true);
      if (request.trainerType === TrainerType.GRADIENT) {
        await checkGradient(state, trainingOf(request, state), () => context.host.build(context, loaded, call));
        throw new CuvisError(
          Code.Unimplemented,
          "Gradient training is not available on this server yet; statistical training is (TRAINER_TYPE_STATISTICAL)",
        );
      }
      if (request.trainerType !== TrainerType.STATISTICAL) {
        throw invalid(`trainer_type is ${request.trainerType}; it must be TRAINER_TYPE_STATISTICAL or _GRADIENT`);
      }
      const training = trainingOf(request, state);
      // One after the other: the later one starts from what the earlier one has made.
      if (state.trainingJob !== undefined) await ended(context, call, state.trainingJob, until);
      const jobId = await submitTraining(context, call, {
        sessionId,
        trainer: "statistical",
        data,
        training: training ?? defaultTraining(),
      });
      yield progress(0, 0, TrainStatus.RUNNING, "Starting statistical training");
      const job = await ended(context, call, jobId, until);
      if (!job) throw new DomainError("job-unknown", "The training was deleted");
      if (job.state !== "completed") throw failureOf(job);
      yield progress(1, 1, TrainStatus.COMPLETE, "Statistical training complete");
    },

    async getTrainStatus(request: cuvis.GetTrainStatusRequest, call: Call) {
      const { state } = await openSession(context, call.caller, request.sessionId);
      if (!state.pipeline) throw noPipeline();
      const job = state.trainingJob === undefined ? undefined : await getJob(context, call.caller, state.trainingJob);
      // A job that is gone has ended long ago; the session has what it made.
      const jobState = job?.state ?? (state.trainingJob === undefined ? undefined : "completed");
      return { latestProgress: progress(0, 0, statusOf(jobState), messageOf(job)) };
    },

    async getTrainingCapabilities() {
      return TRAINING_CAPABILITIES;
    },
  };
}

/** An older client sends the pipeline inside of the train run. */
async function buildFromTrainRun(context: CuvisContext, call: Call, sessionId: string, value: Record<string, unknown>) {
  const { pipeline, ...rest } = value;
  const { state } = await openSession(context, call.caller, sessionId);
  if (state.pipeline) throw precondition("config.pipeline must be absent: the session has a pipeline already");
  const trainRun = checkTrainRun(rest);
  const config = checkPipeline(pipeline as Record<string, unknown>);
  // Older pipelines name no plugins: every registered one may have their classes.
  const plugins = config.plugins ?? manifestsOf(state).map(({ name }) => name);
  checkPlugins({ ...config, plugins }, state, false);
  await setPipeline(context, call.caller, sessionId, config);
  await editSession(context, call.caller, sessionId, ({ state: built }) => ({
    state: withTrainRun(built, trainRun),
    value: undefined,
  }));
  return { success: true, pipelineFromConfig: true };
}

const withTrainRun = (state: SessionState, trainRun: Json): SessionState => ({
  ...state,
  trainRun,
  data: trainRun["data"] as Json | undefined,
  ...(trainRun["training"] ? { training: trainRun["training"] as Json } : {}),
});

function dataOf(request: cuvis.TrainRequest, state: SessionState): Json {
  const data = request.data ? checkData(readObject(request.data.configBytes, "data.config_bytes")) : state.data;
  if (!data) throw invalid("No data configuration: send data, or set one with SetTrainRunConfig");
  const path = (data["splits"] as Json | null | undefined)?.["splits_path"];
  if (typeof path === "string" && path !== "" && !path.startsWith("/")) {
    throw invalid(`data.splits.splits_path '${path}' must be absolute`);
  }
  return data;
}

const trainingOf = (request: cuvis.TrainRequest, state: SessionState): Json | undefined =>
  request.training ? checkTraining(readObject(request.training.configBytes, "training.config_bytes")) : state.training;

async function submitTraining(context: CuvisContext, call: Call, task: TrainingTask): Promise<string> {
  const newJob = {
    needs: { kind: "train", memoryBytes: TRAINING_BYTES, elements: 0, usesGpu: false },
    work: task as unknown as Json,
    webhook: call.webhook,
  } as const;
  const jobId = context.ids.random();
  await submitJob(
    context,
    call.caller,
    jobId,
    newJob,
    async () => ({ kind: "stored", arrays: [] }),
    context.clock.now(),
  );
  await editSession(context, call.caller, task.sessionId, ({ state }) => ({
    state: { ...state, trainingJob: jobId },
    value: undefined,
  }));
  return jobId;
}

/**
 * The job once it has ended, undefined if it is gone. The training goes on when the caller leaves.
 * @throws CuvisError DEADLINE_EXCEEDED at `until`: nothing that clients repeat by themselves, for that would train once more
 */
async function ended(context: CuvisContext, call: Call, jobId: string, until: number): Promise<Job | undefined> {
  let job = await getJob(context, call.caller, jobId);
  while (job && !isFinished(job.state)) {
    const left = until - context.clock.now();
    if (left <= 0) {
      throw new CuvisError(
        Code.DeadlineExceeded,
        "This call ends before the training does. The training goes on, and GetTrainStatus tells how it ends",
      );
    }
    job = await nextChange(context, call.caller, job, Math.min(left, WAIT_MS), { signal: call.signal });
  }
  return job;
}

function failureOf(job: Job): CuvisError {
  if (job.state === "cancelled") return new CuvisError(Code.Canceled, "The training was cancelled");
  const failure = job.failure ?? "the training failed";
  if (failure.startsWith(CALLERS_FAULT)) return invalid(failure.slice(CALLERS_FAULT.length));
  return new CuvisError(Code.Internal, `Training failed: ${failure}`);
}

const STATUS: Readonly<Record<JobState, cuvis.TrainStatus>> = {
  queued: TrainStatus.RUNNING,
  processing: TrainStatus.RUNNING,
  completed: TrainStatus.COMPLETE,
  failed: TrainStatus.ERROR,
  cancelled: TrainStatus.ERROR,
};

const statusOf = (state: JobState | undefined): cuvis.TrainStatus =>
  state === undefined ? TrainStatus.UNSPECIFIED : STATUS[state];

function messageOf(job: Job | undefined): string {
  if (job?.state === "failed") return `Training failed: ${(job.failure ?? "").replace(CALLERS_FAULT, "")}`;
  if (job?.state === "cancelled") return "The training was cancelled";
  const { node, index, nodes } = job?.progress ?? {};
  if (job?.state === "processing" && node !== undefined)
    return `Fitting ${String(node)} (${Number(index) + 1} of ${String(nodes)})`;
  return "Training status query";
}
