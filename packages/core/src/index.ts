// The public face of @sortie/core: the rules of jobs, uploads, downloads and feeds, and the ports they stand on.
export * from "./at-once.ts";
export * from "./attempts.ts";
export * from "./context.ts";
export * from "./downloads.ts";
export * from "./errors.ts";
export * from "./feeds.ts";
export * from "./identities.ts";
export * from "./inputs.ts";
export * from "./job.ts";
export {
  type CancelOutcome,
  cancelJob,
  deleteJob,
  getJob,
  type JobFilter,
  jobIdFor,
  listJobs,
  type NewJob,
  nextChange,
  requireJob,
  submitJob,
  waitForJob,
} from "./jobs.ts";
export { jobBlobs } from "./keys.ts";
export * from "./numbers.ts";
export * from "./placement.ts";
export * from "./port-rules.ts";
export * from "./ports.ts";
export { storedBytes, workerSecondsToday } from "./quotas.ts";
export { clearAdmission, type Loss, loseAttempt, recover, sweep } from "./sweep.ts";
export {
  finishUpload,
  getUpload,
  type NewChunk,
  putChunk,
  type ReceivedArray,
  startUpload,
  touchUpload,
  type Upload,
} from "./uploads.ts";
