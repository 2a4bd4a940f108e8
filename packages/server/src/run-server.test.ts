// The server as a program: one line on standard output, signals, exit codes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CuOptRemoteService } from "@sortie/wire";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

const PROGRAM = fileURLToPath(new URL("testing/small-server.ts", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-run-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Program {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  readonly exit: Promise<number | null>;
}
const programs: Program[] = [];
afterEach(async () => {
  for (const { child } of programs) child.kill("SIGKILL");
  await Promise.all(programs.splice(0).map(({ exit }) => exit));
});

function run(...args: string[]): Program {
  const flags = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  const child = spawn(process.execPath, [...flags, PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (output.stderr += text));
  const program = { child, output, exit: once(child, "close").then(([code]) => code as number | null) };
  programs.push(program);
  return program;
}

/** Runs it until it is ready, and returns its port with it. */
async function serve(...args: string[]): Promise<Program & { port: number }> {
  const program = run("--port", "0", ...args);
  while (!program.output.stdout.includes("\n")) {
    await Promise.race([once(program.child.stdout!, "data"), program.exit]);
    if (program.child.exitCode !== null) throw new Error(`ended early: ${program.output.stderr}`);
  }
  return { ...program, port: Number(/:(\d+)\n$/.exec(program.output.stdout)?.[1]) };
}

const clientOf = (port: number) =>
  createClient(CuOptRemoteService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));

describe("the server as a program", () => {
  it("prints one line when it is ready, logs JSON to standard error and to the file, and exits 0 on SIGTERM", async () => {
    const log = join(folder, "server.log");
    const { child, output, exit, port } = await serve("--server-log", log);
    expect((await clientOf(port).checkStatus({ jobId: "hello" })).message).toBe("hello");
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
    expect(output.stdout).toBe(`sortie listening on 127.0.0.1:${port}\n`);
    const messages = (text: string) =>
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).msg);
    expect(messages(output.stderr)).toEqual(["listening", "stopping", "the application has stopped", "stopped"]);
    expect(readFileSync(log, "utf8")).toBe(output.stderr);
  });

  it("ends streams with a resumable error and still exits 0 within its grace", async () => {
    const { child, exit, port } = await serve();
    let error: unknown;
    const lines: string[] = [];
    try {
      for await (const { line } of clientOf(port).streamLogs({})) {
        lines.push(line);
        child.kill("SIGINT");
      }
    } catch (caught) {
      error = caught;
    }
    expect(lines).toEqual(["first line"]);
    expect(ConnectError.from(error)).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "server is stopping; resume from your last byte_offset",
    });
    expect(await exit).toBe(0);
  });

  it("ends at once on a second signal", async () => {
    const { child, exit, output, port } = await serve("--stop-grace-seconds", "3600");
    const client = clientOf(port);
    // Ended here, because this client does not always notice that a server which had said goodbye is gone.
    const cancel = new AbortController();
    const endless = client.sendArrayChunk({}, { signal: cancel.signal }).catch(() => {});
    await client.checkStatus({}); // Comes after it on the same connection.
    child.kill("SIGTERM");
    while (!output.stderr.includes("stopping")) await once(child.stderr!, "data");
    child.kill("SIGINT");
    expect(await exit).toBe(130);
    cancel.abort();
    await endless;
  });

  it("refuses a taken port in one line and exits 1", async () => {
    const { port } = await serve();
    const { output, exit } = run("--port", String(port));
    expect(await exit).toBe(1);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(`sortie: cannot listen on 127.0.0.1:${port}: the port is taken`);
  });

  it("exits 1 with the reason when it cannot start", async () => {
    const broken = run("--port", "0", "--data", join(folder, "broken"));
    const faulty = run("--tls", "--workers", "0");
    const unwritable = run("--server-log", join(folder, "no", "such", "folder.log"));
    expect(await Promise.all([broken.exit, faulty.exit, unwritable.exit])).toEqual([1, 1, 1]);
    expect(broken.output.stderr).toBe("sortie: the data folder is broken\n");
    expect(faulty.output.stderr).toMatch(/^settings: 3 faults\n {2}--workers is "0"/);
    expect(unwritable.output.stderr).toMatch(/^sortie: --server-log .* cannot be opened: ENOENT/);
  });

  it("warns once of an address that others can reach", async () => {
    const { output, child, exit } = await serve("--host", "0.0.0.0");
    child.kill("SIGTERM");
    await exit;
    expect(output.stderr.match(/listening on 0.0.0.0: in clear text/g)).toHaveLength(1);
  });
});
