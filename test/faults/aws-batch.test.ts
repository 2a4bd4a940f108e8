// Larger jobs on the AWS adapters, in containers of Batch: killed ones, lost hosts, Spot notices, lost and repeated events.
import { JobStatus } from "@sortie/wire";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { calls } from "../aws/faults.ts";
import { Deployment } from "./aws-harness.ts";
import { killHard, until } from "./harness.ts";
import { evaluateMip, hardMip, tinyLp } from "./problems.ts";

const QUEUE = "sortie-cpu";
const mip = hardMip();
let deployment: Deployment;
const jobs: string[] = [];
beforeAll(async () => {
  deployment = await Deployment.open({
    inline: false,
    spotNoticeMs: 8000,
    settings: { SORTIE_LIMIT_MAX_ATTEMPTS: "2" },
  });
});
afterEach(() => {
  deployment.cloud.faults.clear();
  deployment.cloud.tamperBatchEvents = undefined;
});
afterAll(async () => {
  try {
    await deployment.expectNothingLeft(jobs);
  } finally {
    await deployment[Symbol.asyncDispose]();
  }
});

/** A MIP that has found something. @returns its id and that of its Batch job */
async function running(timeLimitSeconds: number): Promise<{ jobId: string; batchId: string }> {
  const jobId = await submit(timeLimitSeconds);
  await deployment.client.running(jobId);
  return { jobId, batchId: await deployment.worker(jobId) };
}

async function submit(timeLimitSeconds: number): Promise<string> {
  const jobId = await deployment.client.submit(mip, { timeLimitSeconds });
  jobs.push(jobId);
  return jobId;
}

async function submitTiny(): Promise<string> {
  const jobId = await deployment.client.submit(tinyLp(3));
  jobs.push(jobId);
  return jobId;
}

/** The feeds of a finished MIP hold together over its attempts: only improvements, and the result is the best of them. */
async function expectWholeFeeds(jobId: string): Promise<void> {
  const incumbents = await deployment.client.incumbents(jobId);
  expect(incumbents.map(({ index }) => index)).toEqual(incumbents.map((_, i) => i));
  for (const [i, { objective, assignment }] of incumbents.entries()) {
    expect(evaluateMip(mip, assignment).objective).toBeCloseTo(objective, 3);
    if (i > 0) expect(objective).toBeLessThan(incumbents[i - 1]!.objective);
  }
  await deployment.client.log(jobId);
}

const submissionsOf = (jobId: string) =>
  deployment.cloud.batch.jobs.filter(({ environment }) => environment["SORTIE_JOB_ID"] === jobId);

describe("a container", () => {
  it("that is killed makes the next attempt go on from the best incumbent", async () => {
    const { jobId, batchId } = await running(4);
    await killHard(deployment.cloud.workerProcess(batchId)!);
    const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    expect(job).toMatchObject({ attempt: 2, losses: [expect.stringMatching(/137|SIGKILL|killed/i)] });
    await expectWholeFeeds(jobId);
  });

  it("that is killed on every attempt makes the job fail with the reason", async () => {
    const jobId = await submit(60);
    for (const attempt of [1, 2]) deployment.cloud.batch.kill(await deployment.worker(jobId, attempt));
    const job = await deployment.expectEnd(jobId, JobStatus.FAILED);
    expect(job.failure).toMatch(/^Worker process died unexpectedly \(2 attempts; last: /);
    expect(job.attempt).toBe(2);
  });

  it("whose host is lost is followed by another", async () => {
    const { jobId, batchId } = await running(4);
    deployment.cloud.batch.loseHost(batchId);
    const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    expect(job).toMatchObject({ attempt: 2, losses: [expect.stringMatching(/Host/i)] });
    await expectWholeFeeds(jobId);
  });

  it("that is told of its end by Spot gives its job back, however often, and none of that is a loss", async () => {
    const jobId = await submit(6);
    for (const attempt of [1, 2, 3]) {
      const batchId = await deployment.worker(jobId, attempt);
      deployment.cloud.batch.spotNotice(batchId);
      await until("it has left", () => deployment.cloud.batch.job(batchId)?.status === "FAILED");
    }
    const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    expect(job).toMatchObject({ attempt: 4, losses: [] });
    await expectWholeFeeds(jobId);
  });

  it("whose job is gone leaves at once and with success", async () => {
    deployment.cloud.batch.resize(QUEUE, 0);
    const jobId = await submitTiny();
    const [batch] = await until("it waits in Batch", () => {
      const found = submissionsOf(jobId);
      return found.length > 0 && found;
    });
    // The cancel does not reach Batch: the container starts in vain.
    deployment.cloud.faults.plan({ kind: "error", on: calls("Batch", "TerminateJob") });
    deployment.cloud.faults.plan({ kind: "error", on: calls("Batch", "ListJobs") });
    await deployment.client.cuopt.cancelJob({ jobId });
    deployment.cloud.batch.resize(QUEUE, 2);
    await until("it has ended", () => deployment.cloud.batch.job(batch!.id)?.status === "SUCCEEDED");
    await deployment.expectEnd(jobId, JobStatus.CANCELLED);
  });
});

describe("Batch's event of a container's end", () => {
  it("may be lost: the lease runs out", async () => {
    deployment.cloud.tamperBatchEvents = () => [];
    const { jobId, batchId } = await running(4);
    deployment.cloud.batch.kill(batchId);
    const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    expect(job.attempt).toBe(2);
    expect(job.losses).toHaveLength(1);
  });

  it("may come twice, and late: one loss is counted", async () => {
    const late: object[] = [];
    deployment.cloud.tamperBatchEvents = (event) => {
      late.push(event);
      return [event, event];
    };
    const { jobId, batchId } = await running(4);
    deployment.cloud.batch.kill(batchId);
    await deployment.worker(jobId, 2);
    for (const event of late) deployment.cloud.lambda.start("batch-event", event);
    const job = await deployment.expectEnd(jobId, JobStatus.COMPLETED);
    expect(job.attempt).toBe(2);
    expect(job.losses).toHaveLength(1);
  });
});

describe("SubmitJob", () => {
  it("that is throttled comes through", async () => {
    deployment.cloud.faults.plan({ kind: "throttle", on: calls("Batch", "SubmitJob"), times: 3 });
    const jobId = await submitTiny();
    expect(await deployment.expectEnd(jobId, JobStatus.COMPLETED)).toMatchObject({ attempt: 1, losses: [] });
  });

  it("that is answered by silence may start two containers: one has the job, the other leaves", async () => {
    deployment.cloud.faults.plan({ kind: "answer-lost", on: calls("Batch", "SubmitJob"), times: 1 });
    const jobId = await submitTiny();
    expect(await deployment.expectEnd(jobId, JobStatus.COMPLETED)).toMatchObject({ attempt: 1, losses: [] });
    await until("both have ended well", () => {
      const found = submissionsOf(jobId);
      return found.length === 2 && found.every(({ status }) => status === "SUCCEEDED");
    });
  });
});

describe("a queue without room", () => {
  it("keeps the job, whose cancel takes it out of Batch, and the next is run once there is room", async () => {
    deployment.cloud.batch.resize(QUEUE, 0);
    const [cancelled, kept] = [await submitTiny(), await submitTiny()];
    await until("both wait in Batch", () => submissionsOf(cancelled).length + submissionsOf(kept).length === 2);
    await deployment.client.cuopt.cancelJob({ jobId: cancelled });
    await deployment.expectEnd(cancelled, JobStatus.CANCELLED);
    await until("Batch has forgotten it", () => submissionsOf(cancelled).every(({ status }) => status === "FAILED"));
    expect(submissionsOf(cancelled).every(({ startedAt }) => startedAt === undefined)).toBe(true);
    expect(await deployment.client.status(kept)).toBe(JobStatus.QUEUED);
    deployment.cloud.batch.resize(QUEUE, 2);
    expect(await deployment.expectEnd(kept, JobStatus.COMPLETED)).toMatchObject({ attempt: 1, losses: [] });
  });
});

describe("a cancel of a job that runs", () => {
  it("stops its container, is final, and leaves its incumbents readable", async () => {
    const { jobId, batchId } = await running(120);
    const found = await deployment.client.incumbents(jobId);
    await deployment.client.cuopt.cancelJob({ jobId });
    // It may have noticed by itself before it was told.
    await until("the container has ended", () => deployment.cloud.workerProcess(batchId) === undefined);
    await deployment.expectEnd(jobId, JobStatus.CANCELLED);
    expect((await deployment.client.incumbents(jobId)).slice(0, found.length)).toEqual(found);
    await until("the worker has let go", async () => (await deployment.row(jobId)).worker === undefined);
  });

  it("ends a container that does not hear it", async () => {
    const { jobId, batchId } = await running(120);
    process.kill(deployment.cloud.workerProcess(batchId)!, "SIGSTOP");
    await deployment.client.cuopt.cancelJob({ jobId });
    await until("the container has ended", () => deployment.cloud.batch.job(batchId)?.status === "FAILED");
    await deployment.expectEnd(jobId, JobStatus.CANCELLED);
  });
});
