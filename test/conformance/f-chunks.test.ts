// Group F: what is checked on each chunk, in which order, and that a refusal leaves the upload as it was.
import { Code } from "@connectrpc/connect";
import { expect } from "vitest";
import { overEveryTransport, sharedServer, type Trial } from "./harness.ts";
import { type ChunkInit, chunksOf, fieldIdOf, TINY_LP_OBJECTIVE, tinyLp } from "./models.ts";
import { refused, type Session, UNKNOWN_ID } from "./session.ts";

const server = sharedServer("--upload-limit", "200");

const VALUES = fieldIdOf("A_values");
const doubles = (count: number): Uint8Array => new Uint8Array(8 * count);

/** A fresh upload; after `check` it must still take the whole of a model and make a job of it. */
async function onFreshUpload(
  { connect }: Trial,
  check: (session: Session, uploadId: string) => Promise<void>,
): Promise<void> {
  const session = await connect(server);
  const uploadId = await session.startUpload(tinyLp());
  await check(session, uploadId);
  await session.sendAll(uploadId, chunksOf(tinyLp(), 16));
  const solution = await session.result(await session.completed(await session.finish(uploadId)));
  expect(solution.objective).toBeCloseTo(TINY_LP_OBJECTIVE, 6);
}

const chunk = (init: ChunkInit): ChunkInit => ({ fieldId: VALUES, totalElements: 4n, data: doubles(1), ...init });

overEveryTransport((scenario) => {
  scenario("F1", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      await refused(session.send(uploadId, chunk({ elementOffset: -1n })), Code.InvalidArgument, "non-negative");
    }),
  );

  scenario("F2", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      await refused(session.send(uploadId, chunk({ totalElements: -1n })), Code.InvalidArgument, "non-negative");
    }),
  );

  scenario("F3", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const absurd = chunk({ totalElements: 1n << 60n });
      await refused(session.send(uploadId, absurd), Code.ResourceExhausted, "too large");
    }),
  );

  scenario("F4", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      for (const fieldId of [999, 18, -1]) {
        const text = `Unknown array field_id: ${fieldId}`;
        await refused(session.send(uploadId, chunk({ fieldId })), Code.InvalidArgument, text);
      }
    }),
  );

  scenario("F5", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const seven = chunk({ data: new Uint8Array(7) });
      await refused(session.send(uploadId, seven), Code.InvalidArgument, "aligned");
    }),
  );

  scenario("F6", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const past = chunk({ elementOffset: 100n });
      await refused(session.send(uploadId, past), Code.InvalidArgument, "exceeds");
    }),
  );

  scenario("F7", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const over = chunk({ elementOffset: 3n, data: doubles(2) });
      await refused(session.send(uploadId, over), Code.InvalidArgument, "out of bounds");
    }),
  );

  scenario("F8", async ({ connect }) => {
    const session = await connect(server);
    await refused(session.send(UNKNOWN_ID, chunk({})), Code.NotFound);
  });

  scenario("F9", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const [whole] = chunksOf(tinyLp(), 1024, ["c"]);
      expect(await session.send(uploadId, whole!)).toBe(1);
    }),
  );

  scenario("F10", async ({ connect }) => {
    const session = await connect(server);
    const uploadId = await session.startUpload(tinyLp());
    const more = chunk({ totalElements: (1n << 29n) + 1n });
    await refused(session.send(uploadId, more), Code.ResourceExhausted, "too large");
    expect(await session.send(uploadId, chunk({ totalElements: 1n << 29n }))).toBe(1);
  });

  scenario("F11", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const surplus = chunk({ totalElements: 0n });
      await refused(session.send(uploadId, surplus), Code.InvalidArgument, "out of bounds");
    }),
  );

  scenario("F12", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const none = { data: new Uint8Array(0) };
      expect(await session.send(uploadId, chunk({ ...none, totalElements: 0n }))).toBe(1);
      expect(await session.send(uploadId, chunk({ ...none, elementOffset: 4n }))).toBe(2);
      // Without a chunk at all the request is an empty chunk of the first array.
      expect((await session.rpc.sendArrayChunk({ uploadId })).chunksReceived).toBe(3n);
    }),
  );

  scenario("F13", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const twice = chunk({ fieldId: 999, elementOffset: -1n });
      await refused(session.send(uploadId, twice), Code.InvalidArgument, "Unknown array field_id: 999");
      await refused(session.send(UNKNOWN_ID, twice), Code.NotFound);
      const offsetAndTotal = chunk({ elementOffset: -1n, totalElements: -2n });
      await refused(session.send(uploadId, offsetAndTotal), Code.InvalidArgument, /element_offset .* found -1/);
      const totalAndData = chunk({ totalElements: 1n << 60n, data: new Uint8Array(7) });
      await refused(session.send(uploadId, totalAndData), Code.ResourceExhausted);
    }),
  );

  scenario("F14", (trial) =>
    onFreshUpload(trial, async (session, uploadId) => {
      const bad = [
        chunk({ elementOffset: -1n }),
        chunk({ totalElements: -1n }),
        chunk({ fieldId: 999 }),
        chunk({ data: new Uint8Array(7) }),
        chunk({ elementOffset: 3n, data: doubles(2) }),
      ];
      for (let i = 0; i < 100; i++) await refused(session.send(uploadId, bad[i % bad.length]!), Code.InvalidArgument);
    }),
  );
});
