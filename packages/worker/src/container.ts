// The program of a container worker: reads its environment, runs the job that it names and further ones of its placement.
//
// SIGTERM (a Spot notice, or a job that is stopped) gives the job in hand back to the queue, or ends it if it was cancelled.
// Exit codes: 0, every job that was taken has been ended or given back; 70, one could not be, and its lease must run out;
// 78, the environment does not describe a worker; 1, anything else, before a job was taken.
import { totalmem } from "node:os";
import { AwsSettingsError, batchWorkerName, openAwsWorker, readAwsSettings } from "@sortie/platform-aws";
import { blobFiles } from "@sortie/sessions";
import { type ContainerTask, runContainer } from "./container-worker.ts";
import { note } from "./note.ts";
import { EXIT_JOB_LOST } from "./run-job.ts";
import { openAllRunners } from "./runners.ts";

const EXIT_SETTINGS = 78;

const leave = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    note(`told to leave by ${signal}`);
    leave.abort();
  });
}

/** What the container may use; the machine's if it has no limit of its own. */
function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

async function main(): Promise<number> {
  const settings = readAwsSettings(process.env);
  const { jobId, placement, batchJobId } = settings.task;
  const missing = Object.entries({
    SORTIE_JOB_ID: jobId,
    SORTIE_PLACEMENT: placement,
    AWS_BATCH_JOB_ID: batchJobId,
  }).flatMap(([name, value]) => (value === undefined ? [`${name} is not set; Batch and the dispatcher set it`] : []));
  if (!jobId || !placement || !batchJobId) throw new AwsSettingsError(missing);
  const task: ContainerTask = {
    worker: batchWorkerName(batchJobId),
    jobId,
    placement,
    memoryBytes: memoryBytes(),
    lingerMs: settings.lingerMs,
  };
  await using platform = openAwsWorker(settings);
  await using runners = await openAllRunners(platform, (caller) => blobFiles(platform.blobs, caller));
  let claimed: string | undefined;
  try {
    const ran = await runContainer(platform, task, runners, {
      signal: leave.signal,
      onClaimed: (job) => {
        claimed = job.id;
        note("job claimed", undefined, { jobId: job.id, attempt: job.attempt, kind: job.kind });
      },
      onFault: note,
    });
    note("the worker ends", undefined, { jobs: ran, ...(ran === 0 && { jobId, reason: "the job was gone" }) });
    return 0;
  } catch (error) {
    if (claimed === undefined) throw error;
    note(`job ${claimed} could not be ended`, error);
    return EXIT_JOB_LOST;
  }
}

main().then(
  (code) => process.exit(code),
  (error) => {
    note("the worker could not run", error);
    process.exit(error instanceof AwsSettingsError ? EXIT_SETTINGS : 1);
  },
);
