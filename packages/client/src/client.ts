// The client of the solve service: chunked transfer both ways, jobs, logs and incumbents over any Connect transport.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import {
  type ArrayFieldId,
  asBytes,
  type ChunkedProblemHeader,
  ChunkedProblemHeaderSchema,
  type ChunkedResultHeader,
  ChunkedResultHeaderSchema,
  CuOptRemoteService,
  type DecodedSolution,
  decodeIncumbentResponse,
  decodeResultResponse,
  doublesFromBytes,
  encodeSettings,
  forEachField,
  type IncumbentEntry,
  type Job,
  JobService,
  JobStatus,
  joinNames,
  LPSolutionSchema,
  MessageBuilder,
  MIPSolutionSchema,
  MIPSolverSettingsSchema,
  PDLPSolverSettingsSchema,
  ProblemCategory,
  type ProblemToSend,
  ResponseStatus,
  type ResultFieldId,
  rawFields,
  type SettingsKind,
  type SettingValues,
  withRawMessages,
} from "@sortie/wire";

export interface ClientOptions {
  /** Largest chunk in bytes; the server's message limit may make it smaller. Default 16 MiB. */
  readonly chunkBytes?: number | undefined;
  /** Chunks in flight at once. Default 4. */
  readonly parallelChunks?: number | undefined;
}

/** A problem to submit. Arrays by their id on the wire. */
export interface ProblemMessage extends ProblemToSend {
  readonly kind: SettingsKind;
  /** Solver settings by wire name; absent ones have their defaults. */
  readonly settings?: SettingValues | undefined;
  /** MIP only: whether incumbents are to be published. Default true. */
  readonly enableIncumbents?: boolean | undefined;
}

export interface TransferProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export type SolveResult = DecodedSolution;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The job ended without a result. */
export class JobEndedError extends Error {
  override readonly name = "JobEndedError";
  readonly state: "failed" | "cancelled" | "unknown";

  constructor(state: "failed" | "cancelled" | "unknown", message: string) {
    super(message);
    this.state = state;
  }
}

const DEFAULT_CHUNK_BYTES = 16 * 1024 * 1024;
const DEFAULT_PARALLEL = 4;

/** The answers with large arrays come undecoded. */
const rawService = withRawMessages(CuOptRemoteService, {
  getResult: { output: true },
  getIncumbents: { output: true },
});

export const call = ({ signal }: CallOptions): { signal?: AbortSignal } => (signal === undefined ? {} : { signal });

/** A server that ends waits at once is not asked more often than this, in milliseconds. */
const ASK_AGAIN_MS = 500;

async function pauseAfter(asked: number, { signal }: CallOptions): Promise<void> {
  const left = ASK_AGAIN_MS - (performance.now() - asked);
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  signal?.throwIfAborted();
}

export class SortieClient {
  readonly #solver: Client<typeof rawService>;
  readonly #jobs: Client<typeof JobService>;
  readonly #chunkBytes: number;
  readonly #parallel: number;

  constructor(transport: Transport, options: ClientOptions = {}) {
    this.#solver = createClient(rawService, transport);
    this.#jobs = createClient(JobService, transport);
    this.#chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
    this.#parallel = options.parallelChunks ?? DEFAULT_PARALLEL;
  }

  /** Uploads the problem in chunks and submits it. @returns the job's id */
  async submit(
    problem: ProblemMessage,
    options: CallOptions & { readonly onProgress?: ((progress: TransferProgress) => void) | undefined } = {},
  ): Promise<string> {
    const { uploadId, maxMessageBytes } = await this.#solver.startChunkedUpload(
      { problemHeader: headerOf(problem) },
      call(options),
    );
    const chunkBytes = this.#budget(maxMessageBytes);
    const arrays = arraysOf(problem);
    const totalBytes = arrays.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
    let doneBytes = 0;
    const send = async (chunk: Chunk) => {
      const { fieldId, elementOffset, totalElements, data } = chunk;
      await this.#solver.sendArrayChunk(
        {
          uploadId,
          chunk: { fieldId, elementOffset: BigInt(elementOffset), totalElements: BigInt(totalElements), data },
        },
        call(options),
      );
      doneBytes += data.byteLength;
      options.onProgress?.({ doneBytes, totalBytes });
    };
    await inParallel(chunksOf(arrays, chunkBytes), this.#parallel, send);
    return (await this.#solver.finishChunkedUpload({ uploadId }, call(options))).jobId;
  }

  /** Bytes of array data that fit one message: a tenth is left for the rest of it. */
  #budget(maxMessageBytes: bigint): number {
    const server = Number(maxMessageBytes);
    return server > 0 ? Math.min(this.#chunkBytes, Math.floor((server * 9) / 10)) : this.#chunkBytes;
  }

  /** Every detail of a job. */
  async job(id: string, options: CallOptions = {}): Promise<Job> {
    const { job } = await this.#jobs.getJob({ id }, call(options));
    if (!job) throw new JobEndedError("unknown", `the server does not know job ${id}`);
    return job;
  }

  /** Resolves when the job is completed. @throws JobEndedError if it ends in any other way */
  async wait(jobId: string, options: CallOptions = {}): Promise<void> {
    const { jobStatus, message } = await this.#waited(jobId, options);
    if (jobStatus === JobStatus.COMPLETED) return;
    if (jobStatus === JobStatus.FAILED) throw new JobEndedError("failed", message);
    if (jobStatus === JobStatus.CANCELLED) throw new JobEndedError("cancelled", message);
    throw new JobEndedError("unknown", message || `the server does not know job ${jobId}`);
  }

  /** Some servers end a wait before the job has ended, with its present state: then it is asked for again. */
  async #waited(jobId: string, options: CallOptions) {
    for (;;) {
      const asked = performance.now();
      const answer = await this.#solver.waitForCompletion({ jobId }, call(options));
      const { jobStatus } = answer;
      if (jobStatus !== JobStatus.QUEUED && jobStatus !== JobStatus.PROCESSING) return answer;
      await pauseAfter(asked, options);
    }
  }

  /** The lines of the job's log, from byte `from` on, until the job has ended. */
  async *logs(jobId: string, from = 0, options: CallOptions = {}): AsyncGenerator<string> {
    // Some servers end the stream before the job has ended: it goes on from where it stopped.
    for (let at = BigInt(from); ; ) {
      const asked = performance.now();
      for await (const message of this.#solver.streamLogs({ jobId, fromByte: at }, call(options))) {
        at = message.byteOffset;
        if (message.line !== "") yield message.line;
        if (message.jobComplete) return;
      }
      await pauseAfter(asked, options);
    }
  }

  /** Incumbents from index `from` on that there are now. */
  async incumbents(
    jobId: string,
    from = 0,
    options: CallOptions = {},
  ): Promise<{
    readonly incumbents: readonly IncumbentEntry[];
    readonly nextIndex: number;
    readonly jobComplete: boolean;
  }> {
    const answer = await this.#solver.getIncumbents({ jobId, fromIndex: BigInt(from) }, call(options));
    return decodeIncumbentResponse(rawFields(answer));
  }

  /** The result of a completed job, in one message or in slices as its size demands. */
  async result(jobId: string, options: CallOptions = {}): Promise<SolveResult> {
    const status = await this.#solver.checkStatus({ jobId }, call(options));
    const limit = this.#budget(status.maxMessageBytes);
    if (status.resultSizeBytes > BigInt(limit)) return this.#download(jobId, limit, options);
    const answer = decodeResultResponse(rawFields(await this.#solver.getResult({ jobId }, call(options))));
    if (answer.status !== ResponseStatus.SUCCESS) throw new JobEndedError("failed", answer.errorMessage);
    if (!answer.solution) throw new Error(`the server's answer for job ${jobId} holds no solution`);
    return answer.solution;
  }

  async #download(jobId: string, chunkBytes: number, options: CallOptions): Promise<SolveResult> {
    const { downloadId, header } = await this.#solver.startChunkedDownload({ jobId }, call(options));
    if (!header) throw new Error(`the server's answer for job ${jobId} holds no header`);
    const arrays = new Map<ResultFieldId, Float64Array>();
    const slices: { fieldId: ResultFieldId; offset: number; count: number; target: Float64Array }[] = [];
    for (const { fieldId, totalElements } of header.arrays) {
      const target = new Float64Array(Number(totalElements));
      arrays.set(fieldId, target);
      const step = Math.max(1, Math.floor(chunkBytes / 8));
      for (let offset = 0; offset < target.length; offset += step) {
        slices.push({ fieldId, offset, count: Math.min(step, target.length - offset), target });
      }
    }
    await inParallel(slices, this.#parallel, async ({ fieldId, offset, count, target }) => {
      let at = offset;
      while (at < offset + count) {
        const maxElements = BigInt(offset + count - at);
        const slice = await this.#solver.getResultChunk(
          { downloadId, fieldId, elementOffset: BigInt(at), maxElements },
          call(options),
        );
        const data = doublesFromBytes(slice.data);
        if (data.length === 0 || data.length > offset + count - at) {
          throw new Error(
            `the server sent ${data.length} elements of result array ${fieldId}, asked for ${maxElements}`,
          );
        }
        target.set(data, at);
        at += data.length;
      }
    });
    await this.#solver.finishChunkedDownload({ downloadId }, call(options)).catch(() => undefined);
    return solutionOf(header, arrays);
  }

  /** @returns false if the job had ended before, or is unknown */
  async cancel(jobId: string, options: CallOptions = {}): Promise<boolean> {
    const { status } = await this.#solver.cancelJob({ jobId }, call(options));
    return status === ResponseStatus.SUCCESS;
  }

  /** @returns false if the job is unknown */
  async delete(jobId: string, options: CallOptions = {}): Promise<boolean> {
    const { status } = await this.#solver.deleteResult({ jobId }, call(options));
    return status === ResponseStatus.SUCCESS;
  }
}

/** The header's scalars have the numbers of the solution's own fields, so their bytes read as that message. */
export function solutionOf(header: ChunkedResultHeader, arrays: ReadonlyMap<ResultFieldId, Float64Array>): SolveResult {
  const scalars = new MessageBuilder();
  forEachField(toBinary(ChunkedResultHeaderSchema, header), "ChunkedResultHeader", (field) => {
    if (field.number >= 1000 && field.number < 3000) scalars.raw(field.whole());
  });
  const message = scalars.finish();
  return header.problemCategory === ProblemCategory.MIP
    ? { kind: "mip", message, arrays, scalars: fromBinary(MIPSolutionSchema, message) }
    : { kind: "lp", message, arrays, scalars: fromBinary(LPSolutionSchema, message) };
}

export function headerOf(problem: ProblemMessage): ChunkedProblemHeader {
  const { kind, settings } = problem;
  const encoded = encodeSettings(kind, settings);
  return create(ChunkedProblemHeaderSchema, {
    header: { version: 1, problemCategory: kind === "mip" ? ProblemCategory.MIP : ProblemCategory.LP },
    maximize: problem.maximize ?? false,
    objectiveScalingFactor: problem.objectiveScalingFactor ?? 1,
    objectiveOffset: problem.objectiveOffset ?? 0,
    problemName: problem.problemName ?? "",
    objectiveName: problem.objectiveName ?? "",
    settings:
      kind === "mip"
        ? { case: "mipSettings", value: fromBinary(MIPSolverSettingsSchema, encoded) }
        : { case: "lpSettings", value: fromBinary(PDLPSolverSettingsSchema, encoded) },
    enableIncumbents: kind === "mip" && (problem.enableIncumbents ?? true),
  });
}

export interface OutgoingArray {
  readonly fieldId: number;
  readonly elementBytes: number;
  readonly bytes: Uint8Array;
}

interface Chunk {
  readonly fieldId: number;
  readonly elementOffset: number;
  readonly totalElements: number;
  readonly data: Uint8Array;
}

/** Names go as arrays 0 and 1, so that the header stays small. */
export function arraysOf(problem: ProblemMessage): OutgoingArray[] {
  const arrays: OutgoingArray[] = [];
  for (const [fieldId, names] of [
    [0, problem.variableNames],
    [1, problem.rowNames],
  ] as const) {
    if (names && names.length > 0) arrays.push({ fieldId, elementBytes: 1, bytes: joinNames(names) });
  }
  for (const [fieldId, array] of problem.arrays as ReadonlyMap<
    ArrayFieldId,
    ArrayBufferView & { BYTES_PER_ELEMENT: number }
  >) {
    if (array.byteLength > 0) arrays.push({ fieldId, elementBytes: array.BYTES_PER_ELEMENT, bytes: asBytes(array) });
  }
  return arrays;
}

function* chunksOf(arrays: readonly OutgoingArray[], chunkBytes: number): Generator<Chunk> {
  for (const { fieldId, elementBytes, bytes } of arrays) {
    const totalElements = bytes.byteLength / elementBytes;
    const step = Math.max(1, Math.floor(chunkBytes / elementBytes));
    for (let elementOffset = 0; elementOffset < totalElements; elementOffset += step) {
      const end = Math.min(elementOffset + step, totalElements);
      const data = bytes.subarray(elementOffset * elementBytes, end * elementBytes);
      yield { fieldId, elementOffset, totalElements, data };
    }
  }
}

/** Runs `task` for every item, `width` at a time; throws the first failure once all that run have ended. */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const lane = async () => {
    for (let next = iterator.next(); !next.done && !failed; next = iterator.next()) {
      try {
        await task(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: width }, lane));
  const fault = lanes.find((each) => each.status === "rejected");
  if (fault) throw fault.reason;
}
