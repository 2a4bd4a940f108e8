// The closed list of what can go wrong in the domain. Only the edge (packages/rpc) turns a reason into a wire code.

export type Reason =
  /** The input breaks a rule: names the array, row, field or flag, what was found, what is allowed. */
  | "invalid-argument"
  | "job-unknown"
  | "upload-unknown"
  | "download-unknown"
  | "session-unknown"
  /** The job has no result yet, or never will. */
  | "result-not-ready"
  /** The state forbids the request. */
  | "wrong-state"
  | "out-of-range"
  /** A limit of the tenant or the server; the message says which, the limit and the use. */
  | "queue-full"
  | "too-many-transfers"
  | "too-many-sessions"
  | "too-large"
  /** A quota of the tenant over time or bytes; the message says which, the limit, the use, and when it resets. */
  | "quota-exceeded"
  /** Nobody knows who makes the call; the message says what to send. */
  | "unauthenticated"
  | "key-reused-with-other-body"
  | "feature-unsupported"
  /** A chunk is not what its sender's digest says. Nothing was stored; the same chunk may be sent again. */
  | "chunk-altered"
  /** Stored bytes are missing or altered. */
  | "stored-object-corrupt"
  | "disk-full"
  | "data-directory-in-use"
  /** Try again later: nothing was done. */
  | "unavailable";

/** An expected fault. `message` is fit for a user; `cause` is for the log only. */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
  }
}
