// Rules of sessions: changes never mix, large states survive, other tenants see nothing, unused ones are forgotten.
import { describe, expect, it } from "vitest";
import { changeSession, closeSession, createSession, requireSession } from "./sessions.ts";
import { sweep } from "./sweep.ts";
import { anyCaller, openWorld, type World } from "./testing/world.ts";

const stranger = { tenant: "stranger" };
const large = { text: "x".repeat(200_000) };

async function blobsOf(world: World, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of world.blobs.list(prefix)) keys.push(key);
  return keys;
}

describe("a session", () => {
  it("is found again as it was created and changed", async () => {
    const world = openWorld();
    const { id } = await createSession(world, anyCaller, { paths: ["./configs"] });
    await changeSession(world, anyCaller, id, ({ state }) => ({ state: { ...state, name: "rx" }, value: undefined }));
    expect(await requireSession(world, anyCaller, id)).toMatchObject({
      version: 1,
      state: { paths: ["./configs"], name: "rx" },
    });
  });

  it("is unknown to another tenant, by every call", async () => {
    const world = openWorld();
    const { id } = await createSession(world, anyCaller, {});
    const unknown = { reason: "session-unknown", message: `Session '${id}' not found` };
    await expect(requireSession(world, stranger, id)).rejects.toMatchObject(unknown);
    await expect(changeSession(world, stranger, id, () => ({ state: {}, value: 0 }))).rejects.toMatchObject(unknown);
    await expect(closeSession(world, stranger, id)).rejects.toMatchObject(unknown);
    await expect(requireSession(world, anyCaller, "")).rejects.toMatchObject({ reason: "session-unknown" });
  });

  it("takes changes that come at once one after another", async () => {
    const world = openWorld();
    const { id } = await createSession(world, anyCaller, { count: 0 });
    const add = () =>
      changeSession(world, anyCaller, id, ({ state }) => ({ state: { count: Number(state["count"]) + 1 }, value: 0 }));
    await Promise.all(Array.from({ length: 10 }, add));
    expect((await requireSession(world, anyCaller, id)).state).toEqual({ count: 10 });
  });

  it("may hold more than a row, and leaves no blob of an earlier state", async () => {
    const world = openWorld();
    const { id } = await createSession(world, anyCaller, large);
    expect((await requireSession(world, anyCaller, id)).state).toEqual(large);
    await changeSession(world, anyCaller, id, () => ({ state: { ...large, more: 1 }, value: 0 }));
    expect((await requireSession(world, anyCaller, id)).state).toEqual({ ...large, more: 1 });
    expect(await blobsOf(world, `sessions/${id}/`)).toHaveLength(1);
    await changeSession(world, anyCaller, id, () => ({ state: { small: 1 }, value: 0 }));
    expect((await requireSession(world, anyCaller, id)).state).toEqual({ small: 1 });
    expect(await blobsOf(world, `sessions/${id}/`)).toEqual([]);
  });

  it("is gone with its blobs once it is closed, and cannot be closed twice", async () => {
    const world = openWorld();
    const { id } = await createSession(world, anyCaller, large);
    await closeSession(world, anyCaller, id);
    expect(await blobsOf(world, "sessions/")).toEqual([]);
    await expect(closeSession(world, anyCaller, id)).rejects.toMatchObject({ reason: "session-unknown" });
  });

  it("is forgotten when nobody uses it, and kept as long as somebody does", async () => {
    const world = openWorld({ sessionIdleMs: 1000 });
    const used = await createSession(world, anyCaller, {});
    const unused = await createSession(world, anyCaller, large);
    for (let round = 0; round < 4; round++) {
      await world.clock.advance(400);
      await requireSession(world, anyCaller, used.id);
      await sweep(world);
    }
    await requireSession(world, anyCaller, used.id);
    await expect(requireSession(world, anyCaller, unused.id)).rejects.toMatchObject({ reason: "session-unknown" });
    expect(await blobsOf(world, "sessions/")).toEqual([]);
  });

  it("is refused beyond the tenant's limit, which closing makes room under", async () => {
    const world = openWorld({ sessions: 2 });
    const first = await createSession(world, anyCaller, {});
    await createSession(world, anyCaller, {});
    await expect(createSession(world, anyCaller, {})).rejects.toMatchObject({
      reason: "too-many-sessions",
      message: "Too many sessions: 2 of 2 are open; close one first",
    });
    await createSession(world, stranger, {});
    await closeSession(world, anyCaller, first.id);
    await createSession(world, anyCaller, {});
  });
});
