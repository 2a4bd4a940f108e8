// The transport as the client uses it: every call has a deadline, rejects at once when it is aborted, and its faults say which
// method they belong to.
import { ConnectError, type Transport } from "@connectrpc/connect";
import { RemoteError } from "./errors.ts";
import { linkedController } from "./signals.ts";

export interface WatchOptions {
  /** Deadline of calls that bring none of their own, milliseconds; 0: none. */
  readonly callTimeoutMs: number;
  readonly onDebug?: ((line: string) => void) | undefined;
  /** Ends every running call with its reason. */
  readonly closing: AbortSignal;
}

/** They last as long as the job does. */
const WITHOUT_DEADLINE: readonly string[] = ["WaitForCompletion", "StreamLogs"];

export function watchedTransport(transport: Transport, options: WatchOptions): Transport {
  const { callTimeoutMs, onDebug, closing } = options;

  const begin = (method: string, signal: AbortSignal | undefined) => {
    const startedAt = performance.now();
    const linked = linkedController(signal, closing);
    const aborted = new Promise<never>((_, reject) => {
      const leave = () => reject(linked.signal.reason);
      if (linked.signal.aborted) leave();
      else linked.signal.addEventListener("abort", leave, { once: true });
    });
    aborted.catch(() => {}); // Nobody may be waiting any more.
    const end = (outcome: string) => {
      linked[Symbol.dispose]();
      onDebug?.(`${method}: ${outcome} after ${Math.round(performance.now() - startedAt)} ms`);
    };
    return {
      signal: linked.signal,
      /** A transport may take its time to notice that it was aborted. */
      promptly: <T>(work: Promise<T>): Promise<T> => Promise.race([work, aborted]),
      succeeded: () => end("ok"),
      failed(error: unknown): unknown {
        const fault = linked.signal.aborted
          ? linked.signal.reason
          : error instanceof ConnectError
            ? new RemoteError(method, error)
            : error;
        end(fault instanceof RemoteError ? `${fault.code}: ${fault.text}` : String(fault));
        return fault;
      },
    };
  };
  const deadline = (method: string, timeoutMs: number | undefined) =>
    timeoutMs ?? (WITHOUT_DEADLINE.includes(method) ? 0 : callTimeoutMs);

  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const call = begin(method.name, signal);
      try {
        call.signal.throwIfAborted();
        const limit = deadline(method.name, timeoutMs);
        const answer = await call.promptly(transport.unary(method, call.signal, limit, header, input, contextValues));
        call.succeeded();
        return answer;
      } catch (error) {
        throw call.failed(error);
      }
    },

    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const call = begin(method.name, signal);
      try {
        call.signal.throwIfAborted();
        const limit = deadline(method.name, timeoutMs);
        const answer = await call.promptly(transport.stream(method, call.signal, limit, header, input, contextValues));
        const messages = answer.message[Symbol.asyncIterator]();
        const next = async () => {
          try {
            const step = await call.promptly(messages.next());
            if (step.done) call.succeeded();
            return step;
          } catch (error) {
            throw call.failed(error);
          }
        };
        return { ...answer, message: { [Symbol.asyncIterator]: () => ({ next }) } };
      } catch (error) {
        throw call.failed(error);
      }
    },
  };
}
