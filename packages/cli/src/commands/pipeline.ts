// `sortie pipeline export` and `sortie pipeline show`: a pipeline as one ONNX model, and as a picture.
import { writeFile } from "node:fs/promises";
import {
  dotOfPipeline,
  mermaidOfPipeline,
  PipelineError,
  type PipelineExportRequest,
  pictureOf,
  pngOfSvg,
  svgOfDot,
  tensor,
} from "@sortie/pipeline";
import { faultText, UsageError } from "../connect.ts";
import { readWavelengths } from "../cube-file.ts";
import { bytesText } from "../format.ts";
import { parseOptions } from "../options.ts";
import { openPipelineFile, requireFitted } from "../pipeline-file.ts";

const HELP = `usage: sortie pipeline export PIPELINE OUT.onnx [OPTION ...]
       sortie pipeline show PIPELINE [OPTION ...]

export writes the pipeline with its weights as one ONNX model, which any ONNX Runtime runs with the same answer. Inputs and
outputs are named like ports.
  --weights FILE       weights of the pipeline (default: the file beside it with .pt)
  --output NAME        give this output only: NODE.PORT (repeatable; default: all that are arrays)
  --input NAME=TYPE    element type of an input that takes any, such as cube=uint16 (repeatable; default float32)
  --wavelengths FILE   fix the centres of the bands in the model, in nanometres, as numbers in a text file

show draws nodes and connections.
  --format FORMAT      png, svg, dot or mermaid (default: by the end of the file's name, else mermaid)
  -o, --out FILE       write to FILE; without it to standard output

Exit codes: 0 done; 1 a fault in a file or the options.
`;

const FORMATS = ["png", "svg", "dot", "mermaid"] as const;
type Format = (typeof FORMATS)[number];

const EXPORT_OPTIONS = {
  weights: { type: "string" },
  output: { type: "string", multiple: true },
  input: { type: "string", multiple: true },
  wavelengths: { type: "string" },
} as const;
const SHOW_OPTIONS = { format: { type: "string", values: FORMATS }, out: { type: "string", short: "o" } } as const;
export const OPTIONS = { ...EXPORT_OPTIONS, ...SHOW_OPTIONS } as const;

export async function pipeline(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    const [what, ...rest] = args;
    if (what === "export") await exportModel(rest);
    else if (what === "show") await show(rest);
    else {
      const found = what === undefined ? "nothing" : `"${what}"`;
      throw new UsageError(`pipeline takes export or show, found ${found} (sortie pipeline --help tells the options)`);
    }
    return 0;
  } catch (error) {
    process.stderr.write(`sortie: ${faultText(error)}\n`);
    return 1;
  }
}

async function exportModel(args: readonly string[]): Promise<void> {
  const { values, positionals } = await parseOptions("pipeline", args, EXPORT_OPTIONS);
  const [file, out, ...more] = positionals;
  if (file === undefined || out === undefined || more.length > 0) {
    throw new UsageError(
      "export needs a pipeline file and the file to write (sortie pipeline --help tells the options)",
    );
  }
  const opened = await openPipelineFile(file, values.weights);
  requireFitted(opened, file);
  const { pipeline } = opened;
  const keys = pipeline.outputKeys("inference");
  for (const name of values.output ?? []) {
    if (!keys.includes(name)) {
      throw new UsageError(`--output ${name}: the pipeline has no such output; it has ${keys.join(", ")}`);
    }
  }
  const wavelengths = values.wavelengths === undefined ? undefined : await readWavelengths(values.wavelengths);
  const request: PipelineExportRequest = {
    ...(values.output ? { outputs: values.output } : {}),
    inputs: Object.fromEntries((values.input ?? []).map(inputType)),
    ...(wavelengths
      ? { constants: { wavelengths: tensor("int32", [1, wavelengths.length], wavelengths.map(Math.round)) } }
      : {}),
  };
  let model: Uint8Array;
  try {
    model = pipeline.exportOnnx(request);
  } catch (error) {
    if (error instanceof PipelineError) throw new UsageError(`${file}: ${error.message}`, { cause: error });
    throw error;
  }
  await writeFile(out, model);
  process.stdout.write(`wrote ${out} (${bytesText(model.byteLength)})\n`);
}

function inputType(text: string): [string, { dtype: string }] {
  const [name, dtype, ...more] = text.split("=");
  if (!name || !dtype || more.length > 0)
    throw new UsageError(`--input ${text}: expected NAME=TYPE, such as cube=uint16`);
  return [name, { dtype }];
}

async function show(args: readonly string[]): Promise<void> {
  const { values, positionals } = await parseOptions("pipeline", args, SHOW_OPTIONS);
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) {
    throw new UsageError("show needs one pipeline file (sortie pipeline --help tells the options)");
  }
  const format = formatOf(values.format, values.out);
  if (format === "png" && values.out === undefined && process.stdout.isTTY) {
    throw new UsageError("a PNG is nothing for a terminal; name a file with -o");
  }
  const { pipeline } = await openPipelineFile(file, null);
  const picture = pictureOf(pipeline);
  const drawn = format === "mermaid" ? mermaidOfPipeline(picture) : await drawnBy(dotOfPipeline(picture), format);
  if (values.out === undefined) {
    process.stdout.write(drawn);
    return;
  }
  await writeFile(values.out, drawn);
  process.stdout.write(`wrote ${values.out}\n`);
}

function formatOf(asked: string | undefined, out: string | undefined): Format {
  const wanted = asked ?? FORMATS.find((format) => out?.toLowerCase().endsWith(`.${format}`)) ?? "mermaid";
  const format = FORMATS.find((each) => each === wanted);
  if (!format) throw new UsageError(`--format is "${wanted}"; allowed are ${FORMATS.join(", ")}`);
  return format;
}

async function drawnBy(dot: string, format: Exclude<Format, "mermaid">): Promise<string | Uint8Array> {
  if (format === "dot") return dot;
  const svg = await svgOfDot(dot);
  return format === "svg" ? svg : pngOfSvg(svg);
}
