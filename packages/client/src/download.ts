// The result of a job on its way home: in one message, or in slices of which several are in flight.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  asBytes,
  type ChunkedResultHeader,
  ChunkedResultHeaderSchema,
  type DecodedSolution,
  decodeResultResponse,
  forEachField,
  type GetResultChunkResponse,
  LPSolutionSchema,
  MessageBuilder,
  MIPSolutionSchema,
  ProblemCategory,
  type RawMessage,
  ResponseStatus,
  ResultFieldId,
  rawFields,
  resultSizeBytes,
  type SettingsKind,
} from "@sortie/wire";
import { type CallOptions, call, type Service, type TransferProgress } from "./context.ts";
import { CHUNK_SHA256_HEADER, sha256Hex, WANT_CHUNK_SHA256_HEADER } from "./digest.ts";
import { JobEndedError, RemoteError, TransferFaultError } from "./errors.ts";
import { inParallel } from "./in-parallel.ts";
import { repeated } from "./repeat.ts";

export type SolveResult = DecodedSolution;

export interface ResultOptions extends CallOptions {
  /** Told after every slice, and once after a result that came in one message. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** What the job was: a result of the other kind is an error, where it would else be returned as what it is. */
  readonly kind?: SettingsKind | undefined;
  /** Calls that failed on the way are repeated, with growing pauses and a bound. Against Sortie only. Default false. */
  readonly repeat?: boolean | undefined;
}

const ELEMENT_BYTES = 8;
/** Number of the field of LPSolution that holds the warm start. */
const WARM_START = 4;
/** Letting go of a download is worth no longer wait. */
const FINISH_MS = 5_000;

/**
 * The result of a completed job: in one message, or in slices where its size or the server demands that.
 * @throws JobEndedError if the job failed; TransferFaultError if what came is no result, or not of the job's kind
 */
export async function downloadResult(
  service: Service,
  jobId: string,
  options: ResultOptions = {},
): Promise<SolveResult> {
  const { limits, server } = service;
  const { resultBytes, maxMessageBytes } = await sizeOf(service, jobId, options);
  const most = Math.min(limits.maxMessageBytes, maxMessageBytes || server?.maxMessageBytes || Number.POSITIVE_INFINITY);
  const whole =
    resultBytes > most || (wantsDigests(service) && resultBytes > 0)
      ? undefined
      : await inOneMessage(service, jobId, options);
  const result = whole ?? (await inSlices(service, jobId, options));
  if (options.kind !== undefined && result.kind !== options.kind) {
    throw new TransferFaultError(
      `the server's result for job ${jobId} is that of ${KIND_WORDS[result.kind]}; the job is ${KIND_WORDS[options.kind]}`,
    );
  }
  return result;
}

/** Only slices have digests. */
const wantsDigests = ({ limits, server }: Service): boolean => limits.transferHash && (server?.isSortie ?? false);

const KIND_WORDS = { lp: "a linear program", mip: "a mixed-integer program" } as const;

/** Where the server does not say, the size counts as 0: the other call tells. */
async function sizeOf(service: Service, jobId: string, options: ResultOptions) {
  try {
    const ask = () => service.solver.checkStatus({ jobId }, call(options));
    const status = await repeated(ask, repeats(service, options));
    return { resultBytes: Number(status.resultSizeBytes), maxMessageBytes: Number(status.maxMessageBytes) };
  } catch (error) {
    if (options.signal?.aborted || !(error instanceof RemoteError)) throw error;
    return { resultBytes: 0, maxMessageBytes: 0 };
  }
}

/** Nothing that a download asks changes anything, so all of it may be repeated. */
const repeats = ({ server }: Service, { repeat = false, signal }: ResultOptions) => ({
  repeat: repeat && (server?.isSortie ?? false),
  signal,
});

/** @returns undefined if the result is too large for one message */
async function inOneMessage(service: Service, jobId: string, options: ResultOptions): Promise<SolveResult | undefined> {
  let message: RawMessage;
  try {
    const ask = () => service.solver.getResult({ jobId }, call(options));
    message = await repeated(ask, repeats(service, options));
  } catch (error) {
    if (error instanceof RemoteError && error.code === "resource-exhausted") return undefined;
    throw error;
  }
  const { status, errorMessage, solution } = decodeResultResponse(rawFields(message));
  if (status !== ResponseStatus.SUCCESS) throw new JobEndedError("failed", errorMessage, jobId);
  if (!solution) throw new TransferFaultError(`the server's answer for job ${jobId} holds no solution`);
  const totalBytes = resultSizeBytes(solution.arrays);
  options.onProgress?.({ doneBytes: totalBytes, totalBytes });
  return solution;
}

async function inSlices(service: Service, jobId: string, options: ResultOptions): Promise<SolveResult> {
  const { solver, limits } = service;
  const start = () => solver.startChunkedDownload({ jobId }, call(options));
  const { downloadId, header, maxMessageBytes } = await repeated(start, repeats(service, options));
  try {
    if (!header) throw new TransferFaultError(`the server's answer for job ${jobId} holds no header`);
    const arrays = targetsOf(header);
    const totalBytes = resultSizeBytes(arrays);
    let doneBytes = 0;
    const slices = slicesOf(arrays, limits.chunkBytesFor(maxMessageBytes));
    const inFlight = {
      width: limits.parallelChunks,
      bytes: limits.bytesInFlight,
      bytesOf: ({ elements }: Slice) => elements * ELEMENT_BYTES,
      signal: options.signal,
    };
    await inParallel(slices, inFlight, async (slice, signal) => {
      await fill(service, downloadId, slice, { ...options, signal });
      doneBytes += slice.elements * ELEMENT_BYTES;
      options.onProgress?.({ doneBytes, totalBytes });
    });
    return solutionOf(header, arrays);
  } finally {
    if (!options.signal?.aborted) {
      // The result is here, or will not come: that nobody lets go of the download costs the server a while only.
      const letGo = call(options, { timeoutMs: FINISH_MS });
      await solver.finishChunkedDownload({ downloadId }, letGo).catch(() => undefined);
    }
  }
}

/** Room for every array that the header announces. */
function targetsOf(header: ChunkedResultHeader): Map<ResultFieldId, Float64Array> {
  const arrays = new Map<ResultFieldId, Float64Array>();
  for (const { fieldId, totalElements, elementSizeBytes } of header.arrays) {
    const wrong = (what: string) =>
      new TransferFaultError(`result array ${nameOf(fieldId)}: the server announced ${what}`);
    if (elementSizeBytes !== BigInt(ELEMENT_BYTES)) {
      throw wrong(`elements of ${elementSizeBytes} bytes; all results have elements of ${ELEMENT_BYTES}`);
    }
    if (totalElements < 0n) throw wrong(`${totalElements} elements`);
    if (arrays.has(fieldId)) throw wrong("it twice");
    if (totalElements === 0n) continue;
    try {
      arrays.set(fieldId, new Float64Array(Number(totalElements)));
    } catch (cause) {
      throw wrong(`${totalElements} elements, for which there is no memory: ${(cause as Error).message}`);
    }
  }
  return arrays;
}

interface Slice {
  readonly fieldId: ResultFieldId;
  readonly target: Float64Array;
  readonly from: number;
  readonly elements: number;
}

function* slicesOf(arrays: ReadonlyMap<ResultFieldId, Float64Array>, chunkBytes: number): Generator<Slice> {
  const step = Math.max(1, Math.floor(chunkBytes / ELEMENT_BYTES));
  for (const [fieldId, target] of arrays) {
    for (let from = 0; from < target.length; from += step) {
      yield { fieldId, target, from, elements: Math.min(step, target.length - from) };
    }
  }
}

/** A server may send fewer elements than it was asked for: the rest is asked for again. */
async function fill(service: Service, downloadId: string, slice: Slice, options: ResultOptions): Promise<void> {
  const { fieldId, target, from, elements } = slice;
  const bytes = asBytes(target);
  for (let at = from; at < from + elements; ) {
    const asked = from + elements - at;
    const data = await sliceData(service, downloadId, fieldId, at, asked, options);
    bytes.set(data, at * ELEMENT_BYTES);
    at += data.byteLength / ELEMENT_BYTES;
  }
}

/** The bytes of at least one element and at most `asked`. */
async function sliceData(
  service: Service,
  downloadId: string,
  fieldId: ResultFieldId,
  at: number,
  asked: number,
  options: ResultOptions,
): Promise<Uint8Array> {
  const request = { downloadId, fieldId, elementOffset: BigInt(at), maxElements: BigInt(asked) };
  const wanted = wantsDigests(service) ? "1" : undefined;
  const wrong = (what: string) =>
    new TransferFaultError(`result array ${nameOf(fieldId)}, element ${at}: the server sent ${what}`);
  for (let attempt = 1; ; attempt += 1) {
    let digest: string | null = null;
    const ask = () =>
      service.solver.getResultChunk(request, {
        ...call(options, { headers: { [WANT_CHUNK_SHA256_HEADER]: wanted } }),
        onHeader: (headers) => {
          digest = headers.get(CHUNK_SHA256_HEADER);
        },
      });
    const answer = await repeated(ask, repeats(service, options));
    checkSlice(answer, asked, wrong);
    if (!wanted || digest === null || digest === (await sha256Hex(answer.data))) return answer.data;
    if (!options.repeat || attempt === MOST_ALTERED) {
      throw wrong(`${answer.data.byteLength} bytes that are not those of its digest ${digest}`);
    }
  }
}

/** How often a slice may come that does not fit its digest. */
const MOST_ALTERED = 3;

function checkSlice(
  { elementsInChunk, data }: GetResultChunkResponse,
  asked: number,
  wrong: (what: string) => TransferFaultError,
): void {
  if (elementsInChunk <= 0n || elementsInChunk > BigInt(asked)) {
    throw wrong(`${elementsInChunk} elements; it was asked for ${asked}`);
  }
  const needed = Number(elementsInChunk) * ELEMENT_BYTES;
  if (data.byteLength !== needed) {
    throw wrong(`${data.byteLength} bytes for ${elementsInChunk} elements; ${needed} are needed`);
  }
}

/** "primal_solution" */
const nameOf = (fieldId: ResultFieldId): string =>
  (ResultFieldId[fieldId] ?? `field_id ${fieldId}`).replace(/^RESULT_/, "").toLowerCase();

/**
 * The header's scalars have the numbers of the solution's own fields, those of the warm start from 3000 on, so their bytes
 * read as these messages.
 */
export function solutionOf(header: ChunkedResultHeader, arrays: ReadonlyMap<ResultFieldId, Float64Array>): SolveResult {
  const scalars = new MessageBuilder();
  const warmStart = new MessageBuilder();
  forEachField(toBinary(ChunkedResultHeaderSchema, header), "ChunkedResultHeader", (field) => {
    if (field.number >= 3000 && field.number < 4000) warmStart.raw(field.whole());
    else if (field.number >= 1000 && field.number < 3000) scalars.raw(field.whole());
  });
  const whole = new MessageBuilder();
  if (arrays.get(ResultFieldId.RESULT_WS_CURRENT_PRIMAL)?.length) whole.message(WARM_START, warmStart);
  const message = whole.raw(scalars.finish()).finish();
  return header.problemCategory === ProblemCategory.MIP
    ? { kind: "mip", message, arrays, scalars: fromBinary(MIPSolutionSchema, message) }
    : { kind: "lp", message, arrays, scalars: fromBinary(LPSolutionSchema, message) };
}
