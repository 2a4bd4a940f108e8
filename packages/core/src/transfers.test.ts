// Rules of direct transfers, on stores in memory and a clock that tests move: what comes by links beside what comes in
// chunks, what is fixed at submission, and what is left of everything.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { claimJob } from "./attempts.ts";
import {
  abortUpload,
  DEFAULT_LIMITS,
  DomainError,
  deleteJob,
  finishUpload,
  getJob,
  LINK_GRACE_MS,
  loadArrays,
  type NewJob,
  putChunk,
  type ReceivedArray,
  resultLinks,
  type SignedLink,
  startUpload,
  storedBytes,
  sweep,
  type UploadPlan,
  type UploadState,
  uploadLinks,
  uploadState,
} from "./index.ts";
import { admissionKey, partBlob, uploadKey } from "./keys.ts";
import { anyCaller, openWorld, type World } from "./testing/world.ts";

const JOB: NewJob = { needs: { kind: "lp", memoryBytes: 1e6, elements: 1, usesGpu: false }, work: {} };
const PART_BYTES = 1024;
const STEP = PART_BYTES / 8;
const HOUR = 3_600_000;
const stranger = { tenant: "other" };
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Elements whose bytes tell where they belong. */
const sample = (elements: number, seed = 1) =>
  Uint8Array.from({ length: elements * 8 }, (_, i) => (i * 31 + seed * 97 + (i >> 8)) & 0xff);

const open = (world: World, elements: number, more: Partial<UploadPlan> = {}) =>
  startUpload(
    world,
    anyCaller,
    {},
    {
      arrays: [{ name: "c", elementBytes: 8, elements }],
      partBytes: PART_BYTES,
      ...more,
    },
  );

const slice = (bytes: Uint8Array, from: number, count: number) => bytes.slice(from * 8, (from + count) * 8);

async function linkTo(world: World, id: string, offset: number, digest?: string, seconds = 0): Promise<SignedLink> {
  const parts = [{ array: "c", elementOffset: offset, sha256: digest }];
  return (await uploadLinks(world, anyCaller, id, parts, seconds)).links[0]!.link;
}

/** Sends one part by a link. @returns the status of the PUT */
async function sendPart(world: World, id: string, bytes: Uint8Array, offset: number, checked = true): Promise<number> {
  const part = slice(bytes, offset, STEP);
  const link = await linkTo(world, id, offset, checked ? sha256(part) : undefined);
  return world.blobs.follow(link, world.clock.now(), part).status;
}

const sendChunk = (world: World, id: string, bytes: Uint8Array, offset: number, count: number) =>
  putChunk(
    world,
    anyCaller,
    id,
    {
      array: "c",
      elementBytes: 8,
      elementOffset: offset,
      totalElements: bytes.byteLength / 8,
      data: slice(bytes, offset, count),
    },
    () => "seen",
  );

const finish = (world: World, id: string, look: (arrays: readonly ReceivedArray[]) => void = () => {}) =>
  finishUpload(world, anyCaller, id, (_, arrays) => {
    look(arrays);
    return JOB;
  });

async function inputOf(world: World, jobId: string): Promise<Uint8Array> {
  const job = await getJob(world, anyCaller, jobId);
  return (await loadArrays(world, job!.input)).get("c")!;
}

const stateOf = async (world: World, id: string) =>
  (await uploadState(world, anyCaller, id)) as UploadState & { state: "open" };

const refusal = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error: unknown) => (error instanceof DomainError ? `${error.reason}: ${error.message}` : String(error)),
  );

describe("an upload by links", () => {
  it("is its parts in any order, mixed with chunks of any cut, and the worker reads what was sent", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 * STEP }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 1, max: STEP }),
        fc.boolean(),
        async (elements, byLink, checked, cut, backwards) => {
          const world = openWorld();
          const bytes = sample(elements);
          const id = await open(world, elements);
          const offsets = Array.from({ length: Math.ceil(elements / STEP) }, (_, i) => i * STEP);
          for (const offset of backwards ? offsets.toReversed() : offsets) {
            const part = offset / STEP;
            const end = Math.min(offset + STEP, elements);
            if (byLink[part]) expect(await sendPart(world, id, bytes, offset, checked[part])).toBe(200);
            else
              for (let at = offset; at < end; at += cut) await sendChunk(world, id, bytes, at, Math.min(cut, end - at));
          }
          const { arrays } = await stateOf(world, id);
          expect(arrays[0]).toMatchObject({ receivedElements: elements, received: [{ elementOffset: 0, elements }] });
          expect(arrays[0]!.parts.every((part) => part.received)).toBe(true);
          const jobId = await finish(world, id, ([array]) => {
            expect(array!.chunks.filter(({ stats }) => stats === undefined)).toHaveLength(
              offsets.filter((offset) => byLink[offset / STEP]).length,
            );
          });
          expect(await inputOf(world, jobId)).toEqual(bytes);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("tells what has arrived, so that another client sends the rest", async () => {
    const world = openWorld();
    const bytes = sample(3 * STEP + 10);
    const id = await open(world, 3 * STEP + 10);
    await sendPart(world, id, bytes, STEP);
    await sendChunk(world, id, bytes, 3 * STEP, 4);
    const { arrays } = await stateOf(world, id);
    expect(arrays).toEqual([
      {
        name: "c",
        elementBytes: 8,
        elements: 3 * STEP + 10,
        receivedElements: STEP + 4,
        received: [
          { elementOffset: STEP, elements: STEP },
          { elementOffset: 3 * STEP, elements: 4 },
        ],
        parts: [
          { elementOffset: 0, elements: STEP, bytes: PART_BYTES, received: false },
          { elementOffset: STEP, elements: STEP, bytes: PART_BYTES, received: true },
          { elementOffset: 2 * STEP, elements: STEP, bytes: PART_BYTES, received: false },
          { elementOffset: 3 * STEP, elements: 10, bytes: 80, received: false },
        ],
      },
    ]);
    expect(await refusal(finish(world, id))).toBe(
      `invalid-argument: ValidationError: array c: elements 0 to ${STEP - 1} of ${3 * STEP + 10} were not sent`,
    );
  });

  it("refuses elements that came both ways, unless they are known to be the same", async () => {
    for (const [other, outcome] of [
      [sample(STEP), /^answered/],
      [sample(STEP, 2), /invalid-argument: ValidationError: array c: two chunks cover element/],
    ] as const) {
      const world = openWorld();
      const id = await open(world, STEP);
      await sendPart(world, id, sample(STEP), 0);
      await sendChunk(world, id, other, 0, STEP);
      expect(await refusal(finish(world, id))).toMatch(outcome);
    }
    const world = openWorld();
    const id = await open(world, 2 * STEP);
    await sendPart(world, id, sample(2 * STEP), 0);
    await sendChunk(world, id, sample(2 * STEP), STEP - 1, STEP + 1);
    expect(await refusal(finish(world, id))).toMatch(/two chunks cover element 127/);
  });

  it("takes a chunk, which was seen, for a part that nobody saw", async () => {
    const world = openWorld();
    const id = await open(world, STEP);
    await sendPart(world, id, sample(STEP, 2), 0, false);
    await sendChunk(world, id, sample(STEP), 0, STEP);
    expect(await inputOf(world, await finish(world, id))).toEqual(sample(STEP));
  });

  it("is fixed at submission: what its links still bring is no input", async () => {
    const world = openWorld();
    const bytes = sample(2 * STEP);
    const id = await open(world, 2 * STEP);
    const part = slice(bytes, 0, STEP);
    const checked = await linkTo(world, id, 0, sha256(part));
    const any = await linkTo(world, id, STEP);
    const now = world.clock.now();
    world.blobs.follow(checked, now, part);
    world.blobs.follow(any, now, slice(bytes, STEP, STEP));
    const jobId = await finish(world, id);
    expect(world.blobs.follow(checked, now, slice(sample(STEP, 3), 0, STEP)).status).toBe(400);
    expect(world.blobs.follow(any, now, slice(sample(STEP, 3), 0, STEP)).status).toBe(412);
    expect(await inputOf(world, jobId)).toEqual(bytes);
    // Even a store that lets itself be overwritten deceives nobody.
    await world.blobs.put(partBlob(id, "c", 0), [slice(sample(STEP, 3), 0, STEP)]);
    expect(await refusal(inputOf(world, jobId))).toMatch(/^stored-object-corrupt: .* do not match their digest/);
    expect(await refusal(linkTo(world, id, 0))).toMatch(/^upload-unknown/);
    expect(await uploadState(world, anyCaller, id)).toEqual({ state: "submitted", jobId });
  });

  it("names a part of the wrong size, which a store let pass, until it is sent again", async () => {
    const world = openWorld();
    const bytes = sample(STEP);
    const id = await open(world, STEP);
    const link = await linkTo(world, id, 0, sha256(bytes));
    await world.blobs.put(partBlob(id, "c", 0), [bytes.slice(1)]);
    expect((await stateOf(world, id)).arrays[0]!.receivedElements).toBe(0);
    expect(await refusal(finish(world, id))).toBe(
      "invalid-argument: ValidationError: array c: the part at element 0 has 1023 bytes, 1024 are needed; send it again",
    );
    world.blobs.follow(link, world.clock.now(), bytes);
    expect(await inputOf(world, await finish(world, id))).toEqual(bytes);
  });

  it("holds a part to the digest of its first link, whoever asks first", async () => {
    const world = openWorld();
    const id = await open(world, STEP);
    const outcomes = await Promise.all(
      ["aa", "bb", undefined].map((digest) => refusal(linkTo(world, id, 0, digest?.repeat(32)))),
    );
    expect(outcomes.filter((each) => each === "answered")).toHaveLength(1);
    expect(outcomes.filter((each) => /invalid-argument.*asked for before with/.test(each))).toHaveLength(2);
  });

  it("is unknown to other tenants", async () => {
    const world = openWorld();
    const id = await open(world, STEP);
    const parts = [{ array: "c", elementOffset: 0 }];
    for (const call of [
      uploadState(world, stranger, id),
      uploadLinks(world, stranger, id, parts, 0),
      abortUpload(world, stranger, id),
      uploadLinks(world, stranger, "no such upload", parts, 0),
    ]) {
      expect(await refusal(call)).toMatch(/^upload-unknown: Upload not found/);
    }
    const jobId = await finish(world, await startUpload(world, anyCaller, {}));
    expect(await refusal(resultLinks(world, stranger, jobId, 0, 0, 0))).toBe("job-unknown: Job not found");
    expect(await refusal(resultLinks(world, anyCaller, jobId, 0, 0, 0))).toMatch(/^wrong-state: .* the job is queued/);
  });

  it("counts for the quotas as declared", async () => {
    const world = openWorld({ storedBytes: 2000, openUploads: 2 });
    const id = await open(world, 125);
    expect((await storedBytes(world, "local")).bytes).toBe(1000);
    expect(await refusal(open(world, 126))).toMatch(/^quota-exceeded: .* 1000 of 2000 bytes are used, and 1008 more/);
    const outcomes = await Promise.all([open(world, 100), open(world, 100)].map(refusal));
    expect(outcomes.sort()[1]).toMatch(/^(quota-exceeded|too-many-transfers)/);
    await abortUpload(world, anyCaller, id);
    expect((await storedBytes(world, "local")).bytes).toBe(800);
    await open(world, 125);
    expect(await refusal(open(world, 1))).toMatch(/^too-many-transfers: .*2 of 2 are open/);
    const limited = openWorld({ arrayBytes: 80 });
    expect(await refusal(open(limited, 11))).toMatch(/^too-large: array c is too large: 11 elements of 8 bytes/);
    expect(limited.table.rows).toEqual([]);
  });

  it("is one upload for one idempotency key", async () => {
    const world = openWorld();
    const idempotency = { key: "k", bodyDigest: "one" };
    const ids = await Promise.all([open(world, 8, { idempotency }), open(world, 8, { idempotency })]);
    expect(ids[0]).toBe(ids[1]);
    expect((await world.table.get(admissionKey("local")))?.sets["uploads"]?.size).toBe(1);
    const other = open(world, 8, { idempotency: { key: "k", bodyDigest: "two" } });
    expect(await refusal(other)).toMatch(/^key-reused-with-other-body/);
    await linkTo(world, ids[0]!, 0);
    await abortUpload(world, anyCaller, ids[0]!);
    expect(await refusal(open(world, 8, { idempotency }))).toMatch(/^key-reused.*given up or has expired/);
  });
});

describe("links", () => {
  it("work for an hour unless asked otherwise, and for half a day at the most", async () => {
    const world = openWorld();
    const id = await open(world, STEP);
    const now = world.clock.now();
    for (const [asked, hours] of [
      [0, 1],
      [7200, 2],
      [1_000_000, 12],
    ] as const) {
      const { expiresAt } = await uploadLinks(world, anyCaller, id, [{ array: "c", elementOffset: 0 }], asked);
      expect(expiresAt).toBe(now + hours * HOUR);
    }
    expect(await refusal(linkTo(world, id, 0, undefined, -1))).toMatch(/expiry_seconds is -1/);
  });

  it("keep their upload alive until the last has expired", async () => {
    const world = openWorld({ uploadIdleMs: 60_000 });
    const bytes = sample(STEP);
    const id = await open(world, STEP);
    const link = await linkTo(world, id, 0, sha256(bytes), 600);
    await linkTo(world, id, 0, sha256(bytes), 60);
    await world.clock.advance(599_000);
    await sweep(world);
    expect(world.blobs.follow(link, world.clock.now(), bytes).status).toBe(200);
    expect((await stateOf(world, id)).arrays[0]!.receivedElements).toBe(STEP);
    await world.clock.advance(2_000);
    expect(await refusal(stateOf(world, id))).toMatch(/^upload-unknown/);
  });

  it("leave nothing behind: neither of an upload that expired, nor of one that was given up, nor of a deleted job", async () => {
    for (const end of ["expires", "is given up", "is deleted"] as const) {
      const world = openWorld({ uploadIdleMs: 60_000 });
      const bytes = sample(2 * STEP);
      const id = await open(world, 2 * STEP);
      await sendPart(world, id, bytes, 0);
      const late = await linkTo(world, id, STEP, sha256(slice(bytes, STEP, STEP)));
      if (end === "is given up") await abortUpload(world, anyCaller, id);
      if (end === "is deleted") {
        await sendPart(world, id, bytes, STEP);
        await deleteJob(world, anyCaller, await finish(world, id));
        await sweep(world);
      }
      if (end !== "expires") expect(world.blobs.keys).toEqual([]);
      expect(await world.table.get(uploadKey(id))).toBeDefined();
      // The link still works, and nobody waits for it.
      world.blobs.follow(late, world.clock.now(), slice(bytes, STEP, STEP));
      expect((await world.table.get(admissionKey("local")))?.sets["uploads"]?.size ?? 0).toBe(
        end === "expires" ? 1 : 0,
      );
      for (let i = 0; i < 3; i += 1) {
        await world.clock.advance(HOUR + LINK_GRACE_MS);
        await sweep(world);
      }
      expect(world.blobs.keys).toEqual([]);
      expect(world.table.rows.filter(({ pk }) => pk.includes(id))).toEqual([]);
      expect((await world.table.get(admissionKey("local")))?.sets["uploads"]).toBeUndefined();
      expect(world.faults).toEqual([]);
    }
  });

  it("are not given out by a store that has none", async () => {
    const world = openWorld();
    const { put, readInto, stat, list, deletePrefix } = world.blobs;
    const bare = Object.assign(Object.create(world.blobs), {
      links: undefined,
      put,
      readInto,
      stat,
      list,
      deletePrefix,
    });
    const id = await open(world, STEP);
    expect(
      await refusal(uploadLinks({ ...world, blobs: bare }, anyCaller, id, [{ array: "c", elementOffset: 0 }], 0)),
    ).toMatch(/^feature-unsupported: .*use SendArrayChunk/);
  });
});

describe("a result by links", () => {
  it("is the blocks of its blobs, page by page, each with its digest", async () => {
    const world = openWorld({ ...DEFAULT_LIMITS });
    const id = await open(world, STEP);
    await sendPart(world, id, sample(STEP), 0);
    const jobId = await finish(world, id);
    const attempt = await claimJob(world, jobId, "worker");
    const data = Float64Array.from({ length: 700_000 }, (_, i) => i / 3);
    await attempt!.complete(
      {
        message: "",
        arrays: [
          { name: "0", data },
          { name: "1", data: data.slice(0, 5) },
        ],
      },
      {},
    );
    const whole = new Uint8Array(705_000 * 8);
    let bytes = 0;
    let from: number | undefined = 0;
    const pages: number[] = [];
    while (from !== undefined) {
      const page: Awaited<ReturnType<typeof resultLinks>> = await resultLinks(world, anyCaller, jobId, from, 1, 0);
      expect(page.blobs).toHaveLength(1);
      for (const { offset, length, sha256: digest, link } of page.parts) {
        const { status, body } = world.blobs.follow(link, world.clock.now());
        expect(status).toBe(206);
        expect(body!.byteLength).toBe(length);
        expect(sha256(body!)).toBe(digest);
        whole.set(body!, offset);
        bytes += length;
      }
      pages.push(page.parts.length);
      from = page.next;
    }
    expect(pages).toEqual([1, 1]);
    expect(bytes).toBe(700_005 * 8);
    const { arrays } = (await resultLinks(world, anyCaller, jobId, 0, 0, 0)).job.result!;
    expect(new Float64Array(whole.buffer, arrays[0]!.byteOffset, 700_000)).toEqual(data);
    expect([...new Float64Array(whole.buffer, arrays[1]!.byteOffset, 5)]).toEqual([...data.slice(0, 5)]);
  });
});
