// The fault in a data or weights file: which file, what was found in it and what is allowed.

export class FormatError extends Error {
  override readonly name = "FormatError";
  /** The file's name as the caller gave it. */
  readonly file: string;

  constructor(file: string, text: string, options?: ErrorOptions) {
    super(`${file}: ${text}`, options);
    this.file = file;
  }
}
