// Turns what SQLite reports into faults that a person can act on.
import type { Fault } from "./sqlite-protocol.ts";

/** Primary result codes: https://www.sqlite.org/rescode.html */
const FULL = 13;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
const BUSY = 5;
const LOCKED = 6;
const TOO_BIG = 18;

/** The primary result code of an error of node:sqlite; undefined for any other error. */
export function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  // The low byte is the primary code, the rest an extension of it.
  return typeof code === "number" ? code & 0xff : undefined;
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === BUSY || code === LOCKED;
}

/** @param file the database, for the text */
export function faultOf(error: unknown, file: string): Fault {
  const detail = error instanceof Error ? error.message : String(error);
  const code = resultCode(error);
  if (code === undefined) {
    if (error instanceof TypeError) return { reason: undefined, message: detail, detail: undefined };
    return { reason: "unavailable", message: `table ${file}: ${detail}`, detail };
  }
  switch (code) {
    case FULL:
      return { reason: "disk-full", message: `no space left on the disk of the table ${file}`, detail };
    case CORRUPT:
    case NOT_A_DATABASE:
      return {
        reason: "stored-object-corrupt",
        message: `table ${file} is damaged or is not a database (${detail}); restore it from a backup`,
        detail,
      };
    case BUSY:
    case LOCKED:
      return { reason: "unavailable", message: `table ${file} is held by another process; try again`, detail };
    case TOO_BIG:
      return { reason: "too-large", message: `table ${file}: the row is too large (${detail})`, detail };
    default:
      return { reason: "unavailable", message: `table ${file} cannot be used: ${detail}`, detail };
  }
}
