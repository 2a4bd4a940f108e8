// Taking a session up: by a server process that has just started, by one that has not met this session yet, from its cache.
import { Ground } from "../faults/harness.ts";
import { Http2Client } from "./http2.ts";
import { BANDS, PipelineCalls, SIDE, weightsOf } from "./pipeline-service.ts";
import { type Bench, percentile, secondsOf } from "./report.ts";

/** Sessions of which the second and later are taken up by a process that is warm. */
const SESSIONS = 6;
const CACHED_CALLS = 200;

export const pipelineLoad: Bench = {
  name: "pipeline-load",
  about: "first Inference of a session that another process has made: its row, its weights, its pipeline, the answer",
  async run({ short }) {
    const restarts = short ? 1 : 5;
    await using ground = new Ground();
    const weights = await weightsOf();
    let server = await ground.start();
    const sessions: string[] = [];
    {
      using client = new Http2Client(`http://${server.address}`);
      for (let i = 0; i < SESSIONS; i++) sessions.push(await new PipelineCalls(client).session(weights));
    }
    const cold: number[] = [];
    const warm: number[] = [];
    const cached: number[] = [];
    const status: number[] = [];
    const starts: number[] = [];
    for (let round = 0; round < restarts; round++) {
      await server.stop("SIGTERM");
      starts.push(
        await secondsOf(async () => {
          server = await ground.start();
        }),
      );
      using client = new Http2Client(`http://${server.address}`);
      const calls = new PipelineCalls(client);
      const timed = async (call: () => Promise<unknown>) => 1000 * (await secondsOf(call));
      const infer = sessions.map((session) => calls.inference(session));
      const read = calls.status(sessions[0]!);
      // The connection and the service's code come first: what remains is the session's.
      starts[round]! += (await timed(read)) / 1000;
      for (const [i, call] of infer.entries()) (i === 0 ? cold : warm).push(await timed(call));
      for (let i = 0; i < CACHED_CALLS; i++) {
        cached.push(await timed(infer[i % SESSIONS]!));
        status.push(await timed(read));
      }
    }
    const fromCache = percentile(cached);
    const against = { what: "from the cache", value: fromCache };
    return {
      input:
        `min-max, RX of ${BANDS} bands, logit and decision; [1, ${SIDE}, ${SIDE}, ${BANDS}]; ` +
        `${SESSIONS} sessions, median of ${restarts} restarts`,
      measures: [
        { what: "first session of a fresh process", value: percentile(cold), unit: "ms", baseline: against },
        { what: "other sessions, process warm", value: percentile(warm), unit: "ms", baseline: against },
        {
          what: "from the cache",
          value: fromCache,
          unit: "ms",
          baseline: { what: "GetTrainStatus, which reads the session's row", value: percentile(status) },
        },
        {
          what: "first session of a fresh process, its start included",
          value: percentile(starts.map((start, i) => 1000 * start + cold[i]!)),
          unit: "ms",
          baseline: { what: "its start to the first answer of another call", value: percentile(starts) * 1000 },
        },
      ],
    };
  },
};
