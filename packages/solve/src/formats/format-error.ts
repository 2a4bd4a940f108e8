// A fault in a model file: where it stands, what was found and what is allowed there.

/** What every reader of a model file throws about the file itself. */
export class FormatError extends Error {
  override readonly name: string = "FormatError";
  /** Counted from 1. */
  readonly line: number;
  /** The character at which the offending text starts, counted from 1. */
  readonly column: number;

  constructor(line: number, column: number, text: string, options?: ErrorOptions) {
    super(`line ${line}, column ${column}: ${text}`, options);
    this.line = line;
    this.column = column;
  }
}

/** A fault in an MPS file. */
export class MpsError extends FormatError {
  override readonly name = "MpsError";
}

/** A fault in a file of CPLEX's LP format. */
export class LpError extends FormatError {
  override readonly name = "LpError";
}

/** How a reader makes its own kind of error. */
export type FormatErrorClass = new (line: number, column: number, text: string, options?: ErrorOptions) => FormatError;
