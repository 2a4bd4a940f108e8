// What every Table promises, as tests that any adapter can run.
import type { Change, Condition, Row, Table, Value } from "@sortie/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

export interface OpenedTable {
  readonly table: Table;
  /** Another way to the same rows: another process or host where the platform has one. */
  readonly other: Table;
}

let keys = 0;
/** Partitions of their own for every test, so that tests can share one table. */
const partition = () => `test#${process.pid}#${(keys++).toString(36)}`;

/** Every row that a query finds, page after page. */
async function everyRow(page: (cursor: string | undefined) => ReturnType<Table["query"]>): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const found = await page(cursor);
    rows.push(...found.rows);
    cursor = found.cursor;
  } while (cursor !== undefined);
  return rows;
}

const sortKeys = (rows: readonly Row[]) => rows.map(({ sk }) => sk);

/**
 * @param open opens a table for the whole suite; it may hold rows of other tests
 */
export function describeTable(name: string, open: () => Promise<OpenedTable>): void {
  describe(`Table: ${name}`, () => {
    let table: Table;
    let other: Table;
    beforeAll(async () => {
      ({ table, other } = await open());
    });
    afterAll(async () => {
      await table[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    });

    const newRow = async (change: Change) => {
      const key = { pk: partition(), sk: "row" };
      await table.write(key, change, []);
      return key;
    };

    describe("values", () => {
      it("finds nothing where nothing was written", async () => {
        expect(await table.get({ pk: partition(), sk: "row" })).toBeUndefined();
      });

      it("returns what was written, to the writer and to everybody after it", async () => {
        const attributes = {
          text: "käse 🧀 \u0000 \n",
          yes: true,
          nothing: null,
          list: [1, "a", [null]],
          map: { a: { b: [] } },
        };
        const key = { pk: partition(), sk: "row" };
        const result = await table.write(key, { set: attributes, addToSet: { tags: ["b", "a"] } }, []);
        const expected = { ...key, attributes, sets: { tags: new Set(["a", "b"]) }, index: {} };
        expect(result.ok && result.row).toMatchObject(expected);
        expect(await table.get(key)).toEqual(result.row);
        expect(await other.get(key)).toEqual(result.row);
      });

      it("returns every number exactly", async () => {
        const numbers = [
          0,
          -1,
          0.1,
          1 / 3,
          2 ** 53 - 1,
          -(2 ** 53 - 1),
          1e-100,
          1.7976931348623157e100,
          123456789.12345679,
        ];
        const key = await newRow({ set: { numbers } });
        expect((await table.get(key))?.attributes["numbers"]).toEqual(numbers);
      });

      it("holds 300 kB in one row", async () => {
        const text = "sortie ".repeat(43_000);
        const key = await newRow({ set: { text, n: 1 } });
        const after = await table.write(key, { increment: { n: 1 } }, []);
        expect(after.row?.attributes["text"]).toBe(text);
        expect((await other.get(key))?.attributes).toEqual({ text, n: 2 });
      });

      it.each([Number.NaN, Number.POSITIVE_INFINITY])(
        "refuses %s, which a table cannot hold, and writes nothing",
        async (bad) => {
          const key = { pk: partition(), sk: "row" };
          await expect(table.write(key, { set: { a: { deep: [bad] } } }, [])).rejects.toThrow(/attribute a\.deep\.0/);
          expect(await table.get(key)).toBeUndefined();
        },
      );

      it("gives every reader a row of its own", async () => {
        const key = await newRow({ set: { list: [1] }, addToSet: { s: ["a"] } });
        const mine = await table.get(key);
        (mine!.attributes["list"] as Value[]).push(2);
        (mine!.sets["s"] as Set<string>).add("b");
        const theirs = await table.get(key);
        expect(theirs?.attributes["list"]).toEqual([1]);
        expect(theirs?.sets["s"]).toEqual(new Set(["a"]));
      });
    });

    describe("changes", () => {
      it("sets and removes attributes and leaves the others alone", async () => {
        const key = await newRow({ set: { a: 1, b: 2, c: 3 } });
        await table.write(key, { set: { a: "new" }, unset: ["b", "never-there"] }, []);
        expect((await table.get(key))?.attributes).toEqual({ a: "new", c: 3 });
      });

      it("increments a number, and counts an absent one as zero", async () => {
        const key = await newRow({ set: { a: 1.5 } });
        const result = await table.write(key, { increment: { a: 2, b: -3 } }, []);
        expect(result.row?.attributes).toEqual({ a: 3.5, b: -3 });
      });

      it("loses no increment among racing writers", async () => {
        const key = await newRow({ set: { n: 0 } });
        await Promise.all(
          Array.from({ length: 40 }, (_, i) => (i % 2 ? table : other).write(key, { increment: { n: 1 } }, [])),
        );
        expect((await table.get(key))?.attributes["n"]).toBe(40);
      });

      it("refuses to increment what is not a number, and writes nothing of that change", async () => {
        const key = await newRow({ set: { a: "text" } });
        await expect(table.write(key, { set: { b: 1 }, increment: { a: 1 } }, [])).rejects.toThrow(/a is not a number/);
        expect((await table.get(key))?.attributes).toEqual({ a: "text" });
      });

      it("adds members to a set once, removes them, and an empty set is absent", async () => {
        const key = await newRow({ addToSet: { s: ["a", "b"] } });
        const grown = await table.write(key, { addToSet: { s: ["b", "c"] } }, []);
        expect(grown.row?.sets).toEqual({ s: new Set(["a", "b", "c"]) });
        const shrunk = await table.write(key, { removeFromSet: { s: ["a", "b", "never-there"] } }, []);
        expect(shrunk.row?.sets).toEqual({ s: new Set(["c"]) });
        const gone = await table.write(key, { removeFromSet: { s: ["c"] } }, []);
        expect(gone.row?.sets).toEqual({});
        expect((await table.get(key))?.sets).toEqual({});
      });

      it("refuses to change one attribute in two ways at once", async () => {
        const key = { pk: partition(), sk: "row" };
        await expect(table.write(key, { set: { a: 1 }, unset: ["a"] }, [])).rejects.toThrow(TypeError);
        await expect(table.write(key, { addToSet: { s: ["a"] }, removeFromSet: { s: ["b"] } }, [])).rejects.toThrow(
          TypeError,
        );
        expect(await table.get(key)).toBeUndefined();
      });

      it("refuses an empty key", async () => {
        await expect(table.write({ pk: partition(), sk: "" }, {}, [])).rejects.toThrow(/sk/);
        await expect(table.get({ pk: "", sk: "row" })).rejects.toThrow(/pk/);
      });

      it("creates a row by any change, even an empty one", async () => {
        const key = { pk: partition(), sk: "row" };
        await table.write(key, {}, []);
        expect(await table.get(key)).toMatchObject({ attributes: {}, sets: {} });
      });

      it("raises the revision with every write", async () => {
        const key = { pk: partition(), sk: "row" };
        const first = await table.write(key, { set: { a: 1 } }, []);
        const second = await table.write(key, { set: { a: 1 } }, []);
        expect(second.row!.revision).toBeGreaterThan(first.row!.revision);
      });

      it("writes many independent rows", async () => {
        const pk = partition();
        const writes = Array.from({ length: 120 }, (_, i) => ({
          key: { pk, sk: String(i).padStart(4, "0") },
          change: { set: { i } },
        }));
        await table.writeAll(writes);
        const rows = await everyRow((cursor) => other.query(pk, { cursor }));
        expect(rows.map((row) => row.attributes["i"])).toEqual(writes.map((_, i) => i));
      });
    });

    describe("conditions", () => {
      const row: Change = {
        set: { n: 5, t: "m", yes: true, zero: 0, empty: "", nothing: null },
        addToSet: { s: ["a", "b"] },
      };
      const holding: readonly Condition[] = [
        { kind: "row-exists" },
        { kind: "absent", name: "missing" },
        { kind: "equals", name: "n", value: 5 },
        { kind: "equals", name: "t", value: "m" },
        { kind: "equals", name: "yes", value: true },
        { kind: "equals", name: "zero", value: 0 },
        { kind: "equals", name: "empty", value: "" },
        { kind: "one-of", name: "t", values: ["x", "m"] },
        { kind: "one-of", name: "n", values: ["5", 5] },
        { kind: "less-than", name: "n", value: 5.5 },
        { kind: "less-than", name: "t", value: "n" },
        { kind: "less-than", name: "t", value: "ma" },
        { kind: "less-than", name: "empty", value: "a" },
        { kind: "set-smaller-than", name: "s", size: 3 },
        { kind: "set-smaller-than", name: "missing", size: 1 },
        { kind: "set-contains", name: "s", member: "a" },
        { kind: "set-lacks", name: "s", member: "c" },
        { kind: "set-lacks", name: "missing", member: "a" },
      ];
      const failing: readonly Condition[] = [
        { kind: "row-absent" },
        { kind: "absent", name: "n" },
        { kind: "absent", name: "nothing" },
        { kind: "equals", name: "n", value: 6 },
        { kind: "equals", name: "n", value: "5" },
        { kind: "equals", name: "missing", value: 0 },
        { kind: "equals", name: "yes", value: "true" },
        { kind: "one-of", name: "t", values: ["x"] },
        { kind: "one-of", name: "t", values: [] },
        { kind: "one-of", name: "missing", values: ["x"] },
        { kind: "less-than", name: "n", value: 5 },
        { kind: "less-than", name: "n", value: "9" },
        { kind: "less-than", name: "t", value: "m" },
        { kind: "less-than", name: "t", value: "M" },
        { kind: "less-than", name: "t", value: 9 },
        { kind: "less-than", name: "missing", value: 1 },
        { kind: "less-than", name: "nothing", value: 1 },
        { kind: "set-smaller-than", name: "s", size: 2 },
        { kind: "set-smaller-than", name: "missing", size: 0 },
        { kind: "set-contains", name: "s", member: "c" },
        { kind: "set-contains", name: "missing", member: "a" },
        { kind: "set-lacks", name: "s", member: "b" },
      ];

      it.each(holding.map((condition) => [JSON.stringify(condition), condition] as const))(
        "%s holds, and the write is done",
        async (_, condition) => {
          const key = await newRow(row);
          const result = await table.write(key, { set: { written: 1 } }, [condition]);
          expect(result.ok).toBe(true);
          expect((await table.get(key))?.attributes["written"]).toBe(1);
        },
      );

      it.each(failing.map((condition) => [JSON.stringify(condition), condition] as const))(
        "%s does not hold, and the answer is the row unchanged",
        async (_, condition) => {
          const key = await newRow(row);
          const before = await table.get(key);
          const result = await table.write(key, { set: { written: 1 }, addToSet: { s: ["z"] } }, [condition]);
          expect(result).toEqual({ ok: false, row: before });
          expect(await table.get(key)).toEqual(before);
        },
      );

      it("a row that does not exist has no attributes and no members", async () => {
        for (const condition of [
          { kind: "row-absent" },
          { kind: "absent", name: "a" },
          { kind: "set-smaller-than", name: "s", size: 1 },
          { kind: "set-lacks", name: "s", member: "a" },
        ] as const) {
          expect((await table.write({ pk: partition(), sk: "row" }, {}, [condition])).ok).toBe(true);
        }
        for (const condition of [
          { kind: "row-exists" },
          { kind: "equals", name: "a", value: 0 },
          { kind: "less-than", name: "a", value: 1 },
          { kind: "set-contains", name: "s", member: "a" },
        ] as const) {
          const key = { pk: partition(), sk: "row" };
          expect(await table.write(key, {}, [condition])).toEqual({ ok: false, row: undefined });
          expect(await table.get(key)).toBeUndefined();
        }
      });

      it("one condition that does not hold is enough", async () => {
        const key = await newRow(row);
        const result = await table.write(key, { set: { written: 1 } }, [holding[0]!, failing[0]!, holding[1]!]);
        expect(result.ok).toBe(false);
      });

      it("exactly one of 50 racing writers creates a row", async () => {
        const key = { pk: partition(), sk: "row" };
        const results = await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            (i % 2 ? table : other).write(key, { set: { winner: i } }, [{ kind: "row-absent" }]),
          ),
        );
        const winner = results.findIndex(({ ok }) => ok);
        expect(results.filter(({ ok }) => ok)).toHaveLength(1);
        for (const { row: seen } of results) expect(seen?.attributes["winner"]).toBe(winner);
      });

      it("exactly one of 50 racing writers moves a row on", async () => {
        const key = await newRow({ set: { state: "queued", attempt: 0 } });
        const results = await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            (i % 2 ? table : other).write(key, { set: { state: "processing" }, increment: { attempt: 1 } }, [
              { kind: "equals", name: "state", value: "queued" },
            ]),
          ),
        );
        expect(results.filter(({ ok }) => ok)).toHaveLength(1);
        expect((await table.get(key))?.attributes).toEqual({ state: "processing", attempt: 1 });
      });

      it("a set never grows beyond its admission, however many race", async () => {
        const key = { pk: partition(), sk: "admission" };
        const results = await Promise.all(
          Array.from({ length: 60 }, (_, i) =>
            (i % 2 ? table : other).write(key, { addToSet: { live: [`job-${i}`] } }, [
              { kind: "set-smaller-than", name: "live", size: 7 },
              { kind: "set-lacks", name: "live", member: `job-${i}` },
            ]),
          ),
        );
        expect(results.filter(({ ok }) => ok)).toHaveLength(7);
        expect((await table.get(key))?.sets["live"]?.size).toBe(7);
      });

      it("a write that fails beside others undoes none of them", async () => {
        const pk = partition();
        // Writes that come at once may be done in any order.
        await table.write({ pk, sk: "3" }, { set: { a: "text" } }, []);
        const results = await Promise.allSettled([
          table.write({ pk, sk: "1" }, { set: { a: 1 } }, []),
          table.write({ pk, sk: "2" }, { set: { a: 1 } }, [{ kind: "row-exists" }]),
          table.write({ pk, sk: "3" }, { set: { b: 1 } }, []),
          table.write({ pk, sk: "3" }, { increment: { a: 1 } }, []),
          table.write({ pk, sk: "4" }, { set: { a: 1 } }, []),
        ]);
        expect(results.map(({ status }) => status)).toEqual([
          "fulfilled",
          "fulfilled",
          "fulfilled",
          "rejected",
          "fulfilled",
        ]);
        expect(sortKeys((await table.query(pk, {})).rows)).toEqual(["1", "3", "4"]);
      });
    });

    describe("deletion", () => {
      it("deletes a row for good", async () => {
        const key = await newRow({ set: { a: 1 }, index: { list: { pk: partition(), sk: "1" } } });
        expect(await table.delete(key, [{ kind: "equals", name: "a", value: 1 }])).toBe(true);
        expect(await table.get(key)).toBeUndefined();
      });

      it("does not delete when a condition does not hold", async () => {
        const key = await newRow({ set: { a: 1 } });
        expect(await table.delete(key, [{ kind: "equals", name: "a", value: 2 }])).toBe(false);
        expect(await table.get(key)).toBeDefined();
      });

      it("deleting a row that is not there is harmless", async () => {
        expect(await table.delete({ pk: partition(), sk: "row" }, [])).toBe(true);
        expect(await table.delete({ pk: partition(), sk: "row" }, [{ kind: "row-exists" }])).toBe(false);
      });

      it("deletes a range by prefix and nothing beside it", async () => {
        const [pk, neighbour] = [partition(), partition()];
        const names = ["a", "log", "log#1", "log#2", "log#\u{10FFFF}", "lof#1", "loh", "z"];
        await table.writeAll([pk, neighbour].flatMap((p) => names.map((sk) => ({ key: { pk: p, sk }, change: {} }))));
        await table.deleteRange(pk, "log#");
        expect(sortKeys((await table.query(pk, {})).rows)).toEqual(["a", "lof#1", "log", "loh", "z"]);
        await table.deleteRange(pk, "log#");
        await table.deleteRange(pk, "");
        expect((await table.query(pk, {})).rows).toEqual([]);
        expect((await table.query(neighbour, {})).rows).toHaveLength(names.length);
      });

      it("deletes ranges of thousands of rows", async () => {
        const pk = partition();
        await table.writeAll(Array.from({ length: 2500 }, (_, i) => ({ key: { pk, sk: `entry#${i}` }, change: {} })));
        await table.deleteRange(pk, "entry#");
        expect((await table.query(pk, {})).rows).toEqual([]);
      });
    });

    describe("queries", () => {
      const names = ["", "0", "10", "9", "A", "Z", "a", "a#1", "a#2", "ab", "b", "z", "ß", "é", "中"].slice(1);

      it("orders sort keys by their code, not by a language", async () => {
        const pk = partition();
        await table.writeAll([...names].reverse().map((sk) => ({ key: { pk, sk }, change: {} })));
        expect(sortKeys((await table.query(pk, {})).rows)).toEqual([...names].sort());
        expect(sortKeys((await table.query(pk, { descending: true })).rows)).toEqual([...names].sort().reverse());
      });

      it("keeps to prefix, from and before", async () => {
        const pk = partition();
        await table.writeAll(names.map((sk) => ({ key: { pk, sk }, change: {} })));
        const find = async (range: Parameters<Table["query"]>[1]) => sortKeys((await table.query(pk, range)).rows);
        expect(await find({ prefix: "a" })).toEqual(["a", "a#1", "a#2", "ab"]);
        expect(await find({ prefix: "a#" })).toEqual(["a#1", "a#2"]);
        expect(await find({ from: "a#2", before: "b" })).toEqual(["a#2", "ab"]);
        expect(await find({ prefix: "a", from: "a#2" })).toEqual(["a#2", "ab"]);
        expect(await find({ prefix: "a", before: "a#2", descending: true })).toEqual(["a#1", "a"]);
        expect(await find({ prefix: "nothing" })).toEqual([]);
        expect(await find({ from: "z", before: "a" })).toEqual([]);
      });

      it.each([false, true])("pages meet every row once (descending: %s)", async (descending) => {
        const pk = partition();
        const all = Array.from({ length: 25 }, (_, i) => `row#${String(i).padStart(3, "0")}`);
        await table.writeAll([...all, "other"].map((sk) => ({ key: { pk, sk }, change: {} })));
        for (const limit of [1, 4, 25, 26]) {
          const rows = await everyRow((cursor) => table.query(pk, { prefix: "row#", limit, descending, cursor }));
          expect(sortKeys(rows)).toEqual(descending ? [...all].reverse() : all);
        }
      });

      it("a page holds no more rows than its limit, 100 by default", async () => {
        const pk = partition();
        await table.writeAll(Array.from({ length: 130 }, (_, i) => ({ key: { pk, sk: `${i}` }, change: {} })));
        const page = await table.query(pk, {});
        expect(page.rows.length).toBeLessThanOrEqual(100);
        expect(page.cursor).toBeDefined();
        expect((await table.query(pk, { limit: 3 })).rows).toHaveLength(3);
      });

      it("pages of large rows come in pieces and are complete", async () => {
        const pk = partition();
        const text = "x".repeat(300_000);
        for (let i = 0; i < 20; i += 1)
          await table.write({ pk, sk: String.fromCharCode(97 + i) }, { set: { text, i } }, []);
        const rows = await everyRow((cursor) => table.query(pk, { cursor }));
        expect(rows.map((row) => row.attributes["i"])).toEqual(Array.from({ length: 20 }, (_, i) => i));
      });

      it("rows written between two pages disturb neither", async () => {
        const pk = partition();
        await table.writeAll(["b", "d", "f"].map((sk) => ({ key: { pk, sk }, change: {} })));
        const first = await table.query(pk, { limit: 2 });
        await table.writeAll(["a", "c", "e"].map((sk) => ({ key: { pk, sk }, change: {} })));
        const second = await everyRow((cursor) => table.query(pk, { limit: 2, cursor: cursor ?? first.cursor }));
        expect([...sortKeys(first.rows), ...sortKeys(second)]).toEqual(["b", "d", "e", "f"]);
      });
    });

    // Index queries may lag on some platforms, so these tests wait for what they expect.
    describe.each(["list", "due"] as const)("the sparse index %s", (index) => {
      const find = (pk: string, range: Parameters<Table["query"]>[1]) =>
        everyRow((cursor) => table.queryIndex(index, pk, { ...range, cursor }));
      const eventually = (pk: string, expected: readonly string[], range: Parameters<Table["query"]>[1] = {}) =>
        expect
          .poll(async () => (await find(pk, range)).map((row) => row.index[index]!.sk), {
            timeout: 10_000,
            interval: 20,
          })
          .toEqual(expected);

      it("finds rows of many partitions in the order of their index keys", async () => {
        const shard = partition();
        const times = ["2026-03", "2026-01", "2026-02", "2025-12"];
        for (const sk of times) await newRow({ index: { [index]: { pk: shard, sk } } });
        await newRow({ index: { [index]: { pk: `${shard}#other`, sk: "2026-01" } } });
        await newRow({});
        await eventually(shard, [...times].sort());
        await eventually(shard, [...times].sort().reverse(), { descending: true });
        await eventually(shard, ["2025-12", "2026-01"], { before: "2026-02" });
        await eventually(shard, ["2026-02", "2026-03"], { from: "2026-02" });
        await eventually(shard, ["2025-12"], { prefix: "2025" });
      });

      it("a row moves, stays where it is, and leaves the index", async () => {
        const shard = partition();
        const key = await newRow({ set: { a: 1 }, index: { [index]: { pk: shard, sk: "1" } } });
        await table.write(key, { set: { a: 2 } }, []);
        await eventually(shard, ["1"]);
        expect((await table.get(key))?.index).toEqual({ [index]: { pk: shard, sk: "1" } });
        await table.write(key, { index: { [index]: { pk: shard, sk: "2" } } }, []);
        await eventually(shard, ["2"]);
        await table.write(key, { index: { [index]: null } }, []);
        await eventually(shard, []);
        expect((await table.get(key))?.index).toEqual({});
      });

      it("a deleted row is found no more", async () => {
        const shard = partition();
        const key = await newRow({ index: { [index]: { pk: shard, sk: "1" } } });
        await eventually(shard, ["1"]);
        await table.delete(key, []);
        await eventually(shard, []);
      });

      it.each([false, true])("pages meet rows with equal index keys once each (descending: %s)", async (descending) => {
        const shard = partition();
        const made = new Set<string>();
        for (let i = 0; i < 9; i += 1)
          made.add((await newRow({ index: { [index]: { pk: shard, sk: `t${i % 2}` } } })).pk);
        await eventually(shard, [..."111100000"].map((digit) => `t${digit}`).sort());
        for (const limit of [1, 2, 4]) {
          const rows = await find(shard, { limit, descending });
          expect(rows).toHaveLength(9);
          expect(new Set(rows.map(({ pk }) => pk))).toEqual(made);
        }
      });
    });

    describe("waiting for a change", () => {
      const LONG = 50_000;

      it("returns at once when the row has already changed", async () => {
        const key = await newRow({ set: { a: 1 } });
        const old = (await table.get(key))!.revision;
        await table.write(key, { set: { a: 2 } }, []);
        expect((await table.waitForChange(key, old, LONG))?.attributes).toEqual({ a: 2 });
        expect((await table.waitForChange(key, undefined, LONG))?.attributes).toEqual({ a: 2 });
      });

      it.each(["the same host", "another host"])("wakes when the row is written from %s", async (from) => {
        const key = await newRow({ set: { a: 1 } });
        const { revision } = (await table.get(key))!;
        const waits = Array.from({ length: 5 }, () => table.waitForChange(key, revision, LONG));
        await table.get(key);
        await (from === "another host" ? other : table).write(key, { set: { a: 2 } }, []);
        for (const row of await Promise.all(waits)) expect(row?.attributes).toEqual({ a: 2 });
      });

      it("wakes when the row appears and when it goes", async () => {
        const key = { pk: partition(), sk: "row" };
        const appears = table.waitForChange(key, undefined, LONG);
        await table.get(key);
        await other.write(key, { set: { a: 1 } }, []);
        const row = await appears;
        expect(row?.attributes).toEqual({ a: 1 });
        const goes = table.waitForChange(key, row!.revision, LONG);
        await table.get(key);
        await other.deleteRange(key.pk, "");
        expect(await goes).toBeUndefined();
      });

      it("a row that was deleted and made again has changed", async () => {
        const key = await newRow({ set: { a: 1 } });
        const { revision } = (await table.get(key))!;
        await table.delete(key, []);
        await table.write(key, { set: { a: 1 } }, []);
        expect((await table.waitForChange(key, revision, LONG))?.revision).not.toBe(revision);
      });

      it("sleeps through writes of other rows and returns the unchanged row in the end", async () => {
        const key = await newRow({ set: { a: 1 } });
        const before = await table.get(key);
        const wait = table.waitForChange(key, before!.revision, 150);
        await other.write({ pk: key.pk, sk: "beside" }, {}, []);
        expect(await wait).toEqual(before);
        expect(await table.waitForChange(key, before!.revision, 0)).toEqual(before);
      });

      it("misses nothing when a follower goes from change to change", async () => {
        const key = await newRow({ set: { n: 0 } });
        const last = 60;
        const follow = async () => {
          let row = await table.get(key);
          let seen = 0;
          while ((row!.attributes["n"] as number) < last) {
            const next = await table.waitForChange(key, row!.revision, LONG);
            expect(next!.revision).toBeGreaterThan(row!.revision);
            row = next;
            seen += 1;
          }
          return seen;
        };
        const followers = [follow(), follow(), follow()];
        for (let i = 0; i < last; i += 1) await (i % 3 ? other : table).write(key, { increment: { n: 1 } }, []);
        for (const seen of await Promise.all(followers)) expect(seen).toBeGreaterThan(0);
      });

      it("an aborted wait rejects with the signal's reason", async () => {
        const key = await newRow({});
        const { revision } = (await table.get(key))!;
        const abort = new AbortController();
        const wait = table.waitForChange(key, revision, LONG, { signal: abort.signal });
        await table.get(key);
        abort.abort(new Error("client left"));
        await expect(wait).rejects.toThrow("client left");
      });
    });

    it("every call rejects with the reason of a signal that is aborted already, and does nothing", async () => {
      const key = await newRow({ set: { a: 1 } });
      const before = await table.get(key);
      const options = { signal: AbortSignal.abort(new Error("too late")) };
      for (const call of [
        table.get(key, options),
        table.write(key, { set: { a: 2 } }, [], options),
        table.writeAll([{ key, change: { set: { a: 2 } } }], options),
        table.delete(key, [], options),
        table.deleteRange(key.pk, "", options),
        table.query(key.pk, {}, options),
        table.queryIndex("list", key.pk, {}, options),
        table.waitForChange(key, undefined, 1000, options),
      ]) {
        await expect(call).rejects.toThrow("too late");
      }
      expect(await table.get(key)).toEqual(before);
    });
  });
}
