// Chunk download: bytes per second from the store into a client's memory.
import { fromBinary } from "@bufbuild/protobuf";
import {
  type Context,
  claimJob,
  DEFAULT_LIMITS,
  type Dispatcher,
  LOCAL_PLACEMENT,
  submitJob,
  systemClock,
  systemIds,
} from "@sortie/core";
import { openLocalPlatform } from "@sortie/platform-local";
import {
  GetResultChunkRequestSchema,
  StartChunkedDownloadRequestSchema,
  StartChunkedDownloadResponseSchema,
} from "@sortie/wire";
import { Ground } from "../faults/harness.ts";
import { CUOPT, encode, Http2Client, inFlight, startPlainServer } from "./http2.ts";
import { type Bench, MIB, medianOf, secondsOf } from "./report.ts";

const IN_FLIGHT = 4;
const PRIMAL = 0;

/** Runs nothing: the job below is completed by hand. */
const nobody: Dispatcher = {
  attemptEndsWith: "lease",
  dispatch: async () => undefined,
  stop: async () => undefined,
  waiting: () => undefined,
  isAlive: async () => "gone",
  [Symbol.asyncDispose]: async () => undefined,
};

/** Puts a finished LP with so many primal values into the data directory, as a worker would have. */
export async function storeResult(dataDir: string, elements: number): Promise<string> {
  const platform = await openLocalPlatform({ dataDir });
  const events = { publish: async () => undefined };
  const onFault = (what: string, error: unknown) => {
    throw new Error(what, { cause: error });
  };
  const context: Context = {
    ...platform,
    dispatcher: nobody,
    events,
    clock: systemClock,
    ids: systemIds,
    limits: DEFAULT_LIMITS,
    placement: LOCAL_PLACEMENT,
    onFault,
  };
  const jobId = systemIds.random();
  const job = { needs: { kind: "lp", memoryBytes: 1, elements: 1, usesGpu: false }, work: {} } as const;
  const input = async () => ({ kind: "stored", arrays: [] }) as const;
  await submitJob(context, { tenant: "local" }, jobId, job, input, systemClock.now());
  const attempt = await claimJob(context, jobId, "bench");
  const primal = Float64Array.from({ length: elements }, (_, i) => i);
  await attempt?.complete({ message: "", arrays: [{ name: String(PRIMAL), data: primal }] }, {});
  await platform.close();
  return jobId;
}

export const download: Bench = {
  name: "download",
  about: "a result in chunks, from verified blobs to the client's memory",
  async run({ short }) {
    const [totalMib, chunkMib, rounds] = short ? [24, 4, 1] : [256, 16, 5];
    const elements = (totalMib * MIB) / 8;
    const step = (chunkMib * MIB) / 8;
    const chunks = elements / step;

    await using ground = new Ground();
    const jobId = await storeResult(ground.dataDir, elements);
    const server = await ground.start();
    using client = new Http2Client(`http://${server.address}`);
    const request = encode(StartChunkedDownloadRequestSchema, { jobId });
    const { downloadId } = fromBinary(
      StartChunkedDownloadResponseSchema,
      await client.call(`${CUOPT}/StartChunkedDownload`, request),
    );
    const ours = await medianOf(rounds, async () => {
      let bytes = 0;
      const seconds = await secondsOf(() =>
        inFlight(IN_FLIGHT, chunks, async (i) => {
          const ask = { downloadId, fieldId: PRIMAL, elementOffset: BigInt(i * step), maxElements: BigInt(step) };
          const answer = await client.call(`${CUOPT}/GetResultChunk`, encode(GetResultChunkRequestSchema, ask));
          bytes += answer.byteLength;
        }),
      );
      if (bytes < totalMib * MIB) throw new Error(`${bytes} bytes came of ${totalMib} MiB`);
      return totalMib / seconds;
    });

    await using plain = await startPlainServer();
    using plainClient = new Http2Client(plain.origin);
    const overHttp = await medianOf(rounds, async () => {
      const headers = { ":method": "GET", ":path": `/${chunkMib * MIB}` };
      return totalMib / (await secondsOf(() => inFlight(IN_FLIGHT, chunks, () => plainClient.request(headers))));
    });
    return {
      input: `${totalMib} MiB in chunks of ${chunkMib} MiB, ${IN_FLIGHT} in flight, median of ${rounds}`,
      measures: [
        {
          what: "download",
          value: ours,
          unit: "MiB/s",
          baseline: { what: "HTTP/2 GET from memory", value: overHttp },
        },
      ],
    };
  },
};
