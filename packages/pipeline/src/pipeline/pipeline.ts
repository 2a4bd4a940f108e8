// A pipeline ready to run: nodes, connections, state; forward passes, statistical fitting, weights, profiles, export.
import { PipelineError } from "../errors.ts";
import type { GraphValue } from "../graph/graph.ts";
import type { HostContext, NodeFiles, Stage } from "../graph/host.ts";
import { interpret } from "../graph/interpret.ts";
import { isTensor, type Tensor, type Value } from "../graph/tensor.ts";
import { catalogue as builtins } from "../nodes/catalogue.ts";
import type { PortSpec } from "../nodes/node-type.ts";
import type { Engine } from "../runtime/engine.ts";
import { execute } from "../runtime/execute.ts";
import { type Plan, plan } from "../runtime/plan.ts";
import { checkBatch, type Emitted, emit, inputSpecs, missing, openRequired, stateKey } from "./emit.ts";
import { type ExportRequest, exportModel } from "./export.ts";
import type { PipelineNode } from "./node.ts";
import { Profiler } from "./profile.ts";
import {
  ancestors,
  buildConnections,
  buildNodes,
  type Catalogue,
  type Connection,
  executionOrder,
  into,
  type PipelineConfig,
} from "./wiring.ts";

/** Batch entries by port name. */
export type Batch = Readonly<Record<string, Value>>;
/** Stored tensors by full node name, then by state name. */
export type StateDict = ReadonlyMap<string, ReadonlyMap<string, Tensor>>;

export interface PipelineOptions {
  /** Node classes by class name; absent = all built-in ones. */
  readonly catalogue?: Catalogue;
  /** Text that fresh weights are drawn by. */
  readonly seed?: string;
  readonly files?: NodeFiles;
  /** Compiled plans kept. Default 32. */
  readonly maxPlans?: number;
}

export interface RunOptions {
  readonly engine: Engine;
  readonly stage?: Stage;
  /** "node.port" keys; absent = every output of every node of the stage. */
  readonly outputs?: readonly string[];
  /** Evaluation mode (false) is the default in every stage but train. */
  readonly training?: boolean;
  readonly epoch?: number;
  /** The caller needs the batch no more: its buffers may be taken. */
  readonly giveInputs?: boolean;
  readonly signal?: AbortSignal;
}

export interface FitOptions {
  readonly engine: Engine;
  readonly signal?: AbortSignal;
  /** Told before each batch and after each node. */
  readonly onProgress?: (progress: FitProgress) => void;
}

export interface FitProgress {
  readonly node: string;
  /** Position of the node among those to fit, and their number. */
  readonly index: number;
  readonly nodes: number;
  /** Batches seen for this node so far. */
  readonly batches: number;
  readonly done: boolean;
}

/** An open end of a pipeline, as introspection lists it. */
export interface OpenPort {
  readonly node: string;
  readonly port: PortSpec;
  readonly required: boolean;
}

const NO_FILES: NodeFiles = {
  read: (path) => {
    throw new PipelineError("unsupported", `reading ${path} is not allowed here`);
  },
  write: (path) => {
    throw new PipelineError("unsupported", `writing ${path} is not allowed here`);
  },
};

interface CompiledPlan {
  readonly emitted: Emitted;
  readonly plan: Plan;
}

/** Above this many elements of input, pixel-wise parts are compiled apart and run in row tiles. */
const TILED_ELEMENTS = 1 << 20;

export class Pipeline implements AsyncDisposable {
  readonly name: string;
  readonly config: PipelineConfig;
  readonly nodes: readonly PipelineNode[];
  readonly connections: readonly Connection[];
  readonly profiler = new Profiler();
  readonly #files: NodeFiles;
  readonly #maxPlans: number;
  readonly #memory = new Map<string, Map<string, unknown>>();
  readonly #closers = new Map<string, () => void | Promise<void>>();
  /** Least recently used first; emptied when weights change. */
  readonly #plans = new Map<string, CompiledPlan>();
  #order: readonly PipelineNode[] | undefined;

  /**
   * Builds nodes and connections and checks them; a cycle shows at the first run only.
   * @throws PipelineError
   */
  constructor(config: PipelineConfig, options: PipelineOptions = {}) {
    this.config = config;
    this.name = typeof config.metadata?.["name"] === "string" ? config.metadata["name"] : "Pipeline";
    this.nodes = buildNodes(config, options.catalogue ?? builtins, options.seed ?? this.name);
    this.connections = buildConnections(config, this.nodes);
    this.#files = options.files ?? NO_FILES;
    this.#maxPlans = options.maxPlans ?? 32;
  }

  node(name: string): PipelineNode {
    const found = this.nodes.find((node) => node.name === name);
    if (!found) throw new PipelineError("unknown-node", `there is no node '${name}'`, { node: name });
    return found;
  }

  /** In order of execution. @throws PipelineError "cycle" */
  order(): readonly PipelineNode[] {
    this.#order ??= executionOrder(this.nodes, this.connections);
    return this.#order;
  }

  /** Input ports without a connection, by node and port order; several nodes may share a name. */
  openInputs(): OpenPort[] {
    return this.nodes.flatMap((node) =>
      node.type.inputs
        .filter((port) => into(node, port, this.connections).length === 0)
        .map((port) => ({ node: node.name, port, required: !port.optional && !port.variadic })),
    );
  }

  /** Output ports that no connection uses. */
  openOutputs(): OpenPort[] {
    return this.nodes.flatMap((node) =>
      node.type.outputs
        .filter((port) => !this.connections.some((edge) => edge.from === node && edge.output === port.name))
        .map((port) => ({ node: node.name, port, required: false })),
    );
  }

  /** Names and ports of every output of the nodes that run in a stage. */
  outputKeys(stage: Stage): string[] {
    return this.nodes
      .filter((node) => node.runsIn(stage))
      .flatMap((node) => node.type.outputs.map((port) => `${node.name}.${port.name}`));
  }

  /**
   * One forward pass. Only what the wanted outputs need is computed, and nodes that write files or show results.
   * @returns values by "node.port"; unknown keys are left out
   */
  async run(batch: Batch, options: RunOptions): Promise<Map<string, Value>> {
    const stage = options.stage ?? "inference";
    const training = options.training ?? stage === "train";
    const epoch = options.epoch ?? 0;
    const { given, nodes, compiled } = this.#prepare(batch, { ...options, stage, training, epoch });
    const ran = new Map<string, { milliseconds: number; provider: string }>();
    const states = this.#states();
    const values = await execute({
      plan: compiled.plan,
      engine: options.engine,
      inputs: given,
      states,
      context: this.#context(stage, epoch),
      giveInputs: options.giveInputs ?? false,
      signal: options.signal,
      timed: (names, milliseconds, provider) => {
        for (const name of names) {
          const before = ran.get(name)?.milliseconds ?? 0;
          ran.set(name, { milliseconds: before + milliseconds, provider });
        }
      },
    });
    if (this.profiler.enabled) {
      for (const { name } of nodes) {
        const { milliseconds, provider } = ran.get(name) ?? { milliseconds: 0, provider: "host" };
        this.profiler.record(stage, name, milliseconds, provider);
      }
    }
    return this.#collect(compiled.emitted, values, options.outputs);
  }

  /** As `run`, by the plain interpreter: slow, without ONNX Runtime. */
  interpret(batch: Batch, options: Omit<RunOptions, "engine"> = {}): Map<string, Value> {
    const stage = options.stage ?? "inference";
    const training = options.training ?? stage === "train";
    const epoch = options.epoch ?? 0;
    const { given, nodes } = this.#check(batch, stage, options.outputs);
    const emitted = this.#emit(nodes, given, { stage, training, epoch });
    const values = interpret({
      graph: emitted.graph,
      outputs: wantedValues(emitted, options.outputs, nodes),
      inputs: given,
      states: this.#states(),
      context: this.#context(stage, epoch),
    });
    return this.#collect(emitted, values, options.outputs);
  }

  /**
   * Statistical training: fits every node that needs it, one after another, each on a whole stream of batches.
   * @param stream gives a new stream of the training batches for every node
   */
  async fit(stream: () => AsyncIterable<Batch> | Iterable<Batch>, options: FitOptions): Promise<void> {
    const toFit = this.order().filter((node) => node.needsFit);
    for (const [index, node] of toFit.entries()) {
      if (!node.type.fit)
        throw new PipelineError("internal", `Node '${node.name}' cannot be fitted`, { node: node.name });
      const fitter = node.type.fit(node.params, node.name, (state) => node.state(state));
      let batches = 0;
      for await (const batch of stream()) {
        options.signal?.throwIfAborted();
        options.onProgress?.({ node: node.name, index, nodes: toFit.length, batches, done: false });
        await fitter.update(await this.#statistics(node, batch, options));
        batches++;
      }
      for (const [name, value] of Object.entries(fitter.finish())) node.states.set(node.spec(name).name, value);
      node.fitted = true;
      this.invalidate();
      options.onProgress?.({ node: node.name, index, nodes: toFit.length, batches, done: true });
    }
  }

  /** What a node's fitter is given of one batch. */
  async #statistics(node: PipelineNode, batch: Batch, options: FitOptions): Promise<Record<string, Value>> {
    const stage = "inference";
    const chosen = ancestors([node], this.connections);
    const nodes = this.order().filter((each) => chosen.has(each) && (each === node || each.runsIn(stage)));
    const given = new Map(Object.entries(batch).filter(([, value]) => value !== undefined));
    this.#requireInputs(nodes, given);
    checkBatch(nodes, this.connections, given);
    const emitted = this.#emit(nodes, given, { stage, training: false, epoch: 0, fitting: node });
    const names = node.type.emitFit
      ? [...emitted.outputs.keys()].filter((name) => !name.includes("."))
      : node.type.inputs.map((port) => port.name).filter((name) => emitted.outputs.has(name));
    const outputs = names.map((name) => emitted.outputs.get(name) as GraphValue);
    const values = await execute({
      plan: this.#plan(emitted, outputs, given, `fit of ${node.name}`),
      engine: options.engine,
      inputs: given,
      states: this.#states(),
      context: this.#context(stage, 0),
      signal: options.signal,
    });
    return Object.fromEntries(names.map((name, i) => [name, values.get(outputs[i] as GraphValue) as Value]));
  }

  /** Trainable buffers of a node become parameters. */
  unfreeze(name: string): void {
    const node = this.node(name);
    node.unfrozen = true;
    node.frozen = false;
    this.invalidate();
  }

  freeze(name: string): void {
    const node = this.node(name);
    node.unfrozen = false;
    node.frozen = true;
    this.invalidate();
  }

  /** States that training would change: node and state name. */
  trainable(): { node: string; state: string }[] {
    return this.nodes.flatMap((node) =>
      node.stateSpecs
        .filter((spec) => node.needsGradient(spec.name))
        .map((spec) => ({ node: node.name, state: spec.name })),
    );
  }

  /** Every node has an entry, nodes without state an empty one. */
  stateDict(): Map<string, Map<string, Tensor>> {
    return new Map(this.nodes.map((node) => [node.name, node.stored()]));
  }

  /**
   * Takes weights over, node by node. Nodes without an entry stay as they are, entries of unknown nodes are ignored.
   * @throws PipelineError "state-mismatch"; earlier nodes keep what they have loaded
   */
  loadStateDict(state: StateDict, strict = true): void {
    try {
      for (const node of this.nodes) {
        const entry = state.get(node.name);
        if (entry) node.load(entry, strict);
      }
    } finally {
      this.invalidate();
    }
  }

  /** Forgets compiled plans; to be called after states changed from outside. */
  invalidate(): void {
    this.#plans.clear();
  }

  /** The pipeline as one ONNX model. @throws PipelineError "unsupported" if a host step is needed */
  exportOnnx(request: ExportRequest = {}): Uint8Array<ArrayBuffer> {
    const stage = request.stage ?? "inference";
    const running = this.order().filter((node) => node.runsIn(stage));
    const outputs = request.outputs ?? this.#tensorOutputs(stage);
    const chosen = ancestors(
      running.filter((node) => outputs.some((output) => output.startsWith(`${node.name}.`))),
      this.connections,
    );
    return exportModel({
      name: this.name,
      nodes: running.filter((node) => chosen.has(node)),
      connections: this.connections,
      states: this.#states(),
      request: { ...request, stage, outputs },
      context: this.#context(stage, 0),
    });
  }

  /** Outputs that a model file can have. */
  #tensorOutputs(stage: Stage): string[] {
    return this.nodes
      .filter((node) => node.runsIn(stage) && !["visualizer", "metric", "sink"].includes(node.type.role))
      .flatMap((node) =>
        node.type.outputs
          .filter((port) => !["list", "dict", "text", "int"].includes(port.type) && !port.type.startsWith("np-"))
          .map((port) => `${node.name}.${port.name}`),
      );
  }

  /** Lets go of what nodes keep open; writers finish their files. */
  async close(): Promise<void> {
    const finishing = [...this.#closers.values()];
    this.#closers.clear();
    this.#memory.clear();
    this.#plans.clear();
    for (const finish of finishing) await finish();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #context(stage: Stage, epoch: number): (node: string) => HostContext {
    return (node) => {
      let memory = this.#memory.get(node);
      if (!memory) {
        memory = new Map();
        this.#memory.set(node, memory);
      }
      const onClose: HostContext["onClose"] = (key, finish) => {
        this.#closers.set(`${node}/${key}`, finish);
      };
      return { node, stage, epoch, memory, files: this.#files, onClose };
    };
  }

  #states(): Map<string, Tensor> {
    return new Map(
      this.nodes.flatMap((node) =>
        [...node.states].map(([name, value]): [string, Tensor] => [stateKey(node.name, name), value]),
      ),
    );
  }

  /** Nodes that wanted outputs need; sinks act whatever is wanted. */
  #check(batch: Batch, stage: Stage, outputs: readonly string[] | undefined) {
    const running = this.order().filter((node) => node.runsIn(stage));
    const given = new Map(Object.entries(batch).filter(([, value]) => value !== undefined));
    this.#requireInputs(running, given);
    const targets = running.filter(
      (node) => outputs === undefined || node.type.effects || outputs.some((key) => key.startsWith(`${node.name}.`)),
    );
    const chosen = ancestors(targets, this.connections);
    const nodes = running.filter((node) => chosen.has(node));
    checkBatch(nodes, this.connections, given);
    return { given, nodes };
  }

  #requireInputs(nodes: readonly PipelineNode[], given: ReadonlyMap<string, Value>): void {
    const names = new Set(given.keys());
    for (const node of nodes) {
      const open = openRequired(node, this.connections, names);
      if (open.length > 0) throw missing(node, open);
    }
  }

  #ports(nodes: readonly PipelineNode[]): Map<string, PortSpec> {
    const ports = new Map<string, PortSpec>();
    for (const node of nodes) {
      for (const port of node.type.inputs) {
        if (into(node, port, this.connections).length === 0 && !ports.has(port.name)) ports.set(port.name, port);
      }
    }
    return ports;
  }

  #emit(
    nodes: readonly PipelineNode[],
    given: ReadonlyMap<string, Value>,
    how: { stage: Stage; training: boolean; epoch: number; fitting?: PipelineNode },
  ): Emitted {
    return emit({ nodes, connections: this.connections, inputs: inputSpecs(given, this.#ports(nodes)), ...how });
  }

  #prepare(batch: Batch, options: RunOptions & { stage: Stage; training: boolean; epoch: number }) {
    const { stage, training, epoch, outputs } = options;
    const { given, nodes } = this.#check(batch, stage, outputs);
    const specs = inputSpecs(given, this.#ports(nodes));
    const tiled = isLarge(given);
    const epochKey = stage === "train" ? epoch : 0;
    const cacheKey = JSON.stringify([
      stage,
      training,
      epochKey,
      outputs ?? null,
      [...specs],
      tiled,
      this.profiler.enabled,
    ]);
    let compiled = this.#plans.get(cacheKey);
    if (compiled) this.#plans.delete(cacheKey);
    else {
      const emitted = emit({ nodes, connections: this.connections, inputs: specs, stage, training, epoch });
      compiled = { emitted, plan: this.#plan(emitted, wantedValues(emitted, outputs, nodes), given, this.name) };
    }
    this.#plans.set(cacheKey, compiled);
    if (this.#plans.size > this.#maxPlans) this.#plans.delete(this.#plans.keys().next().value as string);
    return { given, nodes, compiled };
  }

  #plan(emitted: Emitted, outputs: readonly GraphValue[], given: ReadonlyMap<string, Value>, name: string): Plan {
    return plan({
      graph: emitted.graph,
      outputs,
      states: this.#states(),
      unfused: this.profiler.enabled,
      rowTiles: isLarge(given),
      name,
    });
  }

  /** Takes state updates over and gives the wanted values. */
  #collect(
    emitted: Emitted,
    values: ReadonlyMap<GraphValue, Value>,
    wanted: readonly string[] | undefined,
  ): Map<string, Value> {
    for (const [key, value] of emitted.graph.updates) {
      const [name, state] = splitState(key);
      const tensor = values.get(value);
      if (isTensor(tensor)) this.node(name).states.set(state, tensor);
    }
    const result = new Map<string, Value>();
    for (const [key, value] of emitted.outputs) {
      if (wanted === undefined || wanted.includes(key)) result.set(key, values.get(value) as Value);
    }
    return result;
  }
}

/** Wanted outputs, state updates and what acting nodes do. */
function wantedValues(
  emitted: Emitted,
  wanted: readonly string[] | undefined,
  nodes: readonly PipelineNode[],
): GraphValue[] {
  const acting = new Set(nodes.filter((node) => node.type.effects).map((node) => node.name));
  const outputs = [...emitted.outputs]
    .filter(([key]) => wanted === undefined || wanted.includes(key))
    .map(([, value]) => value);
  const effects = emitted.graph.ops
    .filter((op) => op.detail.kind === "host" && acting.has(op.node))
    .flatMap((op) => op.outputs);
  return [...new Set([...outputs, ...emitted.graph.updates.values(), ...effects])];
}

function splitState(key: string): [node: string, state: string] {
  const at = key.indexOf("/");
  return [key.slice(0, at), key.slice(at + 1)];
}

function isLarge(given: ReadonlyMap<string, Value>): boolean {
  let count = 0;
  for (const value of given.values()) if (isTensor(value)) count += value.data.length;
  return count > TILED_ELEMENTS;
}
