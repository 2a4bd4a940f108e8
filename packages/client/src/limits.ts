// Sizes and times of the client, with the clamps that cuOpt's own client has.

export interface ClientOptions {
  /** Largest chunk in bytes; the server's message limit may make it smaller. Default 16 MiB. */
  readonly chunkBytes?: number | undefined;
  /** Chunks in flight at once. Default 4. */
  readonly parallelChunks?: number | undefined;
}

const DEFAULT_CHUNK_BYTES = 16 * 1024 * 1024;
const DEFAULT_PARALLEL = 4;

export interface Limits {
  readonly parallelChunks: number;
  /** Bytes of array data that fit one message of a server with this limit (0: unknown): a tenth is left for the rest. */
  chunkBytesFor(serverMaxMessageBytes: bigint): number;
}

export function limitsOf(options: ClientOptions): Limits {
  const chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
  return {
    parallelChunks: options.parallelChunks ?? DEFAULT_PARALLEL,
    chunkBytesFor(serverMaxMessageBytes) {
      const server = Number(serverMaxMessageBytes);
      return server > 0 ? Math.min(chunkBytes, Math.floor((server * 9) / 10)) : chunkBytes;
    },
  };
}
