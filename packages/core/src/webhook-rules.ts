// Webhooks, the parts without I/O: which addresses are allowed, how a message is signed (the scheme of Standard Webhooks),
// and when a failed delivery is tried again.
import { createHmac } from "node:crypto";
import ipaddr from "ipaddr.js";
import { DomainError } from "./errors.ts";

export const WEBHOOK_HEADER = "sortie-webhook";

const LONGEST_URL = 2048;
/** Services that are not for the web listen below this; 443 is the one exception. */
const FIRST_FREE_PORT = 1024;

const SECRET_PREFIX = "whsec_";

/** Public addresses at which clouds answer their own machines. */
const PLATFORM_ADDRESSES: readonly string[] = ["168.63.129.16"];

const RANGES: Readonly<Record<string, string>> = {
  unspecified: "the unspecified address",
  broadcast: "the broadcast address",
  multicast: "a multicast address",
  linkLocal: "a link-local address",
  loopback: "a loopback address",
  carrierGradeNat: "a shared address of a carrier's network",
  private: "a private address",
  uniqueLocal: "a unique local address",
  ipv4Mapped: "an IPv4-mapped address",
};

/** Why this IP address (in text) is not one of the public internet; undefined if it is one. */
export function whyNotPublic(address: string): string | undefined {
  // A scope belongs to link-local addresses only.
  const text = address.replace(/%.*$/, "");
  if (!ipaddr.isValid(text)) return "not an IP address";
  if (PLATFORM_ADDRESSES.includes(text)) return "an address of the cloud platform itself";
  const range = ipaddr.parse(text).range();
  return range === "unicast" ? undefined : (RANGES[range] ?? `a special address (${range})`);
}

const LOCAL_NAME = /(^|\.)(localhost|local|internal|home\.arpa)\.?$/;

export interface WebhookPolicy {
  /** For development: clear text, and addresses that are not public. */
  readonly allowPrivate: boolean;
}

/** The IP address that a URL names literally, without brackets; undefined if it names a host. */
export function literalAddress(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return ipaddr.isValid(host) ? host : undefined;
}

/**
 * The URL of a submission's webhook, in its normal form.
 * @throws DomainError "invalid-argument" that names the header, what was found and what is allowed
 */
export function checkWebhookUrl(text: string, { allowPrivate }: WebhookPolicy): string {
  const wrong = (what: string) => new DomainError("invalid-argument", `${WEBHOOK_HEADER}: ${what}`);
  if (text.length > LONGEST_URL) {
    throw wrong(`the URL has ${text.length} characters; at most ${LONGEST_URL} are allowed`);
  }
  const url = URL.parse(text);
  if (!url) throw wrong(`${JSON.stringify(text)} is not a URL; allowed is https://HOST/PATH`);
  if (url.protocol !== "https:" && !(allowPrivate && url.protocol === "http:")) {
    throw wrong(`the URL begins with ${url.protocol}//; allowed is https://`);
  }
  // A password would stand in the job's row and in no header that a receiver reads.
  if (url.username !== "" || url.password !== "") {
    throw wrong("the URL holds a user name or password; messages are signed, so none is needed");
  }
  url.hash = "";
  if (allowPrivate) return url.href;
  const port = url.port === "" ? 443 : Number(url.port);
  if (port !== 443 && port < FIRST_FREE_PORT) {
    throw wrong(`the port is ${port}; allowed are 443 and ${FIRST_FREE_PORT} to 65535`);
  }
  const address = literalAddress(url);
  const reason = address === undefined ? undefined : whyNotPublic(address);
  if (reason !== undefined) throw wrong(`${address} is ${reason}; allowed are public addresses`);
  if (LOCAL_NAME.test(url.hostname)) {
    throw wrong(`${url.hostname} is a name of a local network; allowed are names with public addresses`);
  }
  return url.href;
}

/**
 * The secret of a tenant's webhooks, as Standard Webhooks writes secrets. One-way: it tells nothing of the master secret,
 * and nothing of another tenant's.
 */
export function webhookSecret(master: string, tenant: string): string {
  return SECRET_PREFIX + createHmac("sha256", master).update(`sortie webhook 1\n${tenant}`).digest("base64");
}

/**
 * The headers of a message.
 * @param secret of the tenant, `whsec_` and base64
 * @param seconds since 1970, when the message is sent
 */
export function webhookHeaders(
  secret: string,
  id: string,
  seconds: number,
  body: string,
): { readonly "webhook-id": string; readonly "webhook-timestamp": string; readonly "webhook-signature": string } {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": `v1,${signature}` };
}

const FIRST_RETRY_MS = 5_000;
const GROWTH = 4;
const LONGEST_RETRY_MS = 3_600_000;

/** An event that could not be delivered for so long is given up. */
export const WEBHOOK_GIVE_UP_MS = 24 * 3_600_000;

/**
 * From a failed delivery to the next try: about 5 s, 20 s, 80 s, 5 min, 21 min, then every hour. Between three quarters and
 * all of that, so that receivers are not hit by everyone at once.
 * @param failures in a row, 1 or more
 * @param random 0 to 1
 */
export function webhookRetryMs(failures: number, random: number): number {
  const longest = Math.min(FIRST_RETRY_MS * GROWTH ** (failures - 1), LONGEST_RETRY_MS);
  return Math.round(longest * (0.75 + random / 4));
}
