// Rules of the function that runs small jobs in place, with work that stands in for a solve.
import { type Attempt, attendJob, DEFAULT_PLACEMENT, getJob } from "@sortie/core";
import type { JobRunner, Runners } from "@sortie/worker";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit, type World } from "../../packages/core/src/testing/world.ts";
import { createLog } from "./log.ts";
import { createSolveFunction } from "./solve-function.ts";

const invocation = (remainingMs = 900_000) => ({
  awsRequestId: "request",
  getRemainingTimeInMillis: () => remainingMs,
});

/** Jobs are placed in the function. */
function openInlineWorld(): World {
  const needs = { elements: 100, memoryBytes: 4 * 1024 ** 3, timeLimitSeconds: 600 };
  return { ...openWorld(), placement: { ...DEFAULT_PLACEMENT, available: ["inline"], inline: needs } };
}

function setUp(run: JobRunner, world = openInlineWorld()) {
  const runners: Runners = { byKind: { mip: run }, kinds: ["mip"], [Symbol.asyncDispose]: async () => {} };
  const solve = createSolveFunction({ context: world, runners: async () => runners, log: createLog(() => {}) });
  return { world, solve };
}

const complete = (attempt: Attempt) => attempt.complete({ message: "", arrays: [] }, {});
const stateOf = async (world: World, id: string) => (await getJob(world, anyCaller, id))?.state;

describe("the solve function", () => {
  it("runs the job that it is invoked for", async () => {
    const { world, solve } = setUp(complete);
    const jobId = await submit(world);
    expect(await solve({ jobId, attempt: 1 }, invocation())).toBe(true);
    expect(await stateOf(world, jobId)).toBe("completed");
  });

  it("runs it once, though Lambda repeats the invocation under the same id", async () => {
    const workers: unknown[] = [];
    const { world, solve } = setUp(async (attempt) => {
      workers.push(attempt.job.worker);
      await new Promise(setImmediate);
      await complete(attempt);
    });
    const jobId = await submit(world);
    const ran = await Promise.all([
      solve({ jobId, attempt: 1 }, invocation()),
      solve({ jobId, attempt: 1 }, invocation()),
    ]);
    expect(ran.sort()).toEqual([false, true]);
    expect(await solve({ jobId, attempt: 1 }, invocation())).toBe(false);
    expect(workers).toHaveLength(1);
  });

  it("has another name each time, so that a repeat is never taken for what it repeats", async () => {
    const workers: unknown[] = [];
    const { world, solve } = setUp(async (attempt) => {
      workers.push(attempt.job.worker);
      await complete(attempt);
    });
    for (let count = 0; count < 2; count++) await solve({ jobId: await submit(world), attempt: 1 }, invocation());
    expect(new Set(workers).size).toBe(2);
    for (const worker of workers) expect(worker).toMatch(/^function:request:/);
  });

  it("gives the job back before its own time is over, so that it runs elsewhere, and keeps what was found", async () => {
    const started = Promise.withResolvers<void>();
    const { world, solve } = setUp(async (attempt, signal) => {
      attempt.log("found something");
      started.resolve();
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const jobId = await submit(world);
    const running = solve({ jobId, attempt: 1 }, invocation(900_000));
    await started.promise;
    await world.clock.advance(879_999);
    expect(await stateOf(world, jobId)).toBe("processing");
    await world.clock.advance(1);
    expect(await running).toBe(true);
    const job = await getJob(world, anyCaller, jobId);
    expect(job).toMatchObject({ state: "queued", outlivedFunction: true, losses: [], worker: undefined });
    expect(job?.logEnd).toBeGreaterThan(0);
    // Not in a function again, even if an invocation comes late.
    const container = { ...world, placement: DEFAULT_PLACEMENT };
    await attendJob(container, jobId);
    expect(await solve({ jobId, attempt: 2 }, invocation())).toBe(false);
    expect(world.dispatcher.dispatched.at(-1)).toMatchObject({ placement: "cpu", attempt: 2 });
  });

  it("takes no job when too little time is left", async () => {
    const { world, solve } = setUp(complete);
    const jobId = await submit(world);
    expect(await solve({ jobId, attempt: 1 }, invocation(20_000))).toBe(false);
    expect(await stateOf(world, jobId)).toBe("queued");
  });

  it("leaves no timer behind", async () => {
    const { world, solve } = setUp(complete);
    await solve({ jobId: await submit(world), attempt: 1 }, invocation());
    expect(world.clock.sleeping).toBe(0);
  });

  it("fails, to be invoked again, when its engine does not start", async () => {
    const world = openInlineWorld();
    const runners = () => Promise.reject(new Error("no engine"));
    const solve = createSolveFunction({ context: world, runners, log: createLog(() => {}) });
    await expect(solve({ jobId: await submit(world), attempt: 1 }, invocation())).rejects.toThrow("no engine");
  });
});
