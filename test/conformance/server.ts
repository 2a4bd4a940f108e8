// What the scenarios need of a server, whichever host it is.
import type { Interceptor } from "@connectrpc/connect";
import type { Blobs, Job, Table } from "@sortie/core";
import type { HostName } from "./hosts.ts";

export interface Server {
  readonly host: HostName;
  readonly port: number;
  /** Everything that it has logged, over all its starts. */
  readonly log: string;
  url(scheme?: string): string;
  /** Makes calls those of somebody who may call. */
  readonly interceptors: readonly Interceptor[];
  /** Starts it; on the port it had if it ran before. */
  start(): Promise<this>;
  /** Asks it to stop and waits for its end. @returns its exit code */
  stop(): Promise<number | null>;
  /** Ends it without a word. */
  kill(): Promise<void>;
  /** Ends it and everything that it has started, and removes its data. */
  dispose(): Promise<void>;
  /** How many log streams it has open, by its own count. */
  openStreams(): Promise<number>;
  /** Looks at what is stored for a job. */
  withJob<T>(jobId: string, look: (job: Job, stores: { table: Table; blobs: Blobs }) => Promise<T>): Promise<T>;
  /** The id of the process that runs a job. */
  workerOf(jobId: string): Promise<number>;
}
