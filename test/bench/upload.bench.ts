// Chunk upload: bytes per second from a client's memory into the store.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ground } from "../faults/harness.ts";
import { encodeChunk, fillChunk, largeMatrix, placesOf, startUpload } from "./chunks.ts";
import { CUOPT, Http2Client, inFlight, startPlainServer } from "./http2.ts";
import { type Bench, MIB, medianOf, secondsOf } from "./report.ts";

const IN_FLIGHT = 4;

export const upload: Bench = {
  name: "upload",
  about: "a problem in chunks, from the client's memory to stored, checked and digested blobs",
  async run({ short }) {
    const [totalMib, chunkMib, rounds] = short ? [24, 4, 1] : [252, 16, 5];
    const places = placesOf(largeMatrix(totalMib * MIB), chunkMib * MIB);
    const data = places.map(fillChunk);

    await using ground = new Ground();
    const server = await ground.start({ flags: ["--upload-limit", "100"] });
    using client = new Http2Client(`http://${server.address}`);
    const ours = await medianOf(rounds, async () => {
      const uploadId = await startUpload(client);
      const messages = places.map((place, i) => encodeChunk(uploadId, place, data[i]!));
      const seconds = await secondsOf(() =>
        inFlight(IN_FLIGHT, messages.length, (i) => client.call(`${CUOPT}/SendArrayChunk`, messages[i]!)),
      );
      return totalMib / seconds;
    });

    await using plain = await startPlainServer();
    using plainClient = new Http2Client(plain.origin);
    const overHttp = await medianOf(rounds, async () => {
      const headers = { ":method": "POST", ":path": "/" };
      return (
        totalMib /
        (await secondsOf(() => inFlight(IN_FLIGHT, data.length, (i) => plainClient.request(headers, [data[i]!]))))
      );
    });

    const folder = await mkdtemp(join(tmpdir(), "sortie-bench-"));
    const toFiles = await medianOf(rounds, async () => {
      const seconds = await secondsOf(() =>
        inFlight(IN_FLIGHT, data.length, (i) => writeFile(join(folder, `${i}`), data[i]!)),
      );
      return totalMib / seconds;
    });
    await rm(folder, { recursive: true });

    const unit = "MiB/s";
    return {
      input: `${totalMib} MiB in chunks of ${chunkMib} MiB, ${IN_FLIGHT} in flight, median of ${rounds}`,
      measures: [
        { what: "upload", value: ours, unit, baseline: { what: "HTTP/2 POST to memory", value: overHttp } },
        { what: "upload", value: ours, unit, baseline: { what: "file write", value: toFiles } },
      ],
    };
  },
};
