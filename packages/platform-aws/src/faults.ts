// Turns what an SDK reports into faults of the domain. The SDK's own words go into `cause`, for the log only: they may
// hold account numbers, role names and request ids.
import { DomainError, type Reason } from "@sortie/core";

interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly $fault?: "client" | "server";
  readonly $retryable?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
}

const sdk = (error: unknown): SdkError => (typeof error === "object" && error !== null ? (error as SdkError) : {});

export const nameOf = (error: unknown): string => sdk(error).name ?? "";
export const statusOf = (error: unknown): number | undefined => sdk(error).$metadata?.httpStatusCode;
/** How often the SDK sent the request. */
export const attemptsOf = (error: unknown): number => sdk(error).$metadata?.attempts ?? 1;

const BUSY = new Set([
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "SlowDown",
  "ThrottledException",
  "ThrottlingException",
  "Throttling",
  "TooManyRequestsException",
  "TransactionConflictException",
  "LimitExceededException",
]);
const FORBIDDEN = new Set([
  "AccessDenied",
  "AccessDeniedException",
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "InvalidSignatureException",
  "MissingAuthenticationTokenException",
  "SignatureDoesNotMatch",
  "UnrecognizedClientException",
]);
const MISSING = new Set(["NoSuchBucket", "ResourceNotFoundException"]);

/**
 * The fault of a call, as the domain knows it. Call it once the SDK has given up retrying.
 * @param what begins the message: "table sortie", "blob a/b"
 * @param signal when it is aborted, its reason is the answer
 */
export function awsFault(error: unknown, what: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof DomainError || error instanceof RangeError) return error;
  const { name = "", code, $fault, $retryable } = sdk(error);
  const status = statusOf(error);
  const fault = (reason: Reason, text: string) => new DomainError(reason, `${what}: ${text}`, { cause: error });
  if (BUSY.has(name) || status === 429) return fault("unavailable", "the service is throttling requests; try again");
  if (FORBIDDEN.has(name) || status === 401 || status === 403) {
    return fault("unavailable", "this host is not allowed to use it; check its role and credentials");
  }
  if (MISSING.has(name)) return fault("unavailable", "it does not exist in this account and region");
  if (name === "TimeoutError" || name === "AbortError") return fault("unavailable", "no answer in time; try again");
  if ($fault === "server" || (status !== undefined && status >= 500) || $retryable || code !== undefined) {
    return fault("unavailable", "the service failed or cannot be reached; try again");
  }
  // Neither load nor network: the request itself was wrong, and that is a mistake in this package or its caller.
  if (status !== undefined) return new Error(`${what}: the service refused the request (${name})`, { cause: error });
  return error;
}
