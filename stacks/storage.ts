// Where everything lies: the bucket of blobs and the table of rows.
import { EXPIRY, tableDefinition } from "../packages/platform-aws/src/dynamo-schema.ts";
import { lifecycleRules } from "./lifecycle.ts";
import type { Options } from "./options.ts";

export function createStorage(options: Options) {
  return { bucket: createBucket(options), table: createTable(options) };
}
export type Storage = ReturnType<typeof createStorage>;

/** Private (SST blocks public access), reached by TLS only (SST's policy denies anything else), encrypted. */
function createBucket(options: Options) {
  const bucket = new sst.aws.Bucket("Blobs", {
    enforceHttps: true,
    // Signed links used from a web page; without origins there is no rule at all.
    cors: options.corsOrigins.length > 0 && {
      allowOrigins: [...options.corsOrigins],
      allowMethods: ["GET", "PUT"],
      allowHeaders: ["content-length", "content-type", "range"],
      exposeHeaders: ["ETag", "content-range"],
      maxAge: "1 hour",
    },
    lifecycle: [{ prefix: "jobs/", expiresIn: "1 day" }],
    transform: {
      bucket: (args) => {
        args.forceDestroy = !options.production;
        return undefined;
      },
      // SST's rules know no unfinished multiparts, so ours replace the one above.
      lifecycle: (args) => {
        args.rules = lifecycleRules(options.timeToLiveHours, options.outboxDays);
        return undefined;
      },
    },
  });
  new aws.s3.BucketServerSideEncryptionConfiguration("BlobsEncryption", {
    bucket: bucket.name,
    rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
  });
  new aws.s3.BucketOwnershipControls("BlobsOwnership", {
    bucket: bucket.name,
    rule: { objectOwnership: "BucketOwnerEnforced" },
  });
  return bucket;
}

/** What `tableDefinition` says, with a stream of new images, time to live, and recovery to any moment of 35 days. */
function createTable(options: Options) {
  const definition = tableDefinition("");
  const keysOf = (schema: readonly { AttributeName?: string | undefined; KeyType?: string | undefined }[] = []) => ({
    hashKey: attributeOf(schema, "HASH"),
    rangeKey: attributeOf(schema, "RANGE"),
  });
  return new sst.aws.Dynamo("Rows", {
    fields: Object.fromEntries((definition.AttributeDefinitions ?? []).map((one) => [one.AttributeName, "string"])),
    primaryIndex: keysOf(definition.KeySchema),
    globalIndexes: Object.fromEntries(
      (definition.GlobalSecondaryIndexes ?? []).map((index) => [
        index.IndexName,
        { ...keysOf(index.KeySchema), projection: "keys-only" as const },
      ]),
    ),
    ttl: EXPIRY,
    stream: "new-image",
    deletionProtection: options.production,
  });
}

function attributeOf(
  schema: readonly { AttributeName?: string | undefined; KeyType?: string | undefined }[],
  keyType: "HASH" | "RANGE",
): string {
  const found = schema.find((key) => key.KeyType === keyType)?.AttributeName;
  if (found === undefined) throw new Error(`the table's definition has no ${keyType} key`);
  return found;
}
