// A job of the server in words and as JSON.
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { type Job, JobKind, JobState, Placement, type Timings } from "@sortie/wire";
import { bytesText, durationText, gapText, numberText, secondsText } from "./format.ts";

/** "PROCESSING" → "processing"; undefined for a number that this program does not know, and for none. */
const wordOf = (names: object, value: number): string | undefined => {
  const name = (names as Readonly<Record<number, string>>)[value];
  return name === undefined || name === "UNSPECIFIED" ? undefined : name.toLowerCase();
};

export const JOB_STATES = ["queued", "processing", "completed", "failed", "cancelled"] as const;
export const JOB_KINDS = ["lp", "mip", "infer", "train"] as const;

export const stateWord = (job: Job): string => wordOf(JobState, job.state) ?? "unknown";
export const kindWord = (job: Job): string => wordOf(JobKind, job.kind) ?? "unknown";

export const isSolve = (job: Job): boolean => job.kind === JobKind.LP || job.kind === JobKind.MIP;

const dateOf = (time: Timestamp | undefined): string | undefined => time && timestampDate(time).toISOString();

/** Every detail, as `--json` prints it. */
export function jobJson(job: Job): Record<string, unknown> {
  return {
    id: job.id,
    kind: kindWord(job),
    state: stateWord(job),
    tenant: job.tenant,
    createdAt: dateOf(job.createdAt),
    startedAt: dateOf(job.startedAt),
    finishedAt: dateOf(job.finishedAt),
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    queuePosition: job.queuePosition,
    waitingReason: job.waitingReason || undefined,
    placement: wordOf(Placement, job.placement),
    placementReason: job.placementReason || undefined,
    failure: job.failure || undefined,
    progress: job.progress,
    objective: job.objective,
    bound: job.bound,
    gap: job.gap,
    nodes: job.nodes,
    iterations: job.iterations,
    ...(isSolve(job) ? { rows: job.rows, columns: job.columns, nonzeros: job.nonzeros } : {}),
    resultSizeBytes: job.resultSizeBytes,
    incumbentCount: job.incumbentCount,
    logBytes: job.logBytes,
    timings: timingsJson(job.timings),
    settingsWithoutEffect: job.settingsWithoutEffect,
    inboxFile: job.inboxFile || undefined,
    webhookNote: job.webhookNote || undefined,
  };
}

const timingsJson = (timings: Timings | undefined) => ({
  queueSeconds: timings?.queue,
  transferSeconds: timings?.transfer,
  loadSeconds: timings?.load,
  solveSeconds: timings?.solve,
  writeBackSeconds: timings?.writeBack,
});

/** "12 s", "3 min 20 s", … since `time`; "-" if there is none. */
export function ageText(time: Timestamp | undefined, now: number): string {
  return time === undefined ? "-" : durationText(Math.round(secondsSince(time, now)));
}

/** Never below 0, whatever the clocks say; 0 if there is no time. */
export const secondsSince = (time: Timestamp | undefined, now: number): number =>
  time === undefined ? 0 : Math.max(0, (now - timestampDate(time).getTime()) / 1000);

/** "98 × 141", rows by columns; "-" where there is no model. */
export const sizeText = (job: Job): string => (isSolve(job) ? `${job.rows} × ${job.columns}` : "-");

/** What there is to tell of a job beside its id and state, a line each. */
export function jobLines(job: Job, now: number): string[] {
  const lines: string[] = [];
  if (isSolve(job)) {
    const { rows, columns, nonzeros } = job;
    lines.push(`${kindWord(job).toUpperCase()}, ${rows} rows, ${columns} columns, ${nonzeros} nonzeros`);
  } else lines.push(kindWord(job));
  const times = [
    `submitted ${ageText(job.createdAt, now)} ago`,
    ...(job.startedAt ? [`started ${ageText(job.startedAt, now)} ago`] : []),
    ...(job.finishedAt ? [`ended ${ageText(job.finishedAt, now)} ago`] : []),
    ...(job.attempt > 1 ? [`attempt ${job.attempt} of ${job.maxAttempts}`] : []),
  ];
  lines.push(times.join(", "));
  if (job.queuePosition !== undefined)
    lines.push(`waiting: ${job.waitingReason || `${job.queuePosition} jobs before it`}`);
  const found = [
    ...(job.objective === undefined ? [] : [`objective ${numberText(job.objective)}`]),
    ...(job.bound === undefined ? [] : [`bound ${numberText(job.bound)}`]),
    ...(job.gap === undefined ? [] : [`gap ${gapText(job.gap)}`]),
    ...(job.nodes === undefined ? [] : [`nodes ${job.nodes}`]),
    ...(job.iterations === undefined ? [] : [`iterations ${job.iterations}`]),
    ...(job.incumbentCount > 0n ? [`incumbents ${job.incumbentCount}`] : []),
  ];
  if (found.length > 0) lines.push(found.join("  "));
  if (job.resultSizeBytes > 0n) lines.push(`result ${bytesText(Number(job.resultSizeBytes))}`);
  const spent = timingsText(job.timings);
  if (spent !== "") lines.push(spent);
  if (job.failure !== "") lines.push(`${job.state === JobState.FAILED ? "failure" : "last attempt"}: ${job.failure}`);
  if (job.settingsWithoutEffect.length > 0) lines.push(`without effect here: ${job.settingsWithoutEffect.join(", ")}`);
  if (job.inboxFile !== "") lines.push(`of the inbox's file ${job.inboxFile}`);
  if (job.webhookNote !== "") lines.push(`webhook: ${job.webhookNote}`);
  return lines;
}

function timingsText(timings: Timings | undefined): string {
  const parts = [
    ["transfer", timings?.transfer],
    ["queue", timings?.queue],
    ["load", timings?.load],
    ["solve", timings?.solve],
    ["write-back", timings?.writeBack],
  ] as const;
  return parts
    .flatMap(([name, seconds]) => (seconds === undefined ? [] : [`${name} ${secondsText(seconds)}`]))
    .join("  ");
}
