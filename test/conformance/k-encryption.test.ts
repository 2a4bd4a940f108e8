// Group K: encryption.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { JobStatus } from "@sortie/wire";
import { afterAll, expect, onTestFinished } from "vitest";
import { createAuthority, type Identity } from "../../packages/server/src/testing/certificates.ts";
import { type ConnectOptions, overEveryTransport, sharedServer, spawnSortie } from "./harness.ts";
import { AFIRO_OBJECTIVE, afiro } from "./models.ts";
import type { Session } from "./session.ts";

const folder = mkdtempSync(join(tmpdir(), "sortie-conformance-tls-"));
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
const own = ["--tls", "--tls-cert", file("cert.pem", identity.cert), "--tls-key", file("key.pem", identity.key)];
const root = ["--tls-root", file("root.pem", authority.root)];

const plain = sharedServer(...own);
const optional = sharedServer(...own, ...root);
const mutual = sharedServer(...own, ...root, "--require-client-cert");

const PROBE = { jobId: "__connection_probe__" };
const trusting = (client?: Identity): ConnectOptions => ({ tls: { ca: authority.root, ...client } });

async function expectConnected({ rpc }: Session): Promise<void> {
  expect(await rpc.checkStatus(PROBE)).toMatchObject({ jobStatus: JobStatus.NOT_FOUND });
}

/** The probe fails, and at once; with which code is the client library's choice. */
async function expectNoConnection({ rpc }: Session): Promise<void> {
  const outcome = await rpc.checkStatus(PROBE, { timeoutMs: 10_000 }).then(
    () => "OK",
    (error: unknown) => Code[ConnectError.from(error).code],
  );
  expect(["OK", "NotFound", "DeadlineExceeded"]).not.toContain(outcome);
}

async function expectAfiro(session: Session): Promise<void> {
  expect((await session.solved(afiro())).objective / AFIRO_OBJECTIVE).toBeCloseTo(1, 9);
}

overEveryTransport((scenario) => {
  scenario("K1", async ({ connect }) => {
    await expectConnected(await connect(plain, trusting()));
  });

  scenario("K2", async ({ connect }) => {
    await expectAfiro(await connect(plain, trusting()));
  });

  scenario("K3", async ({ connect }) => {
    await expectNoConnection(await connect(plain));
  });

  scenario("K5", async ({ connect }) => {
    const session = await connect(mutual, trusting(known));
    await expectConnected(session);
    await expectAfiro(session);
  });

  scenario("K6", async ({ connect }) => {
    await expectNoConnection(await connect(mutual, trusting()));
    await expectNoConnection(await connect(mutual, trusting(unknown)));
    // Nothing was executed: no job is there.
    const { jobs } = await connect(mutual, trusting(known));
    expect((await jobs.listJobs({})).jobs).toEqual([]);
  });

  scenario("K7", async ({ connect }) => {
    const without = await connect(optional, trusting());
    await expectConnected(without);
    await expectConnected(await connect(optional, trusting(known)));
    await expectNoConnection(await connect(optional, trusting(unknown)));
  });

  scenario("K9", async () => {
    const cases: readonly [string[], RegExp][] = [
      [["--tls"], /--tls needs --tls-cert/],
      [["--tls", "--tls-cert", join(folder, "cert.pem")], /--tls needs --tls-key/],
      [[...own, "--require-client-cert"], /--require-client-cert needs --tls-root/],
      [["--tls", "--tls-cert", join(folder, "none.pem"), "--tls-key", join(folder, "key.pem")], /cannot be read/],
    ];
    for (const [flags, text] of cases) {
      const child = spawnSortie(["serve", "--port", "0", "--data", join(folder, "data"), ...flags]);
      onTestFinished(() => void child.kill("SIGKILL"));
      let message = "";
      child.stderr?.setEncoding("utf8").on("data", (part: string) => {
        message += part;
      });
      const [code] = await once(child, "close");
      expect(code).toBe(1);
      expect(message).toMatch(text);
    }
  });
});
