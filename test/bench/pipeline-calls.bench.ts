// Inference of small cubes over gRPC: how long a call takes, and how many a second a connection carries.
import { Engine } from "@sortie/pipeline";
import { Ground } from "../faults/harness.ts";
import { Http2Client, inFlight } from "./http2.ts";
import { BANDS, fittedPipeline, OUTPUTS, PipelineCalls, SIDE, sampleBatch, weightsOf } from "./pipeline-service.ts";
import { type Bench, type Measure, percentile, secondsOf } from "./report.ts";

/** Calls of one session are done one after another; clients that work at once have sessions of their own. */
const SESSIONS = 8;

type Call = () => Promise<unknown>;

/** Milliseconds of calls one after another, and calls per second with one of each session under way. */
async function measure(calls: readonly Call[], single: number, many: number) {
  const [first] = calls as [Call];
  for (let i = 0; i < single / 4; i++) await first();
  const latencies: number[] = [];
  for (let i = 0; i < single; i++) latencies.push(1000 * (await secondsOf(first)));
  const lanes = calls.map((call) => async () => {
    for (let i = 0; i < many / calls.length; i++) await call();
  });
  const seconds = await secondsOf(() => inFlight(lanes.length, lanes.length, (i) => lanes[i]!()));
  return { p50: percentile(latencies), p99: percentile(latencies, 0.99), rate: many / seconds };
}

type Figures = Awaited<ReturnType<typeof measure>>;

export const pipelineCalls: Bench = {
  name: "pipeline-calls",
  about: "Inference of a small cube over gRPC, against a status call of the same server and the bare pipeline",
  async run({ short }) {
    const [single, many, count] = short ? [50, 160, 2] : [1_000, 3_000, 4];
    await using ground = new Ground();
    const server = await ground.start();
    using client = new Http2Client(`http://${server.address}`);
    const calls = new PipelineCalls(client);
    const weights = await weightsOf();
    const sessions: string[] = [];
    for (let i = 0; i < SESSIONS; i++) sessions.push(await calls.session(weights));
    await using engine = new Engine({ threads: 1 });
    await using pipeline = fittedPipeline();
    const batch = sampleBatch();

    const sides: Record<"inference" | "status" | "bare", readonly Call[]> = {
      status: sessions.map((session) => calls.status(session)),
      inference: sessions.map((session) => calls.inference(session)),
      // As many at once: one thread runs them, one after another.
      bare: sessions.map(() => () => pipeline.run(batch, { engine, stage: "inference", outputs: OUTPUTS })),
    };
    const rounds: Record<keyof typeof sides, Figures>[] = [];
    // By turns, so that none has the quieter time; the first round is for the machine to warm up.
    for (let round = 0; round < count; round++) {
      const status = await measure(sides.status, single, many);
      const inference = await measure(sides.inference, single, many);
      const bare = await measure(sides.bare, single, many);
      rounds.push({ status, inference, bare });
    }
    rounds.shift();
    const median = (of: keyof typeof sides, figure: keyof Figures) =>
      percentile(rounds.map((round) => round[of][figure]));
    const line = (figure: keyof Figures, against: "status" | "bare"): Measure => ({
      what: figure === "rate" ? `Inference, ${SESSIONS} sessions at once` : `Inference ${figure}`,
      value: median("inference", figure),
      unit: figure === "rate" ? "calls/s" : "ms",
      baseline: {
        what: against === "status" ? "GetTrainStatus" : "the pipeline alone, in one process",
        value: median(against, figure),
      },
    });
    return {
      input:
        `uint16 [1, ${SIDE}, ${SIDE}, ${BANDS}] to min-max, RX, logit and decision, two outputs; ` +
        `${single} calls one after another, ${many} at once; median of ${rounds.length}`,
      measures: [
        line("p50", "status"),
        line("p50", "bare"),
        line("p99", "status"),
        line("p99", "bare"),
        line("rate", "status"),
        line("rate", "bare"),
      ],
    };
  },
};
