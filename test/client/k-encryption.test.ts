// Group K: encryption, as a client configures it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError, ConnectionError } from "@sortie/client";
import { type ConnectOptions, connect, connectFromEnvironment } from "@sortie/client/node";
import { afterAll, expect, onTestFinished } from "vitest";
import { createAuthority, type Identity } from "../../packages/server/src/testing/certificates.ts";
import { EmbeddedServer } from "../conformance/embedded-server.ts";
import { AFIRO_OBJECTIVE, afiro } from "../conformance/models.ts";
import { clientOf, faultOf, scenario } from "./harness.ts";
import { messageOf } from "./messages.ts";
import { scriptedServer } from "./scripted-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sortie-client-tls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const authority = await createAuthority("the authority of the tests");
const stranger = await createAuthority("another authority");
const identity = await authority.issue("localhost");
const known = await authority.issue("a client");
const unknown = await stranger.issue("a client");

/** `sortie serve` with TLS; it starts when the first test asks for it. */
function tlsServer(...flags: string[]): () => Promise<{ readonly address: string }> {
  const own = ["--tls", "--tls-cert", file("cert.pem", identity.cert), "--tls-key", file("key.pem", identity.key)];
  let server: EmbeddedServer | undefined;
  let started: Promise<unknown> | undefined;
  afterAll(() => server?.dispose());
  return async () => {
    server ??= new EmbeddedServer([...own, ...flags]);
    started ??= server.start();
    await started;
    return { address: `localhost:${server.port}` };
  };
}

const root = ["--tls-root", file("root.pem", authority.root)];
const plain = tlsServer();
const optional = tlsServer(...root);
const mutual = tlsServer(...root, "--require-client-cert");

const trusting = (client?: Identity): Omit<ConnectOptions, "address"> => ({
  tls: { rootCert: authority.root, ...(client ? { clientCert: client.cert, clientKey: client.key } : {}) },
});

async function expectAfiro(client: Awaited<ReturnType<typeof clientOf>>): Promise<void> {
  const { result } = await client.solve(messageOf(afiro()));
  if (result.kind !== "lp") throw new Error("not an LP");
  expect(result.scalars.primalObjective / AFIRO_OBJECTIVE).toBeCloseTo(1, 9);
}

async function expectNoConnection(
  { address }: { readonly address: string },
  options: Omit<ConnectOptions, "address">,
): Promise<void> {
  const error = await faultOf(connect({ ...options, address }));
  expect(error).toBeInstanceOf(ConnectionError);
  expect(error.message).toContain(address);
}

scenario("K1", async () => {
  expect((await clientOf(await plain(), trusting())).server).toMatchObject({ isSortie: true });
});

scenario("K1", "a URL over HTTP/1.1", async () => {
  const { address } = await plain();
  expect((await clientOf({ address: `https://${address}` }, trusting())).connected).toBe(true);
});

scenario("K2", async () => {
  await expectAfiro(await clientOf(await plain(), trusting()));
});

scenario("K3", async () => {
  await expectNoConnection(await plain(), {});
});

scenario("K4", async () => {
  const server = await scriptedServer({}, { tls: identity });
  await expectNoConnection(server, { tls: { rootCert: stranger.root } });
  // The platform's own roots do not know the authority either.
  await expectNoConnection(server, { tls: {} });
  expect(server.calls).toEqual([]);
  await clientOf(server, trusting());
  expect(server.calls).toHaveLength(1);
});

scenario("K5", async () => {
  await expectAfiro(await clientOf(await mutual(), trusting(known)));
});

scenario("K5", "from files that the environment names", async () => {
  const { address } = await mutual();
  const [host, port] = address.split(":");
  const client = await connectFromEnvironment({
    CUOPT_REMOTE_HOST: host,
    CUOPT_REMOTE_PORT: port,
    CUOPT_TLS_ENABLED: "1",
    CUOPT_TLS_ROOT_CERT: file("root.pem", authority.root),
    CUOPT_TLS_CLIENT_CERT: file("client.pem", known.cert),
    CUOPT_TLS_CLIENT_KEY: file("client-key.pem", known.key),
  });
  onTestFinished(() => client.close());
  await expectAfiro(client);
});

scenario("K6", async () => {
  await expectNoConnection(await mutual(), trusting());
  await expectNoConnection(await mutual(), trusting(unknown));
  const allowed = await clientOf(await mutual(), trusting(known));
  expect(await Array.fromAsync(allowed.jobs())).toEqual([]);
});

scenario("K7", async () => {
  expect((await clientOf(await optional(), trusting())).connected).toBe(true);
  expect((await clientOf(await optional(), trusting(known))).connected).toBe(true);
  await expectNoConnection(await optional(), trusting(unknown));
});

scenario("K8", async () => {
  const cert = file("client.pem", known.cert);
  const key = file("client-key.pem", known.key);
  const remote = { CUOPT_REMOTE_HOST: "localhost", CUOPT_REMOTE_PORT: "5001", CUOPT_TLS_ENABLED: "1" };
  const halves: readonly (readonly [Record<string, string>, missing: string])[] = [
    [{ CUOPT_TLS_CLIENT_CERT: cert }, "CUOPT_TLS_CLIENT_KEY"],
    [{ CUOPT_TLS_CLIENT_KEY: key }, "CUOPT_TLS_CLIENT_CERT"],
    // An empty variable counts as unset.
    [{ CUOPT_TLS_CLIENT_CERT: cert, CUOPT_TLS_CLIENT_KEY: "" }, "CUOPT_TLS_CLIENT_KEY"],
  ];
  for (const [half, missing] of halves) {
    const error = await faultOf(connectFromEnvironment({ ...remote, ...half }));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toContain(missing);
  }
  const sortie = { SORTIE_SERVER: "localhost:5001", SORTIE_TLS: "true", SORTIE_TLS_CLIENT_KEY: key };
  expect((await faultOf(connectFromEnvironment(sortie))).message).toContain("SORTIE_TLS_CLIENT_CERT");
  const given = connect({ address: "localhost:5001", tls: { clientCert: known.cert } });
  expect(await faultOf(given)).toBeInstanceOf(ConfigurationError);
});

scenario("K8", "a file that cannot be read is named with its variable", async () => {
  const path = join(folder, "nowhere.pem");
  const env = { CUOPT_REMOTE_HOST: "localhost", CUOPT_REMOTE_PORT: "5001", CUOPT_TLS_ENABLED: "1" };
  const error = await faultOf(connectFromEnvironment({ ...env, CUOPT_TLS_ROOT_CERT: path }));
  expect(error).toBeInstanceOf(ConfigurationError);
  expect(error.message).toContain("CUOPT_TLS_ROOT_CERT");
  expect(error.message).toContain(path);
});

scenario("K10", async () => {
  const nameless = await authority.issue("localhost", { subjectOnly: true });
  const server = await scriptedServer({}, { tls: nameless });
  await expectNoConnection(server, trusting());
  expect(server.calls).toEqual([]);
});

scenario("K10", "a certificate for another name", async () => {
  const server = await scriptedServer({}, { tls: await authority.issue("elsewhere.example") });
  await expectNoConnection(server, trusting());
  expect(server.calls).toEqual([]);
});
