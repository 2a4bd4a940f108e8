// What a job is: its states, and the row that holds it as typed data.
import { decodeFloat } from "./numbers.ts";
import type { JobNeeds } from "./placement.ts";
import type { BlobRef, Placement, Row, Value } from "./ports.ts";

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

/** What a row says of the attempt in hand and of its dispatch; gone when the job goes back to the queue. */
export const ATTEMPT_FACTS = ["worker", "leaseUntil", "dispatchAt", "dispatches"] as const;

export const isFinished = (state: JobState): boolean => NEXT_STATES[state].length === 0;

/** One array of a job's input or result: `count` elements that lie in blobs. */
export interface StoredArray {
  readonly name: string;
  readonly elementBytes: number;
  readonly count: number;
  readonly blob: BlobRef;
  /** Where the array starts in the blob. */
  readonly byteOffset: number;
  /** Name of the element type and sizes of the axes, where the array is more than its name tells. */
  readonly dtype?: string | undefined;
  readonly shape?: readonly number[] | undefined;
}

/** Where a job's input arrays are. */
export type JobInput =
  | { readonly kind: "stored"; readonly arrays: readonly StoredArray[] }
  | {
      readonly kind: "upload";
      readonly uploadId: string;
      /** Where parts came by links: the list of all stored arrays, fixed at submission. Absent: the chunks' receipts tell. */
      readonly manifest?: BlobRef | undefined;
    };

export interface JobResult {
  /** Everything but the arrays, as the worker encoded it (base64 of a protobuf message). */
  readonly message: string;
  readonly arrays: readonly StoredArray[];
  /** Sum of the array bytes. */
  readonly bytes: number;
  /** How the work ended, in the engine's word, e.g. "optimal". */
  readonly status?: string | undefined;
  /** The objective of the solution, as `encodeFloat` writes it; absent if there is no solution. */
  readonly objective?: number | string | undefined;
}

/** Where a job's events go beside the bus, and what came of it so far. */
export interface JobWebhook {
  readonly url: string;
  /** The next delivery is tried at this time or later; absent: as soon as something is to be told. */
  readonly at?: number | undefined;
  /** Deliveries that failed since the last one that did not. */
  readonly failures: number;
  /** What went wrong last, in words. */
  readonly note?: string | undefined;
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
  /** A worker is given so long for an attempt; undefined: any time. */
  readonly timeoutSeconds?: number | undefined;
  /** What it was placed by; rows of earlier versions do not say. */
  readonly needs?: JobNeeds | undefined;
  /** An attempt outlived the function that it ran in: the next one must run elsewhere. */
  readonly outlivedFunction: boolean;
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
  readonly webhook?: JobWebhook | undefined;
  /** Events that the webhook is still to be told. */
  readonly webhooks: ReadonlySet<string>;
  /** The file that the job was made of, as its path below the inbox. */
  readonly inboxFile?: string | undefined;
  /** Telling the outside failed: not again before this time. */
  readonly publishAt?: number | undefined;
  /** The attempt that is due was dispatched: not again before this time. Absent: it was not. */
  readonly dispatchAt?: number | undefined;
  /** How often the attempt that is due was dispatched. */
  readonly dispatches: number;
  /** Workers that ended before they took the job. */
  readonly failedStarts: ReadonlySet<string>;
  /** Its worker is to be stopped, at this time or later. */
  readonly stopAt?: number | undefined;
  readonly downloads: ReadonlySet<string>;
  readonly revision: number;
}

const text = (value: Value | undefined): string | undefined => (typeof value === "string" ? value : undefined);
const number = (value: Value | undefined): number | undefined => (typeof value === "number" ? value : undefined);
const record = (value: Value | undefined): { readonly [key: string]: Value } =>
  (value ?? {}) as { readonly [key: string]: Value };

function webhookFrom(a: Row["attributes"]): JobWebhook | undefined {
  const url = text(a["webhook"]);
  if (url === undefined) return undefined;
  return { url, at: number(a["webhookAt"]), failures: number(a["webhookFailures"]) ?? 0, note: text(a["webhookNote"]) };
}

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
    timeoutSeconds: number(a["timeoutSeconds"]),
    needs: a["needs"] as unknown as JobNeeds | undefined,
    outlivedFunction: a["outlivedFunction"] === true,
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
    webhook: webhookFrom(a),
    // A receiver that wants no more is told no more.
    webhooks: (a["webhookOff"] === true ? undefined : row.sets["webhooks"]) ?? new Set(),
    inboxFile: text(a["inboxFile"]),
    publishAt: number(a["publishAt"]),
    dispatchAt: number(a["dispatchAt"]),
    dispatches: number(a["dispatches"]) ?? 0,
    failedStarts: row.sets["failedStarts"] ?? new Set(),
    stopAt: number(a["stopAt"]),
    downloads: row.sets["downloads"] ?? new Set(),
    revision: row.revision,
  };
}
