// Host steps: what stands between compiled segments because ONNX has no operator for it. They are registered by name, so
// that a graph holds only data and any thread can run it.
import type { HostAttributes } from "./graph.ts";
import type { Value } from "./tensor.ts";

export type Stage = "train" | "val" | "test" | "inference";
export const STAGES: readonly Stage[] = ["train", "val", "test", "inference"];

/** Where nodes that read or write files do so; a server decides which folders are allowed. */
export interface NodeFiles {
  read(path: string): Uint8Array | Promise<Uint8Array>;
  write(path: string, bytes: Uint8Array): void | Promise<void>;
}

/** What a host step may know beside its inputs. */
export interface HostContext {
  readonly node: string;
  readonly stage: Stage;
  readonly epoch: number;
  /** Memory of this pipeline node, kept from call to call. */
  readonly memory: Map<string, unknown>;
  readonly files: NodeFiles;
  /** Runs `finish` when the pipeline is let go; once per key. */
  onClose(key: string, finish: () => void | Promise<void>): void;
}

export interface HostStep {
  /** True if the result depends on inputs and attributes alone; such a step may run on any thread. */
  readonly pure: boolean;
  run(
    inputs: readonly Value[],
    attrs: HostAttributes,
    context: HostContext,
  ): readonly Value[] | Promise<readonly Value[]>;
}

const steps = new Map<string, HostStep>();

/** Registers a step; names are unique. */
export function defineHostStep(name: string, step: HostStep): string {
  if (steps.has(name)) throw new Error(`host step ${name} is defined twice`);
  steps.set(name, step);
  return name;
}

export function hostStep(name: string): HostStep {
  const step = steps.get(name);
  if (!step) throw new Error(`there is no host step ${name}`);
  return step;
}
