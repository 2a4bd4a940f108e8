// Executes a plan: feeds segments, runs host steps between them, lets values go as soon as nothing needs them.
import type { GraphValue, Op } from "../graph/graph.ts";
import { type HostContext, hostStep } from "../graph/host.ts";
import { elements, isTensor, type Tensor, type Value } from "../graph/tensor.ts";
import type { Engine } from "./engine.ts";
import type { Tiling } from "./messages.ts";
import { imageNames, type Plan, type SegmentStep } from "./plan.ts";
import { alignedRows, rowRanges, rowsOf, TileResults } from "./tiles.ts";

/** Half a MiB of float32: with a value as large beside it, a tile stays in a core's cache. */
const TILE_ELEMENTS = 1 << 17;
/** Inputs that are not ours to give away are copied to the thread in parts of this size. */
const PART_BYTES = 2 * 1024 * 1024;

/** Host steps with more input run on a thread, so that they hold nobody up. */
const HOST_BYTES = 1024 * 1024;

const bytesOf = (values: readonly Value[]): number =>
  values.reduce<number>((sum, value) => sum + (isTensor(value) ? value.data.byteLength : 0), 0);

export interface ExecuteRequest {
  readonly plan: Plan;
  readonly engine: Engine;
  readonly inputs: ReadonlyMap<string, Value>;
  readonly states: ReadonlyMap<string, Tensor>;
  readonly context: (node: string) => HostContext;
  /** Elements that a tile's largest input should have. Default 2^17: 4 rows of 512 pixels with 61 bands. */
  readonly tileElements?: number;
  /** The caller needs its inputs no more: their buffers move to the threads. */
  readonly giveInputs?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Told how long the steps of each pipeline node took. */
  readonly timed?: (nodes: readonly string[], milliseconds: number, provider: string) => void;
}

/** The values of the plan's outputs. */
export async function execute(request: ExecuteRequest): Promise<Map<GraphValue, Value>> {
  const { plan } = request;
  const values = new Map<GraphValue, Value>();
  const uses = countUses(plan);
  const present = (value: GraphValue): Value => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const { detail } = value.op;
    const found =
      detail.kind === "constant"
        ? detail.tensor
        : detail.kind === "state"
          ? request.states.get(detail.key)
          : detail.kind === "input"
            ? request.inputs.get(detail.name)
            : undefined;
    if (found === undefined) throw new Error(`value ${value.id} of node ${value.op.node} is not there`);
    return found;
  };
  /** True where the value is needed for the last time and may move. */
  const release = (value: GraphValue): boolean => {
    const left = (uses.get(value) ?? 0) - 1;
    uses.set(value, left);
    if (left > 0) return false;
    values.delete(value);
    const { detail } = value.op;
    if (detail.kind === "input") return request.giveInputs ?? false;
    return detail.kind !== "constant" && detail.kind !== "state";
  };

  for (const step of plan.steps) {
    request.signal?.throwIfAborted();
    if (step.kind === "host") {
      const { op } = step;
      const started = performance.now();
      const inputs = op.inputs.map(present);
      const results = await runHost(op, inputs, op.inputs.map(release), request);
      for (const [i, output] of op.outputs.entries()) values.set(output, results[i] as Value);
      request.timed?.([op.node], performance.now() - started, "host");
      continue;
    }
    const feeds = new Map<string, Tensor>();
    const transfer = new Set<string>();
    for (const [i, input] of step.inputs.entries()) {
      const name = step.inputNames[i] as string;
      feeds.set(name, present(input) as Tensor);
      if (release(input)) transfer.add(name);
    }
    const { results, milliseconds, provider } = await runSegment(step, feeds, transfer, request);
    for (const [i, output] of step.outputs.entries()) {
      values.set(output, results.get(step.outputNames[i] as string) as Tensor);
    }
    request.timed?.(step.nodes, milliseconds, provider);
  }
  return new Map(plan.outputs.map((output) => [output, marked(output, present(output))]));
}

function runHost(
  op: Op,
  inputs: readonly Value[],
  own: readonly boolean[],
  { engine, context, signal }: ExecuteRequest,
): readonly Value[] | Promise<readonly Value[]> {
  const { host, attrs } = op.detail as Extract<Op["detail"], { kind: "host" }>;
  const given = context(op.node);
  const step = hostStep(host);
  if (!step.pure || bytesOf(inputs) <= HOST_BYTES) return step.run(inputs, attrs, given);
  return engine
    .host({ host, inputs, attrs, node: op.node, stage: given.stage }, own, signal)
    .then(({ results }) => results);
}

/** Carries the numpy mark of the graph over to the value. */
const marked = (value: GraphValue, data: Value): Value =>
  value.numpy && isTensor(data) && !data.numpy ? { ...data, numpy: true } : data;

function countUses(plan: Plan): Map<GraphValue, number> {
  const uses = new Map<GraphValue, number>();
  const use = (value: GraphValue): void => {
    uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  for (const step of plan.steps) for (const input of step.kind === "host" ? step.op.inputs : step.inputs) use(input);
  for (const output of plan.outputs) use(output);
  return uses;
}

interface SegmentResult {
  readonly results: ReadonlyMap<string, Tensor>;
  readonly milliseconds: number;
  readonly provider: string;
}

async function runSegment(
  step: SegmentStep,
  feeds: ReadonlyMap<string, Tensor>,
  transfer: ReadonlySet<string>,
  request: ExecuteRequest,
): Promise<SegmentResult> {
  const tiling = step.rowWise ? tilingOf(step, feeds, request.tileElements ?? TILE_ELEMENTS) : undefined;
  // A view of a larger buffer cannot move either.
  const moves = (name: string, { data }: Tensor): boolean =>
    transfer.has(name) && data.byteLength === data.buffer.byteLength;
  const kept = (tiling?.inputs ?? []).filter((name) => !moves(name, feeds.get(name) as Tensor));
  const bytes = kept.reduce((sum, name) => sum + (feeds.get(name) as Tensor).data.byteLength, 0);
  if (!tiling || bytes <= PART_BYTES) {
    const { values, milliseconds, provider } = await request.engine.run(step.model, feeds, {
      outputs: step.outputNames,
      transfer,
      ...(tiling ? { tiling } : {}),
      signal: request.signal,
    });
    return { results: values, milliseconds, provider };
  }
  return runInParts(step, feeds, tiling, bytes, request);
}

/** Tiles whose largest input has at most `most` elements, or one row. */
function tilingOf(step: SegmentStep, feeds: ReadonlyMap<string, Tensor>, most: number): Tiling {
  const { inputs, outputs } = imageNames(step);
  const images = inputs.map((name) => feeds.get(name) as Tensor);
  const width = images[0]?.shape[2] ?? 1;
  const rows = alignedRows(Math.floor(most / Math.max(1, ...images.map(rowSize))), width);
  return { rows, inputs, outputs, moments: step.moments };
}

const rowSize = (t: Tensor): number => elements(t.shape.slice(2));

/** Copies and runs a part of the rows at a time, on as many threads as there are. */
async function runInParts(
  step: SegmentStep,
  feeds: ReadonlyMap<string, Tensor>,
  tiling: Tiling,
  bytes: number,
  { engine, signal }: ExecuteRequest,
): Promise<SegmentResult> {
  const [images, height] = (feeds.get(tiling.inputs[0] as string) as Tensor).shape as [number, number];
  const rowBytes = bytes / (images * height);
  const rows = tiling.rows * Math.max(1, Math.floor(PART_BYTES / rowBytes / tiling.rows));
  const results = new TileResults(images, height, tiling);
  let milliseconds = 0;
  let provider = "cpu";
  const ranges = rowRanges(images, height, rows);
  const work = async (): Promise<void> => {
    // What the thread gives back is filled again: new memory for every part would cost more than the copies.
    let spare: ReadonlyMap<string, Tensor> | undefined;
    for (const range of ranges) {
      const part = new Map(feeds);
      for (const name of tiling.inputs) {
        part.set(name, copied(rowsOf(feeds.get(name) as Tensor, range), spare?.get(name)));
      }
      const transfer = new Set(tiling.inputs);
      const options = { outputs: step.outputNames, tiling, transfer, giveBack: tiling.inputs, signal };
      const run = await engine.run(step.model, part, options);
      spare = run.back;
      results.put(run.values, range);
      milliseconds += run.milliseconds;
      provider = run.provider;
    }
  };
  // One part is prepared while another is computed.
  await Promise.all(Array.from({ length: engine.threads + 1 }, work));
  return { results: results.whole(), milliseconds, provider };
}

/** A copy to be given away, in `spare` where that has the size. */
function copied(value: Tensor, spare: Tensor | undefined): Tensor {
  if (spare?.data.length !== value.data.length) return { ...value, data: value.data.slice() } as Tensor;
  (spare.data as Float64Array).set(value.data as Float64Array);
  return { ...value, data: spare.data } as Tensor;
}
