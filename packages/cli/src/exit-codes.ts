// The exit codes of the `sortie` program. What a number means does not depend on the command.

/** It was done. For a solve: the question is answered; an infeasible model is an answer. */
export const EXIT_DONE = 0;
/** A fault in a file, the options, the configuration, or on the way to the server. */
export const EXIT_FAULT = 1;
/** `check`: the model is infeasible. */
export const EXIT_INFEASIBLE = 2;
/** A limit was reached and nothing feasible is known. */
export const EXIT_NOTHING_FOUND = 3;
/** The job failed. */
export const EXIT_JOB_FAILED = 4;
/** The server does not know the job: it never was there, belongs to somebody else, or is deleted or expired. */
export const EXIT_JOB_UNKNOWN = 5;
/** The job was cancelled. */
export const EXIT_JOB_CANCELLED = 6;
/** The job has not ended yet, and what was asked for is there only when it has. */
export const EXIT_NOT_YET = 7;
/** `--timeout` was reached; as the command `timeout` says it. */
export const EXIT_TIMED_OUT = 124;
/** Ctrl-C; as a shell says it: 128 and the signal's number. */
export const EXIT_INTERRUPTED = 130;
