// Signed links to S3. The emulators check less than S3 does: s3rver only the expiry, moto nothing.
import { S3Blobs } from "@sortie/platform-aws";
import { identity, outsideEndpoint } from "../aws/environment.ts";
import { testBuckets } from "../aws/s3.ts";
import { describeLinks, type LinkChecks } from "./links.suite.ts";

const isAws = outsideEndpoint?.includes(".amazonaws.com") ?? false;
const checks: LinkChecks = {
  signature: isAws,
  expiry: isAws || outsideEndpoint === undefined,
  headers: isAws,
  digest: isAws,
  once: isAws,
};

const openTestBucket = testBuckets();

describeLinks("S3", async () => {
  const { bucket, endpoint } = await openTestBucket();
  const blobs = new S3Blobs({ bucket, endpoint, ...identity });
  return { blobs, checks, close: () => blobs[Symbol.asyncDispose]() };
});
