// Files of clients on both hosts, and that tenants of the blob store see their own alone.
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlobPipelineFiles } from "@sortie/rpc";
import { expect, it, onTestFinished } from "vitest";
import { MemoryBlobs, MemoryTable } from "../../packages/core/src/testing/index.ts";
import { LocalPipelineFiles } from "../../packages/server/src/pipeline-files.ts";
import { describePipelineFiles } from "./pipeline-files.suite.ts";

describePipelineFiles("a folder", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "sortie-files-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "configs"));
  return new LocalPipelineFiles({ configs: join(folder, "configs"), roots: [] });
});

let count = 0;
const portsOfStore = () => ({
  table: new MemoryTable(),
  blobs: new MemoryBlobs(),
  ids: { random: () => `id-${++count}`, derived: (text: string) => text },
});

describePipelineFiles("a store of blobs", async () => new BlobPipelineFiles(portsOfStore(), "alice"));

it("a tenant of the store sees its own files alone, and what it replaces is gone", async () => {
  const ports = portsOfStore();
  const [hers, his] = [new BlobPipelineFiles(ports, "alice"), new BlobPipelineFiles(ports, "bob")];
  await hers.write("/configs/a.yaml", Uint8Array.of(1));
  await hers.write("/configs/a.yaml", Uint8Array.of(2));
  expect(await his.stat("/configs/a.yaml")).toBeUndefined();
  expect(await his.list("/configs")).toBeUndefined();
  const keys: string[] = [];
  for await (const { key } of ports.blobs.list("")) keys.push(key);
  expect(keys).toHaveLength(1);
});
