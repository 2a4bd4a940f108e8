// The small interfaces of the dispatcher and the events on the AWS SDK. Nothing but translation.
import {
  BatchClient,
  DescribeJobsCommand,
  ListJobsCommand,
  SubmitJobCommand,
  TerminateJobCommand,
} from "@aws-sdk/client-batch";
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import type { BatchApi, BatchJob, BatchStatus, FunctionApi } from "./batch-dispatcher.ts";
import { type AwsOptions, clientSettings } from "./client-settings.ts";
import type { EventBridgeApi } from "./eventbridge-events.ts";

/** One attempt of one request, in milliseconds. */
const REQUEST_MS = 10_000;

const abortBy = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {});

interface FoundJob {
  readonly jobId?: string | undefined;
  readonly jobName?: string | undefined;
  readonly status?: string | undefined;
}

const jobOf = ({ jobId, jobName, status }: FoundJob): BatchJob => ({
  id: jobId!,
  name: jobName!,
  status: status as BatchStatus,
});

/** @param client used instead of one of its own */
export function batchApi(options: AwsOptions = {}, client?: BatchClient): BatchApi & Disposable {
  const used = client ?? new BatchClient(clientSettings(options, REQUEST_MS));
  return {
    async submit({ name, queue, definition, size, environment, shareIdentifier }, signal) {
      const command = new SubmitJobCommand({
        jobName: name,
        jobQueue: queue,
        jobDefinition: definition,
        // Attempts are ours alone: Batch makes one.
        retryStrategy: { attempts: 1 },
        containerOverrides: {
          environment: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
          resourceRequirements: [
            { type: "VCPU", value: String(size.vcpus) },
            { type: "MEMORY", value: String(size.memoryMiB) },
          ],
        },
        ...(shareIdentifier !== undefined && { shareIdentifier }),
      });
      return (await used.send(command, abortBy(signal))).jobId!;
    },
    async terminate(id, reason, signal) {
      await used.send(new TerminateJobCommand({ jobId: id, reason }), abortBy(signal));
    },
    async describe(id, signal) {
      const { jobs = [] } = await used.send(new DescribeJobsCommand({ jobs: [id] }), abortBy(signal));
      return jobs[0] && jobOf(jobs[0]);
    },
    async named(queue, prefix, signal) {
      const found: BatchJob[] = [];
      let nextToken: string | undefined;
      do {
        const filters = [{ name: "JOB_NAME", values: [`${prefix}*`] }];
        const page = await used.send(new ListJobsCommand({ jobQueue: queue, filters, nextToken }), abortBy(signal));
        found.push(...(page.jobSummaryList ?? []).map(jobOf));
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return found;
    },
    [Symbol.dispose]: () => {
      if (!client) used.destroy();
    },
  };
}

/** @param client used instead of one of its own */
export function functionApi(options: AwsOptions = {}, client?: LambdaClient): FunctionApi & Disposable {
  const used = client ?? new LambdaClient(clientSettings(options, REQUEST_MS));
  return {
    async invoke(name, payload, signal) {
      const Payload = Buffer.from(payload);
      await used.send(new InvokeCommand({ FunctionName: name, InvocationType: "Event", Payload }), abortBy(signal));
    },
    [Symbol.dispose]: () => {
      if (!client) used.destroy();
    },
  };
}

/** @param client used instead of one of its own */
export function eventBridgeApi(options: AwsOptions = {}, client?: EventBridgeClient): EventBridgeApi & Disposable {
  const used = client ?? new EventBridgeClient(clientSettings(options, REQUEST_MS));
  return {
    async putEvent({ bus, source, detailType, detail, time }, signal) {
      const entry = {
        EventBusName: bus,
        Source: source,
        DetailType: detailType,
        Detail: detail,
        Time: new Date(time),
      };
      const { FailedEntryCount = 0, Entries } = await used.send(
        new PutEventsCommand({ Entries: [entry] }),
        abortBy(signal),
      );
      return FailedEntryCount > 0 ? (Entries?.[0]?.ErrorCode ?? "no reason was given") : undefined;
    },
    [Symbol.dispose]: () => {
      if (!client) used.destroy();
    },
  };
}
