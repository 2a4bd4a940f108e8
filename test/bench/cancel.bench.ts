// Cancel: from the abort of a running solve to its end, at several moments of every phase.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { createHighsEngine, type Engine, type ProblemKind, parseMps, resolveSettings } from "@sortie/solve";
import { type Bench, medianOf, percentile, secondsOf } from "./report.ts";

const root = new URL("../../", import.meta.url);
const external = process.env["SORTIE_TEST_DATA"] ?? fileURLToPath(new URL("../shared/data", root));
const GOAL_MS = 100;

interface Case {
  readonly name: string;
  readonly kind: ProblemKind;
  /** By field number: 15 is the method (1 PDLP, 3 barrier), 16 presolve (0 off). */
  readonly settings?: readonly (readonly [number, number])[];
}

/** The first is in the project; the others are larger and found where the environment says. */
const CASES: readonly Case[] = [
  { name: "mas76", kind: "mip" },
  { name: "rentacar", kind: "mip" },
  { name: "fast0507_lp", kind: "lp" },
  { name: "fast0507_lp", kind: "lp", settings: [[15, 1]] },
  { name: "fast0507_lp", kind: "lp", settings: [[15, 3]] },
  { name: "dfl001", kind: "lp" },
  { name: "dfl001", kind: "lp", settings: [[15, 1]] },
  { name: "dfl001", kind: "lp", settings: [[15, 3]] },
  { name: "seymour_lp", kind: "lp", settings: [[16, 0]] },
];

const fileOf = (name: string): string | undefined =>
  [fileURLToPath(new URL(`test/data/lp/${name}.mps.gz`, root)), `${external}/lp/${name}.mps.gz`].find(existsSync);

/** Milliseconds from the abort to the end; undefined if the solve ended by itself before. */
async function cancelOnce(engine: Engine, file: string, each: Case, afterMs: number): Promise<number | undefined> {
  const { problem } = parseMps(readFileSync(file));
  const stop = new AbortController();
  let abortedAt: number | undefined;
  const timer = setTimeout(() => {
    abortedAt = performance.now();
    stop.abort(new Error("cancelled"));
  }, afterMs);
  const settings = resolveSettings(each.kind, new Map(each.settings), "default");
  try {
    await engine.solve(problem, { kind: each.kind, settings, signal: stop.signal });
    return undefined;
  } catch (error) {
    if (abortedAt === undefined) throw error;
    return performance.now() - abortedAt;
  } finally {
    clearTimeout(timer);
  }
}

/** The least that ending a thread takes. */
const endThread = () => {
  const thread = new Worker("setInterval(() => {}, 1000)", { eval: true });
  return new Promise<void>((resolve) => thread.once("online", resolve)).then(() =>
    secondsOf(() => thread.terminate()).then((seconds) => seconds * 1000),
  );
};

export const cancel: Bench = {
  name: "cancel",
  about: "a running solve, from its abort to its end",
  async run({ short }) {
    const [moments, rounds] = short ? [[0, 100], 1] : [[0, 5, 30, 100, 300, 1000], 3];
    await using engine = createHighsEngine();
    await engine.warm();
    const latencies: number[] = [];
    const found = CASES.filter(({ name }) => fileOf(name) !== undefined);
    for (let round = 0; round < rounds; round++) {
      for (const each of found) {
        for (const moment of moments) {
          const latency = await cancelOnce(engine, String(fileOf(each.name)), each, moment);
          if (latency !== undefined) latencies.push(latency);
        }
      }
    }
    const worst = Math.max(...latencies);
    const baseline = { what: "ending an idle thread", value: await medianOf(5, endThread) };
    return {
      input:
        `${latencies.length} cancels, ${moments.join(", ")} ms into ${found.length} of ${CASES.length} solves ` +
        "(MIP, simplex, barrier, PDLP)",
      measures: [
        { what: "median", value: percentile(latencies), unit: "ms", baseline },
        {
          what: "worst",
          value: worst,
          unit: "ms",
          baseline,
          goal: { text: `< ${GOAL_MS} ms`, isMet: worst < GOAL_MS },
        },
      ],
    };
  },
};
