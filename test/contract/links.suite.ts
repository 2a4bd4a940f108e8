// What signed links promise, as tests that any store with links can run over HTTP.
import { createHash } from "node:crypto";
import type { Blobs, SignedLink } from "@sortie/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/**
 * What the store itself refuses. The emulators of S3 look at less than S3 does; where one does not look, the test holds the
 * request to carry what S3 checks, and the reader to find what it let pass.
 */
export interface LinkChecks {
  readonly signature: boolean;
  readonly expiry: boolean;
  /** The length of a PUT, and the headers of a link. */
  readonly headers: boolean;
  /** The digest of a PUT. */
  readonly digest: boolean;
  /** That a PUT without digest writes a key once. */
  readonly once: boolean;
}

export interface OpenedLinks {
  readonly blobs: Blobs;
  /** Where links without a host lead. */
  readonly baseUrl?: string | undefined;
  readonly checks: LinkChecks;
  close(): Promise<void>;
}

let keys = 0;
const newKey = () => `links-${process.pid}/${(keys++).toString(36)}`;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const soon = () => Date.now() + 60_000;

export function describeLinks(name: string, open: () => Promise<OpenedLinks>): void {
  describe(`Links: ${name}`, () => {
    let opened: OpenedLinks;
    let blobs: Blobs;
    let links: NonNullable<Blobs["links"]>;
    let checks: LinkChecks;
    beforeAll(async () => {
      opened = await open();
      ({ blobs, checks } = opened);
      links = blobs.links!;
    });
    afterAll(() => opened?.close());

    const follow = async ({ method, url, headers }: SignedLink, body?: Uint8Array) => {
      const answer = await fetch(new URL(url, opened.baseUrl), {
        method,
        headers,
        ...(body && { body: new Uint8Array(body) }),
      });
      return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
    };
    const withPath = (link: SignedLink, change: (path: string) => string): SignedLink => {
      const url = new URL(link.url, opened.baseUrl);
      url.pathname = change(url.pathname);
      return { ...link, url: url.href };
    };
    /** Changes the parameter whose name has this word in it; undefined takes it away. */
    const withParameter = (
      link: SignedLink,
      word: RegExp,
      change: (value: string) => string | undefined,
    ): SignedLink => {
      const url = new URL(link.url, opened.baseUrl);
      const name = [...url.searchParams.keys()].find((each) => word.test(each))!;
      const value = change(url.searchParams.get(name)!);
      if (value === undefined) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
      return { ...link, url: url.href };
    };
    const read = async (key: string, bytes: Uint8Array, digests?: readonly string[]) => {
      const target = new Uint8Array(bytes.byteLength);
      const unverified = digests ? {} : { unverified: true as const };
      await blobs.readInto({ key, bytes: bytes.byteLength, digests: digests ?? [], ...unverified }, 0, target);
      return Buffer.from(target);
    };

    it("a GET brings exactly its range", async () => {
      const key = newKey();
      await blobs.put(key, [Buffer.from("0123456789")]);
      for (const [offset, length] of [
        [2, 3],
        [0, 10],
        [9, 1],
      ] as const) {
        const { status, bytes } = await follow(await links.signGet(key, { offset, length }, soon()));
        expect(status).toBe(206);
        expect(bytes.toString()).toBe("0123456789".slice(offset, offset + length));
      }
    });

    it("a GET of another range, or of all, is refused", async () => {
      const key = newKey();
      await blobs.put(key, [Buffer.from("0123456789")]);
      const link = await links.signGet(key, { offset: 2, length: 3 }, soon());
      for (const headers of [{}, { range: "bytes=0-9" }]) {
        const { status } = await follow({ ...link, headers });
        if (checks.signature) expect(status).toBe(403);
        else expect(link.url).toContain("host%3Brange");
      }
    });

    it("a GET says that the blob is gone only to whoever has a link to it", async () => {
      const key = newKey();
      await blobs.put(key, [Buffer.from("0123456789")]);
      const link = await links.signGet(key, { offset: 0, length: 10 }, soon());
      await blobs.delete(key);
      expect((await follow(link)).status).toBe(404);
    });

    it("a PUT with a digest stores these bytes, however often, and can be read", async () => {
      const key = newKey();
      const bytes = Buffer.from("these bytes");
      const link = await links.signPut(key, bytes.byteLength, soon(), sha256(bytes));
      for (let i = 0; i < 2; i += 1) expect((await follow(link, bytes)).status).toBe(200);
      expect(await blobs.stat(key)).toBe(bytes.byteLength);
      expect(await read(key, bytes, [sha256(bytes)])).toEqual(bytes);
    });

    it("a PUT with a digest stores no other bytes, or its reader finds out", async () => {
      const key = newKey();
      const bytes = Buffer.from("these bytes");
      const link = await links.signPut(key, bytes.byteLength, soon(), sha256(bytes));
      const { status } = await follow(link, Buffer.from("other bytes"));
      if (checks.digest) {
        expect(status).toBeGreaterThanOrEqual(400);
        expect(await blobs.stat(key)).toBeUndefined();
      }
      await expect(read(key, bytes, [sha256(bytes)])).rejects.toMatchObject({ reason: "stored-object-corrupt" });
    });

    it("a PUT without a digest stores what comes, once: what a reader has seen stays", async () => {
      const key = newKey();
      const [first, second] = [Buffer.from("first"), Buffer.from("other")];
      const link = await links.signPut(key, first.byteLength, soon());
      expect((await follow(link, first)).status).toBe(200);
      expect(await read(key, first)).toEqual(first);
      const { status } = await follow(link, second);
      if (checks.once) {
        expect(status).toBe(412);
        expect(await read(key, first)).toEqual(first);
      } else {
        expect(link.headers["if-none-match"]).toBe("*");
        expect(link.url).toContain("host%3Bif-none-match");
      }
    });

    it("of PUTs without a digest that race, one wins", async () => {
      const key = newKey();
      const bodies = Array.from({ length: 8 }, (_, i) => Buffer.alloc(100_000, i));
      const link = await links.signPut(key, 100_000, soon());
      const statuses = await Promise.all(bodies.map(async (body) => (await follow(link, body)).status));
      const won = statuses.indexOf(200);
      expect(won).toBeGreaterThanOrEqual(0);
      const stored = await read(key, bodies[0]!);
      // Whole, whichever it is.
      expect(new Set(stored).size).toBe(1);
      if (!checks.once) return;
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect(statuses.filter((status) => status === 412)).toHaveLength(7);
      expect(stored).toEqual(bodies[won]);
    });

    it.each([
      ["shorter", 3],
      ["longer", 5],
    ])("a PUT that is %s than its link is refused and leaves nothing", async (_, length) => {
      for (const digest of [undefined, sha256(Buffer.alloc(4))]) {
        const key = newKey();
        const link = await links.signPut(key, 4, soon(), digest);
        const { "content-length": signed, ...headers } = link.headers;
        expect(signed).toBe("4");
        const { status } = await follow({ ...link, headers }, Buffer.alloc(length));
        if (checks.headers) {
          expect(status).toBeGreaterThanOrEqual(400);
          expect(await blobs.stat(key)).toBeUndefined();
        } else {
          // Met at submission, which asks for the size.
          expect(await blobs.stat(key)).not.toBe(4);
        }
      }
    });

    it("an altered link is refused, and says the same whether the blob is there or not", async () => {
      const [there, missing] = [newKey(), newKey()];
      await blobs.put(there, [Buffer.from("0123456789")]);
      if (!checks.signature) {
        const { searchParams } = new URL((await links.signGet(there, { offset: 0, length: 1 }, soon())).url);
        return expect(searchParams.get("X-Amz-Signature")).toMatch(/^[0-9a-f]{64}$/);
      }
      const answers: string[] = [];
      for (const key of [there, missing]) {
        const get = await links.signGet(key, { offset: 0, length: 10 }, soon());
        const put = await links.signPut(key, 4, soon());
        const altered: [SignedLink, Uint8Array?][] = [
          [withPath(get, (path) => `${path}x`)],
          [withParameter(get, /signature$/i, () => undefined)],
          [withParameter(get, /signature$/i, (value) => value.replace(/^./, (first) => (first === "a" ? "b" : "a")))],
          [withParameter(get, /expires$/i, (value) => String(Number(value) + 1))],
          [{ ...get, method: "PUT" }, Buffer.from("four")],
          [{ ...put, method: "GET", headers: {} }],
        ];
        for (const [link, body] of altered) {
          const { status, bytes } = await follow(link, body);
          expect(status).toBe(403);
          answers.push(`${status} ${bytes.toString().replaceAll(key, "KEY")}`);
        }
        expect(await blobs.stat(key)).toBe(key === there ? 10 : undefined);
      }
      if (opened.baseUrl !== undefined) expect(answers.slice(0, 6)).toEqual(answers.slice(6));
    });

    it("a link ends", async () => {
      const key = newKey();
      await blobs.put(key, [Buffer.from("0123456789")]);
      const end = Date.now() + 1000;
      const get = await links.signGet(key, { offset: 0, length: 10 }, end);
      const put = await links.signPut(newKey(), 4, end);
      if (!checks.expiry) return expect(new URL(get.url).searchParams.get("X-Amz-Expires")).toBe("1");
      await expect.poll(async () => (await follow(get)).status, { timeout: 20_000 }).toBe(403);
      await expect.poll(async () => (await follow(put, Buffer.from("four"))).status, { timeout: 20_000 }).toBe(403);
    });

    it("keys that no blob may have get no link", async () => {
      await expect(links.signPut("../up", 4, soon())).rejects.toThrow(/key/);
      await expect(links.signGet("../up", { offset: 0, length: 1 }, soon())).rejects.toThrow(/key/);
    });
  });
}
