// How a Batch job ended, from the event that Batch puts on the bus: whose worker it was, and whether its end points at the
// model or at the machine. Pure.
// https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html
import { z } from "zod";
import { batchWorkerName } from "./batch-dispatcher.ts";

/** What is used of the event; all else may be as it likes. */
const DETAIL = z.object({
  jobId: z.string().min(1),
  jobName: z.string(),
  status: z.string(),
  statusReason: z.string().optional(),
  container: z
    .object({
      exitCode: z.number().optional(),
      reason: z.string().optional(),
      environment: z.array(z.object({ name: z.string().optional(), value: z.string().optional() })).optional(),
    })
    .optional(),
});

export interface BatchEnd {
  /** As the worker calls itself in leases. */
  readonly worker: string;
  /** The job that the worker was started for; a worker that lingers may have held another one. */
  readonly jobId: string;
  /** The attempt that it was to make. */
  readonly attempt: number;
  readonly succeeded: boolean;
  /** In words, for the job's owner. */
  readonly how: string;
  /** Set where the end points at the model: the same again is no accident. */
  readonly signature?: string | undefined;
}

/** The name of our Batch jobs; see BatchDispatcher. */
const NAME = /^sortie-(.+)-(\d+)$/;
/** A machine that was taken away, with or without notice. */
const HOST_LOST = /^Host EC2\b|spot|interrupt|host .*terminated/i;
const OUT_OF_MEMORY = /^OutOfMemoryError\b/;
/** Batch ended the container because its time was over. */
const TIMED_OUT = /\btime(d )?out\b|exceeded timeout/i;
/** Ended from outside: 128 + SIGKILL or SIGTERM. */
const KILLED: Readonly<Record<number, string>> = { 137: "SIGKILL", 143: "SIGTERM" };
/** The worker's own codes for "it was not the job" (EX_SOFTWARE, EX_CONFIG). */
const WORKERS_OWN = [70, 78];

/**
 * Reads the detail of a "Batch Job State Change".
 * @returns undefined if the job has not ended or is none of ours
 */
export function batchEnd(detail: unknown): BatchEnd | undefined {
  const parsed = DETAIL.safeParse(detail);
  if (!parsed.success) return undefined;
  const { jobId: batchId, jobName, status, container } = parsed.data;
  if (status !== "FAILED" && status !== "SUCCEEDED") return undefined;
  const name = NAME.exec(jobName);
  const variable = (wanted: string) => container?.environment?.find((each) => each.name === wanted)?.value;
  const jobId = variable("SORTIE_JOB_ID") ?? name?.[1];
  const attempt = Number(variable("SORTIE_ATTEMPT") ?? name?.[2]);
  if (!name || jobId === undefined || !Number.isSafeInteger(attempt)) return undefined;
  const succeeded = status === "SUCCEEDED";
  const end = succeeded ? { how: "the worker ended without ending the job" } : howItFailed(parsed.data);
  return { worker: batchWorkerName(batchId), jobId, attempt, succeeded, ...end };
}

function howItFailed({ statusReason = "", container }: z.infer<typeof DETAIL>): Pick<BatchEnd, "how" | "signature"> {
  const { exitCode, reason = "" } = container ?? {};
  if (HOST_LOST.test(statusReason) || HOST_LOST.test(reason)) {
    return { how: `the worker's machine was taken away (${statusReason || reason})` };
  }
  if (OUT_OF_MEMORY.test(reason))
    return { how: `the worker ran out of memory (${reason})`, signature: "out of memory" };
  if (TIMED_OUT.test(statusReason)) {
    return { how: `the worker was ended at its time limit (${statusReason})`, signature: "time limit" };
  }
  const why = reason || statusReason;
  const words = why === "" ? "" : ` (${why})`;
  if (exitCode === undefined) return { how: `the worker did not run${words}` };
  const killer = KILLED[exitCode];
  if (killer !== undefined) return { how: `the worker was ended by ${killer}${words}` };
  if (exitCode === 0 || WORKERS_OWN.includes(exitCode))
    return { how: `the worker left with exit code ${exitCode}${words}` };
  return { how: `the worker crashed with exit code ${exitCode}${words}`, signature: `exit code ${exitCode}` };
}
