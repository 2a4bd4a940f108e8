// Sends a webhook's messages: signed, over TLS, to public addresses only, once and without following where it is sent on.
//
// The address that was checked is the one that is connected to: the check is in the connection's own look-up, so a name
// that answers otherwise the second time (DNS rebinding) gains nothing.
import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import {
  type CallOptions,
  literalAddress,
  type WebhookMessage,
  type WebhookSender,
  webhookHeaders,
  webhookSecret,
  whyNotPublic,
} from "@sortie/core";

export interface SenderOptions {
  /** The secret from which each tenant's is derived, or how to get it once it is needed. */
  readonly masterSecret: string | (() => Promise<string>);
  /** For development: clear text, and addresses that are not public. Default false. */
  readonly allowPrivate?: boolean | undefined;
  /** From the look-up to the end of the answer, in milliseconds. Default 10 s. */
  readonly timeoutMs?: number | undefined;
  /** Default: the system's resolver. */
  readonly resolve?: ((name: string) => Promise<readonly LookupAddress[]>) | undefined;
}

const TIMEOUT_MS = 10_000;
/** So much of an answer's body is let through, and thrown away, before the connection is cut. */
const LARGEST_ANSWER_BYTES = 64 * 1024;
const LARGEST_HEADER_BYTES = 16 * 1024;

const systemResolve = (name: string): Promise<readonly LookupAddress[]> =>
  new Promise((resolve, reject) => {
    dnsLookup(name, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });

export function createWebhookSender(options: SenderOptions): WebhookSender {
  const { masterSecret, allowPrivate = false, timeoutMs = TIMEOUT_MS, resolve = systemResolve } = options;

  const refusePrivate = (host: string, address: string): void => {
    const reason = allowPrivate ? undefined : whyNotPublic(address);
    if (reason === undefined) return;
    const which = host === address ? host : `${host} has the address ${address}, which`;
    throw new Error(`${which} is ${reason}; webhooks go to public addresses only`);
  };

  const lookup: LookupFunction = (name, { all, family }, done) => {
    resolve(name)
      .then((found) => {
        // One private address among public ones is reason enough.
        for (const { address } of found) refusePrivate(name, address);
        const usable = family === 4 || family === 6 ? found.filter((each) => each.family === family) : [...found];
        const [first] = usable;
        if (!first) throw new Error(`${name} has no address`);
        if (all) done(null, usable);
        else done(null, first.address, first.family);
      })
      .catch((error) => done(error, []));
  };

  /** Connections are not kept: what was true of an address a while ago proves nothing. */
  const connect = (url: URL, headers: Record<string, string>, signal: AbortSignal): ClientRequest => {
    const shared = { method: "POST", headers, lookup, signal, maxHeaderSize: LARGEST_HEADER_BYTES };
    if (url.protocol === "http:") return httpRequest(url, { ...shared, agent: new HttpAgent() });
    return httpsRequest(url, { ...shared, agent: new HttpsAgent() });
  };

  return {
    allowPrivate,
    async send({ url: text, tenant, id, body }: WebhookMessage, { signal }: CallOptions = {}): Promise<number> {
      const url = new URL(text);
      if (url.protocol !== "https:" && !allowPrivate) throw new Error(`${url.protocol}// is not allowed; https:// is`);
      // A literal address is not looked up.
      const address = literalAddress(url);
      if (address !== undefined) refusePrivate(address, address);
      const master = typeof masterSecret === "string" ? masterSecret : await masterSecret();
      const secret = webhookSecret(master, tenant);
      const headers = {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
        "user-agent": "sortie-webhooks",
        ...webhookHeaders(secret, id, Math.floor(Date.now() / 1000), body),
      };
      const timeout = AbortSignal.timeout(timeoutMs);
      const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
      try {
        return await exchange(connect(url, headers, either), body);
      } catch (error) {
        signal?.throwIfAborted();
        if (timeout.aborted) throw new Error(`no answer within ${timeoutMs / 1000} s`, { cause: error });
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** @returns the status, once the answer has ended or enough of it was seen */
function exchange(request: ClientRequest, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (answer: IncomingMessage) => {
      const status = answer.statusCode ?? 0;
      let bytes = 0;
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes > LARGEST_ANSWER_BYTES) answer.destroy();
      });
      // However the body ends: the answer was given.
      answer.once("close", () => resolve(status));
      answer.on("error", () => resolve(status));
    });
    request.end(body);
  });
}
