// The public face of @sortie/core: the rules of jobs, uploads, downloads and feeds, and the ports they stand on.
export * from "./at-once.ts";
export * from "./attempts.ts";
export { attendJob, type FailedStart, holderOf, jobHeldBy, type Loss, loseAttempt, loseStart } from "./attend.ts";
export * from "./context.ts";
export { deferredDispatcher } from "./deferred-dispatcher.ts";
export * from "./downloads.ts";
export * from "./errors.ts";
export * from "./feeds.ts";
export * from "./identities.ts";
export * from "./inputs.ts";
export * from "./job.ts";
export * from "./job-events.ts";
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
  submittedBefore,
  waitForJob,
} from "./jobs.ts";
export { jobBlobs, jobIdOfKey, sessionBlobs, uploadBlobs } from "./keys.ts";
export { nearest } from "./nearest.ts";
export { claimNext, findQueued, type WorkerCapacity } from "./next-job.ts";
export * from "./numbers.ts";
export { type DeclaredArray, MOST_PARTS, PART_BYTES, partsOf } from "./parts.ts";
export * from "./placement.ts";
export * from "./port-rules.ts";
export * from "./ports.ts";
export { storedBytes, workerSecondsToday } from "./quotas.ts";
export {
  attendSession,
  changeSession,
  closeSession,
  createSession,
  requireSession,
  type Session,
  type SessionChange,
} from "./sessions.ts";
export { clearAdmission, recover, sweep } from "./sweep.ts";
export { MAX_TIMER_MS, systemClock, systemIds } from "./system.ts";
export * from "./transfers.ts";
export {
  finishUpload,
  getUpload,
  LINK_GRACE_MS,
  type NewChunk,
  putChunk,
  type ReceivedArray,
  startUpload,
  touchUpload,
  type Upload,
  type UploadPlan,
  unknownUpload,
} from "./uploads.ts";
export { WebhookCourier } from "./webhook-courier.ts";
export * from "./webhook-rules.ts";
