// Rules of the function that hears how Batch's jobs ended.
import { claimJob, deferredDispatcher, getJob } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit, type World } from "../../packages/core/src/testing/world.ts";
import { createBatchEventFunction } from "./batch-event-function.ts";
import { createLog } from "./log.ts";

interface End {
  readonly status?: string;
  readonly statusReason?: string;
  readonly exitCode?: number;
  readonly reason?: string;
}

const event = (batchId: string, jobId: string, attempt: number, end: End = {}) => ({
  "detail-type": "Batch Job State Change",
  detail: {
    jobId: batchId,
    jobName: `sortie-${jobId}-${attempt}`,
    status: end.status ?? "FAILED",
    statusReason: end.statusReason ?? "Essential container in task exited",
    container: { exitCode: end.exitCode, reason: end.reason },
  },
});

function setUp() {
  const world = openWorld();
  world.dispatcher.attemptEndsWith = "lease";
  return { world, hear: createBatchEventFunction({ context: world, log: createLog(() => {}) }) };
}

const jobOf = async (world: World, id: string) => getJob(world, anyCaller, id);
const outOfMemory = { exitCode: 137, reason: "OutOfMemoryError: Container killed due to memory usage" };

describe("a Batch job that failed", () => {
  it("while it held its job is a loss: the job is attempted again at once", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    await claimJob(world, id, "batch:b1");
    await hear(event("b1", id, 1, { exitCode: 137 }));
    expect(await jobOf(world, id)).toMatchObject({
      state: "queued",
      losses: ["the worker was ended by SIGKILL (Essential container in task exited)"],
    });
    expect(world.dispatcher.dispatched.at(-1)).toMatchObject({ jobId: id, attempt: 2 });
  });

  it("is counted once, though the event comes twice", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    await claimJob(world, id, "batch:b1");
    for (let count = 0; count < 3; count++) await hear(event("b1", id, 1, { exitCode: 1 }));
    expect((await jobOf(world, id))?.losses).toHaveLength(1);
  });

  it("twice for want of memory fails the job with the container's reason", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    for (const attempt of [1, 2]) {
      await claimJob(world, id, `batch:b${attempt}`);
      await hear(event(`b${attempt}`, id, attempt, outOfMemory));
    }
    expect(await jobOf(world, id)).toMatchObject({
      state: "failed",
      failure: expect.stringContaining("OutOfMemoryError: Container killed due to memory usage"),
    });
  });

  it("with its machine, twice, is nothing that the model did", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    for (const attempt of [1, 2]) {
      await claimJob(world, id, `batch:b${attempt}`);
      await hear(event(`b${attempt}`, id, attempt, { statusReason: "Host EC2 (instance i-1) terminated." }));
    }
    expect(await jobOf(world, id)).toMatchObject({ state: "queued", attempt: 2 });
  });

  it("while it held a job that it took later is that job's loss", async () => {
    const { world, hear } = setUp();
    const [first, later, other] = [await submit(world), await submit(world), await submit(world)];
    const attempt = await claimJob(world, first, "batch:b1");
    await attempt?.complete({ message: "", arrays: [] }, {});
    await claimJob(world, other, "batch:b2");
    await claimJob(world, later, "batch:b1");
    await hear(event("b1", first, 1, outOfMemory));
    expect(await jobOf(world, first)).toMatchObject({ state: "completed", losses: [] });
    expect(await jobOf(world, other)).toMatchObject({ state: "processing", losses: [] });
    expect(await jobOf(world, later)).toMatchObject({
      state: "queued",
      losses: [expect.stringContaining("OutOfMemoryError")],
    });
  });

  it("before it took its job is made up for a while later", async () => {
    const { world, hear } = setUp();
    const id = await submit({ ...world, dispatcher: deferredDispatcher } as unknown as World);
    await hear(event("b1", id, 1, { reason: "CannotPullContainerError: no such image" }));
    expect(await jobOf(world, id)).toMatchObject({ state: "queued", losses: [], failedStarts: new Set(["batch:b1"]) });
    expect(world.dispatcher.dispatched).toEqual([]);
  });

  it("does not touch a job that another worker has", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    await claimJob(world, id, "batch:other");
    await hear(event("b1", id, 1, { exitCode: 1 }));
    expect(await jobOf(world, id)).toMatchObject({ state: "processing", worker: "batch:other" });
  });
});

describe("a Batch job that succeeded", () => {
  it("and still holds its job has lost it", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    await claimJob(world, id, "batch:b1");
    await hear(event("b1", id, 1, { status: "SUCCEEDED", exitCode: 0 }));
    expect(await jobOf(world, id)).toMatchObject({
      state: "queued",
      losses: ["the worker ended without ending the job"],
    });
  });

  it("and ended its job, or found it gone, changes nothing", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "batch:b1");
    await attempt?.complete({ message: "", arrays: [] }, {});
    await hear(event("b1", id, 1, { status: "SUCCEEDED", exitCode: 0 }));
    await hear(event("b2", id, 1, { status: "SUCCEEDED", exitCode: 0 }));
    await hear(event("b3", "gone", 1, { status: "SUCCEEDED", exitCode: 0 }));
    expect(await jobOf(world, id)).toMatchObject({ state: "completed", losses: [] });
  });
});

describe("an event", () => {
  it("about somebody else's job, or one that has not ended, is passed over", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    await claimJob(world, id, "batch:b1");
    await hear({
      "detail-type": "Batch Job State Change",
      detail: { jobId: "b1", jobName: "nightly", status: "FAILED" },
    });
    await hear(event("b1", id, 1, { status: "RUNNING" }));
    await hear({ "detail-type": "Batch Job State Change", detail: {} });
    expect(await jobOf(world, id)).toMatchObject({ state: "processing" });
  });

  it("is delivered again when the table failed", async () => {
    const { world, hear } = setUp();
    const id = await submit(world);
    world.table.get = () => Promise.reject(new Error("throttled"));
    await expect(hear(event("b1", id, 1))).rejects.toThrow("throttled");
  });
});
