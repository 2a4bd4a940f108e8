// What goes wrong between the DynamoDB table and DynamoDB: answers lost after success, throttling, batches done in part.
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import * as dynamodb from "@aws-sdk/client-dynamodb";
import type { Table } from "@sortie/core";
import * as aws from "@sortie/platform-aws";
import { beforeAll, describe, expect, it } from "vitest";
import { type TestTable, testTables } from "../aws/dynamo.ts";

const openTestTable = testTables();

/** What happens to one attempt of one request. */
type Fault = (send: () => Promise<unknown>) => Promise<unknown>;

const answerLost: Fault = async (send) => {
  await send();
  throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
};
const refusedAs =
  (name: string, status: number): Fault =>
  async () => {
    const error = new Error(`${name} from arn:aws:dynamodb:us-east-1:123456789012:table/secret`);
    throw Object.assign(error, { name, $fault: "client", $metadata: { httpStatusCode: status } });
  };

describe("the DynamoDB table", () => {
  let test: TestTable;
  let other: Table;
  beforeAll(async () => {
    test = await openTestTable();
    other = new aws.DynamoTable({ table: test.table, client: test.newClient() });
  });

  let keys = 0;
  const newKey = () => ({ pk: `faults#${keys++}`, sk: "row" });

  /** A table whose next attempts of these commands go wrong so. */
  function faulty(command: string, faults: Fault[], client: DynamoDBClient = test.newClient()): Table {
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const fault = commandName === command ? faults.shift() : undefined;
          return fault ? ((await fault(() => next(args))) as never) : next(args);
        },
      { step: "deserialize", priority: "high" },
    );
    return new aws.DynamoTable({ table: test.table, client });
  }

  describe("when an answer is lost after success", () => {
    it("a conditional write recognises itself and answers ok", async () => {
      const key = newKey();
      const table = faulty("UpdateItemCommand", [answerLost, answerLost]);
      const result = await table.write(key, { set: { state: "queued" } }, [{ kind: "row-absent" }]);
      expect(result).toMatchObject({ ok: true, row: { attributes: { state: "queued" } } });
    });

    it("an increment is done once", async () => {
      const key = newKey();
      const table = faulty("UpdateItemCommand", [answerLost, answerLost]);
      const result = await table.write(key, { increment: { attempt: 1 } }, []);
      expect(result).toMatchObject({ ok: true, row: { attributes: { attempt: 1 } } });
      expect((await table.get(key))?.attributes).toEqual({ attempt: 1 });
    });

    it("a write recognises itself behind three others, which are not undone", async () => {
      const key = newKey();
      const table = faulty("UpdateItemCommand", [
        async (send) => {
          await send();
          for (const n of [1, 2, 3]) await other.write(key, { set: { [`later${n}`]: n } }, []);
          return answerLost(async () => undefined);
        },
      ]);
      const result = await table.write(key, { set: { mine: true } }, [{ kind: "row-absent" }]);
      expect(result).toMatchObject({
        ok: true,
        row: { attributes: { mine: true, later1: 1, later2: 2, later3: 3 } },
      });
    });

    it("a write whose condition fails all the same is refused", async () => {
      const key = newKey();
      const table = faulty("UpdateItemCommand", [
        async () => {
          await other.write(key, { set: { winner: "other" } }, []);
          return answerLost(async () => undefined);
        },
      ]);
      const result = await table.write(key, { set: { winner: "mine" } }, [{ kind: "row-absent" }]);
      expect(result).toMatchObject({ ok: false, row: { attributes: { winner: "other" } } });
    });

    it("a conditional deletion answers that the row is gone", async () => {
      const key = newKey();
      await other.write(key, { set: { a: 1 } }, []);
      const table = faulty("DeleteItemCommand", [answerLost]);
      expect(await table.delete(key, [{ kind: "equals", name: "a", value: 1 }])).toBe(true);
    });

    it("entries written many at once are complete, and each is written once", async () => {
      const { pk } = newKey();
      const table = faulty("UpdateItemCommand", [answerLost, answerLost, answerLost]);
      await table.writeAll(
        Array.from({ length: 20 }, (_, i) => ({ key: { pk, sk: `${i}` }, change: { increment: { n: 1 } } })),
      );
      const { rows } = await table.query(pk, {});
      expect(rows.map((row) => row.attributes["n"])).toEqual(Array.from({ length: 20 }, () => 1));
    });
  });

  describe("deletion of a range", () => {
    it("sends again what a batch left over", async () => {
      const { pk } = newKey();
      await other.writeAll(Array.from({ length: 40 }, (_, i) => ({ key: { pk, sk: `${i}` }, change: {} })));
      const leftOver = { pk, sk: "7" };
      const table = faulty("BatchWriteItemCommand", [
        async (send) => {
          const answer = (await send()) as { output: object };
          await other.write(leftOver, {}, []);
          const Key = { pk: { S: leftOver.pk }, sk: { S: leftOver.sk } };
          const UnprocessedItems = { [test.table]: [{ DeleteRequest: { Key } }] };
          return { ...answer, output: { ...answer.output, UnprocessedItems } };
        },
      ]);
      await table.deleteRange(pk, "");
      expect((await table.query(pk, {})).rows).toEqual([]);
    });
  });

  it("takes the row that a failed condition tells, and reads it only where the platform tells none", async () => {
    const key = newKey();
    const table = faulty("UpdateItemCommand", [
      async () => {
        const Item = { pk: { S: key.pk }, sk: { S: key.sk }, revision: { N: "5" }, "a#state": { S: "cancelled" } };
        throw new dynamodb.ConditionalCheckFailedException({ message: "failed", $metadata: {}, Item });
      },
    ]);
    const conditions = [{ kind: "equals", name: "state", value: "queued" }] as const;
    const told = await table.write(key, { set: { state: "processing" } }, conditions);
    expect(told).toMatchObject({ ok: false, row: { revision: 5, attributes: { state: "cancelled" } } });
    expect(await table.write(key, { set: { state: "processing" } }, conditions)).toEqual({ ok: false, row: undefined });
  });

  describe("faults in a person's words", () => {
    it.each([
      ["ProvisionedThroughputExceededException", 400, /throttling/],
      ["AccessDeniedException", 400, /not allowed/],
      ["ResourceNotFoundException", 400, /does not exist/],
      ["InternalServerError", 500, /failed or cannot be reached/],
    ])("%s is unavailable, and the SDK's words stay in the cause", async (name, status, text) => {
      const table = faulty("GetItemCommand", [refusedAs(name, status), refusedAs(name, status)], test.newClient(2));
      const failed = await table.get(newKey()).catch((error: Error) => error);
      expect(failed).toMatchObject({ reason: "unavailable", message: expect.stringMatching(text) });
      expect((failed as Error).message).not.toContain("arn:");
      expect((failed as Error).cause).toMatchObject({ name });
    });

    it("a row beyond 400 KB is too large, and is named", async () => {
      const key = newKey();
      const write = other.write(key, { set: { text: "x".repeat(410_000) } }, []);
      await expect(write).rejects.toMatchObject({
        reason: "too-large",
        message: expect.stringContaining(`${key.pk} row`),
      });
    });

    it("nothing is asked of a table that is closed", async () => {
      const table = new aws.DynamoTable({ table: test.table, client: test.newClient() });
      await table[Symbol.asyncDispose]();
      await expect(table.get(newKey())).rejects.toMatchObject({ reason: "unavailable" });
    });

    it("a text that is no cursor is refused", async () => {
      await expect(other.query("p", { cursor: "elsewhere" })).rejects.toThrow(/not a cursor/);
      await expect(other.query("p", { cursor: '["a"]' })).rejects.toThrow(/not a cursor/);
    });
  });

  describe("limits of the platform", () => {
    it("holds every double, also those beyond DynamoDB's own numbers", async () => {
      const numbers = [5e-324, -1e-200, 1e-130, 9.99e125, 1e126, Number.MAX_VALUE];
      const key = newKey();
      await other.write(key, { set: { numbers, large: 1e300 } }, []);
      expect((await other.get(key))?.attributes).toEqual({ numbers, large: 1e300 });
    });

    it("a condition may allow hundreds of values", async () => {
      const key = newKey();
      await other.write(key, { set: { n: 249 } }, []);
      const values = Array.from({ length: 250 }, (_, n) => n);
      expect((await other.write(key, {}, [{ kind: "one-of", name: "n", values }])).ok).toBe(true);
      expect((await other.write(key, {}, [{ kind: "one-of", name: "n", values: values.slice(0, 249) }])).ok).toBe(
        false,
      );
    });

    it("writes the backstop where the table's time to live looks for it, in whole seconds", async () => {
      const key = newKey();
      await other.write(key, { backstopExpiry: 1_800_000_000.2 }, []);
      const { AttributeName } = aws.timeToLive(test.table).TimeToLiveSpecification!;
      const { Item } = await test
        .newClient()
        .send(new dynamodb.GetItemCommand({ TableName: test.table, Key: { pk: { S: key.pk }, sk: { S: key.sk } } }));
      expect(Item?.[AttributeName!]).toEqual({ N: "1800000001" });
    });

    it("an index tells keys only, and a write that leaves a row in its place does not touch it", async () => {
      const key = newKey();
      const position = { pk: `${key.pk}#shard`, sk: "1" };
      await other.write(key, { set: { heartbeat: 1 }, index: { due: position } }, []);
      await expect
        .poll(async () => (await other.queryIndex("due", position.pk, {})).rows)
        .toEqual([{ ...key, attributes: {}, sets: {}, index: { due: position }, revision: 0 }]);
    });
  });
});
