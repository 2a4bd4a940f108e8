// A bucket for the tests: on s3rver in this process, or at the endpoint from outside. Emptied and deleted in the end.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3Client } from "@aws-sdk/client-s3";
import * as s3 from "@aws-sdk/client-s3";
import * as aws from "@sortie/platform-aws";
import { afterAll } from "vitest";
import { freshName, identity, outsideEndpoint } from "./environment.ts";
import { startS3 } from "./s3-emulator.ts";

export interface TestBucket {
  readonly bucket: string;
  readonly endpoint: string;
  /** A client of its own, destroyed in the end. */
  newClient(): S3Client;
}

/** Opens buckets that are gone, with their emulator, when the tests of this file are done. */
export function testBuckets(): () => Promise<TestBucket> {
  const closing: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });
  return async () => {
    let endpoint = outsideEndpoint;
    if (endpoint === undefined) {
      const directory = await mkdtemp(join(tmpdir(), "sortie-s3-"));
      closing.push(() => rm(directory, { recursive: true, force: true }));
      const server = await startS3(directory);
      closing.push(() => server.close());
      endpoint = server.endpoint;
    }
    const newClient = () => {
      const client = new s3.S3Client({
        ...identity,
        endpoint,
        forcePathStyle: true,
        requestChecksumCalculation: "WHEN_REQUIRED",
      });
      closing.push(async () => client.destroy());
      return client;
    };
    const client = newClient();
    const bucket = freshName("bucket");
    await client.send(new s3.CreateBucketCommand({ Bucket: bucket }));
    closing.push(async () => {
      await new aws.S3Blobs({ bucket, client }).deletePrefix("");
      await client.send(new s3.DeleteBucketCommand({ Bucket: bucket }));
    });
    return { bucket, endpoint, newClient };
  };
}
