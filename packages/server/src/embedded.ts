// A server inside another program, for as long as that program needs one: its own data directory, a free port on loopback.
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { createApp } from "./app.ts";
import { startHost } from "./host.ts";
import { readSettings } from "./settings.ts";

export interface EmbeddedOptions {
  /** Worker processes. Default 1. */
  readonly workers?: number | undefined;
  /** Default: a temporary directory that is removed at the end. */
  readonly dataDirectory?: string | undefined;
}

export interface EmbeddedServer extends AsyncDisposable {
  /** `HOST:PORT` */
  readonly address: string;
}

const CLOSE_MS = 2000;

/** Starts a server with default settings and no log. */
export async function openEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const own = options.dataDirectory === undefined ? await mkdtemp(join(tmpdir(), "sortie-")) : undefined;
  const directory = options.dataDirectory ?? String(own);
  // A program that ends in the middle of it all leaves no data behind either.
  const removeAtExit = () => {
    if (own !== undefined) rmSync(own, { recursive: true, force: true });
  };
  process.once("exit", removeAtExit);
  const remove = async () => {
    process.off("exit", removeAtExit);
    if (own !== undefined) await rm(own, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  };
  try {
    // Nothing of the surroundings: what a file or the environment says is meant for a server of one's own.
    const settings = readSettings(["--data", directory, "--port", "0", "--workers", String(options.workers ?? 1)], {});
    const logger = pino({ level: "silent" });
    const app = await createApp(settings, logger, { isTemporary: own !== undefined });
    const host = await startHost({
      host: settings.host,
      port: 0,
      routes: app.routes,
      identify: app.identify,
      transfers: app.transfers,
      maxMessageBytes: settings.maxMessageBytes,
      serviceLimits: app.serviceLimits,
      logger,
    });
    return {
      address: host.address,
      async [Symbol.asyncDispose]() {
        await host.close(CLOSE_MS);
        await app.stop(CLOSE_MS);
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
