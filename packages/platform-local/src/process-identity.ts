// Names a process so that the name stays true: process ids are used again, so the start time belongs to the name.
//
// The text is `pid:<pid>:<start>`, where start is field 22 of /proc/<pid>/stat (clock ticks since boot, see proc(5));
// where there is no /proc it is `pid:<pid>`.
import { readFileSync } from "node:fs";

/** `start` is undefined where the operating system does not tell it. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly start: string | undefined;
}

type Stat = { readonly start: string; readonly dead: boolean };

const hasProc = process.platform === "linux";

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // Field 2 is the command in parentheses and may itself hold blanks and parentheses; field 3 follows the last ")".
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, start] = [fields[0], fields[19]];
  return start === undefined ? undefined : { start, dead: state === "Z" || state === "X" };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The name of a process, by default this one's. For a process that is gone the name is of nobody. */
export function identityOf(pid: number = process.pid): string {
  const start = hasProc ? readStat(pid)?.start : undefined;
  return start === undefined ? `pid:${pid}` : `pid:${pid}:${start}`;
}

/** Undefined if the text is not the name of a process. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  const match = /^pid:([1-9]\d{0,9})(?::(\d+))?$/.exec(text);
  return match ? { pid: Number(match[1]), start: match[2] } : undefined;
}

/** Does this very process still run? A zombie does not. */
export function isRunning(identity: ProcessIdentity): boolean {
  if (!hasProc) return exists(identity.pid);
  const stat = readStat(identity.pid);
  return stat !== undefined && !stat.dead && (identity.start === undefined || stat.start === identity.start);
}

/** The name of this process. */
export const thisProcess: string = identityOf();
