// What the codecs throw: malformed bytes, and bytes of a client generation that was never released.

/** Bytes that are not the message they claim to be. */
export class WireFormatError extends Error {
  override readonly name = "WireFormatError";
  /** The field, from the outermost message inwards: `SubmitJobRequest.lp_request.problem.A_values`. */
  readonly path: string;
  /** Where it went wrong: byte offset in the innermost embedded message or packed run that was being decoded. */
  readonly offset: number;

  constructor(path: string, offset: number, problem: string) {
    super(`${path}: ${problem} (at byte ${offset})`);
    this.path = path;
    this.offset = offset;
  }
}

/** A message of the development wire of March 2026, whose numbers mean other fields than in any release. */
export class UnsupportedGenerationError extends Error {
  override readonly name = "UnsupportedGenerationError";
  /** What gave the message away, one phrase each. */
  readonly signs: readonly string[];

  constructor(signs: readonly string[]) {
    super(
      `the message uses the field numbers of an unreleased cuOpt development version (before 26.04): ${signs.join("; ")}. ` +
        "Use a client of cuOpt 26.04 or newer",
    );
    this.signs = signs;
  }
}
