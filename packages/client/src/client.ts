// The client of the solve service: jobs, logs and incumbents over any Connect transport.
import type { Transport } from "@connectrpc/connect";
import type { Job, JobKind, JobState } from "@sortie/wire";
import { type CallOptions, call, type ServerInfo, type Service, serviceOver, VERSION_HEADER } from "./context.ts";
import { downloadResult, type ResultOptions, type SolveResult } from "./download.ts";
import { ConnectionError, NotConnectedError, RemoteError, TransferFaultError } from "./errors.ts";
import {
  followIncumbents,
  followLog,
  type Incumbent,
  type IncumbentOptions,
  type IncumbentPage,
  incumbentPage,
  type LogLine,
  type LogOptions,
  type PageOptions,
} from "./feeds.ts";
import type { ClientOptions } from "./limits.ts";
import type { ProblemMessage } from "./message.ts";
import { type LinearProblem, problemMessage } from "./problem.ts";
import type { LpSettings, MipSettings } from "./settings.ts";
import { linkedController } from "./signals.ts";
import { type LpSolution, type MipSolution, typedSolution } from "./solution.ts";
import { type Solved, type SolveOptions, solveProblem } from "./solve.ts";
import {
  type CancelReport,
  cancelReport,
  type DeleteReport,
  deleteReport,
  type StatusReport,
  statusReport,
} from "./status.ts";
import { type SubmitOptions, submitProblem } from "./upload.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

/** No job has this id; who answers at all is a server. */
const PROBE_ID = "__connection_probe__";
const PROBE_MS = 5000;

export interface JobFilter extends CallOptions {
  /** Only jobs in one of these states. Default: all. */
  readonly states?: readonly JobState[] | undefined;
  /** Only jobs of one of these kinds. Default: all. */
  readonly kinds?: readonly JobKind[] | undefined;
  /** Jobs that one call brings, 1 to 1000. Default 50. */
  readonly pageSize?: number | undefined;
}

/** A problem, or what can be made one, such as a Model. */
export type ProblemSource = LinearProblem | { toProblem(): LinearProblem };

/**
 * One server. `connect()` comes first; until then, and after `close()`, every call rejects with a NotConnectedError and sends
 * nothing. Calls reject with RemoteError for what the server refuses or the way does not let through.
 *
 * A call is made once (transfers make as many as they need) and never repeated by itself. `wait` and the solves are helpers:
 * against Sortie they repeat calls that broke on the way or met a server that was away, with growing pauses and a bound; a
 * submission carries an idempotency key for that, so that its repeat returns the first one's job. Against other servers they
 * repeat nothing.
 */
export class SortieClient implements AsyncDisposable {
  readonly #service: Service;
  readonly #address: string;
  readonly #dispose: ClientOptions["dispose"];
  readonly #closing = new AbortController();
  #server: ServerInfo | undefined;
  #closed: Promise<void> | undefined;

  constructor(transport: Transport, options: ClientOptions = {}) {
    this.#service = serviceOver(transport, options, () => this.#server, this.#closing.signal);
    this.#address = options.address ?? "the server";
    this.#dispose = options.dispose;
  }

  get connected(): boolean {
    return this.#server !== undefined && this.#closed === undefined;
  }

  /** Undefined until `connect()` has succeeded. */
  get server(): ServerInfo | undefined {
    return this.#server;
  }

  /**
   * Asks the server for a job that no server has; it has five seconds to answer.
   * @throws ConnectionError unless it answers, or says NOT_FOUND
   */
  async connect({ signal }: CallOptions = {}): Promise<ServerInfo> {
    if (this.#closed) throw new NotConnectedError("closed");
    let header: Headers | undefined;
    let maxMessageBytes = 0;
    try {
      const answer = await this.#service.solver.checkStatus(
        { jobId: PROBE_ID },
        { ...call({ signal }, { timeoutMs: PROBE_MS }), onHeader: (found) => (header = found) },
      );
      maxMessageBytes = Number(answer.maxMessageBytes);
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      if (error.code !== "not-found") throw new ConnectionError(this.#address, error);
      header = error.cause.metadata;
    }
    const version = header?.get(VERSION_HEADER) ?? undefined;
    this.#server = { isSortie: version !== undefined, version, maxMessageBytes };
    return this.#server;
  }

  /** Ends all running calls, which reject with a NotConnectedError, and releases the transport. Jobs go on. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort(new NotConnectedError("closed"));
      await this.#dispose?.();
    })();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): Service {
    if (this.#closed) throw new NotConnectedError("closed");
    if (!this.#server) throw new NotConnectedError();
    return this.#service;
  }

  /** Runs what pauses between its calls: `close()` ends the pauses too. */
  async #whileOpen<O extends CallOptions, T>(
    options: O,
    run: (service: Service, options: O) => Promise<T>,
  ): Promise<T> {
    const service = this.#open();
    using either = linkedController(options.signal, this.#closing.signal);
    return await run(service, { ...options, signal: either.signal });
  }

  /** The same for what is read bit by bit. */
  async *#readWhileOpen<O extends CallOptions, T>(
    options: O,
    read: (service: Service, options: O) => AsyncGenerator<T, void, undefined>,
  ): AsyncGenerator<T, void, undefined> {
    const service = this.#open();
    using either = linkedController(options.signal, this.#closing.signal);
    yield* read(service, { ...options, signal: either.signal });
  }

  /** Uploads the problem, in one message or in chunks as its size demands, and submits it. @returns the job's id */
  async submit(problem: ProblemMessage, options: SubmitOptions = {}): Promise<string> {
    return this.#whileOpen(options, (service, linked) => submitProblem(service, problem, linked));
  }

  /** Where the job stands. */
  async status(jobId: string, options: CallOptions = {}): Promise<StatusReport> {
    return statusReport(await this.#open().solver.checkStatus({ jobId }, call(options)));
  }

  /**
   * One call that the server answers when the job has ended, however long that takes. Some servers answer before, with the
   * job's present state.
   */
  async waitForCompletion(jobId: string, options: CallOptions = {}): Promise<StatusReport> {
    const service = this.#open();
    const answer = await service.solver.waitForCompletion({ jobId }, call(options));
    return { ...statusReport(answer), maxMessageBytes: this.#server?.maxMessageBytes ?? 0 };
  }

  /** The result of a completed job, in one message or in slices as its size demands. */
  async result(jobId: string, options: ResultOptions = {}): Promise<SolveResult> {
    return this.#whileOpen(options, (service, linked) => downloadResult(service, jobId, linked));
  }

  async cancel(jobId: string, options: CallOptions = {}): Promise<CancelReport> {
    return cancelReport(await this.#open().solver.cancelJob({ jobId }, call(options)));
  }

  /** Removes the job with all that belongs to it. One that runs is stopped. */
  async delete(jobId: string, options: CallOptions = {}): Promise<DeleteReport> {
    return deleteReport(await this.#open().solver.deleteResult({ jobId }, call(options)));
  }

  /** Every detail of a job. Sortie only. @throws RemoteError "not-found" */
  async job(id: string, options: CallOptions = {}): Promise<Job> {
    const { job } = await this.#open().jobs.getJob({ id }, call(options));
    if (job) return job;
    throw new TransferFaultError(`the server's answer for job ${id} holds no job`);
  }

  /** Jobs, newest first, page by page. Sortie only. */
  async *jobs({ states = [], kinds = [], pageSize = 0, signal }: JobFilter = {}): AsyncGenerator<Job, void, undefined> {
    const { jobs: client } = this.#open();
    for (let pageToken = ""; ; ) {
      const request = { states: [...states], kinds: [...kinds], pageSize, pageToken };
      const page = await client.listJobs(request, call({ signal }));
      yield* page.jobs;
      pageToken = page.nextPageToken;
      if (pageToken === "") return;
    }
  }

  /** The lines of the job's log that are not empty, from byte `from` on, until the job has ended. */
  logs(jobId: string, options: LogOptions = {}): AsyncGenerator<LogLine, void, undefined> {
    return this.#readWhileOpen(options, (service, linked) => followLog(service, jobId, linked));
  }

  /** The job's incumbents, from index `from` on, until the job has ended and all were delivered. */
  incumbents(jobId: string, options: IncumbentOptions = {}): AsyncGenerator<Incumbent, void, undefined> {
    return this.#readWhileOpen(options, (service, linked) => followIncumbents(service, jobId, linked));
  }

  /** The incumbents from index `from` on that there are now. */
  async incumbentPage(jobId: string, from: number, options: PageOptions = {}): Promise<IncumbentPage> {
    return incumbentPage(this.#open(), jobId, from, options);
  }

  /**
   * Resolves when the job is completed.
   * @throws JobEndedError if it ends in any other way, or is unknown  @throws TimeoutError
   */
  async wait(jobId: string, options: WaitOptions = {}): Promise<StatusReport> {
    return this.#whileOpen(options, (service, linked) => waitFor(service, jobId, linked));
  }

  /**
   * Submits, waits, brings the result home and deletes the job. With a finite setting `time_limit` and no `timeoutMs` it is
   * waited for at most two minutes longer than that. An aborted signal ends the call at once and leaves the job as it is.
   * @throws JobEndedError  @throws TimeoutError
   */
  async solve(problem: ProblemMessage, options: SolveOptions = {}): Promise<Solved> {
    return this.#whileOpen(options, (service, linked) => solveProblem(service, problem, linked));
  }

  /** `solve` for a linear or convex quadratic problem; integer variables are solved as continuous ones. */
  async solveLp(
    source: ProblemSource,
    options: SolveOptions & { readonly settings?: LpSettings | undefined } = {},
  ): Promise<LpSolution> {
    const problem = problemOf(source);
    const { result } = await this.solve(problemMessage(problem, { kind: "lp", settings: options.settings }), options);
    return typedSolution(result, problem) as LpSolution;
  }

  /** `solve` for a mixed-integer problem. */
  async solveMip(
    source: ProblemSource,
    options: SolveOptions & { readonly settings?: MipSettings | undefined } = {},
  ): Promise<MipSolution> {
    const problem = problemOf(source);
    const { result } = await this.solve(problemMessage(problem, { kind: "mip", settings: options.settings }), options);
    return typedSolution(result, problem) as MipSolution;
  }
}

const problemOf = (source: ProblemSource): LinearProblem => ("toProblem" in source ? source.toProblem() : source);
