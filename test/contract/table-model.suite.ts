// Random histories: a table, after any sequence of operations, is what a plain Map would be.
import type { Change, Condition, Page, Table } from "@sortie/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OpenedTable } from "./table.suite.ts";

interface ModelRow {
  readonly attributes: Map<string, string | number>;
  readonly members: Set<string>;
  readonly listed: string | undefined;
}

type Model = Map<string, ModelRow>;

const NAMES = ["a", "b"];
const MEMBERS = ["x", "y", "z"];
const SORT_KEYS = ["k", "k#1", "k#10", "k#2", "l", "é"];

const name = fc.constantFrom(...NAMES);
const member = fc.constantFrom(...MEMBERS);
const sortKey = fc.constantFrom(...SORT_KEYS);
const value = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  // Quarters: sums of them are exact in binary and in decimal arithmetic.
  fc.integer({ min: -1e9, max: 1e9 }).map((n) => n / 4 || 0),
  fc.constantFrom("", "m", "n", "ü"),
);

const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.constantFrom<Condition>({ kind: "row-absent" }, { kind: "row-exists" }),
  fc.record({ kind: fc.constant("absent" as const), name }),
  fc.record({ kind: fc.constant("equals" as const), name, value }),
  fc.record({ kind: fc.constant("one-of" as const), name, values: fc.array(value, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant("less-than" as const), name, value }),
  fc.record({ kind: fc.constant("set-smaller-than" as const), name: fc.constant("s"), size: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom("set-contains" as const, "set-lacks" as const), name: fc.constant("s"), member }),
);

/** What happens to one attribute, at most one thing at a time. */
const fate = fc.oneof(
  fc.record({ set: value }),
  fc.constant("unset" as const),
  fc.record({ increment: fc.integer({ min: -3, max: 3 }) }),
  fc.constant(undefined),
);

const change: fc.Arbitrary<Change> = fc
  .record({
    fates: fc.tuple(fate, fate),
    members: fc.option(fc.record({ add: fc.boolean(), names: fc.uniqueArray(member) }), { nil: undefined }),
    listed: fc.option(fc.oneof(fc.constant(null), fc.constantFrom("1", "2", "3")), { nil: undefined }),
  })
  .map(({ fates, members, listed }) => {
    const set: Record<string, string | number> = {};
    const increment: Record<string, number> = {};
    const unset: string[] = [];
    fates.forEach((what, i) => {
      if (what === undefined) return;
      if (what === "unset") unset.push(NAMES[i]!);
      else if ("set" in what) set[NAMES[i]!] = what.set;
      else increment[NAMES[i]!] = what.increment;
    });
    return {
      set,
      increment,
      unset,
      ...(members && { [members.add ? "addToSet" : "removeFromSet"]: { s: members.names } }),
      ...(listed !== undefined && { index: { list: listed && { pk: "filled in later", sk: listed } } }),
    };
  });

const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("write" as const),
      sortKey,
      change,
      conditions: fc.array(condition, { maxLength: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("delete" as const),
      sortKey,
      conditions: fc.array(condition, { maxLength: 1 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("delete-range" as const), prefix: fc.constantFrom("k", "k#", "k#1", "é") }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("query" as const),
      prefix: fc.constantFrom("", "k", "k#"),
      from: fc.option(sortKey, { nil: undefined }),
      before: fc.option(sortKey, { nil: undefined }),
      descending: fc.boolean(),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

/** Sort keys here have no characters beyond U+FFFF, so their order is that of JavaScript's texts. */
const inOrder = (model: Model) => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

function holds(condition: Condition, row: ModelRow | undefined): boolean {
  const found = "name" in condition ? row?.attributes.get(condition.name) : undefined;
  const members = row?.members ?? new Set();
  return {
    "row-absent": () => !row,
    "row-exists": () => !!row,
    absent: () => found === undefined,
    equals: () => condition.kind === "equals" && found === condition.value,
    "one-of": () => condition.kind === "one-of" && found !== undefined && condition.values.includes(found),
    "less-than": () =>
      condition.kind === "less-than" && typeof found === typeof condition.value && found! < condition.value,
    "set-smaller-than": () => condition.kind === "set-smaller-than" && members.size < condition.size,
    "set-contains": () => condition.kind === "set-contains" && members.has(condition.member),
    "set-lacks": () => condition.kind === "set-lacks" && !members.has(condition.member),
  }[condition.kind]();
}

/** The row after the change; undefined if the change is a mistake (a text cannot be incremented). */
function changed(
  row: ModelRow | undefined,
  { set, unset, increment, addToSet, removeFromSet, index }: Change,
): ModelRow | undefined {
  const attributes = new Map(row?.attributes);
  for (const [key, to] of Object.entries(set ?? {})) attributes.set(key, to as string | number);
  for (const key of unset ?? []) attributes.delete(key);
  for (const [key, by] of Object.entries(increment ?? {})) {
    const from = attributes.get(key) ?? 0;
    if (typeof from !== "number") return undefined;
    attributes.set(key, from + by);
  }
  const members = new Set(row?.members);
  for (const one of addToSet?.["s"] ?? []) members.add(one);
  for (const one of removeFromSet?.["s"] ?? []) members.delete(one);
  const listed = index?.list === undefined ? row?.listed : (index.list?.sk ?? undefined);
  return { attributes, members, listed };
}

async function all(page: (cursor: string | undefined) => Promise<Page>): Promise<Page["rows"]> {
  const rows: Page["rows"][number][] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const found = await page(cursor);
    rows.push(...found.rows);
    cursor = found.cursor;
  }
  return rows;
}

/** @param numRuns how many histories to try; each has up to 40 operations */
export function describeTableModel(tableName: string, open: () => Promise<OpenedTable>, numRuns: number): void {
  describe(`Table: ${tableName}`, () => {
    let table: Table;
    let other: Table;
    beforeAll(async () => {
      ({ table, other } = await open());
    });
    afterAll(async () => {
      await table[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    });

    it("is, after any history, what a plain map would be", async () => {
      let histories = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (history) => {
          histories += 1;
          const pk = `model#${process.pid}#${histories}`;
          const model: Model = new Map();
          const plain = (row: { readonly attributes: object; readonly sets: object } | undefined) =>
            row && { attributes: row.attributes, sets: row.sets };
          const expected = (row: ModelRow | undefined) =>
            row && {
              attributes: Object.fromEntries(row.attributes),
              sets: row.members.size > 0 ? { s: row.members } : {},
            };

          for (const [step, op] of history.entries()) {
            const side = step % 3 === 2 ? other : table;
            if (op.op === "write") {
              const before = model.get(op.sortKey);
              const list = op.change.index?.list;
              const real = list ? { ...op.change, index: { list: { pk, sk: list.sk } } } : op.change;
              const write = side.write({ pk, sk: op.sortKey }, real, op.conditions);
              const ok = op.conditions.every((one) => holds(one, before));
              const after = ok ? changed(before, op.change) : before;
              if (ok && !after) {
                await expect(write).rejects.toThrow(/not a number/);
                continue;
              }
              const result = await write;
              expect(result.ok).toBe(ok);
              expect(plain(result.row)).toEqual(expected(after));
              if (after) model.set(op.sortKey, after);
            } else if (op.op === "delete") {
              const ok = op.conditions.every((one) => holds(one, model.get(op.sortKey)));
              expect(await side.delete({ pk, sk: op.sortKey }, op.conditions)).toBe(ok);
              if (ok) model.delete(op.sortKey);
            } else if (op.op === "delete-range") {
              await side.deleteRange(pk, op.prefix);
              for (const key of [...model.keys()]) if (key.startsWith(op.prefix)) model.delete(key);
            } else {
              const { prefix, from, before, descending, limit } = op;
              const rows = await all((cursor) => side.query(pk, { prefix, from, before, descending, limit, cursor }));
              const found = inOrder(model).filter(
                ([key]) => key.startsWith(prefix) && !(from && key < from) && !(before && key >= before),
              );
              if (descending) found.reverse();
              expect(rows.map((row) => [row.sk, plain(row)])).toEqual(found.map(([key, row]) => [key, expected(row)]));
            }
          }

          const listed = inOrder(model).filter(([, row]) => row.listed !== undefined);
          const pairs = listed.map(([key, row]) => `${row.listed} ${key}`).sort();
          await expect
            .poll(async () => {
              const rows = await all((cursor) => table.queryIndex("list", pk, { limit: 2, cursor }));
              return rows.map((row) => `${row.index.list!.sk} ${row.sk}`).sort();
            })
            .toEqual(pairs);
        }),
        { numRuns },
      );
    });
  });
}
