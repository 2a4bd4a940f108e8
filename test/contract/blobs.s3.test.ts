// Blobs on S3 keep the promises of the port, and those that only S3 needs: what puts in parts leave, and signed links.
import { randomBytes } from "node:crypto";
import * as s3 from "@aws-sdk/client-s3";
import { BLOCK_BYTES } from "@sortie/core";
import * as aws from "@sortie/platform-aws";
import { beforeAll, describe, expect, it } from "vitest";
import { identity } from "../aws/environment.ts";
import { type TestBucket, testBuckets } from "../aws/s3.ts";
import { describeBlobs } from "./blobs.suite.ts";

const openTestBucket = testBuckets();

describeBlobs("S3", async () => {
  const { bucket, endpoint, newClient } = await openTestBucket();
  const client = newClient();
  const blobs = new aws.S3Blobs({ bucket, endpoint, ...identity });
  return {
    blobs,
    damage: async (key, how, offset) => {
      const { Body } = await client.send(new s3.GetObjectCommand({ Bucket: bucket, Key: key }));
      const bytes = await Body!.transformToByteArray();
      if (how === "flip") bytes[offset] = bytes[offset]! ^ 0xff;
      const kept = how === "cut" ? bytes.subarray(0, offset) : bytes;
      await client.send(new s3.PutObjectCommand({ Bucket: bucket, Key: key, Body: kept }));
    },
  };
});

describe("Blobs on S3", () => {
  let bucket: TestBucket["bucket"];
  let client: ReturnType<TestBucket["newClient"]>;
  let newClient: TestBucket["newClient"];
  beforeAll(async () => {
    const opened = await openTestBucket();
    bucket = opened.bucket;
    ({ newClient } = opened);
    client = newClient();
  });

  it("puts 30 MB in parts and reads them back", async () => {
    const blobs = new aws.S3Blobs({ bucket, client });
    const long = randomBytes(7 * BLOCK_BYTES + 1);
    const ref = await blobs.put("long", [long.subarray(0, 10_000_001), long.subarray(10_000_001)]);
    expect(ref.digests).toHaveLength(8);
    const target = new Uint8Array(long.byteLength);
    await blobs.readInto(ref, 0, target);
    expect(Buffer.compare(target, long)).toBe(0);
  });

  it("leaves no unfinished upload when a put in parts is aborted or fails", async () => {
    const blobs = new aws.S3Blobs({ bucket, client });
    const sent: string[] = [];
    const watched = newClient();
    const abort = new AbortController();
    watched.middlewareStack.add(
      (next, { commandName = "" }) =>
        async (args) => {
          sent.push(commandName);
          if (commandName === "UploadPartCommand") abort.abort(new Error("client left"));
          return next(args);
        },
      { step: "initialize" },
    );
    const put = new aws.S3Blobs({ bucket, client: watched }).put("left", [randomBytes(3 * BLOCK_BYTES)], {
      signal: abort.signal,
    });
    await expect(put).rejects.toThrow("client left");
    expect(sent.at(-1)).toBe("AbortMultipartUploadCommand");
    expect(sent).not.toContain("CompleteMultipartUploadCommand");
    expect(await blobs.stat("left")).toBeUndefined();
  });

  it("a signed link reads one range of a blob, which its signature covers, and expires", async () => {
    const blobs = new aws.S3Blobs({ bucket, client });
    await blobs.put("linked", [Buffer.from("0123456789")]);
    const link = await aws.signedGet(client, bucket, "linked", 60, { offset: 2, length: 3 });
    const answer = await fetch(link.url, { headers: link.headers });
    expect(await answer.text()).toBe("234");
    const { searchParams } = new URL(link.url);
    expect(searchParams.get("X-Amz-SignedHeaders")).toBe("host;range");
    expect(searchParams.get("X-Amz-Expires")).toBe("60");
    await expect(aws.signedGet(client, bucket, "linked", 0)).rejects.toThrow(/expirySeconds is 0/);
  });

  it.each(["WHEN_SUPPORTED", "WHEN_REQUIRED"] as const)(
    "a link signs its length and what S3 is to check, and no checksum of the body it has not seen: %s",
    async (requestChecksumCalculation) => {
      const signer = new s3.S3Client({ ...identity, requestChecksumCalculation });
      const any = await aws.signedPut(signer, bucket, "sent", 4, 60);
      const own = await aws.signedPut(signer, bucket, "sent", 4, 60, "00".repeat(32));
      signer.destroy();
      const [anyUrl, ownUrl] = [new URL(any.url), new URL(own.url)];
      expect(anyUrl.searchParams.get("X-Amz-SignedHeaders")).toBe("content-length;host;if-none-match");
      expect(any.headers).toEqual({ "content-length": "4", "if-none-match": "*" });
      expect(ownUrl.searchParams.get("X-Amz-SignedHeaders")).toBe("content-length;host;x-amz-checksum-sha256");
      expect(own.headers).toEqual({
        "content-length": "4",
        "x-amz-checksum-sha256": Buffer.alloc(32).toString("base64"),
      });
      for (const { search } of [anyUrl, ownUrl])
        expect(search).not.toMatch(/checksum-(crc|algorithm)|[?&]x-amz-checksum/);
    },
  );

  it("a signed link writes a blob of the length it names", async () => {
    const link = await aws.signedPut(client, bucket, "sent", 4, 60);
    const answer = await fetch(link.url, { method: "PUT", headers: link.headers, body: "four" });
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
    expect(await new aws.S3Blobs({ bucket, client }).stat("sent")).toBe(4);
  });
});
