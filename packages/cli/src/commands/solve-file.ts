// One model file through a solve: read, sent, watched, its solution brought home, told and written.
import { JobEndedError, RemoteError, type SolveResult, type SortieClient } from "@sortie/client";
import { solutionFromWire } from "@sortie/inbox/solution";
import { type ProblemKind, type Solution, VariableType } from "@sortie/solve";
import { faultText } from "../connect.ts";
import { EXIT_FAULT, EXIT_INTERRUPTED, EXIT_JOB_CANCELLED, EXIT_JOB_FAILED, EXIT_JOB_UNKNOWN } from "../exit-codes.ts";
import { bytesText, numberText } from "../format.ts";
import { jsonLine } from "../json.ts";
import type { Live } from "../live.ts";
import type { LogFile } from "../log-file.ts";
import {
  countOf,
  describeModel,
  fileLabel,
  kindOfModel,
  type LoadedModel,
  openModel,
  problemMessage,
  withStart,
} from "../model-file.ts";
import type { OpenServer } from "../open-server.ts";
import { plotLines, takesUnicode } from "../plot.ts";
import { openBar } from "../progress.ts";
import { solutionDocument, solutionFacts, writeSolutionFile } from "../solution-file.ts";
import type { SolveOptions } from "./solve-options.ts";
import {
  exitCodeOfSolution,
  incumbentSolution,
  type Outcome,
  objectiveOf,
  pointOf,
  reportLines,
  terminationWords,
} from "./solve-report.ts";
import { SolveWatch } from "./solve-watch.ts";

/** What all files of a run share. */
export interface SolveRun {
  readonly options: SolveOptions;
  readonly live: Live;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
  readonly logFile: LogFile | undefined;
  readonly showsLog: boolean;
  readonly server: () => Promise<OpenServer>;
}

/** What becomes known of a file, for its JSON document. */
type Facts = Record<string, unknown>;

interface Ended {
  /** Undefined where there is none: a cancelled LP, a failed job. */
  readonly solution: Solution | undefined;
  readonly status: string;
  readonly exitCode: number;
  /** The server was lost: whether the job goes on there, nobody knows. */
  readonly isLost?: boolean | undefined;
}

/** Jobs that ended so are left on the server, where their logs say why. */
const STAYS: ReadonlySet<number> = new Set([EXIT_JOB_FAILED, EXIT_JOB_UNKNOWN, EXIT_JOB_CANCELLED]);

/** Looks for incumbents are so many milliseconds apart. */
const LOOK_MS = 250;

/**
 * Never rejects for a fault of this file or its job: that is told, and is the outcome.
 * @throws what `run.server` throws: without a server the next file would fare no better
 */
export async function solveFile(file: string, run: SolveRun): Promise<Outcome> {
  const { options, live } = run;
  const started = performance.now();
  const label = fileLabel(file);
  const facts: Facts = { file };
  const times: Record<string, number> = {};
  const seconds = () => (performance.now() - started) / 1000;
  const timed = async <T>(name: string, work: Promise<T>): Promise<T> => {
    const from = seconds();
    const value = await work;
    times[name] = seconds() - from;
    return value;
  };
  const outcome = ({ solution, status, exitCode }: Ended, names?: LoadedModel): Outcome => {
    live.clear();
    if (options.json) {
      const document = { ...facts, exitCode, times: { ...times, totalSeconds: seconds() } };
      if (solution && options.withValues) {
        const { variableNames, rowNames } = names?.problem ?? {};
        const pieces = solutionDocument(document, solution, { variables: variableNames, rows: rowNames });
        for (const piece of pieces) process.stdout.write(piece);
      } else process.stdout.write(jsonLine(document));
    }
    const found = solution && pointOf(solution).length > 0 ? solution : undefined;
    const objective = found && objectiveOf(found);
    const gap = found?.kind === "mip" ? found.gap : undefined;
    return { label, status, objective, gap, seconds: seconds(), exitCode };
  };

  let model: LoadedModel;
  try {
    model = await timed("readSeconds", readModelFile(file, run));
  } catch (error) {
    return outcome(faultOf(error, run, facts));
  }
  const kind: ProblemKind = model.isMip && !options.relaxation ? "mip" : "lp";
  Object.assign(facts, modelFacts(model, kind));
  live.print(`${label}: ${describeModel(model)}`);
  const server = await run.server();
  try {
    const { client, address } = server;
    Object.assign(facts, { server: address ?? "embedded" });
    const jobId = await timed("uploadSeconds", submit(client, model, kind, run));
    facts["jobId"] = jobId;
    const ended = await follow(client, jobId, kind, run, facts, timed);
    if (ended.solution) {
      Object.assign(facts, solutionFacts(ended.solution));
      await write(file, ended.solution, model, run, facts);
    }
    if (!options.keep && !ended.isLost && !STAYS.has(ended.exitCode))
      await client.delete(jobId).catch((error) => warn(run, faultText(error)));
    return outcome(ended, model);
  } catch (error) {
    return outcome(faultOf(error, run, facts));
  }
}

function warn({ live }: SolveRun, text: string): void {
  live.clear();
  process.stderr.write(`sortie: ${text}\n`);
}

/** Tells a fault, unless it is Ctrl-C's. */
function faultOf(error: unknown, run: SolveRun, facts: Facts): Ended {
  if (run.signal.aborted) {
    run.live.print("Cancelled.");
    return { solution: undefined, status: "cancelled", exitCode: EXIT_INTERRUPTED };
  }
  facts["error"] = faultText(error);
  warn(run, faultText(error));
  return { solution: undefined, status: "fault", exitCode: EXIT_FAULT };
}

async function readModelFile(file: string, run: SolveRun): Promise<LoadedModel> {
  const { options, live, signal } = run;
  const bar = openBar(live, "reading");
  const model = await openModel(file, signal, options.format, bar.update);
  bar.done();
  for (const warning of model.warnings) warn(run, `${fileLabel(file)}: ${warning}`);
  const { initialSolution } = options;
  return initialSolution === undefined ? model : { ...model, problem: await withStart(model.problem, initialSolution) };
}

function modelFacts({ problem, isMip }: LoadedModel, kind: ProblemKind): Facts {
  return {
    kind: kindOfModel({ problem, isMip: kind === "mip" }),
    relaxed: isMip && kind === "lp" ? true : undefined,
    rows: problem.rows,
    columns: problem.columns,
    integers: countOf(problem, VariableType.integer),
    semiContinuous: countOf(problem, VariableType.semiContinuous) || undefined,
    nonzeros: problem.matrix.values.length,
  };
}

async function submit(client: SortieClient, model: LoadedModel, kind: ProblemKind, run: SolveRun): Promise<string> {
  const { live, signal, options } = run;
  const { settings, leftOut } = options.settings[kind];
  for (const { where, isDeliberate } of leftOut) {
    if (isDeliberate) warn(run, `${where}: has no meaning for ${kind === "mip" ? "a MIP" : "an LP"}, and is not sent`);
  }
  const changed = Object.fromEntries(settings.changed.map((name) => [name, settings.values[name] as number | boolean]));
  let sent = 0;
  let calls = 0;
  const bar = openBar(live, "uploading");
  try {
    const jobId = await client.submit(problemMessage(model.problem, kind, changed), {
      signal,
      // Against Sortie: a connection that breaks on the way does not matter, and nothing is solved twice.
      repeat: true,
      idempotencyKey: crypto.randomUUID(),
      onProgress: (progress) => {
        sent = progress.doneBytes;
        calls++;
        bar.update(progress);
      },
    });
    bar.done();
    live.print(`uploaded ${bytesText(sent)}${calls > 1 ? ` in ${calls} chunks` : ""}, job ${jobId}`);
    return jobId;
  } finally {
    bar.done();
  }
}

/** Shows the job until it ends, then brings its result home. */
async function follow(
  client: SortieClient,
  jobId: string,
  kind: ProblemKind,
  run: SolveRun,
  facts: Facts,
  timed: <T>(name: string, work: Promise<T>) => Promise<T>,
): Promise<Ended> {
  const { options, live, signal, logFile, showsLog } = run;
  /** Nobody is there who could be told to cancel: then there is nothing to wait for. */
  const leave = new AbortController();
  const cancel = () => {
    live.print("cancelling ...");
    client.cancel(jobId).catch((error) => leave.abort(error));
  };
  const wantsPlot = kind === "mip" && !options.json && (options.plot ?? live.isTerminal);
  using watch = new SolveWatch(client, jobId, { live, shown: !showsLog, wantsBounds: wantsPlot });
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  try {
    const waiting = client.wait(jobId, {
      signal: leave.signal,
      pollMs: LOOK_MS,
      ...(kind === "mip" ? { onIncumbent: watch.onIncumbent } : {}),
      ...(showsLog || logFile
        ? {
            onLog: ({ text }: { readonly text: string }) => {
              if (showsLog) live.print(text);
              logFile?.write(text);
            },
          }
        : {}),
    });
    await timed("waitSeconds", waiting);
    watch[Symbol.dispose]();
    const solution = solutionFromWire(await timed("downloadSeconds", bringHome(client, jobId, run)));
    if (wantsPlot) {
      const shown = options.plot || watch.objectives.length > 1;
      const { objectives, bounds } = watch;
      const last = solution.kind === "mip" && Number.isFinite(solution.bound) ? solution.bound : undefined;
      const data = {
        objectives,
        bounds: last === undefined ? bounds : [...bounds, { seconds: watch.seconds, value: last }],
        seconds: watch.seconds,
      };
      if (shown)
        for (const line of plotLines(data, { width: live.width, unicode: takesUnicode(process.env) })) live.print(line);
    }
    for (const line of reportLines(solution)) live.print(line);
    facts["state"] = "completed";
    if (kind === "mip") facts["incumbents"] = watch.objectives.length;
    return { solution, status: terminationWords(solution.termination), exitCode: exitCodeOfSolution(solution) };
  } catch (error) {
    watch[Symbol.dispose]();
    if (error instanceof RemoteError) return lost(watch, jobId, kind, run, facts, error);
    if (!(error instanceof JobEndedError)) throw error;
    facts["state"] = error.state;
    if (error.state === "cancelled") return cancelled(watch, kind, run, error);
    facts["error"] = error.message;
    warn(run, error.state === "failed" ? `the job failed: ${error.message}` : error.message);
    return {
      solution: undefined,
      status: error.state,
      exitCode: error.state === "failed" ? EXIT_JOB_FAILED : EXIT_JOB_UNKNOWN,
    };
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function bringHome(client: SortieClient, jobId: string, { live, signal }: SolveRun): Promise<SolveResult> {
  const bar = openBar(live, "downloading");
  try {
    return await client.result(jobId, { signal, repeat: true, onProgress: bar.update });
  } finally {
    bar.done();
  }
}

/** After a cancel, the best that was found is still there. */
function cancelled(watch: SolveWatch, kind: ProblemKind, run: SolveRun, error: JobEndedError): Ended {
  const { live, signal } = run;
  const { best } = watch;
  live.print(
    best ? `Cancelled. Best objective found: ${numberText(best.objective)}` : "Cancelled before a solution was found.",
  );
  if (!signal.aborted) warn(run, `the job was cancelled elsewhere: ${error.message}`);
  return {
    solution: kind === "mip" ? incumbentSolution(best) : undefined,
    status: "Cancelled",
    exitCode: signal.aborted ? EXIT_INTERRUPTED : EXIT_JOB_CANCELLED,
  };
}

/** Without the server, what it has told until then is still there. */
function lost(
  watch: SolveWatch,
  jobId: string,
  kind: ProblemKind,
  run: SolveRun,
  facts: Facts,
  error: RemoteError,
): Ended {
  const { best } = watch;
  facts["error"] = faultText(error);
  warn(run, faultText(error));
  warn(run, `job ${jobId} may go on without us: sortie wait, result and cancel take its id once the server is back`);
  if (best) run.live.print(`Best objective found so far: ${numberText(best.objective)}`);
  return {
    solution: best && kind === "mip" ? incumbentSolution(best) : undefined,
    status: "fault",
    exitCode: run.signal.aborted ? EXIT_INTERRUPTED : EXIT_FAULT,
    isLost: true,
  };
}

async function write(file: string, solution: Solution, model: LoadedModel, run: SolveRun, facts: Facts): Promise<void> {
  const target = run.options.solutionFiles.get(file);
  if (target === undefined) return;
  const { variableNames, rowNames } = model.problem;
  await writeSolutionFile(target, solution, { variables: variableNames, rows: rowNames }, { ...facts });
  facts["solutionFile"] = target;
  run.live.print(`wrote ${target}`);
}
