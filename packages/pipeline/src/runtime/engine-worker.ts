// The thread that holds ONNX Runtime: `run` of its Node binding blocks the thread it is called on.
import { parentPort } from "node:worker_threads";
import * as ort from "onnxruntime-node";
import { PipelineError } from "../errors.ts";
import { type HostContext, hostStep } from "../graph/host.ts";
import { elements, isTensor, type Tensor, type Value } from "../graph/tensor.ts";
import type { EngineFault, EngineReply, EngineRequest, HostRequest, RunRequest } from "./messages.ts";
import { rowRanges, rowsOf, stacked, TileResults, tileRuns, unstacked } from "./tiles.ts";

interface Loaded {
  readonly session: ort.InferenceSession;
  readonly provider: string;
}

const sessions = new Map<string, Promise<Loaded>>();

/** One thread is faster than several on graphs of this size, and waiting must not burn a core. */
const OPTIONS: ort.InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  logSeverityLevel: 3,
  extra: { session: { intra_op: { allow_spinning: "0" } } },
};

/** The first provider that takes the model; CPU always does. */
async function load(model: Uint8Array, providers: readonly string[]): Promise<Loaded> {
  let fault: unknown;
  for (const provider of providers) {
    try {
      const session = await ort.InferenceSession.create(model, {
        ...OPTIONS,
        executionProviders: provider === "cpu" ? ["cpu"] : [provider, "cpu"],
      });
      return { session, provider };
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}

async function runOnce(
  session: ort.InferenceSession,
  feeds: ReadonlyMap<string, Tensor>,
  outputs: readonly string[],
): Promise<Map<string, Tensor>> {
  const inputs: Record<string, ort.Tensor> = {};
  for (const [name, value] of feeds) {
    inputs[name] = new ort.Tensor(value.dtype as "float32", value.data as Float32Array, [...value.shape]);
  }
  const results = await session.run(inputs, [...outputs]);
  const values = new Map<string, Tensor>();
  for (const name of outputs) {
    const result = results[name] as ort.Tensor;
    values.set(name, { dtype: result.type as "float32", shape: result.dims, data: result.data as Float32Array });
  }
  return values;
}

/** So many that calls cost next to nothing; what they give, some 32 MiB at most, is not yet put together. */
const TILES_OF_A_RUN = 64;

async function runTiled(session: ort.InferenceSession, request: RunRequest): Promise<Map<string, Tensor>> {
  const tiling = request.tiling as NonNullable<RunRequest["tiling"]>;
  const first = request.feeds.get(tiling.inputs[0] as string) as Tensor;
  const [images, height] = first.shape as [number, number];
  const runTiles = (tiles: number, part: (whole: Tensor) => Tensor): Promise<Map<string, Tensor>> => {
    const feeds = new Map(request.feeds);
    for (const name of tiling.inputs) feeds.set(name, stacked(part(request.feeds.get(name) as Tensor), tiles));
    return runOnce(session, feeds, request.outputs);
  };
  const tileOf = (values: ReadonlyMap<string, Tensor>, index: number) =>
    new Map([...values].map(([name, value]) => [name, unstacked(value, index)]));
  // Without a pixel there is no tile, but there are shapes.
  if (tiling.inputs.some((name) => elements((request.feeds.get(name) as Tensor).shape) === 0)) {
    return tileOf(await runTiles(1, (whole) => whole), 0);
  }
  const results = new TileResults(images, height, tiling);
  for (const run of tileRuns(rowRanges(images, height, tiling.rows), TILES_OF_A_RUN)) {
    const range = { ...run[0], rows: run.length * run[0].rows };
    const values = await runTiles(run.length, (whole) => rowsOf(whole, range));
    for (const [index, tile] of run.entries()) results.put(tileOf(values, index), tile);
  }
  return results.whole();
}

async function run(request: RunRequest): Promise<EngineReply> {
  const loaded = sessions.get(request.session);
  if (!loaded) throw new Error(`session ${request.session} is not loaded`);
  const { session, provider } = await loaded;
  const started = performance.now();
  const values = request.tiling
    ? await runTiled(session, request)
    : await runOnce(session, request.feeds, request.outputs);
  const milliseconds = performance.now() - started;
  const back = request.giveBack?.map((name) => [name, request.feeds.get(name) as Tensor] as const);
  return { id: request.id, values, milliseconds, provider, ...(back ? { back: new Map(back) } : {}) };
}

/** Pure steps have nothing to do with files, memory or the end of the pipeline. */
const notHere = (): never => {
  throw new Error("a pure host step asked for more than its inputs");
};

async function runHost({ id, host, inputs, attrs, node, stage }: HostRequest): Promise<EngineReply> {
  // The steps register themselves with the nodes they belong to; most threads never need them.
  const { catalogue } = await import("../nodes/catalogue.ts");
  if (catalogue.size === 0) throw new Error("there are no nodes here");
  const context: HostContext = {
    node,
    stage,
    epoch: 0,
    memory: new Map(),
    files: { read: notHere, write: notHere },
    onClose: notHere,
  };
  const started = performance.now();
  const results = await hostStep(host).run(inputs, attrs, context);
  return { id, results, milliseconds: performance.now() - started };
}

function valuesOf(reply: EngineReply): readonly Value[] {
  if ("results" in reply) return reply.results;
  return "values" in reply ? [...reply.values.values(), ...(reply.back?.values() ?? [])] : [];
}

/** Buffers that may leave this thread without a copy. */
function transferable(values: Iterable<Value>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const value of values) if (isTensor(value)) buffers.add(value.data.buffer as ArrayBuffer);
  return [...buffers].filter((buffer) => buffer.byteLength > 0);
}

/** Frees at once what stayed here: an idle thread collects no garbage, and a scene may be a gigabyte. */
function letGo(values: Iterable<Tensor>): void {
  for (const { data } of values) if (data.buffer.byteLength > 0) (data.buffer as ArrayBuffer).transfer(0);
}

function faultOf(id: number, error: unknown): EngineFault {
  if (error instanceof PipelineError) {
    return { id, error: error.message, reason: error.reason, node: error.node, port: error.port };
  }
  return { id, error: error instanceof Error ? error.message : String(error), reason: "internal" };
}

async function answer(request: EngineRequest): Promise<void> {
  switch (request.type) {
    case "load": {
      const loading = load(request.model, request.providers);
      // A failure is told to the run that wants the session.
      loading.catch(() => {});
      sessions.set(request.session, loading);
      return;
    }
    case "release": {
      const loaded = sessions.get(request.session);
      sessions.delete(request.session);
      await loaded?.then(({ session }) => session.release()).catch(() => {});
      return;
    }
    default: {
      let reply: EngineReply;
      try {
        reply = request.type === "run" ? await run(request) : await runHost(request);
      } catch (error) {
        reply = faultOf(request.id, error);
      }
      parentPort?.postMessage(reply, transferable(valuesOf(reply)));
      if (request.type === "run") letGo(request.feeds.values());
    }
  }
}

// Requests run one after another: a release must not overtake a run.
let last: Promise<void> = Promise.resolve();
parentPort?.on("message", (request: EngineRequest) => {
  last = last.then(() => answer(request));
});
