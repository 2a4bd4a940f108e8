// The server's memory against the size of the problem: it must not grow with it.
import { ConnectError } from "@connectrpc/connect";
import { Ground } from "../faults/harness.ts";
import { encodeChunk, fillChunk, largeMatrix, placesOf, startUpload } from "./chunks.ts";
import { CUOPT, Http2Client, inFlight } from "./http2.ts";
import { peakMemory } from "./processes.ts";
import { type Bench, type Measure, MIB } from "./report.ts";

/** One after another, as simple clients send, and as many at once as ours does. */
const WIDTHS = [1, 4];
const CHUNK_MIB = 16;
const GOAL_MIB = 300;

/** Uploads a problem to a fresh server, made as it goes. */
async function peakOf(mebibytes: number, width: number): Promise<{ idle: number; peak: number }> {
  await using ground = new Ground();
  const server = await ground.start();
  await ground.worker();
  using client = new Http2Client(`http://${server.address}`);
  const uploadId = await startUpload(client);
  const idle = peakMemory(server.pid);
  const places = placesOf(largeMatrix(mebibytes * MIB), CHUNK_MIB * MIB);
  await inFlight(width, places.length, (i) =>
    client.call(`${CUOPT}/SendArrayChunk`, encodeChunk(uploadId, places[i]!, fillChunk(places[i]!))),
  );
  // A matrix alone is no model: all that the finish looks at, it does, and then refuses.
  const refusal = await server.client.cuopt.finishChunkedUpload({ uploadId }).then(
    () => "",
    (error: unknown) => ConnectError.from(error).rawMessage,
  );
  if (!refusal.startsWith("ValidationError")) throw new Error(`the finish said: ${refusal}`);
  return { idle, peak: peakMemory(server.pid) };
}

export const memory: Bench = {
  name: "memory",
  about: "peak memory of the server process while a problem is uploaded",
  async run({ short }) {
    const sizes = short ? [64, 192] : [256, 2048];
    const measures: Measure[] = [];
    for (const width of WIDTHS) {
      for (const size of sizes) {
        const { idle, peak } = await peakOf(size, width);
        const goal = size === 2048 ? { text: `< ${GOAL_MIB} MiB`, isMet: peak < GOAL_MIB } : undefined;
        const what = `peak with ${size} MiB, ${width} in flight`;
        measures.push({ what, value: peak, unit: "MiB", baseline: { what: "idle", value: idle }, goal });
      }
    }
    return {
      input: `${sizes.join(", ")} MiB in chunks of ${CHUNK_MIB} MiB, each to a fresh server`,
      measures,
    };
  },
};
