// Unary submission: from the request's first byte to the job's id, stored and queued.
import { fromBinary } from "@bufbuild/protobuf";
import { DeleteRequestSchema, SubmitJobRequestSchema, SubmitJobResponseSchema } from "@sortie/wire";
import { Ground } from "../faults/harness.ts";
import { boundedLp, submission } from "../faults/problems.ts";
import { CUOPT, encode, Http2Client } from "./http2.ts";
import { type Bench, MIB, medianOf, secondsOf } from "./report.ts";

export const unary: Bench = {
  name: "unary",
  about: "one SubmitJob with the whole problem in it, until its job is stored and queued",
  async run({ short }) {
    const [variables, rounds] = short ? [100_000, 1] : [1_200_000, 5];
    const request = submission(boundedLp(Float64Array.from({ length: variables }, (_, i) => i % 1000)));
    await using ground = new Ground();
    const server = await ground.start();
    const worker = await ground.worker();
    // The jobs shall only be submitted: their solves would compete for the processor.
    process.kill(worker, "SIGSTOP");
    using client = new Http2Client(`http://${server.address}`);
    let ours: number;
    try {
      ours = await medianOf(rounds, async () => {
        let jobId = "";
        const seconds = await secondsOf(async () => {
          ({ jobId } = fromBinary(SubmitJobResponseSchema, await client.call(`${CUOPT}/SubmitJob`, [request])));
        });
        await client.call(`${CUOPT}/DeleteResult`, encode(DeleteRequestSchema, { jobId }));
        return seconds * 1000;
      });
    } finally {
      process.kill(worker, "SIGCONT");
    }
    const decode = await medianOf(rounds, () =>
      secondsOf(async () => fromBinary(SubmitJobRequestSchema, request)).then((seconds) => seconds * 1000),
    );
    return {
      input: `an LP with ${variables} variables and rows, ${(request.byteLength / MIB).toFixed(1)} MiB, median of ${rounds}`,
      measures: [
        {
          what: "SubmitJob",
          value: ours,
          unit: "ms",
          baseline: { what: "protobuf-es decodes the same bytes", value: decode },
        },
      ],
    };
  },
};
