// Rules of attending to a job: the row says what is due, and it does not matter who comes, how often or in which order.
import { describe, expect, it } from "vitest";
import { claimJob } from "./attempts.ts";
import { attendJob, loseAttempt, loseStart } from "./attend.ts";
import { deferredDispatcher } from "./deferred-dispatcher.ts";
import { DomainError } from "./errors.ts";
import { jobFromRow } from "./job.ts";
import { cancelJob, deleteJob, getJob, jobIdFor, type NewJob, submitJob } from "./jobs.ts";
import { jobKey } from "./keys.ts";
import { DEFAULT_PLACEMENT } from "./placement.ts";
import type { Placement } from "./ports.ts";
import { sweep } from "./sweep.ts";
import { anyCaller, openWorld, type World } from "./testing/world.ts";

/** A world whose leases decide alone, and whose submissions leave dispatching to whoever attends. */
function openFarWorld(available: readonly Placement[] = ["inline", "cpu"]): World {
  const world = openWorld();
  world.dispatcher.attemptEndsWith = "lease";
  return { ...world, placement: { ...DEFAULT_PLACEMENT, available } };
}

async function submit(world: World, needs: Partial<NewJob["needs"]> = {}): Promise<string> {
  const job: NewJob = {
    needs: { kind: "lp", memoryBytes: 1e6, elements: 10, usesGpu: false, ...needs },
    work: {},
  };
  const id = jobIdFor(world, anyCaller, job);
  const storeInput = async () => ({ kind: "stored", arrays: [] }) as const;
  const front = { ...world, dispatcher: deferredDispatcher };
  return (await submitJob(front, anyCaller, id, job, storeInput, world.clock.now())).jobId;
}

const rowOf = async (world: World, id: string) => {
  const row = await world.table.get(jobKey(id));
  if (!row) throw new Error(`there is no job ${id}`);
  return row;
};
const jobOf = async (world: World, id: string) => jobFromRow(await rowOf(world, id));
const types = (world: World) => world.events.published.map(({ type }) => type);

describe("attending to a queued job", () => {
  it("dispatches it once, however often and by however many it is attended to", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    expect(world.dispatcher.dispatched).toEqual([]);
    await Promise.all(Array.from({ length: 5 }, () => attendJob(world, id)));
    await attendJob(world, id);
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId: id, attempt: 1, placement: "inline" }]);
    expect([...new Set(world.events.published.map((event) => event.id))]).toHaveLength(1);
  });

  it("writes nothing once nothing is due, so that what is woken by writes comes to rest", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await attendJob(world, id);
    const { revision } = await rowOf(world, id);
    await attendJob(world, id);
    await attendJob(world, id);
    expect((await rowOf(world, id)).revision).toBe(revision);
  });

  it("dispatches it again when nobody takes it, after longer and longer pauses", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    const start = world.clock.now();
    const times: number[] = [];
    for (let second = 0; second < 1200; second++) {
      const before = world.dispatcher.dispatched.length;
      await sweep(world);
      if (world.dispatcher.dispatched.length > before) times.push((world.clock.now() - start) / 1000);
      await world.clock.advance(1000);
    }
    expect(times).toEqual([0, 15, 45, 105, 225, 465, 765, 1065]);
    expect((await jobOf(world, id)).attempt).toBe(0);
  });

  it("dispatches the next attempt at once", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await attendJob(world, id);
    const attempt = await claimJob(world, id, "w1");
    await attempt?.release();
    await attendJob(world, id);
    expect(world.dispatcher.dispatched.map((request) => request.attempt)).toEqual([1, 2]);
  });

  it("tries again later when dispatching failed", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    world.dispatcher.failing = true;
    await attendJob(world, id);
    expect(world.faults).toEqual([`dispatching job ${id}`]);
    world.dispatcher.failing = false;
    await attendJob(world, id);
    expect(world.dispatcher.dispatched).toEqual([]);
    await world.clock.advance(15_000);
    await sweep(world);
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId: id, attempt: 1 }]);
  });

  it("fails a job that can be dispatched nowhere, with the reason, and gives its place back", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    world.dispatcher.dispatch = () => Promise.reject(new DomainError("too-large", "no machine has 1 TiB"));
    await attendJob(world, id);
    expect(await jobOf(world, id)).toMatchObject({ state: "failed", failure: "no machine has 1 TiB" });
    const admission = world.table.rows.find(({ sk }) => sk === "admission");
    expect(admission?.sets["jobs"] ?? new Set()).toEqual(new Set());
  });

  it("does nothing for a job that is gone", async () => {
    const world = openFarWorld();
    await attendJob(world, "nobody");
    expect(world.table.rows).toEqual([]);
  });
});

describe("attending to a job whose worker did not start", () => {
  const start = (worker: string) => ({ worker, attempt: 1, how: "the image could not be pulled" });

  it("dispatches it again after a while, and counts each worker once", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await attendJob(world, id);
    await loseStart(world, id, start("batch:1"));
    await loseStart(world, id, start("batch:1"));
    expect((await jobOf(world, id)).failedStarts.size).toBe(1);
    await world.clock.advance(15_000);
    await sweep(world);
    expect(world.dispatcher.dispatched).toHaveLength(2);
  });

  it("fails it when that happened as often as it may be attempted", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    for (const worker of ["batch:1", "batch:2", "batch:3"]) await loseStart(world, id, start(worker));
    expect(await jobOf(world, id)).toMatchObject({
      state: "failed",
      failure: "No worker could be started for the job (tried 3 times; last: the image could not be pulled)",
    });
  });

  it("leaves alone a job that another worker took, or gave back", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "w1");
    await loseStart(world, id, start("batch:1"));
    await attempt?.release();
    await loseStart(world, id, start("batch:1"));
    expect(await jobOf(world, id)).toMatchObject({ state: "queued", failedStarts: new Set() });
  });
});

describe("the outbox", () => {
  it("is told by whoever comes, and by many at once nothing is lost", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await Promise.all([attendJob(world, id), attendJob(world, id)]);
    const attempt = await claimJob(world, id, "w1");
    await Promise.all([attendJob(world, id), attempt?.complete({ message: "", arrays: [] }, {}), attendJob(world, id)]);
    await attendJob(world, id);
    expect(new Set(types(world))).toEqual(new Set(["Job Queued", "Job Started", "Job Completed"]));
    expect((await jobOf(world, id)).outbox.size).toBe(0);
  });

  it("waits a while after telling failed, and does not wake itself meanwhile", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    world.events.failing = true;
    await attendJob(world, id);
    const { revision } = await rowOf(world, id);
    await attendJob(world, id);
    expect((await rowOf(world, id)).revision).toBe(revision);
    expect(world.faults).toEqual([`publishing an event of job ${id}`]);
    world.events.failing = false;
    await world.clock.advance(5_000);
    await sweep(world);
    expect(types(world)).toEqual(["Job Queued"]);
  });
});

describe("attending to a job that was cancelled or deleted by a host without workers", () => {
  const front = (world: World) => ({ ...world, dispatcher: deferredDispatcher });

  it.each([["cancelled", cancelJob] as const, ["deleted", deleteJob] as const])(
    "stops the worker of a %s job, queued or running",
    async (_how, end) => {
      const world = openFarWorld();
      const [queued, running] = [await submit(world), await submit(world)];
      await claimJob(world, running, "w1");
      await end(front(world), anyCaller, queued);
      await end(front(world), anyCaller, running);
      expect(world.dispatcher.stopped).toEqual([]);
      for (const id of [queued, running, queued, running]) await attendJob(world, id);
      expect(world.dispatcher.stopped).toEqual([queued, running]);
    },
  );

  it("tries again later when stopping failed, and keeps a deleted job's row until then", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await deleteJob(front(world), anyCaller, id);
    const stop = world.dispatcher.stop;
    world.dispatcher.stop = () => Promise.reject(new Error("not today"));
    await attendJob(world, id);
    expect(world.faults).toEqual([`stopping the worker of job ${id}`]);
    world.dispatcher.stop = stop;
    await world.clock.advance(5_000);
    await sweep(world);
    expect(world.dispatcher.stopped).toEqual([id]);
    await sweep(world);
    expect(await world.table.get(jobKey(id))).toBeUndefined();
  });

  it("waits with a deleted job's data until its worker's lease is over", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await claimJob(world, id, "w1");
    await deleteJob(front(world), anyCaller, id);
    await attendJob(world, id);
    expect(await world.table.get(jobKey(id))).toBeDefined();
    await world.clock.advance(world.limits.leaseMs + 1_000);
    await sweep(world);
    expect(await world.table.get(jobKey(id))).toBeUndefined();
  });
});

describe("a lease", () => {
  it("that is over ends the attempt alone where workers are far away, though one may live", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "w1");
    world.dispatcher.alive.add("w1");
    await world.clock.advance(world.limits.leaseMs);
    await attendJob(world, id);
    expect(await jobOf(world, id)).toMatchObject({ state: "queued", worker: undefined });
    await expect(attempt?.complete({ message: "", arrays: [] }, {})).rejects.toThrow("superseded");
  });

  it("that runs on keeps the job, however often it is looked at", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "w1");
    for (let round = 0; round < 10; round++) {
      await world.clock.advance(world.limits.leaseMs / 2);
      await attempt?.flush();
      await attendJob(world, id);
      await sweep(world);
    }
    expect(await jobOf(world, id)).toMatchObject({ state: "processing", worker: "w1", attempt: 1 });
  });

  it("that is renewed at the last moment counts", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "w1");
    await world.clock.advance(world.limits.leaseMs);
    const { get } = world.table;
    let reads = 0;
    world.table.get = async (...args) => {
      const row = await get.apply(world.table, args);
      // After the second look (the one of the loss) the heartbeat comes in.
      if (++reads === 2) await attempt?.flush();
      return row;
    };
    await attendJob(world, id);
    world.table.get = get;
    expect(await jobOf(world, id)).toMatchObject({ state: "processing", worker: "w1" });
  });

  it("of a cancelled job's worker is waited for before its feeds are final", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await claimJob(world, id, "w1");
    await cancelJob(world, anyCaller, id);
    await attendJob(world, id);
    expect(await jobOf(world, id)).toMatchObject({ worker: "w1" });
    await world.clock.advance(world.limits.leaseMs);
    await sweep(world);
    expect(await jobOf(world, id)).toMatchObject({ state: "cancelled", worker: undefined });
  });

  it("of a worker that is known to be gone is not waited for", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await claimJob(world, id, "w1");
    await cancelJob(world, anyCaller, id);
    await loseAttempt(world, id, { worker: "w1", how: "killed" });
    expect(await jobOf(world, id)).toMatchObject({ state: "cancelled", worker: undefined });
  });
});

describe("a job that outlives a function", () => {
  it("is placed in a container when its function went without a word", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    await claimJob(world, id, "function:1");
    await world.clock.advance(world.limits.leaseMs);
    await attendJob(world, id);
    expect(await jobOf(world, id)).toMatchObject({
      state: "queued",
      placement: "cpu",
      placementReason: "cpu: not inline, because it outlived a function before",
    });
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId: id, attempt: 2, placement: "cpu" }]);
  });

  it("is placed in a container when its function gave it back, which is no loss", async () => {
    const world = openFarWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "function:1");
    await attempt?.release("out-of-time");
    await attendJob(world, id);
    expect(await jobOf(world, id)).toMatchObject({ state: "queued", placement: "cpu", losses: [] });
    expect(await claimJob(world, id, "function:2", "inline")).toBeUndefined();
    expect(world.dispatcher.dispatched).toMatchObject([{ attempt: 2, placement: "cpu", memoryBytes: 2 * 1024 ** 3 }]);
  });

  it("fails where there is nothing but functions, rather than run for ever", async () => {
    const world = openFarWorld(["inline"]);
    const id = await submit(world);
    const attempt = await claimJob(world, id, "function:1");
    await attempt?.release("out-of-time");
    await attendJob(world, id);
    expect(await getJob(world, anyCaller, id)).toMatchObject({
      state: "failed",
      failure: "The job takes longer than a function runs, and this deployment has no other placement",
    });
  });

  it("is attempted in a function again where there is nothing else and the function was lost", async () => {
    const world = openFarWorld(["inline"]);
    const id = await submit(world);
    await claimJob(world, id, "function:1");
    await world.clock.advance(world.limits.leaseMs);
    await attendJob(world, id);
    expect(world.dispatcher.dispatched).toMatchObject([{ attempt: 2, placement: "inline" }]);
  });
});
