// Group L: restart and failure.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobStatus } from "@sortie/wire";
import { expect, onTestFinished } from "vitest";
import { overEveryTransport, spawnSortie, until } from "./harness.ts";
import { AFIRO_OBJECTIVE, afiro, chunksOf, longMip, TINY_LP_OBJECTIVE, tinyLp } from "./models.ts";
import { expectSame, type Session } from "./session.ts";

async function expectAfiro(session: Session, jobId: string): Promise<void> {
  const solution = await session.result(await session.completed(jobId));
  expect(solution.objective / AFIRO_OBJECTIVE).toBeCloseTo(1, 9);
}

overEveryTransport((scenario) => {
  scenario("L1", async ({ startServer, connect }) => {
    const server = await startServer();
    const { port } = server;
    const before = await connect(server);
    await before.completed(await before.submit(tinyLp()));
    expect(await server.stop()).toBe(0);
    await server.start();
    expect(server.port).toBe(port);
    const after = await connect(server);
    expect((await after.solved(tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("L3", async ({ startServer, connect }) => {
    const server = await startServer();
    await server.stop();
    await server.start();
    const session = await connect(server);
    await expectAfiro(session, await session.upload(afiro(), 1024));
  });

  scenario("L4", async ({ startServer, connect }) => {
    const server = await startServer();
    const before = await connect(server);
    const done = await before.completed(await before.submit(afiro()));
    const result = await before.result(done);
    const log = await before.log(done);
    const cancelled = await before.running(longMip());
    await before.rpc.cancelJob({ jobId: cancelled });
    const running = await before.running(longMip(), true);
    const queued = await before.submit(tinyLp());
    // Not even a word of farewell.
    await server.kill();
    await server.start();
    const after = await connect(server);
    expect(await after.state(done)).toBe(JobStatus.COMPLETED);
    expectSame(result, await after.result(done));
    expect(await after.log(done)).toEqual(log);
    expect(await after.state(cancelled)).toBe(JobStatus.CANCELLED);
    await after.reaches(running, JobStatus.PROCESSING);
    await after.rpc.cancelJob({ jobId: running });
    await after.completed(queued);
    for (const jobId of [done, cancelled, running, queued]) after.own(jobId);
  });

  scenario("L5", async ({ startServer, connect }) => {
    const server = await startServer("--max-attempts", "2");
    const session = await connect(server);
    const jobId = await session.running(longMip(), true);
    const kill = async (attempt: number) => {
      await until(async () => {
        const { job } = await session.jobs.getJob({ id: jobId });
        return job?.attempt === attempt && (await session.state(jobId)) === JobStatus.PROCESSING;
      }, `attempt ${attempt} runs`);
      process.kill(await server.workerOf(jobId), "SIGKILL");
    };
    await kill(1);
    await kill(2);
    const end = await session.rpc.waitForCompletion({ jobId });
    expect(end.jobStatus).toBe(JobStatus.FAILED);
    expect(end.message).toMatch(/^Worker process died unexpectedly \(2 attempts/);
    expect((await session.solved(tinyLp())).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });

  scenario("L6", async ({ startServer, connect }) => {
    const server = await startServer();
    const chunks = chunksOf(afiro(), 256);
    const half = Math.floor(chunks.length / 2);
    const before = await connect(server);
    const uploadId = await before.startUpload(afiro());
    await before.sendAll(uploadId, chunks.slice(0, half));
    await server.kill();
    await server.start();
    const after = await connect(server);
    // The answer to the last chunk might have been lost: the same chunk again is harmless.
    expect(await after.send(uploadId, chunks[half - 1]!)).toBe(half);
    await after.sendAll(uploadId, chunks.slice(half));
    await expectAfiro(after, await after.finish(uploadId));
  });

  scenario("L7", async ({ startServer }) => {
    const server = await startServer();
    const dataDir = mkdtempSync(join(tmpdir(), "sortie-conformance-"));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const second = spawnSortie(["serve", "--port", String(server.port), "--data", dataDir]);
    onTestFinished(() => void second.kill("SIGKILL"));
    let message = "";
    second.stderr?.setEncoding("utf8").on("data", (text: string) => {
      message += text;
    });
    const [code] = await once(second, "close");
    expect(code).toBe(1);
    expect(message).toContain(`127.0.0.1:${server.port}`);
    expect(message).toMatch(/taken/);
  });

  scenario("L8", async ({ startServer, connect }) => {
    const idle = await startServer();
    expect(await idle.stop()).toBe(0);
    const server = await startServer("--workers", "1");
    const before = await connect(server);
    const running = await before.running(longMip(), true);
    const queued = await before.submit(tinyLp());
    await until(async () => (await before.incumbents(running)).length > 0, "the first incumbent");
    const found = await before.incumbents(running);
    expect(await server.stop()).toBe(0);
    await server.start();
    const after = await connect(server);
    after.own(running);
    after.own(queued);
    await after.reaches(running, JobStatus.PROCESSING);
    expect((await after.incumbents(running)).slice(0, found.length)).toEqual(found);
    expect(await after.state(queued)).toBe(JobStatus.QUEUED);
    await after.rpc.cancelJob({ jobId: running });
    expect((await after.result(await after.completed(queued))).objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
  });
});
