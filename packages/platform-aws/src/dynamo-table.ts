// The table on DynamoDB: one table, every write one conditional UpdateItem of one item.
import { randomBytes } from "node:crypto";
import {
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  type CallOptions,
  type Change,
  type Condition,
  checkChange,
  checkKey,
  DomainError,
  forEachAtOnce,
  type IndexName,
  type Key,
  type Page,
  type QueryRange,
  type Row,
  type Table,
  type WriteResult,
} from "@sortie/core";
import { type AwsOptions, clientSettings } from "./client-settings.ts";
import {
  conditionExpression,
  keyCondition,
  Placeholders,
  unmarkedExpression,
  updateExpression,
} from "./dynamo-expressions.ts";
import { type Item, rowOf } from "./dynamo-items.ts";
import { ATTRIBUTE_PREFIX, INDEX_KEYS, MARKS } from "./dynamo-schema.ts";
import { attemptsOf, awsFault, nameOf } from "./faults.ts";
import { sleep } from "./waiting.ts";

/** One attempt of one request, in milliseconds. Items are small, answers come in tens of milliseconds. */
const REQUEST_MS = 5_000;
/** Requests of one `writeAll` or `deleteRange` in flight at once. */
const WRITES_AT_ONCE = 16;
/** What BatchWriteItem takes. */
const BATCH_ITEMS = 25;
/** How often what a batch left over is sent again before the call fails. */
const BATCH_ATTEMPTS = 10;
const DEFAULT_PAGE_ROWS = 100;

export interface DynamoTableOptions extends AwsOptions {
  readonly table: string;
  /** Used instead of a client of its own, and not closed with the table. */
  readonly client?: DynamoDBClient | undefined;
  /** First and longest pause between two looks at a row that is waited for, in milliseconds. Default 25 and 1000. */
  readonly pollMs?: { readonly first: number; readonly longest: number } | undefined;
}

type Sent = Pick<DynamoDBClient, "send">["send"];

/**
 * Microseconds since 1970: a row that was deleted and made again repeats no revision, since no row is written as often as
 * once in a microsecond.
 */
const firstRevision = () => Math.floor((performance.timeOrigin + performance.now()) * 1000);

const keyOf = ({ pk, sk }: Key): Item => ({ pk: { S: pk }, sk: { S: sk } });

const bearsMark = (item: Item | undefined, mark: string): boolean => MARKS.some((name) => item?.[name]?.S === mark);

/**
 * Rows in one DynamoDB table, made as `tableDefinition` says. Reads of rows and partitions are consistent; index queries
 * lag and return keys only.
 *
 * A write whose answer was lost is sent again by the SDK. Each write leaves a mark in its row, and a write that finds its
 * own mark was done already: it answers ok and nothing happens twice, increments included. This holds unless four other
 * writes of the same row, or its deletion, come between the two. When the SDK gives up ("unavailable"), the write may or
 * may not have been done; the caller's own conditions (attempt, state, worker) make a repeat harmless. A repeated deletion
 * that finds no row answers true.
 *
 * Numbers keep every bit of a double but the sign of −0. Those beyond 1e-130 … 9.99e125 are stored as well,
 * but "less-than" is false for them and they cannot be incremented.
 *
 * Errors are DomainErrors, "unavailable" (throttled, unreachable, forbidden, no such table) and "too-large" (a row beyond
 * 400 KB), or TypeErrors for what no table could hold.
 */
export class DynamoTable implements Table {
  readonly #client: DynamoDBClient;
  readonly #owned: boolean;
  readonly #table: string;
  readonly #poll: { readonly first: number; readonly longest: number };
  #closed = false;

  constructor({ table, client, pollMs = { first: 25, longest: 1_000 }, ...options }: DynamoTableOptions) {
    this.#client = client ?? new DynamoDBClient(clientSettings(options, REQUEST_MS));
    this.#owned = client === undefined;
    this.#table = table;
    this.#poll = pollMs;
  }

  async get(key: Key, options?: CallOptions): Promise<Row | undefined> {
    checkKey(key);
    const item = await this.#read(key, options?.signal);
    return item && rowOf(item);
  }

  async write(key: Key, change: Change, conditions: readonly Condition[], options?: CallOptions): Promise<WriteResult> {
    checkKey(key);
    checkChange(change);
    const signal = options?.signal;
    const mark = randomBytes(9).toString("base64url");
    const places = new Placeholders();
    const update = updateExpression(change, mark, firstRevision(), places);
    const condition = [
      ...conditions.map((one) => conditionExpression(one, places)),
      unmarkedExpression(mark, places),
    ].join(" AND ");
    const command = new UpdateItemCommand({
      TableName: this.#table,
      Key: keyOf(key),
      UpdateExpression: update,
      ConditionExpression: condition,
      ReturnValues: "ALL_NEW",
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      ...places.input,
    });
    try {
      const { Attributes } = await this.#send((send, abort) => send(command, abort), signal);
      return { ok: true, row: rowOf(Attributes!) };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) {
        // No item: there is none, or the platform does not tell.
        const item = error.Item ?? (await this.#read(key, signal));
        if (item && bearsMark(item, mark)) return { ok: true, row: rowOf(item) };
        return { ok: false, row: item && rowOf(item) };
      }
      if (nameOf(error) === "ValidationException") throw await this.#invalid(error as Error, key, change, signal);
      throw error;
    }
  }

  async writeAll(
    writes: readonly { readonly key: Key; readonly change: Change }[],
    options?: CallOptions,
  ): Promise<void> {
    options?.signal?.throwIfAborted();
    for (const { key, change } of writes) {
      checkKey(key);
      checkChange(change);
    }
    // Not BatchWriteItem: it replaces whole items, so a row that exists would lose what the change does not name.
    await forEachAtOnce(writes, WRITES_AT_ONCE, options?.signal, async ({ key, change }, signal) => {
      await this.write(key, change, [], { signal });
    });
  }

  async delete(key: Key, conditions: readonly Condition[], options?: CallOptions): Promise<boolean> {
    checkKey(key);
    const signal = options?.signal;
    const places = new Placeholders();
    const condition = conditions.map((one) => conditionExpression(one, places)).join(" AND ");
    const command = new DeleteItemCommand({
      TableName: this.#table,
      Key: keyOf(key),
      ...(condition !== "" && { ConditionExpression: condition }),
      ...places.input,
    });
    try {
      await this.#send((send, abort) => send(command, abort), signal);
      return true;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      // Sent twice, and now there is no row: the first time did it.
      return attemptsOf(error) > 1 && (await this.#read(key, signal)) === undefined;
    }
  }

  async deleteRange(pk: string, prefix: string, options?: CallOptions): Promise<void> {
    const signal = options?.signal;
    let cursor: string | undefined;
    do {
      const range: QueryRange = { prefix, limit: BATCH_ITEMS * WRITES_AT_ONCE, cursor };
      const page = await this.#query(undefined, pk, range, signal, true);
      const batches: Key[][] = [];
      for (let at = 0; at < page.rows.length; at += BATCH_ITEMS) batches.push(page.rows.slice(at, at + BATCH_ITEMS));
      await forEachAtOnce(batches, WRITES_AT_ONCE, signal, (keys, either) => this.#deleteBatch(keys, either));
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  query(pk: string, range: QueryRange, options?: CallOptions): Promise<Page> {
    return this.#query(undefined, pk, range, options?.signal, false);
  }

  queryIndex(index: IndexName, pk: string, range: QueryRange, options?: CallOptions): Promise<Page> {
    return this.#query(index, pk, range, options?.signal, false);
  }

  /** Looks at the row again and again, at pauses that double from the first to the longest. */
  async waitForChange(
    key: Key,
    revision: number | undefined,
    timeoutMs: number,
    options?: CallOptions,
  ): Promise<Row | undefined> {
    const end = performance.now() + timeoutMs;
    for (let pause = this.#poll.first; ; pause = Math.min(2 * pause, this.#poll.longest)) {
      const row = await this.get(key, options);
      const left = end - performance.now();
      if (row?.revision !== revision || left <= 0) return row;
      // Up to a quarter shorter, so that many who wait for one row do not look all at once.
      await sleep(Math.min(left, pause * (1 - Math.random() / 4)), options?.signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#owned) this.#client.destroy();
  }

  /** @throws a DomainError, ConditionalCheckFailedException or ValidationException, or the signal's reason */
  async #send<T>(
    call: (send: Sent, options: { abortSignal?: AbortSignal }) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.#closed) throw new DomainError("unavailable", `table ${this.#table} is closed`);
    try {
      return await call(this.#client.send.bind(this.#client) as Sent, signal ? { abortSignal: signal } : {});
    } catch (error) {
      if (!signal?.aborted) {
        if (error instanceof ConditionalCheckFailedException || nameOf(error) === "ValidationException") throw error;
      }
      throw awsFault(error, `table ${this.#table}`, signal);
    }
  }

  async #read(key: Key, signal: AbortSignal | undefined): Promise<Item | undefined> {
    const command = new GetItemCommand({ TableName: this.#table, Key: keyOf(key), ConsistentRead: true });
    return (await this.#send((send, abort) => send(command, abort), signal)).Item;
  }

  /** What a write that DynamoDB calls invalid did wrong; its own words name no attribute. */
  async #invalid(error: Error, key: Key, change: Change, signal: AbortSignal | undefined): Promise<Error> {
    if (/item size/i.test(error.message)) {
      const text = `row ${key.pk} ${key.sk} would be larger than 400 KB; keep its large values in blobs`;
      return new DomainError("too-large", text, { cause: error });
    }
    const names = Object.keys(change.increment ?? {});
    const item = names.length > 0 ? await this.#read(key, signal) : undefined;
    const wrong = names.find((name) => {
      const value = item?.[ATTRIBUTE_PREFIX + name];
      return value !== undefined && value.N === undefined;
    });
    if (wrong !== undefined) return new TypeError(`attribute ${wrong} is not a number and cannot be incremented`);
    return awsFault(error, `table ${this.#table}, row ${key.pk} ${key.sk}`) as Error;
  }

  async #deleteBatch(keys: readonly Key[], signal: AbortSignal): Promise<void> {
    let requests = keys.map((key) => ({ DeleteRequest: { Key: keyOf(key) } }));
    for (let attempt = 1; requests.length > 0; attempt += 1) {
      const command = new BatchWriteItemCommand({ RequestItems: { [this.#table]: requests } });
      const { UnprocessedItems } = await this.#send((send, abort) => send(command, abort), signal);
      requests = (UnprocessedItems?.[this.#table] ?? []) as typeof requests;
      if (requests.length === 0) return;
      if (attempt === BATCH_ATTEMPTS) {
        throw new DomainError(
          "unavailable",
          `table ${this.#table}: ${requests.length} rows were not deleted in ${attempt} attempts; try again`,
        );
      }
      await sleep(Math.random() * Math.min(25 * 2 ** attempt, 2_000), signal);
    }
  }

  async #query(
    index: IndexName | undefined,
    pk: string,
    range: QueryRange,
    signal: AbortSignal | undefined,
    keysOnly: boolean,
  ): Promise<Page> {
    signal?.throwIfAborted();
    const keys = index === undefined ? { pk: "pk", sk: "sk" } : INDEX_KEYS[index];
    const places = new Placeholders();
    const condition = keyCondition(keys, pk, range, places);
    if (!condition) return { rows: [] };
    const command = new QueryCommand({
      TableName: this.#table,
      KeyConditionExpression: condition.expression,
      ScanIndexForward: range.descending !== true,
      Limit: range.limit ?? DEFAULT_PAGE_ROWS,
      ...(index === undefined ? { ConsistentRead: true } : { IndexName: index }),
      ...(keysOnly && { ProjectionExpression: "pk, sk" }),
      ...(range.cursor !== undefined && { ExclusiveStartKey: this.#startKey(index, pk, range.cursor) }),
      ...places.input,
    });
    let found: { Items?: Item[] | undefined; LastEvaluatedKey?: Item | undefined };
    try {
      found = await this.#send((send, abort) => send(command, abort), signal);
    } catch (error) {
      throw nameOf(error) === "ValidationException" ? awsFault(error, `table ${this.#table}, partition ${pk}`) : error;
    }
    const { Items = [], LastEvaluatedKey: last } = found;
    const rows = Items.filter((item) => item[keys.sk]?.S !== condition.beyond).map(rowOf);
    if (!last) return { rows };
    return { rows, cursor: JSON.stringify([last[keys.sk]!.S, last["pk"]!.S, last["sk"]!.S]) };
  }

  /** Where a page ended: sort key in the index or partition, then the row's own key. */
  #startKey(index: IndexName | undefined, pk: string, cursor: string): Item {
    let parts: unknown;
    try {
      parts = JSON.parse(cursor);
    } catch {
      // Not JSON: the same answer as for any other text.
    }
    if (
      !Array.isArray(parts) ||
      parts.length !== 3 ||
      !parts.every((part) => typeof part === "string" && part !== "")
    ) {
      throw new TypeError(`${JSON.stringify(cursor)} is not a cursor of this table`);
    }
    const [sort, rowPk, rowSk] = parts as [string, string, string];
    if (index === undefined) return keyOf({ pk, sk: sort });
    const keys = INDEX_KEYS[index];
    return { ...keyOf({ pk: rowPk, sk: rowSk }), [keys.pk]: { S: pk }, [keys.sk]: { S: sort } };
  }
}
