// What every rule of this package is given: the ports, and the limits that the operator chose.
import type { PlacementPolicy } from "./placement.ts";
import type { Blobs, Clock, Dispatcher, Events, Ids, Table } from "./ports.ts";
import type { WebhookCourier } from "./webhook-courier.ts";

/** Limits per tenant and times to live. */
export interface Limits {
  /** Jobs queued or running at once. */
  readonly jobs: number;
  readonly openUploads: number;
  readonly openDownloads: number;
  readonly sessions: number;
  /** An upload or download that nobody touches for this long is forgotten. */
  readonly uploadIdleMs: number;
  readonly downloadIdleMs: number;
  /** A session that nobody uses for this long is forgotten. */
  readonly sessionIdleMs: number;
  /** Finished jobs and their results are kept this long. */
  readonly jobTtlMs: number;
  /** How often a job whose worker was lost is attempted in all. */
  readonly maxAttempts: number;
  /** A worker that sends no heartbeat for this long has lost its job. */
  readonly leaseMs: number;
  /** From asking a worker to stop until it is made to. */
  readonly cancelGraceMs: number;
  /** Largest array of an upload, in bytes. */
  readonly arrayBytes: number;
  /** Bytes of open uploads and of jobs' inputs and results. Absent: no limit. */
  readonly storedBytes?: number | undefined;
  /** Seconds of workers on jobs that end on one day (UTC). Absent: no limit. */
  readonly workerSecondsPerDay?: number | undefined;
}

export const DEFAULT_LIMITS: Limits = {
  jobs: 100,
  openUploads: 16,
  openDownloads: 16,
  sessions: 256,
  uploadIdleMs: 300_000,
  downloadIdleMs: 300_000,
  sessionIdleMs: 3_600_000,
  jobTtlMs: 7 * 24 * 3_600_000,
  maxAttempts: 3,
  leaseMs: 30_000,
  cancelGraceMs: 2_000,
  arrayBytes: 4 * 1024 ** 3,
};

/** What a worker needs. */
export interface WorkerContext {
  readonly table: Table;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly limits: Limits;
}

/** What a server needs. */
export interface Context extends WorkerContext {
  readonly dispatcher: Dispatcher;
  readonly events: Events;
  /** Where jobs may run. */
  readonly placement: PlacementPolicy;
  /** Tells the addresses that jobs name. Absent: jobs that name one are refused. */
  readonly webhooks?: WebhookCourier | undefined;
  /** Told of faults that no caller waits for. */
  readonly onFault: (what: string, error: unknown) => void;
}

/** On whose behalf a call is made. */
export interface Caller {
  readonly tenant: string;
}
