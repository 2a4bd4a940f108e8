// Group H: logs.
import { Code } from "@connectrpc/connect";
import { JobStatus, type LogMessage } from "@sortie/wire";
import { expect } from "vitest";
import { overEveryTransport, sharedServer, until } from "./harness.ts";
import { instance, longMip, tinyLp, tinyMip } from "./models.ts";
import { refused, type Session } from "./session.ts";

const server = sharedServer("--workers", "2");
const single = sharedServer("--workers", "1");

/** Each of these is told in a line of its own. */
const withoutEffect = {
  logToConsole: false,
  pdlpSolverMode: 1,
  dualPostsolve: false,
  numGpus: 2,
  eliminateDenseColumns: false,
  pdlpPrecision: 1,
  barrierIterativeRefinement: false,
  barrierStepScale: 0.5,
};

const textsOf = (messages: readonly LogMessage[]): string[] => messages.map((message) => message.line);

/** Every line takes its bytes and one for the newline, so offsets can be foretold. */
function expectOffsets(messages: readonly LogMessage[], from = 0): number {
  let at = from;
  for (const { line, byteOffset } of messages) {
    at += Buffer.byteLength(line, "utf8") + 1;
    expect(Number(byteOffset)).toBe(at);
  }
  return at;
}

/** The log as it comes, until `enough`; then the reader leaves. */
async function follow(session: Session, jobId: string, enough: (lines: LogMessage[]) => boolean) {
  const leaving = new AbortController();
  const lines: LogMessage[] = [];
  const read = async () => {
    for await (const message of session.rpc.streamLogs({ jobId }, { signal: leaving.signal })) {
      lines.push(message);
      if (enough(lines)) leaving.abort();
    }
  };
  await refused(read(), Code.Canceled);
  return lines;
}

overEveryTransport((scenario) => {
  scenario("H1", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.running(longMip());
    const seen: LogMessage[] = [];
    const reading = (async () => {
      for await (const message of session.rpc.streamLogs({ jobId })) seen.push(message);
    })();
    await until(() => seen.length > 5, "lines of the running job");
    expect(await session.state(jobId)).toBe(JobStatus.PROCESSING);
    expect(seen.every((message) => !message.jobComplete)).toBe(true);
    await session.rpc.cancelJob({ jobId });
    await reading;
    expect(seen.at(-1)).toMatchObject({ line: "", jobComplete: true });
    expect(seen.filter((message) => message.jobComplete)).toHaveLength(1);
  });

  scenario("H2", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(tinyMip(2)));
    const { lines } = await session.log(jobId);
    expect(textsOf(lines).join("\n")).toMatch(/HiGHS/);
    expect(lines[0]?.line).toContain(jobId);
    expect((await session.result(jobId)).objective).toBeCloseTo(2, 6);
  });

  scenario("H6", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(instance("afiro")));
    const first = await session.log(jobId);
    expect(first.lines.length).toBeGreaterThan(5);
    expect(Number(first.final.byteOffset)).toBe(expectOffsets(first.lines));
    expect(await session.log(jobId)).toEqual(first);
    // From before the beginning is from the beginning.
    expect(await session.log(jobId, -7)).toEqual(first);
  });

  scenario("H7", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(instance("afiro")));
    const { lines, final } = await session.log(jobId);
    for (const k of [0, 3, lines.length - 1]) {
      const rest = await session.log(jobId, Number(lines[k]?.byteOffset));
      expect(rest).toEqual({ lines: lines.slice(k + 1), final });
    }
    expect(await session.log(jobId, Number(final.byteOffset))).toEqual({ lines: [], final });
  });

  scenario("H8", async ({ connect }) => {
    const session = await connect(server);
    // Many lines at once: every setting without effect is told, and then the solve is over in no time.
    for (let round = 0; round < 5; round++) {
      const jobId = await session.submit(instance("afiro"), { lp: withoutEffect });
      const live = await session.log(jobId);
      const { job } = await session.jobs.getJob({ id: jobId });
      expect(live.final.byteOffset).toBe(job?.logBytes);
      expect(expectOffsets(live.lines)).toBe(Number(job?.logBytes));
      expect(await session.log(jobId)).toEqual(live);
    }
  });

  scenario("H9", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.running(longMip());
    const before = await follow(session, jobId, (lines) => lines.length >= 5);
    await session.rpc.cancelJob({ jobId });
    const { lines, final } = await session.log(jobId);
    expect(lines.slice(0, before.length)).toEqual(before);
    expect(Number(final.byteOffset)).toBe(expectOffsets(lines));
    expect(await session.log(jobId)).toEqual({ lines, final });
  });

  scenario("H10", async ({ connect }) => {
    const session = await connect(single);
    const first = await session.running(longMip());
    const second = await session.submit(tinyLp());
    const seen: LogMessage[] = [];
    const reading = (async () => {
      for await (const message of session.rpc.streamLogs({ jobId: second })) seen.push(message);
    })();
    // Something of another job arrives while this stream stays silent.
    await follow(session, first, (lines) => lines.length >= 5);
    expect(await session.state(second)).toBe(JobStatus.QUEUED);
    expect(seen).toEqual([]);
    await session.rpc.cancelJob({ jobId: first });
    await reading;
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.at(-1)?.jobComplete).toBe(true);
  });

  scenario("H11", async ({ connect, running }) => {
    const session = await connect(server);
    const openStreams = async () => (await running(server)).openStreams();
    const jobId = await session.running(longMip());
    await follow(session, jobId, (lines) => lines.length >= 1);
    expect(await session.state(jobId)).toBe(JobStatus.PROCESSING);
    await until(async () => (await openStreams()) === 0, "the server has ended the stream that its reader left");
    const staying = session.log(jobId);
    await until(async () => (await openStreams()) === 1, "another stream is open");
    await session.rpc.cancelJob({ jobId });
    await staying;
  });

  scenario("H12", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.submit(instance("p0201"));
    const live = await session.log(jobId);
    expect(await session.state(jobId)).toBe(JobStatus.COMPLETED);
    expect(await session.log(jobId)).toEqual(live);
  });

  scenario("H13", async ({ connect }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(tinyLp({ problemName: "Größe-模型" })));
    const { lines, final } = await session.log(jobId);
    const at = lines.findIndex(({ line }) => line.includes("Größe-模型"));
    expect(at).toBeGreaterThanOrEqual(0);
    expect(Number(final.byteOffset)).toBe(expectOffsets(lines));
    const rest = await session.log(jobId, Number(lines[at]?.byteOffset));
    expect(rest.lines).toEqual(lines.slice(at + 1));
    // Inside a character, where no client was ever told to resume: still text, still to the end.
    const inside = Number(lines[at]?.byteOffset) - Buffer.byteLength("模型", "utf8");
    expect((await session.log(jobId, inside)).final).toEqual(final);
  });

  scenario("H14", async ({ connect, running }) => {
    const session = await connect(server);
    const jobId = await session.completed(await session.submit(tinyLp()));
    const { log } = await running(server);
    expect(log).not.toBe("");
    await until(async () => {
      const events = (await running(server)).log.split("\n").filter((line) => line.includes(jobId));
      return events.some((line) => /Queued/.test(line)) && events.some((line) => /Completed/.test(line));
    }, "the server's log notes the job's submission and completion");
  });
});
