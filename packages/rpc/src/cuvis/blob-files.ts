// The files that clients name, as blobs of their tenant: what is a folder on one machine is a prefix here. Each write makes
// a new blob, since blobs never change; the newest counts.
import type { BlobRef, Context } from "@sortie/core";
import { invalid, notFound } from "./errors.ts";
import type { PipelineFiles } from "./files.ts";

type Ports = Pick<Context, "blobs" | "table" | "ids">;

/** Where a tenant's files are in the store. */
const ROOT = "files/";

/** A path is text that starts at the tenant's root; dots are resolved and cannot lead above it. */
function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

export class BlobPipelineFiles implements PipelineFiles {
  readonly configs = "/configs";
  readonly #ports: Ports;
  readonly #tenant: string;

  constructor(ports: Ports, tenant: string) {
    this.#ports = ports;
    this.#tenant = tenant;
  }

  absolute(path: string): string {
    return normalized(path);
  }

  async stat(path: string): Promise<{ readonly kind: "file" | "folder"; readonly path: string } | undefined> {
    const at = normalized(path);
    if ((await this.#ref(at)) !== undefined) return { kind: "file", path: at };
    const below = await this.list(at);
    return below === undefined ? undefined : { kind: "folder", path: at };
  }

  async read(path: string): Promise<Uint8Array> {
    const ref = await this.#ref(normalized(path));
    if (ref === undefined) throw notFound(`File not found: ${path}`);
    const bytes = new Uint8Array(ref.bytes);
    await this.#ports.blobs.readInto(ref, 0, bytes);
    return bytes;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const at = normalized(path);
    if (at === "/") throw invalid(`${path} is no name of a file`);
    const before = await this.#ref(at);
    const ref = await this.#ports.blobs.put(`${ROOT}${this.#ports.ids.random()}`, [bytes]);
    await this.#ports.table.write(
      { pk: this.#partition, sk: at },
      { set: { blob: { key: ref.key, bytes: ref.bytes, digests: [...ref.digests] } } },
      [],
    );
    if (before) await this.#ports.blobs.delete(before.key);
  }

  async list(folder: string): Promise<readonly string[] | undefined> {
    const at = normalized(folder);
    const prefix = at === "/" ? "/" : `${at}/`;
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#ports.table.query(this.#partition, { prefix, limit: 1000, cursor });
      for (const { sk } of page.rows) names.push(sk.slice(prefix.length));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return names.length === 0 ? undefined : names.sort();
  }

  /** One partition per tenant: files are written by people, not by every call. */
  get #partition(): string {
    return `files#${this.#tenant}`;
  }

  async #ref(at: string): Promise<BlobRef | undefined> {
    const row = await this.#ports.table.get({ pk: this.#partition, sk: at });
    return row?.attributes["blob"] as unknown as BlobRef | undefined;
  }
}
