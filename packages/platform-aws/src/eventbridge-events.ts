// Job events on an EventBridge bus.
import { type CallOptions, DomainError, type Events, type JobEvent, jobEventBody } from "@sortie/core";
import { awsFault } from "./faults.ts";

export const EVENT_SOURCE = "sortie";
/** What EventBridge takes for one entry, in bytes of UTF-8. */
const ENTRY_BYTES = 256 * 1024;

export interface EventEntry {
  readonly bus: string;
  readonly source: string;
  readonly detailType: string;
  /** JSON. */
  readonly detail: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** The one call of EventBridge that is needed. Answers with the error of the entry, if the bus did not take it. */
export interface EventBridgeApi {
  putEvent(entry: EventEntry, signal: AbortSignal | undefined): Promise<string | undefined>;
}

/**
 * Puts every event on one bus: source "sortie", the event's type as its detail type, and as detail the body that
 * `JOB_EVENT_SCHEMA` of @sortie/core describes. An event that is put twice has the same `id` twice.
 *
 * Rejects with a DomainError: "unavailable" (try again later) or "too-large".
 */
export class EventBridgeEvents implements Events {
  readonly #api: EventBridgeApi;
  readonly #bus: string;

  constructor(api: EventBridgeApi, bus: string) {
    this.#api = api;
    this.#bus = bus;
  }

  async publish(event: JobEvent, options?: CallOptions): Promise<void> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    const { id, type, jobId, at } = event;
    const what = `event ${id} of job ${jobId}`;
    const detail = JSON.stringify(jobEventBody(event));
    const bytes = Buffer.byteLength(detail) + Buffer.byteLength(type) + EVENT_SOURCE.length;
    if (bytes > ENTRY_BYTES) {
      throw new DomainError("too-large", `${what} has ${bytes} bytes; EventBridge takes ${ENTRY_BYTES}`);
    }
    let refused: string | undefined;
    try {
      const entry = { bus: this.#bus, source: EVENT_SOURCE, detailType: type, detail, time: at };
      refused = await this.#api.putEvent(entry, signal);
    } catch (error) {
      throw awsFault(error, what, signal);
    }
    if (refused !== undefined) throw new DomainError("unavailable", `${what} was not taken (${refused}); try again`);
  }
}
