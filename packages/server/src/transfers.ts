// The server's own signed links: HTTP requests that move a blob's bytes straight to or from the file store. Whoever has a
// link needs no token; a link that is not ours, or not any more, learns nothing of what there is.
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DomainError, LINK_GRACE_MS, type Reason } from "@sortie/core";
import { type FileBlobs, LINK_PATH, type LinkGrant, rangeHeader } from "@sortie/platform-local";
import type { Logger } from "pino";
import type { NodeRequest, NodeResponse } from "./rpc-handler.ts";

export interface TransferOptions {
  readonly blobs: FileBlobs;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A client that moves nothing for so long is left, milliseconds. Default 60 000. */
  readonly silenceMs?: number | undefined;
}

/** Answers the request if its path is that of a link; false if not. */
export type TransferHandler = (request: NodeRequest, response: NodeResponse) => boolean;

const STATUS: Partial<Record<Reason, number>> = { "invalid-argument": 400, "disk-full": 507, unavailable: 503 };

/** A refusal, in words for whoever holds the link. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function createTransferHandler({ blobs, logger, now, silenceMs = 60_000 }: TransferOptions): TransferHandler {
  const { links } = blobs;

  const answer = async (request: NodeRequest, response: NodeResponse, controller: AbortController) => {
    const method = request.method ?? "";
    if (method !== "GET" && method !== "PUT") throw new Refusal(405, "a link is for GET or for PUT");
    const grant = await links?.read(method, request.url ?? "");
    if (!grant) {
      throw new Refusal(403, `this is no link of this server for ${method}: it was altered, or signed elsewhere`);
    }
    const left = grant.expiresAt - now();
    if (left <= 0) {
      throw new Refusal(403, `this link expired at ${new Date(grant.expiresAt).toISOString()}; ask for a new one`);
    }
    // What is still under way after the grace would be met by nobody who clears up.
    const tooLate = new Refusal(408, "this link expired while it was used");
    const timer = setTimeout(() => controller.abort(tooLate), left + LINK_GRACE_MS / 2);
    timer.unref();
    try {
      if (method === "PUT") await receive(grant, request, response, controller.signal);
      else await send(grant, request, response, controller.signal);
    } finally {
      clearTimeout(timer);
    }
  };

  const receive = async (grant: LinkGrant, request: NodeRequest, response: NodeResponse, signal: AbortSignal) => {
    const { key, bytes, sha256 } = grant;
    const announced = request.headers["content-length"];
    if (announced === undefined) throw new Refusal(411, `content-length is needed: this link takes ${bytes} bytes`);
    if (announced !== String(bytes)) {
      throw new Refusal(400, `content-length is ${announced}; this link takes exactly ${bytes} bytes`);
    }
    const stored = await blobs.receive(key, bytes, request as AsyncIterable<Uint8Array>, sha256, { signal });
    if (!stored) throw new Refusal(412, "these bytes have arrived before, and this link takes them once");
    response.setHeader("content-length", "0");
    response.end();
  };

  const send = async (grant: LinkGrant, request: NodeRequest, response: NodeResponse, signal: AbortSignal) => {
    const range = { offset: grant.offset, length: grant.bytes };
    const header = rangeHeader(range);
    if (request.headers.range !== header) throw new Refusal(403, `this link needs the header range: ${header}`);
    const stream: Readable | undefined = await blobs.send(grant.key, range, { signal });
    if (!stream) throw new Refusal(404, "what this link led to was deleted");
    response.statusCode = 206;
    response.setHeader("content-type", "application/octet-stream");
    response.setHeader("content-length", String(range.length));
    response.setHeader("content-range", `${header.replace("=", " ")}/*`);
    response.setHeader("cache-control", "private, no-store");
    await pipeline(stream, response as NodeJS.WritableStream, { signal });
  };

  const refuse = (request: NodeRequest, response: NodeResponse, error: unknown) => {
    if (response.destroyed || response.headersSent) {
      response.destroy();
      return;
    }
    const known = error instanceof DomainError ? STATUS[error.reason] : undefined;
    const status = error instanceof Refusal ? error.status : (known ?? 500);
    if (status === 500) logger.error({ err: error }, "a link failed");
    const text = status === 500 ? "internal error; the server's log has the details" : (error as Error).message;
    response.statusCode = status;
    if (status === 405) response.setHeader("allow", "GET, PUT");
    // The rest of a refused body is not waited for.
    if (request.httpVersionMajor === 1 && request.method === "PUT") response.setHeader("connection", "close");
    response.setHeader("content-type", "text/plain; charset=utf-8");
    response.end(`${text}\n`);
    request.resume();
  };

  return (request, response) => {
    if (!(request.url ?? "").startsWith(LINK_PATH)) return false;
    const controller = new AbortController();
    const left = () => controller.abort(new Refusal(408, "the client left, or was silent for too long"));
    request.once("aborted", left);
    response.once("close", left);
    request.on("error", () => {}); // A connection that breaks is told by "close".
    request.setTimeout(silenceMs, () => {
      left();
      request.destroy();
    });
    answer(request, response, controller).catch((error: unknown) => refuse(request, response, error));
    return true;
  };
}
