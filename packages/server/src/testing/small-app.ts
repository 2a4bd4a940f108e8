// A small application for the tests of the host: a few methods of the real services that answer without any job behind.
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { CuOptRemoteService, JobService, JobStatus } from "@sortie/wire";
import type { Logger } from "pino";
import { type Host, type HostOptions, startHost } from "../host.ts";

export interface SmallApp {
  readonly register: (router: ConnectRouter) => void;
  /** Calls that wait in WaitForCompletion or StreamLogs now. */
  readonly waiting: () => number;
  /** What SendArrayChunk does before it answers. */
  beforeChunkAnswer: () => Promise<void>;
}

/** CheckStatus answers with the id as its message, StreamLogs sends one line and then waits for ever. */
export function createSmallApp(): SmallApp {
  let waiting = 0;
  const untilAborted = (signal: AbortSignal) => {
    waiting++;
    return new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    }).finally(() => waiting--);
  };
  const app: SmallApp = {
    waiting: () => waiting,
    beforeChunkAnswer: async () => {},
    register(router) {
      router.service(CuOptRemoteService, {
        checkStatus({ jobId }) {
          if (jobId === "secret fault") throw new Error("the password is hunter2");
          if (jobId === "known fault") throw new ConnectError("no such job", Code.NotFound);
          return { jobStatus: JobStatus.NOT_FOUND, message: jobId, maxMessageBytes: 1n };
        },
        async sendArrayChunk({ uploadId, chunk }) {
          await app.beforeChunkAnswer();
          return { uploadId, chunksReceived: BigInt(chunk?.data.byteLength ?? 0) };
        },
        waitForCompletion: (_request, context) => untilAborted(context.signal),
        async *streamLogs(_request, context) {
          yield { line: "first line", byteOffset: 11n };
          await untilAborted(context.signal);
        },
      });
      router.service(JobService, { getJob: ({ id }) => ({ job: { id } }) });
    },
  };
  return app;
}

/** A logger that keeps what is logged. */
export function recordingLogger(): { logger: Logger; entries: { fields: Record<string, unknown>; message: string }[] } {
  const entries: { fields: Record<string, unknown>; message: string }[] = [];
  const log = (fields: unknown, message = "") => {
    if (typeof fields === "string") entries.push({ fields: {}, message: fields });
    else entries.push({ fields: fields as Record<string, unknown>, message });
  };
  const logger = { fatal: log, error: log, warn: log, info: log, debug: log, trace: log } as unknown as Logger;
  return { logger, entries };
}

/** A host on a free loopback port, with the small application unless other routes are given. */
export async function startSmallHost(options: Partial<HostOptions> = {}): Promise<{
  host: Host;
  app: SmallApp;
  entries: ReturnType<typeof recordingLogger>["entries"];
  url: string;
}> {
  const app = createSmallApp();
  const { logger, entries } = recordingLogger();
  const host = await startHost({
    host: "127.0.0.1",
    port: 0,
    routes: { binary: app.register, json: app.register },
    maxMessageBytes: 4 * 1024 * 1024,
    logger,
    ...options,
  });
  return { host, app, entries, url: `${options.tls ? "https" : "http"}://localhost:${host.port}` };
}
