// What goes wrong between the blobs and S3: bodies that break off, throttling, parts that are refused.
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { BLOCK_BYTES } from "@sortie/core";
import * as aws from "@sortie/platform-aws";
import { beforeAll, describe, expect, it } from "vitest";
import { type TestBucket, testBuckets } from "../aws/s3.ts";

const openTestBucket = testBuckets();

type Fault = (send: () => Promise<unknown>) => Promise<unknown>;

/** The answer begins well and its body breaks off after some bytes. */
const bodyBreaksOff: Fault = async (send) => {
  const answer = (await send()) as { output: { Body: Readable } };
  const bytes = Buffer.concat(await answer.output.Body.toArray());
  answer.output.Body = Readable.from(
    (async function* () {
      yield bytes.subarray(0, 1000);
      throw Object.assign(new Error("aborted"), { code: "ECONNRESET" });
    })(),
  );
  return answer;
};
const refusedAs =
  (name: string, status: number): Fault =>
  async () => {
    throw Object.assign(new Error(`${name} host-id secret`), {
      name,
      $fault: "client",
      $metadata: { httpStatusCode: status },
    });
  };

describe("Blobs on S3", () => {
  let test: TestBucket;
  beforeAll(async () => {
    test = await openTestBucket();
  });

  /** A store whose next attempts of this command go wrong so; `sent` names every command. */
  function faulty(command: string, faults: Fault[]) {
    const client: S3Client = test.newClient();
    const sent: string[] = [];
    client.middlewareStack.add(
      (next, { commandName = "" }) =>
        async (args) => {
          sent.push(commandName);
          const fault = commandName === command ? faults.shift() : undefined;
          return fault ? ((await fault(() => next(args))) as never) : next(args);
        },
      { step: "deserialize", priority: "high" },
    );
    return { blobs: new aws.S3Blobs({ bucket: test.bucket, client }), sent };
  }

  it("asks again for a body that breaks off", async () => {
    const bytes = randomBytes(2 * BLOCK_BYTES);
    const { blobs } = faulty("GetObjectCommand", [bodyBreaksOff, bodyBreaksOff]);
    const ref = await blobs.put("broken/a", [bytes]);
    const target = new Uint8Array(bytes.byteLength);
    await blobs.readInto(ref, 0, target);
    expect(Buffer.compare(target, bytes)).toBe(0);
  });

  it("gives up on a body that breaks off every time, and names the blob", async () => {
    const { blobs } = faulty(
      "GetObjectCommand",
      Array.from({ length: 4 }, () => bodyBreaksOff),
    );
    const ref = await blobs.put("broken/b", [randomBytes(2000)]);
    await expect(blobs.readInto(ref, 0, new Uint8Array(2000))).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringContaining("broken/b"),
    });
  });

  it("takes away its parts when one of them is refused", async () => {
    const { blobs, sent } = faulty("UploadPartCommand", [refusedAs("AccessDenied", 403)]);
    const put = blobs.put("refused", [randomBytes(3 * BLOCK_BYTES)]);
    await expect(put).rejects.toMatchObject({ reason: "unavailable", message: expect.stringMatching(/not allowed/) });
    await expect(put).rejects.not.toThrow(/secret/);
    expect(sent.at(-1)).toBe("AbortMultipartUploadCommand");
    expect(await blobs.stat("refused")).toBeUndefined();
  });

  it("a put whose answer was lost is repeated without harm", async () => {
    const { blobs } = faulty("PutObjectCommand", [
      async (send) => {
        await send();
        throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
      },
    ]);
    const ref = await blobs.put("twice", [Buffer.from("four")]);
    const target = new Uint8Array(4);
    await blobs.readInto(ref, 0, target);
    expect(Buffer.from(target).toString()).toBe("four");
  });

  it("a part is larger where a blob would have too many of them", () => {
    const TIB = 2 ** 40;
    expect(aws.partBytesFor(1)).toBe(2 * BLOCK_BYTES);
    expect(TIB / aws.partBytesFor(TIB)).toBeLessThanOrEqual(10_000);
    expect(aws.partBytesFor(TIB) % BLOCK_BYTES).toBe(0);
  });
});
