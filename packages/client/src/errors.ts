// What can go wrong for a caller of the client.
import { Code, type ConnectError } from "@connectrpc/connect";
import { connectionFault } from "./connection-fault.ts";

/** Every fault that the client tells by itself. */
export class SortieError extends Error {
  override readonly name: string = "SortieError";
}

/** A setting of the client that cannot be used; the text names it, what was found and what is allowed. */
export class ConfigurationError extends SortieError {
  override readonly name = "ConfigurationError";
}

/** The probe of a server was not answered as a server answers it. */
export class ConnectionError extends SortieError {
  override readonly name = "ConnectionError";
  /** As the client was given it. */
  readonly address: string;

  constructor(address: string, cause: unknown) {
    const reason = cause instanceof RemoteError ? cause.text || cause.code : (cause as Error).message;
    super(`cannot connect to ${address}: ${connectionFault(cause, reason)}`, { cause });
    this.address = address;
  }
}

/** A call before `connect()`, or after `close()`. Nothing was sent, or the call was cut. */
export class NotConnectedError extends SortieError {
  override readonly name = "NotConnectedError";

  constructor(why: "before" | "closed" = "before") {
    super(why === "closed" ? "not connected: the client is closed" : "not connected: call connect() first");
  }
}

/** The job ended without a result, or the server does not know it. */
export class JobEndedError extends SortieError {
  override readonly name = "JobEndedError";
  readonly state: "failed" | "cancelled" | "not-found";
  /** Where it is known which job it was. */
  readonly jobId: string | undefined;

  constructor(state: "failed" | "cancelled" | "not-found", message: string, jobId?: string) {
    super(message || `the job is ${state === "not-found" ? "not known to the server" : state}`);
    this.state = state;
    this.jobId = jobId;
  }
}

/** The caller's own time for a wait is used up. The job goes on: it was neither cancelled nor deleted. */
export class TimeoutError extends SortieError {
  override readonly name = "TimeoutError";
  readonly jobId: string;

  constructor(jobId: string, timeoutMs: number) {
    super(`timeout: job ${jobId} has not ended within ${timeoutMs / 1000} s; it goes on`);
    this.jobId = jobId;
  }
}

/** gRPC's codes as words. */
export type RemoteCode =
  | "canceled"
  | "unknown"
  | "invalid-argument"
  | "deadline-exceeded"
  | "not-found"
  | "already-exists"
  | "permission-denied"
  | "resource-exhausted"
  | "failed-precondition"
  | "aborted"
  | "out-of-range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data-loss"
  | "unauthenticated";

const codeWord = (code: Code): RemoteCode =>
  (Code[code] ?? "Unknown").replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase() as RemoteCode;

/** A call that the server refused, or that did not reach it. */
export class RemoteError extends SortieError {
  override readonly name = "RemoteError";
  readonly code: RemoteCode;
  /** Of the service, such as "SubmitJob". */
  readonly method: string;
  /** What the server said, or what happened on the way. */
  readonly text: string;
  override readonly cause: ConnectError;

  constructor(method: string, cause: ConnectError) {
    const code = codeWord(cause.code);
    super(`${method}: [${code}] ${cause.rawMessage}`);
    this.code = code;
    this.method = method;
    this.text = cause.rawMessage;
    this.cause = cause;
  }
}

/** The server's answer contradicts itself, or is not an answer to what was asked. */
export class TransferFaultError extends SortieError {
  override readonly name = "TransferFaultError";
}
