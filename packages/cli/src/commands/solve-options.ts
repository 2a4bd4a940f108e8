// What `sortie solve` is asked for: its options and their defaults, checked before anything is read or sent.
import { constants } from "node:fs";
import { access, mkdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type ModelFormat, modelFormatOf } from "@sortie/solve";
import { chunkBytesOf, UsageError } from "../connect.ts";
import { STDIN } from "../model-file.ts";
import { OPEN_SERVER_OPTIONS } from "../open-server.ts";
import { parseOptions } from "../options.ts";
import {
  type ChosenSettings,
  type GivenSetting,
  optionOfWireName,
  PARAMETER_OPTIONS,
  readParameters,
  settingOfPair,
  settingsOf,
  settingsOfOptions,
} from "../solver-parameters.ts";

const OWN_OPTIONS = {
  ...OPEN_SERVER_OPTIONS,
  json: { type: "boolean" },
  "solution-file": { type: "string", short: "o" },
  "time-limit": { type: "string" },
  gap: { type: "string" },
  set: { type: "string", multiple: true },
  "params-file": { type: "string" },
  "dump-params": { type: "boolean" },
  "dump-hyper-params": { type: "boolean" },
  relaxation: { type: "boolean" },
  "initial-solution": { type: "string" },
  format: { type: "string", values: ["mps", "lp"] },
  log: { type: "boolean" },
  "log-file": { type: "string" },
  values: { type: "boolean" },
  plot: { type: "boolean" },
  "no-plot": { type: "boolean" },
  keep: { type: "boolean" },
} as const;

/** Of the command's own, and every solver parameter. */
export const OPTIONS = { ...PARAMETER_OPTIONS, ...OWN_OPTIONS } as typeof OWN_OPTIONS;

export const HELP = `usage: sortie solve FILE ... [OPTION ...]

Solves model files one after the other: LP, MIP or convex QP, in MPS (.mps, .qps) or CPLEX LP format (.lp), plain or
compressed (.gz, .bz2). "-" is standard input.

where
  --server HOST:PORT   send it to this server, over gRPC; by default the one that the environment names: SORTIE_SERVER, or
                       CUOPT_REMOTE_HOST and CUOPT_REMOTE_PORT if both are set. Without any an embedded server runs for as
                       long as the solve
  --server URL         the same over HTTP/1.1, as a function in a cloud or a proxy needs it (http://… or https://…)
  --local              the embedded server, whatever the environment says
  --tls                the server at HOST:PORT speaks TLS
  --tls-root-cert FILE, --tls-client-cert FILE, --tls-client-key FILE
                       who signed the server's certificate, and a certificate of one's own (PEM; each means --tls)
  --token TOKEN        access token of the server (better in the variable SORTIE_TOKEN, where nobody else sees it)
  --chunk-bytes N      send the model in chunks of at most N bytes (by default large models go in chunks of 16 MiB)
  --keep               leave the job and its result on the server

what
  --format FORMAT      mps or lp, whatever the file is called; standard input is MPS otherwise
  --relaxation         drop integrality
  --initial-solution FILE
                       start the search from the values of a .sol file
  --time-limit SECONDS stop after this long and keep the best that was found
  --gap FRACTION       stop when the relative gap of a MIP is at most this (0.01 is 1 %)
  --PARAMETER VALUE    any solver parameter of cuopt_cli, such as --mip-absolute-gap 0.5 or --presolve off
  --set NAME=VALUE     any solver setting by its parameter name or its name on the wire (repeatable; docs/settings.md lists
                       them)
  --params-file FILE   settings in lines NAME = VALUE, # begins a comment; options are stronger
  --dump-params        print every setting as such a file, and solve nothing
  --dump-hyper-params  the same for the settings of MIP heuristics

output
  -o, --solution-file FILE
                       write the solution to FILE: JSON if it ends in .json, else in .sol format; compressed if .gz is behind
                       it. With several models, or a / at the end, FILE is a folder
  --json               print one JSON document for each model, and nothing else
  --values             with --json: the values of the solution, too
  --log                print the solver's log
  --log-file FILE      write the solver's log to FILE
  --plot, --no-plot    draw the incumbents of a MIP at the end (default: on a terminal)

Ctrl-C cancels the solve and keeps the best solution found; a second Ctrl-C leaves at once.

Exit codes: 0 an answer was found (an infeasible model is an answer); 1 a fault in a file, the options or the server;
3 a limit was reached without a feasible solution; 4 the job failed; 5 the server lost the job; 6 somebody else cancelled
it; 130 cancelled. Of several models the worst counts. (cuopt_cli has only 0 and 255.)
`;

export interface SolveOptions {
  readonly files: readonly string[];
  /** As they were given: those of the server are looked at where it is reached. */
  readonly values: SolveValues;
  readonly chunkBytes: number | undefined;
  readonly keep: boolean;
  readonly format: ModelFormat | undefined;
  readonly relaxation: boolean;
  readonly initialSolution: string | undefined;
  readonly settings: { readonly lp: ChosenSettings; readonly mip: ChosenSettings };
  readonly dump: "parameters" | "hyper-parameters" | undefined;
  /** Where the solution of a model goes, by the model's file. */
  readonly solutionFiles: ReadonlyMap<string, string>;
  readonly json: boolean;
  readonly withValues: boolean;
  /** Undefined: nobody said. */
  readonly log: boolean | undefined;
  readonly logFile: string | undefined;
  readonly plot: boolean | undefined;
}

export type SolveValues = Awaited<ReturnType<typeof parse>>["values"];

const parse = (args: readonly string[]) => parseOptions("solve", args, OPTIONS, optionOfWireName);

/** @throws UsageError */
export async function readSolveOptions(args: readonly string[]): Promise<SolveOptions> {
  const { values, positionals: files } = await parse(args);
  const dump = values["dump-params"] ? "parameters" : values["dump-hyper-params"] ? "hyper-parameters" : undefined;
  if (files.length === 0 && dump === undefined) {
    throw new UsageError("solve needs a file (sortie solve --help tells the options)");
  }
  if (files.filter((file) => file === STDIN).length > 1) throw new UsageError("- can be named once");
  if (values["initial-solution"] !== undefined && files.length > 1) {
    throw new UsageError(`--initial-solution is of one model; ${files.length} files are named`);
  }
  if (values.local && values.server !== undefined) throw new UsageError("--local and --server exclude each other");
  if (values.plot && values["no-plot"]) throw new UsageError("--plot and --no-plot exclude each other");
  if (values.values && !values.json) throw new UsageError("--values goes with --json; -o FILE writes values to a file");
  const given = await givenSettings(values);
  return {
    files,
    values,
    chunkBytes: chunkBytesOf(values["chunk-bytes"]),
    keep: values.keep ?? false,
    format: formatOf(values.format),
    relaxation: values.relaxation ?? false,
    initialSolution: values["initial-solution"],
    settings: { lp: await settingsOf("lp", given), mip: await settingsOf("mip", given) },
    dump,
    solutionFiles: await solutionFilesOf(files, values["solution-file"]),
    json: values.json ?? false,
    withValues: values.values ?? false,
    log: values.log ?? consoleLog(given),
    logFile: values["log-file"],
    plot: values.plot ?? (values["no-plot"] ? false : undefined),
  };
}

/** The weakest first. */
async function givenSettings(values: SolveValues): Promise<GivenSetting[]> {
  const file = values["params-file"];
  return [
    ...(file === undefined ? [] : readParameters(await textOf(file), file)),
    ...(values.set ?? []).map(settingOfPair),
    ...settingsOfOptions(values),
    ...(values.gap === undefined
      ? []
      : [{ name: "mip_relative_gap", text: values.gap, where: "--gap", isDeliberate: true }]),
  ];
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new UsageError(`--params-file ${file} cannot be read: ${(error as Error).message}`);
  }
}

/** cuopt_cli's way to ask for the log, or for none. */
function consoleLog(given: readonly GivenSetting[]): boolean | undefined {
  const last = given.findLast(({ name, isDeliberate }) => name === "log_to_console" && isDeliberate);
  return last && /^(1|t)/i.test(last.text);
}

function formatOf(text: string | undefined): ModelFormat | undefined {
  if (text === undefined || text === "mps" || text === "lp") return text;
  throw new UsageError(`--format is "${text}"; mps and lp are allowed`);
}

/** Found out before the solve, which may take hours: whether there will be a place for the solutions. */
async function solutionFilesOf(files: readonly string[], output: string | undefined): Promise<Map<string, string>> {
  const targets = new Map<string, string>();
  if (output === undefined) return targets;
  const isFolder = (await stat(output).catch(() => undefined))?.isDirectory() ?? false;
  if (!isFolder && files.length <= 1 && !/[/\\]$/.test(output)) {
    if (modelFormatOf(output) !== undefined) {
      throw new UsageError(`-o ${output}: it is called as a model is; .sol and .json are for solutions`);
    }
    await requireWritable(dirname(output), output);
    for (const file of files) targets.set(file, output);
    return targets;
  }
  try {
    await mkdir(output, { recursive: true });
  } catch (error) {
    throw new UsageError(
      `-o ${output}: with several models it is a folder, and cannot be: ${(error as Error).message}`,
    );
  }
  await requireWritable(output, output);
  const sources = new Map<string, string>();
  for (const file of files) {
    const target = join(output, `${modelName(file)}.sol`);
    const other = sources.get(target);
    if (other !== undefined && other !== file) {
      throw new UsageError(`-o ${output}: ${other} and ${file} would both be written to ${target}`);
    }
    sources.set(target, file);
    targets.set(file, target);
  }
  return targets;
}

async function requireWritable(folder: string, output: string): Promise<void> {
  try {
    await access(folder, constants.W_OK);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const why = isMissing ? `there is no folder ${folder}` : `the folder ${folder} cannot be written to`;
    throw new UsageError(`-o ${output}: ${why}`);
  }
}

/** "dir/egout.mps.gz" → "egout" */
const modelName = (file: string): string =>
  file === STDIN
    ? "stdin"
    : basename(file)
        .replace(/\.(gz|bz2)$/i, "")
        .replace(/\.(mps|qps|lp)$/i, "") || "model";
