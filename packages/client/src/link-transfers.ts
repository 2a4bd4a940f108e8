// Problems and results by signed links: the bytes go straight to and from the server's store, a few parts at a time, and a
// transfer that was interrupted goes on where it was. Needs nothing but fetch, so it runs in browsers as well.
import type { Transport } from "@connectrpc/connect";
import {
  ArrayFieldId,
  type GetResultLinksResponse,
  type Part,
  type ResultFieldId,
  type SignedLink,
  UploadState,
} from "@sortie/wire";
import { type CallOptions, call, type Service, serviceOver, type TransferProgress } from "./context.ts";
import { sha256Of } from "./digest.ts";
import { type SolveResult, solutionOf } from "./download.ts";
import { SortieError, TransferFaultError } from "./errors.ts";
import { inParallel } from "./in-parallel.ts";
import type { ClientOptions } from "./limits.ts";
import { arraysOf, headerOf, type OutgoingArray, type ProblemMessage } from "./message.ts";
import { ResumeError } from "./resume.ts";
import { linkedController, pause } from "./signals.ts";

/** `callTimeoutMs` also bounds every request of a link. */
export interface LinkTransferOptions extends Pick<ClientOptions, "callTimeoutMs" | "onDebug"> {
  /** Bytes of one part, a multiple of 8 from 1024 to 4 MiB. Default 4 MiB. */
  readonly partBytes?: number | undefined;
  /** Parts in flight at once. Default 6. */
  readonly parallelParts?: number | undefined;
  /** Sends the requests of the links. Default: the platform's own. */
  readonly fetch?: typeof fetch | undefined;
}

export interface SendOptions extends CallOptions {
  /** Told after every part. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

export interface LinkSubmitOptions extends SendOptions {
  /** Goes on with an upload that was begun before, by whomever, for the same problem. */
  readonly uploadId?: string | undefined;
  /** Told the id of the upload before anything is sent: with it another client can go on. */
  readonly onUpload?: ((uploadId: string) => void) | undefined;
}

/** A link was refused, or what came over it is not what was stored. */
export class TransferError extends SortieError {
  override readonly name = "TransferError";
  /** HTTP status; undefined where the answer itself was wrong. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** Links asked for at once: few enough that the last is used long before it expires. */
const LINKS_PER_CALL = 64;
const ATTEMPTS = 5;
const PAUSE_MS = 200;
/** Beyond it timers end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Too slow, in each other's way, too many: worth another try, as are all faults of the server. */
const PASSING: ReadonlySet<number> = new Set([408, 409, 429]);

interface MissingPart {
  readonly array: OutgoingArray;
  readonly elementOffset: number;
  readonly bytes: Uint8Array;
  readonly sha256: Uint8Array;
}

/** Faults of its calls are RemoteErrors, those of its links TransferErrors; every call and request has its deadline by itself. */
export class LinkTransfers {
  readonly #service: Service;
  readonly #partBytes: number;
  readonly #parallel: number;
  readonly #fetch: typeof fetch;

  constructor(transport: Transport, options: LinkTransferOptions = {}) {
    this.#service = serviceOver(transport, options);
    this.#partBytes = options.partBytes ?? 0;
    this.#parallel = options.parallelParts ?? 6;
    this.#fetch = options.fetch ?? ((...args) => fetch(...args));
  }

  /** Opens an upload for the problem. @returns its id */
  async create(problem: ProblemMessage, options: CallOptions = {}): Promise<string> {
    const arrays = arraysOf(problem).map(({ fieldId, elementBytes, bytes }) => ({
      fieldId: fieldId as ArrayFieldId,
      elements: BigInt(bytes.byteLength / elementBytes),
    }));
    const request = { problemHeader: headerOf(problem), arrays, partBytes: BigInt(this.#partBytes) };
    return (await this.#service.transfers.createUpload(request, call(options))).uploadId;
  }

  /**
   * Sends what the server does not have of the problem's arrays.
   * @throws RemoteError; TransferError; ResumeError, which names the array, if the upload was made for another problem
   */
  async send(uploadId: string, problem: ProblemMessage, options: SendOptions = {}): Promise<void> {
    const { state, arrays, receivedBytes, totalBytes } = await this.#service.transfers.getUploadState(
      { uploadId },
      call(options),
    );
    if (state === UploadState.SUBMITTED) return;
    let doneBytes = Number(receivedBytes);
    const outgoing = new Map(arraysOf(problem).map((array) => [array.fieldId, array]));
    const missing: { readonly array: OutgoingArray; readonly part: Part }[] = [];
    for (const { fieldId, name, elements, parts } of arrays) {
      const array = outgoing.get(fieldId);
      const found = array ? array.bytes.byteLength / array.elementBytes : 0;
      if (!array || BigInt(found) !== elements) {
        throw new ResumeError(
          `upload ${uploadId} is of another problem: its array ${name} has ${elements} elements, not ${found}`,
        );
      }
      missing.push(...parts.filter((part) => !part.received).map((part) => ({ array, part })));
    }
    for (let at = 0; at < missing.length; at += LINKS_PER_CALL) {
      const parts = await Promise.all(missing.slice(at, at + LINKS_PER_CALL).map(readPart));
      const links = await this.#linksTo(uploadId, parts, options);
      const jobs = parts.map((part, i) => ({ part, link: links[i] as SignedLink }));
      await inParallel(jobs, this.#inFlight(options), async ({ part, link }, signal) => {
        await this.#put(uploadId, part, link, { signal });
        doneBytes += part.bytes.byteLength;
        options.onProgress?.({ doneBytes, totalBytes: Number(totalBytes) });
      });
    }
  }

  /** Uploads the problem and submits it. @returns the job's id */
  async submit(problem: ProblemMessage, options: LinkSubmitOptions = {}): Promise<string> {
    const uploadId = options.uploadId ?? (await this.create(problem, options));
    options.onUpload?.(uploadId);
    await this.send(uploadId, problem, options);
    const { state, jobId } = await this.#service.transfers.getUploadState({ uploadId }, call(options));
    // The answer to an earlier submission may have been lost.
    if (state === UploadState.SUBMITTED) return jobId;
    return (await this.#service.transfers.submitUpload({ uploadId }, call(options))).jobId;
  }

  /** Gives the upload up. */
  async abort(uploadId: string, options: CallOptions = {}): Promise<void> {
    await this.#service.transfers.abortUpload({ uploadId }, call(options));
  }

  /** The result of a completed job. @throws RemoteError  @throws TransferError */
  async result(jobId: string, options: CallOptions = {}): Promise<SolveResult> {
    const targets = new Map<ResultFieldId, Float64Array>();
    let filled = 0;
    let pageToken = "";
    let page: GetResultLinksResponse;
    do {
      page = await this.#service.transfers.getResultLinks(
        { jobId, pageSize: LINKS_PER_CALL, pageToken },
        call(options),
      );
      const { arrays } = page;
      for (const { fieldId, elements } of arrays) {
        if (!targets.has(fieldId)) targets.set(fieldId, new Float64Array(Number(elements)));
      }
      await inParallel(page.parts, this.#inFlight(options), async (part, signal) => {
        const { blob, byteOffset, bytes, sha256, link } = part;
        const data = await this.#get(link, Number(bytes), sha256, { signal });
        for (const array of arrays) {
          if (array.blob !== blob) continue;
          const target = targets.get(array.fieldId) as Float64Array;
          filled += copyOverlap(data, Number(byteOffset), new Uint8Array(target.buffer), Number(array.byteOffset));
        }
      });
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    const total = [...targets.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (!page.header || filled !== total) {
      throw new TransferError(`the links to the result of job ${jobId} brought ${filled} of ${total} bytes`);
    }
    return solutionOf(page.header, targets);
  }

  #inFlight({ signal }: CallOptions) {
    return { width: this.#parallel, signal };
  }

  async #linksTo(uploadId: string, parts: readonly MissingPart[], options: CallOptions): Promise<SignedLink[]> {
    const asked = parts.map(({ array, elementOffset, sha256 }) => ({
      fieldId: array.fieldId as ArrayFieldId,
      elementOffset: BigInt(elementOffset),
      sha256,
    }));
    const { links } = await this.#service.transfers.getUploadLinks({ uploadId, parts: asked }, call(options));
    return links.map(({ link }, i) => {
      if (link) return link;
      throw new TransferFaultError(`the server gave no link to part ${i} of ${parts.length} of upload ${uploadId}`);
    });
  }

  async #put(uploadId: string, part: MissingPart, link: SignedLink, options: CallOptions): Promise<void> {
    const name = ArrayFieldId[part.array.fieldId];
    const what = `sending array ${name}, part at element ${part.elementOffset}`;
    const body = part.bytes as Uint8Array<ArrayBuffer>;
    const send = async ({ url, headers }: SignedLink) => {
      try {
        await this.#request(what, url, { method: "PUT", headers, body }, options);
      } catch (error) {
        // It has arrived before.
        if (!isStatus(error, 412)) throw error;
      }
    };
    try {
      await send(link);
    } catch (error) {
      // It may have expired while others were sent.
      if (!isStatus(error, 403)) throw error;
      const [fresh] = await this.#linksTo(uploadId, [part], options);
      await send(fresh as SignedLink);
    }
  }

  async #get(link: SignedLink | undefined, bytes: number, sha256: Uint8Array, options: CallOptions) {
    const { url = "", headers = {} } = link ?? {};
    for (let attempt = 1; ; attempt += 1) {
      const data = await this.#request("reading a result", url, { method: "GET", headers }, options);
      if (data.byteLength === bytes && (await isDigestOf(data, sha256))) return data;
      if (attempt === ATTEMPTS) {
        throw new TransferError(`reading a result: ${data.byteLength} bytes came that are not the ${bytes} stored`);
      }
    }
  }

  /** Repeats what a repeat may help with. @returns the body of the answer */
  async #request(what: string, url: string, init: RequestInit, options: CallOptions): Promise<Uint8Array> {
    const { signal } = options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(what, url, init, options);
      } catch (error) {
        if (signal?.aborted) throw error;
        const fault =
          error instanceof TransferError ? error : new TransferError(`${what}: ${(error as Error).message}`);
        const { status } = fault;
        const mayPass = status === undefined || status >= 500 || PASSING.has(status);
        if (!mayPass || attempt === ATTEMPTS) throw fault;
      }
      await pause(Math.random() * PAUSE_MS * 2 ** attempt, signal);
    }
  }

  /** One request, to the last byte of its answer, within the deadline. */
  async #once(what: string, url: string, init: RequestInit, { signal }: CallOptions): Promise<Uint8Array> {
    const { callTimeoutMs } = this.#service.limits;
    using limit = linkedController(signal);
    const giveUp = () => limit.abort(new TransferError(`${what}: no answer within ${callTimeoutMs / 1000} s`));
    const timer =
      callTimeoutMs > 0 && callTimeoutMs <= LONGEST_TIMER_MS ? setTimeout(giveUp, callTimeoutMs) : undefined;
    try {
      const answer = await this.#fetch(url, { ...init, signal: limit.signal });
      if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
      throw new TransferError(`${what}: ${answer.status} ${(await answer.text()).slice(0, 500)}`, answer.status);
    } finally {
      clearTimeout(timer);
    }
  }
}

const isStatus = (error: unknown, status: number): boolean => error instanceof TransferError && error.status === status;

/** Where nothing can be digested, the server takes the bytes as they are. */
const NO_DIGEST = new Uint8Array(0);

async function readPart({ array, part }: { array: OutgoingArray; part: Part }): Promise<MissingPart> {
  const start = Number(part.elementOffset) * array.elementBytes;
  const bytes = array.bytes.subarray(start, start + Number(part.bytes));
  return { array, elementOffset: Number(part.elementOffset), bytes, sha256: (await sha256Of(bytes)) ?? NO_DIGEST };
}

async function isDigestOf(bytes: Uint8Array, sha256: Uint8Array): Promise<boolean> {
  const found = await sha256Of(bytes);
  return !found || (found.byteLength === sha256.byteLength && found.every((byte, i) => byte === sha256[i]));
}

/** Copies what two stretches of one blob share. @returns the number of bytes */
function copyOverlap(data: Uint8Array, dataOffset: number, target: Uint8Array, targetOffset: number): number {
  const from = Math.max(dataOffset, targetOffset);
  const to = Math.min(dataOffset + data.byteLength, targetOffset + target.byteLength);
  if (from >= to) return 0;
  target.set(data.subarray(from - dataOffset, to - dataOffset), from - targetOffset);
  return to - from;
}
