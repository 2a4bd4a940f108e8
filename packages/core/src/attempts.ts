// An attempt: a worker's right to one job for as long as its heartbeats come. The attempt's number fences stale writers:
// each of its writes to the job's row is conditional on the number and on the worker's name.
import type { WorkerContext } from "./context.ts";
import { readIncumbents } from "./feeds.ts";
import { loadArrays } from "./inputs.ts";
import {
  ATTEMPT_FACTS,
  type Job,
  type JobResult,
  type JobState,
  jobFromRow,
  type Segment,
  type Timings,
} from "./job.ts";
import { outboxEntry } from "./job-events.ts";
import { finish, freePlace } from "./jobs.ts";
import { duePosition, incumbentSortKey, jobBlobs, jobKey, jobPartition, logSortKey, queuedPosition } from "./keys.ts";
import { encodeFloat } from "./numbers.ts";
import type { CallOptions, Change, Condition, Placement, Row, Value } from "./ports.ts";

/** Why a worker no longer has its job. */
export type LostReason = "cancelled" | "deleted" | "superseded";

/** The job is not this worker's any more; nothing it still writes will be seen. */
export class AttemptLostError extends Error {
  override readonly name = "AttemptLostError";
  readonly reason: LostReason;

  constructor(reason: LostReason) {
    super(`the job was ${reason}`);
    this.reason = reason;
  }
}

/** Largest entry of a log feed, and largest assignment kept in a row. */
const LOG_ENTRY_BYTES = 32 * 1024;
const INLINE_BYTES = 16 * 1024;

/** An array as a worker hands it in: a typed array, and what it means where its name does not tell. */
export interface ResultArray {
  readonly name: string;
  readonly data: ArrayBufferView & { readonly length: number; readonly BYTES_PER_ELEMENT: number };
  readonly dtype?: string | undefined;
  readonly shape?: readonly number[] | undefined;
}

/** What a worker hands in. */
export interface NewResult {
  /** Everything but the arrays (base64 of a protobuf message). */
  readonly message: string;
  /** Empty ones are not stored. */
  readonly arrays: readonly ResultArray[];
  /** How the work ended, in the engine's word. */
  readonly status?: string | undefined;
  /** Of the solution; absent if there is none. */
  readonly objective?: number | undefined;
  /** Where the work stood when it ended, in place of what was told of it last. */
  readonly progress?: { readonly [key: string]: Value } | undefined;
}

interface PendingIncumbent {
  readonly objective: number;
  readonly seconds: number;
  readonly assignment: Float64Array;
}

/**
 * Takes the job for `worker`; undefined if it is not queued (taken, cancelled, deleted, finished).
 * @param placement where the worker is: a job that is to run elsewhere by now is not taken. Absent: any job is.
 */
export async function claimJob(
  context: WorkerContext,
  jobId: string,
  worker: string,
  placement?: Placement,
): Promise<Attempt | undefined> {
  const before = await context.table.get(jobKey(jobId));
  if (!before) return undefined;
  const job = jobFromRow(before);
  if (job.state !== "queued" || job.deleted) return undefined;
  if (placement !== undefined && job.placement !== placement) return undefined;
  const now = context.clock.now();
  const attempt = job.attempt + 1;
  const segment: Segment = { attempt, log: job.logEnd, incumbents: job.incumbentCount };
  const written = await context.table.write(
    jobKey(jobId),
    {
      set: {
        state: "processing" satisfies JobState,
        attempt,
        worker,
        leaseUntil: now + context.limits.leaseMs,
        segments: [...job.segments, segment] as unknown as Value,
        startedAt: now,
        timings: { ...job.timings, queue: job.timings.queue ?? (now - job.createdAt) / 1000 } as Value,
      },
      addToSet: { outbox: [outboxEntry("Job Started", now, context.ids.random(), attempt)] },
      index: { due: duePosition(jobId, now) },
    },
    [
      { kind: "equals", name: "state", value: "queued" },
      { kind: "equals", name: "attempt", value: job.attempt },
      { kind: "absent", name: "deleted" },
      ...(placement === undefined ? [] : [{ kind: "equals", name: "placement", value: placement } as const]),
    ],
  );
  return written.ok ? new Attempt(context, jobFromRow(written.row), worker) : undefined;
}

export class Attempt {
  readonly job: Job;
  readonly #context: WorkerContext;
  readonly #worker: string;
  readonly #lost = new AbortController();
  #logEnd: number;
  #incumbentCount: number;
  #best: Job["best"];
  #pendingLog: string[] = [];
  #pendingIncumbents: PendingIncumbent[] = [];
  #progress: { readonly [key: string]: Value } | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(context: WorkerContext, job: Job, worker: string) {
    this.#context = context;
    this.job = job;
    this.#worker = worker;
    this.#logEnd = job.logEnd;
    this.#incumbentCount = job.incumbentCount;
    this.#best = job.best;
  }

  /** Aborted, with an AttemptLostError as its reason, when the job is no longer this worker's. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The best incumbent of earlier attempts, to start from. */
  get best(): Job["best"] {
    return this.#best;
  }

  /** The job's input arrays, each in one preallocated buffer. */
  loadInput(options?: CallOptions): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
    return loadArrays(this.#context, this.job.input, options);
  }

  log(line: string): void {
    this.#pendingLog.push(line);
  }

  /** Publishes an incumbent if it improves on all before it. `improves` compares objectives in the job's sense. */
  incumbent(found: PendingIncumbent, improves: (objective: number, over: number) => boolean): void {
    const last = this.#pendingIncumbents.at(-1)?.objective ?? this.#best?.objective;
    if (last !== undefined && !improves(found.objective, last)) return;
    this.#pendingIncumbents.push(found);
  }

  progress(facts: { readonly [key: string]: Value }): void {
    this.#progress = facts;
  }

  get hasNews(): boolean {
    return this.#pendingLog.length > 0 || this.#pendingIncumbents.length > 0 || this.#progress !== undefined;
  }

  /** Writes what is pending and renews the lease. Flushes run one after another. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(
      () => this.#flush(),
      () => this.#flush(),
    );
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    if (this.#closed) return;
    const lines = this.#pendingLog;
    const incumbents = this.#pendingIncumbents;
    const progress = this.#progress;
    this.#pendingLog = [];
    this.#pendingIncumbents = [];
    this.#progress = undefined;
    const log = this.#logEntries(lines);
    const found = await Promise.all(incumbents.map((each, i) => this.#incumbentEntry(each, this.#incumbentCount + i)));
    await this.#context.table.writeAll([...log.writes, ...found]);
    const best = incumbents.at(-1);
    const heads: Record<string, Value> = {
      leaseUntil: this.#context.clock.now() + this.#context.limits.leaseMs,
      logEnd: log.end,
      incumbentCount: this.#incumbentCount + incumbents.length,
    };
    if (best)
      heads["best"] = { index: this.#incumbentCount + incumbents.length - 1, objective: encodeFloat(best.objective) };
    if (progress) heads["progress"] = progress;
    const written = await this.#context.table.write(jobKey(this.job.id), { set: heads }, this.#mine());
    if (!written.ok) this.#lose(written.row);
    this.#logEnd = log.end;
    this.#incumbentCount += incumbents.length;
    if (best) this.#best = { index: this.#incumbentCount - 1, objective: best.objective };
    // A cancelled job still takes what was found before the cancel, but the worker must stop.
    if (jobFromRow(written.row as Row).state !== "processing") this.#lose(written.row, false);
  }

  /** Conditions under which this attempt may still write. */
  #mine(states: readonly JobState[] = ["processing", "cancelled"]): readonly Condition[] {
    return [
      { kind: "equals", name: "attempt", value: this.job.attempt },
      { kind: "equals", name: "worker", value: this.#worker },
      { kind: "one-of", name: "state", values: states },
      { kind: "absent", name: "deleted" },
    ];
  }

  #lose(row: Row | undefined, fatal = true): void {
    const job = row && jobFromRow(row);
    const reason: LostReason = !job || job.deleted ? "deleted" : job.state === "cancelled" ? "cancelled" : "superseded";
    const error = new AttemptLostError(reason);
    if (!this.#lost.signal.aborted) this.#lost.abort(error);
    if (fatal) {
      this.#closed = true;
      throw error;
    }
  }

  #logEntries(lines: readonly string[]): {
    writes: { key: { pk: string; sk: string }; change: Change }[];
    end: number;
  } {
    const writes: { key: { pk: string; sk: string }; change: Change }[] = [];
    let end = this.#logEnd;
    let text = "";
    let bytes = 0;
    const cut = () => {
      if (bytes === 0) return;
      const key = { pk: jobPartition(this.job.id), sk: logSortKey(end, this.job.attempt) };
      writes.push({ key, change: { set: { text } } });
      end += bytes;
      text = "";
      bytes = 0;
    };
    for (const line of lines) {
      // One line is one line for readers too, and valid UTF-8.
      const entry = `${line.replace(/[\r\n]+/g, " ").toWellFormed()}\n`;
      const size = Buffer.byteLength(entry, "utf8");
      if (bytes + size > LOG_ENTRY_BYTES) cut();
      text += entry;
      bytes += size;
    }
    cut();
    return { writes, end };
  }

  async #incumbentEntry(
    found: PendingIncumbent,
    index: number,
  ): Promise<{ key: { pk: string; sk: string }; change: Change }> {
    const bytes = new Uint8Array(found.assignment.buffer, found.assignment.byteOffset, found.assignment.byteLength);
    const key = { pk: jobPartition(this.job.id), sk: incumbentSortKey(index, this.job.attempt) };
    const facts = { objective: encodeFloat(found.objective), seconds: found.seconds, bytes: bytes.byteLength };
    if (bytes.byteLength <= INLINE_BYTES) {
      return { key, change: { set: { ...facts, inline: Buffer.from(bytes).toString("base64") } } };
    }
    const name = `${jobBlobs(this.job.id)}incumbents/${this.job.attempt}-${index}`;
    const blob = await this.#context.blobs.put(name, [bytes]);
    return { key, change: { set: { ...facts, blob: blob as unknown as Value } } };
  }

  /**
   * Stores the result and completes the job, all pending feed entries first.
   * @throws AttemptLostError if the job was cancelled, deleted or given to another worker meanwhile
   */
  async complete(result: NewResult, timings: Timings): Promise<void> {
    await this.flush();
    this.lost.throwIfAborted();
    const started = performance.now();
    const stored = await this.#storeResult(result);
    const writeBack = (performance.now() - started) / 1000;
    await this.#end("completed", {
      result: stored as unknown as Value,
      ...(result.progress && { progress: result.progress }),
      timings: { ...this.job.timings, ...timings, writeBack } as Value,
    });
  }

  async #storeResult(result: NewResult): Promise<JobResult> {
    const { message, status, objective } = result;
    const facts = {
      message,
      ...(status === undefined ? {} : { status }),
      ...(objective === undefined ? {} : { objective: encodeFloat(objective) }),
    };
    const arrays = result.arrays.filter((array) => array.data.length > 0);
    const parts = arrays.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (bytes === 0) return { ...facts, arrays: [], bytes: 0 };
    const blob = await this.#context.blobs.put(`${jobBlobs(this.job.id)}result/${this.job.attempt}`, parts);
    let byteOffset = 0;
    const stored = arrays.map(({ name, data, dtype, shape }) => {
      const meaning = { ...(dtype === undefined ? {} : { dtype }), ...(shape === undefined ? {} : { shape }) };
      const array = { name, elementBytes: data.BYTES_PER_ELEMENT, count: data.length, blob, byteOffset, ...meaning };
      byteOffset += data.byteLength;
      return array;
    });
    return { ...facts, arrays: stored, bytes };
  }

  /** Ends the job as failed. */
  async fail(reason: string, timings: Timings = {}): Promise<void> {
    await this.flush();
    this.lost.throwIfAborted();
    await this.#end("failed", { failure: reason, timings: { ...this.job.timings, ...timings } as Value });
  }

  async #end(state: "completed" | "failed", facts: { readonly [key: string]: Value }): Promise<void> {
    const change = finish(this.#context, this.job.id, state, facts);
    const written = await this.#context.table.write(jobKey(this.job.id), change, this.#mine(["processing"]));
    this.#closed = true;
    if (!written.ok) this.#lose(written.row);
    await freePlace(this.#context, written.row as Row);
  }

  /**
   * Gives the job up: what is pending is written if it still may be. A job that is not finished goes back to the queue,
   * and the attempt is not held against it.
   * @param why "out-of-time": the place where it runs ends before the job does, so the next attempt must run elsewhere
   */
  async release(why?: "out-of-time"): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      if (!(error instanceof AttemptLostError)) throw error;
    }
    this.#closed = true;
    const key = jobKey(this.job.id);
    const mine: readonly Condition[] = [
      { kind: "equals", name: "attempt", value: this.job.attempt },
      { kind: "equals", name: "worker", value: this.#worker },
    ];
    const outlived = why === "out-of-time" ? { outlivedFunction: true } : {};
    const requeued = await this.#context.table.write(
      key,
      {
        set: { state: "queued" satisfies JobState, ...outlived },
        unset: [...ATTEMPT_FACTS],
        index: { due: queuedPosition(this.job, 0) },
      },
      [...mine, { kind: "equals", name: "state", value: "processing" }, { kind: "absent", name: "deleted" }],
    );
    if (!requeued.ok) await this.#context.table.write(key, { unset: ["worker", "leaseUntil"] }, mine);
  }

  /** The assignment of the best incumbent of earlier attempts. */
  async bestAssignment(): Promise<Float64Array | undefined> {
    const best = this.job.best;
    if (!best) return undefined;
    const [incumbent] = await readIncumbents(this.#context, this.job, best.index, 1, Number.POSITIVE_INFINITY);
    return incumbent?.assignment;
  }
}
