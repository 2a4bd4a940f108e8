// Webhooks of a real server process, told to a real receiver on loopback (which only the development setting allows).
import { once } from "node:events";
import { createServer, type Server as HttpServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Code } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { JOB_EVENT_SCHEMA, type JobEventBody } from "@sortie/core";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { EmbeddedServer, spawnSortie } from "../conformance/embedded-server.ts";
import { chunksOf, longMip, TINY_LP_OBJECTIVE, tinyLp } from "../conformance/models.ts";
import { refused, Session, submissionOf } from "../conformance/session.ts";
import { until } from "../conformance/until.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Delivery {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: string;
  readonly body: JobEventBody;
}

class Receiver {
  readonly deliveries: Delivery[] = [];
  /** The answer to a delivery; never, if it does not resolve. */
  answer: (delivery: Delivery) => { status: number; location?: string } | Promise<never> = () => ({ status: 204 });
  #server: HttpServer | undefined;
  #port = 0;

  /** Listens on the port that it had before, if it had one. */
  async open(): Promise<this> {
    const server = createServer(async (request, response) => {
      const raw = await text(request);
      const delivery = { path: String(request.url), headers: request.headers, raw, body: JSON.parse(raw) };
      this.deliveries.push(delivery);
      const { status, location } = await this.answer(delivery);
      response.writeHead(status, location === undefined ? {} : { location }).end();
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    closing.push(() => this.close());
    return this;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  typesOf(jobId: string): string[] {
    return this.deliveries.filter(({ body }) => body.jobId === jobId).map(({ body }) => body.type);
  }
}

async function startServer(...flags: string[]): Promise<EmbeddedServer> {
  const server = new EmbeddedServer(["--workers", "1", ...flags]);
  closing.push(() => server.dispose());
  return server.start();
}

const DEVELOPMENT = "--webhook-allow-private";

function sessionOf(server: EmbeddedServer): Session {
  const transport = createConnectTransport({ baseUrl: server.url(), httpVersion: "1.1" });
  const session = new Session(transport, () => undefined);
  closing.push(() => session.close());
  return session;
}

const withHook = (url: string) => ({ headers: { "sortie-webhook": url } });

async function secretOf(server: EmbeddedServer, ...args: string[]): Promise<string> {
  const child = spawnSortie(["webhook", "secret", "--data", server.dataDir, ...args]);
  const [out] = await Promise.all([text(child.stdout!), once(child, "close")]);
  return out.trim();
}

const WHOLE_LIFE = ["Job Queued", "Job Started", "Job Completed"];

describe("the webhook of a job", () => {
  it("is told of the job's life, signed with the secret that the command shows", async () => {
    const receiver = await new Receiver().open();
    const server = await startServer(DEVELOPMENT);
    const { rpc } = sessionOf(server);
    const { jobId } = await rpc.submitJob(submissionOf(tinyLp()), withHook(receiver.url));
    await until(() => receiver.typesOf(jobId).length === 3, "three deliveries");
    expect(receiver.typesOf(jobId)).toEqual(WHOLE_LIFE);

    const webhook = new Webhook(await secretOf(server));
    const other = new Webhook(await secretOf(server, "--tenant", "alice"));
    const validate = new Ajv2020({ formats: { "date-time": true } }).compile(JOB_EVENT_SCHEMA);
    for (const { headers, raw, body } of receiver.deliveries) {
      expect(webhook.verify(raw, headers as Record<string, string>)).toEqual(body);
      expect(() => other.verify(raw, headers as Record<string, string>)).toThrow();
      expect(headers["webhook-id"]).toBe(body.id);
      expect(validate(body), JSON.stringify(validate.errors)).toBe(true);
    }
    expect(receiver.deliveries.at(-1)?.body).toMatchObject({
      tenant: "local",
      kind: "lp",
      placement: "cpu",
      attempt: 1,
      status: "optimal",
      objective: expect.closeTo(TINY_LP_OBJECTIVE, 9),
      timings: { solve: expect.any(Number) },
    });
  });

  it("belongs to uploads in chunks as well, and to cancelled jobs", async () => {
    const receiver = await new Receiver().open();
    const session = sessionOf(await startServer(DEVELOPMENT));
    const uploadId = await session.startUpload(longMip(), { mip: { timeLimit: 300 } });
    await session.sendAll(uploadId, chunksOf(longMip(), 1_000_000));
    const { jobId } = await session.rpc.finishChunkedUpload({ uploadId }, withHook(receiver.url));
    await until(() => receiver.typesOf(jobId).includes("Job Started"), "the job's start");
    await session.rpc.cancelJob({ jobId });
    await until(() => receiver.typesOf(jobId).length === 3, "the cancel");
    expect(receiver.typesOf(jobId)).toEqual(["Job Queued", "Job Started", "Job Cancelled"]);
  });

  it("that is down is told once it is up again, by a server that was killed and started in between", async () => {
    const receiver = await new Receiver().open();
    await receiver.close();
    const server = await startServer(DEVELOPMENT);
    const session = sessionOf(server);
    const { jobId } = await session.rpc.submitJob(submissionOf(tinyLp()), withHook(receiver.url));
    await session.completed(jobId);
    const note = async () => (await session.jobs.getJob({ id: jobId })).job?.webhookNote;
    expect(await until(note, "a failed try")).toMatch(/ECONNREFUSED.*the next one is at/);
    await server.kill();
    await receiver.open();
    await server.start();
    await until(() => receiver.typesOf(jobId).length >= 3, "three deliveries");
    expect([...new Set(receiver.typesOf(jobId))]).toEqual(WHOLE_LIFE);
  });

  it("that never answers holds up nobody else's", async () => {
    const slow = await new Receiver().open();
    slow.answer = () => new Promise<never>(() => {});
    const receiver = await new Receiver().open();
    const session = sessionOf(await startServer(DEVELOPMENT));
    for (let i = 0; i < 8; i++) await session.rpc.submitJob(submissionOf(tinyLp()), withHook(slow.url));
    const { jobId } = await session.rpc.submitJob(submissionOf(tinyLp()), withHook(receiver.url));
    await session.completed(jobId);
    await until(() => receiver.typesOf(jobId).length === 3, "three deliveries");
    expect(slow.deliveries.every(({ body }) => body.type === "Job Queued")).toBe(true);
  });

  it("is not followed to where it redirects, and not called any more once it is gone", async () => {
    const receiver = await new Receiver().open();
    const server = await startServer(DEVELOPMENT);
    const session = sessionOf(server);
    const noteOf = (jobId: string) => () => server.withJob(jobId, async (job) => job.webhook?.note);
    receiver.answer = () => ({ status: 307, location: "/elsewhere" });
    const moved = await session.rpc.submitJob(submissionOf(tinyLp()), withHook(receiver.url));
    expect(await until(noteOf(moved.jobId), "a failed try")).toContain("the answer was 307");
    receiver.answer = () => ({ status: 410 });
    const gone = await session.rpc.submitJob(submissionOf(tinyLp()), withHook(receiver.url));
    expect(await until(noteOf(gone.jobId), "the end of the webhook")).toContain("410");
    await session.completed(gone.jobId);
    expect(receiver.typesOf(gone.jobId)).toEqual(["Job Queued"]);
    expect(receiver.deliveries.every(({ path }) => path === "/hook")).toBe(true);
  });

  it("must be public, unless the operator allows others for development", async () => {
    const session = sessionOf(await startServer());
    const submit = (url: string) => session.rpc.submitJob(submissionOf(tinyLp()), withHook(url));
    await refused(submit("http://hooks.example.com/"), Code.InvalidArgument, /^sortie-webhook: .* allowed is https/);
    await refused(submit("https://127.0.0.1/"), Code.InvalidArgument, "127.0.0.1 is a loopback address");
    await refused(submit("https://169.254.169.254/"), Code.InvalidArgument, "link-local");
    await refused(submit("nonsense"), Code.InvalidArgument, "is not a URL");
    const uploadId = await session.startUpload(tinyLp());
    await session.sendAll(uploadId, chunksOf(tinyLp(), 1_000));
    const finish = (url: string) => session.rpc.finishChunkedUpload({ uploadId }, withHook(url));
    await refused(finish("https://[::1]/"), Code.InvalidArgument, "loopback");
    // The refusal leaves the upload open.
    await session.finish(uploadId);
    expect((await session.jobs.listJobs({})).jobs).toHaveLength(1);
  });
});

it("`sortie webhook` tells faults in one line", async () => {
  for (const [args, said] of [
    [["webhook", "rotate"], /"rotate" is not an action; there is: secret/],
    [["webhook", "secret", "--tenant", "a b", "--data", "."], /tenant "a b" is not a name/],
    [["webhook", "secret", "--data", "./there-is-no-such-folder"], /there is no data directory/],
  ] as const) {
    const child = spawnSortie(args);
    onTestFinished(() => void child.kill());
    const [err, [code]] = await Promise.all([text(child.stderr!), once(child, "close")]);
    expect({ err, code }).toEqual({ err: expect.stringMatching(said), code: 1 });
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  }
});
