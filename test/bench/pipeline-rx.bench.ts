// RX over whole scenes, and how much memory it takes; statistical fits of a scene. Against numpy, one thread on either side.
import { type Shape, Side, type Task, type Timed } from "./pipeline-process.ts";
import { peakMemory } from "./processes.ts";
import { type Bench, type BenchOptions, type Measure, MIB, percentile } from "./report.ts";

const GOAL_MIB = 150;

interface Comparison {
  readonly ours: readonly Timed[];
  readonly numpy: readonly Timed[];
  readonly openblas: boolean;
  /** MiB beyond what the process had before there was a cube, and beyond the cube. */
  readonly memory: { readonly ours: number; readonly numpy: number };
}

/** Rounds by turns, after one that does not count. @throws if the two sides do not agree */
async function compare(
  task: Exclude<Task, { do: "make" | "about" }>,
  shape: Shape,
  rounds: number,
): Promise<Comparison> {
  await using ours = new Side("pipeline");
  await using numpy = new Side("numpy");
  const { openblas } = await numpy.ask<{ openblas: boolean }>({ do: "about" });
  await ours.ask({ do: "about" });
  const before = { ours: peakMemory(ours.pid), numpy: peakMemory(numpy.pid) };
  await Promise.all([ours.ask({ do: "make", shape }), numpy.ask({ do: "make", shape })]);
  const took = { ours: [] as Timed[], numpy: [] as Timed[] };
  for (let round = 0; round <= rounds; round++) {
    // A cube that was given away is gone.
    if (round > 0 && task.do === "score" && !task.keep) await ours.ask({ do: "make", shape });
    const pair = { ours: await ours.ask<Timed>(task), numpy: await numpy.ask<Timed>(task) };
    for (const [i, expected] of pair.numpy.check.entries()) {
      const found = pair.ours.check[i] as number;
      if (!(Math.abs(found - expected) <= 1e-4 * Math.abs(expected))) {
        throw new Error(`${task.do} of ${shape.join("×")}: figure ${i} is ${found}, numpy's is ${expected}`);
      }
    }
    if (round === 0) continue;
    took.ours.push(pair.ours);
    took.numpy.push(pair.numpy);
  }
  const cube = (shape[0] * shape[1] * shape[2] * 4) / MIB;
  const beyond = (side: Side, idle: number) => peakMemory(side.pid) - idle - cube;
  return { ...took, openblas, memory: { ours: beyond(ours, before.ours), numpy: beyond(numpy, before.numpy) } };
}

const nameOf = ({ openblas }: Comparison) => (openblas ? "numpy with OpenBLAS" : "numpy WITHOUT OpenBLAS");

/** Wall and processor time; a goal holds against OpenBLAS alone. */
function times(what: string, found: Comparison, goal: number | undefined): Measure[] {
  const median = (side: "ours" | "numpy", of: "seconds" | "cpuSeconds") => percentile(found[side].map((t) => t[of]));
  const line = (of: "seconds" | "cpuSeconds"): Measure => ({
    what: `${what}${of === "seconds" ? "" : ", processor time"}`,
    value: 1000 * median("ours", of),
    unit: "ms",
    baseline: { what: nameOf(found), value: 1000 * median("numpy", of) },
  });
  const wall = line("seconds");
  const ratio = median("ours", "seconds") / median("numpy", "seconds");
  const judged = goal !== undefined && found.openblas;
  return [judged ? { ...wall, goal: { text: `ratio <= ${goal}`, isMet: ratio <= goal } } : wall, line("cpuSeconds")];
}

const text = (shape: Shape) => shape.join("×");

export const pipelineRx: Bench = {
  name: "pipeline-rx",
  about: "RX of a float32 scene, its mean and inverse given, by one thread of ours and one of numpy's",
  async run({ short }: BenchOptions) {
    const scenes: readonly { shape: Shape; goal: number; rounds: number }[] = [
      { shape: short ? [64, 512, 61] : [512, 512, 61], goal: 0.65, rounds: short ? 2 : 15 },
      { shape: short ? [32, 1024, 224] : [1024, 1024, 224], goal: 0.95, rounds: short ? 2 : 5 },
    ];
    const measures: Measure[] = [];
    for (const { shape, goal, rounds } of scenes) {
      const found = await compare({ do: "score" }, shape, rounds);
      const { ours, numpy } = found.memory;
      measures.push(...times(text(shape), found, goal), {
        what: `${text(shape)}, peak memory beyond cube and idle process`,
        value: ours,
        unit: "MiB",
        baseline: { what: nameOf(found), value: numpy },
        goal: { text: `<= ${GOAL_MIB} MiB`, isMet: ours <= GOAL_MIB },
      });
    }
    const [{ shape, rounds }] = scenes as [(typeof scenes)[number]];
    const kept = await compare({ do: "score", keep: true }, shape, rounds);
    measures.push(...times(`${text(shape)}, the caller keeps the cube`, kept, undefined));
    return { input: scenes.map((s) => `${text(s.shape)}, median of ${s.rounds}`).join("; "), measures };
  },
};

export const pipelineFit: Bench = {
  name: "pipeline-fit",
  about:
    "statistical fit of min-max and RX, one after the other, on a float32 scene, by one thread of ours and one of numpy's",
  async run({ short }: BenchOptions) {
    const shape: Shape = short ? [64, 512, 61] : [512, 512, 61];
    const rounds = short ? 2 : 9;
    const found = await compare({ do: "fit" }, shape, rounds);
    return { input: `${text(shape)}, median of ${rounds}`, measures: times(text(shape), found, undefined) };
  },
};
