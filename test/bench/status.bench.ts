// The status call: how long one takes, and how many a second a connection carries.
import { HealthCheckRequestSchema, JobStatus, StatusRequestSchema } from "@sortie/wire";
import { Ground } from "../faults/harness.ts";
import { tinyLp } from "../faults/problems.ts";
import { CUOPT, encode, Http2Client, inFlight } from "./http2.ts";
import { type Bench, percentile, secondsOf } from "./report.ts";

const IN_FLIGHT = 64;

export const status: Bench = {
  name: "status",
  about: "CheckStatus of a finished job, against the health check of the same server, which reads no job",
  async run({ short }) {
    const [single, many] = short ? [200, 1_000] : [2_000, 10_000];
    await using ground = new Ground();
    const server = await ground.start();
    const jobId = await server.client.submit(tinyLp(1));
    if ((await server.client.end(jobId)) !== JobStatus.COMPLETED) throw new Error("the job did not complete");
    using client = new Http2Client(`http://${server.address}`);
    const ours = [`${CUOPT}/CheckStatus`, encode(StatusRequestSchema, { jobId })] as const;
    const plain = ["grpc.health.v1.Health/Check", encode(HealthCheckRequestSchema, {})] as const;

    const measure = async ([method, request]: typeof ours | typeof plain) => {
      for (let i = 0; i < single / 2; i++) await client.call(method, request);
      const latencies: number[] = [];
      for (let i = 0; i < single; i++) latencies.push(1000 * (await secondsOf(() => client.call(method, request))));
      const rate = many / (await secondsOf(() => inFlight(IN_FLIGHT, many, () => client.call(method, request))));
      return { p50: percentile(latencies), p99: percentile(latencies, 0.99), rate };
    };
    // By turns, so that neither has the quieter time; the first round is for the machine to warm up.
    const rounds: { health: Awaited<ReturnType<typeof measure>>; check: Awaited<ReturnType<typeof measure>> }[] = [];
    for (let round = 0; round < (short ? 2 : 4); round++) {
      rounds.push({ health: await measure(plain), check: await measure(ours) });
    }
    rounds.shift();
    const median = (of: "health" | "check", figure: "p50" | "p99" | "rate") =>
      percentile(rounds.map((round) => round[of][figure]));
    const line = (what: string, figure: "p50" | "p99" | "rate", unit: string) => ({
      what: `CheckStatus ${what}`,
      value: median("check", figure),
      unit,
      baseline: { what: "health check", value: median("health", figure) },
    });
    return {
      input: `${single} calls one after another; ${many} calls, ${IN_FLIGHT} in flight; median of ${rounds.length}`,
      measures: [line("p50", "p50", "ms"), line("p99", "p99", "ms"), line("rate", "rate", "calls/s")],
    };
  },
};
