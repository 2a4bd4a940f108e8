// The functions behind a function URL, with workers in Batch, in a cloud of its own.
import type { Interceptor } from "@connectrpc/connect";
import { type Blobs, createToken, type Job, jobFromRow, systemClock, type Table } from "@sortie/core";
import { Cloud, type CloudOptions } from "../aws/cloud.ts";
import type { Server } from "./server.ts";

/** Flags of `sortie serve`, and the settings of a deployment that say the same. */
const SETTINGS: Readonly<Record<string, string>> = {
  "--queue-limit": "SORTIE_LIMIT_QUEUE",
  "--upload-limit": "SORTIE_LIMIT_UPLOADS",
  "--download-limit": "SORTIE_LIMIT_DOWNLOADS",
  "--upload-idle-seconds": "SORTIE_LIMIT_UPLOAD_IDLE_SECONDS",
  "--download-idle-seconds": "SORTIE_LIMIT_DOWNLOAD_IDLE_SECONDS",
  "--max-attempts": "SORTIE_LIMIT_MAX_ATTEMPTS",
};

/** Containers look this long for a further job, which is what spares most scenarios the start of another. */
const LINGER_SECONDS = "20";

const LEASE_SECONDS = "10";

function optionsFrom(flags: readonly string[]): CloudOptions {
  const settings: Record<string, string> = {
    SORTIE_LINGER_SECONDS: LINGER_SECONDS,
    // What happens to a function is noticed by the end of its lease only.
    SORTIE_LIMIT_LEASE_SECONDS: LEASE_SECONDS,
  };
  let containers: number | undefined;
  let maxMessageBytes: number | undefined;
  for (let at = 0; at < flags.length; at += 2) {
    const [flag = "", value = ""] = flags.slice(at, at + 2);
    const name = SETTINGS[flag];
    if (flag === "--workers") containers = Number(value);
    else if (flag === "--max-message-bytes") maxMessageBytes = Number(value);
    else if (name !== undefined) settings[name] = value;
    else throw new Error(`a deployment has nothing like ${flag}`);
  }
  // Whoever says how many workers there are means that there are no others.
  return { settings, maxMessageBytes, ...(containers !== undefined && { containers, inline: false }) };
}

export class LambdaServer implements Server {
  readonly host = "Lambda";
  readonly #flags: readonly string[];
  #cloud: Cloud | undefined;
  #token = "";
  readonly interceptors: readonly Interceptor[] = [
    (next) => (request) => {
      request.header.set("authorization", `Bearer ${this.#token}`);
      return next(request);
    },
  ];

  constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  get cloud(): Cloud {
    if (!this.#cloud) throw new Error("the cloud is not there yet");
    return this.#cloud;
  }

  get port(): number {
    return this.cloud.url.port;
  }

  /** The functions' and workers' logs, and the bus, where a deployment notes what becomes of jobs. */
  get log(): string {
    const told = this.cloud.events.map((event) => JSON.stringify(event));
    return `${this.cloud.log}${told.join("\n")}\n`;
  }

  url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    if (this.#cloud) {
      await this.#cloud.bringUp();
      return this;
    }
    this.#cloud = await Cloud.open(optionsFrom(this.#flags));
    const { table } = this.#cloud.worker();
    this.#token = (await createToken({ table, clock: systemClock }, { tenant: "conformance" })).token;
    return this;
  }

  async stop(): Promise<number> {
    await this.cloud.takeDown();
    return 0;
  }

  async kill(): Promise<void> {
    await this.cloud.takeDown();
  }

  async dispose(): Promise<void> {
    await this.#cloud?.[Symbol.asyncDispose]();
  }

  /** A function is not told that its client has left; its streams end by themselves after 25 s. */
  async openStreams(): Promise<number> {
    const events = this.cloud.lambda.running("rpc") as { readonly rawPath: string }[];
    return events.filter(({ rawPath }) => rawPath.endsWith("/StreamLogs")).length;
  }

  async withJob<T>(jobId: string, look: (job: Job, stores: { table: Table; blobs: Blobs }) => Promise<T>): Promise<T> {
    const platform = this.cloud.worker();
    const row = await platform.table.get({ pk: `job#${jobId}`, sk: "job" });
    if (!row) throw new Error(`the table has no job ${jobId}`);
    return look(jobFromRow(row), platform);
  }

  async workerOf(jobId: string): Promise<number> {
    const worker = await this.withJob(jobId, async (job) => job.worker ?? "");
    const { lambda } = this.cloud;
    const pid = worker.startsWith("batch:")
      ? this.cloud.workerProcess(worker.slice("batch:".length))
      : lambda.processOf("solve", (event) => (event as { jobId?: string }).jobId === jobId);
    if (pid === undefined) throw new Error(`job ${jobId} has no worker`);
    return pid;
  }
}
