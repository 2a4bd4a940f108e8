// `sortie check FILE`: looks a model file over without solving it; with --why, finds out why it is infeasible.
import {
  arrayOf,
  createHighsEngine,
  type Finding,
  type InfeasibleSubset,
  infeasibleSubset,
  inspectModel,
  type ModelReport,
  modelStats,
  type Problem,
  problemArrays,
  type SideOfModel,
  type SizeRange,
  validateModel,
} from "@sortie/solve";
import { UsageError } from "../connect.ts";
import { EXIT_DONE, EXIT_FAULT, EXIT_INFEASIBLE, EXIT_NOTHING_FOUND } from "../exit-codes.ts";
import { jsonDocument } from "../json.ts";
import { describeModel, fileLabel, kindOfModel, type LoadedModel, openModel } from "../model-file.ts";
import { parseOptions } from "../options.ts";
import { runCommand } from "../run-command.ts";

const HELP = `usage: sortie check FILE [OPTION ...]

Reads a model file (MPS or CPLEX LP format, plain, gzip or bzip2; "-" is an MPS file on standard input) and tells its sizes,
the ranges of its numbers and likely mistakes. Nothing is solved, and no server is needed.

  --why                if the model is infeasible, find bounds of rows and variables that contradict each other and do
                       not without any one of them (solves the model's parts here, with HiGHS)
  --time-limit SECONDS with --why: stop looking after this long (default 60)
  --json               the report as one JSON document

Exit codes: 0 the file is sound, warnings or not; 1 a fault in the file or the options; 2 the model is infeasible (seen at
once, or with --why); 3 with --why: undecided within the time limit; 130 interrupted.
`;

export const OPTIONS = {
  why: { type: "boolean" },
  "time-limit": { type: "string" },
  json: { type: "boolean" },
} as const;

export function check(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, (signal) => runCheck(args, signal));
}

async function runCheck(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = await parseOptions("check", args, OPTIONS);
  const [file, ...rest] = positionals;
  if (file === undefined) throw new UsageError("check needs a file (sortie check --help tells the options)");
  if (rest.length > 0) throw new UsageError(`check takes one file, found also ${rest.join(", ")}`);
  const timeLimitSeconds = secondsOf(values["time-limit"]);

  const model = await openModel(file, signal);
  const { problem } = model;
  const faults = validateModel(
    model.isMip ? "mip" : "lp",
    problem,
    modelStats(problemArrays(problem, model.isMip ? "mip" : "lp")),
  );
  const report = inspectModel(problem);
  const why = values.why ? await search(problem, { signal, timeLimitSeconds }) : undefined;
  if (values.json) process.stdout.write(jsonDocument(jsonReport(file, model, faults, report, why)));
  else process.stdout.write(textReport(file, model, faults, report, why));
  if (faults.length > 0) return EXIT_FAULT;
  const infeasible = why?.subset !== undefined || report.findings.some(({ severity }) => severity === "infeasible");
  if (infeasible) return EXIT_INFEASIBLE;
  return why?.decided === false ? EXIT_NOTHING_FOUND : EXIT_DONE;
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return 60;
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new UsageError(`--time-limit is "${text}"; a number of seconds above 0 is allowed`);
}

interface Why {
  readonly subset: InfeasibleSubset | undefined;
  /** False if neither feasible nor infeasible could be shown in time. */
  readonly decided: boolean;
}

async function search(
  problem: Problem,
  options: { readonly signal: AbortSignal; readonly timeLimitSeconds: number },
): Promise<Why> {
  await using engine = createHighsEngine();
  const started = performance.now();
  const subset = await infeasibleSubset(problem, engine, options);
  return { subset, decided: subset !== undefined || performance.now() - started < 1000 * options.timeLimitSeconds };
}

function jsonReport(
  file: string,
  model: LoadedModel,
  faults: readonly string[],
  report: ModelReport,
  why: Why | undefined,
): unknown {
  const { isMip, warnings } = model;
  return {
    file,
    kind: kindOfModel(model),
    isMip,
    ...report,
    warnings,
    faults,
    ...(why === undefined ? {} : { why: why.subset ?? null }),
  };
}

function textReport(
  file: string,
  model: LoadedModel,
  faults: readonly string[],
  report: ModelReport,
  why: Why | undefined,
): string {
  const { rowKinds, variableKinds, ranges } = report;
  const lines = [
    `${fileLabel(file)}: ${describeModel(model)}`,
    `  rows       ${counts({ equality: rowKinds.equality, "one-sided": rowKinds.oneSided, range: rowKinds.range, free: rowKinds.free })}`,
    `  variables  ${counts({ ...variableKinds, "semi-continuous": variableKinds.semiContinuous, semiContinuous: 0 })}` +
      (report.free + report.fixed > 0 ? ` (${counts({ free: report.free, fixed: report.fixed })})` : ""),
    ...rangeLine("matrix", ranges.matrix),
    ...rangeLine("objective", ranges.objective),
    ...rangeLine("quadratic", ranges.quadratic),
    ...rangeLine("bounds", ranges.variableBounds),
    ...rangeLine("sides", ranges.rowBounds),
    ...model.warnings.map((warning) => `warning: ${warning}`),
    ...faults.map((fault) => `fault: ${fault}`),
    ...report.findings.map(findingText),
  ];
  if (faults.length + report.findings.length + model.warnings.length === 0) lines.push("nothing odd was found");
  if (why !== undefined) lines.push(...whyLines(model.problem, why));
  return `${lines.join("\n")}\n`;
}

function counts(parts: Readonly<Record<string, number>>): string {
  const present = Object.entries(parts).filter(([, count]) => count > 0);
  return present.length === 0 ? "none" : present.map(([word, count]) => `${count} ${word}`).join(", ");
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

const rangeLine = (what: string, range: SizeRange | undefined): string[] =>
  range === undefined ? [] : [`  ${what.padEnd(10)} ${short(range.smallest)} to ${short(range.largest)} in size`];

function findingText({ severity, count, text, examples }: Finding): string {
  const cases = examples.length === 0 ? "" : `: ${examples.join(", ")}${count > examples.length ? ", …" : ""}`;
  return `${severity}: ${count > 1 ? `${count} × ` : ""}${text}${cases}`;
}

function whyLines(problem: Problem, { subset, decided }: Why): string[] {
  if (subset === undefined) {
    return [decided ? "why: the model was not found infeasible" : "why: undecided within the time limit"];
  }
  const count = subset.sides.length;
  const rest = subset.needsIntegrality ? " together with the integrality of the variables" : "";
  const what = subset.irreducible
    ? `${count} bound(s) contradict each other${rest}, and do not without any one of them`
    : `${count} bound(s) contradict each other${rest}; time ran out before all were tried, some may not matter`;
  return [`why: ${what} (${subset.solves} solves):`, ...subset.sides.map((side) => `  ${sideText(problem, side)}`)];
}

/** Terms of a row that are shown. */
const termsShown = 12;

/** "cap: x + 3 y <= 9", "x >= 4" */
function sideText(problem: Problem, { of, index, side }: SideOfModel): string {
  const comparison = `${side === "lower" ? ">=" : "<="} ${problem[arrayOf(of, side)][index]}`;
  const variable = (j: number): string => problem.variableNames?.[j] || `variable ${j}`;
  if (of === "variable") return `${variable(index)} ${comparison}`;
  const { offsets, indices, values } = problem.matrix;
  const [start, end] = [offsets[index] as number, offsets[index + 1] as number];
  const terms: string[] = [];
  for (let at = start; at < Math.min(end, start + termsShown); at++) {
    const value = values[at] as number;
    const size = Math.abs(value) === 1 ? "" : `${Math.abs(value)} `;
    const sign = value < 0 ? "- " : at === start ? "" : "+ ";
    terms.push(`${sign}${size}${variable(indices[at] as number)}`);
  }
  if (end - start > termsShown) terms.push(`+ … (${end - start - termsShown} more)`);
  return `${problem.rowNames?.[index] || `row ${index}`}: ${terms.join(" ") || "0"} ${comparison}`;
}
