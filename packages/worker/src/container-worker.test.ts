// Rules of a container worker: what it takes, how long it looks for more, and how it leaves.
import { type Attempt, cancelJob, deleteJob, getJob, type WorkerContext } from "@sortie/core";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit, type World } from "../../core/src/testing/world.ts";
import { runContainer } from "./container-worker.ts";
import type { JobRunner } from "./run-job.ts";

const LINGER_MS = 60_000;

const completes: JobRunner = (attempt) => attempt.complete({ message: "", arrays: [] }, {});

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

interface Container {
  /** Jobs claimed, in order. */
  readonly claimed: string[];
  readonly faults: string[];
  readonly leave: AbortController;
  readonly done: Promise<number>;
}

function start(
  world: World,
  jobId: string,
  run: JobRunner = completes,
  { memoryBytes = 1e9, context = world as WorkerContext } = {},
): Container {
  const leave = new AbortController();
  const claimed: string[] = [];
  const faults: string[] = [];
  const task = { worker: "batch:1", jobId, placement: "cpu", memoryBytes, lingerMs: LINGER_MS } as const;
  const runners = { byKind: { mip: run }, kinds: ["mip"], [Symbol.asyncDispose]: async () => {} } as const;
  const done = runContainer(context, task, runners, {
    signal: leave.signal,
    onClaimed: (job) => claimed.push(job.id),
    onFault: (what) => faults.push(what),
  });
  return { claimed, faults, leave, done };
}

const stateOf = async (world: World, id: string) => (await getJob(world, anyCaller, id))?.state;

/** Lets the worker's pauses pass until it has ended. */
async function passUntilEnd(world: World, { done }: Container): Promise<number> {
  let ended = false;
  const watched = done.finally(() => {
    ended = true;
  });
  watched.catch(() => undefined);
  while (!ended) await world.clock.advance(1_000);
  return watched;
}

describe("a container worker", () => {
  it("runs the job that it was started for, and ends when no other turns up", async () => {
    const world = openWorld();
    const id = await submit(world);
    const container = start(world, id);
    const before = world.clock.now();
    expect(await passUntilEnd(world, container)).toBe(1);
    expect(world.clock.now() - before).toBeGreaterThanOrEqual(LINGER_MS);
    expect(await getJob(world, anyCaller, id)).toMatchObject({ state: "completed", worker: undefined });
  });

  it("takes further jobs of its placement, the oldest first", async () => {
    const world = openWorld();
    const ids = [await submit(world), await submit(world), await submit(world)];
    // Started for one that is not the oldest.
    const container = start(world, ids[1]!);
    await passUntilEnd(world, container);
    expect(container.claimed).toEqual([ids[1], ids[0], ids[2]]);
  });

  it("takes a job that comes while it lingers", async () => {
    const world = openWorld();
    const first = await submit(world);
    const container = start(world, first);
    await expect.poll(() => stateOf(world, first)).toBe("completed");
    await world.clock.advance(LINGER_MS / 2);
    const second = await submit(world);
    await passUntilEnd(world, container);
    expect(container.claimed).toEqual([first, second]);
    expect(await stateOf(world, second)).toBe("completed");
  });

  it("leaves a job that needs more memory than it has", async () => {
    const world = openWorld();
    const large = await submit(world);
    const container = start(world, "unknown", completes, { memoryBytes: 1e5 });
    expect(await container.done).toBe(0);
    expect(await stateOf(world, large)).toBe("queued");
  });

  it("has what its own job asked for, even if the system says less", async () => {
    const world = openWorld();
    const ids = [await submit(world), await submit(world)];
    const container = start(world, ids[0]!, completes, { memoryBytes: 1e5 });
    expect(await passUntilEnd(world, container)).toBe(2);
  });

  it.each(["cancelled", "deleted", "taken"])("ends at once if its job is %s and no other waits", async (how) => {
    const world = openWorld();
    const id = await submit(world);
    if (how === "cancelled") await cancelJob(world, anyCaller, id);
    else if (how === "deleted") await deleteJob(world, anyCaller, id);
    else await world.table.write({ pk: `job#${id}`, sk: "job" }, { set: { state: "processing", worker: "w" } }, []);
    // The clock stands still: it did not wait.
    expect(await start(world, id).done).toBe(0);
  });

  it("runs another job that waits if its own is gone", async () => {
    const world = openWorld();
    const other = await submit(world);
    const container = start(world, "unknown");
    expect(await passUntilEnd(world, container)).toBe(1);
    expect(container.claimed).toEqual([other]);
  });

  it("gives its job back when it must leave, and no attempt is held against the job", async () => {
    const world = openWorld();
    const id = await submit(world);
    const started = Promise.withResolvers<void>();
    const container = start(world, id, (_, signal) => {
      started.resolve();
      return untilAborted(signal);
    });
    await started.promise;
    container.leave.abort();
    expect(await container.done).toBe(1);
    expect(await getJob(world, anyCaller, id)).toMatchObject({ state: "queued", worker: undefined, losses: [] });
  });

  it("takes nothing more once it must leave", async () => {
    const world = openWorld();
    const first = await submit(world);
    const container = start(world, first);
    await expect.poll(() => stateOf(world, first)).toBe("completed");
    container.leave.abort();
    expect(await container.done).toBe(1);
    const second = await submit(world);
    expect(await stateOf(world, second)).toBe("queued");
  });

  it("takes nothing at all if it must leave before it has begun", async () => {
    const world = openWorld();
    const id = await submit(world);
    const leave = AbortSignal.abort();
    const task = { worker: "w", jobId: id, placement: "cpu", memoryBytes: 1e9, lingerMs: 0 } as const;
    const runners = { byKind: { mip: completes }, kinds: ["mip"], [Symbol.asyncDispose]: async () => {} } as const;
    expect(await runContainer(world, task, runners, { signal: leave, onFault: () => undefined })).toBe(0);
    expect(await stateOf(world, id)).toBe("queued");
  });

  it("goes on looking when a look fails", async () => {
    const world = openWorld();
    const first = await submit(world);
    const queryIndex = world.table.queryIndex.bind(world.table);
    world.table.queryIndex = async () => {
      world.table.queryIndex = queryIndex;
      throw new Error("throttled");
    };
    const second = await submit(world);
    const container = start(world, first);
    await passUntilEnd(world, container);
    expect(container.claimed).toEqual([first, second]);
    expect(container.faults).toEqual(["looking for a further job"]);
  });

  it("fails a job that outlasts the time it was given, instead of letting it be killed again and again", async () => {
    const world = openWorld();
    const id = await submit(world);
    await world.table.write({ pk: `job#${id}`, sk: "job" }, { set: { timeoutSeconds: 60 } }, []);
    const container = start(world, id, (_, signal) => untilAborted(signal));
    await expect.poll(() => stateOf(world, id)).toBe("processing");
    await world.clock.advance(60_000);
    await expect.poll(() => stateOf(world, id)).toBe("failed");
    const reason = "The job did not end within the 60 s that it was given";
    expect((await getJob(world, anyCaller, id))?.failure).toBe(reason);
    container.leave.abort();
    await container.done;
  });

  it("says so when a job cannot be ended, and takes no other", async () => {
    const world = openWorld();
    const [first, second] = [await submit(world), await submit(world)];
    const broken = async (attempt: Attempt) => {
      world.table.write = async () => {
        throw new Error("the table is gone");
      };
      await attempt.complete({ message: "", arrays: [] }, {});
    };
    const container = start(world, first, broken);
    await expect(passUntilEnd(world, container)).rejects.toThrow("the table is gone");
    expect(await stateOf(world, second)).toBe("queued");
  });
});
