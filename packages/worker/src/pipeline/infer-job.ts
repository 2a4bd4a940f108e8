// Runs an inference job: the pipeline as it was when the job was submitted, on inputs that were uploaded or lie in files.
import { create, toBinary } from "@bufbuild/protobuf";
import type { Attempt, Caller, NewResult, ResultArray, WorkerContext } from "@sortie/core";
import {
  convertArray,
  DataError,
  type DataFiles,
  dataFiles,
  describeArrayFile,
  type Engine,
  FileError,
  type Files,
  FormatError,
  isArtifacts,
  isTensor,
  type NumericArray,
  type Pipeline,
  type PipelineBatch,
  type PipelineDType,
  PipelineError,
  type PipelineTensor,
  type PipelineValue,
  pngOfArtifact,
  view,
} from "@sortie/pipeline";
import { type InferenceInput, inferenceOf, PipelineHost, readSnapshot } from "@sortie/sessions";
import { elementTypeOfDType, type InferenceResult, InferenceResultSchema, OutputArraySchema } from "@sortie/wire";
import { JobFailure, type JobRunner } from "../run-job.ts";

export interface InferOptions {
  readonly engine: Engine;
  /** The files that this tenant may name. */
  readonly filesOf: (caller: Caller) => Files;
}

const since = (started: number): number => (performance.now() - started) / 1000;

export function createInferRunner(context: WorkerContext, { engine, filesOf }: InferOptions): JobRunner {
  const host = new PipelineHost({ most: 1, filesOf });
  return async (attempt, signal) => {
    const started = performance.now();
    const task = inferenceOf(attempt.job);
    const caller: Caller = { tenant: attempt.job.tenant };
    try {
      // Built for this job alone: nodes that remember must not remember other jobs.
      const snapshot = await readSnapshot(context, task.snapshot, { signal });
      const pipeline = await host.build(context, snapshot, { signal, caller });
      await using _pipeline = { [Symbol.asyncDispose]: () => pipeline.close() };
      const batch = await loadBatch(attempt, pipeline, task.inputs, dataFiles(filesOf(caller)), signal);
      announce(attempt, pipeline, batch);
      const load = since(started);
      const runStarted = performance.now();
      const values = await pipeline.run(batch, {
        engine,
        stage: "inference",
        signal,
        giveInputs: true,
        ...(task.outputs === null ? {} : { outputs: task.outputs }),
      });
      signal.throwIfAborted();
      const solve = since(runStarted);
      attempt.log(`Ran in ${solve.toFixed(2)} s`);
      await attempt.complete(resultOf(values), { load, solve });
    } catch (error) {
      throw signal.aborted ? error : explained(error);
    }
  };
}

function announce(attempt: Attempt, pipeline: Pipeline, batch: PipelineBatch): void {
  const { job } = attempt;
  const again = job.attempt > 1 ? `, attempt ${job.attempt}` : "";
  const inputs = Object.entries(batch).map(([name, value]) =>
    isTensor(value) ? `${name} ${value.dtype} [${value.shape.join(", ")}]` : name,
  );
  attempt.log(`Sortie job ${job.id}${again}: INFER ${pipeline.name.slice(0, 200)} with ${inputs.join(", ")}`);
}

async function loadBatch(
  attempt: Attempt,
  pipeline: Pipeline,
  inputs: readonly InferenceInput[],
  files: DataFiles,
  signal: AbortSignal,
): Promise<PipelineBatch> {
  const isSent = (input: InferenceInput) => input.from === "upload" && input.shape.every((size) => size > 0);
  const sent = inputs.some(isSent) ? await attempt.loadInput({ signal }) : new Map<string, Uint8Array<ArrayBuffer>>();
  const batch: Record<string, PipelineValue> = {};
  for (const input of inputs) {
    signal.throwIfAborted();
    batch[input.name] =
      input.from === "json"
        ? (JSON.parse(input.json) as PipelineValue)
        : input.from === "file"
          ? await readFile(pipeline, input, files)
          : tensorOf(input, sent.get(input.name) ?? new Uint8Array());
  }
  return batch;
}

function tensorOf(
  { dtype, shape }: Extract<InferenceInput, { from: "upload" }>,
  bytes: Uint8Array<ArrayBuffer>,
): PipelineTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = view(dtype as PipelineDType, bytes.buffer, bytes.byteOffset, count);
  return { dtype, shape, data } as PipelineTensor;
}

/** An array of a file as its port takes it: with a batch axis, and of the port's type. */
async function readFile(
  pipeline: Pipeline,
  { name, path, variable }: Extract<InferenceInput, { from: "file" }>,
  files: DataFiles,
): Promise<PipelineTensor> {
  const port = pipeline.openInputs().find((open) => open.port.name === name)?.port;
  if (!port) throw new JobFailure(`input ${name}: the pipeline has no open port of this name`);
  const rank = port.shape.length;
  const found = await describeArrayFile(files, path, variable, [rank, rank - 1]);
  const array = await found.read();
  const shape = array.shape.length === rank ? array.shape : [1, ...array.shape];
  return typed({ ...array, shape } as NumericArray, port.type);
}

function typed(array: NumericArray, type: string): PipelineTensor {
  // Half floats exist in files only.
  const half = array.dtype === "float16" || array.dtype === "bfloat16";
  const wanted = type === "any" ? (half ? "float32" : array.dtype) : type;
  return convertArray(array, wanted as PipelineDType) as PipelineTensor;
}

type OutputArray = InferenceResult["arrays"][number];

function resultOf(values: ReadonlyMap<string, PipelineValue>): NewResult {
  const arrays: ResultArray[] = [];
  const listed: OutputArray[] = [];
  const numbers: Record<string, number> = {};
  const others: Record<string, string> = {};
  const list = (name: string, tensor: PipelineTensor, more: { mediaType?: string; caption?: string } = {}) => {
    const { dtype, shape, data } = tensor;
    arrays.push({ name, data, dtype, shape });
    listed.push(
      create(OutputArraySchema, {
        name,
        elementType: elementTypeOfDType(dtype),
        shape: shape.map(BigInt),
        bytes: BigInt(data.byteLength),
        ...more,
      }),
    );
  };
  for (const [key, value] of values) {
    if (value === undefined || value === null) continue;
    if (isTensor(value)) list(key, value);
    else if (typeof value === "number") numbers[key] = value;
    else if (Array.isArray(value) && value.length > 0 && isArtifacts(value)) {
      for (const [index, artifact] of value.entries()) {
        const data = pngOfArtifact(artifact);
        const { name, caption } = artifact;
        list(
          `${key}/${index}`,
          { dtype: "uint8", shape: [data.byteLength], data },
          { mediaType: "image/png", caption: caption || name },
        );
      }
    } else others[key] = JSON.stringify(value, plain);
  }
  const message = create(InferenceResultSchema, { arrays: listed, numbers, values: others });
  return {
    message: Buffer.from(toBinary(InferenceResultSchema, message)).toString("base64"),
    arrays,
    status: "completed",
  };
}

/** Arrays within lists and mappings as lists of numbers; 64-bit integers as numbers. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return ArrayBuffer.isView(value) ? Array.from(value as Uint8Array) : value;
}

/** What a caller can mend is said in words; what nobody expected stays as it is, for the log alone. */
function explained(error: unknown): unknown {
  const kinds = [DataError, FileError, FormatError, PipelineError];
  if (error instanceof Error && kinds.some((kind) => error instanceof kind)) {
    return new JobFailure(error.message, { cause: error });
  }
  return error;
}
