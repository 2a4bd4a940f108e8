// The host for native gRPC clients, as a process over emulators, with a token made by the script that operators use.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CuOptRemoteService, Health } from "@sortie/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testTables } from "../aws/dynamo.ts";
import { identity } from "../aws/environment.ts";
import { root } from "./synthesise.ts";

const openTable = testTables();
const NODE = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
let environment: Record<string, string>;
let host: ChildProcess | undefined;
let port = 0;

beforeAll(async () => {
  const { table, endpoint } = await openTable();
  environment = {
    PATH: process.env["PATH"] ?? "",
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: identity.region,
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
    AWS_EC2_METADATA_DISABLED: "true",
    SORTIE_TABLE: table,
    SORTIE_BUCKET: "unused",
    SORTIE_CPU_QUEUE: "cpu",
    SORTIE_CPU_DEFINITION: "cpu",
    SORTIE_HOST_PORT: "0",
  };
  const child = spawn(process.execPath, [...NODE, "functions/host/main.ts"], {
    cwd: root,
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  host = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line);
    if (said.msg !== "listening") continue;
    port = said.port;
    break;
  }
  if (!(port > 0)) throw new Error("the host ended before it listened");
});

afterAll(async () => {
  if (host && host.exitCode === null && host.signalCode === null) {
    host.kill("SIGTERM");
    await once(host, "exit");
  }
});

async function token(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const all = [...NODE, "scripts/aws-token.ts", ...args];
  const child = spawn(process.execPath, all, { cwd: root, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const read = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    read.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    read.err += text;
  });
  const [code] = await once(child, "close");
  return { ...read, code };
}

const transport = () => createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
const statusOf = (authorization?: string): Promise<unknown> =>
  createClient(CuOptRemoteService, transport()).checkStatus(
    { jobId: "nobody's" },
    authorization === undefined ? {} : { headers: { authorization } },
  );
const codeOf = (call: Promise<unknown>): Promise<Code | string> =>
  call.then(
    () => "answered",
    (error) => ConnectError.from(error).code,
  );

describe("the host in an AWS account", () => {
  it("answers probes of native gRPC", async () => {
    expect(await createClient(Health, transport()).check({})).toMatchObject({ status: 1 });
  });

  it("refuses who has no token, although none was ever made", async () => {
    expect(await codeOf(statusOf())).toBe(Code.Unauthenticated);
    expect(await codeOf(statusOf(`Bearer sortie_${"A".repeat(43)}`))).toBe(Code.Unauthenticated);
  });

  it("serves who has a token that was made in the table, until it is revoked", async () => {
    const made = await token("create", "--table", environment["SORTIE_TABLE"]!, "--tenant", "alice", "--expires", "30");
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^sortie_[\w-]{43}\n$/) });
    const authorization = `Bearer ${made.out.trim()}`;
    expect(await codeOf(statusOf(authorization))).not.toBe(Code.Unauthenticated);
    const listed = await token("list", "--table", environment["SORTIE_TABLE"]!);
    expect(listed.out).toMatch(/^[0-9a-f]{16} {2}alice {2}created 2/);
    const revoked = await token("revoke", "--table", environment["SORTIE_TABLE"]!, listed.out.slice(0, 16));
    expect(revoked.code).toBe(0);
    await expect.poll(() => codeOf(statusOf(authorization)), { timeout: 20_000 }).toBe(Code.Unauthenticated);
  });

  it("says what is wrong with a command about tokens", async () => {
    expect(await token("create", "--table", "t")).toMatchObject({ code: 1, err: expect.stringContaining("--tenant") });
    expect(await token("list")).toMatchObject({ code: 1, err: expect.stringContaining("--table is missing") });
  });

  it("ends when it is told to", async () => {
    const child = host!;
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
  });
});
