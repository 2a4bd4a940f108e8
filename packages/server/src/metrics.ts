// What /metrics tells: calls by method and code, bytes, and what the application adds. Prometheus text format.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** A number that the application reports when it is asked, such as jobs by state. */
export interface AppGauge {
  /** Name in Prometheus style, such as `sortie_jobs`. */
  readonly name: string;
  readonly help: string;
  /** One value for each set of labels. */
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

/** Reads the application's gauges at the time of a scrape. */
export type ReadGauges = () => readonly AppGauge[] | Promise<readonly AppGauge[]>;

/** One finished call, as hooks and metrics see it. */
export interface FinishedCall {
  /** `package.Service/Method`. */
  readonly method: string;
  readonly protocol: "grpc" | "grpc-web" | "connect";
  /** The code in lower case with underscores; `ok` if all went well. */
  readonly code: string;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface Metrics {
  readonly contentType: string;
  callStarted(method: string): void;
  callFinished(call: FinishedCall): void;
  render(): Promise<string>;
}

export function createMetrics(readGauges: ReadGauges | undefined): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const calls = new Counter({
    name: "sortie_rpc_requests_total",
    help: "Finished calls.",
    labelNames: ["method", "protocol", "code"],
    registers,
  });
  const duration = new Histogram({
    name: "sortie_rpc_duration_seconds",
    help: "Time from the head of a request to the end of its response.",
    labelNames: ["method", "code"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
    registers,
  });
  const running = new Gauge({
    name: "sortie_rpc_in_flight",
    help: "Calls that run now.",
    labelNames: ["method"],
    registers,
  });
  const bytesIn = new Counter({
    name: "sortie_rpc_request_bytes_total",
    help: "Bytes of request bodies.",
    labelNames: ["method"],
    registers,
  });
  const bytesOut = new Counter({
    name: "sortie_rpc_response_bytes_total",
    help: "Bytes of response bodies.",
    labelNames: ["method"],
    registers,
  });
  return {
    contentType: registry.contentType,
    callStarted: (method) => running.inc({ method }),
    callFinished(call) {
      const { method, protocol, code } = call;
      running.dec({ method });
      calls.inc({ method, protocol, code });
      duration.observe({ method, code }, call.durationMs / 1000);
      bytesIn.inc({ method }, call.requestBytes);
      bytesOut.inc({ method }, call.responseBytes);
    },
    async render() {
      const own = await registry.metrics();
      return readGauges === undefined ? own : `${own}\n${await renderGauges(await readGauges())}`;
    },
  };
}

/** In a registry of its own, so that labels which no longer occur are gone from the next scrape. */
async function renderGauges(gauges: readonly AppGauge[]): Promise<string> {
  const registry = new Registry();
  for (const { name, help, values } of gauges) {
    const labelNames = [...new Set(values.flatMap((value) => Object.keys(value.labels ?? {})))];
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    for (const { labels, value } of values) gauge.set({ ...labels }, value);
  }
  return registry.metrics();
}
