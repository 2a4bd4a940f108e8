// `sortie serve` as a process of its own, on a temporary data directory.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Blobs, type Job, jobFromRow, type Table } from "@sortie/core";
import { openLocalPlatform } from "@sortie/platform-local";
import type { Server } from "./server.ts";
import { until } from "./until.ts";

const MAIN = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));
const START_MS = 60_000;
const STOP_MS = 30_000;

/** Where the program runs, and variables that it gets beside ours. */
export interface SpawnPlace {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The program with these arguments; tests that look at its end start it themselves. */
export function spawnSortie(args: readonly string[], { cwd, env: more }: SpawnPlace = {}): ChildProcess {
  const node = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  // Settings from outside would make the tests depend on where they run.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SORTIE|CUOPT|NODE|GRPC|CUVIS)_/.test(name)),
  );
  return spawn(process.execPath, [...node, MAIN, ...args], {
    env: { ...env, ...more },
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
  });
}

export class EmbeddedServer implements Server {
  readonly host = "embedded";
  readonly interceptors = [];
  readonly dataDir: string;
  readonly #flags: readonly string[];
  readonly #place: SpawnPlace;
  #child: ChildProcess | undefined;
  #log = "";
  port = 0;

  constructor(flags: readonly string[], place: SpawnPlace = {}) {
    this.#flags = flags;
    this.#place = place;
    this.dataDir = mkdtempSync(join(tmpdir(), "sortie-conformance-"));
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("the server does not run");
    return this.#child.pid;
  }

  /** What the server has logged, over all its starts. */
  get log(): string {
    return this.#log;
  }

  url(scheme = "http"): string {
    return `${scheme}://localhost:${this.port}`;
  }

  /** Starts the server; on the port it had if it ran before. */
  async start(): Promise<this> {
    const args = ["serve", "--port", String(this.port), "--data", this.dataDir, ...this.#flags];
    const child = spawnSortie(args, this.#place);
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
    });
    let output = "";
    const ready = Promise.withResolvers<number>();
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const found = /^sortie listening on \S+:(\d+)$/m.exec(output);
      if (found) ready.resolve(Number(found[1]));
    });
    child.once("exit", (code, signal) => {
      ready.reject(new Error(`the server ended with ${signal ?? code} before it was ready:\n${output}${this.#log}`));
    });
    const timer = setTimeout(() => {
      ready.reject(new Error(`the server was not ready in time:\n${output}${this.#log}`));
    }, START_MS);
    try {
      this.port = await ready.promise;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return this;
  }

  /** Asks the server to stop and waits for its end. @returns its exit code */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** Ends the server without a word. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child) return null;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    const [code] = await ended;
    clearTimeout(timer);
    return code as number | null;
  }

  async openStreams(): Promise<number> {
    const text = await (await fetch(`${this.url()}/metrics`)).text();
    const found = /^sortie_rpc_in_flight\{[^}]*StreamLogs[^}]*\} (\d+)$/m.exec(text);
    return Number(found?.[1] ?? 0);
  }

  async withJob<T>(jobId: string, look: (job: Job, stores: { table: Table; blobs: Blobs }) => Promise<T>): Promise<T> {
    const platform = await openLocalPlatform({ dataDir: this.dataDir, durability: "process" });
    try {
      const row = await platform.table.get({ pk: `job#${jobId}`, sk: "job" });
      if (!row) throw new Error(`the server has no job ${jobId}`);
      return await look(jobFromRow(row), platform);
    } finally {
      await platform.close();
    }
  }

  workerOf(jobId: string): Promise<number> {
    return this.withJob(jobId, async (job) => {
      const pid = /^pid:(\d+)/.exec(job.worker ?? "")?.[1];
      if (pid === undefined) throw new Error(`job ${jobId} has no worker`);
      return Number(pid);
    });
  }

  /** Stops the server, ends workers that would go on with a job, and removes the data. */
  async dispose(): Promise<void> {
    if (this.#child) await this.stop();
    for (const pid of processesNaming(this.dataDir)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {} // It ended by itself.
    }
    await until(() => processesNaming(this.dataDir).length === 0, "the workers are gone");
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** The processes whose command line names this folder, which is one server's alone. */
function processesNaming(folder: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(folder) ? [pid] : [];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}
