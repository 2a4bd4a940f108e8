// The thread that holds ONNX Runtime: `run` of its Node binding blocks the thread it is called on.
import { parentPort } from "node:worker_threads";
import * as ort from "onnxruntime-node";
import { PipelineError } from "../errors.ts";
import { type HostContext, hostStep } from "../graph/host.ts";
import { elements, isTensor, type Tensor, type Value } from "../graph/tensor.ts";
import type { EngineFault, EngineReply, EngineRequest, HostRequest, RunRequest } from "./messages.ts";
import { RowAssembly, rowRanges, rowsOf } from "./tiles.ts";

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

async function runTiled(session: ort.InferenceSession, request: RunRequest): Promise<Map<string, Tensor>> {
  const tiling = request.tiling as NonNullable<RunRequest["tiling"]>;
  const first = request.feeds.get(tiling.inputs[0] as string) as Tensor;
  const [images, height] = first.shape as [number, number];
  const assemblies = new Map(tiling.outputs.map((name) => [name, new RowAssembly(images, height)]));
  const whole = new Map<string, Tensor>();
  for (const range of rowRanges(images, height, tiling.rows)) {
    const feeds = new Map(request.feeds);
    for (const name of tiling.inputs) feeds.set(name, rowsOf(request.feeds.get(name) as Tensor, range));
    for (const [name, value] of await runOnce(session, feeds, request.outputs)) {
      const assembly = assemblies.get(name);
      if (assembly) assembly.put(value, range);
      else if (!whole.has(name)) whole.set(name, value);
    }
  }
  for (const [name, assembly] of assemblies) whole.set(name, assembly.whole());
  return whole;
}

async function run(request: RunRequest): Promise<EngineReply> {
  const loaded = sessions.get(request.session);
  if (!loaded) throw new Error(`session ${request.session} is not loaded`);
  const { session, provider } = await loaded;
  const started = performance.now();
  const empty = [...request.feeds.values()].some((feed) => elements(feed.shape) === 0);
  const tiled = request.tiling && !empty;
  const values = tiled ? await runTiled(session, request) : await runOnce(session, request.feeds, request.outputs);
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
