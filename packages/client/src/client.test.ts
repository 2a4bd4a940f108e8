// Rules of a client's single calls: connecting, closing, what answers and faults become, and that nothing is sent twice.
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { CuOptRemoteService, JobService, type JobStatus, ResponseStatus, JobStatus as Status } from "@sortie/wire";
import { describe, expect, it, vi } from "vitest";
import { SortieClient } from "./client.ts";
import { ConnectionError, NotConnectedError, RemoteError } from "./errors.ts";
import { connected, never, scripted } from "./testing/scripted.ts";

const refusing =
  (code: Code, text = "no") =>
  () => {
    throw new ConnectError(text, code);
  };
const probeOnly = (checkStatus: () => never) =>
  createRouterTransport(({ service }) => service(CuOptRemoteService, { checkStatus }));

describe("connecting", () => {
  it("is needed before any call, which else sends nothing", async () => {
    const { transport, calls } = scripted({});
    const client = new SortieClient(transport);
    expect(client.connected).toBe(false);
    for (const call of [
      () => client.status("j"),
      () => client.submit({ kind: "lp", arrays: new Map() }),
      () => client.wait("j"),
      () => client.result("j"),
      () => client.logs("j").next(),
      () => client.incumbents("j").next(),
      () => client.jobs().next(),
    ]) {
      await expect(call()).rejects.toThrow(/^not connected/);
    }
    expect(calls).toEqual([]);
  });

  it("tells of a server that does not say that it is Sortie", async () => {
    const { client } = await connected({});
    expect(client.connected).toBe(true);
    expect(client.server).toEqual({ isSortie: false, version: undefined, maxMessageBytes: 1_000_000 });
  });

  it("tells the version of Sortie", async () => {
    const { client } = await connected({}, { sortie: true });
    expect(client.server).toMatchObject({ isSortie: true, version: "9.8.7" });
  });

  it("succeeds where the probe is NOT_FOUND, and reads the version there too", async () => {
    const fault = new ConnectError("who?", Code.NotFound, { "sortie-version": "1.2.3" });
    const client = new SortieClient(
      probeOnly(() => {
        throw fault;
      }),
    );
    expect(await client.connect()).toMatchObject({ isSortie: true, version: "1.2.3" });
    expect(client.connected).toBe(true);
  });

  it("fails where the probe has any other error, and names the address", async () => {
    const client = new SortieClient(probeOnly(refusing(Code.Internal, "broken")), { address: "solve.example:5001" });
    await expect(client.connect()).rejects.toThrow("cannot connect to solve.example:5001: broken");
    await expect(client.connect()).rejects.toBeInstanceOf(ConnectionError);
    expect(client.connected).toBe(false);
  });
});

describe("closing", () => {
  it("ends running calls, refuses new ones, and releases the transport once", async () => {
    const dispose = vi.fn();
    const { client } = await connected({ waitForCompletion: never }, { dispose });
    const waiting = client.waitForCompletion("j");
    const refused = expect(waiting).rejects.toBeInstanceOf(NotConnectedError);
    await Promise.all([client.close(), client.close()]);
    await refused;
    await expect(client.status("j")).rejects.toThrow("the client is closed");
    await expect(client.connect()).rejects.toThrow("the client is closed");
    expect(client.connected).toBe(false);
    expect(dispose).toHaveBeenCalledTimes(1);
  });

  it("comes by itself at the end of a block with `await using`", async () => {
    let kept: SortieClient;
    {
      await using client = new SortieClient(scripted({}).transport);
      await client.connect();
      kept = client;
    }
    expect(kept.connected).toBe(false);
  });
});

describe("a call that is aborted", () => {
  it("rejects at once with the signal's reason, whatever the server does", async () => {
    const { client } = await connected({ cancelJob: never });
    const leaving = new AbortController();
    const reason = new Error("enough");
    const refused = expect(client.cancel("j", { signal: leaving.signal })).rejects.toBe(reason);
    leaving.abort(reason);
    await refused;
  });

  it("is not sent if it was aborted before", async () => {
    const { client, calls } = await connected({});
    await expect(client.status("j", { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(calls).toEqual([]);
  });
});

describe("what the server answers", () => {
  it.each([
    [Status.QUEUED, "queued"],
    [Status.PROCESSING, "processing"],
    [Status.COMPLETED, "completed"],
    [Status.FAILED, "failed"],
    [Status.CANCELLED, "cancelled"],
    [Status.NOT_FOUND, "not-found"],
    [999 as JobStatus, "not-found"],
  ])("as the state %i is %s", async (jobStatus, state) => {
    const { client } = await connected({
      checkStatus: () => ({ jobStatus, message: "words", resultSizeBytes: 2048n, maxMessageBytes: 4096n }),
    });
    expect(await client.status("j")).toEqual({
      state,
      message: "words",
      progress: 0,
      resultSizeBytes: 2048,
      maxMessageBytes: 4096,
    });
  });

  it("to a wait is reported, whichever state it is", async () => {
    const { client } = await connected({
      waitForCompletion: () => ({ jobStatus: Status.FAILED, message: "Job failed: too hard" }),
    });
    expect(await client.waitForCompletion("j")).toMatchObject({ state: "failed", message: "Job failed: too hard" });
  });

  it("to a cancel counts only as SUCCESS", async () => {
    const { client } = await connected({
      cancelJob: ({ jobId }) =>
        jobId === "open"
          ? { status: ResponseStatus.SUCCESS, jobStatus: Status.CANCELLED, message: "done" }
          : { status: ResponseStatus.ERROR_INVALID_REQUEST, jobStatus: Status.COMPLETED, message: "too late" },
    });
    expect(await client.cancel("open")).toEqual({ cancelled: true, state: "cancelled", message: "done" });
    expect(await client.cancel("over")).toEqual({ cancelled: false, state: "completed", message: "too late" });
  });

  it("to a deletion of an unknown job is no error", async () => {
    const { client } = await connected({
      deleteResult: () => ({ status: ResponseStatus.ERROR_NOT_FOUND, message: "Job not found" }),
    });
    expect(await client.delete("j")).toEqual({ deleted: false, message: "Job not found" });
  });

  it("as an error becomes a RemoteError with code, method and text", async () => {
    const { client } = await connected({ deleteResult: refusing(Code.ResourceExhausted, "too many") });
    const error = await client.delete("j").catch((fault) => fault);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({
      code: "resource-exhausted",
      method: "DeleteResult",
      text: "too many",
      message: "DeleteResult: [resource-exhausted] too many",
    });
  });
});

describe("a call that fails", () => {
  it.each([false, true])("is not sent again by itself (Sortie: %s), and the next one is", async (sortie) => {
    let faults = 1;
    const { client, calls } = await connected(
      {
        checkStatus() {
          if (faults-- > 0) throw new ConnectError("away", Code.Unavailable);
          return { jobStatus: Status.QUEUED };
        },
      },
      { sortie },
    );
    await expect(client.status("j")).rejects.toMatchObject({ code: "unavailable" });
    expect(await client.status("j")).toMatchObject({ state: "queued" });
    expect(calls).toEqual(["CheckStatus", "CheckStatus"]);
  });
});

describe("deadlines", () => {
  it("are the client's own on every call but waits and logs, and go to the server", async () => {
    const seen = new Map<string, number | undefined>();
    const note = (name: string, timeoutMs: () => number | undefined) => seen.set(name, timeoutMs());
    const { client } = await connected(
      {
        checkStatus: (_, { timeoutMs }) => {
          note("status", timeoutMs);
          return {};
        },
        waitForCompletion: (_, { timeoutMs }) => {
          note("wait", timeoutMs);
          return {};
        },
        async *streamLogs(_, { timeoutMs }) {
          note("logs", timeoutMs);
          yield { line: "one", byteOffset: 4n };
        },
      },
      { callTimeoutMs: 12_345 },
    );
    await client.status("j");
    await client.waitForCompletion("j");
    await client.logs("j").next();
    expect(seen.get("status")).toBeGreaterThan(12_000);
    expect(seen.get("wait")).toBeUndefined();
    expect(seen.get("logs")).toBeUndefined();
  });

  it("end a call that is not answered", async () => {
    const { client } = await connected({ cancelJob: never }, { callTimeoutMs: 20 });
    await expect(client.cancel("j")).rejects.toMatchObject({ code: "deadline-exceeded" });
  });
});

describe("jobs", () => {
  it("come page by page, with the filter", async () => {
    const asked: unknown[] = [];
    const { client } = await connected(
      {},
      {
        routes: ({ service }) =>
          service(JobService, {
            listJobs({ pageToken, kinds, pageSize }) {
              asked.push([pageToken, kinds, pageSize]);
              return pageToken === "" ? { jobs: [{ id: "a" }], nextPageToken: "2" } : { jobs: [{ id: "b" }] };
            },
          }),
      },
    );
    const ids: string[] = [];
    for await (const { id } of client.jobs({ kinds: [2], pageSize: 1 })) ids.push(id);
    expect(ids).toEqual(["a", "b"]);
    expect(asked).toEqual([
      ["", [2], 1],
      ["2", [2], 1],
    ]);
  });
});

it("a client tells of every call in one line where it is asked to", async () => {
  const lines: string[] = [];
  const { client } = await connected(
    { cancelJob: refusing(Code.Unavailable, "away") },
    { onDebug: (line) => lines.push(line) },
  );
  await client.cancel("j").catch(() => {});
  expect(lines).toEqual([
    expect.stringMatching(/^CheckStatus: ok after \d+ ms$/),
    expect.stringMatching(/^CancelJob: unavailable: away after \d+ ms$/),
  ]);
});
