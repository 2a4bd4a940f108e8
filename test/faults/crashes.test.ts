// Nothing that was acknowledged is lost, whichever process is killed and whenever: servers, workers, both.
import { JobStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { Ground, killHard, letPass, type Server, until } from "./harness.ts";
import { boundedLp, chunksOf, evaluateMip, hardMip, type SampleChunk, tinyLp } from "./problems.ts";

const mip = hardMip();
const TIME_LIMIT = 5;

/** The feeds of a finished MIP hold together: no gap, no repeat, only improvements, and the result is the best of them. */
async function expectWholeFeeds({ client }: Server, jobId: string, attempts = 1): Promise<void> {
  const incumbents = await client.incumbents(jobId);
  expect(incumbents.map(({ index }) => index)).toEqual(incumbents.map((_, i) => i));
  for (const [i, { objective, assignment }] of incumbents.entries()) {
    const at = evaluateMip(mip, assignment);
    expect(at.objective).toBeCloseTo(objective, 3);
    expect(at.violation).toBeLessThan(1e-4);
    if (i > 0) expect(objective).toBeLessThan(incumbents[i - 1]!.objective);
  }
  const { solution } = await client.result(jobId);
  if (solution?.kind !== "mip") throw new Error("the result is no MIP solution");
  expect(solution.scalars.mipObjective).toBeCloseTo(incumbents.at(-1)!.objective, 3);
  expect(solution.scalars.mipTerminationStatus).toBe(TIME_LIMIT);
  const lines = await client.log(jobId);
  const heads = lines.filter((line) => line.startsWith(`Sortie job ${jobId}`));
  expect(heads).toHaveLength(attempts);
  expect(lines[0]).toBe(heads[0]);
}

describe("kill -9 of the server", () => {
  it.each([
    ["many small chunks", 20_000, 16 * 1024],
    ["large chunks", 400_000, 2 * 1024 * 1024],
  ])(
    "in the middle of an upload in %s: it goes on with the next server and is solved right",
    async (_, n, chunkBytes) => {
      await using ground = new Ground();
      const problem = boundedLp(Float64Array.from({ length: n }, (_, i) => 1 + (i % 97)));
      const chunks = chunksOf(problem, chunkBytes);
      const first = await ground.start();
      const { uploadId } = await first.client.cuopt.startChunkedUpload({ problemHeader: { header: { version: 1 } } });
      const send = (server: Server, chunk: SampleChunk) => server.client.cuopt.sendArrayChunk({ uploadId, chunk });
      const acknowledged = new Set<SampleChunk>();
      // Four at a time, so that the kill finds chunks on their way, and written but not answered.
      const lanes = Array.from({ length: 4 }, async (_, lane) => {
        for (let i = lane; i < chunks.length; i += 4) {
          await send(first, chunks[i]!);
          acknowledged.add(chunks[i]!);
        }
      });
      const cutOff = Promise.allSettled(lanes);
      await until("a third of the chunks has come", () => acknowledged.size > chunks.length / 3);
      await first.stop("SIGKILL");
      await cutOff;
      expect(acknowledged.size).toBeLessThan(chunks.length);

      const second = await ground.start();
      // What is missing may be the rest of an array, or arrays of which nothing has come.
      const refusal = /ValidationError: .*(were not sent|missing or empty)/;
      await expect(second.client.cuopt.finishChunkedUpload({ uploadId })).rejects.toThrow(refusal);
      // One that was acknowledged may be repeated, and one that may or may not have come must be.
      await send(second, [...acknowledged][0]!);
      for (const chunk of chunks) if (!acknowledged.has(chunk)) await send(second, chunk);
      const { jobId } = await second.client.cuopt.finishChunkedUpload({ uploadId });
      expect(await second.client.end(jobId)).toBe(JobStatus.COMPLETED);
      const { solution } = await second.client.result(jobId);
      expect(solution?.scalars).toMatchObject({ lpTerminationStatus: 2 });
      if (solution?.kind === "lp") expect(solution.scalars.primalObjective).toBeCloseTo(problem.objective!, 3);
    },
  );

  it("while a MIP runs: its worker goes on, and the next server answers for it as if nothing had been", async () => {
    await using ground = new Ground();
    const first = await ground.start();
    const jobId = await first.client.submit(mip, { timeLimitSeconds: 8 });
    await first.client.running(jobId);
    const worker = await ground.worker();
    await first.stop("SIGKILL");

    const second = await ground.start();
    expect(await second.client.status(jobId)).toBe(JobStatus.PROCESSING);
    expect(ground.workers()).toContain(worker);
    const before = (await second.client.job(jobId)).logBytes;
    await until("the adopted worker goes on writing", async () => {
      const job = await second.client.job(jobId);
      return job.logBytes > before || job.finishedAt !== undefined;
    });
    expect(await second.client.end(jobId)).toBe(JobStatus.COMPLETED);
    expect(await second.client.job(jobId)).toMatchObject({ attempt: 1, failure: "" });
    await expectWholeFeeds(second, jobId);
  });

  it("while a MIP runs: the worker completes it with no server there at all", async () => {
    await using ground = new Ground();
    const first = await ground.start();
    const jobId = await first.client.submit(mip, { timeLimitSeconds: 2 });
    await first.client.running(jobId);
    await first.stop("SIGKILL");
    await until("the worker has finished and left", () => ground.workers().length === 0);
    const second = await ground.start();
    expect(await second.client.status(jobId)).toBe(JobStatus.COMPLETED);
    await expectWholeFeeds(second, jobId);
  });

  it("while a MIP runs: the next server can still cancel it, and its best incumbent stays", async () => {
    await using ground = new Ground();
    const first = await ground.start();
    const jobId = await first.client.submit(mip);
    await first.client.running(jobId);
    await first.stop("SIGKILL");
    const second = await ground.start();
    expect((await second.client.cuopt.cancelJob({ jobId })).jobStatus).toBe(JobStatus.CANCELLED);
    expect(await second.client.incumbents(jobId)).not.toHaveLength(0);
    // The place of the worker is free for another job.
    const next = await second.client.submit(tinyLp(3));
    expect(await second.client.end(next)).toBe(JobStatus.COMPLETED);
    expect(await second.client.status(jobId)).toBe(JobStatus.CANCELLED);
  });

  it("with jobs in the queue: they keep their order", async () => {
    await using ground = new Ground();
    const first = await ground.start();
    const blocking = await first.client.submit(mip);
    await first.client.running(blocking);
    const queued: string[] = [];
    for (let i = 0; i < 8; i++) queued.push(await first.client.submit(tinyLp(i)));
    await first.stop("SIGKILL");

    const { client } = await ground.start();
    const positions = await Promise.all(queued.map(async (id) => (await client.job(id)).queuePosition));
    expect(positions).toEqual(queued.map((_, i) => i));
    await client.cuopt.cancelJob({ jobId: blocking });
    for (const jobId of queued) expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
    const started = await Promise.all(
      queued.map(async (id) => {
        const { startedAt } = await client.job(id);
        return Number(startedAt!.seconds) * 1000 + startedAt!.nanos / 1e6;
      }),
    );
    expect(started).toEqual(started.toSorted((a, b) => a - b));
  });

  it("right after a submission was answered: the job is there", async () => {
    await using ground = new Ground();
    const ids: string[] = [];
    for (let round = 0; round < 3; round++) {
      const server = await ground.start();
      ids.push(await server.client.submit(tinyLp(round)));
      await server.stop("SIGKILL");
    }
    const { client } = await ground.start();
    for (const [round, jobId] of ids.entries()) {
      expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
      expect([...(await client.result(jobId)).solution!.arrays.get(0)!]).toEqual([round]);
    }
  });
});

describe("a crash of the whole machine", () => {
  it("is no attempt: the job is made again from its best incumbent, even if one attempt is all it has", async () => {
    await using ground = new Ground();
    const first = await ground.start({ flags: ["--max-attempts", "1"] });
    const jobId = await first.client.submit(mip, { timeLimitSeconds: 4 });
    const tiny = await first.client.submit(tinyLp(5));
    await first.client.running(jobId);
    const worker = await ground.worker();
    process.kill(worker, "SIGSTOP");
    // Stopped first, so that neither sees the other go.
    await first.stop("SIGKILL");
    await killHard(worker);

    const second = await ground.start({ flags: ["--max-attempts", "1"] });
    expect(await second.client.end(jobId)).toBe(JobStatus.COMPLETED);
    expect((await second.client.job(jobId)).attempt).toBe(2);
    await expectWholeFeeds(second, jobId, 2);
    expect(await second.client.log(jobId)).toContainEqual(expect.stringContaining("Starting from incumbent"));
    expect(await second.client.end(tiny)).toBe(JobStatus.COMPLETED);
  });
});

describe("kill -9 of a worker", () => {
  it("makes the next attempt go on from the best incumbent, and the job completes", async () => {
    await using ground = new Ground();
    const server = await ground.start();
    const { client } = server;
    const jobId = await client.submit(mip, { timeLimitSeconds: 4 });
    const tiny = await client.submit(tinyLp(4));
    await client.running(jobId);
    await killHard(await ground.worker());
    expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
    expect((await client.job(jobId)).attempt).toBe(2);
    await expectWholeFeeds(server, jobId, 2);
    expect(await client.log(jobId)).toContainEqual(expect.stringContaining("Starting from incumbent"));
    expect(await client.end(tiny)).toBe(JobStatus.COMPLETED);
  });

  it("on every attempt makes the job fail with a reason, and the next job is solved", async () => {
    await using ground = new Ground();
    const { client } = await ground.start({ flags: ["--max-attempts", "2"] });
    const jobId = await client.submit(mip);
    const tiny = await client.submit(tinyLp(4));
    const victims = new Set<number>();
    for (let attempt = 1; attempt <= 2; attempt++) {
      await until(`attempt ${attempt} runs`, async () => {
        return (await client.job(jobId)).attempt === attempt && (await client.status(jobId)) === JobStatus.PROCESSING;
      });
      const worker = await until("its worker is there", () => ground.workers().find((pid) => !victims.has(pid)));
      victims.add(worker);
      await killHard(worker);
    }
    expect(await client.end(jobId)).toBe(JobStatus.FAILED);
    const { message } = await client.cuopt.checkStatus({ jobId });
    expect(message).toMatch(/^Job failed: Worker process died unexpectedly \(2 attempts; last: .*SIGKILL/);
    expect((await client.result(jobId)).errorMessage).toContain("Worker process died unexpectedly");
    expect(await client.end(tiny)).toBe(JobStatus.COMPLETED);
  });

  it("while it has nothing to do harms no job", async () => {
    await using ground = new Ground();
    const { client } = await ground.start();
    for (let round = 0; round < 3; round++) {
      await killHard(await ground.worker());
      const jobId = await client.submit(tinyLp(round));
      expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
      expect(await client.job(jobId)).toMatchObject({ attempt: 1 });
    }
  });
});

describe("a worker that sleeps for longer than its lease, as on a laptop whose lid was closed", () => {
  it("loses nothing: the job is not given to another, and it completes", async () => {
    await using ground = new Ground();
    const server = await ground.start({ flags: ["--lease-seconds", "1"] });
    const { client } = server;
    const jobId = await client.submit(mip, { timeLimitSeconds: 5 });
    await client.running(jobId);
    const worker = await ground.worker();
    process.kill(worker, "SIGSTOP");
    await letPass(3_500);
    expect(await client.status(jobId)).toBe(JobStatus.PROCESSING);
    process.kill(worker, "SIGCONT");
    expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
    expect(await client.job(jobId)).toMatchObject({ attempt: 1, failure: "" });
    await expectWholeFeeds(server, jobId);
  });
});
