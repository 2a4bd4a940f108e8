// Which tensors of a weights file go into which nodes, strict or lenient, and which keys do not fit. Pure: nothing is changed.
import { convertArray, type DType, type NumericArray } from "../formats/array.ts";
import type { Checkpoint, NodeState } from "./checkpoint.ts";

export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface LoadFault {
  /** `missing`: the node has the key and the file does not; `unexpected`: the reverse. */
  readonly kind: "missing" | "unexpected" | "shape";
  /** Full node name. */
  readonly node: string;
  readonly key: string;
  readonly expected?: readonly number[];
  readonly found?: readonly number[];
}

export interface LoadPlan {
  /** What to put into each node, in the nodes' order, converted to the nodes' own dtypes. */
  readonly load: ReadonlyMap<string, NodeState>;
  /** What forbids loading under the chosen strictness; nothing may be loaded unless this is empty. */
  readonly faults: readonly LoadFault[];
  /** Differences of keys that lenient loading passes over. */
  readonly ignored: readonly LoadFault[];
  /** Nodes of the pipeline that the file does not know; they keep what they have, also under strict loading. */
  readonly untouched: readonly string[];
  /** Nodes of the file that the pipeline does not have. */
  readonly unknown: readonly string[];
}

/**
 * Strict loading asks for exactly the same keys within each node that has an entry; lenient loading takes what fits. A
 * difference in shape is a fault in both. A file without `state_dict` loads nothing.
 * @param expected keys of each node by full node name, in the pipeline's order
 */
export function planLoad(
  expected: ReadonlyMap<string, ReadonlyMap<string, TensorSpec>>,
  checkpoint: Checkpoint,
  { strict }: { readonly strict: boolean },
): LoadPlan {
  const states = checkpoint.stateDict ?? new Map<string, NodeState>();
  const load = new Map<string, NodeState>();
  const shapes: LoadFault[] = [];
  const keys: LoadFault[] = [];
  for (const [node, specs] of expected) {
    const state = states.get(node);
    if (!state) continue;
    const fitting = new Map<string, NumericArray>();
    for (const [key, spec] of specs) {
      const tensor = state.get(key);
      if (!tensor) keys.push({ kind: "missing", node, key });
      else if (!sameShape(tensor.shape, spec.shape)) {
        shapes.push({ kind: "shape", node, key, expected: spec.shape, found: tensor.shape });
      } else fitting.set(key, convertArray(tensor, spec.dtype));
    }
    for (const key of state.keys()) if (!specs.has(key)) keys.push({ kind: "unexpected", node, key });
    load.set(node, fitting);
  }
  return {
    load,
    faults: strict ? [...keys, ...shapes] : shapes,
    ignored: strict ? [] : keys,
    untouched: [...expected.keys()].filter((node) => !states.has(node)),
    unknown: [...states.keys()].filter((node) => !expected.has(node)),
  };
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

/** The faults in words, node by node. */
export function explainFaults(faults: readonly LoadFault[]): string {
  const nodes = new Map<string, string[]>();
  for (const fault of faults) {
    const lines = nodes.get(fault.node) ?? [];
    const sizes = (shape: readonly number[] = []) => `[${shape.join(", ")}]`;
    lines.push(
      fault.kind === "shape"
        ? `size mismatch for '${fault.key}': the file has ${sizes(fault.found)}, the node has ${sizes(fault.expected)}`
        : `${fault.kind} key '${fault.key}'`,
    );
    nodes.set(fault.node, lines);
  }
  return [...nodes].map(([node, lines]) => `node '${node}': ${lines.join("; ")}`).join("\n");
}
