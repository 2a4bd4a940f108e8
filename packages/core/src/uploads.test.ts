// Rules of uploads and downloads, on tables in memory and a clock that tests move; and properties of what arrives in
// chunks of any order, cut, repetition and overlap.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cancelJob,
  claimJob,
  DomainError,
  deleteJob,
  finishDownload,
  finishUpload,
  getJob,
  getUpload,
  loadArrays,
  type NewChunk,
  type NewJob,
  putChunk,
  type ReceivedArray,
  readDownload,
  startDownload,
  startUpload,
  sweep,
  touchUpload,
  type Value,
} from "./index.ts";
import { admissionKey, uploadKey } from "./keys.ts";
import { anyCaller, openWorld, submit, type World } from "./testing/world.ts";

const JOB: NewJob = { needs: { kind: "lp", memoryBytes: 1e6, elements: 1, usesGpu: false }, work: {} };
const ELEMENT_BYTES = 8;
const stranger = { tenant: "other" };

/** `elements` elements whose bytes tell where they belong. */
function sampleBytes(elements: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: elements * ELEMENT_BYTES }, (_, i) => (i * 31 + seed * 97) & 0xff);
}

/** Elements `from` to `to` (exclusive) of an array as a chunk. */
function chunkOf(array: string, bytes: Uint8Array, from: number, to: number): NewChunk {
  return {
    array,
    elementBytes: ELEMENT_BYTES,
    elementOffset: from,
    totalElements: bytes.byteLength / ELEMENT_BYTES,
    data: bytes.slice(from * ELEMENT_BYTES, to * ELEMENT_BYTES),
  };
}

const put = (world: World, id: string, chunk: NewChunk, inspect: (data: Uint8Array) => Value = () => null) =>
  putChunk(world, anyCaller, id, chunk, inspect);

const finish = (
  world: World,
  id: string,
  prepare: (arrays: readonly ReceivedArray[]) => NewJob = () => JOB,
  idempotencyKey?: string,
) => finishUpload(world, anyCaller, id, (_, arrays) => prepare(arrays), idempotencyKey);

const start = (world: World) => startUpload(world, anyCaller, {});

/** An upload that lacks nothing but its finish. */
async function wholeUpload(world: World, bytes = sampleBytes(4)): Promise<string> {
  const id = await start(world);
  await put(world, id, chunkOf("c", bytes, 0, bytes.byteLength / ELEMENT_BYTES));
  return id;
}

async function inputOf(world: World, jobId: string): Promise<Record<string, number[]>> {
  const job = await getJob(world, anyCaller, jobId);
  const arrays = await loadArrays(world, job!.input);
  return Object.fromEntries([...arrays].map(([name, bytes]) => [name, [...bytes]]));
}

async function placesTaken(world: World, set: "jobs" | "uploads" | "downloads"): Promise<number> {
  return (await world.table.get(admissionKey(anyCaller.tenant)))?.sets[set]?.size ?? 0;
}

describe("an upload", () => {
  it("becomes a job whose input is what was sent", async () => {
    const world = openWorld();
    const bytes = sampleBytes(10);
    const id = await start(world);
    await put(world, id, chunkOf("A_values", bytes, 4, 10));
    await put(world, id, chunkOf("A_values", bytes, 0, 4));
    await put(world, id, chunkOf("c", bytes, 0, 10));
    const jobId = await finish(world, id);
    expect(await inputOf(world, jobId)).toEqual({ A_values: [...bytes], c: [...bytes] });
    expect(world.dispatcher.dispatched).toMatchObject([{ jobId, attempt: 1 }]);
  });

  it("keeps what its client said at the start", async () => {
    const world = openWorld();
    const id = await startUpload(world, anyCaller, { kind: "mip", maximize: true });
    expect((await getUpload(world, anyCaller, id)).header).toEqual({ kind: "mip", maximize: true });
  });

  it("counts accepted chunks over all arrays, and a repeat not again", async () => {
    const world = openWorld();
    const bytes = sampleBytes(4);
    const id = await start(world);
    expect(await put(world, id, chunkOf("c", bytes, 0, 2))).toBe(1);
    expect(await put(world, id, chunkOf("b", bytes, 0, 2))).toBe(2);
    expect(await put(world, id, chunkOf("c", bytes, 0, 2))).toBe(2);
    expect(await put(world, id, chunkOf("c", bytes, 2, 4))).toBe(3);
  });

  it("hands the check each array's chunks by offset, with what was noted of each", async () => {
    const world = openWorld();
    const bytes = sampleBytes(6);
    const id = await start(world);
    for (const [from, to] of [
      [4, 6],
      [0, 1],
      [1, 4],
    ] as const) {
      await put(world, id, chunkOf("c", bytes, from, to), (data) => ({ length: data.byteLength }));
    }
    let seen: readonly ReceivedArray[] = [];
    await finish(world, id, (arrays) => {
      seen = arrays;
      return JOB;
    });
    expect(seen).toMatchObject([{ name: "c", elementBytes: 8, elements: 6 }]);
    expect(seen[0]?.chunks.map((chunk) => [chunk.elementOffset, chunk.elements, chunk.stats])).toEqual([
      [0, 1, { length: 8 }],
      [1, 3, { length: 24 }],
      [4, 2, { length: 16 }],
    ]);
  });

  it("is refused with its holes named, and stays open to be mended", async () => {
    const world = openWorld();
    const bytes = sampleBytes(10);
    const id = await start(world);
    await put(world, id, chunkOf("A_values", bytes, 0, 3));
    await put(world, id, chunkOf("A_values", bytes, 5, 10));
    await put(world, id, chunkOf("c", bytes, 0, 9));
    await expect(finish(world, id)).rejects.toThrow(
      "ValidationError: array A_values: elements 3 to 4 of 10 were not sent; array c: elements 9 to 9 of 10 were not sent",
    );
    await put(world, id, chunkOf("A_values", bytes, 3, 5));
    await put(world, id, chunkOf("c", bytes, 9, 10));
    expect(await inputOf(world, await finish(world, id))).toEqual({ A_values: [...bytes], c: [...bytes] });
  });

  it("names the whole array where only its size was ever told", async () => {
    const world = openWorld();
    const id = await start(world);
    await put(world, id, chunkOf("c", sampleBytes(3), 0, 0));
    await expect(finish(world, id)).rejects.toThrow("array c: elements 0 to 2 of 3 were not sent");
  });

  it("stays open when the check refuses its arrays", async () => {
    const world = openWorld();
    const id = await wholeUpload(world);
    const refuse = () => {
      throw new DomainError("invalid-argument", "no such model");
    };
    await expect(finish(world, id, refuse)).rejects.toThrow("no such model");
    expect(await placesTaken(world, "jobs")).toBe(0);
    await finish(world, id);
  });

  it("stays open when the queue is full, and becomes a job when there is room", async () => {
    const world = openWorld({ jobs: 1 });
    const blocking = await submit(world);
    const bytes = sampleBytes(4);
    const id = await wholeUpload(world, bytes);
    await expect(finish(world, id)).rejects.toMatchObject({ reason: "queue-full" });
    await expect(finish(world, id)).rejects.toThrow("1 of 1 jobs");
    await cancelJob(world, anyCaller, blocking);
    expect(await inputOf(world, await finish(world, id))).toEqual({ c: [...bytes] });
  });

  it("is finished once: after that its id is unknown to every call", async () => {
    const world = openWorld();
    const id = await wholeUpload(world);
    await finish(world, id);
    await expect(finish(world, id)).rejects.toMatchObject({ reason: "upload-unknown" });
    await expect(put(world, id, chunkOf("c", sampleBytes(4), 0, 4))).rejects.toMatchObject({
      reason: "upload-unknown",
    });
    await expect(getUpload(world, anyCaller, id)).rejects.toMatchObject({ reason: "upload-unknown" });
    expect(world.dispatcher.dispatched).toHaveLength(1);
  });

  it("that is finished by several calls at once makes one job, which holds one place", async () => {
    const world = openWorld();
    const id = await wholeUpload(world);
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => finish(world, id)));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    expect(world.dispatcher.dispatched).toHaveLength(1);
    expect(await placesTaken(world, "jobs")).toBe(1);
    expect(await placesTaken(world, "uploads")).toBe(0);
  });

  it("makes one job however finishes at once fare, and its data never expire under that job", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 5 }), async (jobs, calls) => {
        const world = openWorld({ jobs });
        for (let i = 1; i < jobs; i++) await submit(world);
        world.dispatcher.dispatched.length = 0;
        const bytes = sampleBytes(4);
        const id = await wholeUpload(world, bytes);
        const attempts = Array.from({ length: calls }, () => finish(world, id));
        // The sweep may look at the upload at any moment.
        await world.table.write(uploadKey(id), { index: { due: { pk: "due#0", sk: "0" } } }, []);
        await sweep(world);
        const results = await Promise.allSettled(attempts);
        const made = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
        expect(made).toHaveLength(1);
        await expect(finish(world, id)).rejects.toMatchObject({ reason: "upload-unknown" });
        expect(world.dispatcher.dispatched.filter(({ jobId }) => jobId === made[0])).not.toHaveLength(0);
        expect(await placesTaken(world, "jobs")).toBe(jobs);
        await world.clock.advance(2 * world.limits.uploadIdleMs);
        await sweep(world);
        expect(await inputOf(world, made[0]!)).toEqual({ c: [...bytes] });
      }),
      { numRuns: 30 },
    );
  });

  it("that is finished again under the same idempotency key gives the same job", async () => {
    const world = openWorld();
    const id = await wholeUpload(world);
    const keyed = { ...JOB, idempotency: { key: "k", bodyDigest: "d" } };
    const first = await finish(world, id, () => keyed, "k");
    expect(await finish(world, id, () => keyed, "k")).toBe(first);
    await expect(finish(world, id, () => keyed, "another")).rejects.toMatchObject({ reason: "upload-unknown" });
    expect(await placesTaken(world, "jobs")).toBe(1);
  });

  it("whose server died between making the job and closing it is closed by the sweep", async () => {
    const world = openWorld();
    const id = await wholeUpload(world);
    const jobId = await finish(world, id);
    const asBefore = { set: { state: "finishing" }, index: { due: { pk: "due#0", sk: "0" } } };
    await world.table.write(uploadKey(id), asBefore, []);
    await sweep(world);
    expect((await world.table.get(uploadKey(id)))?.attributes["state"]).toBe("finished");
    expect(await inputOf(world, jobId)).toHaveProperty("c");
  });

  it("whose server died before making the job is open again", async () => {
    const world = openWorld();
    const bytes = sampleBytes(4);
    const id = await wholeUpload(world, bytes);
    await world.table.write(
      uploadKey(id),
      { set: { state: "finishing", jobId: "never-made" }, index: { due: { pk: "due#0", sk: "0" } } },
      [],
    );
    await sweep(world);
    expect(await inputOf(world, await finish(world, id))).toEqual({ c: [...bytes] });
  });

  it("is forgotten when nothing came for its idle time, with everything that was sent", async () => {
    const world = openWorld();
    const id = await wholeUpload(world);
    await world.clock.advance(world.limits.uploadIdleMs + 1);
    await expect(put(world, id, chunkOf("b", sampleBytes(1), 0, 1))).rejects.toMatchObject({
      reason: "upload-unknown",
    });
    await sweep(world);
    expect(world.blobs.keys).toEqual([]);
    expect(world.table.rows.filter((row) => row.pk.startsWith("upload#"))).toEqual([]);
    expect(await placesTaken(world, "uploads")).toBe(0);
  });

  it("lives on as long as anything comes, an accepted chunk or one that was refused", async () => {
    const world = openWorld();
    const bytes = sampleBytes(4);
    const id = await start(world);
    const nearlyIdle = async () => {
      await world.clock.advance(world.limits.uploadIdleMs - 1);
      await sweep(world);
    };
    await nearlyIdle();
    await put(world, id, chunkOf("c", bytes, 0, 2));
    await nearlyIdle();
    await touchUpload(world, id);
    await nearlyIdle();
    await expect(finish(world, id)).rejects.toThrow("were not sent");
    await nearlyIdle();
    await put(world, id, chunkOf("c", bytes, 2, 4));
    expect(await inputOf(world, await finish(world, id))).toEqual({ c: [...bytes] });
  });

  it("keeps its data for the job however long the job waits", async () => {
    const world = openWorld();
    const bytes = sampleBytes(4);
    const jobId = await finish(world, await wholeUpload(world, bytes));
    await world.clock.advance(10 * world.limits.uploadIdleMs);
    await sweep(world);
    expect(await inputOf(world, jobId)).toEqual({ c: [...bytes] });
  });

  it("leaves nothing behind once its job is deleted", async () => {
    const world = openWorld();
    const jobId = await finish(world, await wholeUpload(world));
    await deleteJob(world, anyCaller, jobId);
    await sweep(world);
    expect(world.blobs.keys).toEqual([]);
    expect(world.table.rows.map((row) => row.pk)).toEqual([admissionKey(anyCaller.tenant).pk]);
  });

  it("is not found by another tenant", async () => {
    const world = openWorld();
    const id = await wholeUpload(world);
    const unknown = { reason: "upload-unknown" };
    await expect(getUpload(world, stranger, id)).rejects.toMatchObject(unknown);
    await expect(finishUpload(world, stranger, id, () => JOB)).rejects.toMatchObject(unknown);
    await expect(putChunk(world, stranger, id, chunkOf("b", sampleBytes(1), 0, 1), () => null)).rejects.toMatchObject(
      unknown,
    );
  });

  it("is refused beyond as many as may be open at once, and let in again when one was finished or expired", async () => {
    const world = openWorld();
    const ids: string[] = [];
    for (let i = 0; i < 16; i++) ids.push(await wholeUpload(world));
    await expect(start(world)).rejects.toMatchObject({ reason: "too-many-transfers" });
    await expect(start(world)).rejects.toThrow("16 of 16 are open");
    await finish(world, ids[0]!);
    await start(world);
    await expect(start(world)).rejects.toThrow(DomainError);
    await world.clock.advance(world.limits.uploadIdleMs + 1);
    await sweep(world);
    for (let i = 0; i < 16; i++) await start(world);
    await expect(start(world)).rejects.toThrow(DomainError);
  });

  it("is never let in beyond the limit, however many ask at once", async () => {
    const world = openWorld();
    const results = await Promise.allSettled(Array.from({ length: 40 }, () => start(world)));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(16);
  });
});

describe("a chunk", () => {
  const bytes = sampleBytes(10);

  it("that repeats an earlier one with other bytes is refused, and the earlier one stays", async () => {
    const world = openWorld();
    const id = await start(world);
    await put(world, id, chunkOf("c", bytes, 0, 10));
    await expect(put(world, id, chunkOf("c", sampleBytes(10, 2), 0, 10))).rejects.toThrow(
      "ValidationError: array c: elements 0 to 9 overlap an earlier chunk: elements 0 to 9 were sent before with other bytes",
    );
    expect(await inputOf(world, await finish(world, id))).toEqual({ c: [...bytes] });
  });

  it.each([
    ["begins inside an earlier one", 4, 8],
    ["ends inside an earlier one", 0, 4],
    ["lies inside an earlier one", 4, 5],
    ["contains an earlier one", 1, 9],
    ["begins where an earlier one begins and is shorter", 3, 5],
    ["begins where an earlier one begins and is longer", 3, 8],
  ])("that %s is refused", async (_, from, to) => {
    const world = openWorld();
    const id = await start(world);
    await put(world, id, chunkOf("c", bytes, 3, 6));
    const refused = put(world, id, chunkOf("c", bytes, from, to));
    await expect(refused).rejects.toMatchObject({ reason: "invalid-argument" });
    await expect(refused).rejects.toThrow(/array c: elements .* overlap an earlier chunk: elements 3 to 5/);
    expect(world.blobs.keys).toHaveLength(1);
  });

  it.each([
    ["lies beyond the array", { elementOffset: 11 }, "element_offset 11 exceeds the array's 10 elements"],
    ["reaches beyond the array", { elementOffset: 8 }, "chunk out of bounds: elements 8 to 10 of 10"],
    ["starts before the array", { elementOffset: -1 }, "element_offset must be non-negative, found -1"],
    ["has a negative total", { totalElements: -3 }, "total_elements must be non-negative, found -3"],
    ["ends inside an element", { data: new Uint8Array(9) }, "aligned to 8-byte elements, found 9 bytes"],
    ["says another total than the first", { totalElements: 12 }, "total_elements is 12, an earlier one said 10"],
  ])("that %s is refused with the place named", async (_, fault, text) => {
    const world = openWorld();
    const id = await start(world);
    await put(world, id, chunkOf("c", bytes, 0, 1));
    const refused = put(world, id, { ...chunkOf("c", bytes, 3, 6), ...fault });
    await expect(refused).rejects.toMatchObject({ reason: "invalid-argument" });
    await expect(refused).rejects.toThrow(text);
    await expect(refused).rejects.toThrow("array c");
    expect(world.blobs.keys).toHaveLength(1);
  });

  it("may leave the total out once it was told", async () => {
    const world = openWorld();
    const id = await start(world);
    await put(world, id, chunkOf("c", bytes, 0, 5));
    await put(world, id, { ...chunkOf("c", bytes, 5, 10), totalElements: 0 });
    expect(await inputOf(world, await finish(world, id))).toEqual({ c: [...bytes] });
  });

  it("of an array that is larger than allowed is refused before anything is stored", async () => {
    const world = openWorld({ arrayBytes: 64 });
    const id = await start(world);
    await put(world, id, chunkOf("b", sampleBytes(8), 0, 8));
    const refused = put(world, id, chunkOf("c", sampleBytes(9), 0, 1));
    await expect(refused).rejects.toMatchObject({ reason: "too-large" });
    await expect(refused).rejects.toThrow("array c is too large: 9 elements of 8 bytes; at most 64 bytes are allowed");
    expect(world.blobs.keys).toHaveLength(1);
  });

  it("that is altered at rest is never read as if it were whole", async () => {
    const world = openWorld();
    const jobId = await finish(world, await wholeUpload(world));
    const [key] = world.blobs.keys;
    const read = async () => loadArrays(world, (await getJob(world, anyCaller, jobId))!.input);
    for (const how of ["flip", "cut"] as const) {
      world.blobs.damage(key!, how, 5);
      await expect(read()).rejects.toMatchObject({ reason: "stored-object-corrupt" });
      await expect(read()).rejects.toThrow(key!);
    }
  });
});

describe("chunks in any order", () => {
  interface Cut {
    readonly array: string;
    readonly from: number;
    readonly to: number;
  }

  /** Arrays with their bytes, and a way to cut each into chunks. */
  const sending = fc
    .uniqueArray(fc.constantFrom("A_values", "A_offsets", "c", "b"), { minLength: 1, maxLength: 3 })
    .chain((names) =>
      fc.tuple(
        ...names.map((array) =>
          fc.integer({ min: 1, max: 24 }).chain((elements) =>
            fc.record({
              array: fc.constant(array),
              bytes: fc.uint8Array({ minLength: elements * ELEMENT_BYTES, maxLength: elements * ELEMENT_BYTES }),
              cuts: fc.uniqueArray(fc.integer({ min: 1, max: Math.max(1, elements - 1) }), { maxLength: elements }),
            }),
          ),
        ),
      ),
    )
    .map((arrays) => {
      const bytes = new Map<string, Uint8Array>(arrays.map((each) => [each.array, new Uint8Array(each.bytes)]));
      const cuts = arrays.flatMap(({ array, bytes: { byteLength }, cuts }): Cut[] => {
        const elements = byteLength / ELEMENT_BYTES;
        const ends = [...new Set([...cuts.filter((cut) => cut < elements), elements])].sort((a, b) => a - b);
        return ends.map((to, i) => ({ array, from: i === 0 ? 0 : ends[i - 1]!, to }));
      });
      return { bytes, cuts };
    });

  type Sending = typeof sending extends fc.Arbitrary<infer T> ? T : never;

  /** An order in which every chunk comes at least once. */
  const shuffled = ({ cuts }: Sending, repeats: boolean) =>
    fc
      .array(fc.nat(cuts.length - 1), { maxLength: repeats ? cuts.length : 0 })
      .map((again) => [...cuts, ...again.map((i) => cuts[i]!)])
      .chain((all) => fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }));

  const chunkFrom = ({ bytes }: Sending, { array, from, to }: Cut) => chunkOf(array, bytes.get(array)!, from, to);

  const expected = ({ bytes }: Sending) => Object.fromEntries([...bytes].map(([name, each]) => [name, [...each]]));

  it("assemble to the very bytes that were cut, repeats or not, one after another or all at once", async () => {
    const cases = sending.chain((sent) => fc.tuple(fc.constant(sent), shuffled(sent, true), fc.boolean()));
    await fc.assert(
      fc.asyncProperty(cases, async ([sent, order, together]) => {
        const world = openWorld();
        const id = await start(world);
        if (together) await Promise.all(order.map((cut) => put(world, id, chunkFrom(sent, cut))));
        else for (const cut of order) await put(world, id, chunkFrom(sent, cut));
        expect((await getUpload(world, anyCaller, id)).chunksReceived).toBe(sent.cuts.length);
        expect(await inputOf(world, await finish(world, id))).toEqual(expected(sent));
        expect(world.blobs.keys).toHaveLength(sent.cuts.length);
      }),
      { numRuns: 150 },
    );
  });

  it("are refused at the end while one is missing, and accepted once it has come", async () => {
    const cases = sending.chain((sent) => fc.tuple(fc.constant(sent), shuffled(sent, false)));
    await fc.assert(
      fc.asyncProperty(cases, async ([sent, [missing, ...others]]) => {
        const world = openWorld();
        const id = await start(world);
        const { array, from, to } = missing!;
        // Its size alone is told.
        await put(world, id, { ...chunkFrom(sent, missing!), elementOffset: 0, data: new Uint8Array() });
        for (const cut of others) await put(world, id, chunkFrom(sent, cut));
        const total = sent.bytes.get(array)!.byteLength / ELEMENT_BYTES;
        await expect(finish(world, id)).rejects.toThrow(
          `array ${array}: elements ${from} to ${to - 1} of ${total} were not sent`,
        );
        await put(world, id, chunkFrom(sent, missing!));
        expect(await inputOf(world, await finish(world, id))).toEqual(expected(sent));
      }),
      { numRuns: 100 },
    );
  });

  it("keep the first word on every element: a stretch that overlaps otherwise is refused whole", async () => {
    const cases = sending.chain((sent) =>
      fc.tuple(
        fc.constant(sent),
        shuffled(sent, false),
        fc.nat(sent.cuts.length - 1),
        fc.integer({ min: -8, max: 8 }),
        fc.integer({ min: -8, max: 8 }),
        fc.boolean(),
      ),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([sent, order, which, shiftStart, shiftEnd, otherBytes]) => {
        const world = openWorld();
        const id = await start(world);
        for (const cut of order) await put(world, id, chunkFrom(sent, cut));
        const { array, from, to } = sent.cuts[which]!;
        const total = sent.bytes.get(array)!.byteLength / ELEMENT_BYTES;
        const first = Math.min(Math.max(0, from + shiftStart), total - 1);
        const last = Math.min(Math.max(first + 1, to + shiftEnd), total);
        const chunk = chunkFrom(sent, { array, from: first, to: last });
        if (otherBytes) chunk.data[0] = chunk.data[0]! ^ 0xff;
        const isRepeat = sent.cuts.some((cut) => cut.array === array && cut.from === first && cut.to === last);
        if (isRepeat && !otherBytes) await put(world, id, chunk);
        else await expect(put(world, id, chunk)).rejects.toThrow("overlap an earlier chunk");
        expect(await inputOf(world, await finish(world, id))).toEqual(expected(sent));
        expect(world.blobs.keys).toHaveLength(sent.cuts.length);
      }),
      { numRuns: 150 },
    );
  });

  it("that contradict each other at once leave one whole story: accepted ones never overlap", async () => {
    const stretch = fc.record({
      from: fc.nat(7),
      length: fc.integer({ min: 1, max: 4 }),
      seed: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(stretch, { minLength: 2, maxLength: 12 }), async (stretches) => {
        const world = openWorld();
        const id = await start(world);
        const total = 11;
        const chunks = stretches.map(({ from, length, seed }) =>
          chunkOf("c", sampleBytes(total, seed), from, from + length),
        );
        const results = await Promise.allSettled(chunks.map((chunk) => put(world, id, chunk)));
        const owner = new Array<string | undefined>(total).fill(undefined);
        results.forEach((result, i) => {
          if (result.status === "rejected") return;
          const { elementOffset, data } = chunks[i]!;
          const story = `${elementOffset}:${Buffer.from(data).toString("hex")}`;
          for (let e = 0; e < data.byteLength / ELEMENT_BYTES; e++) {
            expect(owner[elementOffset + e] ?? story).toBe(story);
            owner[elementOffset + e] = story;
          }
        });
        const stories = new Set(owner.filter((each) => each !== undefined));
        expect((await getUpload(world, anyCaller, id)).chunksReceived).toBe(stories.size);
        expect(world.blobs.keys).toHaveLength(stories.size);
      }),
      { numRuns: 150 },
    );
  });
});

describe("a download", () => {
  const primal = { name: "0", label: "primal_solution" };
  const solution = Float64Array.of(1, 2, 3, 4, 5);

  async function completedJob(world: World): Promise<string> {
    const id = await submit(world);
    const dual = { name: "1", data: Float64Array.of(-1, -2) };
    const attempt = await claimJob(world, id, "w1");
    await attempt?.complete({ message: "", arrays: [{ name: "0", data: solution }, dual] }, {});
    return id;
  }

  const read = (world: World, id: string, offset = 0, count = 0, array = primal, maxBytes = 1e6) =>
    readDownload(world, anyCaller, id, array, offset, count, maxBytes);
  const doubles = (data: Uint8Array<ArrayBuffer>) => [...new Float64Array(data.buffer, data.byteOffset)];

  it("gives any slice, and all that is left where no count is asked for", async () => {
    const world = openWorld();
    const { id } = await startDownload(world, anyCaller, await completedJob(world));
    expect(doubles((await read(world, id)).data)).toEqual([1, 2, 3, 4, 5]);
    expect(doubles((await read(world, id, 1, 2)).data)).toEqual([2, 3]);
    expect(doubles((await read(world, id, 3, 100)).data)).toEqual([4, 5]);
    expect(doubles((await read(world, id, 1, -1, { name: "1", label: "dual_solution" })).data)).toEqual([-2]);
  });

  it("names what is wrong with a slice", async () => {
    const world = openWorld();
    const { id } = await startDownload(world, anyCaller, await completedJob(world));
    await expect(read(world, id, 5)).rejects.toMatchObject({ reason: "out-of-range" });
    await expect(read(world, id, 5)).rejects.toThrow(
      "array primal_solution: element_offset 5 is outside the array's 5 elements",
    );
    await expect(read(world, id, -1)).rejects.toMatchObject({ reason: "out-of-range" });
    await expect(read(world, id, 0, 0, { name: "12", label: "mip_solution" })).rejects.toThrow("no array mip_solution");
    await expect(read(world, id, 0, 4, primal, 31)).rejects.toMatchObject({ reason: "too-large" });
    expect((await read(world, id, 0, 4, primal, 32)).elements).toBe(4);
  });

  it("survives the deletion of its job, whose data go when it ends", async () => {
    const world = openWorld();
    const jobId = await completedJob(world);
    const { id } = await startDownload(world, anyCaller, jobId);
    await deleteJob(world, anyCaller, jobId);
    await sweep(world);
    expect(await getJob(world, anyCaller, jobId)).toBeUndefined();
    expect(doubles((await read(world, id)).data)).toEqual([...solution]);
    await finishDownload(world, anyCaller, id);
    await world.clock.advance(10_000);
    await sweep(world);
    expect(world.blobs.keys).toEqual([]);
    expect(world.table.rows.map((row) => row.pk)).toEqual([admissionKey(anyCaller.tenant).pk]);
  });

  it("cannot be started for a job that was deleted or has no result", async () => {
    const world = openWorld();
    const unfinished = await submit(world);
    await expect(startDownload(world, anyCaller, unfinished)).rejects.toMatchObject({ reason: "wrong-state" });
    const jobId = await completedJob(world);
    await deleteJob(world, anyCaller, jobId);
    await expect(startDownload(world, anyCaller, jobId)).rejects.toMatchObject({ reason: "job-unknown" });
    expect(await placesTaken(world, "downloads")).toBe(0);
  });

  it("is finished once", async () => {
    const world = openWorld();
    const { id } = await startDownload(world, anyCaller, await completedJob(world));
    await finishDownload(world, anyCaller, id);
    await expect(finishDownload(world, anyCaller, id)).rejects.toMatchObject({ reason: "download-unknown" });
    await expect(read(world, id)).rejects.toMatchObject({ reason: "download-unknown" });
    expect(await placesTaken(world, "downloads")).toBe(0);
  });

  it("is forgotten when nobody read for its idle time, and lives on while somebody does", async () => {
    const world = openWorld();
    const jobId = await completedJob(world);
    const { id } = await startDownload(world, anyCaller, jobId);
    for (let i = 0; i < 3; i++) {
      await world.clock.advance(world.limits.downloadIdleMs - 1);
      await sweep(world);
      await read(world, id);
    }
    await world.clock.advance(world.limits.downloadIdleMs + 1);
    await expect(read(world, id)).rejects.toMatchObject({ reason: "download-unknown" });
    await sweep(world);
    expect(await placesTaken(world, "downloads")).toBe(0);
    expect((await getJob(world, anyCaller, jobId))?.downloads.size).toBe(0);
  });

  it("is refused beyond as many as may be open at once", async () => {
    const world = openWorld();
    const jobId = await completedJob(world);
    const ids: string[] = [];
    for (let i = 0; i < 16; i++) ids.push((await startDownload(world, anyCaller, jobId)).id);
    await expect(startDownload(world, anyCaller, jobId)).rejects.toMatchObject({ reason: "too-many-transfers" });
    await expect(startDownload(world, anyCaller, jobId)).rejects.toThrow("16 of 16 are open");
    await finishDownload(world, anyCaller, ids[7]!);
    await startDownload(world, anyCaller, jobId);
  });

  it("is not found by another tenant", async () => {
    const world = openWorld();
    const jobId = await completedJob(world);
    const { id } = await startDownload(world, anyCaller, jobId);
    await expect(startDownload(world, stranger, jobId)).rejects.toMatchObject({ reason: "job-unknown" });
    await expect(readDownload(world, stranger, id, primal, 0, 0, 1e6)).rejects.toMatchObject({
      reason: "download-unknown",
    });
    await expect(finishDownload(world, stranger, id)).rejects.toMatchObject({ reason: "download-unknown" });
  });
});
