// One worker process as the pool sees it: starting, idle, busy with one job, or gone.
import { type ChildProcess, fork } from "node:child_process";
import type { PoolCommand, PoolReport } from "./pool-protocol.ts";

export interface ExitInfo {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface PoolWorkerOptions {
  /** Path of the module that the process runs. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** File descriptor that takes the process's output. */
  readonly output: number;
  /** A worker that is not ready by then is killed, in milliseconds. */
  readonly startTimeoutMs: number;
}

export interface PoolWorkerEvents {
  ready(worker: PoolWorker): void;
  claimed(worker: PoolWorker, jobId: string): void;
  done(worker: PoolWorker, jobId: string): void;
  /** The process has ended or could not be started; told once. */
  gone(worker: PoolWorker, exit: ExitInfo, error: Error | undefined): void;
}

/**
 * The flags of this Node process that a child needs to find the same modules: import conditions and quiet warnings.
 */
export function inheritedExecArgv(execArgv: readonly string[] = process.execArgv): string[] {
  const kept: string[] = [];
  execArgv.forEach((flag, at) => {
    if (/^(--conditions=|-C=|--(disable-warning|no-warnings)\b)/.test(flag)) kept.push(flag);
    else if (flag === "--conditions" || flag === "-C") kept.push(`--conditions=${execArgv[at + 1] ?? ""}`);
  });
  return kept;
}

export class PoolWorker {
  readonly #child: ChildProcess;
  readonly #startTimer: NodeJS.Timeout;
  #gone = false;
  /** The identity that the process gave itself; undefined until it is ready. */
  identity: string | undefined;

  constructor(options: PoolWorkerOptions, events: PoolWorkerEvents) {
    const { entry, args, execArgv, env, output, startTimeoutMs } = options;
    this.#child = fork(entry, [...args], {
      // A group of its own: Ctrl-C in a terminal stops the server, not the jobs.
      detached: true,
      execArgv: [...execArgv],
      env,
      stdio: ["ignore", output, output, "ipc"],
    });
    this.#startTimer = setTimeout(() => this.kill(), startTimeoutMs);
    const end = (exit: ExitInfo, error?: Error) => {
      if (this.#gone) return;
      this.#gone = true;
      clearTimeout(this.#startTimer);
      events.gone(this, exit, error);
    };
    this.#child.on("exit", (code, signal) => end({ code, signal }));
    // Could not be started, or a message could not be sent: only the first is the end, and then there is no process id.
    this.#child.on("error", (error) => {
      if (this.#child.pid === undefined) end({ code: null, signal: null }, error);
    });
    this.#child.on("message", (report: PoolReport) => {
      if (this.#gone) return;
      switch (report.type) {
        case "ready":
          clearTimeout(this.#startTimer);
          this.identity = report.worker;
          events.ready(this);
          break;
        case "claimed":
          events.claimed(this, report.jobId);
          break;
        case "done":
          events.done(this, report.jobId);
          break;
      }
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(command: PoolCommand): void {
    // A worker that is just going is told nothing; its exit says the rest.
    if (this.#child.connected) this.#child.send(command, () => undefined);
  }

  /** Ends the process at once. Only ever this very process: it is our child and its end has not been seen. */
  kill(): void {
    if (!this.#gone) this.#child.kill("SIGKILL");
  }

  /** Lets the process go on without us: nothing of it is told any more, and it keeps this process alive no longer. */
  release(): void {
    clearTimeout(this.#startTimer);
    this.#gone = true;
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }
}
