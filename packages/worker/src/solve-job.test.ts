// Rules of a solve job around its engine: loading, and what the owner is told when the engine cannot.
import { getJob, type JobInput, submitJob } from "@sortie/core";
import { type Engine, EngineError, type LpSolution } from "@sortie/solve";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, type World } from "../../core/src/testing/world.ts";
import { runJob } from "./run-job.ts";
import { createSolveRunner } from "./solve-job.ts";

const engineThat = (solve: Engine["solve"]): Engine => ({
  name: "stand-in",
  warm: async () => {},
  solve,
  [Symbol.asyncDispose]: async () => {},
});

/** min x over x ≥ 1, its arrays in one blob. */
async function submitLp(world: World): Promise<string> {
  const id = world.ids.random();
  const work = {
    kind: "lp",
    maximize: false,
    objectiveScaling: 1,
    objectiveOffset: 0,
    problemName: "",
    objectiveName: "",
    settings: { kind: "lp", values: {} },
    trackIncumbents: false,
    rows: 0,
    columns: 1,
    nonzeros: 0,
    notes: [],
  };
  const storeInput = async (): Promise<JobInput> => {
    const blob = await world.blobs.put(`jobs/${id}/input`, [new Uint8Array(Float64Array.of(1, 1).buffer)]);
    const array = { elementBytes: 8, count: 1, blob };
    return {
      kind: "stored",
      arrays: [
        { ...array, name: "c", byteOffset: 0 },
        { ...array, name: "variable_lower_bounds", byteOffset: 8 },
      ],
    };
  };
  const needs = { kind: "lp", memoryBytes: 1e6, elements: 1, usesGpu: false } as const;
  await submitJob(world, anyCaller, id, { needs, work }, storeInput, 0);
  return id;
}

function run(world: World, jobId: string, engine: Engine, signal = new AbortController().signal): Promise<boolean> {
  return runJob(world, jobId, "w", { lp: createSolveRunner(engine) }, { signal, onFault: () => undefined });
}

const answer: LpSolution = {
  kind: "lp",
  termination: "optimal",
  message: "",
  primal: Float64Array.of(1),
  dual: new Float64Array(0),
  reducedCost: Float64Array.of(1),
  primalObjective: 1,
  dualObjective: 1,
  gap: 0,
  l2PrimalResidual: 0,
  l2DualResidual: 0,
  iterations: 0,
  solveSeconds: 0,
  solvedBy: "dual-simplex",
};

describe("a solve job", () => {
  it("gives the engine the arrays as they were sent", async () => {
    const world = openWorld();
    const id = await submitLp(world);
    let lower: Float64Array | undefined;
    const engine = engineThat(async (problem) => {
      lower = problem.variableLower;
      return answer;
    });
    await run(world, id, engine);
    expect(lower).toEqual(Float64Array.of(1));
    expect(await getJob(world, anyCaller, id)).toMatchObject({ state: "completed" });
  });

  it("shows where the solve ended, not what was told of it last", async () => {
    const world = openWorld();
    const id = await submitLp(world);
    const engine = engineThat(async (_problem, { hooks }) => {
      hooks?.onProgress?.({ seconds: 1, objective: 5, iterations: 2 });
      return { ...answer, iterations: 3 };
    });
    await run(world, id, engine);
    expect((await getJob(world, anyCaller, id))?.progress).toEqual({ seconds: 0, objective: 1, iterations: 3 });
  });

  it("goes back to the queue at once when its worker must leave while it loads", async () => {
    const world = openWorld();
    const id = await submitLp(world);
    const loading = Promise.withResolvers<void>();
    world.blobs.readInto = (_blob, _offset, _target, options) => {
      loading.resolve();
      return new Promise((_, reject) =>
        options?.signal?.addEventListener("abort", () => reject(options.signal?.reason)),
      );
    };
    const leave = new AbortController();
    const running = run(
      world,
      id,
      engineThat(() => expect.unreachable()),
      leave.signal,
    );
    await loading.promise;
    leave.abort();
    await running;
    expect(await getJob(world, anyCaller, id)).toMatchObject({ state: "queued", worker: undefined, losses: [] });
  });

  it("fails with the engine's words when the engine runs out of memory", async () => {
    const world = openWorld();
    const id = await submitLp(world);
    const engine = engineThat(async () => {
      throw new EngineError("HiGHS ran out of memory");
    });
    await run(world, id, engine);
    expect(await getJob(world, anyCaller, id)).toMatchObject({
      state: "failed",
      failure: "EngineError: HiGHS ran out of memory",
    });
  });
});
