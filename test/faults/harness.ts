// Real processes for the fault tests: servers on a temporary data directory, clients, and the proof that nothing is left.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import {
  CuOptRemoteService,
  type DecodedIncumbents,
  type DecodedResult,
  decodeIncumbentResponse,
  decodeResultResponse,
  type EncodedMessage,
  type Job,
  JobService,
  JobStatus,
  rawFields,
  rawMessage,
  withRawMessages,
} from "@sortie/wire";
import { type SampleProblem, submission } from "./problems.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
// Becomes the program itself, under the same process id: a signal reaches the server and not a stand-in.
const program = join(repository, "packages/cli/bin/sortie.js");

/** Resolves as soon as `fact` gives something other than undefined or false; rejects when it does not for long. */
export async function until<T>(
  what: string,
  fact: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const found = await fact();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await letPass(20);
  }
}

/** For tests whose subject is that time passes. */
export const letPass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const services = {
  cuopt: withRawMessages(CuOptRemoteService, {
    submitJob: { input: true },
    getResult: { output: true },
    getIncumbents: { output: true },
  }),
  jobs: JobService,
};

/** The calls of the tests, and a few that they have in common. */
export class Client implements Disposable {
  readonly #disconnect: () => void;
  readonly cuopt;
  readonly jobs;

  constructor(transport: Transport, disconnect: () => void = () => undefined) {
    this.#disconnect = disconnect;
    this.cuopt = createClient(services.cuopt, transport);
    this.jobs = createClient(services.jobs, transport);
  }

  /** A client over gRPC. */
  static of(address: string): Client {
    const baseUrl = `http://${address}`;
    const sessionManager = new Http2SessionManager(baseUrl);
    return new Client(createGrpcTransport({ baseUrl, sessionManager }), () => sessionManager.abort());
  }

  async submit(problem: SampleProblem, settings: { timeLimitSeconds?: number } = {}): Promise<string> {
    const request = rawMessage(submission(problem, settings));
    // The response type is whole; only the request is raw.
    return ((await this.cuopt.submitJob(request)) as unknown as { jobId: string }).jobId;
  }

  async status(jobId: string): Promise<JobStatus> {
    return (await this.cuopt.checkStatus({ jobId })).jobStatus;
  }

  async job(jobId: string): Promise<Job> {
    return (await this.jobs.getJob({ id: jobId })).job!;
  }

  async result(jobId: string): Promise<DecodedResult> {
    const response = await this.cuopt.getResult({ jobId });
    return decodeResultResponse(rawFields(response) as EncodedMessage);
  }

  async incumbents(jobId: string): Promise<DecodedIncumbents["incumbents"]> {
    const response = await this.cuopt.getIncumbents({ jobId });
    return decodeIncumbentResponse(rawFields(response) as EncodedMessage).incumbents;
  }

  /** Waits for the job's end, across anything that happens to its workers. */
  async end(jobId: string): Promise<JobStatus> {
    for (;;) {
      const { jobStatus } = await this.cuopt.waitForCompletion({ jobId });
      // A host that ends its waits early tells the state of the moment.
      if (jobStatus !== JobStatus.QUEUED && jobStatus !== JobStatus.PROCESSING) return jobStatus;
    }
  }

  /** Every line of a finished job's log. @throws if its offsets do not follow from its lines */
  async log(jobId: string): Promise<string[]> {
    const lines: string[] = [];
    let at = 0n;
    for await (const { line, byteOffset, jobComplete } of this.cuopt.streamLogs({ jobId })) {
      if (jobComplete) break;
      at += BigInt(Buffer.byteLength(line) + 1);
      if (byteOffset !== at) throw new Error(`the log says offset ${byteOffset} after ${at} bytes: "${line}"`);
      lines.push(line);
    }
    return lines;
  }

  /** Resolves once the job runs and has found something. */
  running(jobId: string, incumbents = 1): Promise<Job> {
    return until(`job ${jobId} runs and has ${incumbents} incumbents`, async () => {
      const job = await this.job(jobId);
      return (await this.status(jobId)) === JobStatus.PROCESSING && job.incumbentCount >= incumbents && job;
    });
  }

  [Symbol.dispose](): void {
    this.#disconnect();
  }
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerOptions {
  readonly flags?: readonly string[];
  /** A command that the server's own command is handed to, to run it inside something. */
  readonly inside?: readonly string[];
}

export class Server {
  readonly #child: ChildProcess;
  readonly #end: Promise<ProcessEnd>;
  readonly address: string;
  readonly client: Client;

  constructor(child: ChildProcess, end: Promise<ProcessEnd>, address: string) {
    this.#child = child;
    this.#end = end;
    this.address = address;
    this.client = Client.of(address);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Signals the server and waits for its end. */
  async stop(signal: NodeJS.Signals): Promise<ProcessEnd> {
    this.#child.kill(signal);
    return this.#end;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

const open = new Set<Ground>();
// A run that is cut off leaves nothing either.
process.once("exit", () => {
  for (const ground of open) ground.raze();
});

/** A data directory, and everything that runs on it. Disposing of it ends and removes all, and throws if something stayed. */
export class Ground implements AsyncDisposable {
  readonly dataDir = mkdtempSync(join(tmpdir(), "sortie-faults-"));
  readonly #servers: Server[] = [];

  constructor() {
    open.add(this);
  }

  async start({ flags = [], inside = [] }: ServerOptions = {}): Promise<Server> {
    const { child, end, output } = this.#spawn(flags, inside);
    const address = await Promise.race([
      until("the server listens", () => /^sortie listening on (\S+)$/m.exec(output.out)?.[1]),
      end.then(({ code, signal }) => {
        throw new Error(`the server ended with ${signal ?? code} before it listened:\n${output.err}`);
      }),
    ]);
    const server = new Server(child, end, address);
    this.#servers.push(server);
    return server;
  }

  /** Starts a server that is expected to refuse. */
  async startInVain(flags: readonly string[] = []): Promise<ProcessEnd & { readonly text: string }> {
    const { end, output } = this.#spawn(flags, []);
    return { ...(await end), text: output.err };
  }

  #spawn(flags: readonly string[], inside: readonly string[]) {
    const serve = [process.execPath, program, "serve", "--port", "0", "--data", this.dataDir];
    const [command, ...args] = [...inside, ...serve, "--log-level", "warn", ...flags];
    const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"], env: cleanEnvironment() });
    const output = { out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output.out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output.err += text;
    });
    const end = once(child, "close").then(([code, signal]): ProcessEnd => ({ code, signal }));
    return { child, end, output };
  }

  /** Process ids of the workers, by what stands on their command line. */
  workers(): number[] {
    return this.#processes()
      .filter(({ words }) => words.includes("--settings"))
      .map(({ pid }) => pid);
  }

  /** Keys of the blobs in the data directory, finished ones only. @param seen where the directory is, if not in its place */
  storedBlobs(seen: string = this.dataDir): string[] {
    const root = join(seen, "blobs");
    let found: ReturnType<typeof listed> | undefined;
    while (found === undefined) {
      try {
        found = listed(root);
      } catch (error) {
        // A folder was removed while it was read.
        if ((error as NodeJS.ErrnoException).code !== "ENOENT" || !existsSync(root)) throw error;
      }
    }
    return found
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((key) => !key.startsWith("."))
      .sort();
  }

  /** The one worker there is, once there is one. Use with a pool of one. */
  worker(): Promise<number> {
    return until("there is one worker", () => {
      const pids = this.workers();
      return pids.length === 1 && pids[0];
    });
  }

  /** Processes whose command line names this data directory; zombies have none. */
  #processes(): { pid: number; words: string[] }[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
          const ours = Number(name) !== process.pid && words.some((word) => word.includes(this.dataDir));
          return ours ? [{ pid: Number(name), words }] : [];
        } catch {
          return [];
        }
      });
  }

  /** Ends and removes everything at once. */
  raze(): void {
    for (const { pid } of this.#processes()) process.kill(pid, "SIGKILL");
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const server of this.#servers) {
        if (server.isRunning) await server.stop("SIGTERM");
        server.client[Symbol.dispose]();
      }
      // Workers whose server is gone finish what they have and leave by themselves.
      await until("every worker has left", () => this.#processes().length === 0, 20_000);
    } finally {
      this.raze();
      open.delete(this);
    }
  }
}

/** Settings in this shell's environment must not reach the servers under test. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SORTIE|CUOPT|VITEST|NODE_OPT)/.test(name)),
  );
}

/** `kill -9`, whoever's child the process is; resolves when it is gone. */
export async function killHard(pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  await until(`process ${pid} is gone`, () => !isThere(pid));
}

function isThere(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

const listed = (root: string) => readdirSync(root, { recursive: true, withFileTypes: true });
