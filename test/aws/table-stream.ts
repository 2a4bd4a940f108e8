// The stream of a table: records of the writes that were seen, handed to a function in batches through a filter, per shard
// in order and at least once. A test may tamper with what is delivered.
import { createHash } from "node:crypto";
import { matches, type Pattern } from "./event-pattern.ts";

export type Attributes = Readonly<Record<string, unknown>>;

export interface StreamRecord {
  readonly eventID: string;
  readonly eventName: "INSERT" | "MODIFY" | "REMOVE";
  readonly eventVersion: "1.1";
  readonly eventSource: "aws:dynamodb";
  readonly awsRegion: string;
  readonly eventSourceARN: string;
  readonly dynamodb: {
    readonly ApproximateCreationDateTime: number;
    readonly Keys: Attributes;
    readonly NewImage?: Attributes;
    readonly OldImage?: Attributes;
    readonly SequenceNumber: string;
    readonly SizeBytes: number;
    readonly StreamViewType: string;
  };
}

export type ViewType = "NEW_IMAGE" | "NEW_AND_OLD_IMAGES" | "KEYS_ONLY";

export interface StreamOptions {
  readonly viewType: ViewType;
  /** Any of these lets a record through; without them all pass. */
  readonly filters: readonly Pattern[];
  readonly batchSize: number;
  /** How long records are gathered, in milliseconds. */
  readonly windowMs: number;
  /** How often a batch that failed is tried again. */
  readonly retries: number;
  readonly retryMs: number;
  /** Hands a batch to the function. Its answer may name records to be sent again. */
  readonly deliver: (event: { readonly Records: readonly StreamRecord[] }) => Promise<unknown>;
}

const SHARDS = 4;

interface PartialFailure {
  readonly batchItemFailures?: readonly { readonly itemIdentifier: string }[];
}

export class TableStream {
  readonly #options: StreamOptions;
  readonly #images = new Map<string, Attributes>();
  readonly #shards: StreamRecord[][] = Array.from({ length: SHARDS }, () => []);
  readonly #busy = new Set<number>();
  #sequence = 0;
  #closed = false;
  /** What was given up: an on-failure destination would have it. */
  readonly lost: StreamRecord[] = [];
  /** How many records passed the filter, and how many there were. */
  readonly counts = { passed: 0, all: 0 };
  /** Stands between the stream and the function: may repeat, drop, delay or shuffle. */
  tamper: ((records: readonly StreamRecord[]) => readonly StreamRecord[]) | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /** A write was done. @param image the row as it is now; undefined when it is gone */
  observe(keys: Attributes, image: Attributes | undefined): void {
    if (this.#closed) return;
    const key = JSON.stringify([keys["pk"], keys["sk"]]);
    const before = this.#images.get(key);
    // Nothing is told of the deletion of what was not there.
    if (!before && !image) return;
    if (image) this.#images.set(key, image);
    else this.#images.delete(key);
    this.#sequence += 1;
    const { viewType } = this.#options;
    const withOld = viewType === "NEW_AND_OLD_IMAGES" && before;
    const record: StreamRecord = {
      eventID: createHash("md5").update(String(this.#sequence)).digest("hex"),
      eventName: !before ? "INSERT" : image ? "MODIFY" : "REMOVE",
      eventVersion: "1.1",
      eventSource: "aws:dynamodb",
      awsRegion: "us-east-1",
      eventSourceARN: "arn:aws:dynamodb:us-east-1:123456789012:table/sortie/stream/2026-01-01T00:00:00.000",
      dynamodb: {
        ApproximateCreationDateTime: Math.floor(Date.now() / 1000),
        Keys: keys,
        ...(image && viewType !== "KEYS_ONLY" && { NewImage: image }),
        ...(withOld && { OldImage: before }),
        SequenceNumber: String(this.#sequence).padStart(21, "0"),
        SizeBytes: JSON.stringify(image ?? keys).length,
        StreamViewType: viewType,
      },
    };
    this.counts.all += 1;
    const { filters } = this.#options;
    if (filters.length > 0 && !filters.some((filter) => matches(filter, record))) return;
    this.counts.passed += 1;
    const shard = createHash("md5").update(JSON.stringify(keys["pk"])).digest()[0]! % SHARDS;
    this.#shards[shard]!.push(record);
    void this.#drain(shard);
  }

  close(): void {
    this.#closed = true;
  }

  async #drain(shard: number): Promise<void> {
    if (this.#busy.has(shard)) return;
    this.#busy.add(shard);
    const { batchSize, windowMs, retries, retryMs } = this.#options;
    const queue = this.#shards[shard]!;
    try {
      while (queue.length > 0 && !this.#closed) {
        await pause(windowMs);
        let batch: readonly StreamRecord[] = queue.splice(0, batchSize);
        batch = this.tamper?.(batch) ?? batch;
        for (let attempt = 0; batch.length > 0 && !this.#closed; attempt += 1) {
          batch = await this.#deliver(batch);
          if (batch.length === 0) break;
          if (attempt === retries) {
            this.lost.push(...batch);
            break;
          }
          await pause(retryMs);
        }
      }
    } finally {
      this.#busy.delete(shard);
    }
  }

  /** @returns what must be sent again: from the first record that failed on */
  async #deliver(batch: readonly StreamRecord[]): Promise<readonly StreamRecord[]> {
    try {
      const answer = (await this.#options.deliver({ Records: batch })) as PartialFailure | null | undefined;
      const failed = new Set((answer?.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier));
      const first = batch.findIndex(({ dynamodb }) => failed.has(dynamodb.SequenceNumber));
      return first === -1 ? [] : batch.slice(first);
    } catch {
      return batch;
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
