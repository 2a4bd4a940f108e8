// A server that is asked to stop, and a second server where one is already.
import { Code, ConnectError } from "@connectrpc/connect";
import { JobStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { Ground, until } from "./harness.ts";
import { hardMip, tinyLp } from "./problems.ts";

describe("SIGTERM", () => {
  it("ends a server with a running job with exit code 0, and the job goes on", async () => {
    await using ground = new Ground();
    const first = await ground.start();
    const jobId = await first.client.submit(hardMip(), { timeLimitSeconds: 8 });
    await first.client.running(jobId);
    const waiter = first.client.end(jobId);
    const log = first.client.cuopt.streamLogs({ jobId })[Symbol.asyncIterator]();
    const firstLine = log.next();
    const follow = async () => {
      let line = await firstLine;
      while (!line.done) line = await log.next();
    };
    const ends = Promise.allSettled([waiter, follow()]);
    // Both calls are with the server: they were sent in this order.
    await firstLine;
    const worker = await ground.worker();
    expect(await first.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    for (const end of await ends) {
      if (end.status === "fulfilled")
        throw new Error("a call that waited for the job ended as if it had come to its end");
      expect(ConnectError.from(end.reason).code).toBe(Code.Unavailable);
    }
    expect(ground.workers()).toEqual([worker]);

    const { client } = await ground.start();
    expect(await client.status(jobId)).toBe(JobStatus.PROCESSING);
    expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
    expect(await client.job(jobId)).toMatchObject({ attempt: 1, failure: "" });
  });

  it("ends an idle server and all its workers", async () => {
    await using ground = new Ground();
    const server = await ground.start({ flags: ["--workers", "2"] });
    await until("both workers are there", () => ground.workers().length === 2);
    expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    await until("the workers have left", () => ground.workers().length === 0);
  });

  it("that reaches a worker gives its job back, which is no attempt of it", async () => {
    await using ground = new Ground();
    const { client } = await ground.start({ flags: ["--max-attempts", "1"] });
    const jobId = await client.submit(hardMip(), { timeLimitSeconds: 3 });
    await client.running(jobId);
    process.kill(await ground.worker(), "SIGTERM");
    expect(await client.end(jobId)).toBe(JobStatus.COMPLETED);
    expect((await client.job(jobId)).attempt).toBe(2);
  });
});

describe("a second server on one data directory", () => {
  it("is refused with a text that names the first, which goes on", async () => {
    await using ground = new Ground();
    const first = await ground.start();
    const { code, text } = await ground.startInVain();
    expect(code).toBe(1);
    expect(text).toContain(`is in use by the server with process id ${first.pid}`);
    expect(text).toContain("choose another --data");
    const jobId = await first.client.submit(tinyLp(2));
    expect(await first.client.end(jobId)).toBe(JobStatus.COMPLETED);
  });

  it("is let in as soon as the first was killed", async () => {
    await using ground = new Ground();
    for (let round = 0; round < 3; round++) {
      const server = await ground.start();
      await server.stop("SIGKILL");
    }
    const { client } = await ground.start();
    expect(await client.end(await client.submit(tinyLp(2)))).toBe(JobStatus.COMPLETED);
  });
});
