// The outermost interceptors: what a client may learn of a fault, and that a stream ends when its call is over.
import { randomUUID } from "node:crypto";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

/** The part of a logger that is needed. */
export interface FaultLog {
  error(fields: object, message: string): void;
}

/** A fault inside of which a client may learn what failed, and nothing else. */
export class HiddenFault extends Error {
  override readonly name = "HiddenFault";
  /** E.g. "Inference failed". */
  readonly what: string;

  constructor(what: string, cause: unknown) {
    super(what, { cause });
    this.what = what;
  }
}

/**
 * Lets ConnectErrors pass. Any other fault reaches the client as INTERNAL with an id, and the log with the same id and all
 * there is to know. A stream ends with the reason of its signal as soon as that aborts, whatever its handler does.
 */
export function errorGuard(logger: FaultLog): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const translate = (error: unknown): ConnectError => {
      if (error instanceof ConnectError) return error;
      if (request.signal.aborted) return ConnectError.from(request.signal.reason, Code.Canceled);
      return internalError(logger, error, method);
    };
    try {
      const response = await next(request);
      if (!response.stream) return response;
      return { ...response, message: guardStream(response.message, request.signal, translate) };
    } catch (error) {
      throw translate(error);
    }
  };
}

/** Logs an unexpected fault under an id, and gives what the client may learn of it. */
export function internalError(logger: FaultLog, error: unknown, method: string): ConnectError {
  const id = randomUUID();
  const { what, fault } =
    error instanceof HiddenFault ? { what: `${error.what}: `, fault: error.cause } : { what: "", fault: error };
  logger.error({ err: fault, errorId: id, method }, "internal error");
  return new ConnectError(`${what}internal error (id ${id})`, Code.Internal);
}

async function* guardStream<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  translate: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  aborted.catch(() => {}); // It may reject when nobody waits for it any more.
  try {
    for (;;) {
      const result = await Promise.race([iterator.next(), aborted]);
      if (result.done) return;
      yield result.value;
    }
  } catch (error) {
    throw translate(error);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
    // Not awaited: a handler that is stuck must not hold the stream open.
    iterator.return?.().catch(() => {});
  }
}
