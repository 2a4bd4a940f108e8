// Rules of running one job: one way out, feeds that arrive, and a job that is given up in the right way.
import { cancelJob, deleteJob, getJob, readIncumbents, readLog } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit, type World } from "../../core/src/testing/world.ts";
import { JobFailure, type JobRunner, runJob } from "./run-job.ts";

interface Running {
  readonly done: Promise<boolean>;
  readonly stop: AbortController;
  readonly faults: string[];
}

function start(world: World, jobId: string, run: JobRunner): Running {
  const stop = new AbortController();
  const faults: string[] = [];
  const options = { signal: stop.signal, onFault: (what: string) => faults.push(what) };
  return { done: runJob(world, jobId, "w1", { mip: run }, options), stop, faults };
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

const logOf = async (world: World, id: string): Promise<string> => {
  const job = await getJob(world, anyCaller, id);
  return Buffer.from((await readLog(world, job!, 0, 1e6)).bytes).toString();
};

describe("running a job", () => {
  it("completes it with everything that was logged and found", async () => {
    const world = openWorld();
    const id = await submit(world);
    const { done } = start(world, id, async (attempt) => {
      attempt.log("first");
      attempt.incumbent({ objective: 3, seconds: 0, assignment: Float64Array.of(1) }, (a, b) => a < b);
      attempt.log("second\nin two lines");
      await attempt.complete({ message: "", arrays: [] }, { solve: 2 });
    });
    expect(await done).toBe(true);
    const job = await getJob(world, anyCaller, id);
    expect(job).toMatchObject({ state: "completed", worker: undefined, timings: { solve: 2 } });
    expect(await logOf(world, id)).toBe("first\nsecond in two lines\n");
    expect(await readIncumbents(world, job!, 0, 10, 1e9)).toHaveLength(1);
  });

  it("shows its log while it runs", async () => {
    const world = openWorld();
    const id = await submit(world);
    const release = Promise.withResolvers<void>();
    const logged = Promise.withResolvers<void>();
    const { done } = start(world, id, async (attempt) => {
      attempt.log("live");
      logged.resolve();
      await release.promise;
      await attempt.complete({ message: "", arrays: [] }, {});
    });
    await logged.promise;
    await world.clock.advance(200);
    await expect.poll(() => logOf(world, id)).toBe("live\n");
    release.resolve();
    await done;
  });

  it("does not start a job that was cancelled before", async () => {
    const world = openWorld();
    const id = await submit(world);
    await cancelJob(world, anyCaller, id);
    const { done } = start(world, id, () => expect.unreachable());
    expect(await done).toBe(false);
  });

  it("fails it with the words that are meant for its owner", async () => {
    const world = openWorld();
    const id = await submit(world);
    const running = start(world, id, async () => {
      throw new JobFailure("ValidationError: c[3] is NaN");
    });
    await running.done;
    expect(await getJob(world, anyCaller, id)).toMatchObject({
      state: "failed",
      failure: "ValidationError: c[3] is NaN",
    });
    expect(await logOf(world, id)).toBe("Job failed: ValidationError: c[3] is NaN\n");
    expect(running.faults).toEqual([]);
  });

  it("tells an unexpected fault to the log and not to the owner", async () => {
    const world = openWorld();
    const id = await submit(world);
    const running = start(world, id, async () => {
      throw new TypeError("cannot read properties of undefined (reading 'secret')");
    });
    await running.done;
    const job = await getJob(world, anyCaller, id);
    expect(job?.failure).toMatch(/^Internal error while running the job/);
    expect(job?.failure).not.toMatch(/secret/);
    expect(running.faults).toEqual([`running job ${id}`]);
  });

  it("gives the job back to the queue when the worker must leave", async () => {
    const world = openWorld();
    const id = await submit(world);
    const started = Promise.withResolvers<void>();
    const running = start(world, id, (attempt, signal) => {
      attempt.log("half way");
      started.resolve();
      return untilAborted(signal);
    });
    await started.promise;
    running.stop.abort();
    await running.done;
    expect(await getJob(world, anyCaller, id)).toMatchObject({ state: "queued", worker: undefined, losses: [] });
    expect(await logOf(world, id)).toBe("half way\n");
  });

  it("stops when the job is cancelled, and leaves it cancelled", async () => {
    const world = openWorld();
    const id = await submit(world);
    const started = Promise.withResolvers<void>();
    const { done } = start(world, id, (attempt, signal) => {
      attempt.incumbent({ objective: 3, seconds: 0, assignment: Float64Array.of(1) }, (a, b) => a < b);
      started.resolve();
      return untilAborted(signal);
    });
    await started.promise;
    await cancelJob(world, anyCaller, id);
    // No message reaches this worker: its next heartbeat tells it.
    await world.clock.advance(200);
    await done;
    const job = await getJob(world, anyCaller, id);
    expect(job).toMatchObject({ state: "cancelled", worker: undefined, incumbentCount: 1 });
  });

  it("stops when the job is deleted", async () => {
    const world = openWorld();
    const id = await submit(world);
    const started = Promise.withResolvers<void>();
    const { done } = start(world, id, (_, signal) => {
      started.resolve();
      return untilAborted(signal);
    });
    await started.promise;
    await deleteJob(world, anyCaller, id);
    await world.clock.advance(world.limits.leaseMs / 2);
    await done;
    expect(await getJob(world, anyCaller, id)).toBeUndefined();
  });
});
