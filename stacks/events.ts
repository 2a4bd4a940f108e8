// What happens without a caller: the table's stream, Batch's events, the inbox, the clock; and what goes wrong.
import type { Compute } from "./compute.ts";
import { createFunction, type Site } from "./functions.ts";
import { BLOB_PREFIXES } from "./lifecycle.ts";
import { nameOf } from "./names.ts";
import {
  blobs,
  deadLetters as mayBury,
  events as mayTell,
  removal,
  rows,
  type Statement,
  streamReader,
  workers,
} from "./permissions.ts";
import type { Storage } from "./storage.ts";
import { STREAM_FILTERS } from "./stream-filter.ts";
import type { Environment, Input } from "./types.ts";

const KEPT_SECONDS = 14 * 24 * 3600;
export const INBOX_PREFIX = "inbox/";
/** As in @sortie/platform-aws and @sortie/core; a test holds it. */
export const EVENT_SOURCE = "sortie";
export const ENDED = ["Job Completed", "Job Failed", "Job Cancelled"] as const;

/** Where what could not be done waits for a person: one queue for each way in. */
export function createDeadLetters() {
  const queue = (title: string, what: string) =>
    new aws.sqs.Queue(title, {
      name: nameOf(what),
      messageRetentionSeconds: KEPT_SECONDS,
      sqsManagedSseEnabled: true,
    });
  return {
    /** Positions in the table's stream that dispatch gave up. */
    stream: queue("DeadStream", "dead-stream"),
    /** Events that a rule could not hand over. */
    rules: queue("DeadRules", "dead-rules"),
    /** Asynchronous calls that failed. */
    calls: queue("DeadCalls", "dead-calls"),
  };
}
export type DeadLetters = ReturnType<typeof createDeadLetters>;

export const createBus = () => new aws.cloudwatch.EventBus("Bus", { name: nameOf("events") });

/** Small jobs, solved in place: one asynchronous call each. Attempts are Sortie's alone, so Lambda makes no second one. */
export function createSolve(
  site: Site,
  storage: Storage,
  dead: DeadLetters,
  memoryMiB: number,
  environment: Input<Environment>,
) {
  return createFunction(
    "Solve",
    {
      entry: "solve",
      description: "Sortie: solves small jobs",
      memoryMiB,
      timeoutSeconds: 900,
      environment,
      permissions: [
        ...rows(storage.table.arn),
        ...blobs(storage.bucket.arn, BLOB_PREFIXES),
        ...mayBury(dead.calls.arn),
      ],
      calls: { retries: 0, deadLetters: dead.calls.arn },
    },
    site,
  );
}

export interface EventInputs {
  readonly site: Site;
  readonly storage: Storage;
  readonly compute: Compute;
  readonly bus: aws.cloudwatch.EventBus;
  readonly dead: DeadLetters;
  readonly solve: sst.aws.Function;
  readonly environment: Input<Environment>;
}

export function createEvents(inputs: EventInputs) {
  const { site, storage, compute, bus, dead, solve, environment } = inputs;
  const account = aws.getCallerIdentityOutput().accountId;
  const region = aws.getRegionOutput().region;
  const partition = aws.getPartitionOutput().partition;
  const placements = [compute.cpu, ...(compute.gpu ? [compute.gpu] : [])];
  const startAndStop: Statement[] = workers({
    queues: placements.map(({ queueArn }) => queueArn),
    definitions: placements.map(({ definitionArn }) => definitionArn),
    jobs: $interpolate`arn:${partition}:batch:${region}:${account}:job/*`,
    solveFunction: solve.arn,
  });
  const table = storage.table.arn;
  const common = { environment, memoryMiB: 512 };

  const dispatch = createFunction(
    "Dispatch",
    {
      ...common,
      entry: "dispatch",
      description: "Sortie: starts and stops workers, tells of jobs",
      timeoutSeconds: 60,
      permissions: [
        ...rows(table),
        ...removal(storage.bucket.arn, BLOB_PREFIXES),
        ...startAndStop,
        ...mayTell(bus.arn),
        ...streamReader(storage.table.nodes.table.streamArn),
        ...mayBury(dead.stream.arn),
      ],
    },
    site,
  );
  new aws.lambda.EventSourceMapping("DispatchStream", {
    eventSourceArn: storage.table.nodes.table.streamArn,
    functionName: dispatch.name,
    startingPosition: "TRIM_HORIZON",
    batchSize: 10,
    // SubmitJob allows about 50 calls a second; a few batches at once come near it, and never far beyond.
    parallelizationFactor: 4,
    functionResponseTypes: ["ReportBatchItemFailures"],
    bisectBatchOnFunctionError: true,
    // Then the sweep has found the row.
    maximumRetryAttempts: 5,
    maximumRecordAgeInSeconds: 3600,
    destinationConfig: { onFailure: { destinationArn: dead.stream.arn } },
    filterCriteria: { filters: STREAM_FILTERS.map((filter) => ({ pattern: JSON.stringify(filter) })) },
  });

  const batchEvent = createFunction(
    "BatchEvent",
    {
      ...common,
      entry: "batch-event",
      description: "Sortie: containers that ended",
      timeoutSeconds: 60,
      permissions: [
        ...rows(table),
        ...removal(storage.bucket.arn, BLOB_PREFIXES),
        ...startAndStop,
        ...mayTell(bus.arn),
        ...mayBury(dead.calls.arn),
      ],
      calls: { retries: 2, deadLetters: dead.calls.arn },
    },
    site,
  );
  const batchRule = createRule("BatchEvents", dead, batchEvent, {
    description: "Batch jobs of this stage that ended",
    eventPattern: $jsonStringify({
      source: ["aws.batch"],
      "detail-type": ["Batch Job State Change"],
      detail: { status: ["FAILED", "SUCCEEDED"], jobQueue: placements.map(({ queueArn }) => queueArn) },
    }),
  });

  const inbox = createFunction(
    "Inbox",
    {
      ...common,
      entry: "inbox",
      description: "Sortie: models put under inbox/, results under outbox/",
      // A model is read whole.
      memoryMiB: 3072,
      timeoutSeconds: 600,
      permissions: [
        ...rows(table),
        ...blobs(storage.bucket.arn, ["inbox/", "outbox/", ...BLOB_PREFIXES]),
        ...mayBury(dead.calls.arn),
      ],
      calls: { retries: 2, deadLetters: dead.calls.arn },
    },
    site,
  );
  const inboxRight = new aws.lambda.Permission("InboxObjects", {
    action: "lambda:InvokeFunction",
    function: inbox.name,
    principal: "s3.amazonaws.com",
    sourceArn: storage.bucket.arn,
    sourceAccount: account,
  });
  new aws.s3.BucketNotification(
    "InboxNotification",
    {
      bucket: storage.bucket.name,
      // Whatever its ending: the function knows which are models, and writes an answer to models that it cannot read.
      lambdaFunctions: [{ lambdaFunctionArn: inbox.arn, events: ["s3:ObjectCreated:*"], filterPrefix: INBOX_PREFIX }],
    },
    { dependsOn: [inboxRight] },
  );
  const inboxRule = createRule("InboxEnded", dead, inbox, {
    description: "Jobs from the inbox that ended",
    eventBusName: bus.name,
    eventPattern: JSON.stringify({
      source: [EVENT_SOURCE],
      "detail-type": ENDED,
      detail: { inboxFile: [{ exists: true }] },
    }),
  });

  const sweep = createFunction(
    "Sweep",
    {
      ...common,
      entry: "sweep",
      description: "Sortie: leases, expiry, and whatever the stream has lost",
      timeoutSeconds: 120,
      permissions: [
        ...rows(table),
        ...removal(storage.bucket.arn, BLOB_PREFIXES),
        ...startAndStop,
        ...mayTell(bus.arn),
        ...mayBury(dead.calls.arn),
      ],
      // The next minute's is as good.
      calls: { retries: 0, deadLetters: dead.calls.arn },
    },
    site,
  );
  const sweepRule = createRule("SweepClock", dead, sweep, {
    description: "Each minute",
    scheduleExpression: "rate(1 minute)",
  });

  new aws.sqs.QueuePolicy("DeadRulesPolicy", {
    queueUrl: dead.rules.url,
    policy: aws.iam.getPolicyDocumentOutput({
      statements: [
        {
          actions: ["sqs:SendMessage"],
          resources: [dead.rules.arn],
          principals: [{ type: "Service", identifiers: ["events.amazonaws.com"] }],
          conditions: [
            {
              test: "ArnEquals",
              variable: "aws:SourceArn",
              values: [batchRule.arn, inboxRule.arn, sweepRule.arn],
            },
          ],
        },
      ],
    }).json,
  });
  return { dispatch, batchEvent, inbox, sweep };
}

/** A rule that calls one function. What it cannot hand over within an hour goes to the dead letters. */
function createRule(
  title: string,
  dead: DeadLetters,
  target: sst.aws.Function,
  args: Omit<aws.cloudwatch.EventRuleArgs, "name">,
) {
  const words = title.replaceAll(/(?<=.)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  const rule = new aws.cloudwatch.EventRule(title, { ...args, name: nameOf(words) });
  const right = new aws.lambda.Permission(`${title}Right`, {
    action: "lambda:InvokeFunction",
    function: target.name,
    principal: "events.amazonaws.com",
    sourceArn: rule.arn,
  });
  new aws.cloudwatch.EventTarget(
    `${title}Target`,
    {
      rule: rule.name,
      ...(args.eventBusName !== undefined && { eventBusName: args.eventBusName }),
      arn: target.arn,
      retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 20 },
      deadLetterConfig: { arn: dead.rules.arn },
    },
    { dependsOn: [right] },
  );
  return rule;
}
