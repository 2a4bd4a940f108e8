// Faults in what a caller gives: told before anything is sent.
import { SortieError } from "./errors.ts";

/** A solver setting is unknown, or its value is of the wrong type or out of range; the message says what is allowed. */
export class InvalidSettingError extends SortieError {
  override readonly name = "InvalidSettingError";
}

/** A model does not hang together; the message names the array and element, or the variable or constraint. */
export class InvalidModelError extends SortieError {
  override readonly name = "InvalidModelError";
}
