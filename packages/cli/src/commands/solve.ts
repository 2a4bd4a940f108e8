// `sortie solve FILE`: a model file to a server and its solution back. Without --server the server is embedded for the time
// of the solve; the model takes the same way, chunks included.
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { JobEndedError, SortieClient } from "@sortie/client";
import { solutionFromWire } from "@sortie/inbox";
import {
  changeSettings,
  defaultSettings,
  FormatError,
  type Problem,
  type Solution,
  solFile,
  ValidationError,
} from "@sortie/solve";
import type { IncumbentEntry, Job } from "@sortie/wire";
import { chunkBytesOf, connect, faultText, onInterrupt, SERVER_OPTIONS, UsageError } from "../connect.ts";
import { bytesText, gapText, numberText, secondsText } from "../format.ts";
import { type Live, openLive } from "../live.ts";
import { describeModel, type LoadedModel, loadModel, problemMessage } from "../model-file.ts";

const HELP = `usage: sortie solve FILE [OPTION ...]

Solves a model file: LP, MIP or convex QP, in MPS (.mps, .qps) or CPLEX LP format (.lp), plain or compressed (.gz, .bz2).

  --server HOST:PORT   send it to this server, over gRPC; without it an embedded server runs for as long as the solve
  --server URL         the same over HTTP/1.1, as a function in a cloud or a proxy needs it (http://… or https://…)
  --tls                the server at HOST:PORT speaks TLS
  --token TOKEN        access token of the server (better in the variable SORTIE_TOKEN, where nobody else sees it)
  -o, --solution-file FILE
                       write the solution to FILE in .sol format
  --time-limit SECONDS stop after this long and keep the best that was found
  --gap FRACTION       stop when the relative gap of a MIP is at most this (0.01 is 1 %)
  --set NAME=VALUE     any solver setting by its name (repeatable; docs/settings.md lists them)
  --relaxation         drop integrality
  --log                print the solver's log
  --chunk-bytes N      largest chunk of the upload (default 16 MiB)

Ctrl-C cancels the solve and keeps the best solution found; a second Ctrl-C leaves at once.

Exit codes: 0 an answer was found (an infeasible model is an answer); 1 a fault in the file, the options or the server;
3 a limit was reached without a feasible solution; 130 cancelled.
`;

const POLL_MS = 200;

interface Options {
  readonly file: string;
  readonly server: string | undefined;
  readonly tls: boolean;
  readonly token: string | undefined;
  readonly solutionFile: string | undefined;
  readonly settings: ReadonlyMap<string, string>;
  readonly relaxation: boolean;
  readonly log: boolean;
  readonly chunkBytes: number | undefined;
}

export async function solve(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    return await runSolve(readOptions(args));
  } catch (error) {
    process.stderr.write(`sortie: ${faultText(error)}\n`);
    return 1;
  }
}

function readOptions(args: readonly string[]): Options {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    throw new UsageError(`${(error as Error).message} (sortie solve --help tells the options)`);
  }
  const { values, positionals } = parsed;
  const [file, ...rest] = positionals;
  if (file === undefined) throw new UsageError("solve needs a file (sortie solve --help tells the options)");
  if (rest.length > 0) throw new UsageError(`solve takes one file, found also ${rest.join(", ")}`);
  const settings = new Map<string, string>();
  for (const pair of values.set ?? []) {
    const at = pair.indexOf("=");
    if (at <= 0) throw new UsageError(`--set ${pair}: expected NAME=VALUE`);
    settings.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  if (values["time-limit"] !== undefined) settings.set("time_limit", values["time-limit"]);
  if (values.gap !== undefined) settings.set("mip_relative_gap", values.gap);
  return {
    file,
    server: values.server,
    tls: values.tls ?? false,
    token: values.token ?? (process.env["SORTIE_TOKEN"] || undefined),
    solutionFile: values["solution-file"],
    settings,
    relaxation: values.relaxation ?? false,
    log: values.log ?? false,
    chunkBytes: chunkBytesOf(values["chunk-bytes"]),
  };
}

const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...SERVER_OPTIONS,
      "solution-file": { type: "string", short: "o" },
      "time-limit": { type: "string" },
      gap: { type: "string" },
      set: { type: "string", multiple: true },
      relaxation: { type: "boolean" },
      log: { type: "boolean" },
    },
  });

async function runSolve(options: Options): Promise<number> {
  const live = openLive(process.stdout);
  const interrupt = new AbortController();
  using _listener = onInterrupt(() => interrupt.abort());
  const model = await readFile(options.file, interrupt.signal);
  for (const warning of model.warnings) process.stderr.write(`sortie: ${basename(options.file)}: ${warning}\n`);
  const kind = model.isMip && !options.relaxation ? "mip" : "lp";
  // Read here too, so that a wrong name or value is told before anything is sent.
  const settings = changeSettings(defaultSettings(kind), options.settings);
  live.print(`${basename(options.file)}: ${describeModel(model)}`);

  await using connection = await connect(options);
  live.print(connection.words);
  const client = new SortieClient(connection.transport, { chunkBytes: options.chunkBytes });

  const changed = Object.fromEntries(settings.changed.map((name) => [name, settings.values[name] as number | boolean]));
  let uploaded = 0;
  let chunks = 0;
  const jobId = await client.submit(problemMessage(model.problem, kind, changed), {
    signal: interrupt.signal,
    onProgress: ({ doneBytes, totalBytes }) => {
      uploaded = doneBytes;
      chunks++;
      live.update(`uploading ${bytesText(doneBytes)} of ${bytesText(totalBytes)}`);
    },
  });
  live.print(`uploaded ${bytesText(uploaded)} in ${chunks} chunks, job ${jobId}`);
  return await follow(client, jobId, model, options, live, interrupt.signal);
}

async function readFile(file: string, signal: AbortSignal): Promise<LoadedModel> {
  try {
    return await loadModel(file, signal);
  } catch (error) {
    if (error instanceof FormatError || error instanceof ValidationError)
      throw new UsageError(`${file}: ${error.message}`);
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw new UsageError(`${file}: there is no such file`);
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/** Shows the job until it ends, then brings its result home. */
async function follow(
  client: SortieClient,
  jobId: string,
  model: LoadedModel,
  options: Options,
  live: Live,
  interrupt: AbortSignal,
): Promise<number> {
  const cancel = () => {
    live.print("cancelling ...");
    client.cancel(jobId).catch((error) => process.stderr.write(`sortie: ${faultText(error)}\n`));
  };
  if (interrupt.aborted) cancel();
  else interrupt.addEventListener("abort", cancel, { once: true });
  const ended = new AbortController();
  const shown = Promise.all([
    options.log ? printLog(client, jobId, live) : undefined,
    watch(client, jobId, live, options.log, ended.signal),
  ]);
  try {
    await client.wait(jobId);
    ended.abort();
    await shown;
    live.clear();
    const result = await client.result(jobId);
    const code = await report(solutionFromWire(result), model.problem, options, live);
    await client.delete(jobId);
    return code;
  } catch (error) {
    ended.abort();
    await shown.catch(() => undefined);
    live.clear();
    if (!(error instanceof JobEndedError)) throw error;
    if (error.state === "cancelled") return await keepIncumbent(client, jobId, model.problem, options, live);
    throw new UsageError(`the job failed: ${error.message}`);
  } finally {
    interrupt.removeEventListener("abort", cancel);
  }
}

async function printLog(client: SortieClient, jobId: string, live: Live): Promise<void> {
  for await (const line of client.logs(jobId)) live.print(line);
}

/** Incumbents as lines, and the live line with objective, bound and gap. */
async function watch(
  client: SortieClient,
  jobId: string,
  live: Live,
  quiet: boolean,
  ended: AbortSignal,
): Promise<void> {
  const started = performance.now();
  let next = 0;
  const look = async () => {
    const job = await client.job(jobId);
    while (next < Number(job.incumbentCount)) {
      const found = await client.incumbents(jobId, next);
      for (const { objective } of found.incumbents) {
        if (!quiet)
          live.print(
            `${secondsText((performance.now() - started) / 1000).padStart(9)}  incumbent ${numberText(objective)}`,
          );
      }
      if (found.nextIndex === next) break;
      next = found.nextIndex;
    }
    if (!quiet) live.update(liveText(job, (performance.now() - started) / 1000));
  };
  while (!ended.aborted) {
    await look();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, POLL_MS);
      function done() {
        clearTimeout(timer);
        ended.removeEventListener("abort", done);
        resolve();
      }
      ended.addEventListener("abort", done, { once: true });
    });
  }
  await look();
}

function liveText(job: Job, seconds: number): string {
  const time = secondsText(seconds).padStart(9);
  if (job.queuePosition !== undefined) return `${time}  waiting: ${job.waitingReason}`;
  return `${time}  objective ${numberText(job.objective)}  bound ${numberText(job.bound)}  gap ${gapText(job.gap)}`;
}

/** A limit was reached and nothing feasible is known. */
const EXIT_NOTHING_FOUND = 3;
const EXIT_CANCELLED = 130;

/** How outcomes are told to a person. */
const WORDS: Readonly<Record<Solution["termination"], string>> = {
  none: "No termination",
  "numerical-error": "Numerical error",
  optimal: "Optimal",
  infeasible: "Infeasible",
  "primal-infeasible": "Infeasible",
  unbounded: "Unbounded",
  "dual-infeasible": "Unbounded",
  "iteration-limit": "Iteration limit",
  "time-limit": "Time limit",
  "work-limit": "Work limit",
  "concurrent-limit": "Concurrent limit",
  "primal-feasible": "Primal feasible",
  "feasible-found": "Feasible",
};

/** Outcomes that answer the question, whether or not there is a solution. */
const ANSWERS: readonly Solution["termination"][] = [
  "optimal",
  "infeasible",
  "primal-infeasible",
  "unbounded",
  "dual-infeasible",
  "feasible-found",
  "primal-feasible",
];

async function report(solution: Solution, problem: Problem, options: Options, live: Live): Promise<number> {
  live.print(`Status: ${WORDS[solution.termination]}`);
  if (solution.message) live.print(solution.message);
  const point = solution.kind === "lp" ? solution.primal : solution.solution;
  if (solution.kind === "lp") {
    if (point.length > 0) live.print(`Objective: ${numberText(solution.primalObjective)}`);
    live.print(`Iterations: ${solution.iterations}  Time: ${secondsText(solution.solveSeconds)}`);
  } else {
    const { objective, bound, gap } = solution;
    if (point.length > 0)
      live.print(`Objective: ${numberText(objective)}  Bound: ${numberText(bound)}  Gap: ${gapText(gap)}`);
    live.print(`Nodes: ${solution.nodes}  Time: ${secondsText(solution.solveSeconds)}`);
  }
  await writeSolution(solution, problem, options, live);
  const found = solution.kind === "mip" && point.length > 0;
  return found || ANSWERS.includes(solution.termination) ? 0 : EXIT_NOTHING_FOUND;
}

/** After a cancel: the best that was found is still there. */
async function keepIncumbent(
  client: SortieClient,
  jobId: string,
  problem: Problem,
  options: Options,
  live: Live,
): Promise<number> {
  const { incumbentCount } = await client.job(jobId);
  const { incumbents } = await client.incumbents(jobId, Math.max(0, Number(incumbentCount) - 1));
  const best = incumbents.at(-1);
  live.print(
    best ? `Cancelled. Best objective found: ${numberText(best.objective)}` : "Cancelled before a solution was found.",
  );
  await writeSolution(incumbentSolution(best), problem, options, live);
  await client.delete(jobId);
  return EXIT_CANCELLED;
}

/** The best incumbent of a cancelled MIP as its solution; all that is unknown is NaN. */
function incumbentSolution(best: IncumbentEntry | undefined): Solution {
  const unknown = Number.NaN;
  return {
    kind: "mip",
    termination: best ? "feasible-found" : "none",
    message: "",
    solution: best?.assignment ?? new Float64Array(),
    objective: best?.objective ?? unknown,
    bound: unknown,
    gap: unknown,
    solveSeconds: unknown,
    presolveSeconds: unknown,
    maxConstraintViolation: unknown,
    maxIntegralityViolation: unknown,
    maxVariableBoundViolation: unknown,
    nodes: 0,
    simplexIterations: 0,
  };
}

async function writeSolution(solution: Solution, problem: Problem, options: Options, live: Live): Promise<void> {
  if (options.solutionFile === undefined) return;
  await writeFile(options.solutionFile, solFile(solution, problem.variableNames));
  live.print(`wrote ${options.solutionFile}`);
}
