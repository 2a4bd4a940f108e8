// Group N: reaching a server by the environment, through the client and through the command.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LpSolution, MipSolution, Model, RemoteError } from "@sortie/client";
import { clientSettingsFrom, connectFromEnvironment } from "@sortie/client/node";
import { afterAll, expect, onTestFinished } from "vitest";
import { createAuthority } from "../../packages/server/src/testing/certificates.ts";
import { EmbeddedServer, spawnSortie } from "../conformance/embedded-server.ts";
import { AFIRO_OBJECTIVE, longMip } from "../conformance/models.ts";
import { clientOf, faultOf, scenario } from "./harness.ts";
import { messageOf, submits, uploads } from "./messages.ts";
import { realServer } from "./real-server.ts";
import { scriptedServer } from "./scripted-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sortie-client-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const data = (name: string): string => fileURLToPath(new URL(`../data/lp/${name}.mps.gz`, import.meta.url));
const AFIRO = data("afiro");
/** minimise x with x ≥ 1.5, x integer: 2. */
const smallMip = file(
  "small.mps",
  [
    "NAME small",
    "ROWS",
    " N cost",
    " G least",
    "COLUMNS",
    " MARKER 'MARKER' 'INTORG'",
    " x cost 1 least 1",
    " MARKER 'MARKER' 'INTEND'",
    "RHS",
    " RHS least 1.5",
    "BOUNDS",
    " UP BND x 10",
    "ENDATA",
    "",
  ].join("\n"),
);

const server = realServer();

/** The two variables that make a machine use a remote server. */
async function remote(): Promise<{ CUOPT_REMOTE_HOST: string; CUOPT_REMOTE_PORT: string }> {
  const [host = "", port = ""] = (await server()).address.split(":");
  return { CUOPT_REMOTE_HOST: host, CUOPT_REMOTE_PORT: port };
}

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function sortie(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const child = spawnSortie(args, { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const [code] = await once(child, "close");
  return { code: code as number | null, out, err };
}

/** The number after "Objective:" in what the command prints. */
const objectiveIn = ({ out, err }: Run): number =>
  Number(/(?:Solution o|O)bjective: *([^\s,]+)/.exec(out)?.[1] ?? expect.fail(out + err));

/** maximise 0.2x − 0.1y with 3x + 4y ≤ 5.4, 2.7x + 10.1y ≤ 4.9: 0.36 at (1.8, 0). */
function demoLp(): Model {
  const model = new Model();
  model.variable("x");
  model.variable("y");
  model.constraint("first", { x: 3, y: 4 }, "<=", 5.4);
  model.constraint("second", { x: 2.7, y: 10.1 }, "<=", 4.9);
  model.maximize({ x: 0.2, y: -0.1 });
  return model;
}

/** maximise 2x + 3y with x + y ≤ 6.5, y ≤ 3.2, both integer: 15 at (3, 3). */
function demoMip(): Model {
  const model = new Model();
  model.variable("x", { type: "integer" });
  model.variable("y", { type: "integer", upper: 3.2 });
  model.constraint("both", { x: 1, y: 1 }, "<=", 6.5);
  model.maximize({ x: 2, y: 3 });
  return model;
}

scenario("N1", async () => {
  const client = await connectFromEnvironment({ ...(await remote()), CUDA_VISIBLE_DEVICES: "" });
  onTestFinished(() => client.close());
  const lp = await client.solveLp(demoLp());
  expect(lp.status).toBe("optimal");
  expect(lp.objective).toBeCloseTo(0.36, 9);
  // At the optimum only the first row binds: a unit of it is worth 0.2 / 3.
  expect(lp.dualOf("first")).toBeCloseTo(0.2 / 3, 9);
  expect(lp.dualOf("second")).toBeCloseTo(0, 9);
  expect(lp.reducedCosts).toHaveLength(2);
  // Only PDLP leaves a warm start.
  expect(lp.warmStart).toBeUndefined();
  const mip = await client.solveMip(demoMip());
  expect(mip.status).toBe("optimal");
  expect(mip.objective).toBeCloseTo(15, 6);
});

scenario("N2", async () => {
  const run = await sortie(["solve", AFIRO], await remote());
  expect(run.err).toBe("");
  expect(run.code).toBe(0);
  expect(run.out).toContain("Using remote GPU backend");
  expect(run.out).toMatch(/^Status: Optimal/m);
  expect(objectiveIn(run) / AFIRO_OBJECTIVE).toBeCloseTo(1, 2);
});

scenario("N3", async () => {
  const run = await sortie(["solve", smallMip], await remote());
  expect(run.code).toBe(0);
  expect(run.out).toContain("Using remote GPU backend");
  expect(run.out).toContain("Optimal solution found.");
  expect(objectiveIn(run)).toBe(2);
});

scenario("N4", async () => {
  const authority = await createAuthority("the authority of the tests");
  const identity = await authority.issue("localhost");
  const known = await authority.issue("a client");
  const tls = ["--tls", "--tls-cert", file("cert.pem", identity.cert), "--tls-key", file("key.pem", identity.key)];
  const root = file("root.pem", authority.root);
  const clientFiles = {
    CUOPT_TLS_CLIENT_CERT: file("client.pem", known.cert),
    CUOPT_TLS_CLIENT_KEY: file("client-key.pem", known.key),
  };
  const flags = [[], ["--tls-root", root, "--require-client-cert"]];
  for (const more of flags) {
    const tlsServer = new EmbeddedServer([...tls, ...more]);
    onTestFinished(() => tlsServer.dispose());
    await tlsServer.start();
    const env = {
      CUOPT_REMOTE_HOST: "localhost",
      CUOPT_REMOTE_PORT: String(tlsServer.port),
      CUOPT_TLS_ENABLED: "1",
      CUOPT_TLS_ROOT_CERT: root,
    };
    const run = await sortie(["solve", AFIRO], { ...env, ...(more.length > 0 ? clientFiles : {}) });
    expect(run.err).toBe("");
    expect(objectiveIn(run) / AFIRO_OBJECTIVE).toBeCloseTo(1, 2);
    if (more.length === 0) continue;
    const refused = await sortie(["solve", AFIRO], env);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`localhost:${tlsServer.port}`);
    expect(refused.out).not.toContain("Objective");
  }
});

scenario("N5", async () => {
  const client = await clientOf(await server());
  const lp = await client.solveLp(demoLp(), { settings: { method: "pdlp" } });
  expect(lp).toBeInstanceOf(LpSolution);
  expect(lp.status).toBe("optimal");
  expect(lp.objective).toBeCloseTo(0.36, 4);
  const mip = await client.solveMip(demoMip());
  expect(mip).toBeInstanceOf(MipSolution);
  expect(mip.status).toBe("optimal");
  expect(mip.objective).toBeCloseTo(15, 6);
});

scenario("N6", async () => {
  const both = await remote();
  for (const name of ["CUOPT_REMOTE_HOST", "CUOPT_REMOTE_PORT"] as const) {
    expect(clientSettingsFrom({ [name]: both[name] }).address).toBeUndefined();
    const run = await sortie(["solve", AFIRO], { [name]: both[name] });
    expect(run.err).toBe("");
    expect(run.out).not.toContain("Using remote GPU backend");
    expect(run.out).toMatch(/embedded/);
    expect(objectiveIn(run) / AFIRO_OBJECTIVE).toBeCloseTo(1, 2);
  }
  // Set to an empty text is set.
  expect(clientSettingsFrom({ CUOPT_REMOTE_HOST: "", CUOPT_REMOTE_PORT: "" }).address).toBeDefined();
});

/** The largest chunk that a client sends whose environment says this. */
async function largestChunk(value: string): Promise<number> {
  const scripted = await scriptedServer(uploads());
  const client = await connectFromEnvironment(
    { CUOPT_REMOTE_HOST: "127.0.0.1", CUOPT_REMOTE_PORT: String(scripted.port), CUOPT_CHUNK_SIZE: value },
    { unaryUpToBytes: 0 },
  );
  onTestFinished(() => client.close());
  const values = new Float64Array(1_000_000);
  await client.submit(messageOf({ kind: "lp", arrays: { c: values, A_offsets: Int32Array.of(0) } }));
  return Math.max(...scripted.requestsOf("sendArrayChunk").map(({ chunk }) => chunk?.data.length ?? 0));
}

scenario("N7", async () => {
  const inOneChunk = 8_000_000;
  expect(await largestChunk("16MB")).toBe(inOneChunk);
  expect(await largestChunk("abc")).toBe(inOneChunk);
  expect(await largestChunk("100")).toBe(inOneChunk);
  expect(await largestChunk("5000000")).toBe(5_000_000);
  expect(await largestChunk("5000000 bytes")).toBe(5_000_000);
});

scenario("N8", async () => {
  expect(clientSettingsFrom({ CUOPT_MAX_MESSAGE_BYTES: "8192" }).maxMessageBytes).toBe(4 * 1024 * 1024);
});

scenario("N8", "a problem of less than three quarters of that still goes in one message", async () => {
  const ways = async (columns: number) => {
    const scripted = await scriptedServer({ ...submits, ...uploads() });
    const client = await connectFromEnvironment({
      CUOPT_REMOTE_HOST: "127.0.0.1",
      CUOPT_REMOTE_PORT: String(scripted.port),
      CUOPT_MAX_MESSAGE_BYTES: "8192",
    });
    onTestFinished(() => client.close());
    await client.submit(
      messageOf({ kind: "lp", arrays: { c: new Float64Array(columns), A_offsets: Int32Array.of(0) } }),
    );
    return scripted.methods[0];
  };
  expect(await ways(390_000)).toBe("submitJob");
  expect(await ways(400_000)).toBe("startChunkedUpload");
});

scenario("N10", async () => {
  const client = await clientOf(await server());
  const long = await client.submit(messageOf(longMip(), { settings: { time_limit: 300 } }));
  expect(await faultOf(client.result(long))).toMatchObject({ code: "unavailable" });
  await client.cancel(long);
  await client.delete(long);

  const ids: string[] = [];
  const solution = await client.solveLp(demoLp(), { keep: true, onJob: (id) => void ids.push(id) });
  const [jobId = expect.fail("no id was told")] = ids;
  expect(solution.value("x")).toBeCloseTo(1.8, 9);
  expect(solution.value("y")).toBeCloseTo(0, 9);
  expect(solution.objective).toBeCloseTo(0.36, 9);
  expect(() => solution.value("z")).toThrow(/z/);
  expect((await client.result(jobId)).arrays.get(0)).toEqual(solution.primal);
  expect(await client.delete(jobId)).toMatchObject({ deleted: true });
  const afterwards = await faultOf(client.result(jobId));
  expect(afterwards).toBeInstanceOf(RemoteError);
  expect(afterwards).toMatchObject({ code: "not-found" });
  expect(await client.status("not an id")).toMatchObject({ state: "not-found" });
  expect(await faultOf(client.wait("not an id"))).toMatchObject({ state: "not-found" });
  expect((await client.solveMip(demoMip())).objective).toBeCloseTo(15, 6);
});
