// The result of a job on its way home: in one message, or in slices of which several are in flight.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ChunkedResultHeader,
  ChunkedResultHeaderSchema,
  type DecodedSolution,
  decodeResultResponse,
  doublesFromBytes,
  forEachField,
  LPSolutionSchema,
  MessageBuilder,
  MIPSolutionSchema,
  ProblemCategory,
  ResponseStatus,
  type ResultFieldId,
  rawFields,
} from "@sortie/wire";
import { type CallOptions, call, type Service } from "./context.ts";
import { JobEndedError } from "./errors.ts";
import { inParallel } from "./in-parallel.ts";

export type SolveResult = DecodedSolution;

/** The result of a completed job, in one message or in slices as its size demands. */
export async function downloadResult(service: Service, jobId: string, options: CallOptions = {}): Promise<SolveResult> {
  const { solver, limits } = service;
  const status = await solver.checkStatus({ jobId }, call(options));
  const limit = limits.chunkBytesFor(status.maxMessageBytes);
  if (status.resultSizeBytes > BigInt(limit)) return inSlices(service, jobId, limit, options);
  const answer = decodeResultResponse(rawFields(await solver.getResult({ jobId }, call(options))));
  if (answer.status !== ResponseStatus.SUCCESS) throw new JobEndedError("failed", answer.errorMessage);
  if (!answer.solution) throw new Error(`the server's answer for job ${jobId} holds no solution`);
  return answer.solution;
}

async function inSlices(
  service: Service,
  jobId: string,
  chunkBytes: number,
  options: CallOptions,
): Promise<SolveResult> {
  const { solver, limits } = service;
  const { downloadId, header } = await solver.startChunkedDownload({ jobId }, call(options));
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
  await inParallel(slices, limits.parallelChunks, async ({ fieldId, offset, count, target }) => {
    let at = offset;
    while (at < offset + count) {
      const maxElements = BigInt(offset + count - at);
      const slice = await solver.getResultChunk(
        { downloadId, fieldId, elementOffset: BigInt(at), maxElements },
        call(options),
      );
      const data = doublesFromBytes(slice.data);
      if (data.length === 0 || data.length > offset + count - at) {
        throw new Error(`the server sent ${data.length} elements of result array ${fieldId}, asked for ${maxElements}`);
      }
      target.set(data, at);
      at += data.length;
    }
  });
  await solver.finishChunkedDownload({ downloadId }, call(options)).catch(() => undefined);
  return solutionOf(header, arrays);
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
