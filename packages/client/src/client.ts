// The client of the solve service: jobs, logs and incumbents over any Connect transport.
import type { Transport } from "@connectrpc/connect";
import {
  decodeIncumbentResponse,
  type IncumbentEntry,
  type Job,
  JobStatus,
  ResponseStatus,
  rawFields,
} from "@sortie/wire";
import { type CallOptions, call, type Service, serviceOver } from "./context.ts";
import { downloadResult, type SolveResult } from "./download.ts";
import { JobEndedError } from "./errors.ts";
import type { ClientOptions } from "./limits.ts";
import type { ProblemMessage } from "./message.ts";
import { type SubmitOptions, submitProblem } from "./upload.ts";

/** A server that ends waits at once is not asked more often than this, in milliseconds. */
const ASK_AGAIN_MS = 500;

async function pauseAfter(asked: number, { signal }: CallOptions): Promise<void> {
  const left = ASK_AGAIN_MS - (performance.now() - asked);
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  signal?.throwIfAborted();
}

export class SortieClient {
  readonly #service: Service;

  constructor(transport: Transport, options: ClientOptions = {}) {
    this.#service = serviceOver(transport, options);
  }

  /** Uploads the problem and submits it. @returns the job's id */
  submit(problem: ProblemMessage, options: SubmitOptions = {}): Promise<string> {
    return submitProblem(this.#service, problem, options);
  }

  /** Every detail of a job. */
  async job(id: string, options: CallOptions = {}): Promise<Job> {
    const { job } = await this.#service.jobs.getJob({ id }, call(options));
    if (!job) throw new JobEndedError("unknown", `the server does not know job ${id}`);
    return job;
  }

  /** Resolves when the job is completed. @throws JobEndedError if it ends in any other way */
  async wait(jobId: string, options: CallOptions = {}): Promise<void> {
    const { jobStatus, message } = await this.#waited(jobId, options);
    if (jobStatus === JobStatus.COMPLETED) return;
    if (jobStatus === JobStatus.FAILED) throw new JobEndedError("failed", message);
    if (jobStatus === JobStatus.CANCELLED) throw new JobEndedError("cancelled", message);
    throw new JobEndedError("unknown", message || `the server does not know job ${jobId}`);
  }

  /** Some servers end a wait before the job has ended, with its present state: then it is asked for again. */
  async #waited(jobId: string, options: CallOptions) {
    for (;;) {
      const asked = performance.now();
      const answer = await this.#service.solver.waitForCompletion({ jobId }, call(options));
      const { jobStatus } = answer;
      if (jobStatus !== JobStatus.QUEUED && jobStatus !== JobStatus.PROCESSING) return answer;
      await pauseAfter(asked, options);
    }
  }

  /** The lines of the job's log, from byte `from` on, until the job has ended. */
  async *logs(jobId: string, from = 0, options: CallOptions = {}): AsyncGenerator<string> {
    // Some servers end the stream before the job has ended: it goes on from where it stopped.
    for (let at = BigInt(from); ; ) {
      const asked = performance.now();
      for await (const message of this.#service.solver.streamLogs({ jobId, fromByte: at }, call(options))) {
        at = message.byteOffset;
        if (message.line !== "") yield message.line;
        if (message.jobComplete) return;
      }
      await pauseAfter(asked, options);
    }
  }

  /** Incumbents from index `from` on that there are now. */
  async incumbents(
    jobId: string,
    from = 0,
    options: CallOptions = {},
  ): Promise<{
    readonly incumbents: readonly IncumbentEntry[];
    readonly nextIndex: number;
    readonly jobComplete: boolean;
  }> {
    const answer = await this.#service.solver.getIncumbents({ jobId, fromIndex: BigInt(from) }, call(options));
    return decodeIncumbentResponse(rawFields(answer));
  }

  /** The result of a completed job, in one message or in slices as its size demands. */
  result(jobId: string, options: CallOptions = {}): Promise<SolveResult> {
    return downloadResult(this.#service, jobId, options);
  }

  /** @returns false if the job had ended before, or is unknown */
  async cancel(jobId: string, options: CallOptions = {}): Promise<boolean> {
    const { status } = await this.#service.solver.cancelJob({ jobId }, call(options));
    return status === ResponseStatus.SUCCESS;
  }

  /** @returns false if the job is unknown */
  async delete(jobId: string, options: CallOptions = {}): Promise<boolean> {
    const { status } = await this.#service.solver.deleteResult({ jobId }, call(options));
    return status === ResponseStatus.SUCCESS;
  }
}
