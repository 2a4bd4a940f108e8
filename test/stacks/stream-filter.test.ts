// Which writes of a job's row start a function: real rows, as the rules of core write them, against the filter of the stream.
import { cancelJob, claimJob, deleteJob, type Row } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit, type World } from "../../packages/core/src/testing/world.ts";
import { toAttribute } from "../../packages/platform-aws/src/dynamo-items.ts";
import { ATTRIBUTE_PREFIX, SET_PREFIX } from "../../packages/platform-aws/src/dynamo-schema.ts";
import { STREAM_FILTERS } from "../../stacks/stream-filter.ts";
import { matches, type Pattern } from "../aws/event-pattern.ts";

/** The row as the stream shows it. */
function imageOf({ pk, sk, attributes, sets }: Row): Record<string, unknown> {
  return {
    pk: { S: pk },
    sk: { S: sk },
    ...Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [ATTRIBUTE_PREFIX + name, toAttribute(value)]),
    ),
    // A set without members is no attribute.
    ...Object.fromEntries(
      Object.entries(sets).flatMap(([name, set]) => (set.size > 0 ? [[SET_PREFIX + name, { SS: [...set] }]] : [])),
    ),
  };
}

/** Would a write that leaves the job's row as it is now start the function? */
async function starts(world: World, jobId: string): Promise<boolean> {
  const row = await world.table.get({ pk: `job#${jobId}`, sk: "job" });
  const { pk, sk, ...rest } = imageOf(row!);
  const record = { eventName: "MODIFY", dynamodb: { Keys: { pk, sk }, NewImage: { pk, sk, ...rest } } };
  return STREAM_FILTERS.some((filter) => matches(filter as Pattern, record));
}

/** What the function does for events: it tells them and takes them out of the row. */
async function tellAll(world: World, jobId: string): Promise<void> {
  const key = { pk: `job#${jobId}`, sk: "job" };
  const row = await world.table.get(key);
  await world.table.write(key, { removeFromSet: { outbox: [...(row!.sets["outbox"] ?? [])] } }, []);
}

describe("the stream starts the dispatch function", () => {
  it("for a job that was submitted, and no more for one that was dispatched and told of", async () => {
    const world = openWorld();
    const id = await submit(world);
    expect(await starts(world, id)).toBe(true);
    await tellAll(world, id);
    await world.table.write({ pk: `job#${id}`, sk: "job" }, { set: { dispatchAt: 1 } }, []);
    expect(await starts(world, id)).toBe(false);
  });

  it("for a job that was taken, and for no heartbeat and no line of its log", async () => {
    const world = openWorld();
    const id = await submit(world);
    await tellAll(world, id);
    const attempt = await claimJob(world, id, "worker-1");
    expect(await starts(world, id)).toBe(true);
    await tellAll(world, id);
    expect(await starts(world, id)).toBe(false);
    await world.table.write({ pk: `job#${id}`, sk: "job" }, { set: { leaseUntil: 9e12, logEnd: 100 } }, []);
    expect(await starts(world, id)).toBe(false);
    await attempt!.release();
    expect(await starts(world, id)).toBe(true);
  });

  it("for a job that ended, once", async () => {
    const world = openWorld();
    const id = await submit(world);
    const attempt = await claimJob(world, id, "worker-1");
    await attempt!.fail("no reason");
    expect(await starts(world, id)).toBe(true);
    await tellAll(world, id);
    expect(await starts(world, id)).toBe(false);
  });

  it("for a job that was cancelled or deleted under its worker", async () => {
    const world = openWorld();
    const [cancelled, deleted] = [await submit(world), await submit(world)];
    await claimJob(world, cancelled, "worker-1");
    await claimJob(world, deleted, "worker-2");
    await tellAll(world, cancelled);
    await cancelJob(world, anyCaller, cancelled);
    expect(await starts(world, cancelled)).toBe(true);
    await tellAll(world, deleted);
    await deleteJob(world, anyCaller, deleted);
    await tellAll(world, deleted);
    expect(await starts(world, deleted)).toBe(true);
  });

  it("for no row but a job's", () => {
    const record = {
      eventName: "MODIFY",
      dynamodb: { Keys: { pk: { S: "upload#1" }, sk: { S: "upload" } }, NewImage: { "a#state": { S: "queued" } } },
    };
    expect(STREAM_FILTERS.some((filter) => matches(filter as Pattern, record))).toBe(false);
  });
});
