// Alarms: work that waits, functions that fail or are throttled, and letters that nobody could deliver.
import type { DeadLetters } from "./events.ts";
import { nameOf } from "./names.ts";
import type { Options } from "./options.ts";
import type { Input } from "./types.ts";

/** What the sweep publishes each minute: CloudWatch's embedded metric format in one line of its log. */
export const AGE_METRIC = { namespace: "Sortie", name: "OldestQueuedSeconds", dimension: "Table" } as const;
/** A container starts within a minute or two, a GPU machine within about five. */
const OLDEST_QUEUED_SECONDS = 900;

export interface AlarmInputs {
  readonly options: Options;
  readonly table: Input<string>;
  readonly functions: Readonly<Record<string, sst.aws.Function>>;
  readonly dead: DeadLetters;
}

export function createAlarms({ options, table, functions, dead }: AlarmInputs): void {
  if (!options.alarms) return;
  const topic = new aws.sns.Topic("Alarms", { name: nameOf("alarms") });
  if (options.alarmEmail !== undefined) {
    new aws.sns.TopicSubscription("AlarmsEmail", { topic: topic.arn, protocol: "email", endpoint: options.alarmEmail });
  }
  const alarm = (title: string, what: string, args: Omit<aws.cloudwatch.MetricAlarmArgs, "comparisonOperator">) =>
    new aws.cloudwatch.MetricAlarm(title, {
      name: nameOf(what),
      comparisonOperator: "GreaterThanThreshold",
      alarmActions: [topic.arn],
      okActions: [topic.arn],
      ...args,
    });

  alarm("AlarmOldestQueued", "oldest-queued", {
    alarmDescription: `A job has been queued for more than ${OLDEST_QUEUED_SECONDS} s, or the sweep does not run`,
    namespace: AGE_METRIC.namespace,
    metricName: AGE_METRIC.name,
    dimensions: { [AGE_METRIC.dimension]: table },
    statistic: "Maximum",
    period: 60,
    evaluationPeriods: 5,
    threshold: OLDEST_QUEUED_SECONDS,
    // The sweep says 0 when nothing waits. Silence means that it is gone.
    treatMissingData: "breaching",
  });
  const sumOf = (title: string, what: string, description: string, threshold: number, metrics: readonly Metric[]) =>
    alarm(title, what, {
      alarmDescription: description,
      metricQueries: [
        { id: "total", expression: "SUM(METRICS())", label: what, returnData: true },
        ...metrics.map(({ id, namespace, metricName, stat, dimensions }) => ({
          id,
          metric: { namespace, metricName, stat, period: 300, dimensions },
        })),
      ],
      evaluationPeriods: 1,
      threshold,
      treatMissingData: "notBreaching",
    });
  const ofFunctions = (metricName: string): Metric[] =>
    Object.entries(functions).map(([id, { name }]) => ({
      id,
      namespace: "AWS/Lambda",
      metricName,
      stat: "Sum",
      dimensions: { FunctionName: name },
    }));
  sumOf("AlarmFailures", "failures", "Functions failed", 0, ofFunctions("Errors"));
  sumOf(
    "AlarmThrottles",
    "throttles",
    "Functions were throttled: raise the concurrency of Lambda",
    0,
    ofFunctions("Throttles"),
  );
  sumOf(
    "AlarmDeadLetters",
    "dead-letters",
    "Something could not be delivered or done, and waits in a dead-letter queue",
    0,
    Object.entries(dead).map(([id, queue]) => ({
      id,
      namespace: "AWS/SQS",
      metricName: "ApproximateNumberOfMessagesVisible",
      stat: "Maximum",
      dimensions: { QueueName: queue.name },
    })),
  );
}

interface Metric {
  readonly id: string;
  readonly namespace: string;
  readonly metricName: string;
  readonly stat: string;
  readonly dimensions: Record<string, Input<string>>;
}
