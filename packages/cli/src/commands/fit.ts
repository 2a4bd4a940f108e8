// `sortie fit PIPELINE --data CUBE…`: statistical training on this machine; writes the weights beside the pipeline.
import { writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  DataError,
  Engine,
  FormatError,
  localFiles,
  openFilesModule,
  type PipelineBatch,
  PipelineError,
  parseFilesParams,
} from "@sortie/pipeline";
import { encodeWeights } from "@sortie/sessions";
import { UsageError } from "../connect.ts";
import { findCubes, readCube, readWavelengths } from "../cube-file.ts";
import { bytesText } from "../format.ts";
import { openLive } from "../live.ts";
import { parseOptions } from "../options.ts";
import { openPipelineFile, withoutExtension } from "../pipeline-file.ts";
import { runCommand } from "../run-command.ts";

const HELP = `usage: sortie fit PIPELINE --data CUBE ... [OPTION ...]

Fits the statistical nodes of a pipeline (means, covariances, ranges, principal axes) on cubes, and writes the weights.

  --data CUBE          .npy, .npz, .mat, ENVI .hdr, or a folder of them (repeatable)
  -o, --weights FILE   where the weights go (default: the pipeline's name with .pt)
  --variable NAME      name of the cube in .npz and .mat files
  --mask FILE          labels of a cube: once for each cube, in their order
  --mask-variable NAME name of the labels in .npz and .mat files
  --wavelengths FILE   centres of the bands in nanometres, as numbers in a text file

Exit codes: 0 the weights are written; 1 a fault in a file or the options; 130 cancelled.
`;

interface Options {
  readonly pipeline: string;
  readonly data: readonly string[];
  readonly weights: string;
  readonly variable: string | undefined;
  readonly masks: readonly string[];
  readonly maskVariable: string | undefined;
  readonly wavelengths: string | undefined;
}

export function fit(args: readonly string[]): Promise<number> {
  return runCommand(
    args,
    HELP,
    async (signal) => {
      await runFit(await readOptions(args), signal);
      return 0;
    },
    "cancelled",
  );
}

async function readOptions(args: readonly string[]): Promise<Options> {
  const { values, positionals } = await parseOptions("fit", args, OPTIONS);
  const [pipeline, ...more] = positionals;
  // A shell spreads a pattern behind --data over what follows it.
  const data = [...(values.data ?? []), ...more];
  if (pipeline === undefined) throw new UsageError("fit needs a pipeline file (sortie fit --help tells the options)");
  if (data.length === 0) throw new UsageError("fit needs --data CUBE (sortie fit --help tells the options)");
  return {
    pipeline,
    data,
    weights: values.weights ?? `${withoutExtension(pipeline)}.pt`,
    variable: values.variable,
    masks: values.mask ?? [],
    maskVariable: values["mask-variable"],
    wavelengths: values.wavelengths,
  };
}

export const OPTIONS = {
  data: { type: "string", multiple: true },
  weights: { type: "string", short: "o" },
  variable: { type: "string" },
  mask: { type: "string", multiple: true },
  "mask-variable": { type: "string" },
  wavelengths: { type: "string" },
} as const;

async function runFit(options: Options, signal: AbortSignal): Promise<void> {
  const live = openLive(process.stdout);
  const { pipeline, name } = await openPipelineFile(options.pipeline, null);
  const cubes = (await findCubes(options.data, options.variable)).map((path) => resolve(path));
  if (options.masks.length > 0 && options.masks.length !== cubes.length) {
    throw new UsageError(
      `--mask is given ${options.masks.length} times for ${cubes.length} cubes; once for each is needed`,
    );
  }
  const masks = options.masks.map((path) => resolve(path));
  const files = localFiles([...new Set([...cubes, ...masks].map((path) => dirname(path)))]);
  const wavelengthsNm = options.wavelengths === undefined ? null : await readWavelengths(options.wavelengths);
  const params = parseFilesParams({
    cubes,
    masks: masks.length > 0 ? masks : null,
    variable: options.variable ?? null,
    mask_variable: options.maskVariable ?? null,
    wavelengths_nm: wavelengthsNm,
  });
  const toFit = pipeline.nodes.filter((node) => node.needsFit);
  live.print(
    `${name}: ${pipeline.name}, ${toFit.length} of ${pipeline.nodes.length} nodes to fit, ${cubes.length} cubes`,
  );
  const needsWavelengths = pipeline.openInputs().some(({ port, required }) => required && port.name === "wavelengths");
  const told = needsWavelengths && wavelengthsNm === null && !(await sayWavelengths(cubes, options.variable));
  if (told)
    process.stderr.write(
      "sortie: the cubes say no wavelengths; the pipeline is given zeros (--wavelengths FILE tells them)\n",
    );
  await using engine = new Engine();
  try {
    const data = await openFilesModule(params, null, files);
    const batches = async function* (): AsyncGenerator<PipelineBatch> {
      for await (const batch of data.batches("train")) {
        const { cube, mask, mesu_index, wavelengths } = batch;
        const [images = 1, , , bands = 0] = cube.shape;
        const zeros = { dtype: "int32", shape: [images, bands], data: new Int32Array(images * bands) } as const;
        yield {
          cube,
          mesu_index,
          ...(wavelengths || needsWavelengths ? { wavelengths: wavelengths ?? zeros } : {}),
          ...(mask === undefined ? {} : { mask }),
        } as PipelineBatch;
      }
    };
    await pipeline.fit(batches, {
      engine,
      signal,
      onProgress: ({ node, index, nodes, batches: seen, done }) => {
        if (done) live.print(`fitted ${node} (${index + 1} of ${nodes}) on ${seen} batches`);
        else live.update(`fitting ${node} (${index + 1} of ${nodes}), batch ${seen + 1}`);
      },
    });
  } catch (error) {
    if (error instanceof DataError || error instanceof FormatError || error instanceof PipelineError) {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  } finally {
    live.clear();
  }
  const bytes = encodeWeights(pipeline, { name: pipeline.name }, name.replace(/\.[^.]*$/, ""));
  await writeFile(options.weights, bytes);
  await pipeline.close();
  live.print(`wrote ${options.weights} (${bytesText(bytes.byteLength)})`);
}

async function sayWavelengths(cubes: readonly string[], variable: string | undefined): Promise<boolean> {
  const [first] = cubes;
  return first !== undefined && (await readCube(first, variable)).wavelengthsNm !== undefined;
}
