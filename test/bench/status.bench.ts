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
    const [single, many] = short ? [200, 1_000] : [3_000, 20_000];
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
    // Once for the machine to warm up.
    await measure(plain);
    const [health, check] = [await measure(plain), await measure(ours)];
    const against = (value: number) => ({ what: "health check", value });
    return {
      input: `${single} calls one after another; ${many} calls, ${IN_FLIGHT} in flight`,
      measures: [
        { what: "CheckStatus p50", value: check.p50, unit: "ms", baseline: against(health.p50) },
        { what: "CheckStatus p99", value: check.p99, unit: "ms", baseline: against(health.p99) },
        { what: "CheckStatus rate", value: check.rate, unit: "calls/s", baseline: against(health.rate) },
      ],
    };
  },
};
