// A process of its own that scores and fits cubes with pipelines, or with numpy: lines of JSON to and fro.
// As a program it is the side of ours; `Side` starts either, and asks.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Engine, Pipeline, type PipelineTensor, type StateDict } from "@sortie/pipeline";

export type Shape = readonly [height: number, width: number, bands: number];

export type Task =
  | { readonly do: "about" }
  /** Makes the cube that the following tasks work on. */
  | { readonly do: "make"; readonly shape: Shape }
  /** RX with a given mean and inverse. The cube belongs to the pipeline as a job's does, unless it is to be kept. */
  | { readonly do: "score"; readonly keep?: boolean }
  /** Min-max and RX, fitted one after the other on the cube. */
  | { readonly do: "fit" };

/** What a score or a fit took, and figures that both sides must agree on. */
export interface Timed {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly check: readonly number[];
}

/** One thread does the arithmetic; the C library's allocator is as a user of numpy has it. */
function environmentOfNumpy(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("MALLOC_"));
  return { ...Object.fromEntries(inherited), OPENBLAS_NUM_THREADS: "1", OMP_NUM_THREADS: "1" };
}

export class Side implements AsyncDisposable {
  readonly #child;
  readonly #answers: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor(kind: "numpy" | "pipeline") {
    const script = fileURLToPath(new URL(kind === "numpy" ? "./pipeline_numpy.py" : import.meta.url, import.meta.url));
    const [program, ...flags] = kind === "numpy" ? ["/usr/bin/python3"] : [process.execPath, ...process.execArgv];
    this.#child = spawn(program as string, [...flags, script], {
      stdio: ["pipe", "pipe", "inherit"],
      env: kind === "numpy" ? environmentOfNumpy() : process.env,
    });
    this.#ended = once(this.#child, "close");
    this.#answers = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** @throws if the process ended instead of answering */
  async ask<T>(task: Task): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(task)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the process that was to "${task.do}" has ended; numpy is Debian's python3-numpy`);
    return JSON.parse(value) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }
}

/** float32 0..1 from positions: each is mixed into 24 bits that look random. */
export function makeCube(shape: Shape): Float32Array {
  const cube = new Float32Array(shape[0] * shape[1] * shape[2]);
  for (let i = 0; i < cube.length; i++) {
    let x = Math.imul(i, 2654435761);
    x = Math.imul(x ^ (x >>> 15), 2246822519);
    cube[i] = ((x ^ (x >>> 13)) >>> 8) * 2 ** -24;
  }
  return cube;
}

const float32 = (shape: readonly number[], data: Float32Array): PipelineTensor => ({ dtype: "float32", shape, data });

/** A mean and the inverse of a covariance: 0.5, and 0.5^|i - j| with 2 more on the diagonal. */
export function rxState(bands: number): Map<string, PipelineTensor> {
  const inverse = new Float32Array(bands * bands);
  for (let i = 0; i < bands; i++) {
    for (let j = 0; j < bands; j++) inverse[i * bands + j] = 0.5 ** Math.abs(i - j) + (i === j ? 2 : 0);
  }
  return new Map([
    ["mu", float32([bands], new Float32Array(bands).fill(0.5))],
    ["cov", float32([bands, bands], new Float32Array(bands * bands))],
    ["cov_inv", float32([bands, bands], inverse)],
  ]);
}

const RX = "cuvis_ai.anomaly.rx_detector.RXGlobal";
const MINMAX = "cuvis_ai.node.normalization.MinMaxNormalizer";
const rxNode = (bands: number) => ({ name: "rx", class_name: RX, hparams: { num_channels: bands } });

async function timed<T>(task: () => Promise<T>): Promise<{ result: T } & Omit<Timed, "check">> {
  const used = process.cpuUsage();
  const started = performance.now();
  const result = await task();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(used);
  return { result, seconds, cpuSeconds: (user + system) / 1e6 };
}

async function scoreScene(engine: Engine, pipeline: Pipeline, cube: PipelineTensor, keep: boolean): Promise<Timed> {
  const options = { engine, outputs: ["rx.scores"], giveInputs: !keep };
  const { result, ...took } = await timed(() => pipeline.run({ data: cube }, options));
  const scores = (result.get("rx.scores") as PipelineTensor).data as Float32Array;
  let sum = 0;
  let largest = 0;
  for (const each of scores) {
    sum += each;
    if (each > largest) largest = each;
  }
  return { ...took, check: [sum, largest] };
}

/** RX ready to score. */
function rxPipeline(bands: number): Pipeline {
  const pipeline = new Pipeline({ nodes: [rxNode(bands)], connections: [] });
  pipeline.loadStateDict(new Map([["rx", rxState(bands)]]) satisfies StateDict);
  return pipeline;
}

async function fitScene(engine: Engine, cube: PipelineTensor): Promise<Timed> {
  const bands = cube.shape[3] as number;
  await using pipeline = new Pipeline({
    nodes: [{ name: "minmax", class_name: MINMAX }, rxNode(bands)],
    connections: [{ source: "minmax.outputs.normalized", target: "rx.inputs.data" }],
  });
  const { result: _, ...took } = await timed(() => pipeline.fit(() => [{ data: cube }], { engine }));
  const values = (node: string, state: string) => pipeline.node(node).state(state).data as Float32Array;
  const trace = (matrix: Float32Array) => matrix.reduce((sum, x, at) => sum + (at % (bands + 1) === 0 ? x : 0), 0);
  const check = [
    values("minmax", "running_min")[0] as number,
    values("minmax", "running_max")[0] as number,
    values("rx", "mu").reduce((sum, x) => sum + x, 0),
    trace(values("rx", "cov")),
    trace(values("rx", "cov_inv")),
  ];
  return { ...took, check };
}

/** What making a cube leaves is collected before a task is timed, not beside it; numpy has nothing to collect. */
const collectGarbage: () => void = (() => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
})();

async function main(): Promise<void> {
  await using engine = new Engine({ threads: 1 });
  let cube = float32([1, 0, 0, 0], new Float32Array());
  let pipeline: Pipeline | undefined;
  for await (const line of createInterface(process.stdin)) {
    const task = JSON.parse(line) as Task;
    let answer: unknown = {};
    if (task.do === "make") {
      // The one before goes first: there is never more than one.
      cube = float32([1, 0, 0, 0], new Float32Array());
      cube = float32([1, ...task.shape], makeCube(task.shape));
      collectGarbage();
    } else if (task.do === "score") {
      pipeline ??= rxPipeline(cube.shape[3] as number);
      answer = await scoreScene(engine, pipeline, cube, task.keep ?? false);
    } else if (task.do === "fit") answer = await fitScene(engine, cube);
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

if (import.meta.main) await main();
