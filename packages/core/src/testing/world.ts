// Everything that the rules need, in memory: for tests of this package.
import type { Caller, Context, Limits } from "../context.ts";
import { DEFAULT_LIMITS } from "../context.ts";
import type { JobInput } from "../job.ts";
import { jobIdFor, type NewJob, submitJob } from "../jobs.ts";
import { LOCAL_PLACEMENT } from "../placement.ts";
import type { Dispatcher, DispatchRequest, Events, Ids, JobEvent } from "../ports.ts";
import { ManualClock } from "./manual-clock.ts";
import { MemoryBlobs } from "./memory-blobs.ts";
import { MemoryTable } from "./memory-table.ts";

/** Remembers what it was asked for. */
export class RecordingDispatcher implements Dispatcher {
  readonly dispatched: DispatchRequest[] = [];
  readonly stopped: string[] = [];
  readonly alive = new Set<string>();
  failing = false;
  attemptEndsWith: Dispatcher["attemptEndsWith"] = "lease-and-worker";

  async dispatch(request: DispatchRequest): Promise<void> {
    if (this.failing) throw new Error("no dispatch today");
    this.dispatched.push(request);
  }
  async stop(jobId: string): Promise<void> {
    this.stopped.push(jobId);
  }
  waiting(): undefined {
    return undefined;
  }
  async isAlive(worker: string): Promise<"alive" | "gone"> {
    return this.alive.has(worker) ? "alive" : "gone";
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

export class RecordingEvents implements Events {
  readonly published: JobEvent[] = [];
  failing = false;

  async publish(event: JobEvent): Promise<void> {
    if (this.failing) throw new Error("nobody listens");
    this.published.push(event);
  }
}

/** Ids that count, so that a failing test names them the same way each time. */
function countingIds(): Ids {
  let count = 0;
  return {
    random: () => `id-${String(++count).padStart(4, "0")}`,
    derived: (text) => `derived-${Buffer.from(text).toString("hex")}`,
  };
}

export interface World extends Context {
  readonly table: MemoryTable;
  readonly blobs: MemoryBlobs;
  readonly clock: ManualClock;
  readonly dispatcher: RecordingDispatcher;
  readonly events: RecordingEvents;
  readonly faults: string[];
}

export const anyCaller: Caller = { tenant: "local" };

export function openWorld(limits: Partial<Limits> = {}): World {
  const faults: string[] = [];
  return {
    table: new MemoryTable(),
    blobs: new MemoryBlobs(),
    clock: new ManualClock(),
    ids: countingIds(),
    dispatcher: new RecordingDispatcher(),
    events: new RecordingEvents(),
    placement: LOCAL_PLACEMENT,
    limits: { ...DEFAULT_LIMITS, ...limits },
    onFault: (what) => faults.push(what),
    faults,
  };
}

/** Submits a small job. */
export async function submit(
  world: World,
  options: {
    idempotency?: NewJob["idempotency"];
    webhook?: string;
    inboxFile?: string;
    storeInput?: () => Promise<JobInput>;
  } = {},
): Promise<string> {
  const job: NewJob = {
    needs: { kind: "mip", memoryBytes: 1e6, elements: 1, usesGpu: false },
    work: { rows: 1 },
    idempotency: options.idempotency,
    webhook: options.webhook,
    inboxFile: options.inboxFile,
  };
  const id = jobIdFor(world, anyCaller, job);
  const storeInput =
    options.storeInput ??
    (async () => {
      const blob = await world.blobs.put(`jobs/${id}/input`, [new Uint8Array(8)]);
      return { kind: "stored", arrays: [{ name: "c", elementBytes: 8, count: 1, blob, byteOffset: 0 }] } as const;
    });
  return (await submitJob(world, anyCaller, id, job, storeInput, world.clock.now())).jobId;
}
