// Files that clients name: one port, and its two adapters.
export { LocalFiles, type LocalFilesOptions } from "./local.ts";
export { FileError, type FileReason, type Files, type FoundFile, normalizeRelative } from "./port.ts";
export { type ObjectStore, StoredFiles } from "./stored.ts";
