// What every part of the client works with: the services of one server, and the limits.
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { CuOptRemoteService, JobService, TransferService, withRawMessages } from "@sortie/wire";
import { type ClientOptions, type Limits, limitsOf } from "./limits.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface TransferProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** The answers with large arrays come undecoded. */
const rawService = withRawMessages(CuOptRemoteService, {
  getResult: { output: true },
  getIncumbents: { output: true },
});

export interface Service {
  readonly solver: Client<typeof rawService>;
  readonly jobs: Client<typeof JobService>;
  readonly transfers: Client<typeof TransferService>;
  readonly limits: Limits;
}

export function serviceOver(transport: Transport, options: ClientOptions): Service {
  return {
    solver: createClient(rawService, transport),
    jobs: createClient(JobService, transport),
    transfers: createClient(TransferService, transport),
    limits: limitsOf(options),
  };
}

export const call = ({ signal }: CallOptions): { signal?: AbortSignal } => (signal === undefined ? {} : { signal });
