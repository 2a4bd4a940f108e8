// Rules of the function behind the URL, on tables in memory, without Lambda.
import { Code, createClient } from "@connectrpc/connect";
import { claimJob, createToken } from "@sortie/core";
import { CuOptRemoteService, Health, JobStatus } from "@sortie/wire";
import { describe, expect, it } from "vitest";
import { anyCaller, openWorld, submit, type World } from "../../packages/core/src/testing/world.ts";
import { createLog } from "./log.ts";
import { createRpcFunction, type RpcFunctionOptions } from "./rpc-function.ts";
import { ask, eventOf, invoke, type TransportChoice, transportOnto } from "./testing/function-url.ts";

const ROLE = "arn:aws:sts::123456789012:assumed-role/Solver";

interface Setup {
  readonly world: World;
  readonly rpc: ReturnType<typeof createRpcFunction>;
  readonly lines: string[];
  readonly headers: { readonly authorization: string };
}

/** A function with a token of the tenant that `submit` submits for. */
async function setUp(options: Partial<RpcFunctionOptions> = {}, world = openWorld()): Promise<Setup> {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const context = { ...world, onFault: (what: string, error: unknown) => log.error({ err: error }, what) };
  const rpc = createRpcFunction({ context, auth: "token", log, ...options });
  const { token } = await createToken(world, { tenant: anyCaller.tenant });
  return { world, rpc, lines, headers: { authorization: `Bearer ${token}` } };
}

const clientOf = ({ rpc, headers }: Setup, choice: Partial<TransportChoice> = {}) =>
  createClient(CuOptRemoteService, transportOnto(rpc, { protocol: "connect", headers, ...choice }));

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise(setImmediate);
};

describe.each([
  { protocol: "connect", json: false },
  { protocol: "connect", json: true },
  { protocol: "grpc-web", json: false },
  { protocol: "grpc-web", json: true },
] as const)("over $protocol, JSON $json", (choice) => {
  it("answers a unary call, and tells the largest message", async () => {
    const setup = await setUp();
    const jobId = await submit(setup.world);
    const answer = await clientOf(setup, choice).checkStatus({ jobId });
    expect(answer).toMatchObject({ jobStatus: JobStatus.QUEUED, maxMessageBytes: 4_194_304n });
  });

  it("streams, and ends the stream as the protocol says", async () => {
    const setup = await setUp();
    const jobId = await submit(setup.world);
    const attempt = await claimJob(setup.world, jobId, "w");
    attempt?.log("first");
    attempt?.log("second");
    await attempt?.complete({ message: "", arrays: [] }, {});
    const lines = [];
    for await (const { line, jobComplete } of clientOf(setup, choice).streamLogs({ jobId })) {
      lines.push([line, jobComplete]);
    }
    expect(lines).toEqual([
      ["first", false],
      ["second", false],
      ["", true],
    ]);
  });

  it("gives a fault with its code and its words", async () => {
    const setup = await setUp();
    await expect(clientOf(setup, choice).getResult({ jobId: "nobody" })).rejects.toMatchObject({
      code: Code.NotFound,
      rawMessage: "Job not found",
    });
  });

  it("refuses a message that is larger than allowed", async () => {
    const setup = await setUp({ maxMessageBytes: 1000 });
    const call = clientOf(setup, choice).sendArrayChunk({ uploadId: "u", chunk: { data: new Uint8Array(2000) } });
    await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
  });

  it("says nothing of the insides when something breaks, and logs it under the same id", async () => {
    const setup = await setUp();
    const client = clientOf(setup, choice);
    setup.world.table.query = () => Promise.reject(new Error("secret of the inside"));
    const jobId = await submit(setup.world);
    const attempt = await claimJob(setup.world, jobId, "w");
    attempt?.incumbent({ objective: 1, seconds: 0, assignment: new Float64Array(1) }, () => true);
    await attempt?.flush();
    const error = await client.getIncumbents({ jobId }).catch((fault) => fault);
    expect(error).toMatchObject({ code: Code.Internal });
    const id = /^internal error \(id ([0-9a-f-]+)\)$/.exec(error.rawMessage)?.[1];
    const logged = setup.lines.filter((line) => line.includes("secret of the inside"));
    expect(logged).toHaveLength(1);
    expect(JSON.parse(logged[0] ?? "")).toMatchObject({ level: "error", errorId: id, err: { name: "Error" } });
  });
});

describe("waits and streams", () => {
  it("end by themselves: a wait with the job's present state", async () => {
    const setup = await setUp({ waitMs: 0 });
    const jobId = await submit(setup.world);
    expect(await clientOf(setup).waitForCompletion({ jobId })).toMatchObject({ jobStatus: JobStatus.QUEUED });
  });

  it("end by themselves: a log without its final message, to go on from where it stopped", async () => {
    const setup = await setUp({ waitMs: 0 });
    const jobId = await submit(setup.world);
    const attempt = await claimJob(setup.world, jobId, "w");
    attempt?.log("one");
    await attempt?.flush();
    const seen: string[] = [];
    let at = 0n;
    for (let round = 0; round < 3; round++) {
      for await (const message of clientOf(setup).streamLogs({ jobId, fromByte: at })) {
        expect(message.jobComplete).toBe(false);
        seen.push(message.line);
        at = message.byteOffset;
      }
      attempt?.log(`round ${round}`);
      await attempt?.flush();
    }
    expect(seen).toEqual(["one", "round 0", "round 1"]);
  });

  it("end with a job that finishes meanwhile", async () => {
    const setup = await setUp();
    const jobId = await submit(setup.world);
    const waiting = clientOf(setup).waitForCompletion({ jobId });
    await until(() => setup.world.table.waiting > 0);
    const attempt = await claimJob(setup.world, jobId, "w");
    await attempt?.complete({ message: "", arrays: [] }, {});
    expect(await waiting).toMatchObject({ jobStatus: JobStatus.COMPLETED });
  });

  it("end when the client goes, where Lambda tells", async () => {
    const setup = await setUp();
    const jobId = await submit(setup.world);
    // The head goes out with the first message.
    const attempt = await claimJob(setup.world, jobId, "w");
    attempt?.log("first");
    await attempt?.flush();
    const request = {
      path: "/cuopt.remote.CuOptRemoteService/StreamLogs",
      headers: { ...setup.headers, "content-type": "application/connect+json" },
      body: Buffer.concat([Buffer.from([0, 0, 0, 0, 50]), Buffer.from(JSON.stringify({ jobId }).padEnd(50))]),
    };
    const { stream, returned } = await invoke(setup.rpc, request);
    await until(() => setup.world.table.waiting > 0);
    stream.destroy();
    await returned;
    await until(() => setup.world.table.waiting === 0);
  });

  it("end before the function is ended, with UNAVAILABLE", async () => {
    const setup = await setUp();
    const jobId = await submit(setup.world);
    const call = clientOf(setup, { remainingMs: 2_050 }).waitForCompletion({ jobId });
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable, rawMessage: /try again/ });
    expect(setup.world.table.waiting).toBe(0);
  });
});

describe("who calls", () => {
  const refused = expect.objectContaining({ code: Code.Unauthenticated });

  it("must say so, though no token exists", async () => {
    const world = openWorld();
    const rpc = createRpcFunction({ context: world, auth: "token", log: createLog(() => {}) });
    const client = createClient(CuOptRemoteService, transportOnto(rpc, { protocol: "connect" }));
    await expect(client.checkStatus({ jobId: "j" })).rejects.toEqual(refused);
    const stranger = { authorization: `Bearer sortie_${"x".repeat(43)}` };
    const guessing = createClient(CuOptRemoteService, transportOnto(rpc, { protocol: "connect", headers: stranger }));
    await expect(guessing.checkStatus({ jobId: "j" })).rejects.toEqual(refused);
  });

  it("is not asked of a signature where tokens are asked for", async () => {
    const setup = await setUp();
    const signed = clientOf(setup, { headers: {}, signedBy: `${ROLE}/session` });
    await expect(signed.checkStatus({ jobId: "j" })).rejects.toEqual(refused);
  });

  it("is told by the signature, a role's sessions being one caller", async () => {
    const setup = await setUp({ auth: "iam" });
    const upload = (session: string) =>
      clientOf(setup, { headers: {}, signedBy: session }).startChunkedUpload({
        problemHeader: { header: { problemCategory: 0 } } as never,
      });
    await upload(`${ROLE}/monday`);
    await upload(`${ROLE}/tuesday`);
    await upload("arn:aws:iam::123456789012:user/ada");
    const tenants = setup.world.table.rows.filter(({ sk }) => sk === "upload").map((row) => row.attributes["tenant"]);
    expect(tenants.sort()).toEqual(["arn:aws:iam::123456789012:user/ada", ROLE, ROLE]);
  });

  it("must be told where signatures are asked for and the URL does not check them", async () => {
    const setup = await setUp({ auth: "iam" });
    await expect(clientOf(setup, { headers: {} }).checkStatus({ jobId: "j" })).rejects.toEqual(refused);
  });

  it("is asked by no probe", async () => {
    const { rpc } = await setUp();
    const health = createClient(Health, transportOnto(rpc, { protocol: "grpc-web" }));
    expect(await health.check({})).toMatchObject({ status: 1 });
    expect(await ask(rpc, { method: "GET", path: "/healthz" })).toMatchObject({ status: 200, text: '{"status":"ok"}' });
  });
});

describe("what is no call", () => {
  it("is not found", async () => {
    const { rpc } = await setUp();
    expect(await ask(rpc, { method: "GET", path: "/" })).toMatchObject({ status: 404 });
    expect(await ask(rpc, { path: "/cuopt.remote.CuOptRemoteService/Nothing" })).toMatchObject({ status: 404 });
    const web = { path: "/no.such.Service/Call", headers: { "content-type": "application/grpc-web+proto" } };
    expect((await ask(rpc, web)).headers).toMatchObject({ "grpc-status": "12" });
  });

  it("may be native gRPC, which needs trailers that a function URL does not send", async () => {
    const setup = await setUp();
    const path = "/cuopt.remote.CuOptRemoteService/CheckStatus";
    const headers = { ...setup.headers, "content-type": "application/grpc+proto" };
    expect(await ask(setup.rpc, { path, headers, body: new Uint8Array(5) })).toMatchObject({ status: 415 });
  });
});

describe("the log", () => {
  it("has one line for a call, without what was sent", async () => {
    const setup = await setUp();
    const client = clientOf(setup, { json: true });
    await client.checkStatus({ jobId: "not-for-the-log" });
    expect(setup.lines).toHaveLength(1);
    expect(JSON.parse(setup.lines[0] ?? "")).toMatchObject({
      level: "info",
      msg: "call",
      method: "cuopt.remote.CuOptRemoteService/CheckStatus",
      protocol: "connect",
      status: 200,
      whole: true,
    });
    expect(setup.lines[0]).not.toMatch(/not-for-the-log|sortie_/);
  });
});

describe("an event of a function URL", () => {
  it("has binary bodies in base64 and JSON as text", () => {
    const body = Buffer.from("{}");
    expect(eventOf({ path: "/", headers: { "content-type": "application/json" }, body })).toMatchObject({ body: "{}" });
    expect(eventOf({ path: "/", headers: { "content-type": "application/proto" }, body })).toMatchObject({
      body: "e30=",
      isBase64Encoded: true,
    });
  });
});
