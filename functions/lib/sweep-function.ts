// The sweep on a schedule: whatever no stream record and no event has brought about.
import { type Context, findQueued, type Placement, sweep } from "@sortie/core";
import type { Invocation } from "./lambda.ts";
import type { Log } from "./log.ts";

/** It stops this long before the function would be ended; the next one goes on. */
const MARGIN_MS = 5_000;

export interface SweepFunctionOptions {
  readonly context: Context;
  /** The deployment's name among others of the account, in metrics: that of its table. */
  readonly settings: { readonly table: string };
  readonly log: Log;
}

export type SweepFunction = (event: unknown, invocation: Pick<Invocation, "getRemainingTimeInMillis">) => Promise<void>;

export function createSweepFunction({ context, settings, log }: SweepFunctionOptions): SweepFunction {
  return async (_event, invocation) => {
    const signal = AbortSignal.timeout(Math.max(1, invocation.getRemainingTimeInMillis() - MARGIN_MS));
    let attended: number | undefined;
    try {
      attended = await sweep(context, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      log.warn({}, "the sweep ran out of time; the next one goes on");
    }
    await context.webhooks?.idle();
    log.info({ attended, ...(await queueMetrics(context, settings.table)) }, "swept");
  };
}

const KINDS = ["lp", "mip", "infer", "train"] as const;

/**
 * How many jobs wait and for how long, as fields that CloudWatch makes metrics of.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
async function queueMetrics(context: Context, table: string): Promise<Record<string, unknown>> {
  const now = context.clock.now();
  const of = async (placement: Placement) =>
    findQueued(context, { placement, memoryBytes: Number.POSITIVE_INFINITY, kinds: KINDS });
  const queued = (await Promise.all(context.placement.available.map(of))).flat();
  // A job's sequence begins with the time of its submission.
  const oldest = queued.reduce((first, { sequence }) => Math.min(first, Number(sequence.slice(0, 14))), now);
  return {
    Table: table,
    QueuedJobs: queued.length,
    OldestQueuedSeconds: Math.max(0, now - oldest) / 1000,
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: "Sortie",
          Dimensions: [["Table"]],
          Metrics: [
            { Name: "QueuedJobs", Unit: "Count" },
            { Name: "OldestQueuedSeconds", Unit: "Seconds" },
          ],
        },
      ],
    },
  };
}
