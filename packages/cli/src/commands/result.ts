// `sortie result ID`: brings the result of a completed job home.
import type { SortieClient, StatusReport } from "@sortie/client";
import { solutionFromWire } from "@sortie/inbox/solution";
import type { Solution } from "@sortie/solve";
import type { OptionTable } from "../command.ts";
import { UsageError } from "../connect.ts";
import { EXIT_JOB_CANCELLED, EXIT_JOB_FAILED, EXIT_JOB_UNKNOWN, EXIT_NOT_YET } from "../exit-codes.ts";
import { CLIENT_OPTIONS, CLIENT_OPTIONS_HELP, oneId, openClient } from "../job-client.ts";
import { openLive } from "../live.ts";
import { openModel } from "../model-file.ts";
import { parseOptions } from "../options.ts";
import { openBar } from "../progress.ts";
import { runCommand } from "../run-command.ts";
import { type ModelNames, solutionDocument, solutionFacts, writeSolutionFile } from "../solution-file.ts";
import { exitCodeOfSolution, pointOf, reportLines } from "./solve-report.ts";

const HELP = `usage: sortie result ID [OPTION ...]

Brings the result of a completed job home and tells what it is. The job stays on the server (sortie delete removes it).

  -o, --solution-file FILE
                       write the solution to FILE: JSON if it ends in .json, else in .sol format; compressed if .gz is behind
                       it
  --model FILE         take the names of variables and rows from this model file; without it they are x0, x1, … and c0, c1, …
${CLIENT_OPTIONS_HELP}  --json               print one JSON document: id, status, objective, …
  --values             with --json: the values of the solution, too

Exit codes: 0 there is an answer (that a model is infeasible is one); 1 a fault in the options, a file or on the way to the
server; 3 the job reached a limit without a feasible solution; 4 it failed; 5 the server does not know it; 6 it was cancelled;
7 it has not ended; 130 interrupted.
`;

export const OPTIONS = {
  ...CLIENT_OPTIONS,
  "solution-file": { type: "string", short: "o" },
  model: { type: "string" },
  values: { type: "boolean" },
} as const satisfies OptionTable;

export function result(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => {
    const { values, positionals } = await parseOptions("result", args, OPTIONS);
    const id = oneId("result", positionals);
    const file = values["solution-file"];
    const names = values.model === undefined ? {} : await namesOf(values.model, signal);
    await using client = await openClient("result", values, signal);
    const refusal = whyNone(id, await client.status(id, { signal }));
    if (refusal !== undefined) {
      process.stderr.write(`sortie: ${refusal.text}\n`);
      return refusal.exitCode;
    }
    const solution = await download(client, id, signal);
    checkNames(names, solution, values.model);
    if (file !== undefined) await writeSolutionFile(file, solution, names, { id });
    if (values.json) {
      const facts = { id, ...solutionFacts(solution) };
      const pieces = values.values ? solutionDocument(facts, solution, names) : [`${JSON.stringify(facts)}\n`];
      for (const piece of pieces) process.stdout.write(piece);
    } else {
      const lines = [...reportLines(solution), ...(file === undefined ? [] : [`wrote ${file}`])];
      process.stdout.write(`${lines.join("\n")}\n`);
    }
    return exitCodeOfSolution(solution);
  });
}

async function namesOf(file: string, signal: AbortSignal): Promise<ModelNames> {
  const { problem } = await openModel(file, signal);
  return { variables: problem.variableNames, rows: problem.rowNames };
}

/** Only a completed job has a result. */
function whyNone(id: string, { state, message }: StatusReport): { text: string; exitCode: number } | undefined {
  switch (state) {
    case "completed":
      return undefined;
    case "failed":
      return { text: `job ${id} failed: ${message.replace(/^Job failed: /, "")}`, exitCode: EXIT_JOB_FAILED };
    case "cancelled":
      return {
        text: `job ${id} was cancelled and has no result; sortie incumbents ${id} tells what it had found`,
        exitCode: EXIT_JOB_CANCELLED,
      };
    case "not-found":
      return { text: `the server knows no job ${id}`, exitCode: EXIT_JOB_UNKNOWN };
    default:
      return { text: `job ${id} is ${state}; sortie wait ${id} returns when it has ended`, exitCode: EXIT_NOT_YET };
  }
}

async function download(client: SortieClient, id: string, signal: AbortSignal): Promise<Solution> {
  const bar = openBar(openLive(process.stderr), "downloading");
  try {
    return solutionFromWire(await client.result(id, { signal, onProgress: bar.update }));
  } finally {
    bar.done();
  }
}

function checkNames({ variables, rows }: ModelNames, solution: Solution, file: string | undefined): void {
  const point = pointOf(solution);
  const duals = solution.kind === "lp" ? solution.dual : [];
  for (const [what, given, count] of [
    ["variables", variables, point.length],
    ["rows", rows, duals.length],
  ] as const) {
    if (given === undefined || count === 0 || given.length === count) continue;
    throw new UsageError(`${file} has ${given.length} ${what}, the result has ${count}: it is another model`);
  }
}
