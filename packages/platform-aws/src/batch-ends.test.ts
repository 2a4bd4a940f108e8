// Rules of reading how a Batch job ended: whose fault it was, in words.
import { describe, expect, it } from "vitest";
import { batchEnd } from "./batch-ends.ts";

const detail = (fields: object = {}, container: object = {}) => ({
  jobId: "b-1",
  jobName: "sortie-0f0e0d0c-aaaa-4bbb-8ccc-000000000001-2",
  status: "FAILED",
  container,
  ...fields,
});

describe("a Batch job that ended", () => {
  it("names its worker, the job and the attempt", () => {
    expect(batchEnd(detail())).toMatchObject({
      worker: "batch:b-1",
      jobId: "0f0e0d0c-aaaa-4bbb-8ccc-000000000001",
      attempt: 2,
      succeeded: false,
    });
    const environment = [
      { name: "SORTIE_JOB_ID", value: "other-id" },
      { name: "SORTIE_ATTEMPT", value: "7" },
    ];
    expect(batchEnd(detail({}, { environment }))).toMatchObject({ jobId: "other-id", attempt: 7 });
  });

  it.each<[string, object, object, string, string | undefined]>([
    [
      "out of memory",
      { statusReason: "Essential container in task exited" },
      { exitCode: 137, reason: "OutOfMemoryError: Container killed due to memory usage" },
      "the worker ran out of memory (OutOfMemoryError: Container killed due to memory usage)",
      "out of memory",
    ],
    [
      "a crash",
      { statusReason: "Essential container in task exited" },
      { exitCode: 139 },
      "the worker crashed with exit code 139 (Essential container in task exited)",
      "exit code 139",
    ],
    [
      "the time limit of the task",
      { statusReason: "Job attempt duration exceeded timeout" },
      { exitCode: 137 },
      "the worker was ended at its time limit (Job attempt duration exceeded timeout)",
      "time limit",
    ],
    ["SIGKILL from outside", {}, { exitCode: 137 }, "the worker was ended by SIGKILL", undefined],
    ["SIGTERM from outside", {}, { exitCode: 143 }, "the worker was ended by SIGTERM", undefined],
    [
      "a lost host",
      { statusReason: "Host EC2 (instance i-0123) terminated." },
      { exitCode: 137 },
      "the worker's machine was taken away (Host EC2 (instance i-0123) terminated.)",
      undefined,
    ],
    [
      "a Spot interruption",
      { statusReason: "Your Spot Task was interrupted." },
      {},
      "the worker's machine was taken away (Your Spot Task was interrupted.)",
      undefined,
    ],
    [
      "an image that cannot be pulled",
      { statusReason: "Task failed to start" },
      { reason: "CannotPullContainerError: not found" },
      "the worker did not run (CannotPullContainerError: not found)",
      undefined,
    ],
    ["a worker that could not write", {}, { exitCode: 70 }, "the worker left with exit code 70", undefined],
  ])("tells %s, and whether it points at the model", (_what, fields, container, how, signature) => {
    const end = batchEnd(detail(fields, container));
    expect([end?.how, end?.signature]).toEqual([how, signature]);
  });

  it("well says so", () => {
    expect(batchEnd(detail({ status: "SUCCEEDED" }, { exitCode: 0 }))).toMatchObject({ succeeded: true });
  });

  it("is none of ours, or has not ended", () => {
    expect(batchEnd(detail({ jobName: "nightly-report" }))).toBeUndefined();
    expect(batchEnd(detail({ status: "RUNNABLE" }))).toBeUndefined();
    for (const nonsense of [undefined, null, "FAILED", {}, { jobId: 3 }]) expect(batchEnd(nonsense)).toBeUndefined();
  });
});
