// Rules of the function that the table's stream wakes.
import { cancelJob, deferredDispatcher } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit as submitIn, type World } from "../../packages/core/src/testing/world.ts";
import { createDispatchFunction } from "./dispatch-function.ts";

const submit = (world: World) => submitIn({ ...world, dispatcher: deferredDispatcher } as unknown as World);

const record = (jobId: string, number: number, sk = "job") => ({
  dynamodb: { Keys: { pk: { S: `job#${jobId}` }, sk: { S: sk } }, SequenceNumber: String(number) },
});

describe("the dispatch function", () => {
  it("dispatches each job once, however many of its records come, and in whatever order", async () => {
    const world = openWorld();
    const dispatch = createDispatchFunction(world);
    const [a, b] = [await submit(world), await submit(world)];
    const records = [record(b, 4), record(a, 1), record(a, 2), record(b, 3)];
    expect(await dispatch({ Records: records })).toEqual({ batchItemFailures: [] });
    await dispatch({ Records: [...records].reverse() });
    expect(world.dispatcher.dispatched.map(({ jobId }) => jobId).sort()).toEqual([a, b].sort());
  });

  it("goes by the row, not by what the record says: a job that is cancelled by then is stopped, not started", async () => {
    const world = openWorld();
    const id = await submit(world);
    await cancelJob({ ...world, dispatcher: deferredDispatcher }, anyCaller, id);
    await createDispatchFunction(world)({ Records: [record(id, 1)] });
    expect(world.dispatcher).toMatchObject({ dispatched: [], stopped: [id] });
  });

  it("has no use for rows that are no jobs, jobs that are gone, and records without keys", async () => {
    const world = openWorld();
    const id = await submit(world);
    const records = [record(id, 1, "log#0#1"), record("gone", 2), { dynamodb: {} }, {}];
    expect(await createDispatchFunction(world)({ Records: records })).toEqual({ batchItemFailures: [] });
    expect(world.dispatcher.dispatched).toEqual([]);
  });

  it("asks for the records of a job again whose row could not be read, from its first one on", async () => {
    const world = openWorld();
    const [broken, fine] = [await submit(world), await submit(world)];
    const { get } = world.table;
    world.table.get = (key, options) =>
      key.pk === `job#${broken}` ? Promise.reject(new Error("throttled")) : get.call(world.table, key, options);
    const answer = await createDispatchFunction(world)({
      Records: [record(fine, 1), record(broken, 2), record(broken, 3)],
    });
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: "2" }] });
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId: fine }]);
    expect(world.faults).toEqual([`attending to job ${broken}`]);
  });

  it("does not hold the stream up for a worker that cannot be started: the row says when to try again", async () => {
    const world = openWorld();
    const id = await submit(world);
    world.dispatcher.failing = true;
    world.events.failing = true;
    expect(await createDispatchFunction(world)({ Records: [record(id, 1)] })).toEqual({ batchItemFailures: [] });
    expect(world.faults).toHaveLength(2);
  });
});
