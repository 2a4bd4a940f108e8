// Small jobs on the AWS adapters, in a function: whatever is lost, comes twice or comes late, each ends once.
import { JobStatus } from "@sortie/wire";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { calls, type Fault, type ServiceCall } from "../aws/faults.ts";
import type { StreamRecord } from "../aws/table-stream.ts";
import { Deployment } from "./aws-harness.ts";
import { until } from "./harness.ts";
import { boundedLp, hardMip, tinyLp } from "./problems.ts";

let deployment: Deployment;
const jobs: string[] = [];
beforeAll(async () => {
  deployment = await Deployment.open();
});
afterEach(() => {
  deployment.cloud.faults.clear();
  deployment.cloud.stream.tamper = undefined;
});
// Of all that happened nothing may stay.
afterAll(async () => {
  try {
    await deployment.expectNothingLeft(jobs);
  } finally {
    await deployment[Symbol.asyncDispose]();
  }
});

let bound = 0;
/** A job whose answer tells it from all others. */
async function submitTiny(): Promise<string> {
  bound += 1;
  const jobId = await deployment.client.submit(tinyLp(bound));
  jobs.push(jobId);
  return jobId;
}

async function expectSolved(jobId: string, attempt: number): Promise<void> {
  const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
  expect(job.attempt).toBe(attempt);
  const { solution } = await deployment.client.result(jobId);
  if (solution?.kind !== "lp") throw new Error("the result is no LP solution");
  expect(solution.scalars.lpTerminationStatus).toBe(2);
}

const plan = (fault: Fault) => deployment.cloud.faults.plan(fault);
const struck = (kind: Fault["kind"]) => deployment.cloud.faults.struck[kind];

/** The write that makes a job's row say this of itself. */
const writes =
  (state: string, caller: string) =>
  (call: ServiceCall): boolean =>
    calls("DynamoDB", "UpdateItem", caller)(call) &&
    JSON.stringify((call.body as { ExpressionAttributeValues?: unknown }).ExpressionAttributeValues).includes(
      `{"S":"${state}"}`,
    );

describe("the table's stream", () => {
  it("may bring every record twice", async () => {
    deployment.cloud.stream.tamper = (records) => [...records, ...records];
    await expectSolved(await submitTiny(), 1);
  });

  it("may bring records out of order, and old ones again", async () => {
    const seen: StreamRecord[] = [];
    deployment.cloud.stream.tamper = (records) => {
      seen.push(...records);
      return seen.slice(-8).toReversed();
    };
    await Promise.all(Array.from({ length: 4 }, submitTiny).map(async (job) => expectSolved(await job, 1)));
  });

  it("may bring records of a job that needs nothing any more, and nothing is written", async () => {
    const { stream, lambda } = deployment.cloud;
    const seen: StreamRecord[] = [];
    stream.tamper = (records) => {
      seen.push(...records);
      return records;
    };
    const jobId = await submitTiny();
    await expectSolved(jobId, 1);
    const own = seen.filter(({ dynamodb }) => JSON.stringify(dynamodb.Keys).includes(jobId));
    expect(own.length).toBeGreaterThan(1);
    const before = await deployment.row(jobId);
    await lambda.result("dispatch", { Records: own });
    expect((await deployment.row(jobId)).revision).toBe(before.revision);
  });

  it("may bring nothing at all: the sweep finds the job", async () => {
    deployment.cloud.stream.tamper = () => [];
    await expectSolved(await submitTiny(), 1);
  });
});

describe("a dispatch", () => {
  it("that is lost is made again", async () => {
    // The SDK's own repeats are used up.
    plan({ kind: "error", on: calls("Lambda", "Invoke", "dispatch"), times: 5 });
    const before = struck("error");
    await expectSolved(await submitTiny(), 1);
    expect(struck("error") - before).toBe(5);
  });

  it("whose answer is lost is made twice, and one of the two workers has the job", async () => {
    plan({ kind: "answer-lost", on: calls("Lambda", "Invoke", "dispatch"), times: 2 });
    await expectSolved(await submitTiny(), 1);
  });

  it("that is throttled comes through", async () => {
    plan({ kind: "throttle", on: calls("Lambda", "Invoke", "dispatch"), times: 3 });
    await expectSolved(await submitTiny(), 1);
  });
});

describe("a worker", () => {
  it("whose claim is answered by silence has the job, once", async () => {
    plan({ kind: "answer-lost", on: writes("processing", "solve"), times: 1 });
    await expectSolved(await submitTiny(), 1);
  });

  it("whose completion is answered by silence has completed the job, once", async () => {
    const before = struck("answer-lost");
    plan({ kind: "answer-lost", on: writes("completed", "solve"), times: 3 });
    await expectSolved(await submitTiny(), 1);
    // Its row says so from the first write on; the worker, which heard nothing, writes again.
    await until("it has written three times", () => struck("answer-lost") - before === 3);
  });

  it("that cannot store its result at once tries again", async () => {
    plan({ kind: "throttle", on: calls("S3", "PutObject", "solve"), times: 2 });
    plan({ kind: "error", on: calls("S3", "PutObject", "solve"), times: 1 });
    await expectSolved(await submitTiny(), 1);
  });

  it("that is killed is followed by another", async () => {
    const jobId = await deployment.client.submit(hardMip(), { timeLimitSeconds: 3 });
    jobs.push(jobId);
    await deployment.client.running(jobId);
    deployment.cloud.lambda.kill("solve");
    const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    expect(job.attempt).toBe(2);
  });

  it("that is cut off from the table loses its lease, and what it writes afterwards is not seen", async () => {
    const jobId = await deployment.client.submit(hardMip(), { timeLimitSeconds: 4 });
    jobs.push(jobId);
    await deployment.client.running(jobId);
    const [worker] = [(await deployment.row(jobId)).worker];
    // Only the one that runs: the next must come through.
    let cutOff = true;
    const stop = plan({ kind: "error", on: (call) => cutOff && calls("DynamoDB", undefined, "solve")(call) });
    await until("another attempt is due", async () => (await deployment.row(jobId)).losses.length > 0);
    cutOff = false;
    stop();
    const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    expect(job.attempt).toBeGreaterThan(1);
    expect(job.worker).not.toBe(worker);
  });
});

describe("events", () => {
  it("that are answered by silence come again under the same id", async () => {
    plan({ kind: "answer-lost", on: calls("Events", "PutEvents"), times: 2 });
    const jobId = await submitTiny();
    await expectSolved(jobId, 1);
    const told = deployment.cloud.events.filter(({ detail }) => detail["jobId"] === jobId);
    expect(told.length).toBeGreaterThan(new Set(told.map(({ detail }) => detail["id"])).size);
  });

  it("that are refused for a while are told later", async () => {
    plan({ kind: "error", on: calls("Events", "PutEvents"), times: 6 });
    await expectSolved(await submitTiny(), 1);
  });
});

describe("a submission", () => {
  it("whose row is answered by silence is one job", async () => {
    plan({ kind: "answer-lost", on: writes("queued", "rpc"), times: 1 });
    const before = (await deployment.client.jobs.listJobs({ pageSize: 1000 })).jobs.length;
    await expectSolved(await submitTiny(), 1);
    expect((await deployment.client.jobs.listJobs({ pageSize: 1000 })).jobs).toHaveLength(before + 1);
  });

  it("is taken while table and blobs are slow and throttle", async () => {
    plan({ kind: "slow", on: calls("DynamoDB"), chance: 0.2, delayMs: 100 });
    plan({ kind: "throttle", on: calls("DynamoDB"), chance: 0.1 });
    plan({ kind: "throttle", on: calls("S3"), chance: 0.2 });
    const problem = boundedLp(Float64Array.from({ length: 2000 }, (_, i) => 1 + (i % 97)));
    const jobId = await deployment.client.submit(problem);
    jobs.push(jobId);
    await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    deployment.cloud.faults.clear();
    const { solution } = await deployment.client.result(jobId);
    if (solution?.kind === "lp") expect(solution.scalars.primalObjective).toBeCloseTo(problem.objective!, 3);
  });
});

describe("a cancel", () => {
  it("ends the function's work and is final", async () => {
    const jobId = await deployment.client.submit(hardMip(), { timeLimitSeconds: 120 });
    jobs.push(jobId);
    await deployment.client.running(jobId);
    await deployment.client.cuopt.cancelJob({ jobId });
    await deployment.expectEnd(jobId, JobStatus.CANCELLED);
    await until("the worker has let go", async () => (await deployment.row(jobId)).worker === undefined);
  });
});
