// Rules of the sweep on a schedule.
import { deferredDispatcher } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { openWorld, submit, type World } from "../../packages/core/src/testing/world.ts";
import { createLog } from "./log.ts";
import { createSweepFunction } from "./sweep-function.ts";

const invocation = (remainingMs = 60_000) => ({ getRemainingTimeInMillis: () => remainingMs });

function setUp() {
  const world = openWorld();
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  return { world, lines, sweep: createSweepFunction({ context: world, settings: { table: "sortie" }, log }) };
}

describe("the sweep function", () => {
  it("dispatches what the stream has lost", async () => {
    const { world, sweep } = setUp();
    const id = await submit({ ...world, dispatcher: deferredDispatcher } as unknown as World);
    await sweep({}, invocation());
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId: id }]);
  });

  it("tells how many jobs wait and for how long, in the form that CloudWatch makes metrics of", async () => {
    const { world, lines, sweep } = setUp();
    await submit(world);
    await world.clock.advance(30_000);
    await submit(world);
    await sweep({}, invocation());
    const [line] = lines.map((each) => JSON.parse(each));
    expect(line).toMatchObject({
      msg: "swept",
      attended: 2,
      Table: "sortie",
      QueuedJobs: 2,
      OldestQueuedSeconds: 30,
      _aws: { CloudWatchMetrics: [{ Namespace: "Sortie", Dimensions: [["Table"]] }] },
    });
  });

  it("stops when its time is over and leaves the rest to the next", async () => {
    const { world, lines, sweep } = setUp();
    await submit(world);
    const { queryIndex } = world.table;
    world.table.queryIndex = async (...args) => {
      const { signal } = args[3] ?? {};
      if (signal) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      return queryIndex.apply(world.table, args);
    };
    await sweep({}, invocation(5_010));
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
      "the sweep ran out of time; the next one goes on",
      "swept",
    ]);
  });

  it("fails when the table fails, so that an alarm sounds", async () => {
    const { world, sweep } = setUp();
    world.table.queryIndex = () => Promise.reject(new Error("throttled"));
    await expect(sweep({}, invocation())).rejects.toThrow("throttled");
  });
});
