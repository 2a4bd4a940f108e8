// Problems as the client takes them, and answers as a server gives them: what several scenarios put together.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ProblemMessage } from "@sortie/client";
import {
  type ArrayFieldId,
  asBytes,
  chunkedResultHeader,
  type EncodedSolution,
  encodeResultResponse,
  JobStatus,
  LPSolutionSchema,
  MIPSolutionSchema,
  MIPTerminationStatus,
  type NumberArray,
  PDLPTerminationStatus,
  ResponseStatus,
  ResultFieldId,
  type ResultResponse,
  ResultResponseSchema,
  type SettingValues,
} from "@sortie/wire";
import { ARRAY_NAMES, fieldIdOf, type Model } from "../conformance/models.ts";
import type { Script } from "./scripted-server.ts";

export interface MessageOptions {
  readonly settings?: SettingValues | undefined;
  readonly enableIncumbents?: boolean | undefined;
}

/** A model of the scenarios as the client submits it. */
export function messageOf(model: Model, options: MessageOptions = {}): ProblemMessage {
  const { kind, arrays, maximize = false, objectiveScalingFactor = 1, objectiveOffset = 0, problemName = "" } = model;
  const numbers = new Map<ArrayFieldId, NumberArray | Uint8Array>();
  for (const name of ARRAY_NAMES) {
    const array = arrays[name];
    if (ArrayBuffer.isView(array)) numbers.set(fieldIdOf(name), array as NumberArray | Uint8Array);
  }
  return {
    kind,
    maximize,
    objectiveScalingFactor,
    objectiveOffset,
    problemName,
    objectiveName: "",
    variableNames: arrays.variable_names ?? [],
    rowNames: arrays.row_names ?? [],
    arrays: numbers,
    enableIncumbents: kind === "mip",
    ...options,
  };
}

/** An optimal LP result with these values. */
export function lpSolution(primal: Iterable<number>, objective = 7): EncodedSolution {
  const values = Float64Array.from(primal);
  const scalars = create(LPSolutionSchema, {
    lpTerminationStatus: PDLPTerminationStatus.PDLP_OPTIMAL,
    primalObjective: objective,
    dualObjective: objective,
    nbIterations: 12,
  });
  return {
    kind: "lp",
    message: toBinary(LPSolutionSchema, scalars),
    arrays: new Map([
      [ResultFieldId.RESULT_PRIMAL_SOLUTION, values],
      [ResultFieldId.RESULT_DUAL_SOLUTION, Float64Array.of(0.5, -0.25)],
      [ResultFieldId.RESULT_REDUCED_COST, values.map((value) => -value)],
    ]),
  };
}

/** An optimal MIP result with these values. */
export function mipSolution(solution: Iterable<number>, objective = 7): EncodedSolution {
  const scalars = create(MIPSolutionSchema, {
    mipTerminationStatus: MIPTerminationStatus.MIP_OPTIMAL,
    mipObjective: objective,
    solutionBound: objective,
  });
  return {
    kind: "mip",
    message: toBinary(MIPSolutionSchema, scalars),
    arrays: new Map([[ResultFieldId.RESULT_MIP_SOLUTION, Float64Array.from(solution)]]),
  };
}

/** The answer of GetResult. */
export const whole = (solution: EncodedSolution): ResultResponse =>
  fromBinary(ResultResponseSchema, encodeResultResponse(solution));

/** The answers of a download in slices: exactly what is asked for, as far as it is there. */
export function sliced(solution: EncodedSolution) {
  return {
    startChunkedDownload: () => ({
      downloadId: "download-1",
      header: chunkedResultHeader(solution),
      maxMessageBytes: 256n * 1024n * 1024n,
    }),
    getResultChunk: ({ downloadId, fieldId, elementOffset, maxElements }) => {
      const array = solution.arrays.get(fieldId) ?? new Float64Array(0);
      const part = array.slice(Number(elementOffset), Number(elementOffset + maxElements));
      return { downloadId, fieldId, elementOffset, elementsInChunk: BigInt(part.length), data: asBytes(part) };
    },
    finishChunkedDownload: ({ downloadId }) => ({ downloadId }),
  } as const satisfies Script;
}

/** The answers of an upload in chunks, which becomes job "job-1". */
export function uploads(maxMessageBytes = 256 * 1024 * 1024) {
  let received = 0n;
  return {
    startChunkedUpload: () => ({ uploadId: "upload-1", maxMessageBytes: BigInt(maxMessageBytes) }),
    sendArrayChunk: ({ uploadId }) => ({ uploadId, chunksReceived: ++received }),
    finishChunkedUpload: () => ({ jobId: "job-1", message: "Job submitted via chunked arrays" }),
  } as const satisfies Script;
}

/** A submission in one message, which becomes job "job-1". */
export const submits = {
  submitJob: () => ({ jobId: "job-1", message: "Job submitted successfully" }),
} as const satisfies Script;

/** A deletion that works. */
export const deletes = { deleteResult: () => ({ status: ResponseStatus.SUCCESS }) } as const satisfies Script;

/** A cancel that works. */
export const cancels = {
  cancelJob: () => ({
    status: ResponseStatus.SUCCESS,
    jobStatus: JobStatus.CANCELLED,
    message: "Job cancelled successfully",
  }),
} as const satisfies Script;

/** What CheckStatus and WaitForCompletion answer for a completed job. */
export const COMPLETED = { jobStatus: JobStatus.COMPLETED, resultSizeBytes: 64n };
export const PROCESSING = { jobStatus: JobStatus.PROCESSING };
