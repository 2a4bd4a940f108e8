// What can go wrong with a pipeline: one class with a closed list of reasons, so that a server maps them once.

export type PipelineReason =
  /** A hyper-parameter or a value that a node refuses. */
  | "invalid-value"
  /** A hyper-parameter of the wrong type, or a required one that is missing. */
  | "invalid-argument"
  | "unknown-class"
  | "unknown-node"
  | "unknown-port"
  | "incompatible-ports"
  | "cycle"
  | "missing-input"
  /** A value whose dtype, rank or size its port does not take. */
  | "port-mismatch"
  | "not-fitted"
  | "state-mismatch"
  /** Something that this server does not do (a plugin's model, a file outside the allowed folders, …). */
  | "unsupported"
  | "internal";

export interface PipelineErrorPlace {
  readonly node?: string | undefined;
  readonly port?: string | undefined;
  readonly cause?: unknown;
}

/** A fault of a pipeline, its input or its configuration. The message says what was found and what is allowed. */
export class PipelineError extends Error {
  override readonly name = "PipelineError";
  readonly reason: PipelineReason;
  readonly node: string | undefined;
  readonly port: string | undefined;

  constructor(reason: PipelineReason, message: string, place: PipelineErrorPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.reason = reason;
    this.node = place.node;
    this.port = place.port;
  }
}

/** A value error of a node: the usual complaint about a hyper-parameter or a value. */
export function invalidValue(message: string, place: PipelineErrorPlace = {}): PipelineError {
  return new PipelineError("invalid-value", message, place);
}
