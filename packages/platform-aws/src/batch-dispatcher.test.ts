// What the dispatcher asks of Batch and of the function, and of whom.
import type { DispatchRequest } from "@sortie/core";
import { describe, expect, it } from "vitest";
import {
  type BatchApi,
  BatchDispatcher,
  type BatchDispatcherOptions,
  type BatchJob,
  type BatchSubmission,
} from "./batch-dispatcher.ts";

const request: DispatchRequest = {
  jobId: "j1",
  tenant: "acme & sons",
  placement: "cpu",
  memoryBytes: 3 * 2 ** 30,
  attempt: 2,
};

function world(known: readonly BatchJob[] = [], more: Partial<BatchDispatcherOptions> = {}) {
  const submitted: BatchSubmission[] = [];
  const terminated: string[] = [];
  const invoked: [string, string][] = [];
  const batch: BatchApi = {
    submit: async (submission) => {
      submitted.push(submission);
      return "b1";
    },
    terminate: async (id) => void terminated.push(id),
    describe: async (id) => known.find((job) => job.id === id),
    named: async (queue, prefix) => (queue === "cpu-queue" ? known : []).filter((job) => job.name.startsWith(prefix)),
  };
  const dispatcher = new BatchDispatcher({
    batch,
    functions: { invoke: async (name, payload) => void invoked.push([name, payload]) },
    placements: {
      inline: "solve",
      cpu: { queue: "cpu-queue", definition: "cpu-worker", fairShare: true },
      gpu: { queue: "gpu-queue", definition: "gpu-worker", machine: { vcpus: 8, memoryMiB: 30_000 } },
    },
    ...more,
  });
  return { dispatcher, submitted, terminated, invoked };
}

describe("the Batch dispatcher", () => {
  it("submits a job with its size, its share, and what its worker has to know", async () => {
    const { dispatcher, submitted } = world();
    await dispatcher.dispatch(request);
    expect(submitted).toEqual([
      {
        name: "sortie-j1-2",
        queue: "cpu-queue",
        definition: "cpu-worker",
        size: { vcpus: 1, memoryMiB: 3072 },
        environment: { SORTIE_JOB_ID: "j1", SORTIE_ATTEMPT: "2", SORTIE_PLACEMENT: "cpu" },
        shareIdentifier: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
  });

  it("gives a GPU job the machine's processors", async () => {
    const { dispatcher, submitted } = world();
    await dispatcher.dispatch({ ...request, placement: "gpu" });
    expect(submitted).toMatchObject([
      { queue: "gpu-queue", size: { vcpus: 8, memoryMiB: 3072 }, shareIdentifier: undefined },
    ]);
  });

  it("calls the function for a small job", async () => {
    const { dispatcher, submitted, invoked } = world();
    await dispatcher.dispatch({ ...request, placement: "inline" });
    expect(invoked).toEqual([["solve", '{"jobId":"j1","attempt":2}']]);
    expect(submitted).toEqual([]);
  });

  it("submits nothing while Batch has a job for this attempt, and again once that has ended", async () => {
    const running = world([{ id: "b0", name: "sortie-j1-2", status: "STARTING" }]);
    await running.dispatcher.dispatch(request);
    expect(running.submitted).toEqual([]);
    const others = world([
      { id: "b0", name: "sortie-j1-2", status: "FAILED" },
      { id: "b1", name: "sortie-j1-20", status: "RUNNING" },
    ]);
    await others.dispatcher.dispatch(request);
    expect(others.submitted).toHaveLength(1);
  });

  it("a placement that was not set up is named", async () => {
    const { dispatcher } = world([], { placements: { cpu: { queue: "q", definition: "d" } } });
    for (const placement of ["gpu", "inline"] as const) {
      await expect(dispatcher.dispatch({ ...request, placement })).rejects.toMatchObject({
        reason: "feature-unsupported",
        message: expect.stringContaining(`no placement ${placement}`),
      });
    }
  });

  it("a refused submission can be dispatched again", async () => {
    let refused = 1;
    const { dispatcher, submitted } = world();
    const options = { signal: new AbortController().signal };
    const failing = new BatchDispatcher({
      batch: {
        submit: async (submission) => {
          if (refused-- > 0) throw Object.assign(new Error("secret"), { name: "TooManyRequestsException" });
          submitted.push(submission);
          return "b1";
        },
        terminate: async () => {},
        describe: async () => undefined,
        named: async () => [],
      },
      placements: { cpu: { queue: "q", definition: "d" } },
    });
    await expect(failing.dispatch(request, options)).rejects.toMatchObject({ reason: "unavailable" });
    await failing.dispatch(request, options);
    expect(submitted).toHaveLength(1);
    await dispatcher[Symbol.asyncDispose]();
  });

  it("stops what waits, and of the running workers only the one that holds the job", async () => {
    const known: BatchJob[] = [
      { id: "waits", name: "sortie-j1-2", status: "RUNNABLE" },
      { id: "lingers", name: "sortie-j1-1", status: "RUNNING" },
      { id: "holds", name: "sortie-other-1", status: "RUNNING" },
      { id: "ended", name: "sortie-j1-0", status: "FAILED" },
    ];
    const { dispatcher, terminated } = world(known, { holderOf: async () => "batch:holds" });
    await dispatcher.stop("j1", 1000);
    expect(terminated.sort()).toEqual(["holds", "waits"]);
  });

  it("without knowing the holder it stops every worker that was started for the job", async () => {
    const known: BatchJob[] = [
      { id: "waits", name: "sortie-j1-2", status: "RUNNABLE" },
      { id: "runs", name: "sortie-j1-1", status: "RUNNING" },
      { id: "other", name: "sortie-j2-1", status: "RUNNING" },
    ];
    const { dispatcher, terminated } = world(known);
    await dispatcher.stop("j1", 1000);
    expect(terminated.sort()).toEqual(["runs", "waits"]);
  });

  it("tells the living from the dead, and leaves the rest to the lease", async () => {
    const known: BatchJob[] = [
      { id: "a", name: "x", status: "RUNNING" },
      { id: "b", name: "x", status: "SUCCEEDED" },
    ];
    const { dispatcher } = world(known);
    expect(await dispatcher.isAlive("batch:a")).toBe("alive");
    expect(await dispatcher.isAlive("batch:b")).toBe("gone");
    expect(await dispatcher.isAlive("batch:forgotten")).toBe("unknown");
    expect(await dispatcher.isAlive("host:1:2")).toBe("unknown");
  });
});
