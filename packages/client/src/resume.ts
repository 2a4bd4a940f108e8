// What is left to send of a problem: all of it at first, and after an interruption what the server has not received.
import { type GetUploadStateResponse, UploadState } from "@sortie/wire";
import { SortieError } from "./errors.ts";
import type { OutgoingArray } from "./message.ts";

/** The upload cannot be gone on with for this problem. */
export class ResumeError extends SortieError {
  override readonly name = "ResumeError";
}

/** A stretch of an array, in elements. */
export interface Stretch {
  readonly array: OutgoingArray;
  readonly from: number;
  /** Behind the last. */
  readonly to: number;
}

/** A slice of one array, as one message takes it. */
export interface Chunk {
  readonly fieldId: number;
  readonly name: string;
  readonly elementOffset: number;
  readonly totalElements: number;
  /** A view of the array. */
  readonly data: Uint8Array;
}

export const everything = (arrays: readonly OutgoingArray[]): Stretch[] =>
  arrays.map((array) => ({ array, from: 0, to: elementsOf(array) }));

export const bytesOf = (stretches: readonly Stretch[]): number =>
  stretches.reduce((sum, { array, from, to }) => sum + (to - from) * array.elementBytes, 0);

/**
 * What the server does not have of the arrays; the id of the job if the upload has become one.
 * @throws ResumeError if the upload has other arrays than these: it names the first
 */
export function leftToSend(
  uploadId: string,
  state: GetUploadStateResponse,
  arrays: readonly OutgoingArray[],
): { readonly jobId: string } | { readonly missing: Stretch[] } {
  if (state.state === UploadState.SUBMITTED) return { jobId: state.jobId };
  const known = new Map(state.arrays.map((array) => [array.fieldId as number, array]));
  const ours = new Map(arrays.map((array) => [array.fieldId, elementsOf(array)]));
  for (const { fieldId, name, elements } of state.arrays) {
    const found = ours.get(fieldId) ?? 0;
    if (BigInt(found) === elements) continue;
    throw new ResumeError(
      `upload ${uploadId} is of another problem: its array ${name} has ${elements} elements, this problem's has ${found}`,
    );
  }
  return {
    missing: arrays.flatMap((array) => holesOf(array, known.get(array.fieldId)?.received ?? [])),
  };
}

/** @param received by offset, apart from each other */
function holesOf(
  array: OutgoingArray,
  received: readonly { readonly elementOffset: bigint; readonly elements: bigint }[],
): Stretch[] {
  const holes: Stretch[] = [];
  let at = 0;
  for (const { elementOffset, elements } of received) {
    const start = Number(elementOffset);
    if (start > at) holes.push({ array, from: at, to: start });
    at = start + Number(elements);
  }
  const end = elementsOf(array);
  if (at < end) holes.push({ array, from: at, to: end });
  return holes;
}

/**
 * Cuts stretches into chunks of at most `chunkBytes`, one element at least. The cuts lie at multiples of the chunk, wherever
 * a stretch begins: a chunk that is sent again, while its first sending is still on the way, is then the very same.
 */
export function* chunksOf(stretches: Iterable<Stretch>, chunkBytes: number): Generator<Chunk> {
  for (const { array, from, to } of stretches) {
    const { fieldId, name, elementBytes, bytes } = array;
    const step = Math.max(1, Math.floor(chunkBytes / elementBytes));
    for (let at = from; at < to; ) {
      const end = Math.min(to, (Math.floor(at / step) + 1) * step);
      const data = bytes.subarray(at * elementBytes, end * elementBytes);
      yield { fieldId, name, elementOffset: at, totalElements: elementsOf(array), data };
      at = end;
    }
  }
}

const elementsOf = ({ bytes, elementBytes }: OutgoingArray): number => bytes.byteLength / elementBytes;
