// Starts real servers for the scenarios, connects clients to them, and runs every scenario over every transport of the host.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterAll, describe, it, onTestFinished } from "vitest";
import { HOSTS, type TransportChoice } from "./hosts.ts";
import { SCENARIOS } from "./scenarios.ts";
import { Session } from "./session.ts";

const MAIN = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));
const START_MS = 60_000;
const STOP_MS = 30_000;

declare module "vitest" {
  interface TaskMeta {
    /** Number of the scenario that a test proves, and where. */
    scenario?: string;
    host?: string;
    /** Absent: no transport is involved. */
    transport?: string;
  }
}

/** The program with these arguments; tests that look at its end start it themselves. */
export function spawnSortie(args: readonly string[]): ChildProcess {
  const node = ["--conditions=sortie-source", "--disable-warning=ExperimentalWarning"];
  // Settings from outside would make the tests depend on where they run.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SORTIE|CUOPT|NODE)_/.test(name)));
  return spawn(process.execPath, [...node, MAIN, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
}

export class Server {
  readonly dataDir: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  #log = "";
  port = 0;

  constructor(flags: readonly string[]) {
    this.#flags = flags;
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
    const child = spawnSortie(["serve", "--port", String(this.port), "--data", this.dataDir, ...this.#flags]);
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

/** A server that the tests of one file share; it starts when the first of them asks for it. */
export interface SharedServer {
  get(): Promise<Server>;
}

export function sharedServer(...flags: string[]): SharedServer {
  let server: Server | undefined;
  let started: Promise<Server> | undefined;
  afterAll(() => server?.dispose());
  return {
    get: () => {
      server ??= new Server(flags);
      started ??= server.start();
      return started;
    },
  };
}

export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ConnectOptions {
  readonly tls?: TlsFiles | undefined;
  /** Connect over HTTP/2 instead of HTTP/1.1. */
  readonly http2?: boolean | undefined;
  /** Connect with JSON instead of binary messages. */
  readonly json?: boolean | undefined;
}

/** What a scenario is given. Everything that it opens is closed after it. */
export interface Trial {
  readonly transport: TransportChoice;
  /** A client on the server; its jobs are deleted after the scenario. */
  connect(server: SharedServer | Server, options?: ConnectOptions): Promise<Session>;
  /** A server of this scenario alone. */
  startServer(...flags: string[]): Promise<Server>;
}

/** A client on a server; the caller closes it. */
export function openSession(server: Server, { protocol }: TransportChoice, options: ConnectOptions): Session {
  const baseUrl = server.url(options.tls ? "https" : "http");
  const nodeOptions = { ...options.tls };
  const useBinaryFormat = !options.json;
  if (protocol === "connect" && !options.http2) {
    const transport = createConnectTransport({ httpVersion: "1.1", baseUrl, nodeOptions, useBinaryFormat });
    return new Session(transport, () => undefined);
  }
  const sessionManager = new Http2SessionManager(baseUrl, {}, nodeOptions);
  const transport =
    protocol === "grpc"
      ? createGrpcTransport({ baseUrl, sessionManager })
      : createConnectTransport({ httpVersion: "2", baseUrl, sessionManager, useBinaryFormat });
  return new Session(transport, () => sessionManager.abort());
}

function trialOver(transport: TransportChoice): Trial {
  return {
    transport,
    async connect(server, options = {}) {
      const session = openSession("get" in server ? await server.get() : server, transport, options);
      onTestFinished(() => session.close());
      return session;
    },
    async startServer(...flags) {
      const server = new Server(flags);
      onTestFinished(() => server.dispose());
      return server.start();
    },
  };
}

/** Declares the test of a scenario; its name comes from the list. */
export type DeclareScenario = (number: string, run: (trial: Trial) => Promise<void>) => void;

/** Declares scenarios once for each transport of each host. */
export function overEveryTransport(declare: (scenario: DeclareScenario) => void): void {
  for (const host of HOSTS) {
    for (const transport of host.transports) {
      describe(`${host.name}, ${transport.name}`, () => {
        declare((number, run) => {
          const { title, notApplicable, codec } = known(number);
          if (notApplicable !== undefined || codec)
            throw new Error(`scenario ${number} is not listed as one for a server`);
          it(`${number} ${title}`, async ({ task }) => {
            Object.assign(task.meta, { scenario: number, host: host.name, transport: transport.name });
            await run(trialOver(transport));
          });
        });
      });
    }
  }
}

/** Declares a scenario that is about messages alone. */
export function codecScenario(number: string, run: () => void | Promise<void>): void {
  const { title, codec } = known(number);
  if (!codec) throw new Error(`scenario ${number} is not listed as one without a server`);
  it(`${number} ${title}`, async ({ task }) => {
    task.meta.scenario = number;
    await run();
  });
}

function known(number: string) {
  const scenario = SCENARIOS.get(number);
  if (!scenario) throw new Error(`there is no scenario ${number}`);
  return scenario;
}

/** Waits until `condition` gives something true, and returns that. */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
  timeoutMs = 60_000,
): Promise<Exclude<T, undefined | null | false | 0 | "">> {
  const deadline = performance.now() + timeoutMs;
  while (true) {
    const found = await condition();
    if (found) return found as Exclude<T, undefined | null | false | 0 | "">;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await delay(20);
  }
}
