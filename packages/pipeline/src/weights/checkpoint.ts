// What a weights file means for a pipeline: the state of each node, by full node name and by key within the node.
import type { NumericArray } from "../formats/array.ts";
import { FormatError } from "../formats/errors.ts";
import type { ByteSource } from "../formats/source.ts";
import type { Pickled } from "./pickle.ts";
import { Ordered, type Picklable } from "./pickle-writer.ts";
import { readSafeTensors, writeSafeTensors } from "./safetensors.ts";
import { readTorch, writeTorch } from "./torch-file.ts";

/** Parameters and buffers of one node, by name within the node; names may have dots (`net.fc1.weight`). */
export type NodeState = ReadonlyMap<string, NumericArray>;

/** What goes along with the weights: texts, lists of texts, numbers. */
export type CheckpointMetadata = { readonly [key: string]: Pickled<never> };

export interface Checkpoint {
  /** By full node name (`x-1`); undefined where the file has no `state_dict`, which loads nothing and is no fault. */
  readonly stateDict: ReadonlyMap<string, NodeState> | undefined;
  readonly metadata: CheckpointMetadata;
}

const ZIP = [0x50, 0x4b, 0x03, 0x04];
const OPEN_BRACE = 0x7b;

/** Reads `.pt` and safetensors files, told apart by their first bytes. */
export async function readCheckpoint(source: ByteSource): Promise<Checkpoint> {
  const head = new Uint8Array(Math.min(9, source.size));
  await source.readInto(head, 0);
  if (ZIP.every((byte, i) => head[i] === byte)) return checkpointFrom(await readTorch(source), source.name);
  // A safetensors file starts with the length of its header, whose first byte may be anything.
  if (head[0] === 0x80 && head[8] !== OPEN_BRACE) {
    throw new FormatError(
      source.name,
      "is a bare pickle, the layout of torch before 1.6, which is not read; save it again",
    );
  }
  return readSafeTensorsCheckpoint(source);
}

function checkpointFrom(value: Pickled<NumericArray>, file: string): Checkpoint {
  if (!(value instanceof Map)) throw new FormatError(file, "holds no mapping at its top");
  const states = value.get("state_dict");
  const notes = value.get("metadata");
  const metadata = notes instanceof Map ? plainRecord(notes) : {};
  if (states === undefined || states === null) return { stateDict: undefined, metadata };
  if (!(states instanceof Map)) throw new FormatError(file, "has a 'state_dict' that is no mapping");
  const stateDict = new Map<string, NodeState>();
  for (const [node, entries] of states) {
    // Anything else than a mapping is no node's state (a flat file has tensors here), so it names no node of ours.
    if (entries instanceof Map) stateDict.set(String(node), nodeState(String(node), entries, file));
  }
  return { stateDict, metadata };
}

function nodeState(node: string, entries: Map<string | number, Pickled<NumericArray>>, file: string): NodeState {
  const state = new Map<string, NumericArray>();
  for (const [key, value] of entries) {
    if (!isTensor(value)) throw new FormatError(file, `entry '${key}' of node '${node}' is no tensor`);
    state.set(String(key), value);
  }
  return state;
}

export const isTensor = (value: unknown): value is NumericArray =>
  typeof value === "object" && value !== null && "data" in value && ArrayBuffer.isView(value.data);

function plainRecord(map: Map<string | number, Pickled<NumericArray>>): CheckpointMetadata {
  const record: Record<string, Pickled<never>> = {};
  for (const [key, value] of map) {
    if (!hasTensor(value)) record[String(key)] = value as Pickled<never>;
  }
  return record;
}

function hasTensor(value: Pickled<NumericArray>): boolean {
  if (Array.isArray(value)) return value.some(hasTensor);
  if (value instanceof Map) return [...value.values()].some(hasTensor);
  return isTensor(value);
}

/** The `.pt` file of a checkpoint; every node has its entry, also those without state. */
export function writeCheckpoint(checkpoint: Checkpoint, top?: string): Uint8Array<ArrayBuffer> {
  const root = new Map<string, Picklable>();
  if (checkpoint.stateDict) {
    const nodes = [...checkpoint.stateDict].map(([node, state]): [string, Picklable] => [node, new Ordered(state)]);
    root.set("state_dict", new Map(nodes));
  }
  root.set("metadata", new Map(Object.entries(checkpoint.metadata)));
  return writeTorch(root, top);
}

/** Between node and key, in the flat names of safetensors. Node names have no dots. */
const SEPARATOR = ".";
const NODES = "nodes";
const METADATA = "metadata";

/** The safetensors file of a checkpoint: tensors are named `node.key`; nodes without state and metadata are in its notes. */
export function writeSafeTensorsCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, NumericArray>();
  for (const [node, state] of checkpoint.stateDict ?? []) {
    for (const [key, tensor] of state) tensors.set(`${node}${SEPARATOR}${key}`, tensor);
  }
  const nodes = JSON.stringify([...(checkpoint.stateDict?.keys() ?? [])]);
  const notes = JSON.stringify(checkpoint.metadata, (_, value) =>
    value instanceof Map ? Object.fromEntries(value) : value,
  );
  return writeSafeTensors({ tensors, metadata: { [NODES]: nodes, [METADATA]: notes } });
}

async function readSafeTensorsCheckpoint(source: ByteSource): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafeTensors(source);
  const stateDict = new Map<string, Map<string, NumericArray>>();
  const nodes = parseNote(metadata[NODES]);
  if (Array.isArray(nodes)) for (const node of nodes) stateDict.set(String(node), new Map());
  for (const [name, tensor] of tensors) {
    const cut = name.indexOf(SEPARATOR);
    if (cut <= 0) {
      throw new FormatError(source.name, `tensor '${name}' belongs to no node; names are 'node${SEPARATOR}key'`);
    }
    const node = name.slice(0, cut);
    const state = stateDict.get(node) ?? new Map<string, NumericArray>();
    state.set(name.slice(cut + 1), tensor);
    stateDict.set(node, state);
  }
  const notes = parseNote(metadata[METADATA]);
  const record = typeof notes === "object" && notes !== null && !Array.isArray(notes) ? notes : {};
  return { stateDict, metadata: record as CheckpointMetadata };
}

function parseNote(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
