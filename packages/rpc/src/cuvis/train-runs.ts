// SaveTrainRun and RestoreTrainRun: a train run as files, and a new session from such files.
import { closeSession, createSession } from "@sortie/core";
import { type Files, parseYaml, resolveInterpolations, toPlain } from "@sortie/pipeline";
import {
  editSession,
  encodeWeights,
  type Json,
  loadWeights,
  openSession,
  readWeights,
  type SessionState,
  storeWeights,
  toJson,
} from "@sortie/sessions";
import type { cuvis } from "@sortie/wire";
import { stringify } from "yaml";
import type { Call } from "../cuopt/handlers.ts";
import type { CuvisContext } from "./context.ts";
import { invalid, noPipeline, notFound } from "./errors.ts";
import { checkData, checkPipeline, checkTrainRun, defaultTraining, type PipelineModel } from "./models.ts";
import { pipelineFile, setPipeline, stemOf, withSuffix } from "./pipelines.ts";
import { checkPlugins } from "./plugin-rules.ts";
import { EMPTY_STATE } from "./sessions.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export function createTrainRunHandlers(context: CuvisContext) {
  return {
    async saveTrainRun(request: cuvis.SaveTrainRunRequest, call: Call) {
      const { state } = await openSession(context, call.caller, request.sessionId);
      if (!state.pipeline) throw noPipeline();
      if (request.trainrunPath === "") throw invalid("trainrun_path is empty");
      const files = context.filesOf(call.caller);
      const pipeline = await context.host.ready(context, state.pipeline, call);
      const path = files.absolute(request.trainrunPath);
      const folder = path.slice(0, path.lastIndexOf("/"));
      const pipelineName = `${stemOf(path)}_pipeline.yaml`;
      const pipelinePath = `${folder}/${pipelineName}`;
      await files.write(pipelinePath, bytesOf(pipelineFile(pipeline, stemOf(path), undefined, true).text));
      const trainRun: Json = { ...(state.trainRun ?? madeUp(state, pipeline.name)), pipeline: pipelineName };
      await files.write(path, bytesOf(stringify(inOrder(trainRun), { version: "1.1" })));
      const weightsPath = request.saveWeights ? withSuffix(path, ".pt") : "";
      if (request.saveWeights) {
        const notes = { name: String(trainRun["name"]), created: new Date(context.clock.now()).toISOString() };
        await files.write(weightsPath, encodeWeights(pipeline, notes, stemOf(path)));
      }
      return { success: true, trainrunPath: path, pipelinePath, weightsPath };
    },

    async restoreTrainRun(request: cuvis.RestoreTrainRunRequest, call: Call) {
      if (request.trainrunPath === "") throw invalid("trainrun_path is empty");
      const files = context.filesOf(call.caller);
      const path = files.absolute(request.trainrunPath);
      const trainRun = await readTrainRun(files, path);
      const config = await pipelineOf(files, path, trainRun["pipeline"]);
      const weights = await weightsOf(files, request.weightsPath);
      // A new session has no plugins, so being strict about them would refuse every train run.
      checkPlugins(config, EMPTY_STATE, false);

      const { pipeline: _pipeline, ...rest } = trainRun;
      const state: SessionState = {
        ...EMPTY_STATE,
        trainRun: rest,
        data: rest["data"] as Json,
        training: (rest["training"] as Json | null) ?? defaultTraining(),
      };
      const { id } = await createSession(context, call.caller, toJson(state));
      try {
        await setPipeline(context, call.caller, id, config);
        if (weights) await applyWeights(context, call, id, weights, request.strict ?? true);
      } catch (error) {
        await closeSession(context, call.caller, id);
        throw error;
      }
      return { sessionId: id, trainrun: { configBytes: bytesOf(JSON.stringify(trainRun)) } };
    },
  };
}

/** The train run of a session that none was set in. */
const madeUp = (state: SessionState, name: string): Json => ({
  name,
  data: state.data ?? checkData({}),
  training: state.training ?? defaultTraining(),
  loss_nodes: [],
  metric_nodes: [],
  freeze_nodes: [],
  unfreeze_nodes: [],
  output_dir: "./outputs",
  tags: {},
});

const KEYS = [
  "name",
  "pipeline",
  "data",
  "training",
  "loss_nodes",
  "metric_nodes",
  "freeze_nodes",
  "unfreeze_nodes",
  "output_dir",
  "tags",
];

const inOrder = (trainRun: Json): Json =>
  Object.fromEntries(KEYS.flatMap((key) => (trainRun[key] === undefined ? [] : [[key, trainRun[key]]])));

async function readTrainRun(files: Files, path: string): Promise<Json> {
  const found = await files.stat(path);
  if (found?.kind !== "file") throw notFound(`Train run file not found: ${path}`);
  const value = plainYaml(new TextDecoder().decode(await files.read(path)), path);
  if ("defaults" in value) {
    throw invalid(`${path} has a defaults list; compose it with ResolveConfig first and restore the result`);
  }
  const trainRun = checkTrainRun(value);
  return { ...trainRun, data: withAbsoluteSplits(trainRun["data"] as Json, path) };
}

function withAbsoluteSplits(data: Json, path: string): Json {
  const splits = data["splits"] as Json | null | undefined;
  const splitsPath = splits?.["splits_path"];
  if (!splits || typeof splitsPath !== "string" || splitsPath === "" || splitsPath.startsWith("/")) return data;
  return { ...data, splits: { ...splits, splits_path: `${path.slice(0, path.lastIndexOf("/"))}/${splitsPath}` } };
}

/** The pipeline beside a train run, or inside of it as older files have it. */
async function pipelineOf(files: Files, trainRunPath: string, named: unknown): Promise<PipelineModel> {
  if (typeof named === "object" && named !== null) return checkPipeline(named);
  const folder = trainRunPath.slice(0, trainRunPath.lastIndexOf("/"));
  const parent = folder.slice(0, Math.max(0, folder.lastIndexOf("/")));
  const beside = `${folder}/${stemOf(trainRunPath)}_pipeline.yaml`;
  const wanted = typeof named === "string" && named !== "" ? named : undefined;
  const places =
    wanted === undefined
      ? [beside]
      : wanted.startsWith("/")
        ? [wanted]
        : [folder, parent, "."].map((at) => `${at}/${wanted}`);
  const tried = places.flatMap((place) => [place, `${place}.yaml`]).map((place) => files.absolute(place));
  for (const place of tried) {
    const found = await files.stat(place);
    if (found?.kind !== "file") continue;
    return checkPipeline(plainYaml(new TextDecoder().decode(await files.read(found.path)), place));
  }
  if (wanted === undefined) throw invalid(`The train run names no pipeline, and there is no ${beside}`);
  throw notFound(`Pipeline '${wanted}' of the train run not found; tried ${tried.join(", ")}`);
}

function plainYaml(text: string, path: string): Record<string, unknown> {
  const value = toPlain(resolveInterpolations(parseYaml(text, path), {}));
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${path} holds no mapping`);
  return value;
}

async function weightsOf(
  files: Files,
  path: string | undefined,
): Promise<{ name: string; bytes: Uint8Array } | undefined> {
  if (path === undefined || path === "") return undefined;
  const absolute = files.absolute(path);
  const found = await files.stat(absolute);
  if (found?.kind !== "file") throw notFound(`Weights file not found: ${absolute}`);
  return { name: absolute, bytes: await files.read(found.path) };
}

async function applyWeights(
  context: CuvisContext,
  call: Call,
  sessionId: string,
  { name, bytes }: { name: string; bytes: Uint8Array },
  strict: boolean,
): Promise<void> {
  const checkpoint = await readWeights(name, bytes);
  await editSession(context, call.caller, sessionId, async ({ state }) => {
    if (!state.pipeline) throw noPipeline();
    const pipeline = await context.host.build(context, state.pipeline, call);
    loadWeights(pipeline, checkpoint, strict);
    return {
      state: { ...state, pipeline: await storeWeights(context, sessionId, state.pipeline, pipeline) },
      value: undefined,
    };
  });
}
