// What each function and task may do, and nothing else: the one place that grants anything. Every list follows from what
// its owner does; a test reads the roles that come out of it and refuses wildcards that are not on its list.
import type { Input } from "./types.ts";

export interface Statement {
  actions: string[];
  resources: Input<string>[];
  conditions?: { test: string; variable: string; values: Input<string>[] }[];
}

/** The rows: single-item writes are UpdateItem, ranges are deleted in batches. Nothing scans, nothing puts whole items. */
export function rows(table: Input<string>): Statement[] {
  return [
    {
      actions: ["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"],
      resources: [table],
    },
    { actions: ["dynamodb:Query"], resources: [table, $interpolate`${table}/index/*`] },
  ];
}

/** Blobs under some prefixes. HeadObject and ranged reads are GetObject; the parts of a large put are PutObject. */
export function blobs(bucket: Input<string>, prefixes: readonly string[]): Statement[] {
  return [
    {
      actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
      resources: prefixes.map((prefix) => $interpolate`${bucket}/${prefix}*`),
    },
    // Whole, since S3 says "not found" of a missing object only to those who may list; a condition on the prefix would make
    // that "forbidden".
    { actions: ["s3:ListBucket"], resources: [bucket] },
  ];
}

/** Clearing up blobs, and nothing else. */
export const removal = (bucket: Input<string>, prefixes: readonly string[]): Statement[] => [
  { actions: ["s3:DeleteObject"], resources: prefixes.map((prefix) => $interpolate`${bucket}/${prefix}*`) },
  { actions: ["s3:ListBucket"], resources: [bucket] },
];

export interface Workers {
  readonly queues: Input<string>[];
  /** Of job definitions: `…:job-definition/NAME`, without the revision. */
  readonly definitions: Input<string>[];
  /** Every Batch job of this account and region: `…:job/*`. Batch names jobs itself. */
  readonly jobs: Input<string>;
  readonly solveFunction: Input<string>;
}

/** Calling one function. */
export const calls = (target: Input<string>): Statement[] => [
  { actions: ["lambda:InvokeFunction"], resources: [target] },
];

/** Starting and stopping workers. */
export function workers({ queues, definitions, jobs, solveFunction }: Workers): Statement[] {
  return [
    {
      actions: ["batch:SubmitJob"],
      resources: [...queues, ...definitions.flatMap((one) => [one, $interpolate`${one}:*`])],
    },
    { actions: ["batch:TerminateJob"], resources: [jobs] },
    { actions: ["batch:DescribeJobs", "batch:ListJobs"], resources: ["*"] },
    ...calls(solveFunction),
  ];
}

export const events = (bus: Input<string>): Statement[] => [{ actions: ["events:PutEvents"], resources: [bus] }];

export const streamReader = (stream: Input<string>): Statement[] => [
  { actions: ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], resources: [stream] },
  // What Lambda asks before it reads a stream; it takes no resource.
  { actions: ["dynamodb:ListStreams"], resources: ["*"] },
];

export const deadLetters = (queue: Input<string>): Statement[] => [
  { actions: ["sqs:SendMessage"], resources: [queue] },
];

/** Into one log group that is there already. */
export const logs = (group: Input<string>): Statement[] => [
  { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [$interpolate`${group}:*`] },
];

/** Pulling one image. The login is for the whole registry of an account: that call takes no resource. */
export const image = (repository: Input<string>): Statement[] => [
  {
    actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    resources: [repository],
  },
  { actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
];

/** What the ECS agent of a GPU machine does. Batch makes the cluster and names it, so only its kind can be said here. */
export const containerInstance = (cluster: Input<string>, instance: Input<string>): Statement[] => [
  {
    actions: [
      "ecs:DeregisterContainerInstance",
      "ecs:RegisterContainerInstance",
      "ecs:SubmitAttachmentStateChanges",
      "ecs:SubmitContainerStateChange",
      "ecs:SubmitTaskStateChange",
    ],
    resources: [cluster],
  },
  {
    actions: ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"],
    resources: [instance],
  },
  {
    // Its own tags, while it registers.
    actions: ["ecs:TagResource"],
    resources: [instance],
    conditions: [{ test: "StringEquals", variable: "ecs:CreateAction", values: ["RegisterContainerInstance"] }],
  },
  { actions: ["ecs:DiscoverPollEndpoint"], resources: ["*"] },
];

/** A policy document of these statements, as JSON. */
export function policyOf(statements: readonly Statement[]) {
  return aws.iam.getPolicyDocumentOutput({ statements: [...statements] }).json;
}

/** Who may take a role on: one service, and only on behalf of this account, so that no other account's use of it can. */
export function trustOf(service: string, account?: Input<string>) {
  return aws.iam.getPolicyDocumentOutput({
    statements: [
      {
        actions: ["sts:AssumeRole"],
        principals: [{ type: "Service", identifiers: [service] }],
        conditions:
          account === undefined ? [] : [{ test: "StringEquals", variable: "aws:SourceAccount", values: [account] }],
      },
    ],
  }).json;
}
