// The fault in an MPS file: where it stands, what was found and what is allowed there.

export class MpsError extends Error {
  override readonly name = "MpsError";
  /** Counted from 1. */
  readonly line: number;
  /** The character at which the offending field starts, counted from 1. */
  readonly column: number;

  constructor(line: number, column: number, text: string, options?: ErrorOptions) {
    super(`line ${line}, column ${column}: ${text}`, options);
    this.line = line;
    this.column = column;
  }
}
