// Waiting for the end of a job, with its log and its incumbents told on the way.
import { type CallOptions, call, type Service } from "./context.ts";
import { JobEndedError, RemoteError, TimeoutError } from "./errors.ts";
import { followLog, type Incumbent, IncumbentReader, type LogLine, patienceOf } from "./feeds.ts";
import { repeated } from "./repeat.ts";
import { linkedController, pause } from "./signals.ts";
import { isOpen, type StatusReport, statusReport } from "./status.ts";

export interface WaitOptions extends CallOptions {
  /** "waiting" (default): the server answers when the job has ended. "polling": it is asked again and again. */
  readonly style?: "waiting" | "polling" | undefined;
  /** Milliseconds before each question of polling, and between two looks for incumbents. Default 1000. */
  readonly pollMs?: number | undefined;
  /** Milliseconds after which the wait ends with a TimeoutError; the job is neither cancelled nor deleted. Default: never. */
  readonly timeoutMs?: number | undefined;
  /** Told each line of the log that is not empty. Returns it "stop", the log ends, and nothing else; promises are waited for. */
  readonly onLog?: ((line: LogLine) => unknown) | undefined;
  /** Told each incumbent once, in order. Returns it "stop", the job is cancelled; promises are waited for. */
  readonly onIncumbent?: ((incumbent: Incumbent) => unknown) | undefined;
}

const DEFAULT_POLL_MS = 1000;
/** A server that ends waits at once is not asked more often than this, in milliseconds. */
const ASK_AGAIN_MS = 500;
/** How long the tail of the log may take after the job has ended, milliseconds. */
const LOG_TAIL_MS = 5000;
/** Longer timers fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * @returns the report of the completed job
 * @throws JobEndedError if it ends in any other way, or the server does not know it
 * @throws TimeoutError
 */
export async function waitFor(service: Service, jobId: string, options: WaitOptions = {}): Promise<StatusReport> {
  const { timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
  /** Ends all that runs here. */
  using wait = linkedController(signal);
  /** The job has ended: the feeds bring what is left. */
  using ended = linkedController();
  const timer =
    timeoutMs <= LONGEST_TIMER_MS
      ? setTimeout(() => wait.abort(new TimeoutError(jobId, timeoutMs)), timeoutMs)
      : undefined;
  const run: Run = { service, jobId, options, signal: wait.signal, ended: ended.signal };
  const feeds = Promise.all([tellLog(run), tellIncumbents(run)]);
  feeds.catch(() => {}); // It is looked at below, but perhaps not at once.
  try {
    const report = await Promise.race([ending(run), feeds.then(() => new Promise<never>(() => {}))]);
    ended.abort();
    await feeds;
    return completedOnly(jobId, report);
  } finally {
    clearTimeout(timer);
    wait.abort(new Error("the wait is over"));
  }
}

interface Run {
  readonly service: Service;
  readonly jobId: string;
  readonly options: WaitOptions;
  readonly signal: AbortSignal;
  readonly ended: AbortSignal;
}

function completedOnly(jobId: string, report: StatusReport): StatusReport {
  const { state } = report;
  const message = report.message.replace(/^Job failed: /, "");
  if (state === "completed") return report;
  if (state === "failed") throw new JobEndedError(state, message || `job ${jobId} failed`, jobId);
  if (state === "cancelled") throw new JobEndedError(state, message || `job ${jobId} was cancelled`, jobId);
  throw new JobEndedError("not-found", `the server does not know job ${jobId}${message && `: ${message}`}`, jobId);
}

async function ending({ service, jobId, options, signal }: Run): Promise<StatusReport> {
  const { style = "waiting", pollMs = DEFAULT_POLL_MS } = options;
  const patience = patienceOf(service, true);
  for (;;) {
    if (style === "polling") await pause(pollMs, signal);
    const asked = performance.now();
    try {
      const ask = style === "polling" ? service.solver.checkStatus : service.solver.waitForCompletion;
      const report = statusReport(await ask({ jobId }, call({ signal })));
      if (!isOpen(report)) return report;
      patience.renew();
    } catch (error) {
      await patience.after(error, signal);
      continue;
    }
    // Some servers end a wait before the job has ended, with its present state: then it is asked for again.
    if (style === "waiting") await pause(ASK_AGAIN_MS - (performance.now() - asked), signal);
  }
}

/** A log that cannot be read is no reason to give up the wait. */
async function tellLog({ service, jobId, options, signal, ended }: Run): Promise<void> {
  const { onLog } = options;
  if (!onLog) return;
  using reading = linkedController(signal);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limitTail = () => {
    timer = setTimeout(() => reading.abort(TAIL_IS_LATE), LOG_TAIL_MS);
  };
  ended.addEventListener("abort", limitTail, { once: true });
  try {
    for await (const line of untilItCannotBeRead(service, jobId, reading.signal)) {
      if ((await onLog(line)) === "stop") return;
    }
  } finally {
    clearTimeout(timer);
    ended.removeEventListener("abort", limitTail);
  }
}

const TAIL_IS_LATE = new Error("the tail of the log did not come");

async function* untilItCannotBeRead(service: Service, jobId: string, signal: AbortSignal): AsyncGenerator<LogLine> {
  try {
    yield* followLog(service, jobId, { signal, repeat: true });
  } catch (error) {
    if (error !== TAIL_IS_LATE && !(error instanceof RemoteError)) throw error;
    service.onDebug?.(`the log ends here: ${(error as Error).message}`);
  }
}

/** Looks now and then, and once more when the job has ended. */
async function tellIncumbents({ service, jobId, options, signal, ended }: Run): Promise<void> {
  const { onIncumbent, pollMs = DEFAULT_POLL_MS } = options;
  if (!onIncumbent) return;
  const reader = new IncumbentReader(service, jobId);
  for (;;) {
    const isLast = ended.aborted;
    const incumbents = await readOrNothing(reader, service, signal);
    for (const incumbent of incumbents) {
      if ((await onIncumbent(incumbent)) !== "stop") continue;
      const cancel = () => service.solver.cancelJob({ jobId }, call({ signal }));
      await repeated(cancel, { repeat: service.server?.isSortie === true, signal });
      throw new JobEndedError("cancelled", "cancelled by incumbent callback", jobId);
    }
    if (incumbents.length > 0) continue;
    if (isLast) return;
    await pause(pollMs, signal, ended);
  }
}

/** A look that fails is no reason to give up the wait: there will be another. */
async function readOrNothing(reader: IncumbentReader, service: Service, signal: AbortSignal) {
  try {
    return (await reader.read({ signal })).incumbents;
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    service.onDebug?.(`no incumbents for now: ${error.message}`);
    return [];
  }
}
