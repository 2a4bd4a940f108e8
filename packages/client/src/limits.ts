// Sizes and times of the client, with the clamps that cuOpt's own client has.

const MIB = 1024 * 1024;
const DEFAULT_CHUNK_BYTES = 16 * MIB;
const DEFAULT_MAX_MESSAGE_BYTES = 256 * MIB;
/** Least and greatest message limit of a client, bytes. */
export const MAX_MESSAGE_RANGE = [4 * MIB, 2048 * MIB - MIB] as const;
const DEFAULT_PARALLEL = 4;
const DEFAULT_BYTES_IN_FLIGHT = 64 * MIB;
const DEFAULT_CALL_TIMEOUT_MS = 60_000;

export interface ClientOptions {
  /** For the texts of errors: what the transport leads to. Default "the server". */
  readonly address?: string | undefined;
  /** Largest chunk in bytes; the server's message limit may make it smaller. Default 16 MiB; 0 and less count as 1 MiB. */
  readonly chunkBytes?: number | undefined;
  /** Largest message in bytes, sent or received. Default 256 MiB; brought into 4 MiB … 2 GiB − 1 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** A problem estimated to be larger goes in chunks. Bytes; default 75 % of `maxMessageBytes`; 0: always chunks. */
  readonly unaryUpToBytes?: number | undefined;
  /** Chunks in flight at once. Default 4. */
  readonly parallelChunks?: number | undefined;
  /** Bytes of all chunks in flight together; a single chunk may be larger. Default 64 MiB. */
  readonly bytesInFlight?: number | undefined;
  /**
   * Milliseconds that a call may take, but for WaitForCompletion and StreamLogs, which may take for ever, and the probe, which
   * may take 5000. Default 60 000; 0 and less: no limit.
   */
  readonly callTimeoutMs?: number | undefined;
  /** Sends the SHA-256 of every chunk for the server to compare, where the server is Sortie. Default false. */
  readonly transferHash?: boolean | undefined;
  /** Told of every call in one line, after it. */
  readonly onDebug?: ((line: string) => void) | undefined;
  /** Releases what the transport holds; called once, by `close()`. */
  readonly dispose?: (() => void | PromiseLike<void>) | undefined;
}

/** The options with every default and clamp applied. */
export interface Limits {
  readonly parallelChunks: number;
  readonly bytesInFlight: number;
  readonly maxMessageBytes: number;
  readonly unaryUpToBytes: number;
  /** Milliseconds; 0: no limit. */
  readonly callTimeoutMs: number;
  readonly transferHash: boolean;
  /**
   * Bytes of array data that fit one message of the client and of a server with this limit (0: unknown): a tenth is left for
   * the rest.
   */
  chunkBytesFor(serverMaxMessageBytes: bigint | number): number;
}

export function limitsOf(options: ClientOptions): Limits {
  const asked = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
  const chunkBytes = asked > 0 ? Math.floor(asked) : MIB;
  const maxMessageBytes = clampMaxMessageBytes(options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES);
  const { unaryUpToBytes = -1 } = options;
  return {
    parallelChunks: Math.max(1, Math.floor(options.parallelChunks ?? DEFAULT_PARALLEL)),
    bytesInFlight: Math.max(1, options.bytesInFlight ?? DEFAULT_BYTES_IN_FLIGHT),
    maxMessageBytes,
    unaryUpToBytes: unaryUpToBytes >= 0 ? unaryUpToBytes : Math.floor((maxMessageBytes * 3) / 4),
    callTimeoutMs: Math.max(0, options.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS),
    transferHash: options.transferHash ?? false,
    chunkBytesFor(serverMaxMessageBytes) {
      // What the client itself neither sends nor takes would be no use.
      const most = Math.min(maxMessageBytes, Number(serverMaxMessageBytes) || Number.POSITIVE_INFINITY);
      return Math.max(1, Math.min(chunkBytes, Math.floor((most * 9) / 10)));
    },
  };
}

export function clampMaxMessageBytes(bytes: number): number {
  const [least, most] = MAX_MESSAGE_RANGE;
  return Math.min(most, Math.max(least, Math.floor(bytes)));
}
