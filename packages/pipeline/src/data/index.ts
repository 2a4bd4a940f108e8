// Data sets: files below configured roots, splits into stages, batches.
export { type ArrayFile, describeArrayFile } from "./cube-file.ts";
export { DataError, type DataReason } from "./errors.ts";
export {
  type Batch,
  FILES_MODULE,
  type FilesModule,
  type FilesParams,
  openFilesModule,
  parseFilesParams,
} from "./files-module.ts";
export { type DataFiles, dataFiles, localFiles } from "./roots.ts";
export {
  applySplits,
  type Sample,
  type Selector,
  type SplitResult,
  type SplitStage,
  type Splits,
  universeHash,
} from "./splits.ts";
