// sortie.v1.JobService: lists of jobs, and every detail that the cuOpt wire has no room for.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Context,
  type Job as CoreJob,
  type JobKind as CoreKind,
  type Placement as CorePlacement,
  type JobState as CoreState,
  DomainError,
  decodeFloat,
  getJob,
  listJobs,
} from "@sortie/core";
import { type SolveTask, settingsFromJson, settingsWithoutEffect } from "@sortie/solve";
import { JobKind, JobSchema, JobState, Placement } from "@sortie/wire";
import type { Call } from "../cuopt/handlers.ts";

const STATE = {
  queued: JobState.QUEUED,
  processing: JobState.PROCESSING,
  completed: JobState.COMPLETED,
  failed: JobState.FAILED,
  cancelled: JobState.CANCELLED,
} as const satisfies Record<CoreState, JobState>;

const KIND = {
  lp: JobKind.LP,
  mip: JobKind.MIP,
  infer: JobKind.INFER,
  train: JobKind.TRAIN,
} as const satisfies Record<CoreKind, JobKind>;

const PLACEMENT = {
  inline: Placement.INLINE,
  cpu: Placement.CPU,
  gpu: Placement.GPU,
} as const satisfies Record<CorePlacement, Placement>;

const DEFAULT_PAGE = 50;
const LARGEST_PAGE = 1000;

function keysOf<K extends string, V>(table: Record<K, V>, values: readonly V[], field: string): K[] | undefined {
  if (values.length === 0) return undefined;
  return values.map((value) => {
    const found = (Object.keys(table) as K[]).find((key) => table[key] === value);
    if (!found) throw new DomainError("invalid-argument", `${field}: ${String(value)} is not a value that jobs have`);
    return found;
  });
}

export function createJobHandlers(context: Context) {
  return {
    async listJobs(request: { states: JobState[]; kinds: JobKind[]; pageSize: number; pageToken: string }, call: Call) {
      if (request.pageSize < 0 || request.pageSize > LARGEST_PAGE) {
        throw new DomainError("invalid-argument", `page_size is ${request.pageSize}; 0 to ${LARGEST_PAGE} is allowed`);
      }
      const page = await listJobs(
        context,
        call.caller,
        {
          states: keysOf(STATE, request.states, "states"),
          kinds: keysOf(KIND, request.kinds, "kinds"),
          limit: request.pageSize || DEFAULT_PAGE,
          before: request.pageToken || undefined,
        },
        call,
      );
      return { jobs: page.jobs.map((job) => toMessage(context, job)), nextPageToken: page.before ?? "" };
    },

    async getJob(request: { id: string }, call: Call) {
      const job = await getJob(context, call.caller, request.id, call);
      if (!job) throw new DomainError("job-unknown", "Job not found");
      return { job: toMessage(context, job) };
    },
  };
}

type JobInit = MessageInitShape<typeof JobSchema>;

/** Leaves out what is not known, so that presence means knowledge. */
function known<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

function toMessage(context: Context, job: CoreJob) {
  const task = job.work as unknown as SolveTask;
  const waiting = job.state === "queued" ? context.dispatcher.waiting(job.id) : undefined;
  const time = (ms: number | undefined) => (ms === undefined ? undefined : timestampFromMs(ms));
  const fact = (name: string) => decodeFloat(job.progress[name]);
  const count = (name: string) => {
    const value = fact(name);
    return value !== undefined && Number.isSafeInteger(value) ? BigInt(value) : undefined;
  };
  const solves = job.kind === "lp" || job.kind === "mip";
  const init: JobInit = known({
    id: job.id,
    kind: KIND[job.kind],
    state: STATE[job.state],
    tenant: job.tenant,
    createdAt: time(job.createdAt),
    startedAt: time(job.startedAt),
    finishedAt: time(job.finishedAt),
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    queuePosition: waiting?.position,
    waitingReason: waiting?.reason,
    placement: PLACEMENT[job.placement],
    placementReason: job.placementReason,
    failure: job.failure ?? job.losses.at(-1),
    progress: job.state === "completed" ? 1 : undefined,
    objective: decodeFloat(job.result?.objective) ?? fact("objective") ?? job.best?.objective,
    bound: fact("bound"),
    gap: fact("gap"),
    rows: BigInt(solves ? task.rows : 0),
    columns: BigInt(solves ? task.columns : 0),
    nonzeros: BigInt(solves ? task.nonzeros : 0),
    resultSizeBytes: BigInt(job.result?.bytes ?? 0),
    incumbentCount: BigInt(job.incumbentCount),
    logBytes: BigInt(job.logEnd),
    timings: known({ ...job.timings }),
    inboxFile: job.inboxFile,
    webhookNote: job.webhook?.note,
    nodes: count("nodes"),
    iterations: count("iterations"),
    settingsWithoutEffect: solves ? settingsWithoutEffect(settingsFromJson(task.settings)) : [],
  });
  return create(JobSchema, init);
}
