// Encoded chunks of a large array, for the benches that upload.

import { fromBinary } from "@bufbuild/protobuf";
import {
  ArrayFieldId,
  MessageBuilder,
  StartChunkedUploadRequestSchema,
  StartChunkedUploadResponseSchema,
} from "@sortie/wire";
import { CUOPT, encode, type Http2Client } from "./http2.ts";

/** One array of the problem that is uploaded. */
export interface LargeArray {
  readonly fieldId: ArrayFieldId;
  readonly elementBytes: number;
  readonly elements: number;
}

/** A matrix of about `bytes`: an eight-byte value and a four-byte index for each non-zero. */
export function largeMatrix(bytes: number): readonly LargeArray[] {
  const elements = Math.floor(bytes / 12);
  return [
    { fieldId: ArrayFieldId.FIELD_A_VALUES, elementBytes: 8, elements },
    { fieldId: ArrayFieldId.FIELD_A_INDICES, elementBytes: 4, elements },
  ];
}

export interface ChunkPlace extends LargeArray {
  readonly offset: number;
  readonly count: number;
}

export function placesOf(arrays: readonly LargeArray[], chunkBytes: number): ChunkPlace[] {
  return arrays.flatMap((array) => {
    const step = Math.floor(chunkBytes / array.elementBytes);
    return Array.from({ length: Math.ceil(array.elements / step) }, (_, i) => ({
      ...array,
      offset: i * step,
      count: Math.min(step, array.elements - i * step),
    }));
  });
}

/** Bytes that are plausible numbers, different from place to place: doubles near 1, small whole numbers. */
export function fillChunk({ elementBytes, offset, count }: ChunkPlace): Uint8Array {
  if (elementBytes === 8) {
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) values[i] = 1 + ((offset + i) % 1009) / 1024;
    return new Uint8Array(values.buffer);
  }
  const values = new Int32Array(count);
  for (let i = 0; i < count; i++) values[i] = (offset + i) % 65_521;
  return new Uint8Array(values.buffer);
}

/** The parts of a SendArrayChunkRequest; the data are not copied. */
export function encodeChunk(uploadId: string, place: ChunkPlace, data: Uint8Array): Uint8Array[] {
  const head = new MessageBuilder();
  if (place.fieldId !== 0) head.varint(1, place.fieldId);
  if (place.offset !== 0) head.varint(2, place.offset);
  head.varint(3, place.elements);
  const headBytes = head.finish();
  const dataPrefix = Uint8Array.from([0x22, ...varint(data.byteLength)]);
  const chunkBytes = headBytes.byteLength + dataPrefix.byteLength + data.byteLength;
  const outer = new MessageBuilder().string(1, uploadId).finish();
  return [Buffer.concat([outer, Uint8Array.from([0x12, ...varint(chunkBytes)]), headBytes, dataPrefix]), data];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

export async function startUpload(client: Http2Client): Promise<string> {
  const request = encode(StartChunkedUploadRequestSchema, { problemHeader: { header: { version: 1 } } });
  return fromBinary(StartChunkedUploadResponseSchema, await client.call(`${CUOPT}/StartChunkedUpload`, request))
    .uploadId;
}
