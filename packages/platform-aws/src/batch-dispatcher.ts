// Workers as Batch jobs, and as one asynchronous function for small jobs.
import { createHash } from "node:crypto";
import { type CallOptions, type Dispatcher, type DispatchRequest, DomainError, type Waiting } from "@sortie/core";
import { type ContainerSize, fargateSize, machineSize } from "./batch-sizes.ts";
import { awsFault } from "./faults.ts";

/** https://docs.aws.amazon.com/batch/latest/userguide/job_states.html */
export type BatchStatus = "SUBMITTED" | "PENDING" | "RUNNABLE" | "STARTING" | "RUNNING" | "SUCCEEDED" | "FAILED";

export interface BatchJob {
  readonly id: string;
  readonly name: string;
  readonly status: BatchStatus;
}

export interface BatchSubmission {
  readonly name: string;
  readonly queue: string;
  readonly definition: string;
  readonly size: ContainerSize;
  readonly environment: Readonly<Record<string, string>>;
  /** For queues with a fair-share policy: who shares. */
  readonly shareIdentifier: string | undefined;
}

/** The calls of Batch that are needed. */
export interface BatchApi {
  /** Answers with the id of the Batch job. */
  submit(submission: BatchSubmission, signal: AbortSignal | undefined): Promise<string>;
  /** SIGTERM now, SIGKILL after the stop timeout of the job's definition. Does nothing to a job that has ended. */
  terminate(id: string, reason: string, signal: AbortSignal | undefined): Promise<void>;
  /** Undefined if Batch knows no such job (any more). */
  describe(id: string, signal: AbortSignal | undefined): Promise<BatchJob | undefined>;
  /** The jobs of a queue, in any state, whose names begin so. */
  named(queue: string, prefix: string, signal: AbortSignal | undefined): Promise<readonly BatchJob[]>;
}

/** Starts a function without waiting for it. */
export interface FunctionApi {
  invoke(name: string, payload: string, signal: AbortSignal | undefined): Promise<void>;
}

export interface BatchPlacement {
  readonly queue: string;
  readonly definition: string;
  /** The machine's size; Fargate's sizes if absent. */
  readonly machine?: ContainerSize | undefined;
  /** The queue has a fair-share policy: tenants share it. */
  readonly fairShare?: boolean | undefined;
}

export interface BatchDispatcherOptions {
  readonly batch: BatchApi;
  readonly functions?: FunctionApi | undefined;
  readonly placements: {
    /** The name of the function that runs small jobs. */
    readonly inline?: string | undefined;
    readonly cpu?: BatchPlacement | undefined;
    readonly gpu?: BatchPlacement | undefined;
  };
  /**
   * Who holds the lease of a job (its row's worker). With it, `stop` ends that worker and no other: a worker that lingers
   * may have taken a job that was not submitted with it.
   */
  readonly holderOf?: ((jobId: string, options: CallOptions) => Promise<string | undefined>) | undefined;
}

const ENDED: readonly BatchStatus[] = ["SUCCEEDED", "FAILED"];
/** Has not begun to run anything. */
const AHEAD: readonly BatchStatus[] = ["SUBMITTED", "PENDING", "RUNNABLE"];
const WORKER = /^batch:([0-9a-zA-Z:#-]+)$/;

/** The name that a worker in a Batch job writes into leases. @param id what AWS_BATCH_JOB_ID says */
export const batchWorkerName = (id: string): string => `batch:${id}`;

const namePrefix = (jobId: string) => `sortie-${jobId}-`;

/** Share identifiers are letters and digits; tenants may be anything. */
const shareOf = (tenant: string) => createHash("sha256").update(tenant).digest("hex").slice(0, 32);

/**
 * Every dispatch of `cpu` and `gpu` is one Batch job, named after our job and the attempt; `inline` is one asynchronous
 * call of a function with `{ jobId, attempt }`. The worker finds `SORTIE_JOB_ID`, `SORTIE_ATTEMPT` and `SORTIE_PLACEMENT` in
 * its environment.
 *
 * SubmitJob takes no token, so before submitting Batch is asked for a job of that name that has not ended. Two dispatches
 * at the same moment, in two processes, may still start two workers: the claim lets one of them have the job, the other
 * leaves. Repeats of one process wait for each other. The order of starts is Batch's own.
 *
 * Errors are DomainErrors: "unavailable", "too-large", or "feature-unsupported" for a placement that was not set up.
 */
export class BatchDispatcher implements Dispatcher {
  /** A worker that cannot be reached may run on; its attempt is over all the same. */
  readonly attemptEndsWith = "lease";
  readonly #options: BatchDispatcherOptions;
  /** Dispatches under way in this process, by Batch job name. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(options: BatchDispatcherOptions) {
    this.#options = options;
  }

  async dispatch(request: DispatchRequest, options?: CallOptions): Promise<void> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    const { jobId, attempt, placement } = request;
    if (placement === "inline") return this.#invoke(jobId, attempt, signal);
    const name = namePrefix(jobId) + attempt;
    // One after another, each with its own signal: the second finds what the first has submitted.
    const before = this.#underWay.get(name);
    const turn = (before ?? Promise.resolve()).catch(() => {}).then(() => this.#submit(name, request, signal));
    this.#underWay.set(name, turn);
    try {
      await turn;
    } finally {
      if (this.#underWay.get(name) === turn) this.#underWay.delete(name);
    }
  }

  /** The grace is that of the job definition's stop timeout; `graceMs` cannot be told to Batch. */
  async stop(jobId: string, _graceMs: number, options?: CallOptions): Promise<void> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    const { batch, holderOf } = this.#options;
    try {
      const doomed = new Set<string>();
      for (const queue of this.#queues()) {
        for (const job of await batch.named(queue, namePrefix(jobId), signal)) {
          if (AHEAD.includes(job.status) || (!holderOf && !ENDED.includes(job.status))) doomed.add(job.id);
        }
      }
      const holder = WORKER.exec((await holderOf?.(jobId, { signal })) ?? "")?.[1];
      if (holder !== undefined) doomed.add(holder);
      for (const id of doomed) await batch.terminate(id, `job ${jobId} was stopped`, signal);
    } catch (error) {
      throw awsFault(error, `stopping job ${jobId}`, signal);
    }
  }

  /** Batch tells no place in its queue. */
  waiting(_jobId: string): Waiting | undefined {
    return undefined;
  }

  async isAlive(worker: string): Promise<"alive" | "gone" | "unknown"> {
    const id = WORKER.exec(worker)?.[1];
    if (id === undefined) return "unknown";
    try {
      const job = await this.#options.batch.describe(id, undefined);
      if (!job) return "unknown";
      return ENDED.includes(job.status) ? "gone" : "alive";
    } catch {
      // The lease decides.
      return "unknown";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#underWay.values());
  }

  async #invoke(jobId: string, attempt: number, signal: AbortSignal | undefined): Promise<void> {
    const { functions, placements } = this.#options;
    if (!functions || placements.inline === undefined) throw unsupported("inline");
    try {
      await functions.invoke(placements.inline, JSON.stringify({ jobId, attempt }), signal);
    } catch (error) {
      throw awsFault(error, `starting job ${jobId} inline`, signal);
    }
  }

  async #submit(name: string, request: DispatchRequest, signal: AbortSignal | undefined): Promise<void> {
    const { jobId, tenant, attempt, memoryBytes, placement } = request;
    const place = placement === "inline" ? undefined : this.#options.placements[placement];
    if (!place) throw unsupported(placement);
    const { queue, definition, machine, fairShare } = place;
    const size = machine ? machineSize(memoryBytes, machine) : fargateSize(memoryBytes);
    try {
      const known = await this.#options.batch.named(queue, name, signal);
      if (known.some((job) => job.name === name && !ENDED.includes(job.status))) return;
      const environment = {
        SORTIE_JOB_ID: jobId,
        SORTIE_ATTEMPT: String(attempt),
        SORTIE_PLACEMENT: placement,
      };
      const shareIdentifier = fairShare ? shareOf(tenant) : undefined;
      await this.#options.batch.submit({ name, queue, definition, size, environment, shareIdentifier }, signal);
    } catch (error) {
      throw awsFault(error, `dispatching job ${jobId} to ${placement}`, signal);
    }
  }

  #queues(): ReadonlySet<string> {
    const { cpu, gpu } = this.#options.placements;
    return new Set([cpu?.queue, gpu?.queue].filter((queue) => queue !== undefined));
  }
}

function unsupported(placement: string): DomainError {
  return new DomainError("feature-unsupported", `this deployment has no placement ${placement}; see its stack`);
}
