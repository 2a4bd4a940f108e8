// Events of jobs as the outside reads them: one body with a schema and a version, the same on a bus and in a webhook.
import { isFinished, type Job, type JobKind, type JobState, type Timings } from "./job.ts";
import { decodeFloat } from "./numbers.ts";
import type { JobEvent, Placement, Value } from "./ports.ts";

/** The version of the schema. Fields may be added within a version; a reader that meets a later one must not guess. */
export const JOB_EVENT_VERSION = 1;

export const JOB_EVENT_TYPES = ["Job Queued", "Job Started", "Job Completed", "Job Failed", "Job Cancelled"] as const;

/** A failure's text is cut to so many characters: a bus takes small entries only. */
const LONGEST_FAILURE = 8_000;

/** What is told of the job beside the event itself. */
export interface JobEventFacts {
  readonly kind: JobKind;
  readonly placement: Placement;
  /** 0 before the first attempt. */
  readonly attempt: number;
  /** Seconds. What has not ended at the time of the event is absent. */
  readonly timings: Timings;
  /** Completed jobs only: how the solve ended, e.g. "optimal" or "infeasible". */
  readonly status?: string | undefined;
  /** Completed jobs only, and only if a solution was found: a finite number. */
  readonly objective?: number | undefined;
  /** Failed jobs only. */
  readonly failure?: string | undefined;
  /** Where the job came from, if it came from the inbox: the file's path below it. */
  readonly inboxFile?: string | undefined;
}

/** The body of an event. */
export interface JobEventBody extends JobEventFacts {
  /** The same for every delivery of one event. */
  readonly id: string;
  readonly type: JobEvent["type"];
  readonly version: typeof JOB_EVENT_VERSION;
  /** When it happened, ISO 8601 in UTC. */
  readonly time: string;
  readonly tenant: string;
  readonly jobId: string;
}

const seconds = (description: string) => ({ type: "number", minimum: 0, description });

/** JSON Schema of `JobEventBody`. */
export const JOB_EVENT_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Sortie job event, version 1",
  type: "object",
  properties: {
    id: {
      type: "string",
      minLength: 1,
      description: "Identifies the event; every delivery of one event has the same id.",
    },
    type: { enum: JOB_EVENT_TYPES, description: "What happened." },
    version: { const: JOB_EVENT_VERSION, description: "Version of this schema." },
    time: { type: "string", format: "date-time", description: "When it happened, in UTC." },
    tenant: { type: "string", description: "Whose job it is." },
    jobId: { type: "string", description: "The job." },
    kind: { enum: ["lp", "mip", "infer", "train"], description: "What kind of work it is." },
    placement: { enum: ["inline", "cpu", "gpu"], description: "Where the job runs." },
    attempt: {
      type: "integer",
      minimum: 0,
      description: "Number of the attempt that the event belongs to; 0 before the first.",
    },
    timings: {
      type: "object",
      description: "Where the time went, in seconds. What has not ended is absent.",
      properties: {
        transfer: seconds("Receiving the problem."),
        queue: seconds("From acceptance to the start of the first attempt."),
        load: seconds("Reading the arrays and building the model."),
        solve: seconds("Inside the engine."),
        writeBack: seconds("Storing the result."),
      },
      additionalProperties: false,
    },
    status: {
      type: "string",
      description: 'How the solve ended, such as "optimal" or "infeasible". Job Completed only.',
    },
    objective: {
      type: "number",
      description: "Objective of the solution. Job Completed only; absent if no solution was found.",
    },
    failure: { type: "string", description: "Why the job failed. Job Failed only." },
    inboxFile: {
      type: "string",
      description: "The file that the job was made of, as its path below the inbox. Absent for other jobs.",
    },
  },
  required: ["id", "type", "version", "time", "tenant", "jobId", "kind", "placement", "attempt", "timings"],
  additionalProperties: false,
} as const;

/** An event on its way out, as the row's outbox holds it. */
export function outboxEntry(type: JobEvent["type"], at: number, id: string, attempt?: number): string {
  const entry = `${String(Math.floor(at)).padStart(14, "0")}|${type}|${id}`;
  return attempt === undefined ? entry : `${entry}|${attempt}`;
}

/** When the event of an outbox entry happened, ms since 1970. */
export const timeOfEntry = (entry: string): number => Number(entry.slice(0, entry.indexOf("|")));

/** Entries as they happened; of those of one millisecond, as a job lives. */
export function entriesInOrder(entries: Iterable<string>): string[] {
  const place = (entry: string) => {
    const [at = "", type = ""] = entry.split("|");
    return `${at}|${JOB_EVENT_TYPES.indexOf(type as JobEvent["type"])}|${entry}`;
  };
  return [...entries].sort((a, b) => (place(a) < place(b) ? -1 : 1));
}

const STATE_OF_END: Partial<Record<JobEvent["type"], JobState>> = {
  "Job Completed": "completed",
  "Job Failed": "failed",
  "Job Cancelled": "cancelled",
};

/** The event of an outbox entry. However late it is told, it says what held when it happened. */
export function eventFromOutbox(job: Job, entry: string): JobEvent {
  const [at = "0", type = "Job Queued", id = "", attempt] = entry.split("|") as [
    string,
    JobEvent["type"],
    string,
    string,
  ];
  const atEnd = isFinished(job.state) && STATE_OF_END[type] === job.state;
  const { transfer, queue } = job.timings;
  const facts: JobEventFacts = {
    kind: job.kind,
    placement: job.placement,
    attempt: type === "Job Queued" ? 0 : Number(attempt ?? job.attempt),
    timings: atEnd ? job.timings : type === "Job Queued" ? { transfer } : { transfer, queue },
    ...(atEnd ? ending(job) : {}),
    inboxFile: job.inboxFile,
  };
  // What is undefined is left out, as in JSON.
  const detail = JSON.parse(JSON.stringify(facts)) as { [key: string]: Value };
  return { id, type, jobId: job.id, tenant: job.tenant, at: Number(at), detail };
}

function ending(job: Job): Partial<JobEventFacts> {
  if (job.state === "failed") return { failure: (job.failure ?? "no reason was recorded").slice(0, LONGEST_FAILURE) };
  if (job.state !== "completed") return {};
  const objective = decodeFloat(job.result?.objective);
  return {
    status: job.result?.status,
    objective: objective !== undefined && Number.isFinite(objective) ? objective : undefined,
  };
}

/** The body that goes out for an event. */
export function jobEventBody({ id, type, jobId, tenant, at, detail }: JobEvent): JobEventBody {
  const facts = detail as unknown as JobEventFacts;
  return { id, type, version: JOB_EVENT_VERSION, time: new Date(at).toISOString(), tenant, jobId, ...facts };
}
