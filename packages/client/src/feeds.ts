// What a job tells while it runs: the lines of its log and its incumbents, followed to their end.
import { decodeIncumbentResponse, type IncumbentEntry, rawFields } from "@sortie/wire";
import { type CallOptions, call, type Service } from "./context.ts";
import { RemoteError } from "./errors.ts";
import { Patience } from "./repeat.ts";
import { linkedController, pause } from "./signals.ts";

export interface LogLine {
  /** Without the newline. */
  readonly text: string;
  /** Position in bytes after this line: where to go on. */
  readonly byteOffset: number;
  /** This was the last line. */
  readonly jobComplete: boolean;
}

export interface LogOptions extends CallOptions {
  /** Byte to begin at, as `LogLine.byteOffset` tells it. Default 0. */
  readonly from?: number | undefined;
  /** A stream that breaks is taken up where it broke, with growing pauses and a bound. Against Sortie only. Default false. */
  readonly repeat?: boolean | undefined;
}

/** One improving feasible solution: `index` from 0, `objective` in the user's sense, `assignment` for every variable. */
export type Incumbent = IncumbentEntry;

export interface IncumbentPage {
  readonly incumbents: readonly Incumbent[];
  /** Where to go on. */
  readonly nextIndex: number;
  /** The job has ended. More incumbents may follow all the same, if the page was limited. */
  readonly jobComplete: boolean;
}

export interface PageOptions extends CallOptions {
  /** At most so many entries; default: all that there are. */
  readonly maxCount?: number | undefined;
}

export interface IncumbentOptions extends PageOptions {
  /** Index to begin at. Default 0. */
  readonly from?: number | undefined;
  /** Milliseconds between two looks while the job runs. Default 1000. */
  readonly pollMs?: number | undefined;
  /** A look that fails on the way is repeated, with growing pauses and a bound. Against Sortie only. Default false. */
  readonly repeat?: boolean | undefined;
}

/** A server that ends streams at once is not asked more often than this, in milliseconds. */
const ASK_AGAIN_MS = 500;

/**
 * The lines of the log that are not empty, from a byte on, until the job has ended. Sortie may end a stream before that: it
 * goes on from where it stopped. At another server the log ends with the stream.
 */
export async function* followLog(
  service: Service,
  jobId: string,
  { from = 0, signal, repeat = false }: LogOptions = {},
): AsyncGenerator<LogLine, void, undefined> {
  // Aborted when the reader leaves: a stream that nobody reads would stay open.
  using reading = linkedController(signal);
  let at = from;
  const patience = patienceOf(service, repeat);
  try {
    for (;;) {
      const asked = performance.now();
      const before = at;
      try {
        const request = { jobId, fromByte: BigInt(at) };
        for await (const message of service.solver.streamLogs(request, call(reading))) {
          at = Number(message.byteOffset);
          patience.renew();
          const { line: text, jobComplete } = message;
          if (text !== "") yield { text, byteOffset: at, jobComplete };
          if (jobComplete) return;
        }
      } catch (error) {
        await patience.after(error, signal);
        continue;
      }
      if (!service.server?.isSortie) return;
      if (at === before) await pause(ASK_AGAIN_MS - (performance.now() - asked), signal);
    }
  } finally {
    reading.abort();
  }
}

/** Attempts in a row of what lasts as long as the job, a minute or so: enough for a server that starts anew. */
const ATTEMPTS = 16;

/** For helpers, which ask again where the server is Sortie. */
export const patienceOf = ({ server }: Service, isHelper: boolean): Patience =>
  new Patience(isHelper && server?.isSortie ? ATTEMPTS : 1);

/** One GetIncumbents call. */
export async function incumbentPage(
  service: Service,
  jobId: string,
  from: number,
  { maxCount = 0, signal }: PageOptions = {},
): Promise<IncumbentPage> {
  const request = { jobId, fromIndex: BigInt(from), maxCount };
  const { incumbents, nextIndex, jobComplete } = decodeIncumbentResponse(
    rawFields(await service.solver.getIncumbents(request, call({ signal }))),
  );
  return { incumbents, nextIndex, jobComplete };
}

/** Reads a job's incumbents, each once. */
export class IncumbentReader {
  readonly #service: Service;
  readonly #jobId: string;
  #next: number;
  #maxCount: number;

  constructor(service: Service, jobId: string, from = 0, maxCount = 0) {
    this.#service = service;
    this.#jobId = jobId;
    this.#next = from;
    this.#maxCount = maxCount;
  }

  /** What there is beyond what was read before: at most a page of it, and empty only if there is nothing more now. */
  async read(options: CallOptions): Promise<IncumbentPage> {
    const page = await this.#page(options);
    // A server that begins before the index it was asked for does not make an entry come twice.
    const incumbents = page.incumbents.filter(({ index }) => index < 0 || index >= this.#next);
    this.#next = Math.max(page.nextIndex, this.#next + incumbents.length);
    return { incumbents, nextIndex: this.#next, jobComplete: page.jobComplete };
  }

  async #page({ signal }: CallOptions): Promise<IncumbentPage> {
    try {
      return await incumbentPage(this.#service, this.#jobId, this.#next, { maxCount: this.#maxCount, signal });
    } catch (error) {
      // Many of a large model are more than a message holds, and servers do not look at that by themselves.
      const tooLarge = error instanceof RemoteError && error.code === "resource-exhausted";
      if (!tooLarge || this.#maxCount === 1) throw error;
      this.#maxCount = 1;
      return incumbentPage(this.#service, this.#jobId, this.#next, { maxCount: 1, signal });
    }
  }
}

/** Incumbents as they come, until the job has ended and all were read. */
export async function* followIncumbents(
  service: Service,
  jobId: string,
  { from = 0, maxCount = 0, pollMs = 1000, signal, repeat = false }: IncumbentOptions = {},
): AsyncGenerator<Incumbent, void, undefined> {
  const reader = new IncumbentReader(service, jobId, from, maxCount);
  const patience = patienceOf(service, repeat);
  for (;;) {
    let page: IncumbentPage;
    try {
      page = await reader.read({ signal });
    } catch (error) {
      await patience.after(error, signal);
      continue;
    }
    patience.renew();
    const { incumbents, jobComplete } = page;
    yield* incumbents;
    if (incumbents.length > 0 && (maxCount > 0 || jobComplete)) continue;
    if (jobComplete) return;
    await pause(pollMs, signal);
  }
}
