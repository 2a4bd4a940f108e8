// A whole solve in one call: submit, wait, result, delete.
import { call, type Service } from "./context.ts";
import { downloadResult, type SolveResult } from "./download.ts";
import type { ProblemMessage } from "./message.ts";
import { repeated } from "./repeat.ts";
import type { StatusReport } from "./status.ts";
import { type SubmitOptions, submitProblem } from "./upload.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

export interface SolveOptions extends WaitOptions, SubmitOptions {
  /** Leaves the job on the server. Default false: it is deleted once its result has arrived. */
  readonly keep?: boolean | undefined;
  /** Told the job's id as soon as there is one, to cancel it for instance. */
  readonly onJob?: ((jobId: string) => void) | undefined;
}

export interface Solved {
  readonly jobId: string;
  readonly status: StatusReport;
  readonly result: SolveResult;
}

/** How much longer than its own time limit a solve is waited for, seconds. */
const GRACE_SECONDS = 120;

/**
 * Submits, waits, brings the result home, and deletes the job once, whether or not that succeeds. A job that fails, is
 * cancelled, or is not waited for any longer (a timeout, an aborted signal) stays.
 */
export async function solveProblem(service: Service, problem: ProblemMessage, options: SolveOptions): Promise<Solved> {
  const { signal, keep = false } = options;
  const timeoutMs = options.timeoutMs ?? timeoutOf(problem);
  const isSortie = service.server?.isSortie === true;
  const idempotencyKey = options.idempotencyKey ?? (isSortie ? newKey() : undefined);
  const jobId = await submitProblem(service, problem, { ...options, idempotencyKey, repeat: true });
  options.onJob?.(jobId);
  const status = await waitFor(service, jobId, { ...options, timeoutMs });
  const result = await downloadResult(service, jobId, { signal, kind: problem.kind, repeat: true });
  if (!keep) {
    const remove = () => service.solver.deleteResult({ jobId }, call({ signal }));
    await repeated(remove, { repeat: isSortie, signal }).catch(() => undefined);
  }
  return { jobId, status, result };
}

/** Milliseconds: a solve with a time limit is waited for as long as cuOpt's own client waits. */
function timeoutOf({ settings }: ProblemMessage): number | undefined {
  const seconds = settings?.["time_limit"];
  if (typeof seconds !== "number" || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.ceil(seconds + GRACE_SECONDS) * 1000;
}

/** Pages that came in clear have no randomUUID. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
