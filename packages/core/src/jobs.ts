// Jobs as their owner sees them: submit, look, wait, cancel, delete. Every move is one conditional write on the job's row.
import { enter, leave, type Place } from "./admission.ts";
import type { Caller, Context } from "./context.ts";
import { DomainError } from "./errors.ts";
import { isFinished, type Job, type JobInput, type JobKind, type JobState, jobFromRow } from "./job.ts";
import { outboxEntry } from "./job-events.ts";
import { admissionKey, duePosition, jobKey, listPartitions, listPosition, queuedPosition } from "./keys.ts";
import { type JobNeeds, type PlacementDecision, placeJob } from "./placement.ts";
import type { CallOptions, Change, Condition, JobEvent, Placement, Row, Value } from "./ports.ts";
import { checkWebhookUrl, WEBHOOK_HEADER } from "./webhook-rules.ts";

/** What a submission asks for. */
export interface NewJob {
  readonly needs: JobNeeds;
  readonly work: { readonly [key: string]: Value };
  /** Makes a repeat of the same submission return the first answer. */
  readonly idempotency?: { readonly key: string; readonly bodyDigest: string } | undefined;
  /** The address that is told of the job's events, as the client gave it. */
  readonly webhook?: string | undefined;
  /** The file that the job is made of, as its path below the inbox. */
  readonly inboxFile?: string | undefined;
}

export interface JobFilter {
  readonly states?: readonly JobState[] | undefined;
  readonly kinds?: readonly JobKind[] | undefined;
  readonly limit: number;
  /** Only jobs submitted before the one with this sequence. */
  readonly before?: string | undefined;
}

export type CancelOutcome =
  | { readonly outcome: "cancelled" | "already-cancelled"; readonly job: Job }
  | { readonly outcome: "already-finished"; readonly job: Job }
  | { readonly outcome: "unknown" };

const WAIT_SLICE_MS = 30_000;
let submissions = 0;
const nextSequence = (now: number): string =>
  `${String(now).padStart(14, "0")}-${String(submissions++ % 1_000_000).padStart(6, "0")}`;

/** The id that a submission gets: random, or determined by its idempotency key. */
export function jobIdFor(context: Pick<Context, "ids">, caller: Caller, job: Pick<NewJob, "idempotency">): string {
  if (!job.idempotency) return context.ids.random();
  return context.ids.derived(`job\n${caller.tenant}\n${job.idempotency.key}`);
}

/**
 * The job that the same submission made before; undefined if there is none. For what has to be answered although what the
 * submission builds on is gone.
 * @throws DomainError "key-reused-with-other-body"
 */
export async function submittedBefore(
  context: Context,
  caller: Caller,
  idempotency: NonNullable<NewJob["idempotency"]>,
): Promise<string | undefined> {
  const jobId = jobIdFor(context, caller, { idempotency });
  const row = await context.table.get(jobKey(jobId));
  return row && repeated(row, jobId, { idempotency }).jobId;
}

/**
 * Creates the job's row. `storeInput` runs once a place is taken and before the row exists, so that nothing is stored for
 * a job that is refused, and no job exists whose input is not stored.
 * @param transferStarted when the first byte of the input was expected, ms since 1970
 * @throws DomainError "queue-full"; "key-reused-with-other-body"; "invalid-argument" for a webhook that cannot be
 */
export async function submitJob(
  context: Context,
  caller: Caller,
  jobId: string,
  job: NewJob,
  storeInput: () => Promise<JobInput>,
  transferStarted: number,
): Promise<{ readonly jobId: string; readonly created: boolean }> {
  const webhook = job.webhook === undefined ? undefined : checkWebhook(context, job.webhook);
  const earlier = job.idempotency && (await context.table.get(jobKey(jobId)));
  if (earlier) return repeated(earlier, jobId, job);
  const decision = placeJob(job.needs, context.placement);
  const place = await enter(context, caller.tenant, "jobs", jobId, context.limits.jobs);
  let created: boolean;
  try {
    const input = await storeInput();
    const written = await context.table.write(
      jobKey(jobId),
      creation(context, caller, jobId, { ...job, webhook }, input, place, decision, transferStarted),
      [{ kind: "row-absent" }],
    );
    created = written.ok;
    if (!written.ok) {
      // Another call made this job. Two calls in one millisecond take the same place, which is then the job's.
      if (written.row?.attributes["place"] !== place.member) await leave(context, place);
      if (job.idempotency && written.row) return repeated(written.row, jobId, job);
    }
  } catch (error) {
    await leave(context, place).catch((fault) => context.onFault("giving back a job's place", fault));
    throw error;
  }
  if (!created) return { jobId, created: false };
  await dispatchJob(context, jobId, caller.tenant, decision.placement, decision.memoryBytes, 1);
  return { jobId, created: true };
}

function checkWebhook({ webhooks }: Context, url: string): string {
  if (webhooks) return checkWebhookUrl(url, webhooks);
  throw new DomainError(
    "feature-unsupported",
    `${WEBHOOK_HEADER}: this server sends no webhooks; leave the header out`,
  );
}

function repeated(row: Row, jobId: string, job: Pick<NewJob, "idempotency">): { jobId: string; created: false } {
  if (jobFromRow(row).bodyDigest !== job.idempotency?.bodyDigest) {
    throw new DomainError(
      "key-reused-with-other-body",
      `The idempotency key "${job.idempotency?.key}" was used before for another request; use a new key`,
    );
  }
  return { jobId, created: false };
}

function creation(
  context: Context,
  caller: Caller,
  jobId: string,
  job: NewJob,
  input: JobInput,
  place: Place,
  decision: PlacementDecision,
  transferStarted: number,
): Change {
  const now = context.clock.now();
  const sequence = nextSequence(now);
  const { placement, memoryBytes } = decision;
  const due = queuedPosition({ id: jobId, placement, sequence, kind: job.needs.kind, memoryBytes }, now);
  return {
    set: {
      tenant: caller.tenant,
      kind: job.needs.kind,
      state: "queued" satisfies JobState,
      placement: decision.placement,
      placementReason: decision.reason,
      memoryBytes: decision.memoryBytes,
      timeoutSeconds: decision.timeoutSeconds,
      needs: stored(job.needs),
      createdAt: now,
      sequence,
      attempt: 0,
      maxAttempts: context.limits.maxAttempts,
      input: input as unknown as Value,
      work: job.work,
      place: place.member,
      timings: { transfer: Math.max(0, now - transferStarted) / 1000 },
      ...(job.idempotency ? { bodyDigest: job.idempotency.bodyDigest } : {}),
      ...(job.webhook === undefined ? {} : { webhook: job.webhook }),
      ...(job.inboxFile === undefined ? {} : { inboxFile: job.inboxFile }),
    },
    addToSet: { outbox: [outboxEntry("Job Queued", now, context.ids.random())] },
    index: { list: listPosition(caller.tenant, jobId, sequence), due },
  };
}

/** Rows know no undefined. */
const stored = ({ timeLimitSeconds, ...needs }: JobNeeds): Value => ({
  ...needs,
  ...(timeLimitSeconds === undefined ? {} : { timeLimitSeconds }),
});

/** Hands a queued job to the dispatcher; a failure is left to whoever attends to the job (attend.ts). */
export async function dispatchJob(
  context: Context,
  jobId: string,
  tenant: string,
  placement: Placement,
  memoryBytes: number,
  attempt: number,
): Promise<void> {
  try {
    await context.dispatcher.dispatch({ jobId, tenant, placement, memoryBytes, attempt });
  } catch (error) {
    context.onFault(`dispatching job ${jobId}`, error);
  }
}

/** The job, or undefined if this caller has no such job. */
export async function getJob(
  context: Pick<Context, "table">,
  caller: Caller,
  jobId: string,
  options?: CallOptions,
): Promise<Job | undefined> {
  const row = await context.table.get(jobKey(jobId), options);
  return row && visible(jobFromRow(row), caller);
}

function visible(job: Job, caller: Caller): Job | undefined {
  return job.deleted || job.tenant !== caller.tenant ? undefined : job;
}

/** Like `getJob`. @throws DomainError "job-unknown" */
export async function requireJob(
  context: Pick<Context, "table">,
  caller: Caller,
  jobId: string,
  options?: CallOptions,
): Promise<Job> {
  const job = await getJob(context, caller, jobId, options);
  if (!job) throw new DomainError("job-unknown", "Job not found");
  return job;
}

/** Jobs of this caller, newest first. */
export async function listJobs(
  context: Pick<Context, "table">,
  caller: Caller,
  filter: JobFilter,
  options?: CallOptions,
): Promise<{ readonly jobs: readonly Job[]; readonly before?: string | undefined }> {
  // Each shard is sorted; the newest `limit` of all are among the newest `limit` of each.
  const found = await Promise.all(
    listPartitions(caller.tenant).map((pk) => newestOfShard(context, pk, caller, filter, options)),
  );
  const jobs = found.flat().sort((a, b) => (a.sequence < b.sequence ? 1 : -1));
  const page = jobs.slice(0, filter.limit);
  return { jobs: page, before: jobs.length >= filter.limit ? page.at(-1)?.sequence : undefined };
}

async function newestOfShard(
  context: Pick<Context, "table">,
  pk: string,
  caller: Caller,
  filter: JobFilter,
  options?: CallOptions,
): Promise<Job[]> {
  const jobs: Job[] = [];
  let cursor: string | undefined;
  do {
    const page = await context.table.queryIndex(
      "list",
      pk,
      { descending: true, limit: 100, ...(filter.before ? { before: filter.before } : {}), cursor },
      options,
    );
    for (const row of page.rows) {
      // The index may project less than the row: read it whole.
      const job = await getJob(context, caller, row.pk.slice("job#".length), options);
      if (!job) continue;
      if (filter.states && !filter.states.includes(job.state)) continue;
      if (filter.kinds && !filter.kinds.includes(job.kind)) continue;
      jobs.push(job);
    }
    cursor = page.cursor;
  } while (cursor !== undefined && jobs.length < filter.limit);
  return jobs;
}

/**
 * Resolves when the job is finished or, with the job as it then is, after `timeoutMs`; with undefined when there is no such
 * job (any more).
 */
export async function waitForJob(
  context: Pick<Context, "table" | "clock">,
  caller: Caller,
  jobId: string,
  options: CallOptions,
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<Job | undefined> {
  const end = context.clock.now() + timeoutMs;
  let job = await getJob(context, caller, jobId, options);
  while (job && !isFinished(job.state)) {
    const left = end - context.clock.now();
    if (left <= 0) return job;
    job = await nextChange(context, caller, job, Math.min(WAIT_SLICE_MS, left), options);
  }
  return job;
}

/** The job after its next change, or as it is after `timeoutMs`; undefined once it is deleted. */
export async function nextChange(
  context: Pick<Context, "table">,
  caller: Caller,
  job: Job,
  timeoutMs: number,
  options: CallOptions,
): Promise<Job | undefined> {
  const row = await context.table.waitForChange(jobKey(job.id), job.revision, timeoutMs, options);
  return row && visible(jobFromRow(row), caller);
}

/** Cancels a job that is queued or running. Once this says cancelled, the job never completes. */
export async function cancelJob(context: Context, caller: Caller, jobId: string): Promise<CancelOutcome> {
  const before = await getJob(context, caller, jobId);
  if (!before) return { outcome: "unknown" };
  const now = context.clock.now();
  const written = await context.table.write(
    jobKey(jobId),
    {
      set: { state: "cancelled" satisfies JobState, finishedAt: now, stopAt: now },
      addToSet: { outbox: [outboxEntry("Job Cancelled", now, context.ids.random())] },
      index: { due: duePosition(jobId, now) },
    },
    [{ kind: "one-of", name: "state", values: ["queued", "processing"] }, ...notDeleted],
  );
  const job = written.row && visible(jobFromRow(written.row), caller);
  if (!job) return { outcome: "unknown" };
  if (!written.ok) return { outcome: job.state === "cancelled" ? "already-cancelled" : "already-finished", job };
  await stopWorker(context, jobId);
  await freePlace(context, written.row);
  return { outcome: "cancelled", job };
}

const notDeleted: readonly Condition[] = [{ kind: "absent", name: "deleted" }];

async function stopWorker(context: Context, jobId: string): Promise<void> {
  try {
    await context.dispatcher.stop(jobId, context.limits.cancelGraceMs);
  } catch (error) {
    // The worker notices by itself at its next heartbeat, and whoever attends to the job (attend.ts) tries again.
    context.onFault(`stopping the worker of job ${jobId}`, error);
  }
}

/** Gives back the place that the job of this row took. */
export async function freePlace(context: Pick<Context, "table" | "clock">, row: Row): Promise<void> {
  const { tenant, place } = row.attributes;
  if (typeof tenant !== "string" || typeof place !== "string") return;
  await context.table.write(admissionKey(tenant), { removeFromSet: { jobs: [place] } }, [{ kind: "row-exists" }]);
}

/**
 * Makes the job unknown at once, stops it if it runs, and leaves its data to the sweep.
 * @returns false if there is no such job
 */
export async function deleteJob(context: Context, caller: Caller, jobId: string): Promise<boolean> {
  const job = await getJob(context, caller, jobId);
  if (!job) return false;
  const now = context.clock.now();
  const written = await context.table.write(
    jobKey(jobId),
    {
      // A job that never finished ends here, so that no worker can complete it.
      set: { deleted: true, ...(isFinished(job.state) ? {} : { state: "cancelled", finishedAt: now, stopAt: now }) },
      ...(isFinished(job.state)
        ? {}
        : { addToSet: { outbox: [outboxEntry("Job Cancelled", now, context.ids.random())] } }),
      index: { list: null, due: duePosition(jobId, now) },
    },
    [{ kind: "equals", name: "state", value: job.state }, ...notDeleted],
  );
  if (!written.ok) return deleteJob(context, caller, jobId);
  if (!isFinished(job.state)) {
    await stopWorker(context, jobId);
    await freePlace(context, written.row);
  }
  return true;
}

/** How a finished job ends up in the row; used by workers and by the sweep. */
export function finish(
  context: Pick<Context, "clock" | "ids">,
  jobId: string,
  state: "completed" | "failed",
  facts: { readonly [key: string]: Value },
): Change {
  const now = context.clock.now();
  const type: JobEvent["type"] = state === "completed" ? "Job Completed" : "Job Failed";
  return {
    set: { ...facts, state, finishedAt: now },
    unset: ["worker", "leaseUntil"],
    addToSet: { outbox: [outboxEntry(type, now, context.ids.random())] },
    index: { due: duePosition(jobId, now) },
  };
}
