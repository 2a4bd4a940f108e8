// What a job is: its states, and the row that holds it as typed data.
import { decodeFloat } from "./numbers.ts";
import type { BlobRef, JobEvent, Placement, Row, Value } from "./ports.ts";

export type JobState = "queued" | "processing" | "completed" | "failed" | "cancelled";
export type JobKind = "lp" | "mip" | "infer" | "train";

/** The moves that exist. Back to queued: a lost lease, next attempt. */
export const NEXT_STATES = {
  queued: ["processing", "cancelled", "failed"],
  processing: ["completed", "failed", "cancelled", "queued"],
  completed: [],
  failed: [],
  cancelled: [],
} as const satisfies Record<JobState, readonly JobState[]>;

export const isFinished = (state: JobState): boolean => NEXT_STATES[state].length === 0;

/** One array of a job's input or result: `count` elements that lie in blobs. */
export interface StoredArray {
  readonly name: string;
  readonly elementBytes: number;
  readonly count: number;
  readonly blob: BlobRef;
  /** Where the array starts in the blob. */
  readonly byteOffset: number;
}

/** Where a job's input arrays are. */
export type JobInput =
  | { readonly kind: "stored"; readonly arrays: readonly StoredArray[] }
  | { readonly kind: "upload"; readonly uploadId: string };

export interface JobResult {
  /** Everything but the arrays, as the worker encoded it (base64 of a protobuf message). */
  readonly message: string;
  readonly arrays: readonly StoredArray[];
  /** Sum of the array bytes. */
  readonly bytes: number;
}

/** Seconds spent in each phase. */
export interface Timings {
  readonly queue?: number | undefined;
  readonly transfer?: number | undefined;
  readonly load?: number | undefined;
  readonly solve?: number | undefined;
  readonly writeBack?: number | undefined;
}

/** From which point of its feeds on an attempt is the writer. */
export interface Segment {
  readonly attempt: number;
  readonly log: number;
  readonly incumbents: number;
}

export interface Job {
  readonly id: string;
  readonly tenant: string;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly placement: Placement;
  /** Why it was placed there, in words. */
  readonly placementReason: string;
  readonly memoryBytes: number;
  readonly createdAt: number;
  readonly startedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  /** Sorts by time of submission. */
  readonly sequence: string;
  /** Number of the latest attempt; 0 before the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** How earlier attempts were lost, oldest first. */
  readonly losses: readonly string[];
  readonly worker?: string | undefined;
  readonly leaseUntil?: number | undefined;
  readonly segments: readonly Segment[];
  readonly logEnd: number;
  readonly incumbentCount: number;
  /** Index of the best incumbent and its objective. */
  readonly best?: { readonly index: number; readonly objective: number } | undefined;
  /** What the worker last said of its progress. */
  readonly progress: { readonly [key: string]: Value };
  readonly input: JobInput;
  /** What to do with the input: the worker's business, opaque here. */
  readonly work: { readonly [key: string]: Value };
  readonly bodyDigest?: string | undefined;
  readonly failure?: string | undefined;
  readonly result?: JobResult | undefined;
  readonly timings: Timings;
  readonly deleted: boolean;
  readonly outbox: ReadonlySet<string>;
  readonly downloads: ReadonlySet<string>;
  readonly revision: number;
}

const text = (value: Value | undefined): string | undefined => (typeof value === "string" ? value : undefined);
const number = (value: Value | undefined): number | undefined => (typeof value === "number" ? value : undefined);
const record = (value: Value | undefined): { readonly [key: string]: Value } =>
  (value ?? {}) as { readonly [key: string]: Value };

/** Reads a job row. */
export function jobFromRow(row: Row): Job {
  const a = row.attributes;
  const best = a["best"] === undefined ? undefined : record(a["best"]);
  return {
    id: row.pk.slice("job#".length),
    tenant: text(a["tenant"]) ?? "",
    kind: a["kind"] as JobKind,
    state: a["state"] as JobState,
    placement: (a["placement"] ?? "cpu") as Placement,
    placementReason: text(a["placementReason"]) ?? "",
    memoryBytes: number(a["memoryBytes"]) ?? 0,
    createdAt: number(a["createdAt"]) ?? 0,
    startedAt: number(a["startedAt"]),
    finishedAt: number(a["finishedAt"]),
    sequence: text(a["sequence"]) ?? "",
    attempt: number(a["attempt"]) ?? 0,
    maxAttempts: number(a["maxAttempts"]) ?? 1,
    losses: (a["losses"] ?? []) as readonly string[],
    worker: text(a["worker"]),
    leaseUntil: number(a["leaseUntil"]),
    segments: (a["segments"] ?? []) as unknown as readonly Segment[],
    logEnd: number(a["logEnd"]) ?? 0,
    incumbentCount: number(a["incumbentCount"]) ?? 0,
    best: best && { index: number(best["index"]) ?? 0, objective: decodeFloat(best["objective"]) ?? Number.NaN },
    progress: record(a["progress"]),
    input: a["input"] as unknown as JobInput,
    work: record(a["work"]),
    bodyDigest: text(a["bodyDigest"]),
    failure: text(a["failure"]),
    result: a["result"] as unknown as JobResult | undefined,
    timings: record(a["timings"]) as Timings,
    deleted: a["deleted"] === true,
    outbox: row.sets["outbox"] ?? new Set(),
    downloads: row.sets["downloads"] ?? new Set(),
    revision: row.revision,
  };
}

/** An event on its way out, as the row's outbox holds it. */
export function outboxEntry(type: JobEvent["type"], at: number, id: string): string {
  return `${String(Math.floor(at)).padStart(14, "0")}|${type}|${id}`;
}

export function eventFromOutbox(job: Job, entry: string): JobEvent {
  const [at = "0", type = "Job Queued", id = ""] = entry.split("|");
  return {
    id,
    type: type as JobEvent["type"],
    jobId: job.id,
    tenant: job.tenant,
    at: Number(at),
    detail: { kind: job.kind, attempt: job.attempt, ...(job.failure === undefined ? {} : { failure: job.failure }) },
  };
}
