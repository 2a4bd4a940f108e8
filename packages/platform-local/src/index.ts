// The public face of @sortie/platform-local: Sortie on one machine.
export {
  type DataDirLock,
  type LocalPlatform,
  type LocalPlatformOptions,
  lockDataDir,
  openLocalPlatform,
  workerLogFile,
} from "./data-dir.ts";
export { FileBlobs, type FileBlobsOptions } from "./file-blobs.ts";
export { FileLinks, LINK_PATH, type LinkGrant, rangeHeader } from "./file-links.ts";
export { openKeyFile } from "./key-file.ts";
export { defaultMemoryBudget, sizeInWords } from "./memory-budget.ts";
export type { PoolCommand, PoolReport } from "./pool-protocol.ts";
export type { ExitInfo } from "./pool-worker.ts";
export {
  identityOf,
  isRunning,
  type ProcessIdentity,
  parseIdentity,
  thisProcess,
} from "./process-identity.ts";
export { type PoolStats, ProcessPoolDispatcher, type ProcessPoolOptions } from "./process-pool.ts";
export type { Durability } from "./sqlite-protocol.ts";
export { SqliteTable, type SqliteTableOptions } from "./sqlite-table.ts";
