// Rules of waiting: two styles, the feeds on the way, timeouts, and who is asked again.
import { Code, ConnectError } from "@connectrpc/connect";
import { JobStatus, ResponseStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { JobEndedError, TimeoutError } from "./errors.ts";
import type { LogLine } from "./feeds.ts";
import { type Answers, connected, never } from "./testing/scripted.ts";

const completed = () => ({ jobStatus: JobStatus.COMPLETED, resultSizeBytes: 16n });

describe.each(["waiting", "polling"] as const)("%s", (style) => {
  /** Each answer of the server, in the style's own method; the last one for ever. */
  const answering = (...answers: (() => { jobStatus: JobStatus; message?: string; resultSizeBytes?: bigint })[]) => {
    const next = () => ((answers.length > 1 ? answers.shift() : answers[0]) as (typeof answers)[0])();
    return { checkStatus: next, waitForCompletion: next } satisfies Answers;
  };
  const asked = style === "waiting" ? "WaitForCompletion" : "CheckStatus";
  const options = { style, pollMs: 1 };

  it("ends with the report of the completed job", async () => {
    const { client } = await connected(answering(completed));
    expect(await client.wait("j", options)).toMatchObject({ state: "completed", resultSizeBytes: 16 });
  });

  it("asks again while the job goes on", async () => {
    const { client, calls } = await connected(
      answering(
        () => ({ jobStatus: JobStatus.QUEUED }),
        () => ({ jobStatus: JobStatus.PROCESSING }),
        completed,
      ),
    );
    await client.wait("j", options);
    expect(calls).toEqual([asked, asked, asked]);
  });

  it.each([
    [JobStatus.FAILED, "Job failed: Out of GPU memory", "failed", "Out of GPU memory"],
    [JobStatus.FAILED, "Out of GPU memory", "failed", "Out of GPU memory"],
    [JobStatus.CANCELLED, "", "cancelled", "job j was cancelled"],
    [JobStatus.NOT_FOUND, "", "not-found", "the server does not know job j"],
    [999 as JobStatus, "", "not-found", "the server does not know job j"],
  ])("of a job in state %i %j is an error that says so", async (jobStatus, message, state, text) => {
    const { client, calls } = await connected(answering(() => ({ jobStatus, message })));
    const error = await client.wait("j", options).catch((fault) => fault);
    expect(error).toBeInstanceOf(JobEndedError);
    expect(error).toMatchObject({ state, message: text, jobId: "j" });
    expect(calls).toHaveLength(1);
  });

  it("ends with the first fault of a server that is not Sortie", async () => {
    const away = () => {
      throw new ConnectError("away", Code.Unavailable);
    };
    const { client, calls } = await connected(answering(away, completed));
    await expect(client.wait("j", options)).rejects.toMatchObject({ code: "unavailable" });
    expect(calls).toHaveLength(1);
  });

  it("goes on when Sortie was away", async () => {
    const away = () => {
      throw new ConnectError("away", Code.Unavailable);
    };
    const { client } = await connected(answering(away, away, completed), { sortie: true });
    expect(await client.wait("j", options)).toMatchObject({ state: "completed" });
  });

  it("does not go on when Sortie refuses", async () => {
    const refused = () => {
      throw new ConnectError("not yours", Code.PermissionDenied);
    };
    const { client, calls } = await connected(answering(refused), { sortie: true });
    await expect(client.wait("j", options)).rejects.toMatchObject({ code: "permission-denied" });
    expect(calls).toHaveLength(1);
  });

  it("times out after the caller's own time, and leaves the job alone", async () => {
    const { client, calls } = await connected(answering(() => ({ jobStatus: JobStatus.PROCESSING })));
    const error = await client.wait("j", { ...options, timeoutMs: 30 }).catch((fault) => fault);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.message).toMatch(/^timeout: job j has not ended within 0.03 s/);
    expect(new Set(calls)).toEqual(new Set([asked]));
  });

  it("stops at once when it is aborted", async () => {
    const leaving = new AbortController();
    const reason = new Error("enough");
    const { client } = await connected(
      answering(() => {
        leaving.abort(reason);
        return { jobStatus: JobStatus.QUEUED };
      }),
    );
    await expect(client.wait("j", { ...options, signal: leaving.signal })).rejects.toBe(reason);
  });

  it("tells the log to its end", async () => {
    const { client } = await connected({
      ...answering(completed),
      async *streamLogs() {
        yield { line: "one", byteOffset: 4n };
        yield { line: "", byteOffset: 4n };
        yield { line: "two", byteOffset: 8n, jobComplete: true };
      },
    });
    const lines: LogLine[] = [];
    await client.wait("j", { ...options, onLog: (line) => void lines.push(line) });
    expect(lines.map(({ text }) => text)).toEqual(["one", "two"]);
  });

  it("does not mind a log that cannot be read", async () => {
    const { client } = await connected({
      ...answering(completed),
      streamLogs: () => {
        throw new ConnectError("no log", Code.NotFound);
      },
    });
    expect(await client.wait("j", { ...options, onLog: () => {} })).toMatchObject({ state: "completed" });
  });

  it("goes on without the log when its callback says stop", async () => {
    const { promise: left, resolve } = Promise.withResolvers<void>();
    const { client } = await connected({
      async checkStatus() {
        await left;
        return completed();
      },
      async waitForCompletion() {
        await left;
        return completed();
      },
      async *streamLogs(_, { signal }) {
        signal.addEventListener("abort", () => resolve(), { once: true });
        for (let at = 0n; ; at++) yield { line: "again", byteOffset: at };
      },
    });
    let lines = 0;
    const onLog = () => {
      lines++;
      return "stop";
    };
    expect(await client.wait("j", { ...options, onLog })).toMatchObject({ state: "completed" });
    expect(lines).toBe(1);
  });

  it("tells incumbents that came between the last look and the end, each once", async () => {
    let over = false;
    const end = () => {
      over = true;
      return completed();
    };
    const { client } = await connected({
      checkStatus: end,
      waitForCompletion: end,
      getIncumbents({ fromIndex }) {
        const incumbents = [{ index: 0n, objective: 5 }, ...(over ? [{ index: 1n, objective: 4 }] : [])];
        return { incumbents: incumbents.slice(Number(fromIndex)), nextIndex: over ? 2n : 1n };
      },
    });
    const objectives: number[] = [];
    await client.wait("j", { ...options, onIncumbent: ({ objective }) => void objectives.push(objective) });
    expect(objectives).toEqual([5, 4]);
  });

  it("does not mind a look for incumbents that fails", async () => {
    let looks = 0;
    const { client } = await connected({
      ...answering(completed),
      getIncumbents() {
        if (looks++ === 0) throw new ConnectError("away", Code.Unavailable);
        return { incumbents: looks === 2 ? [{ index: 0n, objective: 5 }] : [], nextIndex: 1n };
      },
    });
    const objectives: number[] = [];
    await client.wait("j", { ...options, onIncumbent: ({ objective }) => void objectives.push(objective) });
    expect(objectives).toEqual([5]);
  });

  it("cancels the job when the callback of incumbents says stop", async () => {
    const { client, calls } = await connected({
      checkStatus: () => ({ jobStatus: JobStatus.PROCESSING }),
      waitForCompletion: never,
      getIncumbents: () => ({ incumbents: [{ index: 0n, objective: 5 }], nextIndex: 1n }),
      cancelJob: () => ({ status: ResponseStatus.SUCCESS, jobStatus: JobStatus.CANCELLED }),
    });
    const error = await client.wait("j", { ...options, onIncumbent: () => "stop" }).catch((fault) => fault);
    expect(error).toBeInstanceOf(JobEndedError);
    expect(error).toMatchObject({ state: "cancelled", message: "cancelled by incumbent callback" });
    expect(calls.filter((name) => name === "CancelJob")).toHaveLength(1);
  });

  it.each(["onLog", "onIncumbent"] as const)("ends with the error of a callback %s", async (name) => {
    const { client } = await connected({
      checkStatus: () => ({ jobStatus: JobStatus.PROCESSING }),
      waitForCompletion: never,
      getIncumbents: () => ({ incumbents: [{ index: 0n, objective: 5 }], nextIndex: 1n }),
      async *streamLogs() {
        yield { line: "one", byteOffset: 4n };
      },
    });
    const fault = new Error("my own mistake");
    const failing = async () => {
      throw fault;
    };
    await expect(client.wait("j", { ...options, [name]: failing })).rejects.toBe(fault);
  });
});

it("a client that is closed ends the pauses of its waits too", async () => {
  const { client, calls } = await connected({});
  const refused = expect(client.wait("j", { style: "polling", pollMs: 3_600_000 })).rejects.toThrow(
    "the client is closed",
  );
  await client.close();
  await refused;
  expect(calls).toEqual([]);
});

it("polling sleeps before it asks", async () => {
  const { client, calls } = await connected({ checkStatus: completed });
  const leaving = new AbortController();
  const waiting = client.wait("j", { style: "polling", pollMs: 3_600_000, signal: leaving.signal });
  const refused = expect(waiting).rejects.toThrow("enough");
  // Long enough for a call that is not slept before.
  await client.status("other");
  leaving.abort(new Error("enough"));
  await refused;
  expect(calls).toEqual(["CheckStatus"]);
});
