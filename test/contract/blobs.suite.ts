// What every Blobs store promises, as tests that any adapter can run.
import { createHash, randomBytes } from "node:crypto";
import { BLOCK_BYTES, type Blobs } from "@sortie/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

export interface OpenedBlobs {
  readonly blobs: Blobs;
  /** Harms a stored blob behind the store's back: flips the byte at `offset`, or cuts the blob off there. */
  readonly damage: (key: string, how: "flip" | "cut", offset: number) => Promise<void>;
}

let keys = 0;
const newPrefix = () => `test-${process.pid}/${(keys++).toString(36)}/`;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Bytes that begin at an odd place of their buffer, as views of a message do. */
function oddlyAligned(bytes: Uint8Array): Uint8Array {
  const room = new Uint8Array(bytes.byteLength + 3);
  room.set(bytes, 3);
  return room.subarray(3);
}

async function keysOf(blobs: Blobs, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of blobs.list(prefix)) found.push(key);
  return found.sort();
}

/**
 * @param open opens a store for the whole suite; it may hold blobs of other tests
 */
export function describeBlobs(name: string, open: () => Promise<OpenedBlobs>): void {
  describe(`Blobs: ${name}`, () => {
    let blobs: Blobs;
    let damage: OpenedBlobs["damage"];
    const long = randomBytes(2 * BLOCK_BYTES + 12_345);
    const longKey = `${newPrefix()}long`;
    beforeAll(async () => {
      ({ blobs, damage } = await open());
      await blobs.put(longKey, [long]);
    });
    afterAll(() => blobs[Symbol.asyncDispose]());

    const read = async (ref: Parameters<Blobs["readInto"]>[0], offset: number, length: number) => {
      const target = new Uint8Array(length);
      await blobs.readInto(ref, offset, target);
      return target;
    };

    it("names a blob's size and the digest of each block", async () => {
      const ref = await blobs.put(`${newPrefix()}a`, [long]);
      expect(ref.bytes).toBe(long.byteLength);
      expect(ref.digests).toEqual([
        sha256(long.subarray(0, BLOCK_BYTES)),
        sha256(long.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES)),
        sha256(long.subarray(2 * BLOCK_BYTES)),
      ]);
      expect(JSON.parse(JSON.stringify(ref))).toEqual(ref);
    });

    it("stores nothing as a blob of no bytes", async () => {
      const key = `${newPrefix()}empty`;
      const ref = await blobs.put(key, [new Uint8Array(0)]);
      expect(ref).toEqual({ key, bytes: 0, digests: [] });
      expect(await blobs.stat(key)).toBe(0);
      await blobs.readInto(ref, 0, new Uint8Array(0));
      expect(await blobs.put(key, [])).toEqual(ref);
    });

    it("joins its parts, wherever they begin in memory", async () => {
      const cuts = [0, 1, 7, 100, BLOCK_BYTES - 1, BLOCK_BYTES + 1, long.byteLength];
      const parts = cuts.slice(1).map((end, i) => oddlyAligned(long.subarray(cuts[i], end)));
      const whole = await blobs.put(`${newPrefix()}whole`, [long]);
      const joined = await blobs.put(`${newPrefix()}joined`, [...parts, new Uint8Array(0)]);
      expect(joined.digests).toEqual(whole.digests);
      expect(sha256(await read(joined, 0, long.byteLength))).toBe(sha256(long));
    });

    it("joins thousands of small parts", async () => {
      const bytes = long.subarray(0, 30_000);
      const parts = Array.from({ length: 3000 }, (_, i) => bytes.subarray(i * 10, i * 10 + 10));
      const ref = await blobs.put(`${newPrefix()}many`, parts);
      expect(Buffer.compare(await read(ref, 0, bytes.byteLength), bytes)).toBe(0);
    });

    it("keeps no hold on the parts once a put has resolved", async () => {
      const mine = Uint8Array.from(long.subarray(0, 300_000));
      const ref = await blobs.put(`${newPrefix()}mine`, [mine]);
      mine.fill(0);
      expect(Buffer.compare(await read(ref, 0, mine.byteLength), long.subarray(0, 300_000))).toBe(0);
    });

    it("reads any range, across the borders of blocks", async () => {
      const ref = await blobs.put(longKey, [long]);
      const offsets = fc.oneof(
        fc.integer({ min: 0, max: long.byteLength }),
        fc.integer({ min: -3, max: 3 }).map((d) => BLOCK_BYTES + d),
        fc.integer({ min: -3, max: 3 }).map((d) => 2 * BLOCK_BYTES + d),
        fc.constantFrom(0, long.byteLength),
      );
      await fc.assert(
        fc.asyncProperty(offsets, offsets, async (a, b) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          const target = oddlyAligned(new Uint8Array(to - from));
          await blobs.readInto(ref, from, target);
          expect(Buffer.compare(target, long.subarray(from, to))).toBe(0);
        }),
        { numRuns: 25 },
      );
    });

    it("refuses a range beyond the end", async () => {
      const ref = await blobs.put(`${newPrefix()}short`, [Buffer.from("four")]);
      await expect(read(ref, 1, 4)).rejects.toThrow(RangeError);
      await expect(read(ref, -1, 2)).rejects.toThrow(RangeError);
    });

    it("putting the same bytes again is harmless, even at the same time", async () => {
      const key = `${newPrefix()}same`;
      const refs = await Promise.all(Array.from({ length: 6 }, () => blobs.put(key, [long.subarray(0, 500_000)])));
      for (const ref of refs) expect(ref).toEqual(refs[0]);
      expect(await blobs.stat(key)).toBe(500_000);
    });

    it("takes many blobs at once", async () => {
      const prefix = newPrefix();
      const refs = await Promise.all(
        Array.from({ length: 150 }, (_, i) => blobs.put(`${prefix}${i % 7}/${i}`, [long.subarray(i, i + 1000)])),
      );
      const found = await Promise.all(refs.map((ref) => read(ref, 0, 1000)));
      found.forEach((bytes, i) => {
        expect(Buffer.compare(bytes, long.subarray(i, i + 1000))).toBe(0);
      });
      expect(await keysOf(blobs, prefix)).toHaveLength(150);
    });

    it("knows a blob's size, and that there is none", async () => {
      expect(await blobs.stat(longKey)).toBe(long.byteLength);
      expect(await blobs.stat(`${newPrefix()}missing`)).toBeUndefined();
      expect(await blobs.stat(longKey.slice(0, longKey.lastIndexOf("/")))).toBeUndefined();
    });

    it.each(["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".hidden", "a b", "a\\b", "a\u0000b", "ä"])(
      "refuses the key %j",
      async (key) => {
        await expect(blobs.put(key, [Buffer.from("x")])).rejects.toThrow(/key/);
      },
    );

    it("lists by prefix, also by a part of a name", async () => {
      const prefix = newPrefix();
      const names = ["a", "ab/1", "ab/2", "abc/1", "b/c/d/e"];
      await Promise.all(names.map((name) => blobs.put(prefix + name, [Buffer.from(name)])));
      const found = async (inside: string) =>
        (await keysOf(blobs, prefix + inside)).map((key) => key.slice(prefix.length));
      expect(await found("")).toEqual(names);
      expect(await found("ab")).toEqual(["ab/1", "ab/2", "abc/1"]);
      expect(await found("ab/")).toEqual(["ab/1", "ab/2"]);
      expect(await found("b/c")).toEqual(["b/c/d/e"]);
      expect(await found("nothing")).toEqual([]);
      for await (const { key, bytes } of blobs.list(prefix)) expect(bytes).toBe(key.length - prefix.length);
    });

    it("deletes a blob; deleting it again is harmless", async () => {
      const key = `${newPrefix()}a/b`;
      const ref = await blobs.put(key, [Buffer.from("x")]);
      await blobs.delete(key);
      await blobs.delete(key);
      expect(await blobs.stat(key)).toBeUndefined();
      await expect(read(ref, 0, 1)).rejects.toMatchObject({ reason: "stored-object-corrupt" });
    });

    it("deletes by prefix and nothing beside it", async () => {
      const prefix = newPrefix();
      const names = ["up/1/a", "up/1/b/c", "up/10/a", "up/2/a"];
      await Promise.all(names.map((name) => blobs.put(prefix + name, [Buffer.from(name)])));
      await blobs.deletePrefix(`${prefix}up/1/`);
      await blobs.deletePrefix(`${prefix}up/1/`);
      await blobs.deletePrefix(`${prefix}nothing/`);
      expect(await keysOf(blobs, prefix)).toEqual([`${prefix}up/10/a`, `${prefix}up/2/a`]);
      await blobs.deletePrefix(`${prefix}up/1`);
      expect(await keysOf(blobs, prefix)).toEqual([`${prefix}up/2/a`]);
    });

    it("puts and deletions in one folder do not disturb each other", async () => {
      const prefix = newPrefix();
      const rounds = async (name: string) => {
        for (let i = 0; i < 40; i += 1) {
          await blobs.put(`${prefix}deep/er/${name}`, [Buffer.from(name)]);
          await blobs.delete(`${prefix}deep/er/${name}`);
        }
      };
      await Promise.all([rounds("a"), rounds("b"), rounds("c")]);
      expect(await keysOf(blobs, prefix)).toEqual([]);
    });

    it("names the blob and the bytes that were altered, and reads the others", async () => {
      const key = `${newPrefix()}altered`;
      const ref = await blobs.put(key, [long]);
      await damage(key, "flip", BLOCK_BYTES + 5);
      await expect(read(ref, BLOCK_BYTES + 100, 10)).rejects.toMatchObject({
        reason: "stored-object-corrupt",
        message: expect.stringMatching(`${key}.*${BLOCK_BYTES} to ${2 * BLOCK_BYTES}`),
      });
      expect(await read(ref, 0, 10)).toEqual(new Uint8Array(long.subarray(0, 10)));
      expect(await read(ref, 2 * BLOCK_BYTES, 10)).toEqual(
        new Uint8Array(long.subarray(2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 10)),
      );
    });

    it("names the blob that has become shorter", async () => {
      const key = `${newPrefix()}cut`;
      const ref = await blobs.put(key, [long.subarray(0, 1000)]);
      await damage(key, "cut", 999);
      await expect(read(ref, 0, 1000)).rejects.toMatchObject({
        reason: "stored-object-corrupt",
        message: expect.stringContaining(key),
      });
    });

    it("names the blob that is missing", async () => {
      const ref = { key: `${newPrefix()}never`, bytes: 5, digests: [sha256(Buffer.from("never"))] };
      await expect(read(ref, 0, 5)).rejects.toMatchObject({
        reason: "stored-object-corrupt",
        message: expect.stringContaining(ref.key),
      });
    });

    it("an aborted put rejects with the signal's reason and leaves nothing", async () => {
      const prefix = newPrefix();
      for (const turns of [0, 1, 3]) {
        const abort = new AbortController();
        const put = blobs.put(`${prefix}${turns}`, [long], { signal: abort.signal });
        const settled = put.then(
          () => "stored",
          (error) => String(error.message),
        );
        for (let i = 0; i < turns; i += 1) await new Promise(setImmediate);
        abort.abort(new Error("client left"));
        const outcome = await settled;
        expect(["client left", "stored"]).toContain(outcome);
        expect(await blobs.stat(`${prefix}${turns}`)).toBe(outcome === "stored" ? long.byteLength : undefined);
      }
    });

    it("every call rejects with the reason of a signal that is aborted already", async () => {
      const options = { signal: AbortSignal.abort(new Error("too late")) };
      const ref = await blobs.put(longKey, [long]);
      const key = `${newPrefix()}late`;
      await expect(blobs.put(key, [long], options)).rejects.toThrow("too late");
      await expect(blobs.readInto(ref, 0, new Uint8Array(1), options)).rejects.toThrow("too late");
      await expect(blobs.stat(key, options)).rejects.toThrow("too late");
      await expect(blobs.delete(longKey, options)).rejects.toThrow("too late");
      await expect(blobs.deletePrefix(longKey, options)).rejects.toThrow("too late");
      await expect(async () => {
        for await (const _ of blobs.list("", options));
      }).rejects.toThrow("too late");
      expect(await blobs.stat(key)).toBeUndefined();
      expect(await blobs.stat(longKey)).toBe(long.byteLength);
    });
  });
}
