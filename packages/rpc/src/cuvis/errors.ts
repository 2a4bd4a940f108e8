// How faults of the pipeline service become status codes: one mapping for every call, with the words that clients look for.
import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError } from "@sortie/core";
import {
  ConfigError,
  type ConfigReason,
  DataError,
  FileError,
  type FileReason,
  FormatError,
  PipelineError,
  type PipelineReason,
} from "@sortie/pipeline";
import { CODE_OF_REASON } from "../errors.ts";
import { HiddenFault } from "../host/error-guard.ts";

/** A fault whose code does not follow from a rule of core or of pipelines. */
export class CuvisError extends Error {
  override readonly name = "CuvisError";
  readonly code: Code;

  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

/** A required field is empty, or a value breaks a rule. */
export const invalid = (message: string): CuvisError => new CuvisError(Code.InvalidArgument, message);
export const notFound = (message: string): CuvisError => new CuvisError(Code.NotFound, message);
export const precondition = (message: string): CuvisError => new CuvisError(Code.FailedPrecondition, message);

/** Why a call that needs a pipeline is refused. */
export const noPipeline = (): CuvisError =>
  precondition("This session has no pipeline (no child runtime): call LoadPipeline or RestoreTrainRun first");

/** Value errors are the caller's; everything else happened inside. */
const CODE_OF_PIPELINE = {
  "invalid-value": Code.InvalidArgument,
  "unknown-node": Code.InvalidArgument,
  "unknown-port": Code.InvalidArgument,
  "incompatible-ports": Code.InvalidArgument,
  unsupported: Code.InvalidArgument,
  "invalid-argument": Code.Internal,
  "unknown-class": Code.Internal,
  cycle: Code.Internal,
  "missing-input": Code.Internal,
  "port-mismatch": Code.Internal,
  "not-fitted": Code.Internal,
  "state-mismatch": Code.Internal,
  internal: Code.Internal,
} as const satisfies Record<PipelineReason, Code>;

const CODE_OF_CONFIG = {
  "file-not-found": Code.NotFound,
  "unknown-type": Code.InvalidArgument,
  composition: Code.Internal,
  "invalid-request": Code.InvalidArgument,
  interpolation: Code.InvalidArgument,
  validation: Code.InvalidArgument,
} as const satisfies Record<ConfigReason, Code>;

const CODE_OF_FILE = {
  "not-found": Code.NotFound,
  "not-allowed": Code.InvalidArgument,
} as const satisfies Record<FileReason, Code>;

/**
 * The error a client gets; anything unexpected is for the host to log and hide, but for what failed.
 * @param prefix what a client is told first of a fault that is not its own, e.g. "Inference failed"
 */
export function toCuvisError(error: unknown, prefix: string): unknown {
  if (error instanceof CuvisError) return new ConnectError(error.message, error.code);
  if (error instanceof DomainError) return new ConnectError(error.message, CODE_OF_REASON[error.reason]);
  if (error instanceof PipelineError) {
    const code = CODE_OF_PIPELINE[error.reason];
    return new ConnectError(code === Code.Internal ? `${prefix}: ${error.message}` : error.message, code);
  }
  if (error instanceof ConfigError) {
    const code = CODE_OF_CONFIG[error.reason];
    return new ConnectError(code === Code.Internal ? `${prefix}: ${error.message}` : error.message, code);
  }
  if (error instanceof FileError) return new ConnectError(error.message, CODE_OF_FILE[error.reason]);
  if (error instanceof DataError) return new ConnectError(error.message, Code.InvalidArgument);
  if (error instanceof FormatError) return new ConnectError(`${prefix}: ${error.message}`, Code.Internal);
  if (error instanceof ConnectError) return error;
  return new HiddenFault(prefix, error);
}
