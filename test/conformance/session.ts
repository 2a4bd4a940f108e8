// A client of a server under test: the calls as they are, and the few sequences that nearly every scenario needs.
import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  type ChunkedProblemHeaderSchema,
  ChunkedResultHeaderSchema,
  CuOptRemoteService,
  cuvis,
  doublesFromBytes,
  type Incumbent,
  InferenceService,
  JobService,
  JobStatus,
  type LogMessage,
  LPSolutionSchema,
  MIPSolutionSchema,
  type MIPSolverSettingsSchema,
  type PDLPSolverSettingsSchema,
  ProblemCategory,
  ResultFieldId,
  TransferService,
} from "@sortie/wire";
import { expect } from "vitest";
import { type ChunkInit, chunksOf, type Model, problemOf } from "./models.ts";

export const UNKNOWN_ID = "00000000-0000-4000-8000-000000000000";
/** A lower-case UUID of version 4. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** A job that breaks its test must not keep a server busy for hours. */
export const LONG_SECONDS = 300;

export interface SubmitOptions {
  readonly lp?: MessageInitShape<typeof PDLPSolverSettingsSchema> | undefined;
  readonly mip?: MessageInitShape<typeof MIPSolverSettingsSchema> | undefined;
  readonly incumbents?: boolean | undefined;
}

export interface UploadOptions extends SubmitOptions {
  /** Replaces what the model says of itself. */
  readonly header?: MessageInitShape<typeof ChunkedProblemHeaderSchema> | undefined;
}

/** A result, whichever way it came. */
export interface Solution {
  readonly kind: "lp" | "mip";
  /** Termination status; its numbers depend on the kind. */
  readonly status: number;
  readonly objective: number;
  /** By result field id. */
  readonly arrays: ReadonlyMap<number, Float64Array>;
  /** Everything else by field number, as the header of a download numbers it. */
  readonly scalars: ReadonlyMap<number, unknown>;
  /** Values of the variables; empty if there are none. */
  readonly values: Float64Array;
}

export class Session {
  readonly rpc: Client<typeof CuOptRemoteService>;
  readonly jobs: Client<typeof JobService>;
  readonly transfers: Client<typeof TransferService>;
  readonly inference: Client<typeof InferenceService>;
  readonly pipelines: Client<typeof cuvis.CuvisAIService>;
  readonly #disconnect: () => void;
  readonly #own = new Set<string>();
  readonly #downloads = new Set<string>();

  constructor(transport: Transport, disconnect: () => void) {
    this.rpc = createClient(CuOptRemoteService, transport);
    this.jobs = createClient(JobService, transport);
    this.transfers = createClient(TransferService, transport);
    this.inference = createClient(InferenceService, transport);
    this.pipelines = createClient(cuvis.CuvisAIService, transport);
    this.#disconnect = disconnect;
  }

  /** Deletes this session's jobs, which also stops them, and disconnects. */
  async close(): Promise<void> {
    // The server may be gone on purpose, and a download finished.
    const end = { timeoutMs: 10_000 };
    for (const downloadId of this.#downloads) {
      await this.rpc.finishChunkedDownload({ downloadId }, end).catch(() => undefined);
    }
    for (const jobId of this.#own) await this.rpc.deleteResult({ jobId }, end).catch(() => undefined);
    this.#disconnect();
  }

  /** Deletes the job when the session ends. */
  own(jobId: string): string {
    this.#own.add(jobId);
    return jobId;
  }

  // Jobs

  /** Submits in one message. @returns the job's id */
  async submit(model: Model, options: SubmitOptions = {}): Promise<string> {
    const answer = await this.rpc.submitJob(submissionOf(model, options));
    expect(answer.jobId).toMatch(UUID);
    return this.own(answer.jobId);
  }

  async state(jobId: string): Promise<JobStatus> {
    return (await this.rpc.checkStatus({ jobId })).jobStatus;
  }

  /** Waits as clients do: a host that is paid by the time ends a wait early, with the present state, and is asked again. */
  async #ended(jobId: string) {
    while (true) {
      const answer = await this.rpc.waitForCompletion({ jobId });
      if (answer.jobStatus !== JobStatus.QUEUED && answer.jobStatus !== JobStatus.PROCESSING) return answer;
    }
  }

  /** Waits for the job's end and expects it to be COMPLETED. */
  async completed(jobId: string): Promise<string> {
    const answer = await this.#ended(jobId);
    expect(JobStatus[answer.jobStatus], answer.message).toBe("COMPLETED");
    return jobId;
  }

  async failed(jobId: string): Promise<string> {
    const answer = await this.#ended(jobId);
    expect(JobStatus[answer.jobStatus], answer.message).toBe("FAILED");
    return jobId;
  }

  /** Submits, waits and fetches. */
  async solved(model: Model, options: SubmitOptions = {}): Promise<Solution> {
    return this.result(await this.completed(await this.submit(model, options)));
  }

  /** Submits a job that goes on for minutes, and waits until a worker has it. */
  async running(model: Model, incumbents = false): Promise<string> {
    const jobId = await this.submit(model, { mip: { timeLimit: LONG_SECONDS }, incumbents });
    await this.reaches(jobId, JobStatus.PROCESSING);
    return jobId;
  }

  async reaches(jobId: string, state: JobStatus): Promise<void> {
    await expect.poll(async () => JobStatus[await this.state(jobId)], { timeout: 60_000 }).toBe(JobStatus[state]);
  }

  /** The result in one message. */
  async result(jobId: string): Promise<Solution> {
    const { solution } = await this.rpc.getResult({ jobId });
    if (solution.case === "lpSolution") {
      const { primalSolution, dualSolution, reducedCost } = solution.value;
      return toSolution("lp", scalarsOf(LPSolutionSchema, solution.value), [
        [ResultFieldId.RESULT_PRIMAL_SOLUTION, Float64Array.from(primalSolution)],
        [ResultFieldId.RESULT_DUAL_SOLUTION, Float64Array.from(dualSolution)],
        [ResultFieldId.RESULT_REDUCED_COST, Float64Array.from(reducedCost)],
      ]);
    }
    if (solution.case === "mipSolution") {
      const values = Float64Array.from(solution.value.mipSolution);
      return toSolution("mip", scalarsOf(MIPSolutionSchema, solution.value), [
        [ResultFieldId.RESULT_MIP_SOLUTION, values],
      ]);
    }
    throw new Error(`the result holds ${solution.case ?? "no solution"}`);
  }

  /** Opens a download, which ends with the session at the latest. */
  async startDownload(jobId: string) {
    const answer = await this.rpc.startChunkedDownload({ jobId });
    this.#downloads.add(answer.downloadId);
    return answer;
  }

  /** The result in slices of `sliceElements`. */
  async download(jobId: string, sliceElements: number): Promise<Solution> {
    const { downloadId, header } = await this.startDownload(jobId);
    const arrays: [number, Float64Array][] = [];
    for (const { fieldId, totalElements } of header?.arrays ?? []) {
      const total = Number(totalElements);
      arrays.push([fieldId, await this.slices(downloadId, fieldId, total, sliceElements)]);
    }
    await this.rpc.finishChunkedDownload({ downloadId });
    this.#downloads.delete(downloadId);
    const kind = header?.problemCategory === ProblemCategory.MIP ? "mip" : "lp";
    const scalars = header ? scalarsOf(ChunkedResultHeaderSchema, header) : new Map();
    const range = kind === "lp" ? [1000, 1999] : [2000, 2999];
    const own = new Map([...scalars].filter(([number]) => number >= range[0]! && number <= range[1]!));
    return toSolution(kind, own, arrays);
  }

  /** A whole array of an open download. */
  async slices(downloadId: string, fieldId: ResultFieldId, total: number, step: number): Promise<Float64Array> {
    const array = new Float64Array(total);
    for (let at = 0; at < total; at += step) {
      array.set(await this.slice(downloadId, fieldId, at, step), at);
    }
    return array;
  }

  /** One slice, whose length must be what the answer says. */
  async slice(downloadId: string, fieldId: ResultFieldId, offset: number, count: number): Promise<Float64Array> {
    const elementOffset = BigInt(offset);
    const answer = await this.rpc.getResultChunk({ downloadId, fieldId, elementOffset, maxElements: BigInt(count) });
    expect(answer).toMatchObject({ downloadId, fieldId, elementOffset });
    expect(answer.data.byteLength).toBe(8 * Number(answer.elementsInChunk));
    return doublesFromBytes(answer.data).slice();
  }

  // Uploads

  async startUpload(model: Model, options: UploadOptions = {}): Promise<string> {
    const { uploadId } = await this.rpc.startChunkedUpload({ problemHeader: headerOf(model, options) });
    return uploadId;
  }

  /** @returns `chunks_received` */
  async send(uploadId: string, chunk: ChunkInit): Promise<number> {
    const answer = await this.rpc.sendArrayChunk({ uploadId, chunk });
    expect(answer.uploadId).toBe(uploadId);
    return Number(answer.chunksReceived);
  }

  async sendAll(uploadId: string, chunks: readonly ChunkInit[]): Promise<void> {
    for (const chunk of chunks) await this.send(uploadId, chunk);
  }

  async finish(uploadId: string): Promise<string> {
    const answer = await this.rpc.finishChunkedUpload({ uploadId });
    expect(answer.jobId).toMatch(UUID);
    return this.own(answer.jobId);
  }

  /** Submits in chunks of `chunkBytes`. @returns the job's id */
  async upload(model: Model, chunkBytes: number, options: UploadOptions = {}): Promise<string> {
    const uploadId = await this.startUpload(model, options);
    await this.sendAll(uploadId, chunksOf(model, chunkBytes));
    return this.finish(uploadId);
  }

  // Feeds

  /** All log messages from `fromByte` to the end of the stream; the last must be the final one and only that. */
  async log(jobId: string, fromByte = 0): Promise<{ lines: LogMessage[]; final: LogMessage }> {
    const lines: LogMessage[] = [];
    for await (const message of this.rpc.streamLogs({ jobId, fromByte: BigInt(fromByte) })) lines.push(message);
    const final = lines.pop();
    if (!final) throw new Error("the stream ended without a message");
    expect(final).toMatchObject({ line: "", jobComplete: true });
    expect(lines.every((message) => !message.jobComplete)).toBe(true);
    return { lines, final };
  }

  async incumbents(jobId: string, fromIndex = 0, maxCount = 0): Promise<Incumbent[]> {
    return (await this.rpc.getIncumbents({ jobId, fromIndex: BigInt(fromIndex), maxCount })).incumbents;
  }
}

/** The unary request for a model. */
export function submissionOf(model: Model, { lp, mip, incumbents }: SubmitOptions = {}) {
  const problem = problemOf(model);
  if (model.kind === "lp") {
    const value = { header: { version: 1 }, problem, ...(lp ? { settings: lp } : {}) };
    return { jobData: { case: "lpRequest" as const, value } };
  }
  const value = {
    header: { version: 1, problemCategory: ProblemCategory.MIP },
    problem,
    ...(mip ? { settings: mip } : {}),
    ...(incumbents === undefined ? {} : { enableIncumbents: incumbents }),
  };
  return { jobData: { case: "mipRequest" as const, value } };
}

function headerOf(model: Model, { lp, mip, incumbents, header }: UploadOptions) {
  const { kind, maximize = false, objectiveScalingFactor = 1, objectiveOffset = 0, problemName = "" } = model;
  const settings =
    kind === "lp"
      ? lp && { case: "lpSettings" as const, value: lp }
      : mip && { case: "mipSettings" as const, value: mip };
  return {
    header: { version: 1, problemCategory: kind === "mip" ? ProblemCategory.MIP : ProblemCategory.LP },
    maximize,
    objectiveScalingFactor,
    objectiveOffset,
    problemName,
    ...(settings ? { settings } : {}),
    ...(incumbents === undefined ? {} : { enableIncumbents: incumbents }),
    ...header,
  } as MessageInitShape<typeof ChunkedProblemHeaderSchema>;
}

/** The scalars of a solution by field number. */
function scalarsOf<Desc extends DescMessage>(schema: Desc, message: Message): Map<number, unknown> {
  const values = message as unknown as Record<string, unknown>;
  const scalars = schema.fields.filter((field) => field.number >= 1000 && field.fieldKind !== "message");
  return new Map(scalars.map((field) => [field.number, values[field.localName]]));
}

function toSolution(
  kind: "lp" | "mip",
  scalars: ReadonlyMap<number, unknown>,
  arrays: readonly [number, Float64Array][],
): Solution {
  const present = new Map(arrays.filter(([, array]) => array.length > 0));
  const values = present.get(kind === "lp" ? ResultFieldId.RESULT_PRIMAL_SOLUTION : ResultFieldId.RESULT_MIP_SOLUTION);
  return {
    kind,
    status: Number(scalars.get(kind === "lp" ? 1000 : 2000)),
    objective: Number(scalars.get(kind === "lp" ? 1004 : 2002)),
    arrays: present,
    scalars,
    values: values ?? new Float64Array(0),
  };
}

/** Expects the call to fail with this code, and with a text that fits. */
export async function refused(call: Promise<unknown>, code: Code, text: string | RegExp = ""): Promise<string> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error),
  );
  if (outcome === undefined) throw new Error(`the call was answered; expected ${Code[code]}`);
  expect(Code[outcome.code], outcome.rawMessage).toBe(Code[code]);
  expect(outcome.rawMessage).toMatch(typeof text === "string" ? new RegExp(escaped(text)) : text);
  return outcome.rawMessage;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The text of every refusal at the door. */
export const AT_THE_DOOR = /^ValidationError: /;

/** Expects the same bits in both, scalars and arrays. */
export function expectSame(a: Solution, b: Solution): void {
  expect(b.kind).toBe(a.kind);
  expect(b.scalars).toEqual(a.scalars);
  expect([...b.arrays.keys()].sort()).toEqual([...a.arrays.keys()].sort());
  for (const [id, array] of a.arrays) expect(bitsOf(b.arrays.get(id)!), `array ${id}`).toEqual(bitsOf(array));
}

export const bitsOf = (array: Float64Array): BigUint64Array =>
  new BigUint64Array(array.buffer, array.byteOffset, array.length);
