// Where an inbox lies: what its rules need of a folder or a bucket.
import type { CallOptions } from "@sortie/core";

export type Content = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** Paths have slashes between their parts. Those of the inbox are below it, those of the outbox below that. */
export interface InboxStore {
  /** The bytes of a file of the inbox; undefined if there is none. */
  readInbox(path: string, options?: CallOptions): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Writes a file of the outbox: nobody sees half of it. */
  writeOutbox(path: string, content: Content, options?: CallOptions): Promise<void>;
  /** Removes a file of the outbox, if it is there. */
  removeOutbox(path: string, options?: CallOptions): Promise<void>;
}
