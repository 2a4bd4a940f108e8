// What `sortie doctor` finds wrong on the way to a server, and what it advises. The servers are small ones of the test's own.
import { createServer as createHttp1Server } from "node:http";
import { createSecureServer, createServer } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { transportTo } from "@sortie/client/node";
import { CuOptRemoteService, Health, HealthCheckResponse_ServingStatus, JobStatus } from "@sortie/wire";
import { expect, it, onTestFinished } from "vitest";
import { createAuthority, type Identity } from "../../../server/src/testing/certificates.ts";
import { type Check, checksOf, type Target } from "../doctor-checks.ts";

const VERSION = "1.2.3";
const DAY_MS = 86_400_000;

interface ServerOptions {
  readonly token?: string;
  /** What the header sortie-version says; absent: it is not there. */
  readonly version?: string;
  readonly maxMessageBytes?: bigint;
  readonly health?: HealthCheckResponse_ServingStatus;
  /** How far its clock is ahead, milliseconds. */
  readonly aheadMs?: number;
  readonly tls?: Identity & { readonly clientRoot?: string };
}

/** Speaks HTTP/2 alone, as a cuOpt server does. @returns its port */
async function startServer(options: ServerOptions): Promise<number> {
  const routes = (router: ConnectRouter) => {
    router.service(CuOptRemoteService, {
      checkStatus(_request, { requestHeader, responseHeader }) {
        if (options.version !== undefined) responseHeader.set("sortie-version", options.version);
        if (options.aheadMs !== undefined) {
          responseHeader.set("date", new Date(Date.now() + options.aheadMs).toUTCString());
        }
        if (options.token !== undefined && requestHeader.get("authorization") !== `Bearer ${options.token}`) {
          throw new ConnectError("this token is not known", Code.Unauthenticated);
        }
        return { jobStatus: JobStatus.NOT_FOUND, maxMessageBytes: options.maxMessageBytes ?? 0n };
      },
    });
    const { health } = options;
    if (health !== undefined) router.service(Health, { check: () => ({ status: health }) });
  };
  const handler = connectNodeAdapter({ routes });
  const { tls } = options;
  const server = tls
    ? createSecureServer({ ...tls, ...(tls.clientRoot && { ca: tls.clientRoot, requestCert: true }) }, handler)
    : createServer(handler);
  return await listening(server);
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

type Look = Partial<Target> & { readonly token?: string };

/** What doctor says, by the names of its checks. */
async function look(port: number, { token, ...given }: Look = {}): Promise<Record<string, Check>> {
  const opened: { close(): void }[] = [];
  const { host = "127.0.0.1", tls } = given;
  const target: Target = {
    host,
    port,
    protocol: "grpc",
    hasToken: token !== undefined,
    version: VERSION,
    timeoutMs: 5000,
    transport(protocol, { withoutToken = false } = {}) {
      const transport = transportTo({
        address: protocol === "grpc" ? `${host}:${port}` : `http${tls ? "s" : ""}://${host}:${port}`,
        tls: tls ? { rootCert: tls.root, clientCert: tls.cert, clientKey: tls.key } : undefined,
        token: withoutToken ? undefined : token,
      });
      opened.push(transport);
      return transport;
    },
    ...given,
  };
  const checks: Record<string, Check> = {};
  try {
    for await (const check of checksOf(target, new AbortController().signal)) checks[check.name] = check;
  } finally {
    for (const transport of opened) transport.close();
  }
  return checks;
}

const states = (checks: Record<string, Check>) =>
  Object.fromEntries(Object.values(checks).map(({ name, state }) => [name, state]));

it("finds nothing wrong with a server that is as it should be", async () => {
  const port = await startServer({
    version: VERSION,
    maxMessageBytes: 4_194_304n,
    health: HealthCheckResponse_ServingStatus.SERVING,
    aheadMs: 0,
  });
  const checks = await look(port);
  expect(states(checks)).toEqual({
    name: "ok",
    connection: "ok",
    tls: "ok",
    grpc: "ok",
    connect: "ok",
    server: "ok",
    token: "ok",
    limits: "ok",
    health: "ok",
    clock: "ok",
    "round trip": "ok",
  });
  expect(checks).toMatchObject({
    connect: { text: expect.stringContaining("not spoken here") },
    server: { text: `Sortie ${VERSION}` },
    token: { text: "none is needed" },
    limits: { text: expect.stringContaining("4.2 MB") },
  });
});

it("takes a server without the header for cuOpt, which has neither health nor a clock to tell", async () => {
  const checks = await look(await startServer({ maxMessageBytes: 1n }));
  expect(checks).toMatchObject({
    server: { state: "ok", text: expect.stringContaining("cuOpt") },
    health: { state: "ok", text: expect.stringContaining("no health service") },
  });
});

it.each<[string, ServerOptions, Look, Partial<Check>]>([
  [
    "another release",
    { version: "1.3.0" },
    {},
    { name: "server", state: "warn", text: `Sortie 1.3.0, and this program is ${VERSION}` },
  ],
  ["a limit that is not told", {}, {}, { name: "limits", state: "warn" }],
  [
    "a server that stops",
    { health: HealthCheckResponse_ServingStatus.NOT_SERVING },
    {},
    { name: "health", state: "fail", text: "the server says that it is not serving" },
  ],
  [
    "a clock that is ahead",
    { aheadMs: 120_000 },
    {},
    {
      name: "clock",
      state: "warn",
      text: expect.stringMatching(/^the server's clock is (2 min [01] s|1 min 5\d s) ahead/),
    },
  ],
  [
    "a clock that is behind",
    { aheadMs: -7_200_000 },
    {},
    { name: "clock", state: "warn", text: expect.stringMatching(/behind this one/) },
  ],
  [
    "a missing token",
    { token: "secret" },
    {},
    { name: "token", state: "fail", text: "this token is not known", advice: expect.stringContaining("token create") },
  ],
  [
    "a wrong token",
    { token: "secret" },
    { token: "other" },
    { name: "token", state: "fail", advice: expect.stringContaining("revoked") },
  ],
  [
    "a token that is accepted",
    { token: "secret" },
    { token: "secret" },
    { name: "token", state: "ok", text: "accepted" },
  ],
  [
    "a token that nobody asks for",
    {},
    { token: "secret" },
    { name: "token", state: "ok", text: expect.stringContaining("lets in calls without one") },
  ],
])("tells of %s", async (_, server, given, check) => {
  expect((await look(await startServer(server), given))[check.name ?? ""]).toMatchObject(check);
});

it("ends at a name that nobody knows", async () => {
  const checks = await look(1, { host: "nowhere.invalid" });
  expect(Object.values(checks)).toMatchObject([{ name: "name", state: "fail" }]);
});

it("ends at a port where nothing listens", async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
  );
  await new Promise((resolve) => server.close(resolve));
  expect(await look(port)).toMatchObject({
    connection: { state: "fail", text: `nothing listens at 127.0.0.1:${port}` },
  });
});

it("ends at a server that speaks something else, and says how it may be called", async () => {
  const port = await listening(
    createHttp1Server((_request, response) => response.writeHead(404).end("no such page\n")),
  );
  const checks = await look(port);
  expect(checks["grpc"]).toMatchObject({ state: "fail", advice: expect.stringContaining("https://") });
  expect(Object.keys(checks)).toEqual(["name", "connection", "tls", "grpc"]);
  expect((await look(port, { protocol: "connect" }))["connect"]).toMatchObject({
    state: "fail",
    advice: expect.stringContaining("path of the URL"),
  });
});

it("sees that clear text and TLS are mixed up, either way", async () => {
  const authority = await createAuthority("the authority of the tests");
  const secure = await startServer({ tls: await authority.issue("localhost") });
  expect((await look(secure))["grpc"]).toMatchObject({ state: "fail", advice: expect.stringContaining("--tls") });
  const plain = await look(await startServer({}), { tls: {} });
  expect(plain["tls"]).toMatchObject({ state: "fail", text: "the server does not speak TLS here" });
});

it("looks at the certificate", async () => {
  const authority = await createAuthority("the authority of the tests");
  const trusted = { host: "localhost", tls: { root: authority.root } };
  const at = async (name: string, validMs: number) =>
    await startServer({ tls: await authority.issue(name, { validMs }), maxMessageBytes: 1n });

  const good = await at("localhost", 100 * DAY_MS);
  const fine = await look(good, trusted);
  expect(states(fine)).toMatchObject({ tls: "ok", grpc: "ok" });
  expect(fine["tls"]?.text).toMatch(/^TLSv1\.\d, certificate of localhost until \d{4}-\d\d-\d\d$/);

  expect((await look(good, { host: "localhost", tls: {} }))["tls"]).toMatchObject({
    state: "fail",
    text: expect.stringContaining("not trusted"),
    advice: expect.stringContaining("--tls-root-cert"),
  });
  expect((await look(await at("elsewhere", 100 * DAY_MS), trusted))["tls"]).toMatchObject({
    state: "fail",
    advice: expect.stringContaining("a name that stands in its certificate"),
  });
  expect((await look(await at("localhost", -60_000), trusted))["tls"]).toMatchObject({
    state: "fail",
    text: expect.stringContaining("it has expired"),
  });
  expect((await look(await at("localhost", 10.5 * DAY_MS), trusted))["tls"]).toMatchObject({
    state: "warn",
    text: expect.stringContaining("10 days left"),
  });
});

it("says that a client certificate is missing", async () => {
  const authority = await createAuthority("the authority of the tests");
  const identity = await authority.issue("localhost");
  const port = await startServer({ tls: { ...identity, clientRoot: authority.root } });
  const client = await authority.issue("a client");
  const known = { host: "localhost", tls: { root: authority.root } };
  expect((await look(port, known))["grpc"]).toMatchObject({
    state: "fail",
    advice: expect.stringContaining("--tls-client-cert"),
  });
  expect((await look(port, { ...known, tls: { ...known.tls, ...client } }))["grpc"]).toMatchObject({ state: "ok" });
});
