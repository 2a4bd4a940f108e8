// sortie.v1.InferenceService: inferences as jobs. Inputs come in chunks under the names of ports, or lie in files; outputs are
// fetched in chunks.
import { createHash } from "node:crypto";
import { fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Context,
  DomainError,
  endDownload,
  finishDownload,
  finishUpload,
  getUpload,
  type Job,
  jobBlobs,
  jobIdFor,
  type NewJob,
  putChunk,
  type ReceivedArray,
  readDownload,
  requireJob,
  startDownload,
  startUpload,
  submitJob,
  submittedBefore,
  unknownUpload,
  uploadBlobs,
  uploadState,
  type Value,
} from "@sortie/core";
import {
  bytesPerElement,
  checkShape,
  dataFiles,
  describeArrayFile,
  type Files,
  itemBytes,
  type OpenPort,
  type Pipeline,
  type PipelineDType,
  PipelineError,
  portSizes,
} from "@sortie/pipeline";
import {
  dropSnapshot,
  type InferenceTask,
  type LoadedPipeline,
  openSession,
  type PipelineSnapshot,
  type InferenceInput as TaskInput,
  takeSnapshot,
} from "@sortie/sessions";
import {
  dtypeOfElementType,
  ElementType,
  type InferenceInput,
  InferenceResultSchema,
  type SendInputChunkRequest,
  type SubmitInferenceRequest,
  SubmitInferenceRequestSchema,
  type UploadedInputSchema,
  UploadState,
} from "@sortie/wire";
import { type Call, CHUNK_ENVELOPE_BYTES, giveBackMemory } from "../cuopt/handlers.ts";
import type { CuvisContext } from "../cuvis/context.ts";

export interface InferenceOptions {
  /** Largest message in either direction; told to clients. */
  readonly maxMessageBytes: number;
  /** Workers with a GPU have an execution provider for it. */
  readonly usesGpu?: boolean | undefined;
}

/** What a worker takes without any input: the runtime, a pipeline, its compiled graphs. */
const WORKER_BYTES = 512 * 1024 ** 2;
/** The input, its copy in other types on the way, and outputs. */
const COPIES = 3;
/** What a file is taken to hold at least: it may be compressed, or describe another. */
const FILE_BYTES = 256 * 1024 ** 2;
const LONGEST_JSON = 65_536;
const KIND = "infer";
/** Names are parts of keys. */
const INPUT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const wrong = (text: string): DomainError => new DomainError("invalid-argument", text);

export function createInferenceHandlers(context: CuvisContext, options: InferenceOptions) {
  const maxMessageBytes = BigInt(options.maxMessageBytes);

  return {
    async startInputUpload(_request: object, call: Call) {
      return { uploadId: await startUpload(context, call.caller, { kind: KIND }), maxMessageBytes };
    },

    async sendInputChunk(request: SendInputChunkRequest, call: Call) {
      const { uploadId, input, data } = request;
      await ownUpload(context, call, uploadId);
      if (!INPUT_NAME.test(input)) throw wrong(`input ${JSON.stringify(input.slice(0, 200))} is no name of a port`);
      const chunk = {
        array: input,
        elementBytes: 1,
        elementOffset: Number(request.byteOffset),
        totalElements: Number(request.totalBytes),
        data,
      };
      const chunks = await putChunk(context, call.caller, uploadId, chunk, () => null, call);
      giveBackMemory(data);
      return { chunksReceived: BigInt(chunks) };
    },

    async getInputState({ uploadId }: { uploadId: string }, call: Call) {
      const found = await uploadState(context, call.caller, uploadId, call);
      if (found.state === "submitted") {
        const job = await requireJob(context, call.caller, found.jobId, call);
        if (job.kind !== KIND) throw unknownUpload();
        return { state: UploadState.SUBMITTED, jobId: found.jobId };
      }
      await ownUpload(context, call, uploadId);
      const inputs = found.arrays.map(({ name, elements, receivedElements, received }) => ({
        name,
        totalBytes: BigInt(elements),
        receivedBytes: BigInt(receivedElements),
        received: received.map((range) => ({
          byteOffset: BigInt(range.elementOffset),
          bytes: BigInt(range.elements),
        })),
      })) satisfies MessageInitShape<typeof UploadedInputSchema>[];
      return { state: UploadState.OPEN, inputs, expiresAt: timestampFromMs(found.expiresAt) };
    },

    async submitInference(request: SubmitInferenceRequest, call: Call) {
      const idempotency = idempotencyOf(call, request);
      // First of all: the session and the upload of a submission whose answer was lost may be gone.
      const earlier = idempotency && (await submittedBefore(context, call.caller, idempotency));
      if (earlier !== undefined) return { jobId: earlier };
      const session = await pipelineOf(context, call, request.sessionId);
      const { pipeline } = session;
      const ports = openPorts(pipeline);
      const inputs = await readInputs(context, call, request, ports);
      const fileBytes = await bytesInFiles(context.filesOf(call.caller), inputs);
      const outputs = readOutputs(pipeline, request.outputs);
      const jobOf = (arrays: readonly ReceivedArray[], snapshot: PipelineSnapshot): NewJob => {
        const task: InferenceTask = { sessionId: request.sessionId, snapshot, inputs, outputs };
        return {
          needs: needsOf(inputs, arrays, fileBytes, options.usesGpu ?? false),
          work: task as unknown as { readonly [key: string]: Value },
          idempotency,
          webhook: call.webhook,
        };
      };
      if (request.uploadId !== "") {
        await ownUploadOr(context, call, request.uploadId);
        return { jobId: await finish(context, call, request.uploadId, inputs, session, jobOf) };
      }
      const uploaded = inputs.find(({ from }) => from === "upload");
      if (uploaded) throw wrong(`input ${uploaded.name}: no upload_id is given and no file; one of them is needed`);
      return { jobId: await submitWithoutUpload(context, call, session, jobOf) };
    },

    async startOutputDownload({ jobId }: { jobId: string }, call: Call) {
      requireInference(await requireJob(context, call.caller, jobId, call));
      const { id, job } = await startDownload(context, call.caller, jobId);
      const message = Buffer.from(job.result?.message ?? "", "base64");
      try {
        return { downloadId: id, result: fromBinary(InferenceResultSchema, message), maxMessageBytes };
      } catch (error) {
        await endDownload(context, call.caller, id);
        throw error;
      }
    },

    async getOutputChunk(
      request: { downloadId: string; output: string; byteOffset: bigint; maxBytes: bigint },
      call: Call,
    ) {
      const { downloadId, output } = request;
      const { data } = await readDownload(
        context,
        call.caller,
        downloadId,
        { name: output, label: output },
        Number(request.byteOffset),
        Number(request.maxBytes),
        options.maxMessageBytes - CHUNK_ENVELOPE_BYTES,
        call,
        "bytes",
      );
      return { byteOffset: request.byteOffset, data };
    },

    async finishOutputDownload({ downloadId }: { downloadId: string }, call: Call) {
      await finishDownload(context, call.caller, downloadId);
      return {};
    },
  };
}

/** @throws DomainError "upload-unknown" also for an upload of another kind */
async function ownUpload(context: Context, call: Call, uploadId: string): Promise<void> {
  const { header } = await getUpload(context, call.caller, uploadId, call);
  if (header["kind"] !== KIND) throw unknownUpload();
}

/** As above; a repeat of a submission under its key is let through, to get the first answer. */
async function ownUploadOr(context: Context, call: Call, uploadId: string): Promise<void> {
  if (call.idempotencyKey === undefined) return ownUpload(context, call, uploadId);
  const found = await uploadState(context, call.caller, uploadId, call);
  if (found.state === "open") await ownUpload(context, call, uploadId);
}

function requireInference(job: Job): void {
  if (job.kind === KIND) return;
  throw new DomainError("wrong-state", `The job is of kind ${job.kind}; only inferences have outputs`);
}

interface SessionPipeline {
  readonly sessionId: string;
  readonly loaded: LoadedPipeline;
  readonly pipeline: Pipeline;
}

/** @throws DomainError "session-unknown", "wrong-state" without a pipeline */
async function pipelineOf(context: CuvisContext, call: Call, sessionId: string): Promise<SessionPipeline> {
  const { state } = await openSession(context, call.caller, sessionId);
  if (!state.pipeline) {
    throw new DomainError("wrong-state", "This session has no pipeline: call LoadPipeline or RestoreTrainRun first");
  }
  const loaded = state.pipeline;
  return { sessionId, loaded, pipeline: await context.host.ready(context, loaded, call) };
}

/** @throws DomainError "unavailable" where the session was given other weights in this moment */
async function snapshotOf(
  context: CuvisContext,
  call: Call,
  { sessionId, loaded }: SessionPipeline,
  prefix: string,
): Promise<PipelineSnapshot> {
  try {
    return await takeSnapshot(context, loaded, prefix, call);
  } catch (error) {
    const { state } = await openSession(context, call.caller, sessionId);
    if (state.pipeline?.generation === loaded.generation) throw error;
    throw new DomainError("unavailable", "The session's pipeline was changed while the job was submitted; try again", {
      cause: error,
    });
  }
}

/** Open ports of the nodes that run, by name. */
function openPorts(pipeline: Pipeline): ReadonlyMap<string, readonly OpenPort[]> {
  const running = new Set(pipeline.nodes.filter((node) => node.runsIn("inference")).map(({ name }) => name));
  return Map.groupBy(
    pipeline.openInputs().filter(({ node }) => running.has(node)),
    ({ port }) => port.name,
  );
}

/** Every declared input, checked against its ports. @throws DomainError "invalid-argument" naming the input */
async function readInputs(
  context: CuvisContext,
  call: Call,
  request: SubmitInferenceRequest,
  ports: ReadonlyMap<string, readonly OpenPort[]>,
): Promise<TaskInput[]> {
  const inputs: TaskInput[] = [];
  const seen = new Set<string>();
  for (const input of request.inputs) {
    const { name } = input;
    if (seen.has(name)) throw wrong(`input ${name} is declared twice`);
    seen.add(name);
    const takers = ports.get(name);
    if (!takers) {
      throw wrong(`input ${name}: the pipeline has no open port of this name; it has ${[...ports.keys()].join(", ")}`);
    }
    inputs.push(await readInput(context, call, input, takers));
  }
  for (const [name, takers] of ports) {
    const required = takers.find((taker) => taker.required);
    if (required && !seen.has(name)) {
      throw wrong(`input ${name} is missing: node '${required.node}' needs it as ${portText(required)}`);
    }
  }
  return inputs;
}

const portText = ({ port }: OpenPort): string => `${port.type} [${portSizes(port).join(", ")}]`;

async function readInput(
  context: CuvisContext,
  call: Call,
  input: InferenceInput,
  takers: readonly OpenPort[],
): Promise<TaskInput> {
  const { name, source } = input;
  if (source.case === "file") {
    const files = context.filesOf(call.caller);
    const path = files.absolute(source.value.path);
    if ((await files.stat(path))?.kind !== "file") {
      throw wrong(`input ${name}: there is no file ${source.value.path} in the folders that this server may read`);
    }
    return { name, from: "file", path, variable: source.value.variable || null };
  }
  if (source.case === "json") {
    if (source.value.length > LONGEST_JSON) {
      throw wrong(`input ${name}: json has ${source.value.length} characters; at most ${LONGEST_JSON} are allowed`);
    }
    fits(name, { type: typeOfJson(name, source.value), shape: [] }, takers);
    return { name, from: "json", json: source.value };
  }
  const dtype = dtypeOfElementType(input.elementType);
  if (dtype === undefined) {
    throw wrong(
      `input ${name}: element_type is ${ElementType[input.elementType] ?? input.elementType}; it must be given`,
    );
  }
  const shape = input.shape.map(Number);
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw wrong(`input ${name}: shape [${input.shape.join(", ")}] has a size that is no count`);
  }
  fits(name, { type: dtype, shape }, takers);
  return { name, from: "upload", dtype, shape };
}

function typeOfJson(name: string, text: string): "text" | "int" | "list" | "dict" {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`input ${name}: ${(error as Error).message}`);
  }
  if (typeof value === "string") return "text";
  if (typeof value === "number") return "int";
  return Array.isArray(value) ? "list" : "dict";
}

function fits(name: string, found: Parameters<typeof checkShape>[0], takers: readonly OpenPort[]): void {
  for (const { node, port } of takers) {
    try {
      checkShape(found, port, node);
    } catch (error) {
      if (error instanceof PipelineError) throw wrong(`input ${name}: ${error.message}`);
      throw error;
    }
  }
}

/** @throws DomainError "invalid-argument" naming the output */
function readOutputs(pipeline: Pipeline, wanted: readonly string[]): string[] | null {
  if (wanted.length === 0) return null;
  const keys = pipeline.outputKeys("inference");
  const isNamed = (key: string, name: string) => key === name || key.slice(key.indexOf(".") + 1) === name;
  for (const name of wanted) {
    if (!keys.some((key) => isNamed(key, name))) {
      throw wrong(`output ${name}: the pipeline has no such output; it has ${keys.join(", ")}`);
    }
  }
  return keys.filter((key) => wanted.some((name) => isNamed(key, name)));
}

const bytesOf = ({ dtype, shape }: Extract<TaskInput, { from: "upload" }>): number =>
  shape.reduce((product, size) => product * size, bytesPerElement(dtype as PipelineDType));

/** What the files are thought to hold. That one cannot be read, the job tells. */
async function bytesInFiles(files: Files, inputs: readonly TaskInput[]): Promise<number> {
  let bytes = 0;
  for (const input of inputs) {
    if (input.from !== "file") continue;
    const { path } = input;
    const found = path.toLowerCase().endsWith(".hdr") ? enviBytes(files, path) : fileSize(files, path);
    bytes += Math.max(FILE_BYTES, await found.catch(() => 0));
  }
  return bytes;
}

async function fileSize(files: Files, path: string): Promise<number> {
  await using source = await files.open(path);
  return source.size;
}

async function enviBytes(files: Files, path: string): Promise<number> {
  const { shape, dtype } = await describeArrayFile(dataFiles(files), path, null, [3]);
  return shape.reduce((product, size) => product * size, itemBytes(dtype));
}

function needsOf(
  inputs: readonly TaskInput[],
  arrays: readonly ReceivedArray[],
  fileBytes: number,
  usesGpu: boolean,
): NewJob["needs"] {
  const bytes = arrays.reduce((sum, array) => sum + array.elements, 0) + fileBytes;
  const elements = inputs.reduce(
    (sum, input) => sum + (input.from === "upload" ? input.shape.reduce((product, size) => product * size, 1) : 0),
    0,
  );
  return { kind: "infer", memoryBytes: WORKER_BYTES + COPIES * bytes, elements, usesGpu };
}

/** The request names its upload, whose content is settled once a job has it. */
function idempotencyOf(call: Call, request: SubmitInferenceRequest): NewJob["idempotency"] {
  if (call.idempotencyKey === undefined) return undefined;
  const body = createHash("sha256").update(toBinary(SubmitInferenceRequestSchema, request));
  return { key: call.idempotencyKey, bodyDigest: body.digest("hex") };
}

type JobOf = (arrays: readonly ReceivedArray[], snapshot: PipelineSnapshot) => NewJob;

/** The upload becomes the job's input; the snapshot lies with it. */
async function finish(
  context: CuvisContext,
  call: Call,
  uploadId: string,
  inputs: readonly TaskInput[],
  session: SessionPipeline,
  jobOf: JobOf,
): Promise<string> {
  let snapshot: PipelineSnapshot | undefined;
  try {
    return await finishUpload(
      context,
      call.caller,
      uploadId,
      async (_upload, arrays) => {
        checkArrays(inputs, arrays);
        snapshot = await snapshotOf(context, call, session, uploadBlobs(uploadId));
        return jobOf(arrays, snapshot);
      },
      call.idempotencyKey,
    );
  } catch (error) {
    if (snapshot) await dropSnapshot(context, snapshot).catch((fault) => context.onFault("dropping a snapshot", fault));
    throw error;
  }
}

/** @throws DomainError "invalid-argument" naming the input */
function checkArrays(inputs: readonly TaskInput[], arrays: readonly ReceivedArray[]): void {
  const sent = new Map(arrays.map((array) => [array.name, array.elements]));
  for (const input of inputs) {
    if (input.from !== "upload") continue;
    const needed = bytesOf(input);
    const found = sent.get(input.name) ?? 0;
    sent.delete(input.name);
    if (found === needed) continue;
    const { name, dtype, shape } = input;
    throw wrong(`input ${name}: ${found} bytes were sent; ${dtype} [${shape.join(", ")}] has ${needed}`);
  }
  const [left] = sent.keys();
  if (left !== undefined) throw wrong(`input ${left} was sent, but the request does not declare it`);
}

async function submitWithoutUpload(
  context: CuvisContext,
  call: Call,
  session: SessionPipeline,
  jobOf: JobOf,
): Promise<string> {
  const key = call.idempotencyKey === undefined ? undefined : { key: call.idempotencyKey, bodyDigest: "" };
  const jobId = jobIdFor(context, call.caller, { idempotency: key });
  const snapshot = await snapshotOf(context, call, session, jobBlobs(jobId));
  let created = false;
  try {
    const job = jobOf([], snapshot);
    const input = async () => ({ kind: "stored", arrays: [] }) as const;
    ({ created } = await submitJob(context, call.caller, jobId, job, input, context.clock.now()));
    return jobId;
  } finally {
    if (!created) {
      await dropSnapshot(context, snapshot).catch((fault) => context.onFault("dropping a snapshot", fault));
    }
  }
}
