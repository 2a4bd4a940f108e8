// Batch as a state machine: jobs wait for room, start, run, are asked to stop, are killed, lose their host. What a job runs
// is the caller's: a real process, or a stand-in that a test ends by hand.
import { randomUUID } from "node:crypto";

/** https://docs.aws.amazon.com/batch/latest/userguide/job_states.html */
export type BatchStatus = "SUBMITTED" | "PENDING" | "RUNNABLE" | "STARTING" | "RUNNING" | "SUCCEEDED" | "FAILED";

export interface BatchSubmitted {
  readonly name: string;
  readonly queue: string;
  readonly definition: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly shareIdentifier?: string | undefined;
}

/** What Batch tells of a job, in part. */
export interface BatchJobState extends BatchSubmitted {
  readonly id: string;
  readonly status: BatchStatus;
  readonly statusReason: string | undefined;
  readonly container: { readonly exitCode?: number; readonly reason?: string };
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  readonly stoppedAt: number | undefined;
}

/** A container that runs. */
export interface Task {
  /** SIGTERM or SIGKILL to its first process. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** How a container ended: 137 after SIGKILL, 143 where SIGTERM was not handled. */
export type OnExit = (exitCode: number) => void;

export interface BatchMachineOptions {
  /** How many jobs of a queue run at once; a queue that is not named has room for one. */
  readonly capacity: Readonly<Record<string, number>>;
  readonly launch: (job: BatchJobState, onExit: OnExit) => Task;
  /** Between SIGTERM and SIGKILL when a job is terminated, in milliseconds. */
  readonly stopTimeoutMs: number;
  /** Between the notice and the end of a Spot host, in milliseconds. */
  readonly spotNoticeMs?: number | undefined;
  /** Time in each of the states before RUNNING, in milliseconds. */
  readonly stepMs?: number | undefined;
  readonly onChange?: ((job: BatchJobState) => void) | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Job extends Mutable<BatchJobState> {
  task?: Task;
  killer?: NodeJS.Timeout;
  /** Why it will have ended, once its container has. */
  verdict?: string;
}

const ENDED: ReadonlySet<BatchStatus> = new Set(["SUCCEEDED", "FAILED"]);
const HOLDS_ROOM: ReadonlySet<BatchStatus> = new Set(["STARTING", "RUNNING"]);

export class BatchMachine {
  readonly #options: BatchMachineOptions;
  readonly #capacity = new Map<string, number>();
  readonly #jobs = new Map<string, Job>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(options: BatchMachineOptions) {
    this.#options = options;
    for (const [queue, size] of Object.entries(options.capacity)) this.#capacity.set(queue, size);
  }

  get jobs(): readonly BatchJobState[] {
    return [...this.#jobs.values()];
  }

  job(id: string): BatchJobState | undefined {
    return this.#jobs.get(id);
  }

  submit(submitted: BatchSubmitted): BatchJobState {
    const job: Job = {
      ...submitted,
      id: randomUUID(),
      status: "SUBMITTED",
      statusReason: undefined,
      container: {},
      createdAt: Date.now(),
      startedAt: undefined,
      stoppedAt: undefined,
    };
    this.#jobs.set(job.id, job);
    this.#tell(job);
    this.#advance(job, "SUBMITTED", "PENDING", () => {
      this.#advance(job, "PENDING", "RUNNABLE", () => this.#schedule(job.queue));
    });
    return job;
  }

  /** TerminateJob: a job that does not run yet fails at once; the container of one that does gets SIGTERM, then SIGKILL. */
  terminate(id: string, reason: string): void {
    const job = this.#jobs.get(id);
    if (!job || ENDED.has(job.status)) return;
    job.verdict ??= reason;
    if (job.task) this.#askToStop(job, this.#options.stopTimeoutMs);
    else this.#end(job, "FAILED", reason, {});
  }

  /** Room for this many jobs at once from now on; what runs goes on. */
  resize(queue: string, size: number): void {
    this.#capacity.set(queue, size);
    this.#schedule(queue);
  }

  /** The container is killed from outside: by the kernel for its memory, or by an operator. */
  kill(id: string): void {
    this.#jobs.get(id)?.task?.kill("SIGKILL");
  }

  /** The host is gone, and with it the container, without a word. */
  loseHost(id: string): void {
    const job = this.#jobs.get(id);
    if (!job?.task) return;
    job.verdict = "Host EC2 (instance i-0123456789abcdef0) terminated.";
    job.task.kill("SIGKILL");
  }

  /** A Spot interruption: SIGTERM as notice, then the host is gone. */
  spotNotice(id: string): void {
    const job = this.#jobs.get(id);
    if (!job?.task) return;
    job.verdict = "Host EC2 (instance i-0123456789abcdef0) terminated.";
    this.#askToStop(job, this.#options.spotNoticeMs ?? 120_000);
  }

  /** Kills what runs, without telling anybody. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const job of this.#jobs.values()) {
      clearTimeout(job.killer);
      job.task?.kill("SIGKILL");
    }
  }

  #askToStop(job: Job, graceMs: number): void {
    job.task?.kill("SIGTERM");
    job.killer ??= setTimeout(() => job.task?.kill("SIGKILL"), graceMs);
  }

  /** The next state after a while, unless the job has left this one meanwhile. */
  #advance(job: Job, from: BatchStatus, to: BatchStatus, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#closed || job.status !== from) return;
      job.status = to;
      this.#tell(job);
      then();
    }, this.#options.stepMs ?? 1);
    this.#timers.add(timer);
  }

  /** First in, first out. */
  #schedule(queue: string): void {
    if (this.#closed) return;
    const jobs = [...this.#jobs.values()].filter((job) => job.queue === queue);
    let room = (this.#capacity.get(queue) ?? 1) - jobs.filter(({ status }) => HOLDS_ROOM.has(status)).length;
    for (const job of jobs) {
      if (room <= 0) return;
      if (job.status !== "RUNNABLE") continue;
      room -= 1;
      job.status = "STARTING";
      this.#tell(job);
      this.#advance(job, "STARTING", "RUNNING", () => this.#start(job));
    }
  }

  #start(job: Job): void {
    job.startedAt = Date.now();
    job.task = this.#options.launch(job, (exitCode) => {
      if (this.#closed || ENDED.has(job.status)) return;
      const { verdict } = job;
      if (exitCode === 0 && verdict === undefined)
        return this.#end(job, "SUCCEEDED", "Essential container in task exited", { exitCode });
      // A lost host tells no exit code.
      const container = verdict?.startsWith("Host ") ? {} : { exitCode };
      this.#end(job, "FAILED", verdict ?? "Essential container in task exited", container);
    });
  }

  #end(job: Job, status: "SUCCEEDED" | "FAILED", reason: string, container: BatchJobState["container"]): void {
    clearTimeout(job.killer);
    delete job.task;
    job.status = status;
    job.statusReason = reason;
    job.container = container;
    job.stoppedAt = Date.now();
    this.#tell(job);
    this.#schedule(job.queue);
  }

  #tell(job: Job): void {
    if (!this.#closed) this.#options.onChange?.(job);
  }
}
