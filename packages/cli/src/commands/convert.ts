// `sortie convert IN OUT`: a model file in another format.
import { basename } from "node:path";
import { modelFormatOf, modelText, textPieces } from "@sortie/solve";
import { UsageError } from "../connect.ts";
import { EXIT_DONE } from "../exit-codes.ts";
import { writeAside } from "../file-aside.ts";
import { bytesText } from "../format.ts";
import { describeModel, openModel } from "../model-file.ts";
import { parseOptions } from "../options.ts";
import { runCommand } from "../run-command.ts";

const HELP = `usage: sortie convert IN OUT [OPTION ...]

Writes the model of one file into another. The endings of the names tell the formats:

  .mps, .qps           MPS, any layout
  .lp                  CPLEX LP format
  .gz behind it        compressed with gzip
  .bz2 behind it       compressed with bzip2 (IN only)

Numbers are written so that reading them gives the same doubles. Names that the new format cannot hold are replaced, with
a warning; comments in the file have the originals, and Sortie restores them when it reads the file.

  --layout LAYOUT      of an MPS file: free (default) or fixed, where names may have blanks but at most 8 characters
  --quiet              no warnings

Exit codes: 0 written; 1 a fault in IN, in the options, or something that the format of OUT cannot say (nothing is
written then); 130 interrupted.
`;

const LAYOUTS = ["free", "fixed"] as const;

export const OPTIONS = {
  layout: { type: "string", values: LAYOUTS },
  quiet: { type: "boolean" },
} as const;

export function convert(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, (signal) => runConvert(args, signal));
}

async function runConvert(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = await parseOptions("convert", args, OPTIONS);
  const [input, output, ...rest] = positionals;
  if (input === undefined || output === undefined || rest.length > 0) {
    throw new UsageError(`convert takes two files, IN and OUT; found ${positionals.length || "none"}`);
  }
  const layout = LAYOUTS.find((name) => name === (values.layout ?? "free"));
  if (layout === undefined) throw new UsageError(`--layout is "${values.layout}"; free and fixed are allowed`);
  const format = modelFormatOf(output);
  if (format === undefined) {
    throw new UsageError(`${output}: the ending tells no format; .mps, .qps and .lp are written, with .gz or without`);
  }
  if (/\.bz2$/i.test(output)) throw new UsageError(`${output}: bzip2 is only read; .gz is written`);

  const model = await openModel(input, signal);
  const warn = (file: string, warning: string) => {
    if (!values.quiet) process.stderr.write(`sortie: ${basename(file)}: ${warning}\n`);
  };
  for (const warning of model.warnings) warn(input, warning);
  const text = modelText(model.problem, format, { layout });
  for (const warning of text.warnings) warn(output, warning);
  const written = await writeAside(output, textPieces(text.lines), signal);
  process.stdout.write(`${describeModel(model)}; wrote ${output}, ${bytesText(written)}\n`);
  return EXIT_DONE;
}
