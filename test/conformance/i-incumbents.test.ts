// Group I: incumbents.
import { JobStatus, ResponseStatus } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer, until } from "./harness.ts";
import { instance, longMip, type Model, tinyLp } from "./models.ts";
import type { Session } from "./session.ts";

const server = sharedServer("--workers", "2");

/** Several incumbents within seconds, minimised. */
const severalIncumbents = (): Model => instance("p0201");

async function solvedWithIncumbents(session: Session): Promise<string> {
  return session.completed(await session.submit(severalIncumbents(), { incumbents: true }));
}

/** c·x + offset, to compare with the objective that came along. */
function objectiveOf(model: Model, values: readonly number[]): number {
  const c = model.arrays.c ?? new Float64Array();
  return values.reduce((sum, value, j) => sum + value * (c[j] ?? 0), model.objectiveOffset ?? 0);
}

overEveryTransport((scenario) => {
  scenario("I2", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await solvedWithIncumbents(session);
    const { nextIndex, incumbents } = await session.rpc.getIncumbents({ jobId });
    expect(nextIndex).toBe(BigInt(incumbents.length));
    const again = await session.rpc.getIncumbents({ jobId, fromIndex: nextIndex });
    expect(again).toMatchObject({ incumbents: [], nextIndex });
  });

  scenario("I4", async ({ connect }) => {
    const session = await connect(server);
    const model = severalIncumbents();
    const jobId = await session.completed(await session.submit(model, { incumbents: true }));
    const incumbents = await session.incumbents(jobId);
    expect(incumbents.length).toBeGreaterThan(0);
    incumbents.forEach((incumbent, i) => {
      expect(incumbent).toMatchObject({ index: BigInt(i), jobId });
      expect(incumbent.assignment).toHaveLength(201);
      expect(objectiveOf(model, incumbent.assignment)).toBeCloseTo(incumbent.objective, 4);
      const before = incumbents[i - 1];
      if (before) expect(incumbent.objective).toBeLessThanOrEqual(before.objective + 1e-6);
    });
    expect(incumbents.at(-1)?.objective).toBeCloseTo((await session.result(jobId)).objective, 4);
  });

  scenario("I5", async ({ connect }) => {
    const session = await connect(server);
    const started = performance.now();
    const jobId = await session.running(longMip(), true);
    await until(async () => (await session.incumbents(jobId)).length > 0, "the first incumbent");
    expect((await session.rpc.cancelJob({ jobId })).status).toBe(ResponseStatus.SUCCESS);
    expect((await session.rpc.waitForCompletion({ jobId })).jobStatus).toBe(JobStatus.CANCELLED);
    expect(performance.now() - started).toBeLessThan(25_000);
  });

  scenario("I6", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await solvedWithIncumbents(session);
    const all = await session.incumbents(jobId);
    const paged: typeof all = [];
    for (let fromIndex = 0n; ; ) {
      const page = await session.rpc.getIncumbents({ jobId, fromIndex, maxCount: 1 });
      expect(page.jobComplete).toBe(true);
      if (page.incumbents.length === 0) break;
      expect(page.incumbents).toHaveLength(1);
      expect(page.nextIndex).toBe(fromIndex + 1n);
      paged.push(...page.incumbents);
      fromIndex = page.nextIndex;
    }
    expect(paged).toEqual(all);
  });

  scenario("I7", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await solvedWithIncumbents(session);
    const all = await session.incumbents(jobId);
    expect(await session.incumbents(jobId, -3)).toEqual(all);
    expect(await session.incumbents(jobId, 0, -1)).toEqual(all);
    const beyond = await session.rpc.getIncumbents({ jobId, fromIndex: 1000n });
    expect(beyond).toMatchObject({ incumbents: [], nextIndex: BigInt(all.length), jobComplete: true });
  });

  scenario("I8", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(severalIncumbents(), { incumbents: false }));
    expect(await session.rpc.getIncumbents({ jobId })).toMatchObject({
      incumbents: [],
      nextIndex: 0n,
      jobComplete: true,
    });
  });

  scenario("I9", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(severalIncumbents()));
    expect((await session.incumbents(jobId)).length).toBeGreaterThan(0);
  });

  scenario("I10", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.running(longMip(), true);
    const running = await until(async () => {
      const answer = await session.rpc.getIncumbents({ jobId });
      return answer.incumbents.length > 0 && answer;
    }, "the first incumbent");
    expect(running.jobComplete).toBe(false);
    await session.rpc.cancelJob({ jobId });
    const after = await session.rpc.getIncumbents({ jobId });
    expect(after.jobComplete).toBe(true);
    expect(after.incumbents.slice(0, running.incumbents.length)).toEqual(running.incumbents);
    const done = await solvedWithIncumbents(session);
    expect((await session.rpc.getIncumbents({ jobId: done })).jobComplete).toBe(true);
  });

  scenario("I11", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(tinyLp()));
    expect(await session.rpc.getIncumbents({ jobId })).toMatchObject({ incumbents: [], nextIndex: 0n });
  });

  scenario("I13", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.submit(severalIncumbents(), { incumbents: true });
    const streamed: unknown[] = [];
    let fromIndex = 0n;
    await until(async () => {
      const answer = await session.rpc.getIncumbents({ jobId, fromIndex });
      streamed.push(...answer.incumbents);
      fromIndex = answer.nextIndex;
      return answer.jobComplete && answer.incumbents.length === 0;
    }, "the list is drained and the job complete");
    expect(streamed.length).toBeGreaterThan(0);
    expect(streamed).toEqual(await session.incumbents(jobId));
  });
});
