// Group J: a client and a server that answers as no server should, or not at all.
import { Code } from "@connectrpc/connect";
import type { SortieClient, WaitOptions } from "@sortie/client";
import { JobEndedError, RemoteError, TimeoutError, TransferFaultError } from "@sortie/client";
import { JobStatus, ResponseStatus } from "@sortie/wire";
import { describe, expect } from "vitest";
import { tinyLp } from "../conformance/models.ts";
import { clientOf, faultOf, PROTOCOLS, scenario, until } from "./harness.ts";
import {
  COMPLETED,
  cancels,
  deletes,
  lpSolution,
  messageOf,
  mipSolution,
  PROCESSING,
  sliced,
  submits,
  whole,
} from "./messages.ts";
import { type Call, fault, type Script, type ScriptedServer, scriptedServer } from "./scripted-server.ts";

const unavailable = fault(Code.Unavailable, "the server is busy");
const internal = fault(Code.Internal, "the disk is on fire");
const late = fault(Code.DeadlineExceeded, "too late");
const problem = messageOf(tinyLp());
const lp = lpSolution([1.6, 1.2], 2.8);

/** Expects a failure with this code and text. */
async function refused(promise: Promise<unknown>, code: string, text: string): Promise<void> {
  const error = await faultOf(promise);
  expect(error).toBeInstanceOf(RemoteError);
  expect(error).toMatchObject({ code });
  expect(error.message).toContain(text);
}

describe.each(PROTOCOLS)("over %s", (protocol) => {
  const pair = async (script: Script): Promise<{ server: ScriptedServer; client: SortieClient }> => {
    const server = await scriptedServer(script, { protocol });
    return { server, client: await clientOf(server) };
  };

  scenario("J1", async () => {
    const states = [JobStatus.QUEUED, JobStatus.PROCESSING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED];
    const checkStatus = [...states, JobStatus.NOT_FOUND].map((jobStatus) => ({
      jobStatus,
      message: `state ${jobStatus}`,
      resultSizeBytes: jobStatus === JobStatus.COMPLETED ? 2048n : 0n,
      maxMessageBytes: 5_000_000n,
    }));
    const { client } = await pair({ checkStatus });
    const reports = [];
    for (const _ of checkStatus) reports.push(await client.status("job-1"));
    const words = ["queued", "processing", "completed", "failed", "cancelled", "not-found"];
    expect(reports.map(({ state }) => state)).toEqual(words);
    expect(reports.map(({ resultSizeBytes }) => resultSizeBytes)).toEqual([0, 0, 2048, 0, 0, 0]);
    expect(reports.map(({ message }) => message)).toEqual(checkStatus.map(({ message }) => message));
    expect(new Set(reports.map(({ maxMessageBytes }) => maxMessageBytes))).toEqual(new Set([5_000_000]));
  });

  scenario("J2", async () => {
    const { server, client } = await pair({ checkStatus: [unavailable, internal, COMPLETED] });
    await refused(client.status("job-1"), "unavailable", "the server is busy");
    expect(server.methods).toEqual(["checkStatus"]);
    await refused(client.status("job-1"), "internal", "the disk is on fire");
    expect(server.methods).toEqual(["checkStatus", "checkStatus"]);
  });

  scenario("J3", async () => {
    const { client } = await pair({ checkStatus: [unavailable, COMPLETED] });
    await refused(client.status("job-1"), "unavailable", "the server is busy");
    expect(client.connected).toBe(true);
    expect(await client.status("job-1")).toMatchObject({ state: "completed" });
  });

  scenario("J4", async () => {
    const jobStatus = 999 as JobStatus;
    const { client } = await pair({ checkStatus: [{ jobStatus }], waitForCompletion: [{ jobStatus }] });
    expect(await client.status("job-1")).toMatchObject({ state: "not-found" });
    expect(await client.waitForCompletion("job-1")).toMatchObject({ state: "not-found" });
  });

  scenario("J5", async () => {
    const { server, client } = await pair({ cancelJob: [unavailable, late] });
    await refused(client.cancel("job-1"), "unavailable", "the server is busy");
    await refused(client.cancel("job-1"), "deadline-exceeded", "too late");
    expect(server.methods).toEqual(["cancelJob", "cancelJob"]);
  });

  scenario("J6", async () => {
    const unknown = { status: ResponseStatus.ERROR_NOT_FOUND, message: "Job not found: job-1" };
    const { server, client } = await pair({ deleteResult: [internal, unknown] });
    await refused(client.delete("job-1"), "internal", "the disk is on fire");
    expect(await client.delete("job-1")).toEqual({ deleted: false, message: "Job not found: job-1" });
    expect(server.methods).toEqual(["deleteResult", "deleteResult"]);
  });

  scenario("J7", async () => {
    const { client } = await pair({
      waitForCompletion: [
        { jobStatus: JobStatus.COMPLETED, resultSizeBytes: 2048n },
        { jobStatus: JobStatus.FAILED, message: "Out of GPU memory" },
        { jobStatus: JobStatus.CANCELLED, message: "Job was cancelled" },
        late,
        { jobStatus: JobStatus.COMPLETED, message: "" },
      ],
    });
    const wait = () => client.waitForCompletion("job-1");
    expect(await wait()).toMatchObject({ state: "completed", resultSizeBytes: 2048 });
    expect(await wait()).toMatchObject({ state: "failed", message: "Out of GPU memory" });
    expect(await wait()).toMatchObject({ state: "cancelled", message: "Job was cancelled" });
    await refused(wait(), "deadline-exceeded", "too late");
    expect(await wait()).toMatchObject({ state: "completed", message: "" });
  });

  scenario("J8", async () => {
    const running = fault(Code.Unavailable, "Result not ready");
    const { server, client } = await pair({ checkStatus: () => PROCESSING, getResult: [internal, running] });
    await refused(client.result("job-1"), "internal", "the disk is on fire");
    await refused(client.result("job-1"), "unavailable", "Result not ready");
    expect(server.callsOf("getResult")).toHaveLength(2);
  });

  scenario("J8", "a failed job's reason", async () => {
    const failed = { status: ResponseStatus.ERROR_SOLVE_FAILED, errorMessage: "Out of GPU memory" };
    const { client } = await pair({ checkStatus: () => ({ jobStatus: JobStatus.FAILED }), getResult: [failed] });
    const error = await faultOf(client.result("job-1"));
    expect(error).toBeInstanceOf(JobEndedError);
    expect(error).toMatchObject({ state: "failed" });
    expect(error.message).toContain("Out of GPU memory");
  });

  scenario("J9", async () => {
    const { server, client } = await pair({ submitJob: [{ jobId: "job-7" }, unavailable, { jobId: "" }] });
    expect(await client.submit(problem)).toBe("job-7");
    await refused(client.submit(problem), "unavailable", "the server is busy");
    expect((await faultOf(client.submit(problem))).message).toMatch(/without an id|empty|no job id/);
    expect(server.methods).toEqual(["submitJob", "submitJob", "submitJob"]);
  });

  scenario("J13", async () => {
    const script = { ...submits, ...deletes, checkStatus: () => COMPLETED, waitForCompletion: () => COMPLETED };
    const { client } = await pair({ ...script, getResult: () => whole(mipSolution([1, 1])) });
    const error = await faultOf(client.solve(problem, { pollMs: 1 }));
    expect(error).toBeInstanceOf(TransferFaultError);
    expect(error.message).toMatch(/mixed-integer program.*linear program/);
  });

  scenario("J14", async () => {
    const { client } = await pair({
      checkStatus: () => COMPLETED,
      getResult: [{ status: ResponseStatus.SUCCESS }],
    });
    expect((await faultOf(client.result("job-1"))).message).toMatch(/no solution/);
  });
});

scenario("J9", "an empty id after an upload in chunks", async () => {
  const server = await scriptedServer({
    startChunkedUpload: () => ({ uploadId: "upload-1", maxMessageBytes: 4096n }),
    sendArrayChunk: ({ uploadId }) => ({ uploadId }),
    finishChunkedUpload: () => ({ jobId: "" }),
  });
  const client = await clientOf(server, { unaryUpToBytes: 0 });
  expect((await faultOf(client.submit(problem))).message).toMatch(/without an id|empty|no job id/);
});

/** The styles of waiting: each must behave the same. */
const STYLES: readonly WaitOptions[] = [{ style: "polling", pollMs: 1 }, { style: "waiting" }];

/** A job that takes a few polls to reach its end. */
function ending(end: { readonly jobStatus: JobStatus; readonly message?: string }, polls = 4): Script {
  return {
    ...submits,
    ...deletes,
    checkStatus: () => (polls-- > 0 ? PROCESSING : end),
    waitForCompletion: () => end,
    getResult: () => whole(lp),
  };
}

for (const style of STYLES) {
  const words = String(style.style);

  scenario("J2", `${words} in a solve against the original`, async () => {
    const failing = () => {
      throw unavailable;
    };
    const server = await scriptedServer({ ...submits, checkStatus: failing, waitForCompletion: failing });
    await refused((await clientOf(server)).solve(problem, style), "unavailable", "the server is busy");
    const asks = style.style === "polling" ? "checkStatus" : "waitForCompletion";
    expect(server.methods).toEqual(["submitJob", asks]);
  });

  scenario("J10", words, async () => {
    const server = await scriptedServer(ending(COMPLETED));
    const { result } = await (await clientOf(server)).solve(problem, style);
    expect(result).toMatchObject({ kind: "lp", scalars: { primalObjective: 2.8 } });
    expect(server.callsOf("submitJob")).toHaveLength(1);
    expect(server.callsOf("getResult")).toHaveLength(1);
    expect(server.requestsOf("deleteResult")).toMatchObject([{ jobId: "job-1" }]);
    expect(server.methods.at(-1)).toBe("deleteResult");
    if (style.style === "polling") expect(server.callsOf("checkStatus").length).toBeGreaterThanOrEqual(5);
  });

  scenario("J11", words, async () => {
    const message = style.style === "polling" ? "Job failed: Out of GPU memory" : "Out of GPU memory";
    const server = await scriptedServer(ending({ jobStatus: JobStatus.FAILED, message }));
    const error = await faultOf((await clientOf(server)).solve(problem, style));
    expect(error).toBeInstanceOf(JobEndedError);
    expect(error).toMatchObject({ state: "failed" });
    expect(error.message).toContain("Out of GPU memory");
    expect(server.methods).not.toContain("getResult");
    // The job is kept: somebody may want to look at it.
    expect(server.methods).not.toContain("deleteResult");
  });

  scenario("J12", words, async () => {
    const submitJob = () => {
      throw fault(Code.ResourceExhausted, "Job queue full");
    };
    for (const sortieVersion of [undefined, "0.1.0"]) {
      const server = await scriptedServer({ submitJob }, { sortieVersion });
      await refused((await clientOf(server)).solve(problem, style), "resource-exhausted", "Job queue full");
      expect(server.methods).toEqual(["submitJob"]);
    }
  });

  scenario("J15", words, async () => {
    const server = await scriptedServer(ending({ jobStatus: JobStatus.NOT_FOUND, message: "Job ID not found" }));
    const error = await faultOf((await clientOf(server)).solve(problem, style));
    expect(error).toBeInstanceOf(JobEndedError);
    expect(error).toMatchObject({ state: "not-found" });
    expect(error.message).toContain("job-1");
    expect(server.methods).not.toContain("getResult");
    expect(server.methods).not.toContain("deleteResult");
  });

  scenario("J16", words, async () => {
    const server = await scriptedServer({
      ...submits,
      ...cancels,
      checkStatus: () => PROCESSING,
      // Until the client leaves.
      waitForCompletion: (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", reject)),
    });
    const client = await clientOf(server);
    const error = await faultOf(client.solve(problem, { ...style, timeoutMs: 100 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.message).toContain("job-1");
    expect(server.methods).not.toContain("cancelJob");
    expect(server.methods).not.toContain("deleteResult");
    expect(await client.cancel("job-1")).toMatchObject({ cancelled: true, state: "cancelled" });
  });
}

scenario("J3", "a helper repeats what is transient, against Sortie only", async () => {
  const script = (): Script => {
    const checkStatus = [unavailable, PROCESSING, COMPLETED, COMPLETED];
    let statuses = 0;
    let submissions = 0;
    return {
      ...deletes,
      submitJob: () => {
        if (submissions++ === 0) throw unavailable;
        return { jobId: "job-1" };
      },
      checkStatus: () => {
        const answer = checkStatus[statuses++] ?? COMPLETED;
        if (answer instanceof Error) throw answer;
        return answer;
      },
      getResult: () => whole(lp),
    };
  };
  const stock = await scriptedServer(script());
  await refused((await clientOf(stock)).solve(problem, { style: "polling", pollMs: 1 }), "unavailable", "busy");
  expect(stock.methods).toEqual(["submitJob"]);

  const sortie = await scriptedServer(script(), { sortieVersion: "0.1.0" });
  const { result } = await (await clientOf(sortie)).solve(problem, { style: "polling", pollMs: 1 });
  expect(result.kind).toBe("lp");
  const keys = sortie.callsOf("submitJob").map(({ header }) => header.get("idempotency-key"));
  expect(keys).toHaveLength(2);
  expect(keys[0]).toMatch(/./);
  expect(keys[1]).toBe(keys[0]);
});

scenario("J10", "polling waits before it asks for the first time", async () => {
  const server = await scriptedServer({ ...ending(COMPLETED), ...cancels });
  const client = await clientOf(server);
  const leaving = new AbortController();
  const waited = faultOf(client.wait("job-1", { style: "polling", pollMs: 3_600_000, signal: leaving.signal }));
  await client.cancel("job-2");
  expect(server.methods).toEqual(["cancelJob"]);
  leaving.abort(new Error("enough"));
  expect(await waited).toMatchObject({ message: "enough" });
});

scenario("J10", "a deletion that fails does not cost the result", async () => {
  const server = await scriptedServer({ ...ending(COMPLETED), deleteResult: [internal] });
  const { result } = await (await clientOf(server)).solve(problem, { style: "polling", pollMs: 1 });
  expect(result.kind).toBe("lp");
  expect(server.callsOf("deleteResult")).toHaveLength(1);
});

scenario("J10", "a job that is to be kept is not deleted", async () => {
  const server = await scriptedServer(ending(COMPLETED));
  await (await clientOf(server)).solve(problem, { style: "polling", pollMs: 1, keep: true });
  expect(server.methods).not.toContain("deleteResult");
});

scenario("J13", "in slices", async () => {
  const server = await scriptedServer({
    ...ending({ ...COMPLETED, resultSizeBytes: 10_000n, maxMessageBytes: 4096n } as never),
    ...sliced(mipSolution([1, 1])),
  });
  const error = await faultOf((await clientOf(server)).solve(problem, { style: "polling", pollMs: 1 }));
  expect(error).toBeInstanceOf(TransferFaultError);
  expect(error.message).toMatch(/mixed-integer program.*linear program/);
});

for (const protocol of PROTOCOLS) {
  scenario("J17", protocol, async () => {
    const callTimeoutMs = 200;
    const release = Promise.withResolvers<void>();
    const server: ScriptedServer = await scriptedServer(
      {
        waitForCompletion: async () => {
          await release.promise;
          return COMPLETED;
        },
        async *streamLogs() {
          yield { line: "one", byteOffset: 4n };
          await release.promise;
          yield { line: "two", byteOffset: 8n, jobComplete: true };
        },
        // Never: this call is to run into its deadline.
        checkStatus: () => new Promise(() => undefined),
      },
      { protocol },
    );
    const client = await clientOf(server, { callTimeoutMs });
    const waited = client.waitForCompletion("job-1");
    const logged = Array.fromAsync(client.logs("job-1"), ({ text }) => text);
    await until(() => server.methods.length === 2, "both long calls have arrived");
    // Two deadlines pass, one after the other, while both are held.
    await refused(client.status("job-1"), "deadline-exceeded", "");
    await refused(client.status("job-1"), "deadline-exceeded", "");
    release.resolve();
    expect(await waited).toMatchObject({ state: "completed" });
    expect(await logged).toEqual(["one", "two"]);
    // What the server was told of deadlines: long calls have none.
    const told = ({ header }: Call) => header.has("grpc-timeout") || header.has("connect-timeout-ms");
    expect(server.callsOf("waitForCompletion").map((each) => told(each as Call))).toEqual([false]);
    expect(server.callsOf("streamLogs").map((each) => told(each as Call))).toEqual([false]);
    expect(server.callsOf("checkStatus").map((each) => told(each as Call))).toEqual([true, true]);
  });
}
