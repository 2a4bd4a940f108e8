// The public face of @sortie/platform-aws: the ports on DynamoDB, S3, Batch, Lambda and EventBridge.
export {
  type BatchApi,
  BatchDispatcher,
  type BatchDispatcherOptions,
  type BatchJob,
  type BatchPlacement,
  type BatchStatus,
  type BatchSubmission,
  batchWorkerName,
  type FunctionApi,
} from "./batch-dispatcher.ts";
export { type BatchEnd, batchEnd } from "./batch-ends.ts";
export { type ContainerSize, fargateSize, machineSize } from "./batch-sizes.ts";
export type { AwsOptions } from "./client-settings.ts";
export { EXPIRY, INDEX_KEYS, tableDefinition, timeToLive } from "./dynamo-schema.ts";
export { DynamoTable, type DynamoTableOptions } from "./dynamo-table.ts";
export {
  EVENT_SOURCE,
  type EventBridgeApi,
  EventBridgeEvents,
  type EventEntry,
} from "./eventbridge-events.ts";
export { type FunctionCaller, functionCaller } from "./function-caller.ts";
export {
  type AwsClients,
  type AwsPlatform,
  type AwsWorkerPlatform,
  type OpenAwsOptions,
  type OpenAwsServerOptions,
  openAws,
  openAwsFront,
  openAwsWorker,
  placementPolicy,
} from "./open.ts";
export { partBytesFor, S3Blobs, type S3BlobsOptions } from "./s3-blobs.ts";
export { S3Files, type S3FilesOptions } from "./s3-files.ts";
export { s3Links, signedGet, signedPut } from "./s3-links.ts";
export { batchApi, eventBridgeApi, functionApi } from "./sdk-apis.ts";
export { type AwsSettings, AwsSettingsError, type Environment, readAwsSettings } from "./settings.ts";
