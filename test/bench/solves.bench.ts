// Small solves from end to end: what the machinery around a solve costs.
import { createHighsEngine, defaultSettings, problemFromArrays } from "@sortie/solve";
import { ArrayFieldId, JobStatus } from "@sortie/wire";
import { Ground, until } from "../faults/harness.ts";
import { boundedLp, type SampleProblem } from "../faults/problems.ts";
import { type Bench, percentile, secondsOf } from "./report.ts";

const JOBS = 60;
const WORKERS = 2;
const GOAL_SECONDS = 3;
/** What starting a process for one solve costs before it solves anything. */
const COLD_START_SECONDS = 0.3;

const sample = (seed: number) => boundedLp(Float64Array.from({ length: 30 }, (_, i) => 1 + ((i * 7 + seed) % 11)));

/** The same LPs in this process, one after another, with nothing around them. */
async function solveInProcess(samples: readonly SampleProblem[]): Promise<number> {
  await using engine = createHighsEngine();
  await engine.warm();
  const solve = async ({ arrays, objective }: SampleProblem) => {
    const array = (id: ArrayFieldId) => arrays.get(id) as Float64Array;
    const ints = (id: ArrayFieldId) => arrays.get(id) as Int32Array;
    const problem = problemFromArrays({
      kind: "lp",
      maximize: false,
      objectiveScaling: 1,
      objectiveOffset: 0,
      name: "",
      objectiveName: "",
      arrays: {
        aValues: array(ArrayFieldId.FIELD_A_VALUES).slice(),
        aIndices: ints(ArrayFieldId.FIELD_A_INDICES).slice(),
        aOffsets: ints(ArrayFieldId.FIELD_A_OFFSETS).slice(),
        c: array(ArrayFieldId.FIELD_C).slice(),
        variableLower: array(ArrayFieldId.FIELD_VARIABLE_LOWER_BOUNDS).slice(),
        variableUpper: array(ArrayFieldId.FIELD_VARIABLE_UPPER_BOUNDS).slice(),
        rowLower: array(ArrayFieldId.FIELD_CONSTRAINT_LOWER_BOUNDS).slice(),
        rowUpper: array(ArrayFieldId.FIELD_CONSTRAINT_UPPER_BOUNDS).slice(),
      },
    });
    const solution = await engine.solve(problem, { kind: "lp", settings: defaultSettings("lp") });
    if (solution.kind !== "lp" || Math.abs(solution.primalObjective - objective!) > 1e-6) {
      throw new Error("the engine gave a wrong answer");
    }
  };
  await solve(samples[0]!);
  return await secondsOf(async () => {
    for (const each of samples) await solve(each);
  });
}

export const solves: Bench = {
  name: "solves",
  about: `${JOBS} tiny LPs submitted at once to a server with ${WORKERS} workers`,
  async run({ short }) {
    const samples = Array.from({ length: JOBS }, (_, seed) => sample(seed));
    await using ground = new Ground();
    const { client, address } = await ground.start({ flags: ["--workers", String(WORKERS)] });
    await until("all workers are warm", async () => {
      const text = await (await fetch(`http://${address}/metrics`)).text();
      return text.includes(`sortie_workers{state="idle"} ${WORKERS}`);
    });
    const rounds: { afterLast: number; whole: number }[] = [];
    for (let round = 0; round < (short ? 1 : 5); round++) {
      const started = performance.now();
      const ids = await Promise.all(samples.map((each) => client.submit(each)));
      const submitted = performance.now();
      const ends = await Promise.all(ids.map((id) => client.end(id)));
      const ended = performance.now();
      if (ends.some((end) => end !== JobStatus.COMPLETED)) throw new Error("a job did not complete");
      for (const [i, id] of ids.entries()) {
        const { solution } = await client.result(id);
        const objective = solution?.kind === "lp" ? solution.scalars.primalObjective : Number.NaN;
        if (!(Math.abs(objective - samples[i]!.objective!) < 1e-6)) throw new Error(`job ${id} has a wrong answer`);
      }
      rounds.push({ afterLast: (ended - submitted) / 1000, whole: (ended - started) / 1000 });
    }
    const afterLast = percentile(rounds.map((round) => round.afterLast));
    const whole = percentile(rounds.map((round) => round.whole));
    const inProcess = await solveInProcess(samples);
    const cold = (JOBS * COLD_START_SECONDS) / WORKERS;
    return {
      input: `${JOBS} LPs with 30 variables and rows, median of ${rounds.length} (the first round counts: the workers are warm)`,
      measures: [
        {
          what: "from the last submission's answer to the last end",
          value: afterLast,
          unit: "s",
          baseline: { what: `starting a process of ${COLD_START_SECONDS} s for each`, value: cold },
          goal: { text: `< ${GOAL_SECONDS} s`, isMet: afterLast < GOAL_SECONDS },
        },
        {
          what: "solves per second, submission included",
          value: JOBS / whole,
          unit: "solves/s",
          baseline: { what: "HiGHS alone in one process", value: JOBS / inProcess },
        },
      ],
    };
  },
};
