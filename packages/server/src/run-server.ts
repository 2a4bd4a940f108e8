// Runs the server as a program: starts the application and the host, says so in one line, and stops on a signal.
import { readFileSync } from "node:fs";
import type { Interceptor } from "@connectrpc/connect";
import type { HostRoutes } from "@sortie/rpc";
import pino, { type Logger } from "pino";
import type { IdentifyRequest } from "./caller.ts";
import { type Host, startHost } from "./host.ts";
import type { ReadGauges } from "./metrics.ts";
import type { Settings } from "./settings.ts";
import type { TransferHandler } from "./transfers.ts";

/** What the host serves. */
export interface App {
  readonly routes: HostRoutes;
  /** Outermost first; the host's error guard is outside of them. */
  readonly interceptors?: readonly Interceptor[];
  /** Finds out who makes a request. Absent: nobody asks. */
  readonly identify?: IdentifyRequest | undefined;
  /** Services with a limit of their own for messages, by full name. */
  readonly serviceLimits?: Readonly<Record<string, number>> | undefined;
  /** Answers signed links. */
  readonly transfers?: TransferHandler | undefined;
  /** The application's numbers for /metrics. */
  readonly gauges?: ReadGauges;
  /** Puts everything down within `graceMs`. Calls have ended by then; jobs go on in their workers. */
  stop(graceMs: number): Promise<void>;
}

/** Opens the application. A rejection's message is shown to the person who started the server. */
export type CreateApp = (settings: Settings, logger: Logger) => Promise<App>;

export interface RunOptions {
  readonly createApp: CreateApp;
  /** Aborts to stop the server as SIGTERM does; for callers that run it inside a program of their own. */
  readonly signal?: AbortSignal | undefined;
  /** Called once the server takes calls. Default: prints the one line on standard output. */
  readonly onReady?: ((host: Host) => void) | undefined;
}

/** The exit code of a program that a signal ended. */
const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;
/** What the application gets at the least, even when calls have used up the grace. */
const LEAST_APP_GRACE_MS = 500;

/**
 * Runs until SIGTERM, SIGINT or `signal`. The first signal stops gracefully, a second one ends the process at once.
 * @returns the exit code: 0 after a graceful stop, 1 if the server could not start
 */
export async function runServer(settings: Settings, options: RunOptions): Promise<number> {
  let logger: Logger;
  try {
    logger = openLog(settings);
  } catch (error) {
    process.stderr.write(`sortie: --server-log ${settings.serverLog} cannot be opened: ${(error as Error).message}\n`);
    return 1;
  }
  for (const warning of settings.warnings) logger.warn(warning);

  const stop = Promise.withResolvers<string>();
  let stopping = false;
  const onSignal = (signal: "SIGINT" | "SIGTERM") => {
    if (stopping) process.exit(SIGNAL_EXIT[signal]);
    stopping = true;
    stop.resolve(signal);
  };
  const onAbort = () => {
    stopping = true;
    stop.resolve("abort");
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  // Nobody is listening any more: no reason to stop serving.
  const onBrokenPipe = () => {};
  process.stdout.on("error", onBrokenPipe);
  // A promise that some library forgot must not end the calls of everyone.
  const onRejection = (error: unknown) => logger.error({ err: error }, "unhandled rejection");
  process.on("unhandledRejection", onRejection);
  if (options.signal?.aborted) onAbort();
  else options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await serve(settings, options, logger, stop.promise);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    process.off("unhandledRejection", onRejection);
    process.stdout.off("error", onBrokenPipe);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

async function serve(settings: Settings, options: RunOptions, logger: Logger, stop: Promise<string>): Promise<number> {
  const graceMs = settings.stopGraceSeconds * 1000;
  let app: App;
  try {
    app = await options.createApp(settings, logger);
  } catch (error) {
    logger.debug({ err: error }, "start failed");
    process.stderr.write(`sortie: ${(error as Error).message}\n`);
    return 1;
  }
  let host: Host;
  try {
    host = await startHost({
      host: settings.host,
      port: settings.port,
      routes: app.routes,
      interceptors: app.interceptors,
      identify: app.identify,
      transfers: app.transfers,
      corsOrigins: settings.corsOrigins,
      maxMessageBytes: settings.maxMessageBytes,
      serviceLimits: app.serviceLimits,
      maxInFlightBytes: settings.maxInFlightMb * 1024 * 1024,
      tls: readTls(settings),
      readGauges: app.gauges,
      logger,
    });
  } catch (error) {
    logger.debug({ err: error }, "start failed");
    process.stderr.write(`sortie: ${(error as Error).message}\n`);
    await app.stop(graceMs);
    return 1;
  }
  if (options.onReady) options.onReady(host);
  else process.stdout.write(`sortie listening on ${host.address}\n`);
  logger.info({ address: host.address, tls: settings.tls, workers: settings.workers }, "listening");

  const reason = await stop;
  logger.info({ reason, graceMs }, "stopping");
  const deadline = performance.now() + graceMs;
  await host.close(graceMs);
  await app.stop(Math.max(deadline - performance.now(), LEAST_APP_GRACE_MS));
  logger.info("stopped");
  return 0;
}

function readTls(settings: Settings) {
  if (!settings.tls) return undefined;
  return {
    cert: readFileSync(settings.tlsCert!),
    key: readFileSync(settings.tlsKey!),
    root: settings.tlsRoot === undefined ? undefined : readFileSync(settings.tlsRoot),
    requireClientCert: settings.requireClientCert,
  };
}

/** Standard output carries the one line of the start, so the log goes to standard error, and to a file if one is named. */
function openLog(settings: Settings): Logger {
  const destinations = [2, ...(settings.serverLog === undefined ? [] : [settings.serverLog])];
  const streams = destinations.map((dest) => {
    // Written at once: a log that a crash can lose its last lines of is of little use.
    const stream = pino.destination({ dest, sync: true });
    stream.on("error", () => {}); // A full disk or a closed terminal costs log lines, not the server.
    return { stream, level: settings.logLevel as pino.Level };
  });
  return pino({ level: settings.logLevel }, pino.multistream(streams));
}
