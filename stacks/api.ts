// The function behind the function URL: every call of every service, streams included. And the function that it calls for
// inferences, since it has no engine itself.
import { createFunction, type Site } from "./functions.ts";
import { BLOB_PREFIXES, FILES_PREFIX, SESSION_PREFIX } from "./lifecycle.ts";
import { blobs, calls, rows } from "./permissions.ts";
import type { Storage } from "./storage.ts";
import type { Environment, Input } from "./types.ts";

const INFER_SECONDS = 60;
/**
 * The most there is, for a Train stream, which lasts as long as its training: mostly it waits for a container. Other waits and
 * streams end by themselves after 25 s, and an inference after a minute.
 */
const TIMEOUT_SECONDS = 900;
/** Weights, a cube of one message (4 MiB), and what the nodes make of it; the share of a processor grows with it. */
const INFER_MEMORY_MIB = 2048;

/**
 * Runs one inference on a session's pipeline while its caller waits, so Lambda makes no second attempt. It reads weights and
 * models, writes the session's row, and has the client's files for nodes that read or write some; it starts nothing. ONNX
 * Runtime lies in its bundle.
 */
export function createInfer(site: Site, storage: Storage, environment: Input<Environment>) {
  return createFunction(
    "Infer",
    {
      entry: "infer",
      description: "Sortie: runs inferences",
      memoryMiB: INFER_MEMORY_MIB,
      timeoutSeconds: INFER_SECONDS,
      environment,
      permissions: [...rows(storage.table.arn), ...blobs(storage.bucket.arn, [SESSION_PREFIX, FILES_PREFIX])],
    },
    site,
  );
}

/**
 * It stages, answers and writes rows, keeps the files of clients, and has inferences run by `infer`. It has no right to
 * Batch, to any further function or to the bus: the table's stream does the rest.
 *
 * With `auth: "iam"` AWS refuses callers without a signature before the function runs. With `auth: "token"` the function
 * itself refuses every call without a token of Sortie's, from the first day on; only `grpc.health.v1` is open.
 */
export function createApi(site: Site, storage: Storage, infer: sst.aws.Function, environment: Environment) {
  const { options } = site;
  return createFunction(
    "Rpc",
    {
      entry: "rpc",
      description: "Sortie: calls of clients",
      memoryMiB: 1024,
      timeoutSeconds: TIMEOUT_SECONDS,
      environment: { ...environment, SORTIE_INFER_FUNCTION: infer.name },
      permissions: [
        ...rows(storage.table.arn),
        ...blobs(storage.bucket.arn, [...BLOB_PREFIXES, FILES_PREFIX]),
        ...calls(infer.arn),
      ],
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
          exposeHeaders: ["grpc-message", "grpc-status", "grpc-status-details-bin", "sortie-version"],
          allowCredentials: false,
          maxAge: "1 hour",
        },
      },
    },
    site,
  );
}
