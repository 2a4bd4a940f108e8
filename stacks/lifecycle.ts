// How long objects stay in the bucket when nobody removes them. The sweep removes uploads, inputs and results at their time
// to live; the rules for those are the backstop behind it. Pure.

/** What a job may take to be queued, attempted and finished: its time to live begins only then. */
const MARGIN_DAYS = 60;
/** Models put into the inbox and never taken. */
const INBOX_DAYS = 30;

/** What core keeps of a session: its pipeline's weights and models, and its state where that is large. */
export const SESSION_PREFIX = "sessions/";
/** What core's blobs lie under. */
export const BLOB_PREFIXES = ["jobs/", "uploads/", SESSION_PREFIX] as const;
/**
 * Files that clients of the pipeline service name, maybe after years: configurations and data that people put there, saved
 * pipelines and their weights. Only a later write of the same name replaces one, so no rule may remove them.
 */
export const FILES_PREFIX = "files/";
/** Every first part of a key that has its time: blobs of core, and what people put and find. */
export const PREFIXES = [...BLOB_PREFIXES, "inbox/", "outbox/"] as const;

export interface LifecycleRule {
  id: string;
  status: "Enabled";
  filter: { prefix: string };
  expiration?: { days: number };
  abortIncompleteMultipartUpload?: { daysAfterInitiation: number };
}

/**
 * What is not named here, `FILES_PREFIX`, stays. A job's input lies under `uploads/` as long as the job does, so both have the same time.
 * @param timeToLiveHours of finished jobs
 */
export function lifecycleRules(timeToLiveHours: number, outboxDays: number): LifecycleRule[] {
  const blobDays = Math.ceil(timeToLiveHours / 24) + MARGIN_DAYS;
  const days = {
    "jobs/": blobDays,
    "uploads/": blobDays,
    [SESSION_PREFIX]: blobDays,
    "inbox/": INBOX_DAYS,
    "outbox/": outboxDays,
  };
  return [
    ...PREFIXES.map(
      (prefix): LifecycleRule => ({
        id: `expire-${prefix.slice(0, -1)}`,
        status: "Enabled",
        filter: { prefix },
        expiration: { days: days[prefix] },
      }),
    ),
    {
      id: "abort-unfinished-multiparts",
      status: "Enabled",
      filter: { prefix: "" },
      abortIncompleteMultipartUpload: { daysAfterInitiation: 1 },
    },
  ];
}
