// `sortie solve` at a server that is not Sortie: it has cuOpt's service and nothing else.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { JobStatus } from "@sortie/wire";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { COMPLETED, cancels, deletes, mipSolution, PROCESSING, submits, whole } from "../client/messages.ts";
import { fault, type Script, scriptedServer } from "../client/scripted-server.ts";
import { spawnSortie } from "../conformance/embedded-server.ts";

const MODEL = fileURLToPath(new URL("../data/lp/flugpl.mps.gz", import.meta.url));
const COLUMNS = 18;
const TEST_MS = 120_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sortie-elsewhere-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function solve(args: readonly string[], onOutput: (out: string, interrupt: () => void) => void = () => {}) {
  const child = spawnSortie(["solve", MODEL, ...args]);
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    onOutput(out, () => child.kill("SIGINT"));
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const entry = (index: number, objective: number) => ({
  index: BigInt(index),
  objective,
  assignment: new Array<number>(COLUMNS).fill(objective),
  jobId: "job-1",
});
const found = [entry(0, 30), entry(1, 20)];
/** As cuOpt's server: all from an index on, whatever the job's state. */
const incumbents: Script["getIncumbents"] = ({ fromIndex }) => ({
  incumbents: found.slice(Number(fromIndex)),
  nextIndex: BigInt(found.length),
  jobComplete: false,
});
const solution = mipSolution(new Array<number>(COLUMNS).fill(1), 18);

describe("sortie solve at a server that is not Sortie", { timeout: TEST_MS }, () => {
  it("asks for nothing that the server does not have, and deletes the job", async () => {
    const server = await scriptedServer({
      ...submits,
      ...deletes,
      waitForCompletion: () => COMPLETED,
      checkStatus: () => COMPLETED,
      getResult: () => whole(solution),
      getIncumbents: incumbents,
    });
    const { code, out, err } = await solve(["--server", server.address, "--plot"]);
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toMatch(/incumbent 30\n.*incumbent 20\n/);
    expect(out).toMatch(/Optimal solution found\.\nSolution objective: 18 {2}Bound: 18/);
    expect(server.requestsOf("deleteResult")).toMatchObject([{ jobId: "job-1" }]);
    expect(server.callsOf("submitJob")).toHaveLength(1);
  });

  it("never submits again what the server may have taken", async () => {
    const server = await scriptedServer({
      submitJob: () => {
        throw fault(Code.Unavailable, "the connection broke");
      },
    });
    const { code, err } = await solve(["--server", server.address]);
    expect(err).toMatch(/^sortie: .*the connection broke\n$/);
    expect(code).toBe(1);
    expect(server.callsOf("submitJob")).toHaveLength(1);
  });

  it("keeps the best incumbent after Ctrl-C", async () => {
    const cancelled = Promise.withResolvers<void>();
    const server = await scriptedServer({
      ...submits,
      ...deletes,
      getIncumbents: incumbents,
      cancelJob: () => {
        cancelled.resolve();
        return cancels.cancelJob();
      },
      waitForCompletion: async () => {
        await cancelled.promise;
        return { jobStatus: JobStatus.CANCELLED, message: "Job was cancelled" };
      },
      checkStatus: () => PROCESSING,
    });
    const file = join(folder, "best.sol");
    let asked = false;
    const { code, out } = await solve(["--server", server.address, "-o", file], (text, interrupt) => {
      if (!asked && text.includes("incumbent 20")) interrupt();
      asked ||= text.includes("incumbent 20");
    });
    expect(code).toBe(130);
    expect(out).toMatch(/Cancelled\. Best objective found: 20\n/);
    expect(readFileSync(file, "utf8")).toMatch(/^# Status: Feasible\n# Objective value: 20\n/);
  });

  it.each([
    ["Ctrl-C cannot be told to it", 130],
    ["the wait breaks", 1],
  ])("keeps what a server has told before it was lost, and says that the job may go on: %s", async (_how, expected) => {
    const gone = fault(Code.Unavailable, "nobody is there");
    const seen = Promise.withResolvers<void>();
    const server = await scriptedServer({
      ...submits,
      ...deletes,
      getIncumbents: incumbents,
      cancelJob: () => {
        throw gone;
      },
      waitForCompletion: async (_, { signal }) => {
        if (expected === 1) await seen.promise;
        else await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw gone;
      },
      checkStatus: () => PROCESSING,
    });
    const file = join(folder, "best.sol");
    let asked = false;
    const { code, out, err } = await solve(["--server", server.address, "-o", file], (text, interrupt) => {
      if (asked || !text.includes("incumbent 20")) return;
      asked = true;
      if (expected === 1) seen.resolve();
      else interrupt();
    });
    expect(err).toMatch(/^sortie: .*nobody is there\nsortie: job job-1 may go on without us: .*\n$/);
    expect(out).toContain("Best objective found so far: 20\n");
    expect(readFileSync(file, "utf8")).toMatch(/^# Status: Feasible\n# Objective value: 20\n/);
    expect(server.callsOf("deleteResult")).toEqual([]);
    expect(code).toBe(expected);
  });

  it("tells why a job failed, with an exit code of its own, and leaves it there", async () => {
    const server = await scriptedServer({
      ...submits,
      ...deletes,
      getIncumbents: () => ({ jobComplete: true }),
      waitForCompletion: () => ({ jobStatus: JobStatus.FAILED, message: "Job failed: out of memory" }),
    });
    const { code, err } = await solve(["--server", server.address]);
    expect(err).toBe("sortie: the job failed: out of memory\n");
    expect(code).toBe(4);
    // Its log says more.
    expect(server.methods).not.toContain("deleteResult");
  });
});
