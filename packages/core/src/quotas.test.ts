// Quotas over bytes and worker time, on tables in memory and a clock that tests move.
import { describe, expect, it } from "vitest";
import {
  cancelJob,
  claimJob,
  deleteJob,
  finishUpload,
  loseAttempt,
  type NewJob,
  putChunk,
  startUpload,
  storedBytes,
  sweep,
  workerSecondsToday,
} from "./index.ts";
import { anyCaller, openWorld, submit, type World } from "./testing/world.ts";

const stranger = { tenant: "other" };
const quota = (text: RegExp) =>
  expect.objectContaining({ reason: "quota-exceeded", message: expect.stringMatching(text) });
const JOB: NewJob = { needs: { kind: "lp", memoryBytes: 1e6, elements: 1, usesGpu: false }, work: {} };

/** Sends `count` of `total` elements of 8 bytes. */
const put = (world: World, uploadId: string, array: string, total: number, offset = 0, count = 1) =>
  putChunk(
    world,
    anyCaller,
    uploadId,
    { array, elementBytes: 8, elementOffset: offset, totalElements: total, data: new Uint8Array(8 * count) },
    () => null,
  );

/** Claims the job, lets `seconds` go by and completes it with one element of result. */
async function work(world: World, jobId: string, seconds: number): Promise<void> {
  const attempt = await claimJob(world, jobId, "w1");
  await world.clock.advance(seconds * 1000);
  await attempt?.complete({ message: "", arrays: [{ name: "0", data: Float64Array.of(1) }] }, {});
}

describe("stored bytes", () => {
  it("are what the rows say: uploads as declared, inputs, results; another tenant's do not count", async () => {
    const world = openWorld({ storedBytes: 1000 });
    const used = async () => (await storedBytes(world, "local")).bytes;
    expect(await used()).toBe(0);
    const uploadId = await startUpload(world, anyCaller, {});
    await put(world, uploadId, "c", 4);
    await put(world, uploadId, "c", 4, 1, 3);
    await put(world, uploadId, "c", 4);
    expect(await used()).toBe(32);
    const jobId = await finishUpload(world, anyCaller, uploadId, () => JOB);
    expect(await used()).toBe(32);
    await submit(world);
    expect(await used()).toBe(40);
    await work(world, jobId, 1);
    expect(await used()).toBe(48);
    expect(await used()).toBe(48);
    expect((await storedBytes(world, "other")).bytes).toBe(0);
    await deleteJob(world, anyCaller, jobId);
    expect(await used()).toBe(8);
  });

  it("refuse the first chunk of an array that does not fit, with limit and use, and the upload goes on", async () => {
    const world = openWorld({ storedBytes: 100 });
    const uploadId = await startUpload(world, anyCaller, {});
    await put(world, uploadId, "c", 10);
    await expect(put(world, uploadId, "b", 3)).rejects.toEqual(quota(/80 of 100 bytes are used, and 24 more/));
    await put(world, uploadId, "b", 2);
    await put(world, uploadId, "c", 10, 1, 9);
    await put(world, uploadId, "b", 2, 1);
    await finishUpload(world, anyCaller, uploadId, () => JOB);
  });

  it("let no two arrays in together that fit only one by one, and count an array in parallel chunks once", async () => {
    const world = openWorld({ storedBytes: 100 });
    const [a, b] = [await startUpload(world, anyCaller, {}), await startUpload(world, anyCaller, {})];
    const results = await Promise.allSettled([
      put(world, a, "c", 10),
      put(world, a, "c", 10, 1),
      put(world, b, "c", 10),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
  });

  it("refuse uploads and jobs once they are exceeded, say when some are freed, and free them by deletion", async () => {
    const world = openWorld({ storedBytes: 15, jobTtlMs: 3_600_000 });
    const first = await submit(world);
    await work(world, first, 1);
    await expect(startUpload(world, anyCaller, {})).rejects.toEqual(quota(/expires at 2026-01-01T01:00:01/));
    await expect(submit(world)).rejects.toEqual(quota(/16 of 15 bytes are used; .*2026-01-01T01:00:01/));
    await startUpload(world, stranger, {});
    await deleteJob(world, anyCaller, first);
    await submit(world);
  });

  it("are not looked at without a limit", async () => {
    const world = openWorld();
    const uploadId = await startUpload(world, anyCaller, {});
    await put(world, uploadId, "c", 1e8);
  });
});

describe("worker-seconds", () => {
  it("count each finished attempt once, however often the sweep comes by", async () => {
    const world = openWorld({ workerSecondsPerDay: 100 });
    const [first, second] = [await submit(world), await submit(world)];
    await work(world, first, 3);
    await claimJob(world, second, "w1");
    await world.clock.advance(2000);
    await cancelJob(world, anyCaller, second);
    for (let round = 0; round < 3; round++) await sweep(world);
    await deleteJob(world, anyCaller, first);
    await sweep(world);
    expect(await workerSecondsToday(world, "local")).toBe(5);
    expect(await workerSecondsToday(world, "other")).toBe(0);
  });

  it("leave out attempts whose worker was lost, and jobs that never ran", async () => {
    const world = openWorld({ workerSecondsPerDay: 100, maxAttempts: 1 });
    const [lost, never] = [await submit(world), await submit(world)];
    await claimJob(world, lost, "w1");
    await world.clock.advance(5000);
    await loseAttempt(world, lost, { attempt: 1, how: "gone" });
    await cancelJob(world, anyCaller, never);
    await sweep(world);
    expect(await workerSecondsToday(world, "local")).toBe(0);
  });

  it("refuse new jobs once they are used up, and start again at midnight UTC", async () => {
    const world = openWorld({ workerSecondsPerDay: 10 });
    await work(world, await submit(world), 10);
    await sweep(world);
    await expect(submit(world)).rejects.toEqual(quota(/10 of 10 seconds are used; it resets at 2026-01-02T00:00:00/));
    await world.clock.advance(24 * 3_600_000 - 10_001);
    await expect(submit(world)).rejects.toEqual(quota(/worker-seconds/));
    await world.clock.advance(1);
    await submit(world);
  });

  it("are forgotten a day after their day", async () => {
    const world = openWorld({ workerSecondsPerDay: 10 });
    await work(world, await submit(world), 1);
    await sweep(world);
    const rows = async () => (await world.table.query("usage#local#2026-01-01", {})).rows.length;
    expect(await rows()).toBe(1);
    await world.clock.advance(47 * 3_600_000);
    await sweep(world);
    expect(await rows()).toBe(1);
    await world.clock.advance(3_600_000);
    await sweep(world);
    await sweep(world);
    expect(await rows()).toBe(0);
  });
});
