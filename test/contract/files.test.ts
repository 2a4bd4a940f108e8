// Files of clients on every host, and that tenants of a store of blobs see their own alone.
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalFiles } from "@sortie/pipeline";
import { S3Blobs } from "@sortie/platform-aws";
import { blobFiles } from "@sortie/sessions";
import { expect, it, onTestFinished } from "vitest";
import { MemoryBlobs } from "../../packages/core/src/testing/index.ts";
import { testBuckets } from "../aws/s3.ts";
import { describeFiles } from "./files.suite.ts";

describeFiles("a folder", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "sortie-files-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "configs"));
  return { files: new LocalFiles({ roots: [folder] }), at: join(folder, "configs") };
});

describeFiles("a store in memory", async () => ({
  files: blobFiles(new MemoryBlobs(), { tenant: "alice" }),
  at: "/configs",
}));

const openBucket = testBuckets();
describeFiles("a bucket", async () => {
  const { bucket, newClient } = await openBucket();
  return { files: blobFiles(new S3Blobs({ bucket, client: newClient() }), { tenant: "alice" }), at: "/configs" };
});

it("a tenant of a store sees its own files alone, under keys that say what they are", async () => {
  const blobs = new MemoryBlobs();
  const [hers, his] = [blobFiles(blobs, { tenant: "alice" }), blobFiles(blobs, { tenant: "bob/../alice" })];
  await hers.write("/configs/a.yaml", Uint8Array.of(1));
  await hers.write("/configs/two words.yaml", Uint8Array.of(2));
  expect(await his.stat("/configs/a.yaml")).toBeUndefined();
  expect(await his.list("/")).toBeUndefined();
  await his.write("b.yaml", Uint8Array.of(3));
  expect(blobs.keys).toEqual([
    "files/alice/configs/a.yaml",
    "files/alice/configs/two=20words.yaml",
    "files/bob=2F..=2Falice/b.yaml",
  ]);
  expect(await hers.list("/")).toEqual(["configs/a.yaml", "configs/two words.yaml"]);
});

it("what others put into the store by its key is a file", async () => {
  const blobs = new MemoryBlobs();
  await blobs.put("files/alice/data/cube.npy", [Uint8Array.of(1, 2, 3)]);
  const files = blobFiles(blobs, { tenant: "alice" });
  expect(await files.stat("data/cube.npy")).toEqual({ kind: "file", path: "/data/cube.npy" });
  expect(await files.read("data/cube.npy")).toEqual(Uint8Array.of(1, 2, 3));
});
