// A problem on its way to the server: in one message, or in chunks of which several are in flight.
import type { CallOptions, Service, TransferProgress } from "./context.ts";
import { call } from "./context.ts";
import { inParallel } from "./in-parallel.ts";
import { arraysOf, headerOf, type OutgoingArray, type ProblemMessage } from "./message.ts";

export interface SubmitOptions extends CallOptions {
  /** Told after every chunk. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** Uploads the problem and submits it. @returns the job's id */
export async function submitProblem(
  service: Service,
  problem: ProblemMessage,
  options: SubmitOptions = {},
): Promise<string> {
  const { solver, limits } = service;
  const { uploadId, maxMessageBytes } = await solver.startChunkedUpload(
    { problemHeader: headerOf(problem) },
    call(options),
  );
  const chunkBytes = limits.chunkBytesFor(maxMessageBytes);
  const arrays = arraysOf(problem);
  const totalBytes = arrays.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  let doneBytes = 0;
  const send = async (chunk: Chunk) => {
    const { fieldId, elementOffset, totalElements, data } = chunk;
    await solver.sendArrayChunk(
      {
        uploadId,
        chunk: { fieldId, elementOffset: BigInt(elementOffset), totalElements: BigInt(totalElements), data },
      },
      call(options),
    );
    doneBytes += data.byteLength;
    options.onProgress?.({ doneBytes, totalBytes });
  };
  await inParallel(chunksOf(arrays, chunkBytes), limits.parallelChunks, send);
  return (await solver.finishChunkedUpload({ uploadId }, call(options))).jobId;
}

interface Chunk {
  readonly fieldId: number;
  readonly elementOffset: number;
  readonly totalElements: number;
  readonly data: Uint8Array;
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
