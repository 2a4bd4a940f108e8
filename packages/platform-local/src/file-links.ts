// Signed links to the file store: paths below /transfer/ that the server answers itself. What a link allows stands in its
// query, under an HMAC-SHA256 by a key that only this data directory has.
import { createHmac, timingSafeEqual } from "node:crypto";
import { type BlobLinks, type ByteRange, checkBlobKey, type SignedLink } from "@sortie/core";
import { openKeyFile } from "./key-file.ts";

/** Where the paths of links begin. */
export const LINK_PATH = "/transfer/";

/** What a link allows, once its signature is found to be ours. */
export interface LinkGrant {
  readonly method: "GET" | "PUT";
  readonly key: string;
  /** Where the range of a GET begins; 0 for a PUT. */
  readonly offset: number;
  readonly bytes: number;
  /** PUT: the only bytes that are taken, as lower-case hex; undefined: any, while the key does not exist. */
  readonly sha256?: string | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export const rangeHeader = ({ offset, length }: ByteRange): string => `bytes=${offset}-${offset + length - 1}`;

export class FileLinks implements BlobLinks {
  readonly #file: string;
  #key: Promise<Buffer> | undefined;

  /** @param file holds the key; made, readable for its owner only, when the first link is signed or looked at */
  constructor(file: string) {
    this.#file = file;
  }

  async signGet(key: string, range: ByteRange, expiresAt: number): Promise<SignedLink> {
    const { offset, length: bytes } = range;
    const url = await this.#sign({ method: "GET", key, offset, bytes, expiresAt });
    return { method: "GET", url, headers: { range: rangeHeader(range) } };
  }

  async signPut(key: string, bytes: number, expiresAt: number, sha256?: string): Promise<SignedLink> {
    const url = await this.#sign({ method: "PUT", key, offset: 0, bytes, sha256, expiresAt });
    return { method: "PUT", url, headers: { "content-length": String(bytes) } };
  }

  /**
   * Reads a link.
   * @param path with its query
   * @returns undefined if this store has not signed it for this method
   */
  async read(method: string, path: string): Promise<LinkGrant | undefined> {
    const at = path.indexOf("?");
    if (!path.startsWith(LINK_PATH) || at < 0) return undefined;
    const key = path.slice(LINK_PATH.length, at);
    const query = new URLSearchParams(path.slice(at + 1));
    const [expires, offset, bytes] = ["expires", "offset", "bytes"].map((name) => Number(query.get(name)));
    const terms = { method, key, offset: offset ?? 0, bytes: bytes ?? 0, sha256: query.get("sha256") ?? undefined };
    const grant = { ...terms, expiresAt: (expires ?? 0) * 1000 } as LinkGrant;
    const signature = Buffer.from(query.get("signature") ?? "", "base64url");
    const ours = await this.#signatureOf(grant);
    return signature.byteLength === ours.byteLength && timingSafeEqual(signature, ours) ? grant : undefined;
  }

  async #sign(grant: LinkGrant): Promise<string> {
    checkBlobKey(grant.key);
    const { key, offset, bytes, sha256 } = grant;
    // In whole seconds, up.
    const expires = Math.ceil(grant.expiresAt / 1000);
    const signature = await this.#signatureOf({ ...grant, expiresAt: expires * 1000 });
    const query = new URLSearchParams({
      expires: String(expires),
      ...(offset > 0 && { offset: String(offset) }),
      bytes: String(bytes),
      ...(sha256 !== undefined && { sha256 }),
      signature: signature.toString("base64url"),
    });
    return `${LINK_PATH}${key}?${query}`;
  }

  async #signatureOf({ method, key, offset, bytes, sha256 = "", expiresAt }: LinkGrant): Promise<Buffer> {
    this.#key ??= openKeyFile(this.#file, "key of links").catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    const terms = JSON.stringify([method, key, offset, bytes, sha256, expiresAt]);
    return createHmac("sha256", await this.#key)
      .update(terms)
      .digest();
  }
}
