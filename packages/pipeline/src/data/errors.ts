// Faults of data sets: which files, which splits, which samples.

export type DataReason =
  /** A path that leads to nothing. */
  | "not-found"
  /** A path outside the folders that the operator allows. */
  | "outside-roots"
  /** A parameter, selector or file that does not fit. */
  | "invalid"
  /** Files of a kind that is not read. */
  | "unsupported"
  /** Splits that share samples although they must not. */
  | "leakage";

export class DataError extends Error {
  override readonly name = "DataError";
  readonly reason: DataReason;

  constructor(reason: DataReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export const invalid = (message: string): DataError => new DataError("invalid", message);
