// One node of a pipeline: its class, checked hyper-parameters, stages and stored tensors.
import { PipelineError } from "../errors.ts";
import { STAGES, type Stage } from "../graph/host.ts";
import { castTensor, elements, formatShape, type Tensor } from "../graph/tensor.ts";
import type { NodeType, StateSpec } from "../nodes/node-type.ts";
import { type Params, readParams } from "../nodes/params.ts";

/** Random numbers 0..1 from a text: the same node of the same pipeline starts with the same values everywhere. */
export function seededRandom(seed: string): () => number {
  let state = 2166136261;
  for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 16777619);
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

export class PipelineNode {
  /** Full name, with the counter of equal base names. */
  readonly name: string;
  readonly type: NodeType;
  /** As given, unknown ones included: they are saved back. */
  readonly hparams: Readonly<Record<string, unknown>>;
  readonly params: Params;
  /** Stages it runs in; undefined = always. */
  readonly stages: ReadonlySet<Stage> | undefined;
  readonly stateSpecs: readonly StateSpec[];
  readonly states = new Map<string, Tensor>();
  readonly needsFit: boolean;
  fitted = false;
  /** True if trainable buffers are parameters. */
  unfrozen = false;
  /** True after `freeze`: not even parameters take gradients. */
  frozen = false;

  /** @param resolved the hyper-parameters with their interpolations resolved, where they have any */
  constructor(
    name: string,
    type: NodeType,
    hparams: Readonly<Record<string, unknown>>,
    seed: string,
    resolved: Readonly<Record<string, unknown>> = hparams,
  ) {
    this.name = name;
    this.type = type;
    this.hparams = hparams;
    this.params = readParams(type.params, resolved, name);
    type.validate?.(this.params, name);
    this.stages = readStages(type, resolved, name);
    this.needsFit = type.needsFit?.(this.params) ?? false;
    this.stateSpecs = type.states?.(this.params) ?? [];
    for (const spec of this.stateSpecs) {
      this.states.set(spec.name, spec.initial(seededRandom(`${seed}/${name}/${spec.name}`)));
    }
  }

  runsIn(stage: Stage): boolean {
    return this.stages === undefined || this.stages.has(stage);
  }

  spec(name: string): StateSpec {
    const found = this.stateSpecs.find((spec) => spec.name === name);
    if (!found) throw new PipelineError("internal", `Node '${this.name}' has no state '${name}'`, { node: this.name });
    return found;
  }

  state(name: string): Tensor {
    return this.states.get(this.spec(name).name) as Tensor;
  }

  /** Whether training changes this state. */
  needsGradient(name: string): boolean {
    if (this.frozen) return false;
    const { kind } = this.spec(name);
    return kind === "parameter" || (kind === "trainable" && this.unfrozen);
  }

  /** What a weights file holds of this node, in the order of its states. */
  stored(): Map<string, Tensor> {
    return new Map(
      this.stateSpecs.filter((spec) => spec.kind !== "unstored").map((spec) => [spec.name, this.state(spec.name)]),
    );
  }

  /**
   * Takes stored tensors over. Strict: exactly the same names. Another dtype is converted, another shape refused.
   * @throws PipelineError "state-mismatch"
   */
  load(tensors: ReadonlyMap<string, Tensor>, strict: boolean): void {
    const own = this.stored();
    const missing = [...own.keys()].filter((name) => !tensors.has(name));
    const unexpected = [...tensors.keys()].filter((name) => !own.has(name));
    const refuse = (text: string): never => {
      throw new PipelineError("state-mismatch", `Node '${this.name}': ${text}`, { node: this.name });
    };
    if (strict && missing.length + unexpected.length > 0) {
      const list = (names: string[]): string => names.map((name) => `'${name}'`).join(", ") || "none";
      refuse(`missing weights: ${list(missing)}; unexpected weights: ${list(unexpected)}`);
    }
    for (const [name, value] of tensors) {
      const before = own.get(name);
      if (!before) continue;
      if (!this.spec(name).anyShape && !sameShape(before.shape, value.shape)) {
        refuse(`weights '${name}' have shape ${formatShape(value.shape)}, expected ${formatShape(before.shape)}`);
      }
      if (value.data.length !== elements(value.shape)) refuse(`weights '${name}' hold ${value.data.length} elements`);
    }
    for (const [name, value] of tensors) {
      const before = own.get(name);
      if (before) this.states.set(name, castTensor(value, before.dtype));
    }
    if (this.needsFit && tensors.size > 0) this.fitted = true;
  }
}

function readStages(
  type: NodeType,
  hparams: Readonly<Record<string, unknown>>,
  node: string,
): ReadonlySet<Stage> | undefined {
  const usual = type.stages && new Set(type.stages);
  const given = hparams["execution_stages"];
  if (given === undefined || given === null) return usual;
  if (type.fixedStages) {
    throw new PipelineError("invalid-argument", `Node '${node}': the stages of a loss node cannot be chosen`, { node });
  }
  const words = Array.isArray(given) ? given : [given];
  const chosen = new Set<Stage>();
  for (const word of words) {
    const name = String(word).toLowerCase();
    if (name === "always") return undefined;
    if (!(STAGES as readonly string[]).includes(name)) {
      throw new PipelineError(
        "invalid-value",
        `Node '${node}': '${word}' is no stage; stages are always, ${STAGES.join(", ")}`,
        { node },
      );
    }
    chosen.add(name as Stage);
  }
  return chosen;
}
