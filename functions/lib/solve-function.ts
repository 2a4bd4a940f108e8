// Runs one small job where it was invoked. The claim decides whether the job is there to be taken, so an invocation that
// comes twice or late finds nothing to do; one that never comes is made up for by the next dispatch.
import type { WorkerContext } from "@sortie/core";
import { OutOfTimeError, type Runners, runJob } from "@sortie/worker";
import type { Invocation } from "./lambda.ts";
import type { Log } from "./log.ts";

/** What the dispatcher sends. */
export interface SolveEvent {
  readonly jobId: string;
  readonly attempt: number;
}

/** A job is given back this long before the function would be ended: what was found must be written by then. */
const MARGIN_MS = 20_000;

export interface SolveFunctionOptions {
  readonly context: WorkerContext;
  /** Kept between invocations, so that the engine stays warm. */
  readonly runners: () => Promise<Runners>;
  readonly log: Log;
  /** Default 20 s. */
  readonly marginMs?: number | undefined;
}

/** @returns whether there was a job to run */
export type SolveFunction = (event: SolveEvent, invocation: Invocation) => Promise<boolean>;

export function createSolveFunction(options: SolveFunctionOptions): SolveFunction {
  const { context, log, marginMs = MARGIN_MS } = options;
  return async ({ jobId }, invocation) => {
    if (typeof jobId !== "string" || jobId === "") throw new Error("the event names no job: jobId is missing");
    const runners = await options.runners();
    const budgetMs = invocation.getRemainingTimeInMillis() - marginMs;
    if (budgetMs <= 0) {
      log.warn({ jobId, budgetMs }, "too little time is left to take the job");
      return false;
    }
    // Lambda repeats a call under the same id: the worker's name must be another one.
    const worker = `function:${invocation.awsRequestId}:${context.ids.random()}`;
    const timeUp = new AbortController();
    const over = new AbortController();
    context.clock.sleep(budgetMs, over.signal).then(
      () => timeUp.abort(new OutOfTimeError()),
      () => undefined,
    );
    try {
      const ran = await runJob(context, jobId, worker, runners.byKind, {
        placement: "inline",
        signal: timeUp.signal,
        onClaimed: (job) => log.info({ jobId, attempt: job.attempt, kind: job.kind, worker }, "job claimed"),
        onFault: (what, error) => log.error({ jobId, err: error }, what),
      });
      if (!ran) log.info({ jobId }, "the job was not there to be taken");
      else if (timeUp.signal.aborted) log.warn({ jobId, budgetMs }, "the job takes longer than a function may run");
      return ran;
    } finally {
      over.abort();
    }
  };
}
