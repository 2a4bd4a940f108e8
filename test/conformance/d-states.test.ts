// Group D: states, cancel, delete.
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { JobStatus, ResponseStatus, ResultFieldId } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer } from "./harness.ts";
import { failingLp, instance, longMip, TINY_LP_OBJECTIVE, tinyLp, tinyMip } from "./models.ts";
import { refused, submissionOf, UNKNOWN_ID } from "./session.ts";

const server = sharedServer("--workers", "2");
const single = sharedServer("--workers", "1");

overEveryTransport((scenario) => {
  scenario("D1", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.running(longMip());
    expect(await session.rpc.checkStatus({ jobId })).toMatchObject({ message: "Job is being processed" });
    const waiter = session.rpc.waitForCompletion({ jobId });
    expect(await session.rpc.cancelJob({ jobId })).toMatchObject({
      status: ResponseStatus.SUCCESS,
      jobStatus: JobStatus.CANCELLED,
      message: "Job cancelled successfully",
    });
    expect(await session.rpc.checkStatus({ jobId })).toMatchObject({
      jobStatus: JobStatus.CANCELLED,
      message: "Job was cancelled",
      resultSizeBytes: 0n,
    });
    expect(await waiter).toMatchObject({ jobStatus: JobStatus.CANCELLED, message: "Job was cancelled" });
  });

  scenario("D2", async ({ connect }) => {
    const session = await connect(single);
    const jobId = await session.running(longMip());
    await session.rpc.cancelJob({ jobId });
    expect((await session.solved(tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
    expect(await session.state(jobId)).toBe(JobStatus.CANCELLED);
  });

  scenario("D3", async ({ connect }) => {
    const session = await connect(single);
    const first = await session.running(longMip());
    const second = await session.submit(tinyLp());
    expect(await session.rpc.checkStatus({ jobId: second })).toMatchObject({
      jobStatus: JobStatus.QUEUED,
      message: "Job is queued",
    });
    expect(await session.rpc.cancelJob({ jobId: second })).toMatchObject({
      status: ResponseStatus.SUCCESS,
      jobStatus: JobStatus.CANCELLED,
    });
    await session.rpc.cancelJob({ jobId: first });
    // First in, first out: once a later job is done the cancelled one would have been.
    await session.solved(tinyLp());
    expect(await session.state(second)).toBe(JobStatus.CANCELLED);
    expect((await session.jobs.getJob({ id: second })).job).toMatchObject({ attempt: 0, logBytes: 0n });
  });

  scenario("D4", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.running(longMip());
    await session.rpc.cancelJob({ jobId });
    expect(await session.rpc.cancelJob({ jobId })).toMatchObject({
      status: ResponseStatus.SUCCESS,
      jobStatus: JobStatus.CANCELLED,
      message: "Job already cancelled",
    });
  });

  scenario("D5", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(tinyLp()));
    expect(await session.rpc.cancelJob({ jobId })).toMatchObject({
      status: ResponseStatus.ERROR_INVALID_REQUEST,
      jobStatus: JobStatus.COMPLETED,
      message: "Cannot cancel completed job",
    });
    expect((await session.result(jobId)).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("D6", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.failed(await session.submit(failingLp()));
    expect(await session.rpc.cancelJob({ jobId })).toMatchObject({
      status: ResponseStatus.ERROR_INVALID_REQUEST,
      jobStatus: JobStatus.FAILED,
      message: "Cannot cancel failed job",
    });
  });

  scenario("D7", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.running(longMip());
    await session.rpc.cancelJob({ jobId });
    await refused(session.rpc.getResult({ jobId }), Code.Unavailable, "Result not ready");
    await refused(session.rpc.startChunkedDownload({ jobId }), Code.FailedPrecondition);
  });

  scenario("D8", async ({ connect }) => {
    const session = await connect(server);
    const { rpc } = session;
    const jobId = await session.completed(await session.submit(tinyMip()));
    expect((await rpc.deleteResult({ jobId })).status).toBe(ResponseStatus.SUCCESS);
    expect(await rpc.checkStatus({ jobId })).toMatchObject({ jobStatus: JobStatus.NOT_FOUND, resultSizeBytes: 0n });
    await refused(rpc.getResult({ jobId }), Code.NotFound);
    await refused(session.log(jobId), Code.NotFound);
    await refused(rpc.getIncumbents({ jobId }), Code.NotFound);
    await refused(rpc.startChunkedDownload({ jobId }), Code.NotFound);
    expect((await rpc.waitForCompletion({ jobId })).jobStatus).toBe(JobStatus.NOT_FOUND);
    expect((await rpc.cancelJob({ jobId })).status).toBe(ResponseStatus.ERROR_NOT_FOUND);
    expect((await rpc.deleteResult({ jobId })).status).toBe(ResponseStatus.ERROR_NOT_FOUND);
  });

  scenario("D9", async ({ connect }) => {
    const session = await connect(single);
    const jobId = await session.running(longMip());
    const waiter = session.rpc.waitForCompletion({ jobId });
    expect((await session.rpc.deleteResult({ jobId })).status).toBe(ResponseStatus.SUCCESS);
    expect(await session.state(jobId)).toBe(JobStatus.NOT_FOUND);
    // Who waits is told rather than left to wait for ever.
    expect((await waiter).jobStatus).toBe(JobStatus.NOT_FOUND);
    // The only worker is free again, so the deleted job has come to its end.
    await session.solved(tinyLp());
    expect(await session.state(jobId)).toBe(JobStatus.NOT_FOUND);
    const { jobs } = await session.jobs.listJobs({ pageSize: 1000 });
    expect(jobs.map((job) => job.id)).not.toContain(jobId);
  });

  scenario("D10", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.submit(failingLp());
    const waited = await session.rpc.waitForCompletion({ jobId });
    expect(waited.jobStatus).toBe(JobStatus.FAILED);
    const reason = waited.message;
    expect(reason).toMatch(/^ValidationError: A_indices\[1\] names column 0 a second time/);
    expect(await session.rpc.checkStatus({ jobId })).toMatchObject({
      jobStatus: JobStatus.FAILED,
      message: `Job failed: ${reason}`,
      resultSizeBytes: 0n,
    });
    const answer = await session.rpc.getResult({ jobId });
    expect(answer).toMatchObject({ status: ResponseStatus.ERROR_SOLVE_FAILED, errorMessage: reason });
    expect(answer.solution.case).toBeUndefined();
    await refused(session.rpc.startChunkedDownload({ jobId }), Code.FailedPrecondition);
    expect(await session.rpc.waitForCompletion({ jobId })).toMatchObject({ message: reason });
  });

  scenario("D11", async ({ connect }) => {
    const session = await connect(single);
    const first = await session.running(longMip());
    const waiting: string[] = [];
    for (let i = 1; i < 100; i++) waiting.push(await session.submit(tinyLp()));
    await refused(session.rpc.submitJob(submissionOf(tinyLp())), Code.ResourceExhausted, "Job queue full");
    await session.rpc.cancelJob({ jobId: waiting.at(-1)! });
    await session.submit(tinyLp());
    await refused(session.rpc.submitJob(submissionOf(tinyLp())), Code.ResourceExhausted, "Job queue full");
    await session.rpc.cancelJob({ jobId: first });
    await session.completed(waiting[0]!);
    await session.solved(tinyLp());
  });

  scenario("D12", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.submit(instance("misc07"), { mip: { timeLimit: 1 } });
    const answers = await Promise.all(Array.from({ length: 5 }, () => session.rpc.waitForCompletion({ jobId })));
    expect(answers[0]?.jobStatus).toBe(JobStatus.COMPLETED);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  scenario("D13", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.running(longMip());
    const leaving = new AbortController();
    const waiter = session.rpc.waitForCompletion({ jobId }, { signal: leaving.signal });
    const staying = session.rpc.waitForCompletion({ jobId });
    // Both calls are on their way before one of them leaves.
    await session.state(jobId);
    leaving.abort();
    await refused(waiter, Code.Canceled);
    expect(await session.state(jobId)).toBe(JobStatus.PROCESSING);
    await session.rpc.cancelJob({ jobId });
    expect((await staying).jobStatus).toBe(JobStatus.CANCELLED);
  });

  scenario("D14", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(tinyLp()));
    const { resultSizeBytes } = await session.rpc.checkStatus({ jobId });
    expect(await session.rpc.waitForCompletion({ jobId })).toMatchObject({
      jobStatus: JobStatus.COMPLETED,
      message: "",
      resultSizeBytes,
    });
  });

  scenario("D15", async ({ connect }) => {
    const session = await connect(server);
    const outcomes = { cancelled: 0, completed: 0 };
    for (let round = 0; round < 24; round++) {
      const jobId = await session.submit(round % 2 ? tinyMip() : tinyLp());
      await delay(round);
      const { status, jobStatus } = await session.rpc.cancelJob({ jobId });
      const end = await session.rpc.waitForCompletion({ jobId });
      expect(end.jobStatus).toBe(jobStatus);
      if (status === ResponseStatus.SUCCESS) {
        outcomes.cancelled++;
        expect(jobStatus).toBe(JobStatus.CANCELLED);
        await refused(session.rpc.getResult({ jobId }), Code.Unavailable);
      } else {
        outcomes.completed++;
        expect(status).toBe(ResponseStatus.ERROR_INVALID_REQUEST);
        expect(jobStatus).toBe(JobStatus.COMPLETED);
        expect((await session.result(jobId)).values.length).toBeGreaterThan(0);
      }
      // What a worker does after the cancel changes nothing any more.
      await session.rpc.checkStatus({ jobId: UNKNOWN_ID });
      expect(await session.state(jobId)).toBe(jobStatus);
    }
    expect(outcomes.cancelled + outcomes.completed).toBe(24);
  });

  scenario("D16", async ({ connect }) => {
    const session = await connect(server);
    const running = await session.running(longMip());
    expect((await session.rpc.checkStatus({ jobId: running })).resultSizeBytes).toBe(0n);
    const lp = await session.completed(await session.submit(instance("afiro")));
    expect((await session.rpc.checkStatus({ jobId: lp })).resultSizeBytes).toBe(BigInt(8 * (32 + 27 + 32)));
    const mip = await session.completed(await session.submit(instance("flugpl")));
    const { values } = await session.result(mip);
    expect((await session.rpc.checkStatus({ jobId: mip })).resultSizeBytes).toBe(BigInt(8 * values.length));
    const infeasible = await session.completed(await session.submit(instance("infeasible-mip1")));
    expect((await session.rpc.checkStatus({ jobId: infeasible })).resultSizeBytes).toBe(0n);
    expect((await session.result(infeasible)).arrays.has(ResultFieldId.RESULT_MIP_SOLUTION)).toBe(false);
  });
});
