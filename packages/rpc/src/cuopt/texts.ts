// How a job is told on the cuOpt wire: states as numbers and the texts that clients know.
import type { Job, JobState } from "@sortie/core";
import { JobStatus } from "@sortie/wire";

export const STATUS_OF_STATE = {
  queued: JobStatus.QUEUED,
  processing: JobStatus.PROCESSING,
  completed: JobStatus.COMPLETED,
  failed: JobStatus.FAILED,
  cancelled: JobStatus.CANCELLED,
} as const satisfies Record<JobState, JobStatus>;

export function statusText(job: Job): string {
  switch (job.state) {
    case "queued":
      return "Job is queued";
    case "processing":
      return "Job is being processed";
    case "completed":
      return "Job completed";
    case "failed":
      return `Job failed: ${job.failure ?? "no reason was recorded"}`;
    case "cancelled":
      return "Job was cancelled";
  }
}

/** The text of an answer to a waiter: bare, since the status is beside it. */
export function waitText(job: Job): string {
  if (job.state === "failed") return job.failure ?? "no reason was recorded";
  return job.state === "cancelled" ? "Job was cancelled" : "";
}
