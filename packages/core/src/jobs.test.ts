// Rules of the job machine, on tables in memory and a clock that tests move.
import { describe, expect, it } from "vitest";
import {
  AttemptLostError,
  cancelJob,
  claimJob,
  DomainError,
  deleteJob,
  feedsAreFinal,
  getJob,
  listJobs,
  loseAttempt,
  readIncumbents,
  readLog,
  recover,
  sweep,
  waitForJob,
} from "./index.ts";
import { jobKey } from "./keys.ts";
import { anyCaller, openWorld, submit } from "./testing/world.ts";

const lower = (a: number, b: number) => a < b;

describe("a job", () => {
  it("goes from queued over processing to completed, and keeps its result", async () => {
    const world = openWorld();
    const id = await submit(world);
    expect((await getJob(world, anyCaller, id))?.state).toBe("queued");
    const attempt = await claimJob(world, id, "w1");
    expect(attempt?.job).toMatchObject({ state: "processing", attempt: 1, worker: "w1" });
    await attempt?.complete({ message: "bQ==", arrays: [{ name: "0", data: Float64Array.of(1, 2) }] }, { solve: 1 });
    const job = await getJob(world, anyCaller, id);
    expect(job).toMatchObject({ state: "completed", result: { bytes: 16 }, worker: undefined });
  });

  it("is placed when it is submitted, and says why", async () => {
    const world = openWorld();
    const id = await submit(world);
    expect(await getJob(world, anyCaller, id)).toMatchObject({
      placement: "cpu",
      placementReason: expect.stringMatching(/^cpu: /),
    });
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId: id, placement: "cpu", memoryBytes: 1e6 }]);
  });

  it("is claimed by one of many workers", async () => {
    const world = openWorld();
    const id = await submit(world);
    const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => claimJob(world, id, `w${i}`)));
    expect(claims.filter(Boolean)).toHaveLength(1);
  });

  it("never completes once a cancel was answered", async () => {
    const world = openWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "w1");
    expect((await cancelJob(world, anyCaller, id)).outcome).toBe("cancelled");
    await expect(attempt?.complete({ message: "", arrays: [] }, {})).rejects.toThrow(AttemptLostError);
    expect((await getJob(world, anyCaller, id))?.state).toBe("cancelled");
    expect((await cancelJob(world, anyCaller, id)).outcome).toBe("already-cancelled");
  });

  it("cannot be cancelled once it completed", async () => {
    const world = openWorld();
    const id = await submit(world);
    await (await claimJob(world, id, "w1"))?.complete({ message: "", arrays: [] }, {});
    expect(await cancelJob(world, anyCaller, id)).toMatchObject({
      outcome: "already-finished",
      job: { state: "completed" },
    });
  });

  it("keeps what its worker found before the cancel", async () => {
    const world = openWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "w1");
    attempt?.log("before");
    attempt?.incumbent({ objective: 5, seconds: 1, assignment: Float64Array.of(1) }, lower);
    await cancelJob(world, anyCaller, id);
    await attempt?.release();
    const job = await getJob(world, anyCaller, id);
    expect(job && feedsAreFinal(job)).toBe(true);
    expect(await readIncumbents(world, job!, 0, 10, 1e9)).toMatchObject([{ index: 0, objective: 5 }]);
    expect(Buffer.from((await readLog(world, job!, 0, 1e6)).bytes).toString()).toBe("before\n");
  });

  it("is unknown after its deletion, to its worker too, and its data go with the sweep", async () => {
    const world = openWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "w1");
    expect(await deleteJob(world, anyCaller, id)).toBe(true);
    expect(await getJob(world, anyCaller, id)).toBeUndefined();
    expect(await deleteJob(world, anyCaller, id)).toBe(false);
    await expect(attempt?.complete({ message: "", arrays: [] }, {})).rejects.toThrow("deleted");
    await attempt?.release();
    await sweep(world);
    expect(await world.table.get(jobKey(id))).toBeUndefined();
    for await (const blob of world.blobs.list("jobs/")) expect(blob).toBeUndefined();
  });

  it("releases its waiters when it is deleted", async () => {
    const world = openWorld();
    const id = await submit(world);
    const waiter = waitForJob(world, anyCaller, id, {});
    await deleteJob(world, anyCaller, id);
    expect(await waiter).toBeUndefined();
  });

  it("is not found by another tenant", async () => {
    const world = openWorld();
    const id = await submit(world);
    const stranger = { tenant: "other" };
    expect(await getJob(world, stranger, id)).toBeUndefined();
    expect((await cancelJob(world, stranger, id)).outcome).toBe("unknown");
    expect(await deleteJob(world, stranger, id)).toBe(false);
    expect((await listJobs(world, stranger, { limit: 10 })).jobs).toEqual([]);
  });

  it("is forgotten when its time to live is over", async () => {
    const world = openWorld();
    const id = await submit(world);
    await (await claimJob(world, id, "w1"))?.complete({ message: "", arrays: [] }, {});
    await sweep(world);
    await world.clock.advance(world.limits.jobTtlMs + 1);
    await sweep(world);
    expect(await world.table.get(jobKey(id))).toBeUndefined();
  });
});

describe("an attempt", () => {
  it("is lost with its worker, and the next one goes on from the best incumbent", async () => {
    const world = openWorld();
    const id = await submit(world);
    const first = await claimJob(world, id, "w1");
    first?.log("one");
    first?.incumbent({ objective: 5, seconds: 1, assignment: Float64Array.of(1, 2) }, lower);
    await first?.flush();
    first?.log("never acknowledged");
    await loseAttempt(world, id, { worker: "w1", how: "killed" });
    const second = await claimJob(world, id, "w2");
    expect(second?.job.attempt).toBe(2);
    expect(await second?.bestAssignment()).toEqual(Float64Array.of(1, 2));
    second?.incumbent({ objective: 6, seconds: 1, assignment: Float64Array.of(0, 0) }, lower);
    second?.incumbent({ objective: 4, seconds: 1, assignment: Float64Array.of(3, 4) }, lower);
    second?.log("two");
    await expect(first?.flush()).rejects.toThrow(AttemptLostError);
    await second?.complete({ message: "", arrays: [] }, {});
    const job = await getJob(world, anyCaller, id);
    expect(Buffer.from((await readLog(world, job!, 0, 1e6)).bytes).toString()).toBe("one\ntwo\n");
    const incumbents = await readIncumbents(world, job!, 0, 10, 1e9);
    expect(incumbents.map(({ index, objective }) => [index, objective])).toEqual([
      [0, 5],
      [1, 4],
    ]);
  });

  it("does not show what a stale worker writes beyond the head", async () => {
    const world = openWorld();
    const id = await submit(world);
    const stale = await claimJob(world, id, "w1");
    await loseAttempt(world, id, { worker: "w1", how: "killed" });
    const next = await claimJob(world, id, "w2");
    stale?.log("from the grave, and much longer than what the living say");
    await stale?.flush().catch(() => undefined);
    next?.log("alive");
    await next?.complete({ message: "", arrays: [] }, {});
    const job = await getJob(world, anyCaller, id);
    expect(Buffer.from((await readLog(world, job!, 0, 1e6)).bytes).toString()).toBe("alive\n");
  });

  it("is followed by another at most as often as allowed, then the job fails with a reason", async () => {
    const world = openWorld();
    const id = await submit(world);
    for (let attempt = 1; attempt <= world.limits.maxAttempts; attempt++) {
      expect((await claimJob(world, id, `w${attempt}`))?.job.attempt).toBe(attempt);
      await loseAttempt(world, id, { worker: `w${attempt}`, how: "killed" });
    }
    expect(await getJob(world, anyCaller, id)).toMatchObject({
      state: "failed",
      failure: expect.stringContaining("Worker process died unexpectedly (3 attempts"),
    });
  });

  it("is not made a third time when the model killed its worker twice in the same way", async () => {
    const world = openWorld();
    const id = await submit(world);
    for (const worker of ["w1", "w2"]) {
      await claimJob(world, id, worker);
      await loseAttempt(world, id, { worker, how: "crashed", signature: "SIGSEGV" });
    }
    expect((await getJob(world, anyCaller, id))?.state).toBe("failed");
  });

  it("ends when no heartbeat came and the worker is gone, but not while the worker lives", async () => {
    const world = openWorld();
    const id = await submit(world);
    await claimJob(world, id, "w1");
    world.dispatcher.alive.add("w1");
    await world.clock.advance(world.limits.leaseMs + 1);
    await sweep(world);
    expect((await getJob(world, anyCaller, id))?.state).toBe("processing");
    world.dispatcher.alive.delete("w1");
    await world.clock.advance(world.limits.leaseMs + 1);
    await sweep(world);
    expect((await getJob(world, anyCaller, id))?.state).toBe("queued");
    expect(world.dispatcher.dispatched.at(-1)).toMatchObject({ jobId: id, attempt: 2 });
  });

  it("that is given back is not held against the job", async () => {
    const world = openWorld();
    const id = await submit(world);
    for (let i = 0; i < 5; i++) await (await claimJob(world, id, `w${i}`))?.release();
    expect(await getJob(world, anyCaller, id)).toMatchObject({ state: "queued", attempt: 5, losses: [] });
  });
});

describe("admission", () => {
  it("refuses a job beyond the limit and takes one again when a place is free", async () => {
    const world = openWorld({ jobs: 3 });
    const ids = await Promise.all([submit(world), submit(world), submit(world)]);
    await expect(submit(world)).rejects.toThrow("Job queue full: 3 of 3");
    await cancelJob(world, anyCaller, ids[0]!);
    await submit(world);
    await (await claimJob(world, ids[1]!, "w"))?.fail("because");
    await submit(world);
    await expect(submit(world)).rejects.toMatchObject({ reason: "queue-full" });
  });

  it("never lets more in than the limit, however many ask at once", async () => {
    const world = openWorld({ jobs: 7 });
    const results = await Promise.allSettled(Array.from({ length: 40 }, () => submit(world)));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(7);
  });

  it("stores nothing for a job that is refused", async () => {
    const world = openWorld({ jobs: 1 });
    await submit(world);
    let stored = false;
    await expect(
      submit(world, {
        storeInput: async () => {
          stored = true;
          return { kind: "stored", arrays: [] };
        },
      }),
    ).rejects.toThrow(DomainError);
    expect(stored).toBe(false);
  });
});

describe("an idempotency key", () => {
  it("makes a repeat return the first answer, and refuses another body", async () => {
    const world = openWorld();
    const first = await submit(world, { idempotency: { key: "k", bodyDigest: "a" } });
    expect(await submit(world, { idempotency: { key: "k", bodyDigest: "a" } })).toBe(first);
    await expect(submit(world, { idempotency: { key: "k", bodyDigest: "b" } })).rejects.toMatchObject({
      reason: "key-reused-with-other-body",
    });
  });

  it("makes one job of many repeats at once", async () => {
    const world = openWorld();
    const idempotency = { key: "k", bodyDigest: "a" };
    const ids = await Promise.all(Array.from({ length: 10 }, () => submit(world, { idempotency })));
    expect(new Set(ids).size).toBe(1);
    expect((await listJobs(world, anyCaller, { limit: 10 })).jobs).toHaveLength(1);
  });
});

describe("the sweep", () => {
  it("tells the outside of every state, in order, and again when telling failed", async () => {
    const world = openWorld();
    const id = await submit(world);
    world.events.failing = true;
    const attempt = await claimJob(world, id, "w1");
    await world.clock.advance(1);
    await attempt?.complete({ message: "", arrays: [] }, {});
    await sweep(world);
    expect(world.events.published).toEqual([]);
    world.events.failing = false;
    await world.clock.advance(world.limits.jobTtlMs / 2);
    await sweep(world);
    const types = world.events.published.map((event) => event.type);
    expect(types).toEqual(["Job Queued", "Job Started", "Job Completed"]);
  });

  it("dispatches a queued job again whose dispatch was lost", async () => {
    const world = openWorld();
    world.dispatcher.failing = true;
    const id = await submit(world);
    expect(world.dispatcher.dispatched).toEqual([]);
    world.dispatcher.failing = false;
    await world.clock.advance(60_000);
    await sweep(world);
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId: id }]);
  });
});

describe("after a restart", () => {
  it("queued jobs are dispatched in the order of submission, and a restart is no attempt", async () => {
    const world = openWorld();
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(await submit(world));
    await claimJob(world, ids[3]!, "gone");
    await claimJob(world, ids[4]!, "alive");
    world.dispatcher.alive.add("alive");
    world.dispatcher.dispatched.length = 0;
    const adopted: string[] = [];
    await recover(world, (job) => adopted.push(`${job.worker} ${job.id}`));
    expect(world.dispatcher.dispatched.map((request) => request.jobId)).toEqual(ids.filter((id) => id !== ids[4]));
    expect(adopted).toEqual([`alive ${ids[4]}`]);
    expect(await getJob(world, anyCaller, ids[3]!)).toMatchObject({ state: "queued", losses: [] });
  });
});

describe("listing", () => {
  it("gives the newest first, page by page, without gap or repeat", async () => {
    const world = openWorld();
    const ids: string[] = [];
    for (let i = 0; i < 25; i++) {
      ids.push(await submit(world));
      await world.clock.advance(1);
    }
    const seen: string[] = [];
    let before: string | undefined;
    do {
      const page = await listJobs(world, anyCaller, { limit: 7, before });
      seen.push(...page.jobs.map((job) => job.id));
      before = page.before;
    } while (before !== undefined);
    expect(seen).toEqual(ids.reverse());
  });
});
