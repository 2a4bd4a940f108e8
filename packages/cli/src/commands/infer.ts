// `sortie infer PIPELINE CUBE…`: runs a pipeline on cubes, one job for each, and brings the outputs home. Without --server the
// server is embedded for the time of it; cubes take the same way, chunks included.
import { basename } from "node:path";
import { createClient, type Transport } from "@connectrpc/connect";
import { InferenceClient, JobEndedError, type SortieClient } from "@sortie/client";
import { bytesOf, type NumericArray, type Pipeline } from "@sortie/pipeline";
import { cuvis } from "@sortie/wire";
import { batchOf } from "../batch-of-cube.ts";
import { chunkBytesOf, faultText, UsageError } from "../connect.ts";
import { findCubes, readCube, readMask, readWavelengths } from "../cube-file.ts";
import { bytesText, numberText, secondsText } from "../format.ts";
import { type Live, openLive } from "../live.ts";
import { OPEN_SERVER_OPTIONS, type OpenServer, type OpenServerValues, openServer } from "../open-server.ts";
import { parseOptions } from "../options.ts";
import { factsText, type OutputFacts, writeOutputs } from "../output-files.ts";
import { openPipelineFile, type PipelineFile, requireFitted } from "../pipeline-file.ts";
import { runCommand } from "../run-command.ts";
import { tableText } from "../table.ts";

const HELP = `usage: sortie infer PIPELINE CUBE ... [OPTION ...]

Runs a pipeline (a YAML file, its weights beside it as .pt) on hyperspectral cubes: NumPy .npy and .npz, ENVI .hdr with its
data file, MATLAB 5 .mat. A folder stands for every cube in it. Each cube is one job.

  --weights FILE       weights of the pipeline (.pt or .safetensors)
  --output NAME        bring this output only: NODE.PORT, or PORT of every node (repeatable). Default: outputs that no other
                       node takes, and all scores
  --out DIR            where files go (default: here)
  --mask FILE          labels of a cube, for the AUC of its scores: once for each cube, in their order
  --variable NAME      name of the cube in .npz and .mat files
  --mask-variable NAME name of the labels in .npz and .mat files
  --wavelengths FILE   centres of the bands in nanometres, as numbers in a text file
  --server ADDRESS     HOST:PORT (gRPC) or a URL (Connect over HTTP/1.1); default: SORTIE_SERVER, else CUOPT_REMOTE_HOST and
                       CUOPT_REMOTE_PORT. Without any an embedded server runs for the time of the jobs
  --local              the embedded server, whatever the environment says
  --tls                HOST:PORT speaks TLS
  --tls-root-cert FILE, --tls-client-cert FILE, --tls-client-key FILE
                       who signed the server's certificate, and a certificate of one's own (PEM; each means --tls)
  --token TOKEN        access token of the server (better in the variable SORTIE_TOKEN, where nobody else sees it)
  --log                print the logs of the jobs
  --chunk-bytes N      largest chunk of the upload (default 16 MiB)

Writes CUBE.NODE.PORT.npy for each output, and a heat map CUBE.NODE.PORT.png for those with one number per pixel.
Ctrl-C cancels the jobs; a second Ctrl-C leaves at once.

Exit codes: 0 all cubes were done; 1 a fault in a file, the options, the server or a job; 6 a job was cancelled elsewhere;
130 cancelled by Ctrl-C.
`;

interface Options {
  readonly server: OpenServerValues;
  readonly pipeline: string;
  readonly cubes: readonly string[];
  readonly weights: string | undefined;
  readonly outputs: readonly string[];
  readonly out: string;
  readonly masks: readonly string[];
  readonly variable: string | undefined;
  readonly maskVariable: string | undefined;
  readonly wavelengths: string | undefined;
  readonly log: boolean;
  readonly chunkBytes: number | undefined;
}

/** What became of one cube. */
interface Outcome {
  readonly cube: string;
  readonly seconds: number;
  readonly facts: readonly OutputFacts[];
  readonly failure?: string | undefined;
}

export function infer(args: readonly string[]): Promise<number> {
  return runCommand(args, HELP, async (signal) => runInfer(await readOptions(args), signal), "cancelled");
}

async function readOptions(args: readonly string[]): Promise<Options> {
  const { values, positionals } = await parseOptions("infer", args, OPTIONS);
  const [pipeline, ...cubes] = positionals;
  if (pipeline === undefined || cubes.length === 0) {
    throw new UsageError("infer needs a pipeline file and a cube (sortie infer --help tells the options)");
  }
  return {
    pipeline,
    cubes,
    weights: values.weights,
    outputs: values.output ?? [],
    out: values.out ?? ".",
    masks: values.mask ?? [],
    variable: values.variable,
    maskVariable: values["mask-variable"],
    wavelengths: values.wavelengths,
    server: values,
    log: values.log ?? false,
    chunkBytes: chunkBytesOf(values["chunk-bytes"]),
  };
}

export const OPTIONS = {
  ...OPEN_SERVER_OPTIONS,
  weights: { type: "string" },
  output: { type: "string", multiple: true },
  out: { type: "string" },
  mask: { type: "string", multiple: true },
  variable: { type: "string" },
  "mask-variable": { type: "string" },
  wavelengths: { type: "string" },
  log: { type: "boolean" },
} as const;

async function runInfer(options: Options, interrupt: AbortSignal): Promise<number> {
  const live = openLive(process.stdout);
  const file = await openPipelineFile(options.pipeline, options.weights);
  requireFitted(file, options.pipeline);
  const outputs = wantedOutputs(file.pipeline, options.outputs);
  const cubes = await findCubes(options.cubes, options.variable);
  if (options.masks.length > 0 && options.masks.length !== cubes.length) {
    throw new UsageError(
      `--mask is given ${options.masks.length} times for ${cubes.length} cubes; once for each is needed`,
    );
  }
  const wavelengthsNm = options.wavelengths === undefined ? undefined : await readWavelengths(options.wavelengths);
  const nodes = file.pipeline.nodes.length;
  live.print(
    `${file.name}: ${file.pipeline.name}, ${nodes} nodes${file.weights ? `, weights ${basename(file.weights.path)}` : ""}`,
  );

  const { chunkBytes } = options;
  const transfers = chunkBytes === undefined ? {} : { chunkBytes };
  await using connection = await openServer("infer", options.server, transfers, interrupt);
  live.print(connection.words);
  await using session = await openSession(connection.transport, file, interrupt);
  const outcomes: Outcome[] = [];
  for (const [index, path] of cubes.entries()) {
    interrupt.throwIfAborted();
    const job = {
      path,
      mask: options.masks[index],
      wavelengthsNm,
      outputs,
      sessionId: session.id,
      pipeline: file.pipeline,
    };
    try {
      outcomes.push(await inferOne(connection, job, options, live, interrupt));
    } catch (error) {
      if (interrupt.aborted || cubes.length === 1) throw error;
      // One cube that cannot be done is no reason to leave out the others.
      live.clear();
      process.stderr.write(`sortie: ${faultText(error)}\n`);
      outcomes.push({ cube: basename(path), seconds: 0, facts: [], failure: faultText(error) });
    }
  }
  if (cubes.length > 1) live.print(`\n${summaryText(outcomes)}`);
  return outcomes.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

/** Checked here, so that a wrong name is told before anything is sent. */
function wantedOutputs(pipeline: Pipeline, wanted: readonly string[]): readonly string[] {
  const keys = pipeline.outputKeys("inference");
  for (const name of wanted) {
    if (!keys.some((key) => key === name || key.endsWith(`.${name}`))) {
      throw new UsageError(`--output ${name}: the pipeline has no such output; it has ${keys.join(", ")}`);
    }
  }
  if (wanted.length > 0) return wanted;
  const sources = new Set(pipeline.nodes.filter(({ type }) => type.role === "source").map(({ name }) => name));
  const open = new Set(pipeline.openOutputs().map(({ node, port }) => `${node}.${port.name}`));
  const isSource = (key: string) => sources.has(key.slice(0, key.indexOf(".")));
  const chosen = keys.filter((key) => !isSource(key) && (open.has(key) || key.endsWith(".scores")));
  return chosen.length > 0 ? chosen : keys;
}

interface OpenSession extends AsyncDisposable {
  readonly id: string;
}

async function openSession(transport: Transport, file: PipelineFile, signal: AbortSignal): Promise<OpenSession> {
  const rpc = createClient(cuvis.CuvisAIService, transport);
  const { sessionId } = await rpc.createSession({}, { signal });
  const session = {
    id: sessionId,
    async [Symbol.asyncDispose]() {
      // It would end by itself.
      await rpc.closeSession({ sessionId }).catch(() => undefined);
    },
  };
  try {
    const configBytes = new TextEncoder().encode(JSON.stringify(file.config));
    await rpc.loadPipeline({ sessionId, pipeline: { configBytes } }, { signal });
    if (file.weights) {
      const weightsSource = { case: "weightsBytes", value: file.weights.bytes } as const;
      await rpc.loadPipelineWeights({ sessionId, weightsSource, strict: true }, { signal });
    }
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

interface CubeJob {
  readonly path: string;
  readonly mask: string | undefined;
  readonly wavelengthsNm: readonly number[] | undefined;
  readonly outputs: readonly string[];
  readonly sessionId: string;
  readonly pipeline: Pipeline;
}

async function inferOne(
  { transport, client, limits }: OpenServer,
  { path, mask: maskPath, wavelengthsNm, outputs, sessionId, pipeline }: CubeJob,
  options: Options,
  live: Live,
  interrupt: AbortSignal,
): Promise<Outcome> {
  const started = performance.now();
  const cube = await readCube(path, options.variable);
  const mask = maskPath === undefined ? undefined : await readMask(maskPath, options.maskVariable);
  const { arrays, notes } = batchOf(pipeline, cube, { wavelengthsNm, mask });
  for (const note of notes) process.stderr.write(`sortie: ${note}\n`);
  live.print(`${basename(path)}: ${describe(cube.cube)}`);

  const inference = new InferenceClient(transport, limits);
  const inputs = [...arrays].map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, bytes: bytesOf(data) }));
  let uploaded = 0;
  let chunks = 0;
  const jobId = await inference.submit(
    { sessionId, inputs, outputs },
    {
      signal: interrupt,
      onProgress: ({ doneBytes, totalBytes }) => {
        uploaded = doneBytes;
        chunks++;
        live.update(`uploading ${bytesText(doneBytes)} of ${bytesText(totalBytes)}`);
      },
    },
  );
  live.print(`uploaded ${bytesText(uploaded)} in ${chunks} chunks, job ${jobId}`);
  await ended(client, jobId, path, options, live, interrupt);
  const found = await inference.outputs(jobId, { signal: interrupt });
  const written = await writeOutputs(found, options.out, cube.name, mask?.data);
  await client.delete(jobId);
  for (const facts of written.facts) live.print(factsText(facts));
  for (const file of written.files) live.print(`wrote ${file}`);
  return { cube: basename(path), seconds: (performance.now() - started) / 1000, facts: written.facts };
}

/** "1 x 100 x 100 pixels, 189 bands, uint16" */
function describe({ dtype, shape }: NumericArray): string {
  const [images = 1, lines, samples, bands] = shape;
  return `${images === 1 ? "" : `${images} images of `}${lines} x ${samples} pixels, ${bands} bands, ${dtype}`;
}

/** Waits for the job; a Ctrl-C cancels it. */
async function ended(
  client: SortieClient,
  jobId: string,
  path: string,
  { log }: Options,
  live: Live,
  interrupt: AbortSignal,
): Promise<void> {
  const cancel = () => {
    live.print("cancelling ...");
    client.cancel(jobId).catch((error) => process.stderr.write(`sortie: ${faultText(error)}\n`));
  };
  if (interrupt.aborted) cancel();
  else interrupt.addEventListener("abort", cancel, { once: true });
  try {
    const logged = log ? printLog(client, jobId, live) : undefined;
    live.update("running");
    await client.wait(jobId);
    await logged;
  } catch (error) {
    if (error instanceof JobEndedError && error.state === "failed") {
      const { failure } = await client.job(jobId);
      throw new UsageError(`${path}: the job failed: ${failure || error.message}`);
    }
    if (error instanceof JobEndedError) await client.delete(jobId).catch(() => undefined);
    throw error;
  } finally {
    live.clear();
    interrupt.removeEventListener("abort", cancel);
  }
}

async function printLog(client: SortieClient, jobId: string, live: Live): Promise<void> {
  for await (const { text } of client.logs(jobId)) live.print(text);
}

function summaryText(outcomes: readonly Outcome[]): string {
  const short = (value: number): string => numberText(Number(value.toPrecision(6)));
  const rows = outcomes.flatMap(({ cube, seconds, facts, failure }) =>
    failure !== undefined
      ? [[cube, "failed"]]
      : facts.map(({ name, min, mean, max, auc }) => [
          cube,
          secondsText(seconds),
          name,
          short(min),
          short(mean),
          short(max),
          auc === undefined ? "-" : auc.toFixed(6),
        ]),
  );
  return tableText([["cube", "time", "output", "min", "mean", "max", "AUC"], ...rows]);
}
