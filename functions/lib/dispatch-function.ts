// Attends to the jobs whose rows changed. A record says only which job: the row is read again, so records that come twice,
// late, out of order or not at all do no harm, and what the stream loses the sweep finds.
import { attendJob, type Context, forEachAtOnce, jobIdOfKey } from "@sortie/core";
import type { PartialBatchFailure, TableStreamEvent } from "./lambda.ts";

const JOBS_AT_ONCE = 8;

export type DispatchFunction = (event: TableStreamEvent) => Promise<PartialBatchFailure>;

export function createDispatchFunction(context: Context): DispatchFunction {
  return async ({ Records }) => {
    /** Each job with the number of its first record in the batch. */
    const jobs = new Map<string, string>();
    for (const { dynamodb } of Records) {
      const jobId = jobIdOfKey({ pk: dynamodb?.Keys?.["pk"]?.S ?? "", sk: dynamodb?.Keys?.["sk"]?.S ?? "" });
      if (jobId !== undefined && !jobs.has(jobId)) jobs.set(jobId, dynamodb?.SequenceNumber ?? "");
    }
    const failed: string[] = [];
    await forEachAtOnce(jobs, JOBS_AT_ONCE, undefined, async ([jobId, sequenceNumber]) => {
      try {
        await attendJob(context, jobId);
      } catch (error) {
        context.onFault(`attending to job ${jobId}`, error);
        failed.push(sequenceNumber);
      }
    });
    await context.webhooks?.idle();
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  };
}
