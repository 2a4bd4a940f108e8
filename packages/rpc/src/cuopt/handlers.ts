// The fourteen calls of CuOptRemoteService on top of core: what is asked, what is answered, nothing of how jobs work.
import { create } from "@bufbuild/protobuf";
import {
  type Caller,
  type Context,
  cancelJob,
  DomainError,
  deleteJob,
  feedsAreFinal,
  finishDownload,
  finishUpload,
  getJob,
  getUpload,
  isFinished,
  type Job,
  jobBlobs,
  jobIdFor,
  nextChange,
  putChunk,
  readDownload,
  readIncumbents,
  readLog,
  readResultArray,
  requireJob,
  type StoredArray,
  startDownload,
  startUpload,
  submitJob,
  touchUpload,
  unknownUpload,
  type Value,
  waitForJob,
} from "@sortie/core";
import {
  type ArrayChunk,
  type ChunkedResultHeader,
  ChunkedResultHeaderSchema,
  chunkedResultHeader,
  decodeStartChunkedUploadRequest,
  decodeSubmitJobRequest,
  doublesFromBytes,
  type EncodedMessage,
  type EncodedSolution,
  encodeFailureResponse,
  encodeIncumbentResponse,
  encodeResultResponse,
  type GenerationSigns,
  JobStatus,
  joinNames,
  ResponseStatus,
  ResultArrayDescriptorSchema,
  type ResultFieldId,
  type UploadHeader,
} from "@sortie/wire";
import { ARRAY_FIELDS, RESULT_LABELS, ROW_NAMES, VARIABLE_NAMES } from "./array-fields.ts";
import { checkChunkDigest, sha256Hex } from "./chunk-digests.ts";
import {
  type BroughtArray,
  foldReceipts,
  inspectChunk,
  readSettings,
  refuseQuadraticConstraints,
  solveJob,
  unaryJob,
  uploadDigest,
} from "./intake.ts";
import { STATUS_OF_STATE, statusText, waitText } from "./texts.ts";

export interface CuOptOptions {
  /** Largest message in either direction; told to clients. */
  readonly maxMessageBytes: number;
  /** Waits and streams end by themselves after so many milliseconds. Default: never. */
  readonly waitMs?: number | undefined;
}

/** On whose behalf, until when, and under which idempotency key a call is made. */
export interface Call {
  readonly caller: Caller;
  readonly signal: AbortSignal;
  readonly idempotencyKey?: string | undefined;
  /** The address by which the client reaches this server: where links of the server's own begin. */
  readonly baseUrl: string;
  /** The address that is to be told of the job that the call makes; not checked yet. */
  readonly webhook?: string | undefined;
  /** What the client says the SHA-256 of the chunk is that it sends; hexadecimal, not checked yet. */
  readonly chunkSha256?: string | undefined;
  /** Set where the client wants to know the SHA-256 of the chunk that it gets. */
  readonly tellChunkSha256?: ((sha256: string) => void) | undefined;
}

const LOG_SLICE_BYTES = 256 * 1024;
const FOLLOW_MS = 30_000;
/** How long a log waits for the last words of a worker whose job was cancelled. */
const LAST_WORDS_MS = 2_000;
/** Room that an answer needs beside its arrays. */
const ENVELOPE_BYTES = 4096;

/** Ids, counts and tags around one slice of a result; a client reckons with a tenth of the message. */
export const CHUNK_ENVELOPE_BYTES = 128;

/** What an upload's row keeps of its header. */
interface KeptHeader {
  readonly kind: "lp" | "mip";
  readonly maximize: boolean;
  readonly objectiveScaling: number | null;
  readonly objectiveOffset: number;
  readonly problemName: string;
  readonly objectiveName: string;
  readonly settings: string | null;
  readonly signs: GenerationSigns;
  readonly trackIncumbents: boolean;
}

export function createCuOptHandlers(context: Context, options: CuOptOptions) {
  const maxMessageBytes = BigInt(options.maxMessageBytes);
  const waitMs = options.waitMs ?? Number.POSITIVE_INFINITY;

  return {
    async submitJob(request: EncodedMessage, call: Call) {
      const started = context.clock.now();
      const { job: found, arrays } = unaryJob(decodeSubmitJobRequest(request), call.idempotencyKey);
      const job = { ...found, webhook: call.webhook };
      const jobId = jobIdFor(context, call.caller, job);
      await submitJob(context, call.caller, jobId, job, () => storeInput(context, jobId, arrays), started);
      return { jobId, message: "Job submitted successfully" };
    },

    async startChunkedUpload(request: EncodedMessage, call: Call) {
      const { header, kept } = readHeader(request);
      const uploadId = await startUpload(context, call.caller, kept);
      await storeHeaderNames(context, call, uploadId, header);
      return { uploadId, maxMessageBytes };
    },

    async sendArrayChunk(request: { uploadId: string; chunk?: ArrayChunk | undefined }, call: Call) {
      const { uploadId, chunk } = request;
      try {
        const field = addressedField(chunk);
        const data = chunk?.data ?? new Uint8Array();
        if (call.chunkSha256 !== undefined) {
          await checkChunkDigest(field.wireName, chunk?.elementOffset ?? 0n, data, call.chunkSha256);
        }
        const chunksReceived = await putChunk(
          context,
          call.caller,
          uploadId,
          {
            array: field.wireName,
            elementBytes: field.elementBytes,
            elementOffset: Number(chunk?.elementOffset ?? 0n),
            totalElements: Number(chunk?.totalElements ?? 0n),
            data,
          },
          inspectChunk(field.wireName),
          call,
        );
        if (chunk) giveBackMemory(chunk.data);
        return { uploadId, chunksReceived: BigInt(chunksReceived) };
      } catch (error) {
        if (error instanceof DomainError) {
          // Whatever else is wrong with a chunk, an unknown upload comes first; a known one is kept alive by the try.
          await getUpload(context, call.caller, uploadId, call);
          await touchUpload(context, uploadId);
        }
        throw error;
      }
    },

    async finishChunkedUpload(request: { uploadId: string }, call: Call) {
      const jobId = await finishUpload(
        context,
        call.caller,
        request.uploadId,
        (upload, arrays) => {
          const header = upload.header as unknown as KeptHeader;
          // The upload of an inference.
          if (header.kind !== "lp" && header.kind !== "mip") throw unknownUpload();
          const bytes = header.settings === null ? undefined : Buffer.from(header.settings, "base64");
          const idempotency =
            call.idempotencyKey === undefined
              ? undefined
              : { key: call.idempotencyKey, bodyDigest: uploadDigest(upload.header, arrays) };
          const job = solveJob(
            { ...header, objectiveScaling: header.objectiveScaling ?? undefined },
            foldReceipts(arrays),
            readSettings(header.kind, bytes, header.signs),
            idempotency,
          );
          return { ...job, webhook: call.webhook };
        },
        call.idempotencyKey,
      );
      return { jobId, message: "Job submitted via chunked arrays" };
    },

    async checkStatus(request: { jobId: string }, call: Call) {
      const job = await getJob(context, call.caller, request.jobId, call);
      if (!job) return { jobStatus: JobStatus.NOT_FOUND, message: "Job ID not found", maxMessageBytes };
      return {
        jobStatus: STATUS_OF_STATE[job.state],
        message: statusText(job),
        progress: progressOf(job),
        resultSizeBytes: resultSize(job),
        maxMessageBytes,
      };
    },

    async getResult(request: { jobId: string }, call: Call): Promise<Uint8Array> {
      const job = await requireJob(context, call.caller, request.jobId, call);
      if (job.state === "failed") {
        return encodeFailureResponse(ResponseStatus.ERROR_SOLVE_FAILED, job.failure ?? "no reason was recorded");
      }
      if (job.state !== "completed" || !job.result) {
        throw new DomainError("result-not-ready", `Result not ready: the job is ${job.state}`);
      }
      requireSolution(job);
      if (job.result.bytes > options.maxMessageBytes) throw tooBigForOneMessage(job, options);
      const response = encodeResultResponse(await loadResult(context, job, call));
      if (response.byteLength > options.maxMessageBytes) throw tooBigForOneMessage(job, options);
      return response;
    },

    async startChunkedDownload(request: { jobId: string }, call: Call) {
      requireSolution(await requireJob(context, call.caller, request.jobId, call));
      const { id, job } = await startDownload(context, call.caller, request.jobId);
      return { downloadId: id, header: downloadHeader(job), maxMessageBytes };
    },

    async getResultChunk(
      request: { downloadId: string; fieldId: number; elementOffset: bigint; maxElements: bigint },
      call: Call,
    ) {
      const { downloadId, fieldId, elementOffset } = request;
      const label = RESULT_LABELS[fieldId] ?? `field_id ${fieldId}`;
      const { data, elements } = await readDownload(
        context,
        call.caller,
        downloadId,
        { name: String(fieldId), label },
        Number(elementOffset),
        Number(request.maxElements),
        options.maxMessageBytes - CHUNK_ENVELOPE_BYTES,
        call,
      );
      call.tellChunkSha256?.(await sha256Hex(data));
      return { downloadId, fieldId, elementOffset, elementsInChunk: BigInt(elements), data };
    },

    async finishChunkedDownload(request: { downloadId: string }, call: Call) {
      await finishDownload(context, call.caller, request.downloadId);
      return { downloadId: request.downloadId };
    },

    async deleteResult(request: { jobId: string }, call: Call) {
      if (await deleteJob(context, call.caller, request.jobId)) {
        return { status: ResponseStatus.SUCCESS, message: "Result deleted successfully" };
      }
      return { status: ResponseStatus.ERROR_NOT_FOUND, message: `Job ID not found: ${request.jobId}` };
    },

    async cancelJob(request: { jobId: string }, call: Call) {
      const done = await cancelJob(context, call.caller, request.jobId);
      if (done.outcome === "unknown") {
        return {
          status: ResponseStatus.ERROR_NOT_FOUND,
          message: "Job ID not found",
          jobStatus: JobStatus.NOT_FOUND,
        };
      }
      const jobStatus = STATUS_OF_STATE[done.job.state];
      if (done.outcome === "already-finished") {
        return {
          status: ResponseStatus.ERROR_INVALID_REQUEST,
          message: `Cannot cancel ${done.job.state} job`,
          jobStatus,
        };
      }
      const message = done.outcome === "cancelled" ? "Job cancelled successfully" : "Job already cancelled";
      return { status: ResponseStatus.SUCCESS, message, jobStatus };
    },

    async waitForCompletion(request: { jobId: string }, call: Call) {
      const known = await getJob(context, call.caller, request.jobId, call);
      if (!known) return { jobStatus: JobStatus.NOT_FOUND, message: "Job not found" };
      const job = await waitForJob(context, call.caller, request.jobId, call, waitMs);
      if (!job) return { jobStatus: JobStatus.NOT_FOUND, message: "Job not found: it was deleted" };
      return { jobStatus: STATUS_OF_STATE[job.state], message: waitText(job), resultSizeBytes: resultSize(job) };
    },

    async *streamLogs(request: { jobId: string; fromByte: bigint }, call: Call) {
      let job: Job | undefined = await requireJob(context, call.caller, request.jobId, call);
      let at = Math.max(0, Number(request.fromByte));
      const end = context.clock.now() + waitMs;
      let lastWordsUntil: number | undefined;
      while (true) {
        const slice = await readLog(context, job, at, LOG_SLICE_BYTES, call);
        for (const { line, end } of linesOf(slice.bytes, at)) {
          yield { line, byteOffset: BigInt(end), jobComplete: false };
        }
        at = slice.end;
        if (slice.bytes.byteLength > 0 && at < job.logEnd) continue;
        if (feedsAreFinal(job)) break;
        const left = end - context.clock.now();
        if (left <= 0) return;
        let sliceMs = Math.min(FOLLOW_MS, left);
        if (isFinished(job.state)) {
          lastWordsUntil ??= context.clock.now() + LAST_WORDS_MS;
          sliceMs = Math.min(sliceMs, lastWordsUntil - context.clock.now());
          if (sliceMs <= 0) break;
        }
        job = await nextChange(context, call.caller, job, sliceMs, call);
        if (!job) throw new DomainError("job-unknown", "Job not found: it was deleted");
      }
      yield { line: "", byteOffset: BigInt(at), jobComplete: true };
    },

    async getIncumbents(
      request: { jobId: string; fromIndex: bigint; maxCount: number },
      call: Call,
    ): Promise<Uint8Array> {
      const job = await requireJob(context, call.caller, request.jobId, call);
      const from = Math.min(Math.max(0, Number(request.fromIndex)), job.incumbentCount);
      const count = request.maxCount <= 0 ? Number.POSITIVE_INFINITY : request.maxCount;
      // An answer that no client could receive helps nobody: the rest comes with the next call.
      const budget = options.maxMessageBytes - Math.min(ENVELOPE_BYTES, options.maxMessageBytes / 4);
      const incumbents = await readIncumbents(context, job, from, count, budget, call);
      return encodeIncumbentResponse(
        incumbents.map((incumbent) => ({ jobId: job.id, ...incumbent })),
        from + incumbents.length,
        isFinished(job.state),
      );
    },
  };
}

export type CuOptHandlers = ReturnType<typeof createCuOptHandlers>;

/** Stores the arrays of a unary request in one blob. */
export async function storeInput(context: Context, jobId: string, arrays: readonly BroughtArray[]) {
  const blob = await context.blobs.put(
    `${jobBlobs(jobId)}input`,
    arrays.map((array) => array.bytes),
  );
  let byteOffset = 0;
  const stored = arrays.map(({ name, elementBytes, bytes }): StoredArray => {
    const array = { name, elementBytes, count: bytes.byteLength / elementBytes, blob, byteOffset };
    byteOffset += bytes.byteLength;
    return array;
  });
  return { kind: "stored", arrays: stored } as const;
}

/** Settings that cannot be read are refused now rather than after the upload. */
export function readHeader(request: EncodedMessage): {
  readonly header: UploadHeader;
  readonly kept: { readonly [key: string]: Value };
} {
  const header = decodeStartChunkedUploadRequest(request);
  refuseQuadraticConstraints(header.quadraticConstraints);
  readSettings(header.kind, header.settings, header.generationSigns);
  return { header, kept: keptHeader(header) as unknown as Record<string, Value> };
}

function keptHeader(header: UploadHeader): KeptHeader {
  return {
    kind: header.kind,
    maximize: header.maximize,
    objectiveScaling: header.objectiveScalingFactor ?? null,
    objectiveOffset: header.objectiveOffset,
    problemName: header.problemName,
    objectiveName: header.objectiveName,
    settings: header.settings === undefined ? null : Buffer.from(header.settings).toString("base64"),
    signs: header.generationSigns,
    // Absent means off in a header.
    trackIncumbents: header.enableIncumbents ?? false,
  };
}

/** Names in the header are kept like arrays of their own, which those sent in chunks override. */
export async function storeHeaderNames(
  context: Context,
  call: Call,
  uploadId: string,
  header: UploadHeader,
): Promise<void> {
  for (const [field, names] of [
    [VARIABLE_NAMES, header.variableNames],
    [ROW_NAMES, header.rowNames],
  ] as const) {
    if (names.length === 0) continue;
    const data = joinNames(names);
    await putChunk(
      context,
      call.caller,
      uploadId,
      { array: `header_${field.wireName}`, elementBytes: 1, elementOffset: 0, totalElements: data.byteLength, data },
      () => null,
      { signal: call.signal },
      false,
    );
  }
}

/** Smaller buffers may be pieces of a pool that others use as well. */
const OWN_BUFFER_BYTES = 1024 * 1024;

/**
 * Lets go of the memory behind a large chunk that nobody will look at any more, rather than leave it to the collector,
 * which lets some hundred MiB of such chunks gather first. Only where the chunk is all that the buffer holds.
 */
export function giveBackMemory(data: Uint8Array): void {
  const { buffer, byteLength } = data;
  if (!(buffer instanceof ArrayBuffer) || byteLength < OWN_BUFFER_BYTES) return;
  if (buffer.byteLength - byteLength < ENVELOPE_BYTES) buffer.transfer(0);
}

/** The array that a chunk is for. @throws DomainError "invalid-argument" */
function addressedField(chunk: ArrayChunk | undefined) {
  const wrong = (text: string) => new DomainError("invalid-argument", text);
  const fieldId = chunk?.fieldId ?? 0;
  const container = chunk?.containerFieldNum;
  const index = chunk?.containerIndex;
  if ((container === undefined) !== (index === undefined)) {
    const [there, missing] =
      container === undefined ? ["container_index", "container_field_num"] : ["container_field_num", "container_index"];
    throw wrong(`${there} is set without ${missing}: a container array needs both, a plain array neither`);
  }
  if (container !== undefined && index !== undefined) {
    if (index < 0) throw wrong(`container_index must be non-negative, found ${index}`);
    if (container !== 25 || fieldId < 0 || fieldId > 4) {
      throw wrong(`Unknown container array: container_field_num ${container}, field_id ${fieldId}`);
    }
    throw wrong("ValidationError: quadratic_constraints: arrays of quadratic constraints are not supported here");
  }
  const field = ARRAY_FIELDS[fieldId];
  if (!field) throw wrong(`Unknown array field_id: ${fieldId}`);
  return field;
}

const resultSize = (job: Job): bigint => BigInt(job.state === "completed" ? (job.result?.bytes ?? 0) : 0);

/** 0 to 1. For a MIP that runs, how much of its gap is closed. */
function progressOf(job: Job): number {
  if (job.state === "completed") return 1;
  const gap = job.state === "processing" ? job.progress["gap"] : undefined;
  return typeof gap === "number" ? Math.min(1, Math.max(0, 1 - gap)) : 0;
}

function tooBigForOneMessage(job: Job, options: CuOptOptions): DomainError {
  return new DomainError(
    "too-large",
    `The result has ${job.result?.bytes} bytes and a message at most ${options.maxMessageBytes}; ` +
      "fetch it with StartChunkedDownload, GetResultChunk and FinishChunkedDownload",
  );
}

const messageOf = (job: Job): Uint8Array => Buffer.from(job.result?.message ?? "", "base64");

const isSolve = (job: Job): boolean => job.kind === "lp" || job.kind === "mip";

function requireSolution(job: Job): void {
  if (isSolve(job)) return;
  throw new DomainError(
    "wrong-state",
    `The job is of kind ${job.kind} and has no solution; outputs of inferences come from sortie.v1.InferenceService`,
  );
}

const kindOf = (job: Job): "lp" | "mip" => (job.kind === "mip" ? "mip" : "lp");

async function loadResult(context: Context, job: Job, call: Call): Promise<EncodedSolution> {
  const arrays = await Promise.all(
    (job.result?.arrays ?? []).map(
      async (stored) =>
        [Number(stored.name) as ResultFieldId, doublesFromBytes(await readResultArray(context, stored, call))] as const,
    ),
  );
  return { kind: kindOf(job), message: messageOf(job), arrays: new Map(arrays) };
}

/** All scalars, and a descriptor for each array, which are all non-empty. Empty for a job that solves nothing. */
export function downloadHeader(job: Job): ChunkedResultHeader {
  if (!isSolve(job)) return create(ChunkedResultHeaderSchema);
  const header = chunkedResultHeader({ kind: kindOf(job), message: messageOf(job), arrays: new Map() });
  header.arrays = (job.result?.arrays ?? []).map(({ name, count, elementBytes }) =>
    create(ResultArrayDescriptorSchema, {
      fieldId: Number(name),
      totalElements: BigInt(count),
      elementSizeBytes: BigInt(elementBytes),
    }),
  );
  return header;
}

/** The lines of a stretch of log, each with the byte offset after it. */
function* linesOf(bytes: Uint8Array, from: number): Generator<{ line: string; end: number }> {
  let start = 0;
  while (start < bytes.byteLength) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.byteLength : newline;
    const next = newline < 0 ? end : newline + 1;
    yield { line: Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8"), end: from + next };
    start = next;
  }
}
