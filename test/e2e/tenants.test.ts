// Tenants and tokens on a real server process: whoever has no token gets nothing, and to whoever has one the ids of another
// tenant are ids that nobody was given. The walk covers every call of each service; a new call fails it until it is added.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import {
  CuOptRemoteService,
  cuvis,
  Health,
  InferenceService,
  JobService,
  JobStatus,
  ResponseStatus,
  ResultFieldId,
  reflectionV1,
  TransferService,
} from "@sortie/wire";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createAuthority } from "../../packages/server/src/testing/certificates.ts";
import { EmbeddedServer as Server } from "../conformance/embedded-server.ts";
import { openSession, spawnSortie, until } from "../conformance/harness.ts";
import { chunkOf, chunksOf, longMip, type Model, tinyLp } from "../conformance/models.ts";
import { refused, Session, submissionOf, UNKNOWN_ID } from "../conformance/session.ts";
import { callsAnywhere, everyCallOf } from "../cuvis/calls.ts";

const PROTOCOLS = ["grpc", "connect"] as const;
type Protocol = (typeof PROTOCOLS)[number];

let server: Server;
const open: Session[] = [];
beforeAll(async () => {
  server = new Server(["--workers", "1"]);
  await server.start();
});
afterAll(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
  await server.dispose();
});

function transportFor(
  protocol: Protocol,
  token: string | undefined,
  sessionManager: Http2SessionManager,
  baseUrl: string,
) {
  const authorize: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const options = { baseUrl, interceptors: [authorize] };
  return protocol === "grpc"
    ? createGrpcTransport({ ...options, sessionManager })
    : createConnectTransport({ ...options, httpVersion: "1.1", useHttpGet: true });
}

/** A client with this token, or without one. Closed at the end, its jobs deleted. */
function sessionOf(protocol: Protocol, token?: string, of: Server = server): Session {
  const manager = new Http2SessionManager(of.url());
  const session = new Session(transportFor(protocol, token, manager, of.url()), () => manager.abort());
  open.push(session);
  return session;
}

/** Runs `sortie token` on the server's data directory. @returns standard output */
async function tokenCommand(...args: string[]): Promise<string> {
  const child = spawnSortie(["token", ...args, ...(args.includes("--data") ? [] : ["--data", server.dataDir])]);
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const [code] = await once(child, "close");
  expect(code, err).toBe(0);
  return out;
}

const createdToken = async (tenant: string, ...more: string[]): Promise<string> =>
  (await tokenCommand("create", "--tenant", tenant, ...more)).trim();

/** The code of a call's refusal, or "ok". */
const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    (error) => String(Code[ConnectError.from(error).code]),
  );

async function drained(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const messages: unknown[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

interface Ids {
  readonly jobId: string;
  readonly uploadId: string;
  readonly downloadId: string;
  readonly sessionId: string;
}

/** Calls of the pipeline service under the names that the walk has for them; they are made only when they are called. */
const pipelineCalls = <K>(calls: Readonly<Record<string, unknown>>, call: (name: string) => K): Record<string, K> =>
  Object.fromEntries(Object.keys(calls).map((name) => [`CuvisAIService.${name}`, call(name)]));

/** Every call of the services that speaks of something by its id. */
const WALK: Readonly<Record<string, (session: Session, ids: Ids) => Promise<unknown>>> = {
  ...pipelineCalls(
    everyCallOf({} as Session["pipelines"], ""),
    (name) =>
      ({ pipelines }: Session, { sessionId }: Ids) =>
        everyCallOf(pipelines, sessionId)[name]!(),
  ),
  "CuOptRemoteService.SendArrayChunk": ({ rpc }, { uploadId }) =>
    rpc.sendArrayChunk({ uploadId, chunk: chunkOf(tinyLp(), "c", 0, 2) }),
  "CuOptRemoteService.FinishChunkedUpload": ({ rpc }, { uploadId }) => rpc.finishChunkedUpload({ uploadId }),
  "CuOptRemoteService.CheckStatus": ({ rpc }, { jobId }) => rpc.checkStatus({ jobId }),
  "CuOptRemoteService.GetResult": ({ rpc }, { jobId }) => rpc.getResult({ jobId }),
  "CuOptRemoteService.StartChunkedDownload": ({ rpc }, { jobId }) => rpc.startChunkedDownload({ jobId }),
  "CuOptRemoteService.GetResultChunk": ({ rpc }, { downloadId }) =>
    rpc.getResultChunk({
      downloadId,
      fieldId: ResultFieldId.RESULT_PRIMAL_SOLUTION,
      elementOffset: 0n,
      maxElements: 1n,
    }),
  "CuOptRemoteService.FinishChunkedDownload": ({ rpc }, { downloadId }) => rpc.finishChunkedDownload({ downloadId }),
  "CuOptRemoteService.DeleteResult": ({ rpc }, { jobId }) => rpc.deleteResult({ jobId }),
  "CuOptRemoteService.CancelJob": ({ rpc }, { jobId }) => rpc.cancelJob({ jobId }),
  "CuOptRemoteService.WaitForCompletion": ({ rpc }, { jobId }) => rpc.waitForCompletion({ jobId }),
  "CuOptRemoteService.StreamLogs": ({ rpc }, { jobId }) => drained(rpc.streamLogs({ jobId })),
  "CuOptRemoteService.GetIncumbents": ({ rpc }, { jobId }) => rpc.getIncumbents({ jobId }),
  "InferenceService.SendInputChunk": ({ inference }, { uploadId }) =>
    inference.sendInputChunk({ uploadId, input: "cube", totalBytes: 1n, data: new Uint8Array(1) }),
  "InferenceService.GetInputState": ({ inference }, { uploadId }) => inference.getInputState({ uploadId }),
  "InferenceService.SubmitInference": ({ inference }, { sessionId, uploadId }) =>
    inference.submitInference({ sessionId, uploadId }),
  "InferenceService.StartOutputDownload": ({ inference }, { jobId }) => inference.startOutputDownload({ jobId }),
  "InferenceService.GetOutputChunk": ({ inference }, { downloadId }) =>
    inference.getOutputChunk({ downloadId, output: "0" }),
  "InferenceService.FinishOutputDownload": ({ inference }, { downloadId }) =>
    inference.finishOutputDownload({ downloadId }),
  "JobService.GetJob": ({ jobs }, { jobId }) => jobs.getJob({ id: jobId }),
  "TransferService.GetUploadLinks": ({ transfers }, { uploadId }) =>
    transfers.getUploadLinks({ uploadId, parts: [{ array: "c" }] }),
  "TransferService.GetUploadState": ({ transfers }, { uploadId }) => transfers.getUploadState({ uploadId }),
  "TransferService.SubmitUpload": ({ transfers }, { uploadId }) => transfers.submitUpload({ uploadId }),
  "TransferService.AbortUpload": ({ transfers }, { uploadId }) => transfers.abortUpload({ uploadId }),
  "TransferService.GetResultLinks": ({ transfers }, { jobId }) => transfers.getResultLinks({ jobId }),
};

/** Those that speak of nothing by its id. */
const ANYWHERE: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
  ...pipelineCalls(
    callsAnywhere({} as Session["pipelines"]),
    (name) =>
      ({ pipelines }: Session) =>
        callsAnywhere(pipelines)[name]!(),
  ),
  "CuOptRemoteService.SubmitJob": ({ rpc }) => rpc.submitJob(submissionOf(tinyLp())),
  "CuOptRemoteService.StartChunkedUpload": ({ rpc }) =>
    rpc.startChunkedUpload({ problemHeader: { header: { version: 1 } } }),
  "InferenceService.StartInputUpload": ({ inference }) => inference.startInputUpload({}),
  "JobService.ListJobs": ({ jobs }) => jobs.listJobs({}),
  "TransferService.CreateUpload": ({ transfers }) =>
    transfers.createUpload({ problemHeader: { header: { version: 1 } }, arrays: [{ name: "c", elements: 2n }] }),
};

/** What the caller sees, ids left out. */
async function outcomeOf(call: Promise<unknown>, ids: Ids): Promise<unknown> {
  const seen = await call.then(
    (answer) => ({ answer }),
    (error) => ({ code: Code[ConnectError.from(error).code], message: ConnectError.from(error).rawMessage }),
  );
  const text = JSON.stringify(seen, (_key, value) => (typeof value === "bigint" ? String(value) : value));
  return JSON.parse(Object.values(ids).reduce((rest, id) => rest.replaceAll(id, "ID"), text));
}

const isNotFound = (outcome: unknown): boolean => {
  const { code, answer } = outcome as { code?: string; answer?: { status?: number; jobStatus?: number } };
  return (
    code === "NotFound" ||
    answer?.jobStatus === JobStatus.NOT_FOUND ||
    answer?.status === ResponseStatus.ERROR_NOT_FOUND
  );
};

describe("while no token exists", () => {
  it("everything belongs to one tenant, with or without a header", async () => {
    const fresh = new Server([]);
    onTestFinished(() => fresh.dispose());
    await fresh.start();
    const session = sessionOf("grpc", undefined, fresh);
    const jobId = await session.completed(await session.submit(tinyLp()));
    expect(await sessionOf("connect", "of another system", fresh).state(jobId)).toBe(JobStatus.COMPLETED);
    expect((await session.jobs.getJob({ id: jobId })).job?.tenant).toBe("local");
    await session.close();
  });
});

describe("once a token exists", () => {
  let alice: string;
  let bob: string;
  beforeAll(async () => {
    alice = await createdToken("alice", "--name", "night runs");
    bob = await createdToken("bob", "--expires", "1");
    await until(
      async () => (await codeOf(sessionOf("grpc").jobs.listJobs({}))) === "Unauthenticated",
      "tokens are asked for",
    );
  });

  it("the walk knows every call of the services", () => {
    const all = [CuOptRemoteService, cuvis.CuvisAIService, InferenceService, JobService, TransferService].flatMap(
      (service) => service.methods.map((method) => `${service.name}.${method.name}`),
    );
    expect([...Object.keys(WALK), ...Object.keys(ANYWHERE)].sort()).toEqual(all.sort());
  });

  describe.each(PROTOCOLS)("over %s", (protocol) => {
    it.each([
      ["no token", undefined, /does not say who makes it.*sortie token create/],
      ["a token that nobody made", `sortie_${"A".repeat(43)}`, /not known here.*sortie token create/],
      ["what is no token", "letmein", /not known here.*sortie token create/],
    ])("every call with %s is UNAUTHENTICATED and says what to do", async (_, token, text) => {
      const session = sessionOf(protocol, token);
      const ids = { jobId: UNKNOWN_ID, uploadId: UNKNOWN_ID, downloadId: UNKNOWN_ID, sessionId: UNKNOWN_ID };
      for (const call of [...Object.values(WALK), ...Object.values(ANYWHERE)]) {
        await refused(call(session, ids), Code.Unauthenticated, text);
      }
    });

    it("the ids of another tenant are ids that nobody was given, in every call", async () => {
      const hers = sessionOf(protocol, alice);
      const his = sessionOf(protocol, bob);
      // Her running job must not hold up the tests that follow when this one fails.
      onTestFinished(() => hers.close());
      const done = await hers.completed(await hers.submit(tinyLp()));
      const running = await hers.running(longMip(), true);
      const queued = await hers.submit(tinyLp());
      const { downloadId } = await hers.startDownload(done);
      const { sessionId } = await hers.pipelines.createSession({});
      const { uploadId } = await hers.transfers.createUpload({
        problemHeader: { header: { version: 1 }, maximize: true },
        arrays: chunksOf(tinyLp(), 1024).map((chunk) => ({ fieldId: chunk.fieldId!, elements: chunk.totalElements! })),
      });
      await hers.transfers.getUploadLinks({ uploadId, parts: [{ array: "c" }] });
      const chunks = chunksOf(tinyLp(), 64);
      await hers.send(uploadId, chunks[0]!);

      const nobodys = { jobId: UNKNOWN_ID, uploadId: UNKNOWN_ID, downloadId: UNKNOWN_ID, sessionId: UNKNOWN_ID };
      for (const [name, call] of Object.entries(WALK)) {
        const toNobodys = await outcomeOf(call(his, nobodys), nobodys);
        expect(isNotFound(toNobodys), name).toBe(true);
        for (const jobId of [done, running, queued]) {
          const ids = { jobId, uploadId, downloadId, sessionId };
          expect(await outcomeOf(call(his, ids), ids), `${name} of ${jobId}`).toEqual(toNobodys);
        }
      }

      // He has changed nothing.
      expect(await hers.state(done)).toBe(JobStatus.COMPLETED);
      expect(await hers.state(running)).toBe(JobStatus.PROCESSING);
      expect(await hers.state(queued)).toBe(JobStatus.QUEUED);
      expect(await hers.slice(downloadId, ResultFieldId.RESULT_PRIMAL_SOLUTION, 0, 2)).toHaveLength(2);
      expect(await hers.send(uploadId, chunks[1]!)).toBe(2);
      await hers.sendAll(uploadId, chunks.slice(2));
      await hers.rpc.cancelJob({ jobId: running });
      await hers.completed(await hers.finish(uploadId));
    });

    it("lists show one's own jobs only", async () => {
      const [hers, his] = [sessionOf(protocol, alice), sessionOf(protocol, bob)];
      const [herJob, hisJob] = [await hers.submit(tinyLp()), await his.submit(tinyLp())];
      const listed = async (session: Session) => (await session.jobs.listJobs({ pageSize: 1000 })).jobs;
      const [herList, hisList] = [await listed(hers), await listed(his)];
      expect(herList.map((job) => job.id)).toContain(herJob);
      expect(hisList.map((job) => job.id)).toContain(hisJob);
      expect(new Set(herList.map((job) => job.tenant))).toEqual(new Set(["alice"]));
      expect(new Set(hisList.map((job) => job.tenant))).toEqual(new Set(["bob"]));
    });

    it("the same idempotency key of two tenants makes two jobs", async () => {
      const headers = { "idempotency-key": `nightly ${protocol}` };
      const sessions = [sessionOf(protocol, alice), sessionOf(protocol, bob)];
      const ways: ((session: Session, model: Model) => Promise<string>)[] = [
        async ({ rpc }, model) => (await rpc.submitJob(submissionOf(model), { headers })).jobId,
        async (session, model) => {
          const uploadId = await session.startUpload(model);
          await session.sendAll(uploadId, chunksOf(model, 1024));
          const key = { "idempotency-key": `nightly upload ${protocol}` };
          return (await session.rpc.finishChunkedUpload({ uploadId }, { headers: key })).jobId;
        },
      ];
      for (const way of ways) {
        const [hers, his] = await Promise.all(sessions.map((session) => way(session, tinyLp())));
        expect(hers).not.toBe(his);
        expect(await sessions[1]!.state(hers!)).toBe(JobStatus.NOT_FOUND);
        await sessions[0]!.completed(hers!);
        await sessions[1]!.completed(his!);
      }
    });

    it("a repeat of another tenant's finish is NOT_FOUND, even with the same key", async () => {
      const [hers, his] = [sessionOf(protocol, alice), sessionOf(protocol, bob)];
      const headers = { "idempotency-key": `finish ${protocol}` };
      const uploadId = await hers.startUpload(tinyLp());
      await hers.sendAll(uploadId, chunksOf(tinyLp(), 1024));
      hers.own((await hers.rpc.finishChunkedUpload({ uploadId }, { headers })).jobId);
      await refused(his.rpc.finishChunkedUpload({ uploadId }, { headers }), Code.NotFound);
    });
  });

  it("health is open, reflection is not, and metrics are open to this machine", async () => {
    const bare = createGrpcTransport({ baseUrl: server.url() });
    expect(toJson(Health.method.check.output, await createClient(Health, bare).check({}))).toEqual({
      status: "SERVING",
    });
    const reflect = drained(
      createClient(reflectionV1.ServerReflection, bare).serverReflectionInfo(
        (async function* () {
          yield { messageRequest: { case: "listServices" as const, value: "" } };
        })(),
      ),
    );
    await refused(reflect, Code.Unauthenticated, "sortie token create");
    expect((await fetch(`${server.url()}/healthz`)).status).toBe(200);
    expect((await fetch(`${server.url()}/metrics`)).status).toBe(200);
  });

  it("a revoked token is refused while the server runs, and tokens are listed but never shown", async () => {
    const token = await createdToken("carol", "--name", "to be revoked");
    const session = sessionOf("grpc", token);
    await session.jobs.listJobs({});
    const line = (await tokenCommand("list", "--tenant", "carol")).split("\n")[1]!;
    expect(line).toMatch(/^[0-9a-f]{16} {2}carol {3}valid .* never .*to be revoked$/);
    await tokenCommand("revoke", line.slice(0, 16));
    await until(async () => (await codeOf(session.jobs.listJobs({}))) === "Unauthenticated", "the token is refused");
    await refused(session.jobs.listJobs({}), Code.Unauthenticated, "revoked");
    expect(await tokenCommand("list")).toMatch(/ carol {3}revoked /);
    // Nothing that a person reads holds a token.
    for (const text of [server.log, await tokenCommand("list")]) {
      for (const secret of [alice, bob, token]) expect(text).not.toContain(secret.slice("sortie_".length));
    }
  });
});

it("quotas of one tenant do not touch another, and say the limit, the use and when it resets", async () => {
  const small = new Server(["--storage-limit-mb", "1", "--worker-seconds-limit", "1", "--upload-limit", "1"]);
  onTestFinished(() => small.dispose());
  await small.start();
  const hers = sessionOf("grpc", await createdToken("alice", "--data", small.dataDir), small);
  const his = sessionOf("grpc", await createdToken("bob", "--data", small.dataDir), small);
  await hers.jobs.listJobs({});

  const uploadId = await hers.startUpload(tinyLp());
  await refused(hers.startUpload(tinyLp()), Code.ResourceExhausted, /1 of 1 are open/);
  const half = { fieldId: 0, elementOffset: 0n, totalElements: 600_000n, data: new Uint8Array(8) };
  await hers.send(uploadId, half);
  await refused(
    hers.send(uploadId, { ...half, fieldId: 1 }),
    Code.ResourceExhausted,
    /Quota of stored bytes: 600000 of 1048576 bytes are used, and 600000 more are asked for/,
  );
  await his.startUpload(tinyLp());
  await his.completed(await his.submit(longMip(), { mip: { timeLimit: 1.2 } }));
  const text = await until(
    () =>
      his.submit(tinyLp()).then(
        () => undefined,
        (error) => ConnectError.from(error).rawMessage,
      ),
    "the worker-seconds are used up",
  );
  expect(text).toMatch(
    /worker-seconds per day: \d+(\.\d)? of 1 seconds are used; it resets at \d{4}-\d\d-\d\dT00:00:00/,
  );
  await hers.completed(await hers.submit(tinyLp()));
});

it("with --tls-tenant cn a client certificate is a tenant, and a client with neither certificate nor token is refused", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sortie-tenants-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const authority = await createAuthority("the authority of the tests");
  const own = await authority.issue("localhost");
  const secure = new Server([
    "--tls",
    ...["--tls-cert", file("cert.pem", own.cert), "--tls-key", file("key.pem", own.key)],
    ...["--tls-root", file("root.pem", authority.root), "--tls-tenant", "cn"],
  ]);
  onTestFinished(() => secure.dispose());
  await secure.start();
  const [alice, bob] = [await authority.issue("alice"), await authority.issue("bob")];
  for (const protocol of PROTOCOLS) {
    const connect = (identity: { cert?: string; key?: string }) => {
      const session = openSession(secure, { name: protocol, protocol }, { tls: { ca: authority.root, ...identity } });
      open.push(session);
      return session;
    };
    const [hers, his] = [connect(alice), connect(bob)];
    const jobId = await hers.completed(await hers.submit(tinyLp()));
    expect((await hers.jobs.getJob({ id: jobId })).job?.tenant).toBe("alice");
    await refused(his.jobs.getJob({ id: jobId }), Code.NotFound);
    await refused(connect({}).jobs.listJobs({}), Code.Unauthenticated, "sortie token create");
    await hers.close();
  }
});
