// Pipelines of sessions in this process: built once from the session's configuration and weights, kept while there is room,
// used by one call of a session at a time.
import type { Caller, CallOptions, WorkerContext } from "@sortie/core";
import { type NodeFiles, Pipeline } from "@sortie/pipeline";
import { LRUCache } from "lru-cache";
import { catalogueWith } from "./onnx-classes.ts";
import type { LoadedPipeline } from "./state.ts";
import { checkpointOf, loadWeights } from "./weights.ts";

export interface PipelineHostOptions {
  /** Pipelines kept ready. Default 64. */
  readonly most?: number | undefined;
  /** Where nodes of a caller's pipelines read and write files. Default: they may not. */
  readonly filesOf?: ((caller: Caller) => NodeFiles) | undefined;
  /** Told of faults that no caller waits for. */
  readonly onFault?: ((what: string, error: unknown) => void) | undefined;
}

/** On whose behalf a pipeline is built; without a caller its nodes have no files. */
export interface BuildOptions extends CallOptions {
  readonly caller?: Caller | undefined;
}

export class PipelineHost {
  readonly #kept: LRUCache<string, Pipeline>;
  readonly #filesOf: PipelineHostOptions["filesOf"];
  /** The last call of each session that is under way. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor({ most = 64, filesOf, onFault = () => undefined }: PipelineHostOptions = {}) {
    this.#filesOf = filesOf;
    this.#kept = new LRUCache({
      max: most,
      dispose: (pipeline) => void pipeline.close().catch((error) => onFault("letting go of a pipeline", error)),
    });
  }

  /** One call of a session after the other, in the order in which they came. */
  async inTurn<T>(sessionId: string, call: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(sessionId) ?? Promise.resolve();
    const turn = before.then(call, call);
    const settled = turn.catch(() => undefined);
    this.#turns.set(sessionId, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(sessionId) === settled) this.#turns.delete(sessionId);
    }
  }

  /** The pipeline as the session has it, ready to run. It may be used in the session's turn only, and not be changed. */
  async ready(ports: Pick<WorkerContext, "blobs">, loaded: LoadedPipeline, options?: BuildOptions): Promise<Pipeline> {
    const { generation } = loaded;
    const kept = this.#kept.get(generation);
    if (kept) return kept;
    const pipeline = await this.build(ports, loaded, options);
    // Another call may have built it meanwhile; all use one, since nodes remember things from run to run.
    const other = this.#kept.get(generation);
    if (other) return other;
    this.#kept.set(generation, pipeline);
    return pipeline;
  }

  /** A pipeline of one's own, to be changed. @throws PipelineError */
  async build(
    ports: Pick<WorkerContext, "blobs">,
    loaded: Pick<LoadedPipeline, "config" | "weights" | "fitted" | "models">,
    options?: BuildOptions,
  ): Promise<Pipeline> {
    const files = options?.caller && this.#filesOf?.(options.caller);
    const pipeline = new Pipeline(loaded.config as unknown as ConstructorParameters<typeof Pipeline>[0], {
      ...(files && { files }),
      ...(loaded.models?.length ? { catalogue: await catalogueWith(ports, loaded.models, options) } : {}),
    });
    if (loaded.weights) loadWeights(pipeline, await checkpointOf(ports, loaded.weights, options), false);
    // A weights file does not say which nodes were fitted: every node has its entry.
    const fitted = new Set(loaded.fitted);
    for (const node of pipeline.nodes) node.fitted = fitted.has(node.name);
    return pipeline;
  }

  /** Lets go of a pipeline that nobody asks for any more: its nodes finish their files. */
  forget(loaded: Pick<LoadedPipeline, "generation"> | undefined): void {
    if (loaded) this.#kept.delete(loaded.generation);
  }

  /** Lets go of every pipeline. */
  close(): void {
    this.#kept.clear();
  }
}
