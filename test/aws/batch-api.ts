// The calls of Batch's API that the dispatcher makes, on the state machine, and the events of its jobs.
import { randomUUID } from "node:crypto";
import type { BatchJobState, BatchMachine } from "./batch-machine.ts";

const ACCOUNT = "arn:aws:batch:us-east-1:123456789012";

interface NamedValue {
  readonly name?: string;
  readonly value?: string;
}

interface SubmitJob {
  readonly jobName: string;
  readonly jobQueue: string;
  readonly jobDefinition: string;
  readonly shareIdentifier?: string;
  readonly containerOverrides?: {
    readonly environment?: readonly NamedValue[];
    readonly resourceRequirements?: readonly { readonly type: string; readonly value: string }[];
  };
}

const summary = (job: BatchJobState) => ({
  jobArn: `${ACCOUNT}:job/${job.id}`,
  jobId: job.id,
  jobName: job.name,
  status: job.status,
  statusReason: job.statusReason,
  createdAt: job.createdAt,
  startedAt: job.startedAt,
  stoppedAt: job.stoppedAt,
  container: job.container,
});

function detail(job: BatchJobState) {
  const environment = Object.entries(job.environment).map(([name, value]) => ({ name, value }));
  const resourceRequirements = [
    { type: "VCPU", value: String(job.vcpus) },
    { type: "MEMORY", value: String(job.memoryMiB) },
  ];
  const attempt = {
    container: { ...job.container, logStreamName: `worker/default/${job.id}` },
    startedAt: job.startedAt,
    stoppedAt: job.stoppedAt,
    statusReason: job.statusReason,
  };
  return {
    ...summary(job),
    jobQueue: `${ACCOUNT}:job-queue/${job.queue}`,
    jobDefinition: `${ACCOUNT}:job-definition/${job.definition}:1`,
    attempts: job.stoppedAt !== undefined && job.startedAt !== undefined ? [attempt] : [],
    dependsOn: [],
    parameters: {},
    container: { image: "worker", environment, resourceRequirements, ...job.container },
    tags: {},
    ...(job.shareIdentifier !== undefined && { shareIdentifier: job.shareIdentifier }),
  };
}

/** What EventBridge tells of a job that has come to another state. */
export const batchEvent = (job: BatchJobState) => ({
  version: "0",
  id: randomUUID(),
  "detail-type": "Batch Job State Change",
  source: "aws.batch",
  account: "123456789012",
  time: new Date().toISOString(),
  region: "us-east-1",
  resources: [`${ACCOUNT}:job/${job.id}`],
  detail: detail(job),
});

/** A name or an ARN. */
const nameOf = (resource: string): string => resource.replace(/^.*\//, "").replace(/:\d+$/, "");

/** Answers one call. @throws if there is no such call */
export function answerBatch(machine: BatchMachine, operation: string, body: unknown): object {
  switch (operation) {
    case "SubmitJob": {
      const { jobName, jobQueue, jobDefinition, containerOverrides, shareIdentifier } = body as SubmitJob;
      const { environment = [], resourceRequirements = [] } = containerOverrides ?? {};
      const amount = (type: string) => Number(resourceRequirements.find((each) => each.type === type)?.value ?? 0);
      const job = machine.submit({
        name: jobName,
        queue: nameOf(jobQueue),
        definition: nameOf(jobDefinition),
        environment: Object.fromEntries(environment.map(({ name = "", value = "" }) => [name, value])),
        vcpus: amount("VCPU"),
        memoryMiB: amount("MEMORY"),
        shareIdentifier,
      });
      return { jobArn: `${ACCOUNT}:job/${job.id}`, jobId: job.id, jobName };
    }
    case "TerminateJob": {
      const { jobId, reason } = body as { jobId: string; reason: string };
      machine.terminate(jobId, reason);
      return {};
    }
    case "DescribeJobs": {
      const { jobs } = body as { jobs: readonly string[] };
      return {
        jobs: jobs
          .map((id) => machine.job(id))
          .filter((job) => job !== undefined)
          .map(detail),
      };
    }
    case "ListJobs": {
      const {
        jobQueue = "",
        filters = [],
        jobStatus,
      } = body as {
        jobQueue?: string;
        jobStatus?: string;
        filters?: readonly { name: string; values: readonly string[] }[];
      };
      const [pattern] = filters.find(({ name }) => name === "JOB_NAME")?.values ?? [];
      // With a filter jobs of every state are told, without one those of one state.
      const wanted = (job: BatchJobState) =>
        pattern === undefined ? job.status === (jobStatus ?? "RUNNING") : fitsName(job.name, pattern);
      const jobs = machine.jobs.filter((job) => job.queue === nameOf(jobQueue) && wanted(job));
      return { jobSummaryList: jobs.map(summary) };
    }
    default:
      throw new Error(`this stand-in of Batch has no ${operation}`);
  }
}

const fitsName = (name: string, pattern: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
