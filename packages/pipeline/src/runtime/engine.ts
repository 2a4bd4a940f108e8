// Runs compiled segments on threads that hold ONNX Runtime, and keeps their sessions in a bounded cache.
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { PipelineError } from "../errors.ts";
import { isTensor, type Tensor, type Value } from "../graph/tensor.ts";
import { engineProgram } from "./engine-program.ts";
import type { EngineReply, EngineRequest, HostRequest, Tiling } from "./messages.ts";
import type { CompiledModel } from "./model.ts";

export type Provider = "cpu" | "webgpu" | "cuda";

export interface EngineSettings {
  /** Threads, each with its own sessions; small graphs gain nothing from several. Default 1. */
  readonly threads?: number;
  /** "auto" takes CUDA or WebGPU where the runtime has them. Default "cpu". */
  readonly provider?: Provider | "auto";
  /** Sessions kept per thread. Default 64. */
  readonly maxSessions?: number;
  /** Bytes of models kept per thread. Default 256 MiB. */
  readonly maxModelBytes?: number;
}

export interface RunOptions {
  readonly outputs: readonly string[];
  readonly tiling?: Tiling;
  /** Names of feeds whose buffers may be given away. */
  readonly transfer?: ReadonlySet<string>;
  /** Names of those that come back, in `back`: filled again, they cost no new memory. */
  readonly giveBack?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult {
  readonly values: ReadonlyMap<string, Tensor>;
  readonly back?: ReadonlyMap<string, Tensor>;
  /** Time inside the runtime. */
  readonly milliseconds: number;
  /** Who really ran it. */
  readonly provider: string;
}

const DEFAULTS = { threads: 1, provider: "cpu", maxSessions: 64, maxModelBytes: 256 * 1024 * 1024 } as const;

/** The providers this machine's runtime can try, best first. */
export function availableProviders(): Provider[] {
  // Loaded when asked for: a server that runs no pipeline does not carry the runtime.
  const { listSupportedBackends } = createRequire(import.meta.url)(
    "onnxruntime-node",
  ) as typeof import("onnxruntime-node");
  const names = new Set(
    listSupportedBackends()
      .filter((backend) => backend.bundled)
      .map((backend) => backend.name),
  );
  return (["cuda", "webgpu", "cpu"] as const).filter((name) => name === "cpu" || names.has(name));
}

function providersFor(setting: Provider | "auto"): Provider[] {
  if (setting === "auto") return availableProviders();
  return setting === "cpu" ? ["cpu"] : [setting, "cpu"];
}

/** The pool of threads. Threads start with the first run, and do not keep the process alive while idle. */
export class Engine implements AsyncDisposable {
  readonly #settings: Required<EngineSettings>;
  readonly #providers: readonly Provider[];
  #threads: EngineThread[] = [];
  #closed = false;

  constructor(settings: EngineSettings = {}) {
    this.#settings = { ...DEFAULTS, ...settings };
    this.#providers = providersFor(this.#settings.provider);
  }

  get threads(): number {
    return this.#settings.threads;
  }

  /** Runs a model; `feeds` by input name. */
  async run(model: CompiledModel, feeds: ReadonlyMap<string, Tensor>, options: RunOptions): Promise<RunResult> {
    if (this.#closed) throw new PipelineError("internal", "the engine is closed");
    options.signal?.throwIfAborted();
    return this.#thread(model.key).run(model, feeds, options);
  }

  /** Runs a pure host step on a thread; `own` tells which inputs' buffers may be given away. */
  async host(
    step: Omit<HostRequest, "type" | "id">,
    own: readonly boolean[],
    signal?: AbortSignal,
  ): Promise<HostResult> {
    if (this.#closed) throw new PipelineError("internal", "the engine is closed");
    signal?.throwIfAborted();
    return this.#thread(step.host).host(step, own);
  }

  /** An idle thread that has the session, else an idle one, else a new one, else the least busy. */
  #thread(key: string): EngineThread {
    this.#threads = this.#threads.filter((thread) => !thread.ended);
    const idle = this.#threads.filter((thread) => thread.pending === 0);
    const known = idle.find((thread) => thread.has(key)) ?? idle[0];
    if (known) return known;
    if (this.#threads.length < this.#settings.threads) {
      const made = new EngineThread(this.#settings, this.#providers);
      this.#threads.push(made);
      return made;
    }
    return this.#threads.reduce((a, b) => (b.pending < a.pending ? b : a));
  }

  /** Ends every thread; runs under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.close()));
    this.#threads = [];
  }

  close(): Promise<void> {
    return this[Symbol.asyncDispose]();
  }
}

export interface HostResult {
  readonly results: readonly Value[];
  readonly milliseconds: number;
}

interface Waiting {
  readonly resolve: (reply: EngineReply) => void;
  readonly reject: (error: unknown) => void;
}

/** What is not ours to give away is copied once, and the copy is given away. */
function sendable(value: Tensor, own: boolean, transfer: Set<ArrayBuffer>): Tensor {
  const { buffer, byteLength } = value.data;
  const data = own && buffer.byteLength === byteLength ? value.data : (value.data.slice() as Tensor["data"]);
  if (data.byteLength > 0) transfer.add(data.buffer as ArrayBuffer);
  return { ...value, data } as Tensor;
}

class EngineThread {
  readonly #worker: Worker;
  readonly #settings: Required<EngineSettings>;
  readonly #providers: readonly Provider[];
  /** Sessions by key with the size of their models, least recently used first. */
  readonly #sessions = new Map<string, number>();
  readonly #waiting = new Map<number, Waiting>();
  #bytes = 0;
  #next = 0;
  ended = false;

  constructor(settings: Required<EngineSettings>, providers: readonly Provider[]) {
    this.#settings = settings;
    this.#providers = providers;
    this.#worker = new Worker(engineProgram(), { name: "sortie-onnx" });
    this.#worker.unref();
    this.#worker.on("message", (reply: EngineReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("the thread ended")));
  }

  get pending(): number {
    return this.#waiting.size;
  }

  has(key: string): boolean {
    return this.#sessions.has(key);
  }

  run(model: CompiledModel, feeds: ReadonlyMap<string, Tensor>, options: RunOptions): Promise<RunResult> {
    this.#ensure(model);
    const transfer = new Set<ArrayBuffer>();
    const sent = new Map<string, Tensor>();
    for (const [name, value] of feeds) sent.set(name, sendable(value, options.transfer?.has(name) ?? false, transfer));
    const { outputs, tiling, giveBack } = options;
    const rest = {
      session: model.key,
      feeds: sent,
      outputs,
      ...(tiling ? { tiling } : {}),
      ...(giveBack ? { giveBack } : {}),
    };
    return this.#ask((id) => ({ type: "run", id, ...rest }), transfer) as Promise<RunResult & { id: number }>;
  }

  host(step: Omit<HostRequest, "type" | "id">, own: readonly boolean[]): Promise<HostResult> {
    const transfer = new Set<ArrayBuffer>();
    const inputs = step.inputs.map((value, i) =>
      isTensor(value) ? sendable(value, own[i] ?? false, transfer) : value,
    );
    return this.#ask((id) => ({ ...step, type: "host", id, inputs }), transfer) as Promise<HostResult & { id: number }>;
  }

  #ask(request: (id: number) => EngineRequest, transfer: ReadonlySet<ArrayBuffer>): Promise<EngineReply> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#post(request(id), [...transfer]);
    });
  }

  #ensure(model: CompiledModel): void {
    const known = this.#sessions.get(model.key);
    if (known !== undefined) {
      this.#sessions.delete(model.key);
      this.#sessions.set(model.key, known);
      return;
    }
    this.#post({ type: "load", session: model.key, model: model.bytes, providers: this.#providers });
    this.#sessions.set(model.key, model.bytes.byteLength);
    this.#bytes += model.bytes.byteLength;
    for (const [key, bytes] of this.#sessions) {
      const full = this.#sessions.size > this.#settings.maxSessions || this.#bytes > this.#settings.maxModelBytes;
      if (!full || key === model.key) break;
      this.#sessions.delete(key);
      this.#bytes -= bytes;
      this.#post({ type: "release", session: key });
    }
  }

  #post(request: EngineRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #settle(reply: EngineReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ("error" in reply) {
      waiting?.reject(new PipelineError(reply.reason, reply.error, { node: reply.node, port: reply.port }));
    } else waiting?.resolve(reply);
  }

  #fail(error: unknown): void {
    this.ended = true;
    for (const { reject } of this.#waiting.values()) {
      reject(new PipelineError("internal", "the inference thread ended", { cause: error }));
    }
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
