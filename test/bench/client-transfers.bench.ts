// The client's transfers: what a program gets through SortieClient, beside a client that only moves encoded bytes.

import { fromBinary } from "@bufbuild/protobuf";
import { connect, type ProblemMessage, type SortieClient } from "@sortie/client/node";
import {
  type ArrayFieldId,
  GetResultChunkRequestSchema,
  ResultFieldId,
  StartChunkedDownloadRequestSchema,
  StartChunkedDownloadResponseSchema,
} from "@sortie/wire";
import { Ground } from "../faults/harness.ts";
import { encodeChunk, fillChunk, largeMatrix, placesOf, startUpload } from "./chunks.ts";
import { storeResult } from "./download.bench.ts";
import { CUOPT, encode, Http2Client, inFlight } from "./http2.ts";
import { type Bench, MIB, medianOf, secondsOf } from "./report.ts";

const IN_FLIGHT = 4;

/** A matrix without row offsets: its arrays are taken, and its finish is refused, so that nothing is solved. */
function problemOf(bytes: number): ProblemMessage {
  const arrays = new Map<ArrayFieldId, Float64Array | Int32Array>();
  for (const array of largeMatrix(bytes)) {
    const { buffer } = fillChunk({ ...array, offset: 0, count: array.elements });
    arrays.set(array.fieldId, array.elementBytes === 8 ? new Float64Array(buffer) : new Int32Array(buffer));
  }
  return { kind: "lp", arrays };
}

/** Seconds until the last chunk is acknowledged. */
async function uploadSeconds(client: SortieClient, problem: ProblemMessage): Promise<number> {
  const started = performance.now();
  let seconds: number | undefined;
  const refused = await client
    .submit(problem, {
      onProgress: ({ doneBytes, totalBytes }) => {
        if (doneBytes === totalBytes) seconds = (performance.now() - started) / 1000;
      },
    })
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  if (seconds === undefined) throw new Error("the upload did not come to its end", { cause: refused });
  return seconds;
}

export const clientTransfers: Bench = {
  name: "client-transfers",
  about: "typed arrays through SortieClient over gRPC, up and down",
  async run({ short }) {
    const [totalMib, chunkMib, rounds] = short ? [24, 4, 1] : [252, 16, 5];
    const bytes = totalMib * MIB;
    const elements = bytes / 8;
    await using ground = new Ground();
    const jobId = await storeResult(ground.dataDir, elements);
    const server = await ground.start({ flags: ["--upload-limit", "100"] });
    using raw = new Http2Client(`http://${server.address}`);
    const limits = { chunkBytes: chunkMib * MIB, parallelChunks: IN_FLIGHT, unaryUpToBytes: 0 };
    await using client = await connect({ address: server.address, ...limits });

    const problem = problemOf(bytes);
    const up = await medianOf(rounds, async () => totalMib / (await uploadSeconds(client, problem)));
    const places = placesOf(largeMatrix(bytes), chunkMib * MIB);
    const data = places.map(fillChunk);
    const rawUp = await medianOf(rounds, async () => {
      const uploadId = await startUpload(raw);
      const messages = places.map((place, i) => encodeChunk(uploadId, place, data[i] as Uint8Array));
      const send = (i: number) => raw.call(`${CUOPT}/SendArrayChunk`, messages[i] as Uint8Array[]);
      return totalMib / (await secondsOf(() => inFlight(IN_FLIGHT, messages.length, send)));
    });

    const down = await medianOf(rounds, async () => {
      const seconds = await secondsOf(async () => {
        const { arrays } = await client.result(jobId);
        const values = arrays.get(ResultFieldId.RESULT_PRIMAL_SOLUTION);
        if (values?.length !== elements) throw new Error(`${values?.length} elements came of ${elements}`);
      });
      return totalMib / seconds;
    });
    const request = encode(StartChunkedDownloadRequestSchema, { jobId });
    const started = await raw.call(`${CUOPT}/StartChunkedDownload`, request);
    const { downloadId } = fromBinary(StartChunkedDownloadResponseSchema, started);
    const step = (chunkMib * MIB) / 8;
    const rawDown = await medianOf(rounds, async () => {
      const seconds = await secondsOf(() =>
        inFlight(IN_FLIGHT, Math.ceil(elements / step), async (i) => {
          const ask = { downloadId, fieldId: 0, elementOffset: BigInt(i * step), maxElements: BigInt(step) };
          await raw.call(`${CUOPT}/GetResultChunk`, encode(GetResultChunkRequestSchema, ask));
        }),
      );
      return totalMib / seconds;
    });

    const unit = "MiB/s";
    const baseline = (value: number) => ({ what: "encoded bytes over HTTP/2", value });
    return {
      input: `${totalMib} MiB of typed arrays in chunks of ${chunkMib} MiB, ${IN_FLIGHT} in flight, median of ${rounds}`,
      measures: [
        { what: "upload by the client", value: up, unit, baseline: baseline(rawUp) },
        { what: "download by the client", value: down, unit, baseline: baseline(rawDown) },
      ],
    };
  },
};
