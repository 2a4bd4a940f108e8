// A problem on its way to the server: in one message, or in chunks of which several are in flight. Against Sortie an upload
// that was cut off goes on where it was, with what the server says it has.
import { rawMessage } from "@sortie/wire";
import { type CallOptions, call, type Service, type TransferProgress } from "./context.ts";
import { CHUNK_SHA256_HEADER, sha256Hex } from "./digest.ts";
import { TransferFaultError } from "./errors.ts";
import { inParallel } from "./in-parallel.ts";
import { InvalidModelError } from "./input-errors.ts";
import {
  arraysOf,
  estimatedBytes,
  headerOf,
  type OutgoingArray,
  type ProblemMessage,
  submissionOf,
} from "./message.ts";
import { Patience, repeated } from "./repeat.ts";
import { bytesOf, type Chunk, chunksOf, everything, leftToSend, ResumeError, type Stretch } from "./resume.ts";

export interface SubmitOptions extends CallOptions {
  /** Told after every chunk, and once after a problem that went in one message; of a resumed upload first what was there. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** Makes a repeat of the same submission return the first job. Sortie only; other servers take no notice of it. */
  readonly idempotencyKey?: string | undefined;
  /** Goes on with this upload, which was begun for the same problem by whomever. Sortie only. */
  readonly uploadId?: string | undefined;
  /** Told the id of the upload before the first chunk is sent; sending waits for what it returns. */
  readonly onUpload?: ((uploadId: string) => void | Promise<void>) | undefined;
  /** The address that the server tells of the job. Sortie only. */
  readonly webhook?: string | undefined;
  /**
   * Calls that failed on the way are repeated, with growing pauses and a bound, and an upload goes on with what is missing.
   * Against Sortie only: chunks that other servers have taken must not come twice. The helpers set it. Default false.
   */
  readonly repeat?: boolean | undefined;
}

/**
 * Uploads the problem and submits it: in one message if its estimate (see `estimatedBytes`) is within what the client sends
 * unary and what the server is known to take, else in chunks.
 * @returns the job's id
 * @throws ResumeError if `uploadId` is the upload of another problem, or the server is none that tells what has arrived
 */
export async function submitProblem(
  service: Service,
  problem: ProblemMessage,
  options: SubmitOptions = {},
): Promise<string> {
  if (!(problem?.arrays instanceof Map)) {
    throw new InvalidModelError("this is no problem message; problemMessage(model.toProblem()) makes one of a model");
  }
  const isResumed = options.uploadId !== undefined;
  const jobId = await (isResumed || !fitsOneMessage(service, problem)
    ? inChunks(service, problem, options)
    : inOneMessage(service, problem, options));
  if (jobId === "") throw new TransferFaultError("the server took the problem, but its answer holds no job id");
  return jobId;
}

const isSortie = ({ server }: Service): boolean => server?.isSortie ?? false;

function fitsOneMessage(service: Service, problem: ProblemMessage): boolean {
  const { limits, server } = service;
  // Only chunks have a digest.
  if (limits.transferHash && isSortie(service)) return false;
  const most = Math.min(limits.unaryUpToBytes, server?.maxMessageBytes || Number.POSITIVE_INFINITY);
  return estimatedBytes(problem) <= most;
}

/** Options of the calls that make the job. */
const submission = (options: SubmitOptions) =>
  call(options, { headers: { "idempotency-key": options.idempotencyKey, "sortie-webhook": options.webhook } });

async function inOneMessage(service: Service, problem: ProblemMessage, options: SubmitOptions): Promise<string> {
  const request = rawMessage(submissionOf(problem));
  // Without a key a repeat might make a second job.
  const repeat = repeats(service, options) && options.idempotencyKey !== undefined;
  const submit = () => service.solver.submitJob(request, submission(options));
  const { jobId } = await repeated(submit, { repeat, signal: options.signal });
  if (options.onProgress) {
    const totalBytes = bytesOf(everything(arraysOf(problem)));
    options.onProgress({ doneBytes: totalBytes, totalBytes });
  }
  return jobId;
}

const repeats = (service: Service, { repeat = false }: SubmitOptions): boolean => repeat && isSortie(service);

async function inChunks(service: Service, problem: ProblemMessage, options: SubmitOptions): Promise<string> {
  const arrays = arraysOf(problem);
  const upload = await openUpload(service, problem, options);
  await options.onUpload?.(upload.id);
  const patience = Patience.of(repeats(service, options));
  let missing = options.uploadId === undefined ? everything(arrays) : undefined;
  for (;;) {
    try {
      if (!missing) {
        const left = await askWhatIsLeft(service, upload.id, arrays, options);
        if ("jobId" in left) return left.jobId;
        missing = left.missing;
        const totalBytes = bytesOf(everything(arrays));
        options.onProgress?.({ doneBytes: totalBytes - bytesOf(missing), totalBytes });
      }
      await sendAll(service, upload, arrays, missing, options, () => patience.renew());
      return (await service.solver.finishChunkedUpload({ uploadId: upload.id }, submission(options))).jobId;
    } catch (error) {
      await patience.after(error, options.signal);
      // What failed may have arrived all the same: the server knows.
      missing = undefined;
    }
  }
}

interface OpenUpload {
  readonly id: string;
  /** What the server takes in one message; 0: unknown. */
  readonly maxMessageBytes: bigint;
}

async function openUpload(service: Service, problem: ProblemMessage, options: SubmitOptions): Promise<OpenUpload> {
  const { uploadId: begun } = options;
  if (begun !== undefined) {
    if (service.server && !service.server.isSortie) {
      throw new ResumeError(
        `upload ${begun} cannot be resumed: only Sortie tells what has arrived, this server does not`,
      );
    }
    return { id: begun, maxMessageBytes: BigInt(service.server?.maxMessageBytes ?? 0) };
  }
  const problemHeader = headerOf(problem);
  // One that was opened without our hearing of it expires.
  const open = () => service.solver.startChunkedUpload({ problemHeader }, call(options));
  const { uploadId, maxMessageBytes } = await repeated(open, {
    repeat: repeats(service, options),
    signal: options.signal,
  });
  if (uploadId === "") throw new TransferFaultError("the server opened an upload, but its answer holds no upload id");
  return { id: uploadId, maxMessageBytes };
}

async function askWhatIsLeft(
  service: Service,
  uploadId: string,
  arrays: readonly OutgoingArray[],
  options: CallOptions,
): Promise<ReturnType<typeof leftToSend>> {
  return leftToSend(uploadId, await service.transfers.getUploadState({ uploadId }, call(options)), arrays);
}

async function sendAll(
  service: Service,
  upload: OpenUpload,
  arrays: readonly OutgoingArray[],
  missing: readonly Stretch[],
  options: SubmitOptions,
  onSent: () => void,
): Promise<void> {
  const { limits } = service;
  const totalBytes = bytesOf(everything(arrays));
  let doneBytes = totalBytes - bytesOf(missing);
  const chunks = chunksOf(missing, limits.chunkBytesFor(upload.maxMessageBytes));
  const inFlight = {
    width: limits.parallelChunks,
    bytes: limits.bytesInFlight,
    bytesOf: ({ data }: Chunk) => data.byteLength,
    signal: options.signal,
  };
  await inParallel(chunks, inFlight, async (chunk, signal) => {
    await sendChunk(service, upload.id, chunk, signal);
    doneBytes += chunk.data.byteLength;
    onSent();
    options.onProgress?.({ doneBytes, totalBytes });
  });
}

async function sendChunk(service: Service, uploadId: string, chunk: Chunk, signal: AbortSignal): Promise<void> {
  const { fieldId, elementOffset, totalElements, data } = chunk;
  const sha256 = service.limits.transferHash && isSortie(service) ? await sha256Hex(data) : undefined;
  await service.solver.sendArrayChunk(
    { uploadId, chunk: { fieldId, elementOffset: BigInt(elementOffset), totalElements: BigInt(totalElements), data } },
    call({ signal }, { headers: { [CHUNK_SHA256_HEADER]: sha256 } }),
  );
}
