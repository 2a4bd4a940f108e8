// The one place where domain errors become Connect codes.
import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError, type Reason } from "@sortie/core";
import { ValidationError } from "@sortie/solve";
import { UnsupportedGenerationError, WireFormatError } from "@sortie/wire";

export const CODE_OF_REASON = {
  "invalid-argument": Code.InvalidArgument,
  "job-unknown": Code.NotFound,
  "upload-unknown": Code.NotFound,
  "download-unknown": Code.NotFound,
  "session-unknown": Code.NotFound,
  "result-not-ready": Code.Unavailable,
  "wrong-state": Code.FailedPrecondition,
  "out-of-range": Code.OutOfRange,
  "queue-full": Code.ResourceExhausted,
  "too-many-transfers": Code.ResourceExhausted,
  "too-many-sessions": Code.ResourceExhausted,
  "too-large": Code.ResourceExhausted,
  "quota-exceeded": Code.ResourceExhausted,
  unauthenticated: Code.Unauthenticated,
  "key-reused-with-other-body": Code.AlreadyExists,
  "feature-unsupported": Code.Unimplemented,
  "chunk-altered": Code.DataLoss,
  "stored-object-corrupt": Code.DataLoss,
  "disk-full": Code.ResourceExhausted,
  "data-directory-in-use": Code.FailedPrecondition,
  unavailable: Code.Unavailable,
} as const satisfies Record<Reason, Code>;

/** The error a client gets for `error`; anything unexpected is returned as it is, for the host to log and hide. */
export function toClientError(error: unknown): unknown {
  if (error instanceof DomainError) return new ConnectError(error.message, CODE_OF_REASON[error.reason]);
  if (error instanceof ValidationError) {
    return new ConnectError(`ValidationError: ${error.message}`, Code.InvalidArgument);
  }
  if (error instanceof WireFormatError || error instanceof UnsupportedGenerationError) {
    return new ConnectError(error.message, Code.InvalidArgument);
  }
  return error;
}
