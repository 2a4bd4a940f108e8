// Rules of the SQLite table when things go wrong; what goes right is in the contract suite.
import { getEventListeners } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate, SCHEMA_VERSION } from "./sqlite-schema.ts";
import { SqliteTable } from "./sqlite-table.ts";

const key = { pk: "p", sk: "row" };
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sortie-table-"));
  file = join(folder, "sortie.sqlite");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("SqliteTable", () => {
  it("keeps its rows from one opening to the next", async () => {
    {
      await using table = await SqliteTable.open({ file });
      await table.write(key, { set: { a: 1 } }, []);
    }
    await using table = await SqliteTable.open({ file, durability: "power" });
    expect((await table.get(key))?.attributes).toEqual({ a: 1 });
  });

  it("answers what was asked before it is closed, and refuses what is asked later", async () => {
    const table = await SqliteTable.open({ file });
    const asked = Array.from({ length: 600 }, (_, i) => table.write(key, { set: { i } }, []));
    const wait = table.waitForChange(key, undefined, 60_000);
    await table[Symbol.asyncDispose]();
    expect((await Promise.all(asked)).every(({ ok }) => ok)).toBe(true);
    await Promise.allSettled([wait]);
    await expect(table.get(key)).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringContaining(file),
    });
    await table[Symbol.asyncDispose]();
  });

  it("ends every wait when it is closed", async () => {
    const table = await SqliteTable.open({ file });
    const waits = ["a", "b"].map((sk) => table.waitForChange({ pk: "p", sk }, undefined, 60_000));
    const settled = Promise.allSettled(waits);
    await table.get(key);
    await table[Symbol.asyncDispose]();
    for (const wait of await settled)
      expect(wait).toMatchObject({ status: "rejected", reason: { reason: "unavailable" } });
  });

  it("a thread that dies rejects every pending call and every later one", async () => {
    const threads: Worker[] = [];
    const note = (thread: Worker) => threads.push(thread);
    process.on("worker", note);
    const table = await SqliteTable.open({ file });
    process.off("worker", note);
    const wait = table.waitForChange(key, undefined, 60_000);
    await table.get(key);
    const pending = Promise.allSettled([wait, table.write(key, {}, []), table.backup(join(folder, "copy"))]);
    await threads[0]!.terminate();
    for (const call of await pending) {
      expect(call).toMatchObject({
        status: "rejected",
        reason: { reason: "unavailable", message: expect.stringContaining(file) },
      });
    }
    await expect(table.get(key)).rejects.toMatchObject({ reason: "unavailable" });
    await table[Symbol.asyncDispose]();
  });

  it("an aborted call that was not sent yet does not happen", async () => {
    await using table = await SqliteTable.open({ file });
    const abort = new AbortController();
    const write = table.write(key, { set: { a: 1 } }, [], { signal: abort.signal });
    abort.abort(new Error("client left"));
    await expect(write).rejects.toThrow("client left");
    expect(await table.get(key)).toBeUndefined();
  });

  it("leaves no listener on a signal", async () => {
    await using table = await SqliteTable.open({ file });
    const abort = new AbortController();
    const { signal } = abort;
    await table.waitForChange(key, undefined, 5, { signal });
    await table.write(key, {}, [], { signal });
    await table.waitForChange(key, undefined, 1000, { signal });
    const { revision } = (await table.get(key, { signal }))!;
    const wait = table.waitForChange(key, revision, 60_000, { signal });
    await table.get(key);
    abort.abort(new Error("client left"));
    await expect(wait).rejects.toThrow("client left");
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("refuses a file that is not a database, and names it", async () => {
    await writeFile(file, "this is not a database, it only lies where one should be\n".repeat(100));
    await expect(SqliteTable.open({ file })).rejects.toMatchObject({
      reason: "stored-object-corrupt",
      message: expect.stringContaining(file),
    });
  });

  it("refuses a folder that does not exist, and names the file", async () => {
    const missing = join(folder, "missing", "sortie.sqlite");
    await expect(SqliteTable.open({ file: missing })).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringContaining(missing),
    });
  });

  it("says that pages of the database are damaged", async () => {
    {
      await using table = await SqliteTable.open({ file });
      const text = "x".repeat(3000);
      await table.writeAll(
        Array.from({ length: 200 }, (_, i) => ({ key: { pk: "p", sk: `${i}` }, change: { set: { text } } })),
      );
    }
    const bytes = await readFile(file);
    bytes.fill(0xee, 4096 * 4);
    await writeFile(file, bytes);
    await using table = await SqliteTable.open({ file });
    await expect(table.query("p", {})).rejects.toMatchObject({
      reason: "stored-object-corrupt",
      message: expect.stringContaining(file),
    });
  });

  it("refuses a database of a newer version", async () => {
    const database = new DatabaseSync(file);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    database.close();
    await expect(SqliteTable.open({ file })).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringMatching(new RegExp(`version ${SCHEMA_VERSION + 1} .* up to ${SCHEMA_VERSION}`)),
    });
  });

  it("reads while another process holds the database for writing, and says who is in the way of a write", async () => {
    await using table = await SqliteTable.open({ file, busyTimeoutMs: 50 });
    await table.write(key, { set: { a: 1 } }, []);
    const holder = new DatabaseSync(file);
    holder.exec("BEGIN IMMEDIATE");
    const results = await Promise.allSettled([
      table.write(key, { set: { a: 2 } }, []),
      table.get(key),
      table.write(key, { set: { a: 3 } }, []),
    ]);
    expect(results).toMatchObject([
      {
        status: "rejected",
        reason: { reason: "unavailable", message: expect.stringMatching(/held by another process/) },
      },
      { status: "fulfilled", value: { attributes: { a: 1 } } },
      { status: "rejected", reason: { reason: "unavailable" } },
    ]);
    holder.exec("ROLLBACK");
    holder.close();
    expect((await table.write(key, { set: { a: 4 } }, [])).ok).toBe(true);
  });

  it("can be copied while it is written to", async () => {
    await using table = await SqliteTable.open({ file });
    await table.writeAll(
      Array.from({ length: 2000 }, (_, i) => ({ key: { pk: "p", sk: `${i}` }, change: { set: { i } } })),
    );
    let copied = false;
    const writes = (async () => {
      for (let n = 0; !copied; n += 1) await table.write(key, { set: { n } }, []);
    })();
    const copy = join(folder, "copy.sqlite");
    await table.backup(copy).finally(() => {
      copied = true;
    });
    await writes;
    await using restored = await SqliteTable.open({ file: copy });
    expect((await restored.query("p", { limit: 3000 })).rows.length).toBeGreaterThanOrEqual(2000);
    await expect(table.backup(join(folder, "missing", "copy.sqlite"))).rejects.toMatchObject({ reason: "unavailable" });
  });

  it("refuses a cursor that it did not make", async () => {
    await using table = await SqliteTable.open({ file });
    await expect(table.query("p", { cursor: "[1]" })).rejects.toThrow(/not a cursor/);
    await expect(table.query("p", { cursor: "garbage" })).rejects.toThrow(/not a cursor/);
  });
});

describe("migrate", () => {
  it("does the missing steps in order, once, and all or none of them", () => {
    const database = new DatabaseSync(":memory:");
    const steps = ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1)", "INSERT INTO a SELECT x + 1 FROM a"];
    migrate(database, steps.slice(0, 2));
    migrate(database, steps);
    migrate(database, steps);
    const values = () =>
      database
        .prepare("SELECT x FROM a ORDER BY x")
        .all()
        .map(({ x }) => x);
    expect(values()).toEqual([1, 2]);
    expect(() => migrate(database, [...steps, "INSERT INTO a VALUES (9)", "nonsense"])).toThrow();
    expect(values()).toEqual([1, 2]);
    database.close();
  });
});
