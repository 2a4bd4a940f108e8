// How every SDK client of ours is set up: one place for region, endpoint, retries and time limits.

export interface AwsOptions {
  /** Default: what the environment says. */
  readonly region?: string | undefined;
  /** Another endpoint, for emulators. Default: `AWS_ENDPOINT_URL`, else the region's own. */
  readonly endpoint?: string | undefined;
  /** How often one request is sent before it fails, 1 or more. Default 5. */
  readonly maxAttempts?: number | undefined;
}

/** Time to connect, in milliseconds. */
const CONNECT_MS = 3_000;

/**
 * The settings of a client: adaptive retries (back-off with jitter, and a client that is throttled sends less), and a
 * time limit on every attempt so that a lost connection is noticed.
 * @param requestMs how long one attempt may take until its answer begins, and how long a connection may be silent
 * @param sockets connections that may be open at once
 */
export function clientSettings({ region, endpoint, maxAttempts = 5 }: AwsOptions, requestMs: number, sockets = 64) {
  return {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts,
    retryMode: "adaptive",
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: requestMs,
      socketTimeout: requestMs,
      throwOnRequestTimeout: true,
      httpsAgent: { keepAlive: true, maxSockets: sockets },
      httpAgent: { keepAlive: true, maxSockets: sockets },
    },
  };
}
