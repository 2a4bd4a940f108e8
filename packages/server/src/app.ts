// The embedded application: SQLite table, file blobs and a pool of worker processes under the services of packages/rpc.
import { mkdirSync } from "node:fs";
import {
  type Context,
  clearAdmission,
  createIdentify,
  DomainError,
  feedsAreFinal,
  getJob,
  type JobEvent,
  type Limits,
  LOCAL_CALLER,
  LOCAL_PLACEMENT,
  loseAttempt,
  nextChange,
  ownerOf,
  readLog,
  recover,
  sweep,
  systemClock,
  systemIds,
  WebhookCourier,
} from "@sortie/core";
import { FolderInbox } from "@sortie/inbox";
import { Engine, LocalFiles } from "@sortie/pipeline";
import {
  type ExitInfo,
  lockDataDir,
  openLocalPlatform,
  type PoolStats,
  ProcessPoolDispatcher,
} from "@sortie/platform-local";
import { type CuvisContext, callerFromHost, createInference, createRoutes } from "@sortie/rpc";
import { PipelineHost } from "@sortie/sessions";
import { createWebhookSender } from "@sortie/webhooks";
import { cuvis } from "@sortie/wire";
import { type WorkerSettings, workerProgram } from "@sortie/worker";
import type { Logger } from "pino";
import { headersOf, peerOf } from "./caller.ts";
import type { AppGauge } from "./metrics.ts";
import type { App } from "./run-server.ts";
import type { Settings } from "./settings.ts";
import { posixSharedMemory } from "./shared-memory.ts";
import { createTransferHandler } from "./transfers.ts";
import { masterWebhookSecret } from "./webhook-secrets.ts";

const SWEEP_MS = 500;
const ECHO_BYTES = 64 * 1024;
const ECHO_WAIT_MS = 30_000;

function limitsFrom(settings: Settings): Limits {
  return {
    jobs: settings.queueLimit,
    openUploads: settings.uploadLimit,
    openDownloads: settings.downloadLimit,
    uploadIdleMs: settings.uploadIdleSeconds * 1000,
    sessions: settings.sessionLimit,
    sessionIdleMs: settings.sessionIdleSeconds * 1000,
    downloadIdleMs: settings.downloadIdleSeconds * 1000,
    jobTtlMs: settings.timeToLiveHours * 3_600_000,
    maxAttempts: settings.maxAttempts,
    leaseMs: settings.leaseSeconds * 1000,
    cancelGraceMs: settings.cancelGraceMs,
    arrayBytes: 4 * 1024 ** 3,
    // 0 is no limit.
    storedBytes: settings.storageLimitMb * 1024 * 1024 || undefined,
    workerSecondsPerDay: settings.workerSecondsLimit || undefined,
  };
}

/** Opens the data directory, takes up what an earlier server left, and starts the workers. */
export async function createApp(
  settings: Settings,
  logger: Logger,
  { isTemporary = false }: { readonly isTemporary?: boolean } = {},
): Promise<App> {
  const { dataDirectory, durability } = settings;
  mkdirSync(dataDirectory, { recursive: true });
  await using undo = new AsyncDisposableStack();
  undo.use(lockDataDir(dataDirectory));
  const platform = await openLocalPlatform({ dataDir: dataDirectory, durability });
  undo.defer(() => platform.close());
  const limits = limitsFrom(settings);
  const stopping = new AbortController();
  const onFault = (what: string, error: unknown) => logger.error({ err: error }, what);
  const pipelineRoots = [settings.configsDirectory, ...settings.pipelineRoots];
  const workerSettings: WorkerSettings = {
    dataDir: dataDirectory,
    durability,
    limits,
    dataRoots: pipelineRoots,
    pipelineProvider: settings.pipelineProvider,
    isTemporary,
  };

  const pool = new ProcessPoolDispatcher({
    size: settings.workers,
    entry: workerProgram,
    args: ["--settings", JSON.stringify(workerSettings)],
    dataDir: dataDirectory,
    memoryBudgetBytes: settings.memoryBudgetMb * 1024 * 1024,
    onError: (error) => onFault("worker pool", error),
    onClaimed: (worker, jobId) => {
      logger.debug({ worker, jobId }, "a worker took a job");
      if (!settings.logToConsole) return;
      echoLog(context, logger, jobId, stopping.signal).catch((error) => {
        if (!stopping.signal.aborted) onFault(`repeating the log of job ${jobId}`, error);
      });
    },
    onWorkerGone: (worker, jobId, exit) => {
      logger.warn({ worker, jobId, ...exit }, "a worker is gone");
      loseAttempt(context, jobId, { worker, ...lossOf(exit) }).catch((error) => onFault(`job ${jobId}`, error));
    },
  });
  undo.use(pool);
  const webhooks = new WebhookCourier(
    createWebhookSender({
      masterSecret: () => masterWebhookSecret(settings),
      allowPrivate: settings.webhookAllowPrivate,
    }),
  );
  undo.defer(() => webhooks.close());
  const inbox = await openInbox(settings, logger);
  const context: Context = {
    ...platform,
    dispatcher: pool,
    placement: LOCAL_PLACEMENT,
    events: {
      publish: async (event) => {
        logEvent(logger, event);
        await inbox?.tell(context, event);
      },
    },
    webhooks,
    clock: systemClock,
    ids: systemIds,
    limits,
    onFault,
  };
  await clearAdmission(context, LOCAL_CALLER.tenant);
  await recover(context, (job) => {
    logger.info({ worker: job.worker, jobId: job.id }, "a worker of an earlier server goes on");
    pool.adopt(String(job.worker), job.id, job.memoryBytes);
  });
  const stopSweeping = startSweep(context);
  const inboxRuns = inbox?.run(context, stopping.signal);
  const identifyCall = createIdentify(context, {
    required: settings.requireToken || settings.tlsTenant !== "none",
  });
  const files = new LocalFiles({ roots: pipelineRoots });
  const pipelines: CuvisContext = {
    ...context,
    filesOf: () => files,
    configs: files.absolute(settings.configsDirectory),
    host: new PipelineHost({ filesOf: () => files }),
    ...(settings.sharedMemory ? { sharedMemory: posixSharedMemory() } : {}),
    strictPlugins: settings.strictPlugins,
  };
  undo.defer(() => pipelines.host.close());
  const engine = undo.use(new Engine({ provider: settings.pipelineProvider }));
  const maxPipelineMessageBytes = settings.pipelineMaxMessageMb * 1024 * 1024;
  const routes = createRoutes(context, {
    maxMessageBytes: settings.maxMessageBytes,
    callerOf: callerFromHost,
    publicUrl: settings.publicUrl,
    cuvis: {
      context: pipelines,
      infer: createInference(pipelines, engine),
      olderNodeForm: settings.olderNodeForm,
      maxMessageBytes: maxPipelineMessageBytes,
      usesGpu: settings.pipelineProvider !== "cpu",
    },
  });
  const opened = undo.move();

  return {
    routes,
    identify: async (request) => identifyCall(headersOf(request), settings.tlsTenant === "cn" ? peerOf(request) : {}),
    serviceLimits: { [cuvis.CuvisAIService.typeName]: maxPipelineMessageBytes },
    transfers: createTransferHandler({ blobs: platform.blobs, logger, now: () => systemClock.now() }),
    gauges: () => readGauges(pool.stats()),
    async stop() {
      stopping.abort();
      await inboxRuns;
      await stopSweeping();
      await opened.disposeAsync();
    },
  };
}

function logEvent(logger: Logger, event: JobEvent): void {
  logger.info({ eventId: event.id, jobId: event.jobId, tenant: event.tenant, ...event.detail }, event.type);
}

/** The folder whose files become jobs, if there is one. @throws DomainError that names the folder */
async function openInbox(settings: Settings, logger: Logger): Promise<FolderInbox | undefined> {
  const { inbox: folder, inboxTenant: tenant } = settings;
  if (folder === undefined) return undefined;
  try {
    return await FolderInbox.open({
      folder,
      caller: { tenant },
      onTaken: (file, taken) => logger.info({ file, tenant, ...taken }, "a file of the inbox was taken"),
    });
  } catch (error) {
    throw new DomainError("unavailable", `--inbox ${folder} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What a worker's end says of the job it had. A crash points at the model; being killed from outside does not. */
function lossOf(exit: ExitInfo): { how: string; signature?: string } {
  if (exit.code === null && exit.signal === null) return { how: "the worker is gone" };
  if (exit.signal === "SIGKILL" || exit.signal === "SIGTERM") return { how: `the worker was ended by ${exit.signal}` };
  const end = exit.signal === null ? `exit code ${exit.code}` : exit.signal;
  return { how: `the worker crashed with ${end}`, signature: end };
}

/** Sweeps again and again; the returned function stops it and waits for the round in hand. */
function startSweep(context: Context): () => Promise<void> {
  const stop = new AbortController();
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        await sweep(context, stop.signal);
      } catch (error) {
        if (!stop.signal.aborted) context.onFault("sweeping", error);
      }
      await context.clock.sleep(SWEEP_MS, stop.signal).catch(() => undefined);
    }
  };
  const running = run();
  return async () => {
    stop.abort();
    await running;
  };
}

function readGauges({ size, busy, idle, queued }: PoolStats): AppGauge[] {
  return [
    {
      name: "sortie_jobs",
      help: "Jobs that are not finished, by state.",
      values: [
        { labels: { state: "queued" }, value: queued },
        { labels: { state: "processing" }, value: busy },
      ],
    },
    {
      name: "sortie_workers",
      help: "Worker processes, and how many there may be.",
      values: [
        { labels: { state: "busy" }, value: busy },
        { labels: { state: "idle" }, value: idle },
        { labels: { state: "limit" }, value: size },
      ],
    },
  ];
}

/** Repeats the lines of a job's log in the server's own until the job has ended. */
async function echoLog(context: Context, logger: Logger, jobId: string, signal: AbortSignal): Promise<void> {
  const caller = await ownerOf(context, jobId, { signal });
  let job = caller && (await getJob(context, caller, jobId, { signal }));
  let at = job?.segments.at(-1)?.log ?? 0;
  while (caller && job) {
    const slice = await readLog(context, job, at, ECHO_BYTES, { signal });
    at = slice.end;
    for (const line of Buffer.from(slice.bytes).toString("utf8").split("\n")) if (line) logger.info({ jobId }, line);
    if (slice.bytes.byteLength > 0 && at < job.logEnd) continue;
    if (feedsAreFinal(job)) return;
    job = await nextChange(context, caller, job, ECHO_WAIT_MS, { signal });
  }
}
