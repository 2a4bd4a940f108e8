// Runs a solve job: arrays and task to a problem, the engine's reports to the job's feeds, its answer to result arrays.
import { create, toBinary } from "@bufbuild/protobuf";
import { type Attempt, encodeFloat, type NewResult, type Value } from "@sortie/core";
import {
  type Engine,
  EngineError,
  type LpSolution,
  type LpTermination,
  type MipSolution,
  type MipTermination,
  modelArrays,
  type Problem,
  problemFromArrays,
  type RawArrays,
  type SolveProgress,
  type SolveTask,
  settingsFromJson,
  ValidationError,
} from "@sortie/solve";
import { LPSolutionSchema, MIPSolutionSchema, splitNames } from "@sortie/wire";
import { JobFailure, type JobRunner } from "./run-job.ts";

/** Ids of the result arrays on the wire. */
const RESULT_ARRAY = { primal: "0", dual: "1", reducedCost: "2", mip: "12" } as const;

const seconds = (since: number): number => (performance.now() - since) / 1000;

export function createSolveRunner(engine: Engine): JobRunner {
  return async (attempt, signal) => {
    const task = attempt.job.work as unknown as SolveTask;
    announce(attempt, task);
    const loadStarted = performance.now();
    const problem = await loadProblem(attempt, task, signal);
    const load = seconds(loadStarted);
    signal.throwIfAborted();
    const improves = betterIn(task);
    const solveStarted = performance.now();
    const solution = await explained(() =>
      engine.solve(problem, {
        kind: task.kind,
        settings: settingsFromJson(task.settings),
        signal,
        hooks: {
          onLog: (line) => attempt.log(line),
          onProgress: (progress) => attempt.progress(progressFacts(progress)),
          onIncumbent: (incumbent) => {
            if (task.trackIncumbents) attempt.incumbent(incumbent, improves);
          },
        },
      }),
    );
    const timings = { load, solve: seconds(solveStarted) };
    await attempt.complete(solution.kind === "lp" ? lpResult(solution) : mipResult(solution), timings);
  };
}

/** Characters of a model's name that the log shows. */
const LONGEST_NAME = 200;

function announce(attempt: Attempt, task: SolveTask): void {
  const { job } = attempt;
  const again = job.attempt > 1 ? `, attempt ${job.attempt}` : "";
  const name = task.problemName === "" ? "" : ` ${task.problemName.slice(0, LONGEST_NAME)}`;
  attempt.log(
    `Sortie job ${job.id}${again}: ${task.kind.toUpperCase()}${name} with ${task.rows} rows, ${task.columns} columns, ${task.nonzeros} nonzeros`,
  );
  for (const note of task.notes) attempt.log(note);
}

/** A change smaller than this, relative to the objective, is rounding and no improvement. */
const ROUNDING = 1e-9;

/** Whether an objective improves on another. A negative scaling factor turns what is reported around. */
function betterIn(task: SolveTask): (objective: number, over: number) => boolean {
  const sign = task.maximize !== task.objectiveScaling < 0 ? 1 : -1;
  return (objective, over) => sign * (objective - over) > ROUNDING * Math.max(1, Math.abs(over));
}

async function loadProblem(attempt: Attempt, task: SolveTask, signal: AbortSignal): Promise<Problem> {
  const stored = await attempt.loadInput({ signal });
  const problem = await explained(async () =>
    problemFromArrays({
      kind: task.kind,
      maximize: task.maximize,
      objectiveScaling: task.objectiveScaling,
      objectiveOffset: task.objectiveOffset,
      name: task.problemName,
      objectiveName: task.objectiveName,
      variableNames: names(stored.get("variable_names") ?? stored.get("header_variable_names")),
      rowNames: names(stored.get("row_names") ?? stored.get("header_row_names")),
      arrays: rawArrays(stored),
    }),
  );
  const best = task.kind === "mip" ? await attempt.bestAssignment() : undefined;
  if (!best) return problem;
  attempt.log(`Starting from incumbent ${attempt.best?.index} of an earlier attempt`);
  return { ...problem, initialPrimal: best };
}

const names = (blob: Uint8Array | undefined): readonly string[] | undefined => blob && splitNames(blob);

const views = {
  float64: (bytes: Uint8Array<ArrayBuffer>) => new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8),
  int32: (bytes: Uint8Array<ArrayBuffer>) => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4),
  uint8: (bytes: Uint8Array<ArrayBuffer>) => bytes,
};

function rawArrays(stored: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): RawArrays {
  const arrays: Record<string, Float64Array | Int32Array | Uint8Array> = {};
  for (const [name, { wireName, element }] of Object.entries(modelArrays)) {
    const bytes = stored.get(wireName);
    if (bytes) arrays[name] = views[element](bytes);
  }
  return arrays as RawArrays;
}

/** Turns what the model or the engine did wrong into the words that the job fails with. */
async function explained<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof ValidationError) throw new JobFailure(`ValidationError: ${error.message}`, { cause: error });
    if (error instanceof EngineError) throw new JobFailure(`EngineError: ${error.message}`, { cause: error });
    throw error;
  }
}

function progressFacts(progress: SolveProgress): { readonly [key: string]: Value } {
  const facts: Record<string, Value> = {};
  for (const [name, value] of Object.entries(progress)) {
    if (typeof value === "number") facts[name] = encodeFloat(value);
  }
  return facts;
}

const LP_STATUS = {
  none: 0,
  "numerical-error": 1,
  optimal: 2,
  "primal-infeasible": 3,
  "dual-infeasible": 4,
  "iteration-limit": 5,
  "time-limit": 6,
  "concurrent-limit": 7,
  "primal-feasible": 8,
} as const satisfies Record<LpTermination, number>;

const MIP_STATUS = {
  none: 0,
  optimal: 1,
  "feasible-found": 2,
  infeasible: 3,
  unbounded: 4,
  "time-limit": 5,
  "work-limit": 6,
} as const satisfies Record<MipTermination, number>;

const SOLVED_BY = { concurrent: 0, pdlp: 1, "dual-simplex": 2, barrier: 3, unset: 4 } as const;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

function lpResult(solution: LpSolution): NewResult {
  const message = create(LPSolutionSchema, {
    lpTerminationStatus: LP_STATUS[solution.termination],
    errorMessage: solution.message,
    l2PrimalResidual: solution.l2PrimalResidual,
    l2DualResidual: solution.l2DualResidual,
    primalObjective: solution.primalObjective,
    dualObjective: solution.dualObjective,
    gap: solution.gap,
    nbIterations: int32(solution.iterations),
    solveTime: solution.solveSeconds,
    solvedBy: SOLVED_BY[solution.solvedBy],
  });
  return {
    message: base64(toBinary(LPSolutionSchema, message)),
    arrays: [
      { name: RESULT_ARRAY.primal, data: solution.primal },
      { name: RESULT_ARRAY.dual, data: solution.dual },
      { name: RESULT_ARRAY.reducedCost, data: solution.reducedCost },
    ],
    status: solution.termination,
    objective: solution.primal.length > 0 ? solution.primalObjective : undefined,
    progress: progressFacts({
      seconds: solution.solveSeconds,
      objective: solution.primal.length > 0 ? solution.primalObjective : undefined,
      iterations: solution.iterations,
    }),
  };
}

function mipResult(solution: MipSolution): NewResult {
  const message = create(MIPSolutionSchema, {
    mipTerminationStatus: MIP_STATUS[solution.termination],
    mipErrorMessage: solution.message,
    mipObjective: solution.objective,
    mipGap: solution.gap,
    solutionBound: solution.bound,
    totalSolveTime: solution.solveSeconds,
    presolveTime: solution.presolveSeconds,
    maxConstraintViolation: solution.maxConstraintViolation,
    maxIntViolation: solution.maxIntegralityViolation,
    maxVariableBoundViolation: solution.maxVariableBoundViolation,
    nodes: int32(solution.nodes),
    simplexIterations: int32(solution.simplexIterations),
  });
  return {
    message: base64(toBinary(MIPSolutionSchema, message)),
    arrays: [{ name: RESULT_ARRAY.mip, data: solution.solution }],
    status: solution.termination,
    objective: solution.solution.length > 0 ? solution.objective : undefined,
    progress: progressFacts({
      seconds: solution.solveSeconds,
      ...(solution.solution.length > 0 && { objective: solution.objective, gap: solution.gap }),
      bound: solution.bound,
      nodes: solution.nodes,
      iterations: solution.simplexIterations,
    }),
  };
}

/** Counts beyond what the wire's int32 holds stay at its end. */
const int32 = (count: number): number => Math.min(Math.max(Math.trunc(count), 0), 2 ** 31 - 1);
