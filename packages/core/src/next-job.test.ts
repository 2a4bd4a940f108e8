// Rules of a worker that looks for its next job.
import { describe, expect, it } from "vitest";
import { claimJob } from "./attempts.ts";
import { cancelJob, deleteJob, getJob, jobIdFor, submitJob } from "./jobs.ts";
import { claimNext, findQueued } from "./next-job.ts";
import { LOCAL_PLACEMENT } from "./placement.ts";
import type { Placement } from "./ports.ts";
import { sweep } from "./sweep.ts";
import { anyCaller, openWorld, type World } from "./testing/world.ts";

const capacity = { placement: "cpu", memoryBytes: 2e9, kinds: ["lp", "mip"] } as const;

interface Wishes {
  readonly tenant?: string;
  readonly kind?: "lp" | "train";
  readonly memoryBytes?: number;
  readonly placement?: Placement;
}

/** One job a millisecond. */
async function submit(world: World, wishes: Wishes = {}): Promise<string> {
  await world.clock.advance(1);
  const { tenant = "local", kind = "lp", memoryBytes = 1e6, placement = "cpu" } = wishes;
  const context = { ...world, placement: { ...LOCAL_PLACEMENT, available: [placement] } };
  const job = { needs: { kind, memoryBytes, elements: 1, usesGpu: placement === "gpu" }, work: {} };
  const id = jobIdFor(world, { tenant }, {});
  const storeInput = async () => ({ kind: "stored", arrays: [] }) as const;
  return (await submitJob(context, { tenant }, id, job, storeInput, 0)).jobId;
}

const waiting = async (world: World) => (await findQueued(world, capacity)).map(({ id }) => id);

describe("a worker that looks for its next job", () => {
  it("takes the one that was submitted first, whosever it is", async () => {
    const world = openWorld();
    const ids = [
      await submit(world, { tenant: "a" }),
      await submit(world, { tenant: "b" }),
      await submit(world, { tenant: "a" }),
    ];
    for (const id of ids) {
      expect((await claimNext(world, "w", capacity))?.job).toMatchObject({ id, state: "processing", worker: "w" });
    }
    expect(await claimNext(world, "w", capacity)).toBeUndefined();
  });

  it("goes by submission also after the sweep has looked at some of them", async () => {
    const world = openWorld();
    const first = await submit(world);
    await sweep(world);
    const second = await submit(world);
    expect(await waiting(world)).toEqual([first, second]);
  });

  it("leaves jobs that are too large for it, of other placements, and of kinds that it cannot run", async () => {
    const world = openWorld();
    await submit(world, { memoryBytes: 3e9 });
    await submit(world, { placement: "gpu" });
    await submit(world, { kind: "train" });
    const small = await submit(world, { memoryBytes: 2e9 });
    expect((await claimNext(world, "w", capacity))?.job.id).toBe(small);
  });

  it("passes over a job that another worker was quicker to take", async () => {
    const world = openWorld();
    const [first, second] = [await submit(world), await submit(world)];
    // An index that lags still shows the first.
    const before = await Promise.all(
      ["due#cpu#0", "due#cpu#1", "due#cpu#2", "due#cpu#3"].map(
        async (pk) => [pk, await world.table.queryIndex("due", pk, {})] as const,
      ),
    );
    await claimJob(world, first, "other");
    world.table.queryIndex = async (_index, pk) => new Map(before).get(pk)!;
    expect((await claimNext(world, "w", capacity))?.job.id).toBe(second);
  });

  it("finds no job that is running, cancelled, deleted or finished", async () => {
    const world = openWorld();
    await claimJob(world, await submit(world), "other");
    await cancelJob(world, anyCaller, await submit(world));
    await deleteJob(world, anyCaller, await submit(world));
    const done = await claimJob(world, await submit(world), "other");
    await done?.complete({ message: "", arrays: [] }, {});
    await sweep(world);
    expect(await waiting(world)).toEqual([]);
  });

  it("finds a job again that a worker gave back, or that a worker was lost with", async () => {
    const world = openWorld();
    const [first, second] = [await submit(world), await submit(world)];
    const attempt = await claimJob(world, first, "w1");
    await attempt?.release();
    await claimJob(world, second, "w2");
    await world.clock.advance(world.limits.leaseMs + 1);
    await sweep(world);
    expect(await waiting(world)).toEqual([first, second]);
    expect(await getJob(world, anyCaller, second)).toMatchObject({ state: "queued" });
  });

  it("stops looking when it is told to", async () => {
    const world = openWorld();
    await submit(world);
    const signal = AbortSignal.abort(new Error("told to"));
    await expect(claimNext(world, "w", capacity, { signal })).rejects.toThrow("told to");
  });
});
