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
export { type ContainerSize, fargateSize, machineSize } from "./batch-sizes.ts";
export type { AwsOptions } from "./client-settings.ts";
export { EXPIRY, INDEX_KEYS, tableDefinition, timeToLive } from "./dynamo-schema.ts";
export { DynamoTable, type DynamoTableOptions } from "./dynamo-table.ts";
export {
  EVENT_SOURCE,
  EVENT_VERSION,
  type EventBridgeApi,
  EventBridgeEvents,
  type EventEntry,
} from "./eventbridge-events.ts";
export { partBytesFor, S3Blobs, type S3BlobsOptions } from "./s3-blobs.ts";
export { type SignedLink, signedGet, signedPut } from "./s3-links.ts";
export { batchApi, eventBridgeApi, functionApi } from "./sdk-apis.ts";
