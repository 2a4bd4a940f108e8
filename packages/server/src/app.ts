// The embedded application: SQLite table, file blobs and a pool of worker processes under the services of packages/rpc.
import { mkdirSync } from "node:fs";
import {
  type Context,
  clearAdmission,
  type JobEvent,
  type Limits,
  listJobs,
  loseAttempt,
  recover,
  sweep,
} from "@sortie/core";
import {
  type ExitInfo,
  lockDataDir,
  openLocalPlatform,
  ProcessPoolDispatcher,
  systemClock,
  systemIds,
} from "@sortie/platform-local";
import { createRoutes } from "@sortie/rpc";
import { type WorkerSettings, workerProgram } from "@sortie/worker";
import type { Logger } from "pino";
import type { App } from "./run-server.ts";
import type { Settings } from "./settings.ts";

/** Without identities configured, everything belongs to one tenant. */
const LOCAL = { tenant: "local" } as const;
const SWEEP_MS = 500;

function limitsFrom(settings: Settings): Limits {
  return {
    jobs: settings.queueLimit,
    openUploads: settings.uploadLimit,
    openDownloads: settings.downloadLimit,
    uploadIdleMs: settings.uploadIdleSeconds * 1000,
    downloadIdleMs: settings.downloadIdleSeconds * 1000,
    jobTtlMs: settings.timeToLiveHours * 3_600_000,
    maxAttempts: settings.maxAttempts,
    leaseMs: settings.leaseSeconds * 1000,
    cancelGraceMs: settings.cancelGraceMs,
    arrayBytes: 4 * 1024 ** 3,
  };
}

/** Opens the data directory, takes up what an earlier server left, and starts the workers. */
export async function createApp(settings: Settings, logger: Logger): Promise<App> {
  const { dataDirectory, durability } = settings;
  mkdirSync(dataDirectory, { recursive: true });
  await using undo = new AsyncDisposableStack();
  undo.use(lockDataDir(dataDirectory));
  const platform = await openLocalPlatform({ dataDir: dataDirectory, durability });
  undo.defer(() => platform.close());
  const limits = limitsFrom(settings);
  const onFault = (what: string, error: unknown) => logger.error({ err: error }, what);
  const workerSettings: WorkerSettings = { dataDir: dataDirectory, durability, limits };

  const pool = new ProcessPoolDispatcher({
    size: settings.workers,
    entry: workerProgram,
    args: ["--settings", JSON.stringify(workerSettings)],
    dataDir: dataDirectory,
    memoryBudgetBytes: settings.memoryBudgetMb * 1024 * 1024,
    onError: (error) => onFault("worker pool", error),
    onWorkerGone: (worker, jobId, exit) => {
      logger.warn({ worker, jobId, ...exit }, "a worker is gone");
      loseAttempt(context, jobId, { worker, ...lossOf(exit) }).catch((error) => onFault(`job ${jobId}`, error));
    },
  });
  undo.use(pool);
  const context: Context = {
    ...platform,
    dispatcher: pool,
    events: { publish: async (event) => logEvent(logger, event) },
    clock: systemClock,
    ids: systemIds,
    limits,
    onFault,
  };
  await clearAdmission(context, LOCAL.tenant);
  await recover(context, (job) => {
    logger.info({ worker: job.worker, jobId: job.id }, "a worker of an earlier server goes on");
    pool.adopt(String(job.worker), job.id, job.memoryBytes);
  });
  const stopSweeping = startSweep(context);
  const routes = createRoutes(context, { maxMessageBytes: settings.maxMessageBytes, callerOf: () => LOCAL });
  const opened = undo.move();

  return {
    routes,
    gauges: () => readGauges(context, pool),
    async stop() {
      await stopSweeping();
      await opened.disposeAsync();
    },
  };
}

function logEvent(logger: Logger, event: JobEvent): void {
  logger.info({ eventId: event.id, jobId: event.jobId, tenant: event.tenant, ...event.detail }, event.type);
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

async function readGauges(
  context: Context,
  pool: { stats(): { size: number; busy: number; idle: number; queued: number } },
) {
  const { size, busy, idle, queued } = pool.stats();
  const open = await listJobs(context, LOCAL, { states: ["queued", "processing"], limit: 10_000 });
  const count = (state: string) => open.jobs.filter((job) => job.state === state).length;
  return [
    {
      name: "sortie_jobs",
      help: "Jobs that are not finished, by state.",
      values: ["queued", "processing"].map((state) => ({ labels: { state }, value: count(state) })),
    },
    { name: "sortie_queue_length", help: "Jobs that wait for a worker.", values: [{ value: queued }] },
    {
      name: "sortie_workers",
      help: "Worker processes.",
      values: [
        { labels: { state: "busy" }, value: busy },
        { labels: { state: "idle" }, value: idle },
        { labels: { state: "limit" }, value: size },
      ],
    },
  ];
}
