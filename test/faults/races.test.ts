// Cancel and delete, fired around the very moment at which a job ends: whatever wins, all calls tell the same story.
import { Code, ConnectError } from "@connectrpc/connect";
import { JobStatus, ResponseStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { type Client, Ground, letPass, until } from "./harness.ts";
import { tinyLp } from "./problems.ts";

const ROUNDS = 120;

/**
 * Delays that home in on the moment when the job ends: later after a call that came too early, sooner after one that came
 * too late, so that most rounds are close calls.
 */
class Aim {
  delayMs = 2;
  #stepMs = 2;

  wasTooEarly(early: boolean): void {
    this.delayMs = Math.max(0, this.delayMs + (early ? this.#stepMs : -this.#stepMs));
    this.#stepMs = Math.max(0.5, this.#stepMs * 0.9);
  }
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );

async function openJobs(client: Client): Promise<number> {
  const { jobs } = await client.jobs.listJobs({ states: [1, 2], pageSize: 1000 });
  return jobs.length;
}

describe("cancel against finish (D15)", () => {
  it(`ends each of ${ROUNDS} jobs as cancelled without result, or completed with the cancel refused`, async () => {
    await using ground = new Ground();
    const { client } = await ground.start({ flags: ["--workers", "2"] });
    const aim = new Aim();
    const seen = { cancelled: 0, completed: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const jobId = await client.submit(tinyLp(round));
      await letPass(aim.delayMs);
      const answer = await client.cuopt.cancelJob({ jobId });
      const cancelled = answer.status === ResponseStatus.SUCCESS;
      if (cancelled) {
        seen.cancelled++;
        expect(answer.jobStatus).toBe(JobStatus.CANCELLED);
        expect(await client.end(jobId)).toBe(JobStatus.CANCELLED);
        expect(await codeOf(client.cuopt.getResult({ jobId }))).toBe(Code.Unavailable);
      } else {
        seen.completed++;
        expect(answer).toMatchObject({
          status: ResponseStatus.ERROR_INVALID_REQUEST,
          jobStatus: JobStatus.COMPLETED,
          message: "Cannot cancel completed job",
        });
        expect([...(await client.result(jobId)).solution!.arrays.get(0)!]).toEqual([round]);
      }
      aim.wasTooEarly(cancelled);
      // Told apart from a state that is still on its way: it stays, whoever looks and however late.
      const { jobStatus, resultSizeBytes } = await client.cuopt.checkStatus({ jobId });
      expect(jobStatus).toBe(cancelled ? JobStatus.CANCELLED : JobStatus.COMPLETED);
      expect(resultSizeBytes > 0n).toBe(!cancelled);
    }
    // Both ends were met, or nothing was raced.
    expect(Math.min(seen.cancelled, seen.completed)).toBeGreaterThan(0);
    const { jobs } = await client.jobs.listJobs({ pageSize: 1000 });
    expect(jobs).toHaveLength(ROUNDS);
    expect(jobs.filter(({ state }) => state === 5)).toHaveLength(seen.cancelled);
    expect(jobs.filter(({ state }) => state === 3)).toHaveLength(seen.completed);
    // The workers are as good as new.
    expect(await client.end(await client.submit(tinyLp(1)))).toBe(JobStatus.COMPLETED);
  });

  it("is decided once, however many cancel at once", async () => {
    await using ground = new Ground();
    const { client } = await ground.start();
    const aim = new Aim();
    for (let round = 0; round < 20; round++) {
      const jobId = await client.submit(tinyLp(round));
      await letPass(aim.delayMs);
      const answers = await Promise.all(Array.from({ length: 5 }, () => client.cuopt.cancelJob({ jobId })));
      expect(new Set(answers.map(({ status }) => status)).size).toBe(1);
      expect(answers.filter(({ message }) => message === "Job cancelled successfully").length).toBeLessThan(2);
      aim.wasTooEarly(answers[0]?.status === ResponseStatus.SUCCESS);
    }
  });
});

describe("delete against finish", () => {
  it(`leaves nothing of any of ${ROUNDS} jobs, and a waiter is let go`, async () => {
    await using ground = new Ground();
    const { client } = await ground.start({ flags: ["--workers", "2", "--queue-limit", "4"] });
    const aim = new Aim();
    for (let round = 0; round < ROUNDS; round++) {
      const jobId = await client.submit(tinyLp(round));
      const waiter = client.end(jobId);
      await letPass(aim.delayMs);
      const early = (await client.status(jobId)) !== JobStatus.COMPLETED;
      const { status } = await client.cuopt.deleteResult({ jobId });
      expect(status).toBe(ResponseStatus.SUCCESS);
      expect([JobStatus.COMPLETED, JobStatus.NOT_FOUND]).toContain(await waiter);
      expect(await client.status(jobId)).toBe(JobStatus.NOT_FOUND);
      expect(await codeOf(client.cuopt.getResult({ jobId }))).toBe(Code.NotFound);
      expect((await client.cuopt.deleteResult({ jobId })).status).toBe(ResponseStatus.ERROR_NOT_FOUND);
      aim.wasTooEarly(early);
    }
    // With four places and so many jobs, each place must have been given back.
    expect(await openJobs(client)).toBe(0);
    await until("the data of the deleted jobs are gone", () => ground.storedBlobs().length === 0);
    expect(await client.end(await client.submit(tinyLp(1)))).toBe(JobStatus.COMPLETED);
  });
});
