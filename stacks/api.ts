// The function behind the function URL: every call of every service, streams included.
import { createFunction, type Site } from "./functions.ts";
import { BLOB_PREFIXES } from "./lifecycle.ts";
import { blobs, rows } from "./permissions.ts";
import type { Storage } from "./storage.ts";
import type { Environment, Input } from "./types.ts";

/** Waits and streams end by themselves after 25 s; the rest is room for a large submission. */
const TIMEOUT_SECONDS = 60;

/**
 * It stages, answers and writes rows. It has no right to Batch, to other functions or to the bus: the table's stream does
 * the rest.
 *
 * With `auth: "iam"` AWS refuses callers without a signature before the function runs. With `auth: "token"` the function
 * itself refuses every call without a token of Sortie's, from the first day on; only `grpc.health.v1` is open.
 */
export function createApi(site: Site, storage: Storage, environment: Input<Environment>) {
  const { options } = site;
  return createFunction(
    "Rpc",
    {
      entry: "rpc",
      description: "Sortie: calls of clients",
      memoryMiB: 1024,
      timeoutSeconds: TIMEOUT_SECONDS,
      environment,
      permissions: [...rows(storage.table.arn), ...blobs(storage.bucket.arn, BLOB_PREFIXES)],
      streaming: true,
      url: {
        authorization: options.auth === "iam" ? "iam" : "none",
        cors: options.corsOrigins.length > 0 && {
          allowOrigins: [...options.corsOrigins],
          allowMethods: ["GET", "POST"],
          allowHeaders: [
            "authorization",
            "connect-protocol-version",
            "connect-timeout-ms",
            "content-type",
            "idempotency-key",
            "sortie-webhook",
            "x-grpc-web",
            "x-user-agent",
          ],
          exposeHeaders: ["grpc-message", "grpc-status", "grpc-status-details-bin"],
          allowCredentials: false,
          maxAge: "1 hour",
        },
      },
    },
    site,
  );
}
