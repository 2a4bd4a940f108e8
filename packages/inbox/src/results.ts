// The answers in the outbox: solution, log and summary of a job that came from the inbox, or why there is no answer.
import { fromBinary } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Context,
  getJob,
  type Job,
  type JobEvent,
  type JobEventFacts,
  readLog,
  readResultArray,
} from "@sortie/core";
import { type Solution, solFile } from "@sortie/solve";
import {
  type DecodedSolution,
  doublesFromBytes,
  LPSolutionSchema,
  MIPSolutionSchema,
  type ResultFieldId,
  splitNames,
} from "@sortie/wire";
import { outputsOf } from "./names.ts";
import { solutionFromWire } from "./solution.ts";
import type { InboxStore } from "./store.ts";

type Ports = Pick<Context, "table" | "blobs">;

const LOG_SLICE_BYTES = 256 * 1024;
const ENDS: readonly JobEvent["type"][] = ["Job Completed", "Job Failed", "Job Cancelled"];

/**
 * Writes what a job's end left to say, if it came from the inbox. May be repeated.
 * @returns whether something was written
 */
export async function writeResults(
  ports: Ports,
  store: InboxStore,
  event: Pick<JobEvent, "type" | "jobId" | "tenant"> & { readonly detail: Partial<JobEventFacts> },
  options: CallOptions = {},
): Promise<boolean> {
  const path = event.detail.inboxFile;
  if (path === undefined || !ENDS.includes(event.type)) return false;
  const job = await getJob(ports, { tenant: event.tenant }, event.jobId, options);
  const outputs = outputsOf(path);
  if (!job) {
    if (event.type !== "Job Cancelled") return false;
    await writeJson(
      store,
      outputs.error,
      { file: path, jobId: event.jobId, state: "cancelled", error: "The job was deleted" },
      options,
    );
    return true;
  }
  await store.writeOutbox(outputs.log, logOf(ports, job, options), options);
  if (job.state === "completed") {
    const solution = await loadSolution(ports, job, options);
    await store.writeOutbox(
      outputs.solution,
      solFile(solution, await variableNames(ports, job, solution, options)),
      options,
    );
    await store.removeOutbox(outputs.error, options);
    // Last: who sees it finds everything else.
    await writeJson(store, outputs.summary, summaryOf(path, job, solution), options);
  } else {
    for (const stale of [outputs.solution, outputs.summary]) await store.removeOutbox(stale, options);
    const error = job.failure ?? "The job was cancelled";
    await writeJson(store, outputs.error, { ...factsOf(path, job), error }, options);
  }
  return true;
}

const writeJson = (store: InboxStore, path: string, content: unknown, options: CallOptions) =>
  store.writeOutbox(path, [`${JSON.stringify(content, null, 2)}\n`], options);

const time = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

function factsOf(path: string, job: Job) {
  return {
    file: path,
    jobId: job.id,
    state: job.state,
    kind: job.kind,
    attempt: job.attempt,
    createdAt: time(job.createdAt),
    startedAt: time(job.startedAt),
    finishedAt: time(job.finishedAt),
    timings: job.timings,
  };
}

/** Numbers that JSON does not have (NaN, infinities) are null. */
function summaryOf(path: string, job: Job, solution: Solution) {
  const numbers =
    solution.kind === "lp"
      ? {
          objective: solution.primal.length > 0 ? solution.primalObjective : null,
          bound: solution.dual.length > 0 ? solution.dualObjective : null,
          gap: solution.primal.length > 0 ? solution.gap : null,
          iterations: solution.iterations,
        }
      : {
          objective: solution.solution.length > 0 ? solution.objective : null,
          bound: solution.bound,
          gap: solution.gap,
          nodes: solution.nodes,
        };
  const message = solution.message === "" ? undefined : solution.message;
  return { ...factsOf(path, job), status: solution.termination, ...numbers, message };
}

async function loadSolution(ports: Ports, job: Job, options: CallOptions): Promise<Solution> {
  const arrays = new Map<ResultFieldId, Float64Array>();
  for (const stored of job.result?.arrays ?? []) {
    arrays.set(Number(stored.name) as ResultFieldId, doublesFromBytes(await readResultArray(ports, stored, options)));
  }
  const message = Buffer.from(job.result?.message ?? "", "base64");
  const decoded: DecodedSolution =
    job.kind === "mip"
      ? { kind: "mip", message, arrays, scalars: fromBinary(MIPSolutionSchema, message) }
      : { kind: "lp", message, arrays, scalars: fromBinary(LPSolutionSchema, message) };
  return solutionFromWire(decoded);
}

/** The model's names, from the job's own input; undefined if there are not as many as values. */
async function variableNames(
  ports: Ports,
  job: Job,
  solution: Solution,
  options: CallOptions,
): Promise<readonly string[] | undefined> {
  const stored =
    job.input.kind === "stored" ? job.input.arrays.find(({ name }) => name === "variable_names") : undefined;
  if (!stored) return undefined;
  const names = splitNames(await readResultArray(ports, stored, options));
  const values = solution.kind === "lp" ? solution.primal : solution.solution;
  return names.length === values.length ? names : undefined;
}

async function* logOf(ports: Ports, job: Job, options: CallOptions): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < job.logEnd; ) {
    const slice = await readLog(ports, job, at, LOG_SLICE_BYTES, options);
    if (slice.bytes.byteLength === 0) return;
    yield slice.bytes;
    at = slice.end;
  }
}
